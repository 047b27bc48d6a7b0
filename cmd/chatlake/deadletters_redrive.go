package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/deadletters"
	"chatlake/schemas"
)

// redriveOptions are the arguments of deadletters redrive.
type redriveOptions struct {
	letterFilter
	ids   []string
	again bool
}

func (t *tool) deadlettersRedriveCommand() *cobra.Command {
	var o redriveOptions
	c := arguments(t.command(&cobra.Command{
		Use:   "redrive [ID…]",
		Short: "Ask the platforms again for what failed",
		Long: "Ask the platforms again for what failed: the dead letters of some ids (their first characters are enough), those that fit\n" +
			"the flags, or all. For one of stage extract its message is asked for again, where it names one, else the whole of its\n" +
			"container, in a new epoch. For the other stages nothing is written: what they failed on lies in the raw pages, and the\n" +
			"command that reads these again is named.\n\n" +
			"What was asked for since it failed, whoever asked, and what then failed in the same class, is not asked for once more:\n" +
			"running this twice asks once. --again asks all the same. Dead letters stay in their topic; what fails again leaves a\n" +
			"new one.",
		Example: "  chatlake deadletters redrive\n" +
			"  chatlake deadletters redrive --stage extract --platform yunxin\n" +
			"  chatlake deadletters redrive 3f9a0c51d2ab",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.deadlettersRedrive(ctx, o) }), &o.ids, cobra.ArbitraryArgs)
	o.flags(c)
	c.Flags().BoolVar(&o.again, "again", false, "ask also for what was asked for since it failed, or failed the same way when it was asked for again")
	return c
}

// redriveReport is the result of deadletters redrive.
type redriveReport struct {
	Redriven int                  `json:"redriven"`
	Remedies []deadletters.Remedy `json:"remedies"`
	Added    []outcome            `json:"added"` // containers that were written
}

func (t *tool) deadlettersRedrive(ctx context.Context, o redriveOptions) error {
	f, err := o.filter()
	if err != nil {
		return err
	}
	if len(o.ids) > 0 && o.letterFilter != (letterFilter{}) {
		return usagef("ids name the dead letters: leave out --class, --stage, --platform and --since")
	}
	return t.connected(ctx, true, func(_ *worker.ToolSettings, n *worker.Connection) error {
		all, err := t.letters(ctx, n, deadletters.Filter{})
		if err != nil {
			return err
		}
		chosen, err := choose(all, o.ids, f)
		if err != nil {
			return err
		}
		r, err := redrive(ctx, n, chosen, deadletters.Known{Letters: all}, o.again)
		if err != nil {
			return err
		}
		if t.json() {
			return printJSON(t.out, r, true)
		}
		return t.printRedriven(r)
	})
}

// choose gives the dead letters of some ids, each once; those that fit where there are none.
func choose(set deadletters.Set, ids []string, f deadletters.Filter) ([]*schemas.DeadLetter, error) {
	if len(ids) == 0 {
		return slices.DeleteFunc(set.List(), func(d *schemas.DeadLetter) bool { return !f.Fits(d) }), nil
	}
	chosen := deadletters.Set{}
	for _, id := range ids {
		d, err := set.Find(id)
		if err != nil {
			return nil, fmt.Errorf("%w: see 'chatlake deadletters list'", err)
		}
		chosen[d.ID] = d
	}
	return chosen.List(), nil
}

// redrive writes the containers that dead letters ask for.
func redrive(ctx context.Context, n *worker.Connection, letters []*schemas.DeadLetter, known deadletters.Known, again bool) (*redriveReport, error) {
	l, err := readLedger(ctx, n, partitionsOf(n, letters))
	if err != nil {
		return nil, err
	}
	known.Containers, known.InForce = l.containers, l.inForce
	plan := deadletters.Redrive(letters, known, deadletters.Ask{Now: time.Now(), Again: again, Output: n.Topics.Messages})
	r := &redriveReport{Redriven: plan.Redriven, Remedies: plan.Remedies, Added: []outcome{}}
	for _, c := range plan.Containers {
		r.Added = append(r.Added, outcome{Key: c.Key, Epoch: c.Epoch})
	}
	return r, writeContainers(ctx, n, plan.Containers)
}

// partitionsOf gives the partitions whose containers tell what is to be asked for again. One that a record of the topic of
// containers left knows no conversation, but where that record lies.
func partitionsOf(n *worker.Connection, letters []*schemas.DeadLetter) []int32 {
	var all []int32
	for _, d := range letters {
		if d.Stage != schemas.StageExtract {
			continue
		}
		p := schemas.Partition(schemas.ConversationKey(d.ConversationKey), n.Partitions)
		if at := d.SourcePartition; value(d.SourceTopic) == n.Topics.Containers && at != nil && *at >= 0 && *at < int64(n.Partitions) {
			p = int32(*at)
		}
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

func (t *tool) printRedriven(r *redriveReport) error {
	var b strings.Builder
	writeSome(&b, r.Added, func(a outcome) string { return fmt.Sprintf("asks again for %s (epoch %d)", clean(a.Key), a.Epoch) })
	left := 0
	for _, m := range r.Remedies {
		left += m.N
		fmt.Fprintf(&b, "%d %s %s: %s\n", m.N, m.Stage, clean(m.ErrorClass), clean(m.Remedy))
	}
	fmt.Fprintf(&b, "%d redriven, %d need something else\n", r.Redriven, left)
	_, err := t.out.Write([]byte(b.String()))
	return err
}
