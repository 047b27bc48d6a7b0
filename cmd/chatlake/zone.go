package main

import (
	"time"
	_ "time/tzdata" // machines and images without a database of time zones have --tz all the same

	"github.com/spf13/pflag"

	"chatlake/schemas"
)

// zone is where people who read times live; JSON is always in UTC.
type zone struct {
	name     string
	location *time.Location
}

func (z *zone) flag(f *pflag.FlagSet) {
	f.StringVar(&z.name, "tz", "UTC", "time zone of times in tables, such as Asia/Shanghai; JSON is always in UTC")
}

func (z *zone) load() (err error) {
	if z.location, err = time.LoadLocation(z.name); err != nil {
		return usagef("--tz %q is no time zone that this machine knows: give a name such as Asia/Shanghai, or UTC", z.name)
	}
	return nil
}

// brief is a time to the second, "-" where it is not known.
func (z *zone) brief(m *schemas.Millis) string {
	if m == nil {
		return "-"
	}
	return m.Time().In(z.location).Format("2006-01-02 15:04:05")
}
