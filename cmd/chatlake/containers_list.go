package main

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

// listOptions are the flags of containers list.
type listOptions struct {
	state, kind, platform, conversation, sort string
	limit                                     int
	rollUp                                    bool
	zone                                      timezone
}

// states are those that a container can be in.
var states = overview.States

func (t *tool) containersListCommand() *cobra.Command {
	var o listOptions
	c := t.command(&cobra.Command{
		Use:   "list",
		Short: "List containers and how far they have been read",
		Long: "List containers and how far they have been read, or with --roll-up conversations and what their containers come to.\n" +
			"The counts of states are of all that the filters let through, before --limit. Any spelling of a conversation of\n" +
			"Yunxin will do.",
		Example: "  chatlake containers list --state FAILED\n" +
			"  chatlake containers list --sort activity --limit 20\n" +
			"  chatlake containers list --conversation oc_a0553eda9014c201e6969b478895c230 --output json\n" +
			"  chatlake containers list --roll-up --sort state",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersList(ctx, o) })
	f := c.Flags()
	f.StringVar(&o.conversation, "conversation", "", "only those of this conversation, by its id or key")
	f.StringVar(&o.state, "state", "", "only those in this state: "+strings.Join(states, ", "))
	f.StringVar(&o.kind, "kind", "", "only those of this kind: "+strings.Join(kinds, ", "))
	f.StringVar(&o.platform, "platform", "", "only those of this platform")
	f.StringVar(&o.sort, "sort", overview.Orders[0], "order: "+strings.Join(overview.Orders, ", ")+"; activity and pages: the most recent, the most first")
	f.IntVar(&o.limit, "limit", 0, "show so many at most (0: all)")
	f.BoolVar(&o.rollUp, "roll-up", false, "a row for each conversation")
	o.zone.flag(c)
	return c
}

// listed is one container as it is listed.
type listed struct{ overview.Row }

// list gives a row for each container, by key.
func (l *ledger) list() []listed {
	all := l.rows()
	rows := make([]listed, len(all))
	for i := range all {
		rows[i] = listed{all[i]}
	}
	return rows
}

// rows gives a row for each container, by key.
func (l *ledger) rows() []overview.Row {
	rows := make([]overview.Row, 0, len(l.containers))
	for key, c := range l.containers {
		rows = append(rows, overview.NewRow(c, l.checkpoints[key]))
	}
	overview.Sort(rows, overview.Orders[0])
	return rows
}

func (o *listOptions) check() error {
	o.state = strings.ToUpper(o.state)
	switch {
	case o.state != "" && !slices.Contains(states, o.state):
		return usagef("--state %q is none of %s", o.state, strings.Join(states, ", "))
	case !slices.Contains(overview.Orders, o.sort):
		return usagef("--sort %q is none of %s", o.sort, strings.Join(overview.Orders, ", "))
	case o.limit < 0:
		return usagef("--limit %d is less than 0", o.limit)
	}
	if err := o.zone.load(); err != nil {
		return err
	}
	return checkFilters(o.platform, o.kind)
}

// lets reports whether the filters let a container through.
func (o *listOptions) lets(r *overview.Row) bool {
	return (o.state == "" || r.State == o.state) && (o.platform == "" || r.Platform == o.platform) &&
		(o.kind == "" || r.Kind == o.kind) &&
		(o.conversation == "" || (&listed{*r}).in(o.conversation))
}

func (t *tool) containersList(ctx context.Context, o listOptions) error {
	o.conversation, _ = worker.Cut(o.conversation)
	if err := o.check(); err != nil {
		return err
	}
	return t.connected(ctx, false, func(_ *worker.ToolSettings, n *worker.Connection) error {
		known, err := readLedger(ctx, n, allPartitions(n.Partitions))
		if err != nil {
			return err
		}
		if known.unreadable > 0 {
			t.note("%d records of %s cannot be read or lie in the wrong partition: they are ignored; 'chatlake audit' names them", known.unreadable, n.Topics.Containers)
		}
		rows := slices.DeleteFunc(known.rows(), func(r overview.Row) bool { return !o.lets(&r) })
		counts := overview.Count(rows)
		if o.rollUp {
			all := overview.RollUp(rows)
			overview.SortConversations(all, o.sort)
			shown := limited(all, o.limit)
			if t.json() {
				return printJSON(t.out, map[string]any{"containers": shown, "states": counts}, true)
			}
			return t.printRolledUp(shown, len(all), o.zone)
		}
		overview.Sort(rows, o.sort)
		shown := limited(rows, o.limit)
		if t.json() {
			return printJSON(t.out, map[string]any{"containers": shown, "states": counts}, true)
		}
		return t.printListed(shown, counts, o.zone)
	})
}

// limited is the first so many of a list, or all of it for 0.
func limited[T any](all []T, most int) []T {
	if most > 0 && len(all) > most {
		return all[:most]
	}
	return all
}

// checkFilters refuses platforms and kinds that nothing can be of.
func checkFilters(platform, kind string) error {
	if platform != "" && platform != schemas.Feishu && platform != schemas.Yunxin {
		return usagef("--platform %q is neither feishu nor yunxin", platform)
	}
	if kind != "" && !slices.Contains(kinds, kind) {
		return usagef("--kind %q is none of %s", kind, strings.Join(kinds, ", "))
	}
	return nil
}

// decimal writes a whole number.
func decimal(n int64) string { return strconv.FormatInt(n, 10) }
