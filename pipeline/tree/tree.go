// Package tree lays messages out as people read a conversation: answers under what they answer, threads under their first
// message, merged forwards unfolded. It knows no broker and prints nothing.
package tree

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"chatlake/schemas"
)

// Kind says why a message stands where it does.
type Kind int

// Kinds of place.
const (
	Top       Kind = iota // it begins something
	Reply                 // it answers the message above
	Thread                // it belongs to the thread of the message above
	Forwarded             // it stands in the merged forward above
)

// Line is one version of one message in its place.
type Line struct {
	*schemas.Message
	Kind    Kind
	Depth   int
	Earlier bool // a version before the newest, which stands above it
	Under   bool // what it answers is the message that it stands under
}

// Limits of what a Tree holds before it is Full.
const (
	MaxVersions = 50_000
	MaxBytes    = 64 << 20
)

// overhead is about what a version takes beside its text.
const overhead = 1200

// Tree collects versions of messages. Its zero value is empty, and keeps of each version what is shown of it.
type Tree struct {
	Whole bool // keep all fields, and versions that bring no other text, too

	nodes    map[string]*node // by record_id
	versions int
	bytes    int
}

type node struct {
	versions []*schemas.Message
	no       int // in the order of arrival
	kind     Kind
	under    *node
	below    []*node
	shown    bool
	trail    int // of the way up that has come by, 0: none
}

func (n *node) newest() *schemas.Message { return n.versions[len(n.versions)-1] }

// Add takes one version.
func (t *Tree) Add(m *schemas.Message) {
	if t.nodes == nil {
		t.nodes = map[string]*node{}
	}
	if !t.Whole {
		m = slim(m)
	}
	n := t.nodes[m.RecordID]
	if n == nil {
		n = &node{no: len(t.nodes)}
		t.nodes[m.RecordID] = n
	}
	at, doubled := slices.BinarySearchFunc(n.versions, m.Version, func(v *schemas.Message, version int64) int { return cmp.Compare(v.Version, version) })
	if doubled {
		return
	}
	n.versions = slices.Insert(n.versions, at, m)
	t.versions++
	t.bytes += size(m)
	if !t.Whole {
		t.merge(n, at+1)
		t.merge(n, at)
	}
}

// merge drops the version before another that says the same, as one does that is only linked otherwise.
func (t *Tree) merge(n *node, at int) {
	if at == 0 || at >= len(n.versions) || !sameText(n.versions[at-1], n.versions[at]) {
		return
	}
	t.versions--
	t.bytes -= size(n.versions[at-1])
	n.versions = slices.Delete(n.versions, at-1, at)
}

func sameText(a, b *schemas.Message) bool {
	return a.State == b.State && (a.Text == b.Text || a.Text != nil && b.Text != nil && *a.Text == *b.Text)
}

func size(m *schemas.Message) int {
	n := overhead
	for _, s := range []*string{m.Text, m.ContentJSON} {
		if s != nil {
			n += len(*s)
		}
	}
	return n
}

// slim keeps what is shown of a version, in memory of its own.
func slim(m *schemas.Message) *schemas.Message {
	s := *m
	s.ContentJSON, s.Mentions, s.Issues, s.Attributes, s.Provenance = nil, nil, nil, nil, schemas.Provenance{}
	s.Attachments = slices.Clone(s.Attachments)
	for i := range s.Attachments {
		s.Attachments[i] = schemas.Attachment{Kind: s.Attachments[i].Kind, Name: s.Attachments[i].Name}
	}
	if m.Text != nil {
		text := strings.Clone(*m.Text)
		s.Text = &text
	}
	return &s
}

// Full reports whether the tree holds as much as it should.
func (t *Tree) Full() bool { return t.versions >= MaxVersions || t.bytes >= MaxBytes }

// Empty reports whether it holds nothing.
func (t *Tree) Empty() bool { return len(t.nodes) == 0 }

// Clear empties it.
func (t *Tree) Clear() { t.nodes, t.versions, t.bytes = nil, 0, 0 }

// Lines gives all that it holds, conversation by conversation.
func (t *Tree) Lines() iter.Seq[Line] {
	all := slices.Collect(maps.Values(t.nodes))
	slices.SortFunc(all, before)
	t.place(all)
	return func(yield func(Line) bool) {
		for _, n := range all {
			if n.under == nil && !n.walk(0, yield) {
				return
			}
		}
	}
}

