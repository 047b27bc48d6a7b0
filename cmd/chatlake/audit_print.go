package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"chatlake/pipeline/audit"
)

// shownFindings is how many findings people are shown; programs get them all.
const shownFindings = 50

func (t *tool) printAudit(r *audit.Report) error {
	fmt.Fprintf(t.out, "%d containers, %d epochs, %d pages, %d items, %d message versions\n", r.Containers, r.Epochs, r.Pages, r.Items, r.Messages)
	if r.Pending > 0 {
		fmt.Fprintf(t.out, "%d pages are not normalized yet: their items are not compared\n", r.Pending)
	}
	if r.Expired > 0 {
		fmt.Fprintf(t.out, "%d pages and message versions cannot be compared: retention took the raw pages\n", r.Expired)
	}
	if r.OK {
		_, err := fmt.Fprintln(t.out, "nothing found")
		return err
	}
	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(r.Counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", r.Counts[kind], kind))
	}
	fmt.Fprintf(t.out, "found: %s\n\n", strings.Join(counts, ", "))
	rows := [][]string{{"KIND", "CONTAINER", "EPOCH", "PAGE", "PAGE ID", "RECORD", "DETAIL"}}
	for i := range r.Findings[:min(len(r.Findings), shownFindings)] {
		f := &r.Findings[i]
		rows = append(rows, []string{f.Kind, orDash(f.ContainerKey), dashed(f.Epoch), dashed(f.Page), cut(orDash(f.PageID), 12), orDash(f.RecordID), f.Detail})
	}
	if err := printTable(t.out, rows); err != nil {
		return err
	}
	if n := r.Found() - int64(len(rows)-1); n > 0 {
		_, err := fmt.Fprintf(t.out, "and %d more: --output json lists %d\n", n, len(r.Findings))
		return err
	}
	return nil
}

func orDash(s *string) string {
	if s == nil {
		return "-"
	}
	return cmp.Or(*s, "-")
}

func dashed(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}
