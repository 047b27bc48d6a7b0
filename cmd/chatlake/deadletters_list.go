package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/deadletters"
	"chatlake/schemas"
)

func (t *tool) deadlettersListCommand() *cobra.Command {
	var o letterFilter
	var z timezone
	c := t.command(&cobra.Command{
		Use:   "list",
		Short: "List what could not be processed",
		Long: "List what could not be processed, the newest last: each once, though a replay finds the same again.\n" +
			"With NORMALIZER_OUTPUT set, dead letters are those of that output.",
		Example: "  chatlake deadletters list --stage decode --since 7d\n" +
			"  chatlake deadletters list --platform feishu --output json",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.deadlettersList(ctx, o, z) })
	o.flags(c)
	z.flag(c)
	return c
}

func (t *tool) deadlettersList(ctx context.Context, o letterFilter, z timezone) error {
	f, err := o.filter()
	if err == nil {
		err = z.load()
	}
	if err != nil {
		return err
	}
	return t.connected(ctx, true, func(_ *worker.ToolSettings, n *worker.Connection) error {
		set, err := t.letters(ctx, n, f)
		if err != nil {
			return err
		}
		all := set.List()
		if t.json() {
			return printJSON(t.out, map[string]any{"dead_letters": all}, true)
		}
		return t.printLetters(all, &z)
	})
}

// Widths of columns of the table of dead letters, in characters: 120 with the blanks between them.
const (
	widthID    = 12
	widthClass = 18
	widthWhere = 28
	widthError = 27
)

func (t *tool) printLetters(all []*schemas.DeadLetter, z *timezone) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(t.out, "no dead letters, or none that fit")
		return err
	}
	table := [][]string{{"ID", "FAILED AT", "STAGE", "CLASS", "WHERE", "ERROR"}}
	for _, d := range all {
		table = append(table, []string{
			d.ID[:min(len(d.ID), widthID)], z.minute(d.FailedAt), d.Stage, cut(d.ErrorClass, widthClass),
			cutLeft(whereOf(d), widthWhere), cut(d.ErrorMessage, widthError),
		})
	}
	if err := printTable(t.out, table); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "%d dead letters: %s. 'chatlake deadletters show ID' shows one\n", len(all), clean(countsOf(all)))
	return err
}

// whereOf names what a dead letter is about, as narrowly as it says.
func whereOf(d *schemas.DeadLetter) string {
	return cmp.Or(value(d.RecordID), value(d.ContainerKey), d.ConversationKey)
}

// cutLeft shortens text to so many characters, and keeps its end.
func cutLeft(s string, most int) string {
	n := utf8.RuneCountInString(s)
	if n <= most {
		return s
	}
	return "…" + string([]rune(s)[n-most+1:])
}

// mostCounts is how many kinds are counted one by one.
const mostCounts = 5

func countsOf(all []*schemas.DeadLetter) string {
	var parts []string
	for i, c := range deadletters.Counts(all) {
		if i == mostCounts {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s %d", c.Stage, cut(c.Class, widthClass), c.N))
	}
	return strings.Join(parts, ", ")
}