// walk gives a message and what stands below it.
func (n *node) walk(depth int, yield func(Line) bool) bool {
	if n.shown {
		return true
	}
	n.shown = true
	newest := n.newest()
	line := Line{Message: newest, Kind: n.kind, Depth: depth, Under: n.under != nil && answers(newest, n.under.newest())}
	if !yield(line) {
		return false
	}
	for _, v := range slices.Backward(n.versions[:len(n.versions)-1]) {
		line.Message, line.Earlier = v, true
		if !yield(line) {
			return false
		}
	}
	for _, b := range n.below {
		if !b.walk(depth+1, yield) {
			return false
		}
	}
	return true
}

// answers reports whether m's parent is target.
func answers(m, target *schemas.Message) bool {
	return m.Parent.MessageID != nil && *m.Parent.MessageID == target.MessageID || m.Parent.RecordID != nil && *m.Parent.RecordID == target.RecordID
}

// before orders messages: by conversation, what stands in a forward first and by its path, all else by time.
func before(a, b *node) int {
	x, y := a.newest(), b.newest()
	return cmp.Or(
		cmp.Compare(x.Platform, y.Platform), cmp.Compare(x.TenantID, y.TenantID), cmp.Compare(x.ConversationID, y.ConversationID),
		cmp.Compare(outside(x), outside(y)), cmp.Compare(path(x), path(y)),
		cmp.Compare(x.OccurredAt, y.OccurredAt), cmp.Compare(seq(x), seq(y)), cmp.Compare(a.no, b.no),
	)
}

func path(m *schemas.Message) string {
	if !within(m) || m.Forward.Path == nil {
		return ""
	}
	return *m.Forward.Path
}

// outside is 0 for what stands in a forward, else 1.
func outside(m *schemas.Message) int {
	if within(m) {
		return 0
	}
	return 1
}

func within(m *schemas.Message) bool {
	return m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer
}

func seq(m *schemas.Message) int64 {
	switch {
	case m.ThreadSeq != nil && m.ThreadID != nil:
		return *m.ThreadSeq
	case m.ConversationSeq != nil:
		return *m.ConversationSeq
	}
	return 0
}

// scope names something within a conversation.
type scope struct{ platform, tenant, conversation, id string }

func scopeOf(m *schemas.Message, id string) scope {
	return scope{m.Platform, m.TenantID, m.ConversationID, id}
}

// place hangs each message under the one that it belongs to.
func (t *Tree) place(all []*node) {
	messages, threads := map[scope]*node{}, map[scope]*node{}
	for _, n := range all {
		n.under, n.below, n.kind, n.shown, n.trail = nil, nil, Top, false, 0
		m := n.newest()
		if within(m) {
			continue // a snapshot stands for no message of the same id
		}
		messages[scopeOf(m, m.MessageID)] = n
		if m.IsThreadRoot && m.ThreadID != nil {
			threads[scopeOf(m, *m.ThreadID)] = n
		}
	}
	for _, n := range all {
		m := n.newest()
		switch {
		case within(m):
			n.hang(t.record(m.Forward.ParentRecordID, m.Forward.ContainerRecordID), Forwarded)
		case m.CopyOfMessageID != nil:
			// It stands in the chat beside what it repeats, which stands in its thread.
		default:
			kind := Reply
			if m.ThreadID != nil {
				kind = Thread
			}
			for _, l := range []*schemas.Link{&m.Parent, &m.Root} {
				if n.under == nil && l.RecordID != nil {
					n.hang(t.record(l.RecordID), kind)
				}
				if n.under == nil && l.MessageID != nil {
					n.hang(messages[scopeOf(m, *l.MessageID)], kind)
				}
			}
			if n.under == nil && m.ThreadID != nil {
				n.hang(threads[scopeOf(m, *m.ThreadID)], Thread)
			}
		}
	}
	open(all)
}

// open breaks what answers in a circle, which would hang under nothing: the first of it goes on top.
func open(all []*node) {
	for i, n := range all {
		trail := i + 1
		at := n
		for at != nil && at.trail == 0 {
			at.trail = trail
			at = at.under
		}
		if at != nil && at.trail == trail {
			first := at
			for other := at.under; other != at; other = other.under {
				if before(other, first) < 0 {
					first = other
				}
			}
			first.under, first.kind = nil, Top
		}
	}
}

// record gives the first of some records that is there.
func (t *Tree) record(ids ...*string) *node {
	for _, id := range ids {
		if id != nil && t.nodes[*id] != nil {
			return t.nodes[*id]
		}
	}
	return nil
}

// hang puts a message under another, in the order in which it is called.
func (n *node) hang(under *node, kind Kind) {
	if under == nil || under == n || under.newest().ConversationID != n.newest().ConversationID {
		return
	}
	n.under, n.kind = under, kind
	under.below = append(under.below, n)
}
