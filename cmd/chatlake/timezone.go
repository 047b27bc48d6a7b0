package main

import (
	"time"
	_ "time/tzdata" // zones by name, also where the system has none

	"github.com/spf13/cobra"

	"chatlake/schemas"
)

// timezone is where people read times; its zero value is UTC. Programs always read UTC.
type timezone struct {
	name string
	in   *time.Location
}

// flag adds --tz to a command.
func (z *timezone) flag(c *cobra.Command) {
	c.Flags().StringVar(&z.name, "tz", "UTC", "time zone that people read times in, such as Asia/Shanghai; JSON is always UTC")
}

// load finds the zone.
func (z *timezone) load() error {
	in, err := time.LoadLocation(z.name)
	if err != nil {
		return usagef("--tz %q is no time zone: names are such as UTC, Asia/Shanghai or Europe/Berlin", z.name)
	}
	z.in = in
	return nil
}

func (z *timezone) of(m schemas.Millis) time.Time {
	if z.in == nil {
		return m.Time()
	}
	return m.Time().In(z.in)
}

// minute gives an instant as a table or a chat shows it.
func (z *timezone) minute(m schemas.Millis) string { return z.of(m).Format("2006-01-02 15:04") }

// full gives an instant as RFC 3339 with milliseconds.
func (z *timezone) full(m schemas.Millis) string {
	return z.of(m).Format("2006-01-02T15:04:05.000Z07:00")
}

// brief gives an instant to the second, "-" where it is not known.
func (z *timezone) brief(m *schemas.Millis) string {
	if m == nil {
		return "-"
	}
	return z.of(*m).Format("2006-01-02 15:04:05")
}
