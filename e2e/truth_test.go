package e2e_test

import (
	"fmt"
	"strings"

	"chatlake/schemas"
	"chatlake/simulator"
)

// wantLink is how a link must end. An empty reason is not compared.
type wantLink struct{ status, reason, id, record string }

// wantRow is how the last version of a record must be.
type wantRow struct {
	message        *simulator.Message
	parent, root   wantLink
	role           string
	path           string
	depth          int64
	under          string // record id of what a child stands in
	container      string // record id of the outermost
	children, desc int64
	expansion      string
	why            string
}

// maxDepth is how many links look-ups follow from a message that a list has shown.
const maxDepth = 10

// model derives from the world alone how everything must end once all look-ups are answered.
type model struct {
	s        *site
	prefix   string // of record ids
	rows     map[string]*wantRow
	byID     map[string]*wantRow       // native messages by id
	depth    map[string]int            // of link targets, by chat and message
	mine     map[string]bool           // chats that the bot is in
	fates    map[string]simulator.Fate // of link targets, as those who answer them know it
	lookedUp int
}

func (s *site) model() *model {
	tenant, _, _ := s.world.App()
	m := &model{
		s: s, prefix: "feishu/" + tenant + "/", rows: map[string]*wantRow{}, byID: map[string]*wantRow{}, depth: map[string]int{},
		mine: map[string]bool{}, fates: map[string]simulator.Fate{},
	}
	for _, c := range s.world.Chats() {
		m.mine[c.ID] = true
	}
	for _, c := range s.world.Chats() {
		m.chat(c.ID)
	}
	for _, r := range m.byID {
		r.parent = m.link(r.message, r.message.ParentID)
	}
	for _, r := range m.byID {
		r.root = m.rootOf(r, map[string]bool{})
	}
	return m
}

// chat adds what lists show of a chat, and what look-ups find from there.
func (m *model) chat(id string) {
	var level []*simulator.Message
	all := m.s.world.Everything(id)
	for i := range all {
		x := &all[i]
		if x.ParentID != "" {
			m.fates[x.ParentID] = x.ParentFate
		}
		if x.InChat || x.InThread {
			m.show(x)
			m.depth[id+x.ID] = 0
			level = append(level, x)
		}
	}
	for d := 1; len(level) > 0; d++ {
		var next []*simulator.Message
		for _, x := range level {
			for _, target := range targets(x) {
				if _, known := m.depth[id+target]; known {
					continue
				}
				if m.depth[id+target] = d; d > maxDepth {
					continue
				}
				m.lookedUp++
				if t, ok := m.s.world.Message(target); ok && m.outcome(x.ChatID, target).status == schemas.LinkResolved {
					m.show(&t)
					next = append(next, &t)
				}
			}
		}
		level = next
	}
}

func targets(x *simulator.Message) (ids []string) {
	if x.ParentID != "" {
		ids = append(ids, x.ParentID)
	}
	if x.RootTold && x.RootID != "" {
		ids = append(ids, x.RootID)
	}
	return ids
}

// outcome is what becomes of a link of a message of a chat to a target, which may be looked up.
func (m *model) outcome(chat, target string) wantLink {
	t, ok := m.s.world.Message(target)
	switch {
	case !ok:
		return wantLink{status: schemas.LinkMissing, reason: "99992354", id: target}
	case t.ChatID != chat && m.mine[t.ChatID]:
		return wantLink{status: schemas.LinkOutOfScope, reason: "other_conversation", id: target}
	case t.ChatID != chat, m.fates[target] == simulator.FateInvisible:
		return wantLink{status: schemas.LinkForbidden, id: target}
	case t.State == simulator.Deleted:
		return wantLink{status: schemas.LinkDeleted, id: target}
	}
	return wantLink{status: schemas.LinkResolved, id: target, record: m.prefix + target}
}

func (m *model) link(x *simulator.Message, target string) wantLink {
	if target == "" {
		return wantLink{status: schemas.LinkNone}
	}
	if m.byID[target] != nil && m.byID[target].message.ChatID == x.ChatID {
		return wantLink{status: schemas.LinkResolved, id: target, record: m.prefix + target}
	}
	if m.depth[x.ChatID+target] > maxDepth {
		return wantLink{status: schemas.LinkMissing, reason: "depth", id: target}
	}
	return m.outcome(x.ChatID, target)
}

func (m *model) rootOf(r *wantRow, seen map[string]bool) wantLink {
	x := r.message
	switch {
	case x.RootTold && x.RootID != "":
		return m.link(x, x.RootID)
	case r.parent.status != schemas.LinkResolved:
		return r.parent
	case seen[x.ID]:
		panic("the world has a ring of parents")
	}
	seen[x.ID] = true
	if above := m.rootOf(m.byID[x.ParentID], seen); above.status != schemas.LinkNone {
		return above
	}
	return r.parent
}

