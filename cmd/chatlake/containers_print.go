package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

// Widths of columns, so that a table fits into 120 characters: ids are whole where no error needs the room.
const (
	widestKey     = 50
	shorterKey    = 36
	widestProblem = 24
)

func (t *tool) printListed(rows []overview.Row, counts map[string]int, z timezone) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(t.out, "no containers, or none that fit: add some with 'chatlake containers add'")
		return err
	}
	widest := widestKey
	if slices.ContainsFunc(rows, func(r overview.Row) bool { return problemOf(&r) != "" }) {
		widest = shorterKey
	}
	name := func(r *overview.Row) string { return r.Key }
	if slices.ContainsFunc(rows, func(r overview.Row) bool { return utf8.RuneCountInString(r.Key) > widest }) {
		name = shortKey
	}
	table := [][]string{{"CONTAINER", "STATE", "EPOCH", "PAGES", "ITEMS", "NEWEST MESSAGE", "ERROR"}}
	for i := range rows {
		r := &rows[i]
		problem := "-"
		if p := problemOf(r); p != "" {
			problem = cut(clean(p), widestProblem)
		}
		table = append(table, []string{
			shortened(name(r), widest), r.State, decimal(r.Epoch), decimal(r.Pages), decimal(r.Items), z.brief(r.Watermark), problem,
		})
	}
	if err := printTable(t.out, table); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(t.out, clean(summaryOf(len(rows), counts))); err != nil {
		return err
	}
	return t.printProblems(rows)
}

// Of the problems that a table has no room for, so many are written out, each to so many characters: our own messages end with
// the remedy.
const (
	mostProblems = 5
	mostProblem  = 320
)

// printProblems writes out what the column of errors cut short, once for each code.
func (t *tool) printProblems(rows []overview.Row) error {
	var said []string
	for i := range rows {
		r := &rows[i]
		full := clean(problemOf(r))
		if r.ErrorCode == nil || utf8.RuneCountInString(full) <= widestProblem || slices.Contains(said, *r.ErrorCode) || len(said) == mostProblems {
			continue
		}
		if len(said) == 0 {
			if _, err := fmt.Fprintln(t.out); err != nil {
				return err
			}
		}
		said = append(said, *r.ErrorCode)
		if _, err := fmt.Fprintln(t.out, cut(full, mostProblem)); err != nil {
			return err
		}
	}
	return nil
}

// shortKey is a container's key without its tenant, for tables where whole ones do not fit; --output json has them.
func shortKey(r *overview.Row) string {
	return strings.Replace(r.Key, "/"+schemas.Part(r.TenantID)+"/", "/", 1)
}

// shortened keeps both ends of what is too long: keys differ there.
func shortened(s string, most int) string {
	all := []rune(clean(s))
	if len(all) <= most {
		return string(all)
	}
	tail := (most - 1) / 2
	return string(all[:most-1-tail]) + "…" + string(all[len(all)-tail:])
}

// problemOf is a row's error, in words.
func problemOf(r *overview.Row) string {
	var parts []string
	for _, p := range []*string{r.ErrorCode, r.ErrorMessage} {
		if p != nil && *p != "" {
			parts = append(parts, *p)
		}
	}
	return strings.Join(parts, ": ")
}

// summaryOf is a line that counts what was listed: in all, and by state.
func summaryOf(shown int, counts map[string]int) string {
	total := 0
	for _, n := range counts {
		total += n
	}
	head := fmt.Sprintf("%d listed", total)
	if shown < total {
		head = fmt.Sprintf("%d of %d listed", shown, total)
	}
	return head + ": " + stateWords(counts)
}

// stateWords are counts of states, those without any left out.
func stateWords(counts map[string]int) string {
	var parts []string
	for _, s := range states {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	others := 0
	for s, n := range counts {
		if !slices.Contains(states, s) {
			others += n
		}
	}
	if others > 0 {
		parts = append(parts, fmt.Sprintf("%d of another version's states", others))
	}
	return strings.Join(parts, ", ")
}

func (t *tool) printRolledUp(all []overview.Conversation, total int, z timezone) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(t.out, "no conversations, or none that fit: add some with 'chatlake containers add'")
		return err
	}
	table := [][]string{{"CONVERSATION", "CONTAINERS", "PAGES", "ITEMS", "NEWEST MESSAGE", "ERRORS"}}
	for i := range all {
		c := &all[i]
		var problems []string
		for code, n := range c.Errors {
			problems = append(problems, fmt.Sprintf("%d× %s", n, code))
		}
		slices.Sort(problems)
		problem := "-"
		if len(problems) > 0 {
			problem = cut(strings.Join(problems, " "), widestProblem)
		}
		id := c.ConversationID
		if c.Name != nil {
			id = *c.Name
		}
		table = append(table, []string{
			shortened(id, 36), cut(stateWords(c.Containers), 24), decimal(c.Pages), decimal(c.Items), z.brief(c.NewestMessageAt), problem,
		})
	}
	if err := printTable(t.out, table); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "%d of %d conversations\n", len(all), total)
	return err
}
