package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatlake/schemas"
	"chatlake/simulator"
)

// yunxinRow is how the last version of a record must be.
type yunxinRow struct {
	message        *simulator.YunxinMessage
	conversation   *simulator.YunxinConversation
	record         string
	occurred       int64 // ms
	role           string
	expansion      string                 // "": not prescribed
	children, desc int                    // -1: not told
	child          *simulator.YunxinChild // nil: native
	under          string                 // record id of what a child stands in
	container      string                 // record id of the outermost
}

// yunxinModel is how everything must end once all look-ups are answered, as the world tells it.
type yunxinModel struct {
	s        *site
	prefix   string // of record ids
	newer    bool   // v2.1, which tells more
	rows     map[string]*yunxinRow
	lookedUp int
	children int
}

// yunxinModel derives the model of all conversations, or of those that are named.
func (s *site) yunxinModel(newer bool, only ...string) *yunxinModel {
	tenant, _ := s.app.App()
	m := &yunxinModel{s: s, prefix: "yunxin/" + tenant + "/", newer: newer, rows: map[string]*yunxinRow{}}
	named := map[string]bool{}
	for _, id := range only {
		named[id] = true
	}
	for _, c := range s.app.Conversations() {
		if len(only) > 0 && !named[c.ID] {
			continue
		}
		found := s.app.LookedUp(c.ID)
		m.lookedUp += len(found)
		all := append(s.app.Messages(c.ID, true), found...)
		for i := range all {
			m.show(&c, &all[i])
		}
	}
	return m
}

// show adds a message with what stands in it.
func (m *yunxinModel) show(c *simulator.YunxinConversation, x *simulator.YunxinMessage) {
	r := &yunxinRow{message: x, conversation: c, record: m.prefix + x.ID, occurred: x.CreatedAt, role: schemas.ForwardNone, expansion: schemas.ExpansionNotApplicable, children: -1, desc: -1}
	m.rows[r.record] = r
	if x.Forward == nil {
		return
	}
	r.opened(x.Forward, schemas.ForwardContainer)
	at := map[string]*yunxinRow{"": r} // by path
	for i := range x.Forward.Children {
		k := &x.Forward.Children[i]
		under := at[k.Under]
		row := &yunxinRow{message: &k.YunxinMessage, conversation: c, record: under.record + "/" + partOf(k), occurred: x.CreatedAt,
			role: schemas.ForwardChild, expansion: schemas.ExpansionNotApplicable, children: -1, desc: -1, child: k, under: under.record, container: r.record}
		if k.Forward != nil && !k.Broken {
			row.opened(k.Forward, schemas.ForwardChildContainer)
		}
		at[k.Path], m.rows[row.record] = row, row
		m.children++
		under.children++
		for up := k.Path; up != ""; {
			up = up[:max(0, strings.LastIndexByte(up, '.'))]
			at[up].desc++
		}
	}
}

// opened makes a row a container. What failed tells no numbers.
func (want *yunxinRow) opened(f *simulator.YunxinForward, role string) {
	want.role, want.expansion = role, f.Expansion
	if f.Expansion != schemas.ExpansionFailed {
		want.children, want.desc = 0, 0
	}
}

// deep are the records whose links end where look-ups follow no further. How deep a message stands is known only where a
// look-up's page is told from a user's list of messages, and that only once the look-up was asked for.
func (m *yunxinModel) deep() []string {
	beyond := map[string]bool{}
	for _, r := range m.rows {
		if r.message.Parent.Reason == "depth" {
			beyond[r.message.Parent.MessageID] = true
		}
	}
	var ids []string
	for id, r := range m.rows {
		if r.child == nil && (beyond[r.message.Parent.MessageID] || r.message.Root.Status == schemas.LinkMissing && beyond[r.message.Root.MessageID]) {
			ids = append(ids, id)
		}
	}
	return ids
}

// partOf is the last part of a child's record id.
func partOf(k *simulator.YunxinChild) string {
	part := schemas.Part(k.ID)
	if part == "" {
		part = schemas.Part(k.ClientID)
	}
	if part == "" || k.Broken {
		part = "@" + k.Path
	}
	if k.Repeat > 1 {
		part += "#" + strconv.Itoa(k.Repeat)
	}
	return part
}

// hold compares the last versions with the model and counts the links by how they ended.
func (m *yunxinModel) hold(f *found) map[string]int {
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
			fail("record %s (type %d) is not there", id, want.message.Type)
			continue
		}
		d := &differences{}
		want.compare(d, got, m.newer)
		if want.child == nil || !want.child.Broken {
			counts["parent "+want.message.Parent.Status]++
			counts["root "+want.message.Root.Status]++
			m.links(d, want, got, f)
		}
		if len(*d) > 0 {
			fail("record %s: %s in\n%s", id, strings.Join(*d, "; "), dump(got))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d records of Yunxin differ from the truth", wrong, len(m.rows))
	}
	return counts
}

// differences between a record and the truth.
type differences []string

func (d *differences) is(name string, got, want any) {
	if a, b := fmt.Sprint(got), fmt.Sprint(want); a != b {
		*d = append(*d, fmt.Sprintf("%s is %.200q (%d bytes), want %.200q (%d)", name, a, len(a), b, len(b)))
	}
}

// unix gives a time of a decoded record in milliseconds, 0 where it is null.
func unix(v any) int64 {
	if t, ok := v.(time.Time); ok {
		return t.UnixMilli()
	}
	return 0
}

// number gives a number of a decoded record, -1 where it is null.
func number(v any) int64 {
	if n, ok := v.(int64); ok {
		return n
	}
	return -1
}

