package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// listOptions are the flags of containers list.
type listOptions struct{ state, kind, platform string }

var states = []string{
	schemas.StatePending, schemas.StateRunning, schemas.StateWaiting,
	schemas.StateComplete, schemas.StateFailed, schemas.StateCancelled,
}

func (t *tool) containersListCommand() *cobra.Command {
	var o listOptions
	c := t.command(&cobra.Command{
		Use: "list", Short: "List containers and how far they have been read",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.containersList(ctx, o) })
	c.Flags().StringVar(&o.state, "state", "", "only those in this state: "+strings.Join(states, ", "))
	c.Flags().StringVar(&o.kind, "kind", "", "only those of this kind: "+strings.Join(kinds, ", "))
	c.Flags().StringVar(&o.platform, "platform", "", "only those of this platform")
	return c
}

// listed is one container as it is listed.
type listed struct {
	Key            string          `json:"key"`
	Platform       string          `json:"platform"`
	TenantID       string          `json:"tenant_id"`
	Kind           string          `json:"kind"`
	ID             string          `json:"id"`
	ConversationID string          `json:"conversation_id"`
	WindowStart    *schemas.Millis `json:"window_start"`
	WindowEnd      *schemas.Millis `json:"window_end"`
	Cause          string          `json:"cause"`
	Refs           int             `json:"refs"` // messages that it asks for by id
	Epoch          int64           `json:"epoch"`
	State          string          `json:"state"`
	Pages          int64           `json:"pages"`
	Items          int64           `json:"items"`
	Calls          int64           `json:"calls"`
	Watermark      *schemas.Millis `json:"watermark"`
	ErrorCode      *string         `json:"error_code"`
	ErrorMessage   *string         `json:"error_message"`
}

// list gives a row for each container, by key.
func (l *ledger) list() []listed {
	rows := make([]listed, 0, len(l.containers))
	for key, c := range l.containers {
		row := listed{
			Key: c.Key, Platform: c.Platform, TenantID: c.TenantID, Kind: c.Kind, ID: c.ID, ConversationID: c.ConversationID,
			WindowStart: c.WindowStart, WindowEnd: c.WindowEnd, Cause: c.Cause, Refs: len(c.Refs),
			Epoch: l.inForce(key), State: schemas.StatePending,
		}
		cp := l.checkpoints[key]
		if cp != nil && cp.Epoch == row.Epoch {
			row.State, row.Pages, row.Items, row.Calls = cp.State, cp.Pages, cp.Items, cp.Calls
			row.Watermark, row.ErrorCode, row.ErrorMessage = cp.Watermark, cp.ErrorCode, cp.ErrorMessage
		}
		// Nothing more is read of what was cancelled, even before its checkpoint says so.
		if c.Cancelled && c.Epoch == row.Epoch && (cp == nil || cp.Epoch < row.Epoch || !cp.Ended()) {
			row.State = schemas.StateCancelled
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b listed) int { return cmp.Compare(a.Key, b.Key) })
	return rows
}

func (t *tool) containersList(ctx context.Context, o listOptions) error {
	if o.state = strings.ToUpper(o.state); o.state != "" && !slices.Contains(states, o.state) {
		return usagef("--state %q is none of %s", o.state, strings.Join(states, ", "))
	}
	if err := checkFilters(o.platform, o.kind); err != nil {
		return err
	}
	return t.connected(ctx, false, func(_ *worker.ToolSettings, n *worker.Connection) error {
		known, err := readLedger(ctx, n, allPartitions(n.Partitions))
		if err != nil {
			return err
		}
		if known.unreadable > 0 {
			t.note("%d records of %s cannot be read or lie in the wrong partition: they count for nothing", known.unreadable, n.Topics.Containers)
		}
		rows := slices.DeleteFunc(known.list(), func(r listed) bool {
			return o.state != "" && r.State != o.state || o.platform != "" && r.Platform != o.platform ||
				o.kind != "" && r.Kind != o.kind
		})
		if t.json() {
			return printJSON(t.out, map[string]any{"containers": rows, "states": countStates(rows)}, true)
		}
		return t.printListed(rows)
	})
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

// countStates counts containers by state.
func countStates(rows []listed) map[string]int {
	n := map[string]int{}
	for i := range rows {
		n[rows[i].State]++
	}
	return n
}

// summaryOf is a line that counts what was listed: in all, and by state.
func summaryOf(rows []listed) string {
	counts, parts := countStates(rows), []string{}
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if !slices.Contains(states, s) { // another version's
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	for _, s := range slices.Backward(states) {
		if counts[s] > 0 {
			parts = append([]string{fmt.Sprintf("%d %s", counts[s], s)}, parts...)
		}
	}
	return fmt.Sprintf("%d listed: %s", len(rows), strings.Join(parts, ", "))
}

func (t *tool) printListed(rows []listed) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(t.out, "no containers, or none that fit: add some with 'chatlake containers add'")
		return err
	}
	table := [][]string{{"CONTAINER", "KIND", "EPOCH", "STATE", "PAGES", "ITEMS", "WATERMARK", "ERROR"}}
	for _, r := range rows {
		watermark := "-"
		if r.Watermark != nil {
			watermark = r.Watermark.String()
		}
		table = append(table, []string{
			r.Key, r.Kind, decimal(r.Epoch), r.State, decimal(r.Pages), decimal(r.Items), watermark, r.problem(),
		})
	}
	if err := printTable(t.out, table); err != nil {
		return err
	}
	_, err := fmt.Fprintln(t.out, clean(summaryOf(rows)))
	return err
}

// mostProblem is how much of a problem a table shows, in characters: our own messages end with the remedy.
const mostProblem = 320

func (r *listed) problem() string {
	var parts []string
	for _, p := range []*string{r.ErrorCode, r.ErrorMessage} {
		if p != nil && *p != "" {
			parts = append(parts, *p)
		}
	}
	if len(parts) == 0 {
		return "-"
	}
	return cut(strings.Join(parts, ": "), mostProblem)
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
