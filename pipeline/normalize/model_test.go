package normalize_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chatlake/schemas"
)

// model is what the contract says of the last versions of one conversation, worked out at once from the set of all that
// its pages say. It knows nothing of orders, indexes and versions, and is as slow as it likes to be.
type model struct {
	facts   map[string][]fact // what pages show, by message id, best first
	answers map[string]said   // what they say of messages otherwise, by message id
	deleted map[string]bool
	clients map[string]string // who is meant by a client id
	depth   map[string]int    // fewest links from a message of an ordinary page
}

// fact is what one page says of one message.
type fact struct {
	item
	time, page string // of the page: in their text forms they sort as they are
	place      int
	lookup     bool
}

// said is an answer; tie is what a link says.
type said struct{ status, reason string }

type tie struct {
	said
	id, client, sender string
	at                 int64 // after the day began
	told               bool  // at is
}

func (t *tie) String() string {
	if t.status == schemas.LinkNone {
		return t.status
	}
	at := "-"
	if t.told {
		at = fmt.Sprint(t.at)
	}
	return fmt.Sprintf("%s(%s) id=%s client=%s sender=%s at=%s", t.status, t.reason, t.id, t.client, t.sender, at)
}

// leaf is a page as the model takes it in.
type leaf struct {
	sheet
	id, time string
}

func newModel(pages []leaf) *model {
	m := &model{facts: map[string][]fact{}, answers: map[string]said{}, deleted: map[string]bool{}, clients: map[string]string{}, depth: map[string]int{}}
	seen := map[string]bool{}
	for _, p := range pages {
		if seen[p.id] {
			continue // the same page, delivered again
		}
		seen[p.id] = true
		answered := map[string]bool{}
		for place, it := range p.Items {
			if it.Elsewhere {
				m.say(it.ID, said{schemas.LinkOutOfScope, "other_conversation"})
				continue
			}
			m.facts[it.ID] = append(m.facts[it.ID], fact{it, p.time, p.id, place, p.key != ""})
		}
		for _, a := range p.Answers {
			answered[a.ID] = true
			m.say(a.ID, said{a.Status, a.Reason})
		}
		if p.final && p.err != "" && p.subject != "" && !answered[p.subject] {
			m.say(p.subject, said{schemas.LinkMissing, p.err})
		}
	}
	for _, list := range m.facts {
		slices.SortFunc(list, rank)
	}
	m.name()
	m.measure()
	return m
}

// say keeps the best of several answers.
func (m *model) say(id string, a said) {
	if a.status == schemas.LinkDeleted {
		m.deleted[id] = true
	}
	old, there := m.answers[id]
	order := []string{schemas.LinkOutOfScope, schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkMissing}
	if c := slices.Index(order, a.status) - slices.Index(order, old.status); !there || c < 0 || c == 0 && a.reason < old.reason {
		m.answers[id] = a
	}
}

// rank: state, own highest time, source, ce_time (the page read last), page id, place in the page.
func rank(a, b fact) int {
	states := []string{schemas.MessageDeleted, schemas.MessageRecalled, schemas.MessageNormal}
	state := func(f fact) int { return slices.Index(states, cmp.Or(f.State, schemas.MessageNormal)) }
	return cmp.Or(
		cmp.Compare(state(a), state(b)), cmp.Compare(b.Rev, a.Rev), cmp.Compare(a.Source, b.Source),
		cmp.Compare(b.time, a.time), cmp.Compare(a.page, b.page), cmp.Compare(a.place, b.place),
	)
}

// firstTold is the first value by rank that is told at all.
func firstTold[T comparable](list []fact, get func(*fact) T) T {
	var none T
	for i := range list {
		if v := get(&list[i]); v != none {
			return v
		}
	}
	return none
}

// name: of two messages with one client id the earlier created, then the smaller id.
func (m *model) name() {
	for id, list := range m.facts {
		c := firstTold(list, func(f *fact) string { return f.Client })
		if c == "" {
			continue
		}
		old := m.clients[c]
		if old == "" || list[0].At < m.facts[old][0].At || list[0].At == m.facts[old][0].At && id < old {
			m.clients[c] = id
		}
	}
}

// target is the first of the links told that names anything.
func target(list []fact, parent bool) (t tie, byRoot bool) {
	for i := range list {
		f := &list[i]
		id, client := f.Root, f.RootClient
		if parent {
			id, client = f.Parent, f.ParentClient
		}
		if id != "" || client != "" {
			return tie{said{schemas.LinkPending, ""}, id, client, f.LinkFrom, f.LinkAt, f.LinkAt != 0}, f.ThreadByRoot
		}
	}
	return tie{said: said{schemas.LinkNone, ""}}, false
}

// measure: a target's depth is the fewest links from a message that a page other than a look-up's has shown.
func (m *model) measure() {
	var row []string
	for id, list := range m.facts {
		if slices.ContainsFunc(list, func(f fact) bool { return !f.lookup }) {
			m.depth[id] = 0
			row = append(row, id)
		}
	}
	for len(row) > 0 {
		id := row[0]
		row = row[1:]
		for _, parent := range []bool{true, false} {
			t, _ := target(m.facts[id], parent)
			if _, known := m.depth[t.id]; t.id != "" && !known {
				m.depth[t.id] = m.depth[id] + 1
				row = append(row, t.id)
			}
		}
	}
}