// compare looks at everything but links.
func (want *yunxinRow) compare(d *differences, got map[string]any, newer bool) {
	x, fwd := want.message, got["forward"].(map[string]any)
	d.is("state", got["state"], schemas.MessageNormal)
	d.is("conversation_id", got["conversation_id"], want.conversation.ID)
	d.is("conversation_kind", got["conversation_kind"], want.conversation.Kind)
	d.is("occurred_at", unix(got["occurred_at"]), want.occurred)
	d.is("event_date", got["event_date"], time.UnixMilli(want.occurred).UTC().Format(time.DateOnly))
	d.is("role", fwd["role"], want.role)
	if want.expansion != "" {
		d.is("expansion", fwd["expansion"], want.expansion)
		failed := want.expansion == schemas.ExpansionFailed || want.expansion == schemas.ExpansionPartial
		d.is("whether a reason is told", fwd["expansion_reason"] != nil, failed)
	}
	if want.expansion != "" || want.role == schemas.ForwardContainer { // of a nested one without a prescription the numbers hang on it
		d.is("child_count", number(fwd["child_count"]), want.children)
		d.is("descendant_count", number(fwd["descendant_count"]), want.desc)
	}
	if k := want.child; k != nil {
		d.is("path", text(fwd["path"]), k.Path)
		d.is("depth", fwd["depth"], k.Depth)
		d.is("parent_record_id", text(fwd["parent_record_id"]), want.under)
		d.is("container_record_id", text(fwd["container_record_id"]), want.container)
		d.is("item_pointer", got["provenance"].(map[string]any)["item_pointer"], "/lines/"+strconv.Itoa(k.Line))
		if k.Broken {
			d.is("content_kind", got["content_kind"], "UNKNOWN")
			return
		}
		d.is("sender's name", text(got["sender"].(map[string]any)["name"]), k.SenderName)
	} else {
		d.is("message_id", got["message_id"], x.ID)
		d.is("thread_id", text(got["thread_id"]), x.ThreadID)
		d.is("is_thread_root", got["is_thread_root"], x.ThreadRoot)
	}
	want.said(d, got, newer)
}

// said looks at what a message says.
func (want *yunxinRow) said(d *differences, got map[string]any, newer bool) {
	x := want.message
	d.is("message_type", got["message_type"], strconv.Itoa(x.Type))
	d.is("client_message_id", text(got["client_message_id"]), x.ClientID)
	d.is("created_at", unix(got["created_at"]), x.CreatedAt)
	d.is("sender", got["sender"].(map[string]any)["id"], x.Sender)
	d.is("is_edited", got["is_edited"], x.EditedAt != 0)
	d.is("updated_at", unix(got["updated_at"]), x.EditedAt)
	subtype := ""
	switch {
	case x.SubType != 0 && (x.Type == 100 || newer || want.child != nil):
		subtype = strconv.Itoa(x.SubType)
	case x.Type == 100 && x.Inner != 0:
		subtype = strconv.Itoa(x.Inner)
	}
	d.is("message_subtype", text(got["message_subtype"]), subtype)
	if x.Kind != "" {
		d.is("content_kind", got["content_kind"], x.Kind)
	}
	switch {
	case x.TextNone:
		d.is("text", got["text"], nil)
	case x.TextExact:
		d.is("text", text(got["text"]), x.Text)
	}
	if x.Content != "" {
		d.is("content_json", sameJSON(text(got["content_json"]), x.Content), true)
	}
	d.is("mentions", len(got["mentions"].([]any)), len(x.Mentions))
	files := got["attachments"].([]any)
	d.is("attachments", len(files), len(x.Files))
	for i := range x.Files[:min(len(files), len(x.Files))] {
		f, a := &x.Files[i], files[i].(map[string]any)
		d.is("kind of file", a["kind"], f.Kind)
		d.is("URL of file", text(a["url"]), f.URL)
		d.is("size of file", max(0, number(a["size_bytes"])), f.Size)
	}
}

// links looks at parent and root.
func (m *yunxinModel) links(d *differences, want *yunxinRow, got map[string]any, f *found) {
	for _, l := range []struct {
		name string
		want *simulator.YunxinLink
	}{{"parent", &want.message.Parent}, {"root", &want.message.Root}} {
		g := got[l.name].(map[string]any)
		if l.want.Status == "" {
			continue
		}
		d.is(l.name, g["status"], l.want.Status)
		record := text(g["record_id"])
		switch {
		case l.want.Status != schemas.LinkResolved:
			d.is("record_id of "+l.name, record, "")
			d.is("client id of "+l.name, text(g["client_message_id"]), l.want.ClientID)
		case want.child == nil:
			d.is("record_id of "+l.name, record, m.prefix+l.want.MessageID)
		default: // a sibling
			d.is("container of "+l.name, strings.HasPrefix(record, want.under+"/") && f.last[record] != nil, true)
		}
		if want.child == nil || l.want.MessageID != "" { // a sibling without a server id goes by its client's
			d.is("message_id of "+l.name, text(g["message_id"]), l.want.MessageID)
		}
		d.is("sender_id of "+l.name, text(g["sender_id"]), l.want.SenderID)
		d.is("created_at of "+l.name, unix(g["created_at"]), l.want.CreatedAt)
		if l.want.Reason != "" {
			d.is("reason of "+l.name, text(g["reason"]), l.want.Reason)
		}
	}
	if want.message.Parent.Status == schemas.LinkResolved && want.child == nil {
		differs := map[bool]string{true: "quote_differs"}[want.message.Quote == simulator.QuoteConflict]
		d.is("reason of parent", text(got["parent"].(map[string]any)["reason"]), differs)
	}
}
