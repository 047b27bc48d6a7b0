package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"chatlake/pipeline/compare"
)

// replayReport is the result of a replay.
type replayReport struct {
	Output      string
	Pages       int64 // of this run, as are those below
	Versions    int64
	DeadLetters int64

	report        compare.Report
	conversations int   // that could not be compared
	erased        int64 // readings and pages that were left out
	finished      bool  // before this run
	took          time.Duration
}

// replayDocument is it as JSON; what was not compared is null.
type replayDocument struct {
	Records     int64            `json:"records"`
	Same        *int64           `json:"same"`
	Changed     *int64           `json:"changed"`
	Missing     *int64           `json:"missing"`
	Added       *int64           `json:"added"`
	Fields      map[string]int64 `json:"fields"`
	Samples     []compare.Sample `json:"samples"`
	Moving      *int64           `json:"moving"`
	Unreadable  int64            `json:"unreadable"`
	Output      string           `json:"output"`
	Pages       int64            `json:"pages"`
	Versions    int64            `json:"versions"`
	DeadLetters int64            `json:"dead_letters"`
}

func (r *replay) print() error {
	p, c := &r.result, &r.result.report
	for _, what := range c.Unread {
		r.note("%s", what)
	}
	if c.Moving > 0 {
		r.note("%d versions of %d conversations are not compared: %s and %s have normalized different numbers of their pages; run this again when "+
			"both have caught up", c.Moving, p.conversations, r.inForce.Output, p.Output)
	}
	if r.without != nil && p.erased == 0 && !p.finished {
		r.note("this run met nothing of what --without-conversation and --without-sender name: are the ids right?")
	}
	if r.tool.json() {
		d := replayDocument{Records: c.Records, Unreadable: c.Unreadable, Output: p.Output, Pages: p.Pages, Versions: p.Versions, DeadLetters: p.DeadLetters}
		if r.options.compare {
			d.Same, d.Changed, d.Missing, d.Added, d.Moving = &c.Same, &c.Changed, &c.Missing, &c.Added, &c.Moving
			d.Fields, d.Samples = c.Fields, c.Samples
		}
		return printJSON(r.tool.out, d, true)
	}
	first := fmt.Sprintf("%s was finished: nothing is left to normalize", p.Output)
	if !p.finished {
		first = fmt.Sprintf("normalized %s pages into %s message versions of %s, with %s dead letters (%s)", grouped(p.Pages), grouped(p.Versions), p.Output,
			grouped(p.DeadLetters), p.took.Round(100*time.Millisecond))
	}
	if _, err := fmt.Fprintf(r.tool.out, "%s\n%s holds %s records\n", first, p.Output, grouped(c.Records)); err != nil || !r.options.compare {
		return err
	}
	return r.printComparison()
}

func (r *replay) printComparison() error {
	c := &r.result.report
	_, err := fmt.Fprintf(r.tool.out, "compared with %s: %s the same, %s changed, %s missing, %s added\n", r.inForce.Output, grouped(c.Same), grouped(c.Changed),
		grouped(c.Missing), grouped(c.Added))
	if err != nil || len(c.Samples) == 0 {
		return err
	}
	rows := [][]string{{"FIELD", "RECORDS"}}
	names := slices.SortedFunc(maps.Keys(c.Fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Fields[b], c.Fields[a]), cmp.Compare(a, b))
	})
	for _, name := range names {
		rows = append(rows, []string{name, grouped(c.Fields[name])})
	}
	if len(names) > 0 {
		if err := printTable(r.tool.out, rows); err != nil {
			return err
		}
	}
	rows = [][]string{{"RECORD", "FIELD", "OLD", "NEW"}}
	for _, s := range c.Samples {
		switch {
		case s.Field != nil:
			rows = append(rows, []string{s.RecordID, *s.Field, sampleText(s.Old), sampleText(s.New)})
		case s.New == nil:
			rows = append(rows, []string{s.RecordID, "(missing)", fmt.Sprint("version ", s.Old), "-"})
		default:
			rows = append(rows, []string{s.RecordID, "(added)", "-", fmt.Sprint("version ", s.New)})
		}
	}
	return printTable(r.tool.out, rows)
}

// sampleText is a value in a column.
func sampleText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return cut(string(b), 48)
}

// makeDir makes a directory of state.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR): %w", dir, err)
	}
	return nil
}
