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

// choice picks containers: those that fit all that is given.
type choice struct{ key, platform, kind, id, conversation string }

var kinds = []string{schemas.KindChat, schemas.KindThread, schemas.KindMessage, schemas.KindConversation, schemas.KindMessages}

func (t *tool) containersCancelCommand() *cobra.Command {
	var o choice
	c := t.command(&cobra.Command{
		Use:   "cancel",
		Short: "Stop reading containers, and dismiss failures",
		Long: "Stop reading containers in the epoch that they are in: what was read is kept, and the extractor ends them as CANCELLED.\n" +
			"One that has failed is dismissed: it is shown and counted as CANCELLED, and --once of the extractor does not fail for it.\n" +
			"What is complete does not change. 'containers retry' goes on where reading stopped, 'containers add --again' reads it\n" +
			"all again.\n\n" +
			"Name one by --kind and --id, or by its --key as 'containers list' shows it; or all of a --conversation: the chat, its\n" +
			"threads and its look-ups, or those of one --kind. Any spelling of a conversation of Yunxin will do. A chat that is\n" +
			"read may show threads until the extractor has seen its cancellation: run it once more to cancel those.",
		Example: "  chatlake containers cancel --kind chat --id oc_a0553eda9014c201e6969b478895c230\n" +
			"  chatlake containers cancel --conversation oc_a0553eda9014c201e6969b478895c230 --kind thread\n" +
			"  chatlake containers cancel --platform yunxin --conversation 'alice|1|bob'",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersCancel(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.key, "key", "", "the container's key, as 'containers list' shows it")
	f.StringVar(&o.platform, "platform", "", "only of this platform")
	f.StringVar(&o.kind, "kind", "", "only of this kind: "+strings.Join(kinds, ", "))
	f.StringVar(&o.id, "id", "", "the platform's id of the container; needs --kind")
	f.StringVar(&o.conversation, "conversation", "", "id of the conversation that the containers belong to")
	return c
}

func (o *choice) check() error {
	if err := checkFilters(o.platform, o.kind); err != nil {
		return err
	}
	switch {
	case o.key != "" && *o != (choice{key: o.key}):
		return usagef("--key names one container: leave out --platform, --kind, --id and --conversation")
	case o.key == "" && o.id == "" && o.conversation == "":
		return usagef("nothing says what to cancel: give --kind and --id, --key, or --conversation")
	case o.id != "" && o.kind == "":
		return usagef("--kind is missing, of --id %q", o.id)
	}
	return nil
}

// fits reports whether a container is meant.
func (o *choice) fits(c *listed) bool {
	return (o.key == "" || o.key == c.Key) && (o.platform == "" || o.platform == c.Platform) && (o.kind == "" || o.kind == c.Kind) &&
		(o.id == "" || o.id == c.ID || c.spelled(o.id)) &&
		(o.conversation == "" || c.in(o.conversation))
}

// in reports whether the container belongs to a conversation, by its id, its key, or a spelling that Yunxin's API takes.
func (r *listed) in(conversation string) bool {
	return conversation == r.ConversationID || conversation == r.ConversationKey() || r.spelled(conversation)
}

// spelled reports whether id is one of the spellings that Yunxin's API takes for the container's conversation.
func (r *listed) spelled(id string) bool {
	return r.Platform == schemas.Yunxin && sameConversation(id, r.ConversationID)
}

// flags is the choice as it was given.
func (o *choice) flags() string {
	var out []string
	for _, f := range [][2]string{{"--key", o.key}, {"--platform", o.platform}, {"--kind", o.kind}, {"--id", o.id}, {"--conversation", o.conversation}} {
		if f[1] != "" {
			out = append(out, f[0]+" "+f[1])
		}
	}
	return strings.Join(out, " ")
}

// unchanged is a container to which a command does nothing, for the state that it is in.
type unchanged struct {
	Key   string `json:"key"`
	Epoch int64  `json:"epoch"`
	State string `json:"state"`
}

// cancelReport is the result of containers cancel.
type cancelReport struct {
	Cancelled []outcome   `json:"cancelled"`
	Ended     []unchanged `json:"ended"` // complete, or cancelled before
}

func (t *tool) containersCancel(ctx context.Context, o choice) error {
	for _, v := range []*string{&o.key, &o.platform, &o.kind, &o.id, &o.conversation} {
		*v, _ = worker.Cut(*v) // what fits nothing is said anyway
	}
	if err := o.check(); err != nil {
		return err
	}
	return t.connected(ctx, false, func(_ *worker.ToolSettings, n *worker.Connection) error {
		known, err := readLedger(ctx, n, allPartitions(n.Partitions))
		if err != nil {
			return err
		}
		rows := slices.DeleteFunc(known.list(), func(c listed) bool { return !o.fits(&c) })
		if len(rows) == 0 {
			return fmt.Errorf("no container fits %s: see 'chatlake containers list'", o.flags())
		}
		r, err := cancelContainers(ctx, n, known, rows)
		if err != nil {
			return err
		}
		if t.json() {
			return printJSON(t.out, r, true)
		}
		return t.printCancelled(r)
	})
}

// cancelContainers writes those that are not complete once more, as cancelled, in the epoch in force: readers fold. One that has
// failed is thereby dismissed.
func cancelContainers(ctx context.Context, n *worker.Connection, known *ledger, rows []listed) (*cancelReport, error) {
	r := &cancelReport{Cancelled: []outcome{}, Ended: []unchanged{}}
	now := schemas.MillisOf(time.Now())
	var written []*schemas.Container
	for _, row := range rows {
		if row.State == schemas.StateComplete || row.State == schemas.StateCancelled {
			r.Ended = append(r.Ended, unchanged{row.Key, row.Epoch, row.State})
			continue
		}
		c := *known.containers[schemas.ContainerKey(row.Key)]
		c.Epoch, c.Cancelled, c.RequestedAt = row.Epoch, true, now
		written = append(written, &c)
		r.Cancelled = append(r.Cancelled, outcome{Key: c.Key, Epoch: c.Epoch})
	}
	return r, writeContainers(ctx, n, written)
}

func (t *tool) printCancelled(r *cancelReport) error {
	var b strings.Builder
	writeSome(&b, r.Cancelled, func(c outcome) string { return fmt.Sprintf("cancelled %s (epoch %d)", clean(c.Key), c.Epoch) })
	writeSome(&b, r.Ended, unchanged.text)
	fmt.Fprintf(&b, "%d cancelled, %d had ended already\n", len(r.Cancelled), len(r.Ended))
	_, err := fmt.Fprint(t.out, b.String())
	return err
}

func (c unchanged) text() string {
	return fmt.Sprintf("unchanged %s: %s in epoch %d", clean(c.Key), c.State, c.Epoch)
}

// writeSome writes a line for each of the first few, and how many more there are.
func writeSome[T any](b *strings.Builder, all []T, line func(T) string) {
	for i, v := range all {
		if i == mostNamed {
			fmt.Fprintf(b, "… and %d more\n", len(all)-i)
			return
		}
		b.WriteString(line(v) + "\n")
	}
}