// link is a told link of a message, as it stands.
func (m *model) link(id string, parent bool) tie {
	t, _ := target(m.facts[id], parent)
	if t.status == schemas.LinkNone {
		return t
	}
	to := t.id
	if to == "" {
		if to = m.clients[t.client]; to == "" {
			return t
		}
	}
	if to == id {
		return tie{said: said{schemas.LinkNone, ""}} // a message never links to itself
	}
	if m.facts[to] != nil {
		return m.resolved(to, t.client)
	}
	if a, ok := m.answers[to]; ok {
		t.said = a
	} else if m.depth[to] > 10 {
		t.said = said{schemas.LinkMissing, "depth"}
	}
	return t
}

func (m *model) resolved(id, client string) tie {
	best := m.facts[id][0]
	return tie{said{schemas.LinkResolved, ""}, id, client, best.From, best.At, true}
}

// root is the told one, or what the chain of parents leads to: its end, or what is to be had of it; a cycle ends at the
// last message before the repeat.
func (m *model) root(id string) tie {
	if t := m.link(id, false); t.status != schemas.LinkNone {
		return t
	}
	way := []string{id}
	for at := id; ; {
		up := m.link(at, true)
		if len(way) > 1 {
			if r := m.link(at, false); r.status != schemas.LinkNone {
				up = r
				if r.status == schemas.LinkResolved && !slices.Contains(way, r.id) {
					r.client = ""
					return r
				}
			}
		}
		switch up.status {
		case schemas.LinkNone:
			if at == id {
				return up
			}
			return m.resolved(at, "")
		case schemas.LinkPending:
			return tie{said: said{schemas.LinkPending, ""}}
		case schemas.LinkResolved:
		default:
			return up
		}
		if slices.Contains(way, up.id) {
			return m.resolved(at, "")
		}
		way = append(way, up.id)
		at = up.id
	}
}

// threadRoot says that a message is the root of a thread that is named by its root, as some message's readings tell.
func (m *model) threadRoot(id string) bool {
	for from, list := range m.facts {
		t, byRoot := target(list, false)
		if byRoot && from != id && (t.id == id || t.id == "" && m.clients[t.client] == id) {
			return true
		}
	}
	return false
}

// last tells the last version of each message in a line.
func (m *model) last() map[string]string {
	out := map[string]string{}
	for id := range m.facts {
		out[id] = m.line(id)
	}
	return out
}

func (m *model) line(id string) string {
	list := m.facts[id]
	best := list[0]
	rev := int64(0)
	for _, f := range list {
		rev = max(rev, f.Rev)
	}
	state, content := cmp.Or(best.State, schemas.MessageNormal), best.Text
	if m.deleted[id] {
		state = schemas.MessageDeleted
	}
	if state != schemas.MessageNormal {
		content = ""
	}
	parent, root := m.link(id, true), m.root(id)
	thread := firstTold(list, func(f *fact) string { return f.Thread })
	copied := firstTold(list, func(f *fact) string { return f.CopyOf })
	toRoot, byRoot := target(list, false)
	isRoot := m.threadRoot(id)
	switch {
	case thread != "":
	case isRoot:
		thread = id
	case byRoot:
		thread = cmp.Or(toRoot.id, m.clients[toRoot.client])
	}
	isRoot = isRoot || thread != "" && copied == "" && parent.status == schemas.LinkNone && root.status == schemas.LinkNone
	number := func(get func(*fact) *int64) string {
		if v := firstTold(list, func(f *fact) string { return number(get(f)) }); v != "" {
			return v
		}
		return ""
	}
	return strings.Join([]string{
		id, state, fmt.Sprint(rev), content, fmt.Sprint(firstTold(list, func(f *fact) int64 { return f.Edited })),
		fmt.Sprint(firstTold(list, func(f *fact) int64 { return f.Recalled })),
		number(func(f *fact) *int64 { return f.Seq }), number(func(f *fact) *int64 { return f.ThreadSeq }),
		fmt.Sprint(best.Edited != 0), copied, thread, fmt.Sprint(isRoot), best.From, best.Client, fmt.Sprint(best.At), "parent " + parent.String(), "root " + root.String(),
	}, "|")
}

func number(v *int64) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(*v)
}

func str(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func ms(t *schemas.Millis) int64 {
	if t == nil {
		return 0
	}
	return int64(*t)
}

// line tells a version as the model does.
func line(m *schemas.Message) string {
	link := func(l *schemas.Link) string {
		t := tie{said: said{l.Status, str(l.Reason)}, id: str(l.MessageID), client: str(l.ClientMessageID), sender: str(l.SenderID)}
		if l.CreatedAt != nil {
			t.at, t.told = int64(*l.CreatedAt-day), true
		}
		if l.Status == schemas.LinkNone && (t != tie{said: t.said} || t.reason != "" || l.RecordID != nil) {
			return "none that says more"
		}
		if want := string(schemas.NewRecordID(m.Platform, m.TenantID, t.id)); (l.Status == schemas.LinkResolved) != (l.RecordID != nil) || l.RecordID != nil && *l.RecordID != want {
			return fmt.Sprintf("%s with the record id %q", t.String(), str(l.RecordID))
		}
		return t.String()
	}
	return strings.Join([]string{
		m.MessageID, m.State, fmt.Sprint(m.SourceRevision), str(m.Text), fmt.Sprint(ms(m.UpdatedAt)), fmt.Sprint(ms(m.RecalledAt)),
		number(m.ConversationSeq), number(m.ThreadSeq), fmt.Sprint(m.IsEdited), str(m.CopyOfMessageID), str(m.ThreadID), fmt.Sprint(m.IsThreadRoot),
		m.Sender.ID, str(m.ClientMessageID), fmt.Sprint(int64(m.CreatedAt - day)), "parent " + link(&m.Parent), "root " + link(&m.Root),
	}, "|")
}
