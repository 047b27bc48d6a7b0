package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// retryOptions pick what goes on: containers by key, else those in a state that match all filters.
type retryOptions struct {
	keys                                []string
	state, code, conversation, platform string
}

// retryable are the states that a container can go on from.
var retryable = []string{schemas.StateFailed, schemas.StateCancelled}

func (t *tool) containersRetryCommand() *cobra.Command {
	var o retryOptions
	c := arguments(t.command(&cobra.Command{
		Use:   "retry [KEY…]",
		Short: "Go on reading what failed or was cancelled",
		Long: "Go on reading what failed or was cancelled, where reading stopped: a new epoch that resumes the one before. Without\n" +
			"arguments every container that has FAILED; what is CANCELLED only by its key, as 'containers list' shows it, or with\n" +
			"--state CANCELLED. Mend the cause first: the code beside each failure names it. 'containers add --again' reads a\n" +
			"container from its beginning instead.",
		Example: "  chatlake containers retry\n" +
			"  chatlake containers retry --code 230002\n" +
			"  chatlake containers retry feishu/cli_a0/chat/oc_a0553eda9014c201e6969b478895c230",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersRetry(ctx, o) }), &o.keys, cobra.ArbitraryArgs)
	f := c.Flags()
	f.StringVar(&o.state, "state", "", "FAILED or CANCELLED (default: FAILED)")
	f.StringVar(&o.code, "code", "", "only those that failed with this code")
	f.StringVar(&o.conversation, "conversation", "", "only those of this conversation, by its id or key")
	f.StringVar(&o.platform, "platform", "", "only those of this platform")
	return c
}

func (o *retryOptions) check() error {
	o.state = strings.ToUpper(o.state)
	if len(o.keys) > 0 && (o.state != "" || o.code != "" || o.conversation != "" || o.platform != "") {
		return usagef("keys name the containers: leave out --state, --code, --conversation and --platform")
	}
	if o.state != "" && !slices.Contains(retryable, o.state) {
		return usagef("--state %q is neither FAILED nor CANCELLED", o.state)
	}
	return checkFilters(o.platform, "")
}

// picks reports whether a container is meant.
func (o *retryOptions) picks(c *listed) bool {
	if len(o.keys) > 0 {
		return slices.Contains(o.keys, c.Key)
	}
	state := o.state
	if state == "" {
		state = schemas.StateFailed
	}
	return c.State == state && (o.code == "" || o.code == value(c.ErrorCode)) && (o.platform == "" || o.platform == c.Platform) &&
		(o.conversation == "" || c.in(o.conversation))
}

// retryReport is the result of containers retry.
type retryReport struct {
	Retried   int         `json:"retried"`
	Added     []outcome   `json:"added"`
	Unchanged []unchanged `json:"unchanged"` // named, and neither failed nor cancelled
}

func (t *tool) containersRetry(ctx context.Context, o retryOptions) error {
	for i := range o.keys {
		o.keys[i], _ = worker.Cut(o.keys[i])
	}
	o.conversation, _ = worker.Cut(o.conversation)
	if err := o.check(); err != nil {
		return err
	}
	return t.connected(ctx, false, func(_ *worker.ToolSettings, n *worker.Connection) error {
		known, err := readLedger(ctx, n, allPartitions(n.Partitions))
		if err != nil {
			return err
		}
		rows := slices.DeleteFunc(known.list(), func(c listed) bool { return !o.picks(&c) })
		for _, key := range o.keys {
			if !slices.ContainsFunc(rows, func(c listed) bool { return c.Key == key }) {
				return fmt.Errorf("no container has the key %s: see 'chatlake containers list'; nothing was changed", clean(key))
			}
		}
		r, err := retryContainers(ctx, n, known, rows)
		if err != nil {
			return err
		}
		if t.json() {
			return printJSON(t.out, r, true)
		}
		return t.printRetried(r)
	})
}

// retryContainers writes those that have stopped, in an epoch that resumes the one in force. Cause, mode and window do not change.
func retryContainers(ctx context.Context, n *worker.Connection, known *ledger, rows []listed) (*retryReport, error) {
	r := &retryReport{Added: []outcome{}, Unchanged: []unchanged{}}
	now := schemas.MillisOf(time.Now())
	var written []*schemas.Container
	for _, row := range rows {
		if !slices.Contains(retryable, row.State) {
			r.Unchanged = append(r.Unchanged, unchanged{row.Key, row.Epoch, row.State})
			continue
		}
		c := *known.containers[schemas.ContainerKey(row.Key)]
		c.Epoch, c.Resume, c.Cancelled, c.RequestedAt = row.Epoch+1, true, false, now
		written = append(written, &c)
		r.Added = append(r.Added, outcome{Key: c.Key, Epoch: c.Epoch})
	}
	r.Retried = len(written)
	return r, writeContainers(ctx, n, written)
}

func (t *tool) printRetried(r *retryReport) error {
	var b strings.Builder
	writeSome(&b, r.Added, func(a outcome) string { return fmt.Sprintf("goes on with %s (epoch %d)", clean(a.Key), a.Epoch) })
	writeSome(&b, r.Unchanged, unchanged.text)
	fmt.Fprintf(&b, "%d retried\n", r.Retried)
	_, err := fmt.Fprint(t.out, b.String())
	return err
}