// show adds a message that a page shows, with what is in it.
func (m *model) show(x *simulator.Message) {
	r := &wantRow{message: x, role: schemas.ForwardNone, expansion: schemas.ExpansionNotApplicable}
	m.rows[m.prefix+x.ID], m.byID[x.ID] = r, r
	if x.Type != "merge_forward" || x.State != simulator.Normal {
		return
	}
	r.role, r.expansion = schemas.ForwardContainer, schemas.ExpansionComplete
	records := map[string]string{x.ID: m.prefix + x.ID}
	below := map[string]*wantRow{x.ID: r}
	kids := map[string]*simulator.Child{}
	for i := range x.Children {
		c := &x.Children[i]
		records[c.ID], kids[c.ID] = "", c // known
	}
	for range x.Children { // upper containers may be told after what is in them
		for i := range x.Children {
			c := &x.Children[i]
			if records[c.ID] == "" && records[c.Under] != "" {
				records[c.ID] = records[c.Under] + "/" + c.ID
			}
		}
		if len(below) > 0 && all(records) {
			break
		}
	}
	for i := range x.Children {
		m.child(x, &x.Children[i], records, below, kids)
	}
	for i := range x.Children {
		c := &x.Children[i]
		up := below[c.Under]
		up.children++
		for u := c.Under; ; u = kids[u].Under {
			if below[u].desc++; u == x.ID {
				break
			}
		}
		if _, known := records[c.UpperID]; c.UpperID != "" && !known {
			r.expansion, r.why = schemas.ExpansionPartial, "upper_missing"
		}
	}
}

func all(records map[string]string) bool {
	for _, r := range records {
		if r == "" {
			return false
		}
	}
	return true
}

func (m *model) child(x *simulator.Message, c *simulator.Child, records map[string]string, below map[string]*wantRow, kids map[string]*simulator.Child) {
	r := &wantRow{
		message: &c.Message, role: schemas.ForwardChild, expansion: schemas.ExpansionNotApplicable, path: c.Path, depth: int64(c.Depth),
		under: records[c.Under], container: m.prefix + x.ID,
	}
	if c.Type == "merge_forward" && c.State == simulator.Normal {
		r.role, r.expansion = schemas.ForwardChildContainer, schemas.ExpansionComplete
	}
	below[c.ID] = r
	inside := func(id string) wantLink {
		switch {
		case id == "":
			return wantLink{status: schemas.LinkNone}
		case records[id] != "" && id != x.ID:
			return wantLink{status: schemas.LinkResolved, id: id, record: records[id]}
		}
		return wantLink{status: schemas.LinkOutOfScope, id: id}
	}
	r.parent = inside(c.ParentID)
	switch {
	case c.RootTold && c.RootID != "":
		r.root = inside(c.RootID)
	default:
		r.root = r.parent
		for up := c.ParentID; r.root.status == schemas.LinkResolved; {
			p := kids[up]
			if p.RootTold && p.RootID != "" {
				r.root = inside(p.RootID)
				break
			}
			if p.ParentID == "" {
				break
			}
			r.root, up = inside(p.ParentID), p.ParentID
		}
	}
	m.rows[records[c.ID]] = r
}

// hold compares the last versions with the model and counts the links by how they ended.
func (m *model) hold(f *found) map[string]int {
	t := m.s.t
	t.Helper()
	wrong, counts := 0, map[string]int{}
	fail := func(format string, args ...any) {
		if wrong++; wrong <= 12 {
			t.Errorf(format, args...)
		}
	}
	for id := range f.last {
		if m.rows[id] == nil && strings.HasPrefix(id, m.prefix) {
			fail("record %s should not be there: %s", id, dump(f.last[id]))
		}
	}
	for id, want := range m.rows {
		got := f.last[id]
		if got == nil {
			fail("record %s (%s) is not there", id, want.message.Type)
			continue
		}
		for name, l := range map[string]wantLink{"parent": want.parent, "root": want.root} {
			counts[name+" "+l.status]++
			g := got[name].(map[string]any)
			if g["status"] != l.status || text(g["message_id"]) != l.id || text(g["record_id"]) != l.record || l.reason != "" && text(g["reason"]) != l.reason {
				fail("%s of %s is %s, want %+v", name, id, dump(g), l)
			}
		}
		if diff := want.compare(got); diff != "" {
			fail("record %s: %s in\n%s", id, diff, dump(got))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d records differ from the truth", wrong, len(m.rows))
	}
	return counts
}

// compare tells what else of a row differs.
func (want *wantRow) compare(got map[string]any) string {
	x, fwd := want.message, got["forward"].(map[string]any)
	var diff []string
	is := func(name string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			diff = append(diff, fmt.Sprintf("%s is %v, want %v", name, got, want))
		}
	}
	is("state", got["state"], string(x.State))
	is("is_edited", got["is_edited"], x.Edited)
	is("content_kind", got["content_kind"], x.Kind)
	is("thread_id", text(got["thread_id"]), x.ThreadID)
	is("is_thread_root", got["is_thread_root"], x.ThreadRoot)
	is("copy_of_message_id", text(got["copy_of_message_id"]), x.CopyOf)
	if x.State == simulator.Normal && x.TextExact && !x.TextNone {
		is("text", text(got["text"]), x.Text)
	}
	is("role", fwd["role"], want.role)
	is("expansion", fwd["expansion"], want.expansion)
	is("expansion_reason", text(fwd["expansion_reason"]), want.why)
	is("depth", fwd["depth"], want.depth)
	is("path", text(fwd["path"]), want.path)
	is("parent_record_id", text(fwd["parent_record_id"]), want.under)
	is("container_record_id", text(fwd["container_record_id"]), want.container)
	if want.role == schemas.ForwardContainer || want.role == schemas.ForwardChildContainer {
		is("child_count", fwd["child_count"], want.children)
		is("descendant_count", fwd["descendant_count"], want.desc)
	}
	return strings.Join(diff, "; ")
}
