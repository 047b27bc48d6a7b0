package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// Millis is an instant in Unix milliseconds, UTC: Avro's long with logical type timestamp-millis. Zero is 1970, so a
// time that may be absent is a *Millis.
type Millis int64

// timeLayout is RFC 3339 with milliseconds, the form of ce_time and of JSON output.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MillisOf gives t in milliseconds, cutting what is finer.
func MillisOf(t time.Time) Millis { return Millis(t.UnixMilli()) }

// Time gives the instant in UTC.
func (m Millis) Time() time.Time { return time.UnixMilli(int64(m)).UTC() }

// String gives the instant as RFC 3339 with milliseconds, UTC.
func (m Millis) String() string { return m.Time().Format(timeLayout) }

// Date gives the UTC day as yyyy-MM-dd.
func (m Millis) Date() string { return m.Time().Format(time.DateOnly) }

// MarshalJSON writes the instant as an RFC 3339 string, for people and for programs other than Avro readers.
func (m Millis) MarshalJSON() ([]byte, error) { return json.Marshal(m.String()) }

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Millis) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	t, err := ParseTime(s)
	if err != nil {
		return err
	}
	*m = t
	return nil
}

// ParseTime reads an RFC 3339 instant.
func ParseTime(s string) (Millis, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("time %q: %w", s, err)
	}
	return MillisOf(t), nil
}
