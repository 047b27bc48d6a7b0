package conformance

import (
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
