package main

import (
	"fmt"
	"strings"

	"chatlake/schemas"
)

// What became of the window of a container that was known before.
const (
	windowKept    = "kept"    // another one was asked for, and does not count
	windowDropped = "dropped" // it had a bound, and the new epoch has none there
)

// outcome is one container of containers add and discover.
type outcome struct {
	Key    string `json:"key"`
	Epoch  int64  `json:"epoch"`
	Window string `json:"window,omitempty"` // kept or dropped
}

// addReport is the result of containers add and discover. Added holds those of a new epoch, too.
type addReport struct {
	Added    []outcome `json:"added"`
	Existing []outcome `json:"existing"`
}

// keptWindow tells whether a container that is there stays within another window than the one asked for. Asking for
// none asks for nothing.
func keptWindow(old, asked *schemas.Container) string {
	if old == nil || asked.WindowStart == nil && asked.WindowEnd == nil ||
		sameTime(old.WindowStart, asked.WindowStart) && sameTime(old.WindowEnd, asked.WindowEnd) {
		return ""
	}
	return windowKept
}

// droppedWindow tells whether a new epoch reads beyond a bound of the one before without being told another.
func droppedWindow(old, asked *schemas.Container) string {
	if old != nil && (old.WindowStart != nil && asked.WindowStart == nil || old.WindowEnd != nil && asked.WindowEnd == nil) {
		return windowDropped
	}
	return ""
}

func sameTime(a, b *schemas.Millis) bool { return a == b || a != nil && b != nil && *a == *b }

// mostNamed is how many containers are named one by one for people.
const mostNamed = 20

// text says the result for people.
func (r *addReport) text() string {
	var b strings.Builder
	writeSome(&b, r.Added, func(a outcome) string {
		if a.Epoch > 1 {
			return fmt.Sprintf("added again (epoch %d) %s", a.Epoch, clean(a.Key))
		}
		return "added " + clean(a.Key)
	})
	b.WriteString(r.counts())
	if n := windows(r.Existing, windowKept); n > 0 {
		fmt.Fprintf(&b, "%d of them keep the window that they have: --from and --to count for them only with --again\n", n)
	}
	if n := windows(r.Added, windowDropped); n > 0 {
		fmt.Fprintf(&b, "%d had a bound in time that the new epoch has not: --again takes its window from --from and --to alone\n", n)
	}
	return b.String()
}

// counts is the line of totals: new ones, those read again with their epochs, and those left alone.
func (r *addReport) counts() string {
	again, low, high := 0, int64(0), int64(0)
	for _, a := range r.Added {
		if a.Epoch == 1 {
			continue
		}
		if again++; again == 1 {
			low, high = a.Epoch, a.Epoch
		}
		low, high = min(low, a.Epoch), max(high, a.Epoch)
	}
	parts := []string{fmt.Sprintf("%d added", len(r.Added)-again)}
	switch {
	case again > 0 && low == high:
		parts = append(parts, fmt.Sprintf("%d added again (epoch %d)", again, low))
	case again > 0:
		parts = append(parts, fmt.Sprintf("%d added again (epochs %d to %d)", again, low, high))
	}
	there := fmt.Sprintf("%d already there", len(r.Existing))
	if len(r.Existing) > 0 {
		there += " (--again reads them all again)"
	}
	return strings.Join(append(parts, there), ", ") + "\n"
}

func windows(outcomes []outcome, word string) int {
	n := 0
	for _, o := range outcomes {
		if o.Window == word {
			n++
		}
	}
	return n
}

func (t *tool) printAdded(r *addReport) error {
	_, err := fmt.Fprint(t.out, r.text())
	return err
}
