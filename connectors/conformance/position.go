package conformance

import (
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// testResume reads on from each page with a source that has not seen what was before: with what the position remembers, as
// within a process, and without it, as after a start.
func testResume(t *testing.T, p Platform, c *schemas.Container) {
	all := read(t, p.Start(t).Source, c, connectors.Position{})
	for i, page := range all {
		for _, at := range []connectors.Position{page.Next, forgotten(page.Next)} {
			rest := read(t, p.Start(t).Source, c, at)
			if !samePages(t, all[i+1:], rest) {
				t.Fatalf("reading on after page %d gives other pages, memory %t", i, at.Memory != nil)
			}
		}
	}
}

// testNextEpoch goes on in a new epoch from each page: whatever the pages behind it show is shown again, by requests of which
// the first uses no page token, and which are as many as before and two at most. The container is opened again.
func testNextEpoch(t *testing.T, p Platform, c *schemas.Container) {
	all := read(t, p.Start(t).Source, c, connectors.Position{})
	if at := all[len(all)-1].Next; at.Watermark > 0 {
		lost := connectors.Position{Cursor: "of another version", Watermark: at.Watermark}
		again := read(t, p.Start(t).Source, c, lost)
		if missing := lacking(accounted(t, p, c, all), accounted(t, p, c, again)); len(missing) > 0 {
			t.Errorf("from a cursor that cannot be read, %v are never shown", missing)
		}
	}
	for i, page := range all[:len(all)-1] {
		rest := read(t, p.Start(t).Source, c, connectors.Position{Cursor: page.Next.Cursor, Watermark: page.Next.Watermark})
		if len(rest) > len(all)+2 {
			t.Errorf("after page %d: %d pages, there are %d from the start", i, len(rest), len(all))
		}
		if rest[0].Next.Pages != 1 || len(rest[0].Opening) != len(all[0].Opening) {
			t.Errorf("after page %d: the first page is number %d with %d openings, want 1 with %d", i, rest[0].Next.Pages, len(rest[0].Opening), len(all[0].Opening))
		}
		if strings.Contains(rest[0].Request, "page_token") {
			t.Errorf("after page %d: the epoch begins with a page token: %s", i, rest[0].Request)
		}
		if missing := lacking(accounted(t, p, c, all[i+1:]), accounted(t, p, c, rest)); len(missing) > 0 {
			t.Errorf("after page %d: %v are never shown", i, missing)
		}
	}
}

// accounted gives the record_ids of all messages that pages show, or say to be missing.
func accounted(t *testing.T, p Platform, c *schemas.Container, pages []*connectors.Page) map[string]bool {
	t.Helper()
	ids := records(t, p, c, pages)
	for _, page := range pages {
		for i := range page.Missing {
			ids[page.Missing[i].RecordID] = true
		}
	}
	return ids
}

// testPageByPage reads as the pipeline does: each page by a call of Pages for itself, from the position after the page
// before. Each is read twice, as after a commit that failed, and once more when all have been read: what a position holds
// belongs to it alone.
func testPageByPage(t *testing.T, p Platform, c *schemas.Container) {
	all := read(t, p.Start(t).Source, c, connectors.Position{})
	run := p.Start(t)
	positions := []connectors.Position{{}}
	for i := range all {
		var page *connectors.Page
		for range 2 {
			page = first(t, run.Source, c, positions[i])
			wantPage(t, i, all[i], page)
		}
		positions = append(positions, page.Next)
	}
	for i := len(all) - 1; i >= 0; i-- {
		wantPage(t, i, all[i], first(t, run.Source, c, positions[i]))
	}
}

// testFailing reads a container that has no end: a source notices it by what it remembers from page to page.
func testFailing(t *testing.T, p Platform, c *schemas.Container) {
	all := read(t, p.Start(t).Source, c, connectors.Position{})
	if last := all[len(all)-1]; len(all) < 2 || last.Failed == nil {
		t.Fatalf("%d pages, failed %+v: too little to show anything", len(all), last.Failed)
	}
	testPageByPage(t, p, c)
	// After a start counting begins again, and comes to an end again.
	rest := read(t, p.Start(t).Source, c, forgotten(all[len(all)-2].Next))
	if last := rest[len(rest)-1]; last.Failed == nil {
		t.Error("read on after a start it does not fail")
	}
}

// first gives the page at a position.
func first(t *testing.T, s connectors.Source, c *schemas.Container, at connectors.Position) *connectors.Page {
	t.Helper()
	for page, err := range s.Pages(t.Context(), c, at) {
		if err != nil {
			t.Fatalf("page %d: %v", at.Pages, err)
		}
		return page
	}
	t.Fatalf("no page %d", at.Pages)
	return nil
}

func wantPage(t *testing.T, i int, want, got *connectors.Page) {
	t.Helper()
	if a, b := shape(want), shape(got); a != b {
		t.Fatalf("page %d, read by itself:\n%.2000s\nwant\n%.2000s", i, b, a)
	}
}

// forgotten is a position as a checkpoint keeps it.
func forgotten(at connectors.Position) connectors.Position {
	at.Memory = nil
	return at
}
