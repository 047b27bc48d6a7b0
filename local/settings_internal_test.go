package local

import (
	"math"
	"strconv"
	"testing"
	"time"
)

// TestOffsetsAreKeptForDecades: kfake multiplies the setting to nanoseconds. What overflows is negative, and then the offsets
// of every group without members expire at the next check.
func TestOffsetsAreKeptForDecades(t *testing.T) {
	for name, unit := range map[string]time.Duration{"offsets.retention.minutes": time.Minute, "log.cleaner.backoff.ms": time.Millisecond} {
		n, err := strconv.ParseInt(brokerSettings()[name], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if n > math.MaxInt64/int64(unit) {
			t.Errorf("%s: %d overflows a time.Duration: %v", name, n, time.Duration(n)*unit)
		}
		if years := time.Duration(n) * unit / (365 * 24 * time.Hour); years < 50 {
			t.Errorf("%s: only %d years", name, years)
		}
	}
}
