package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/overview"
	"chatlake/pipeline/plan"
	"chatlake/schemas"
)

// usualSample is how many calls a plan takes.
const usualSample = 20

func (t *tool) planCommand() *cobra.Command {
	sample := usualSample
	c := t.command(&cobra.Command{
		Use:   "plan",
		Short: "Estimate calls, hours and bytes for what is asked for and not yet read",
		Long: "Estimate calls, hours under the quota and bytes for the containers that have not come to their end, with the threads and\n" +
			"merged forwards that they will show, from samples: --sample calls of the real quota, shared between the platforms that\n" +
			"have something left. It writes nothing. Where messages are numbered (Feishu) one call tells how many a chat has; elsewhere\n" +
			"the density of messages is looked at in a few places, and more calls tell more.",
		Example: "  chatlake plan\n  chatlake plan --sample 100 --output json",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.plan(ctx, sample) })
	c.Flags().IntVar(&sample, "sample", sample, "how many calls to take samples with, at least 1")
	return c
}

// planned is what is left of one platform. What could not be sampled is nil.
type planned struct {
	Platform     string   `json:"platform"`
	Containers   int      `json:"containers"`
	Calls        *int64   `json:"calls"`
	Hours        *float64 `json:"hours"` // nil: the platform's quota is off, or unknown
	RawBytes     *int64   `json:"raw_bytes"`
	MessageBytes *int64   `json:"message_bytes"`
	Messages     *int64   `json:"messages"`
	Sampled      int      `json:"sampled_containers"`
	SampleCalls  int      `json:"sample_calls"`
	Refused      int      `json:"refused_containers"` // of the sampled ones
	refusal      error
	Why          *string `json:"unknown_because"`
}

func (t *tool) plan(ctx context.Context, sample int) error {
	if sample < 1 {
		return usagef("--sample %d is less than 1", sample)
	}
	return t.connected(ctx, false, func(s *worker.ToolSettings, n *worker.Connection) error {
		known, err := readLedger(ctx, n, allPartitions(n.Partitions))
		if err != nil {
			return err
		}
		left := known.unfinished()
		on := s.Samples(t.logger(s))
		rows := []planned{}
		for _, name := range slices.Sorted(maps.Keys(on)) {
			if left[name] == nil {
				left[name] = []plan.Container{}
			}
		}
		asked := 0
		for name := range left {
			if on[name] != nil && len(left[name]) > 0 {
				asked++
			}
		}
		for _, name := range slices.Sorted(maps.Keys(left)) {
			share := sample / max(1, asked)
			row, err := planOf(ctx, name, on[name], left[name], max(1, share))
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		if t.json() {
			return printJSON(t.out, map[string]any{"platforms": rows}, true)
		}
		return t.printPlan(rows)
	})
}

// unfinished gives the containers in force that are not at their end, by platform, in the order of their keys.
func (l *ledger) unfinished() map[string][]plan.Container {
	left := map[string][]plan.Container{}
	rows := l.rows()
	for i := range rows {
		r := &rows[i]
		if r.Ended() || r.State == overview.StateFollowing {
			continue
		}
		c := plan.Container{Container: *l.containers[schemas.ContainerKey(r.Key)], Items: r.Items, Pages: r.Pages}
		left[r.Platform] = append(left[r.Platform], c)
	}
	return left
}

func planOf(ctx context.Context, name string, p *plan.Platform, containers []plan.Container, sample int) (planned, error) {
	row := planned{Platform: name, Containers: len(containers)}
	unknown := func(why string) { row.Why = &why }
	if p == nil && len(containers) > 0 {
		unknown("the platform's credentials are not set here: nothing of it can be sampled")
		return row, nil
	}
	e, err := plan.Of(ctx, p, containers, sample)
	switch {
	case ctx.Err() != nil:
		return row, context.Cause(ctx)
	case err != nil:
		unknown(worker.OneLine(err))
		return row, nil
	}
	row.Calls, row.RawBytes, row.MessageBytes, row.Messages = &e.Calls, &e.RawBytes, &e.MessageBytes, &e.Messages
	row.Sampled, row.SampleCalls, row.Refused, row.refusal = e.Sampled, e.Used, e.Refused, e.Refusal
	if !e.Unlimited || e.Calls == 0 {
		row.Hours = &e.Hours
	}
	return row, nil
}

func (t *tool) printPlan(rows []planned) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(t.out, "nothing is left to read, or nothing was asked for: 'chatlake containers list' shows it")
		return err
	}
	table := [][]string{{"PLATFORM", "CONTAINERS", "CALLS", "HOURS", "MESSAGES", "RAW PAGES", "MESSAGES' BYTES", "SAMPLED"}}
	var notes []string
	for _, r := range rows {
		hours := "?"
		if r.Hours != nil {
			hours = strconv.FormatFloat(*r.Hours, 'f', 2, 64)
		}
		table = append(table, []string{
			r.Platform, grouped(int64(r.Containers)), approx(r.Calls), hours, approx(r.Messages), approxBytes(r.RawBytes), approxBytes(r.MessageBytes),
			fmt.Sprintf("%d containers, %d calls", r.Sampled, r.SampleCalls),
		})
		if r.refusal != nil {
			notes = append(notes, fmt.Sprintf("%s: %d of the sampled containers are refused, the last: %s", r.Platform, r.Refused, clean(worker.OneLine(r.refusal))))
		}
		if r.Why != nil {
			notes = append(notes, r.Platform+": "+clean(*r.Why))
		}
	}
	if err := printTable(t.out, table); err != nil {
		return err
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(t.out, n); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(t.out, "estimates from samples, right within a factor of two where conversations are alike; before compression")
	return err
}

func approx(n *int64) string {
	if n == nil {
		return "?"
	}
	return grouped(*n)
}

func approxBytes(n *int64) string {
	switch {
	case n == nil:
		return "?"
	case *n >= 10<<30:
		return fmt.Sprintf("%.0f GiB", float64(*n)/(1<<30))
	case *n >= 10<<20:
		return fmt.Sprintf("%.0f MiB", float64(*n)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(*n)/(1<<10))
}
