package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/deadletters"
	"chatlake/schemas"
)

func (t *tool) deadlettersCommand() *cobra.Command {
	return group("deadletters", "See what could not be processed, and ask for it again",
		t.deadlettersListCommand(), t.deadlettersShowCommand(), t.deadlettersRedriveCommand())
}

// letterFilter is the flags that choose dead letters.
type letterFilter struct {
	class, stage, platform, since string
}

func (o *letterFilter) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.class, "class", "", "only of this error class, as 'deadletters list' shows it")
	f.StringVar(&o.stage, "stage", "", "only of this stage: "+strings.Join(deadletters.Stages, ", "))
	f.StringVar(&o.platform, "platform", "", "only of this platform")
	f.StringVar(&o.since, "since", "", "only what failed at or after a UTC date, an RFC 3339 time, or so long ago: 36h, 7d")
}

// filter checks the flags.
func (o *letterFilter) filter() (deadletters.Filter, error) {
	f := deadletters.Filter{Class: o.class, Stage: strings.ToLower(o.stage), Platform: o.platform}
	if f.Stage != "" && !slices.Contains(deadletters.Stages, f.Stage) {
		return f, usagef("--stage %q is none of %s", o.stage, strings.Join(deadletters.Stages, ", "))
	}
	if err := checkFilters(o.platform, ""); err != nil {
		return f, err
	}
	since, err := parseSince(o.since, time.Now())
	if since != nil {
		f.Since = *since
	}
	return f, err
}

// parseSince reads --since: a UTC date, an RFC 3339 time, or an age in hours and the like, or in days; nil where it is "".
func parseSince(s string, now time.Time) (*schemas.Millis, error) {
	age, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok && err != nil {
		var n int64
		n, err = strconv.ParseInt(days, 10, 32)
		age = time.Duration(n) * 24 * time.Hour
	}
	if err == nil && age >= 0 {
		at := schemas.MillisOf(now.Add(-age))
		return &at, nil
	}
	at, err := parseBound("--since", s)
	if err != nil {
		return nil, usagef("%w, nor an age such as 36h or 7d", err)
	}
	return at, nil
}

// arguments lets a command take arguments, which are put into args; most less than 0: any number.
func arguments(c *cobra.Command, args *[]string, check cobra.PositionalArgs) *cobra.Command {
	run := c.RunE
	c.Args = check
	c.RunE = func(c *cobra.Command, given []string) error {
		*args = given
		return run(c, given)
	}
	return c
}

// eachLetter calls fn with every dead letter of the topic, those of one partition in order. One that cannot be decoded is
// said, and the others go on.
func (t *tool) eachLetter(ctx context.Context, n *worker.Connection, fn func(*schemas.DeadLetter)) error {
	d := schemas.NewDecoder(schemas.DeadLetterSchema, n.Registry.Patient)
	return t.scan(ctx, n, n.Topics.DeadLetters, allPartitions(n.Partitions), func(r *schemas.Record) error {
		v := new(schemas.DeadLetter)
		err := d.Decode(ctx, r.Value, v)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, schemas.ErrNoAnswer): // that says nothing of the record
			return err
		case err != nil:
			t.note("%s/%d offset %d (%s) is left out: %s", r.Topic, r.Partition, r.Offset, r.Key, worker.OneLine(err))
			return nil
		}
		fn(v)
		return nil
	})
}

// letters gives the dead letters that fit, each once.
func (t *tool) letters(ctx context.Context, n *worker.Connection, f deadletters.Filter) (deadletters.Set, error) {
	set := deadletters.Set{}
	return set, t.eachLetter(ctx, n, func(d *schemas.DeadLetter) {
		if f.Fits(d) {
			set.Add(d)
		}
	})
}
