package conformance

import (
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// checkAnswers checks that answers say something definite about a message that their page does not show.
func checkAnswers(t testing.TB, g *group, out *connectors.Decoded) {
	t.Helper()
	words := []string{schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkOutOfScope, schemas.LinkMissing}
	for _, a := range out.Answers {
		if a.MessageID == "" || !slices.Contains(words, a.Status) || a.Status == schemas.LinkMissing && a.Reason == "" ||
			a.Page < 0 || a.Page >= len(g.pages) {
			t.Errorf("%s: answer %+v", g, a)
		}
		for i := range out.Readings {
			if r := &out.Readings[i]; r.Page == a.Page && r.Message.MessageID == a.MessageID && r.Message.Forward.Path == nil {
				t.Errorf("%s: a message is shown and answered to be %s at once", g, a.Status)
			}
		}
	}
}

// container is a merged forward while its rows are gone through.
type container struct {
	forward               *schemas.Forward
	children, descendants int64
	broken                bool // something in it is not complete
}

// checkForwards checks that containers stand before what is in them, and that places, counts and expansions agree.
func checkForwards(t testing.TB, g *group, out *connectors.Decoded) {
	t.Helper()
	containers, records := map[string]*container{}, map[string]bool{}
	path, outermost := "", "" // of the row before
	for i := range out.Readings {
		m := &out.Readings[i].Message
		f := &m.Forward
		if f.Path == nil {
			if f.Role != schemas.ForwardNone && f.Role != schemas.ForwardContainer || f.Depth != 0 {
				t.Errorf("%s: %s has no path: %+v", g, m.RecordID, f)
			}
			if f.Role == schemas.ForwardContainer {
				containers[m.RecordID] = &container{forward: f}
			}
			continue
		}
		above := containers[deref(f.ParentRecordID)]
		if above == nil || containers[deref(f.ContainerRecordID)] == nil {
			t.Errorf("%s: %s stands before its container %s", g, m.RecordID, deref(f.ParentRecordID))
			continue
		}
		if deref(f.ContainerRecordID) != outermost {
			path, outermost = "", deref(f.ContainerRecordID)
		}
		checkChild(t, m, above.forward)
		if *f.Path <= path || records[m.RecordID] {
			t.Errorf("%s: %s at %s stands after %s, or twice", g, m.RecordID, *f.Path, path)
		}
		path, records[m.RecordID] = *f.Path, true
		above.children++
		for c := m.RecordID; c != outermost; {
			c = c[:strings.LastIndexByte(c, '/')]
			containers[c].descendants++
			containers[c].broken = containers[c].broken || f.Role == schemas.ForwardChildContainer && f.Expansion != schemas.ExpansionComplete
		}
		if f.Role == schemas.ForwardChildContainer {
			containers[m.RecordID] = &container{forward: f}
		}
	}
	for record, c := range containers {
		checkContainer(t, record, c)
	}
}

func checkChild(t testing.TB, m *schemas.Message, above *schemas.Forward) {
	t.Helper()
	f := &m.Forward
	parts := strings.Split(*f.Path, ".")
	if f.Role != schemas.ForwardChild && f.Role != schemas.ForwardChildContainer || (f.Role == schemas.ForwardChild) != (f.Expansion == schemas.ExpansionNotApplicable) {
		t.Errorf("%s: a child has role %s and expansion %s", m.RecordID, f.Role, f.Expansion)
	}
	if f.Depth != int64(len(parts)) || f.Depth != above.Depth+1 || len(f.AncestorIDs) != len(parts) || f.Depth > decode.MaxForwardDepth ||
		f.AncestorIDs[len(parts)-1] != deref(f.ParentMessageID) || len(parts[len(parts)-1]) != 5 || f.ChildNo == nil ||
		!strings.HasPrefix(*f.Path, deref(above.Path)) || !strings.HasPrefix(m.RecordID, *f.ParentRecordID+"/") {
		t.Errorf("%s: its place does not agree with itself: %+v", m.RecordID, f)
	}
	for _, l := range []*schemas.Link{&m.Parent, &m.Root} {
		if l.Status != schemas.LinkNone && l.Status != schemas.LinkResolved && l.Status != schemas.LinkOutOfScope {
			t.Errorf("%s: a child has a link that is %s", m.RecordID, l.Status)
		}
		if l.Status == schemas.LinkResolved && (!strings.HasPrefix(deref(l.RecordID), *f.ContainerRecordID+"/") || *l.RecordID == m.RecordID) {
			t.Errorf("%s: a link leads to %s", m.RecordID, deref(l.RecordID))
		}
	}
}

func checkContainer(t testing.TB, record string, c *container) {
	t.Helper()
	f := c.forward
	known := f.Expansion == schemas.ExpansionComplete || f.Expansion == schemas.ExpansionPartial
	if known != (f.ChildCount != nil && f.DescendantCount != nil) || known && (*f.ChildCount != c.children || *f.DescendantCount != c.descendants) {
		t.Errorf("%s: counts do not agree with %d children and %d descendants: %+v", record, c.children, c.descendants, f)
	}
	if c.broken && f.Expansion == schemas.ExpansionComplete || (f.Expansion == schemas.ExpansionPartial || f.Expansion == schemas.ExpansionFailed) != (f.ExpansionReason != nil) {
		t.Errorf("%s: expansion %s for the reason %q, while something in it is not whole: %t", record, f.Expansion, deref(f.ExpansionReason), c.broken)
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
