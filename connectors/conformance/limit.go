package conformance

import (
	"maps"
	"slices"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// testLimit reads in pages of a few messages: none may show more, and together they show the same.
func testLimit(t *testing.T, p Platform, c *schemas.Container) {
	want := records(t, p, c, read(t, p.Start(t).Source, c, connectors.Position{}))
	for _, limit := range []int{1, 2, 3, 7} {
		pages := read(t, p.Start(t).Source, c, connectors.Position{Limit: limit})
		for i, page := range pages {
			if page.Items > limit {
				t.Errorf("page %d of at most %d messages shows %d", i, limit, page.Items)
			}
			if page.Failed != nil {
				t.Errorf("pages of at most %d messages: failed with %+v", limit, page.Failed)
			}
		}
		if got := records(t, p, c, pages); !maps.Equal(got, want) {
			t.Errorf("pages of at most %d messages show %d records, want %d: %v and %v", limit, len(got), len(want), lacking(want, got), lacking(got, want))
		}
	}
}

// testTopic reads as the pipeline does where a topic does not take the longest pages: in smaller ones, until a page fits or
// shows one message. What then fits no page is left out, and nothing else; where such a page leads no further the container
// fails with it.
func testTopic(t *testing.T, p Platform, c *schemas.Container) {
	alone := read(t, p.Start(t).Source, c, connectors.Position{Limit: 1})
	longest := 0
	for _, page := range alone {
		longest = max(longest, len(page.Body))
	}
	var fits, shown []*connectors.Page
	for _, page := range alone {
		if len(page.Body) < longest {
			fits = append(fits, page)
		}
	}
	run, at, holes := p.Start(t), connectors.Position{}, 0
	for n := 0; ; n++ {
		if n > pageLimit {
			t.Fatalf("no end after %d pages", pageLimit)
		}
		page := first(t, run.Source, c, at)
		next := page.Next
		switch {
		case len(page.Body) < longest:
			shown = append(shown, page)
		case page.Items > 1:
			at.Limit = page.Items / 2
			continue // from the same position
		default:
			holes++
		}
		if page.Final {
			break
		}
		at = next
		at.Limit = 0
	}
	want, got := records(t, p, c, fits), records(t, p, c, shown)
	if missing := lacking(want, got); len(missing) > 0 {
		t.Errorf("of %d records that fit, %d are not shown: %v", len(want), len(missing), missing)
	}
	if most := 4 * (len(alone) - len(fits)); holes == 0 || holes > most {
		t.Errorf("%d pages were left out, want 1 to %d", holes, most)
	}
}

// records gives the ids of all messages that pages show.
func records(t *testing.T, p Platform, c *schemas.Container, pages []*connectors.Page) map[string]bool {
	t.Helper()
	ids, d := map[string]bool{}, p.NewDecoder()
	var out connectors.Decoded
	for n, page := range pages {
		d.Decode(rawPages(c, page, int64(n+1)), &out)
		for i := range out.Readings {
			ids[out.Readings[i].Message.RecordID] = true
		}
	}
	return ids
}

func lacking(want, got map[string]bool) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for id := range want {
			if !got[id] && !yield(id) {
				return
			}
		}
	})
}
