package store

import (
	"encoding/binary"
	"errors"

	"chatlake/pipeline/links/graph"
)

var errBroken = errors.New("value is broken")

// writer appends the parts of a value.
type writer []byte

func (w *writer) uint(v uint64) { *w = binary.AppendUvarint(*w, v) }
func (w *writer) int(v int64)   { *w = binary.AppendVarint(*w, v) }
func (w *writer) text(s string) { w.uint(uint64(len(s))); *w = append(*w, s...) }

// flags appends booleans as bits, the first as the lowest.
func (w *writer) flags(bits ...bool) {
	var v uint64
	for i, b := range bits {
		if b {
			v |= 1 << i
		}
	}
	w.uint(v)
}

// reader takes the parts of a value off again. After a failure all that follows is zero.
type reader struct {
	rest   []byte
	broken bool
}

func (r *reader) uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.broken, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) text() string {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.broken, r.rest = true, nil
		return ""
	}
	return r.take(int(n))
}

func (r *reader) flags(bits ...*bool) {
	v := r.uint()
	for i, b := range bits {
		*b = v&(1<<i) != 0
	}
}

func (r *reader) whole(present bool) *int64 {
	if !present {
		return nil
	}
	v := r.int()
	return &v
}

// take gives the next n bytes.
func (r *reader) take(n int) string {
	if n > len(r.rest) {
		r.broken, r.rest = true, nil
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

// wasCut is the bit beside the state of a published version.
const wasCut = 1 << 4

func (w *writer) published(p *Published) {
	state := uint64(p.State)
	if p.Cut {
		state |= wasCut
	}
	w.int(p.Version)
	w.int(p.Edited)
	w.uint(state)
	w.uint(p.Digest)
	w.int(p.Value.Offset)
	w.uint(uint64(p.Value.No))
}

func (r *reader) published(p *Published) {
	p.Version, p.Edited = r.int(), r.int()
	state := r.uint()
	p.State, p.Cut = graph.State(state&(wasCut-1)), state&wasCut != 0
	p.Digest = r.uint()
	p.Value = Place{r.int(), uint32(r.uint())}
}

func (w *writer) rank(k *graph.Rank) {
	w.uint(uint64(k.State) | uint64(k.Source)<<4)
	w.int(k.Highest)
	w.int(k.Time)
	*w = binary.BigEndian.AppendUint64(*w, k.Page)
	w.uint(uint64(k.Place))
}

func (r *reader) rank(k *graph.Rank) {
	v := r.uint()
	k.State, k.Source = graph.State(v&15), uint8(v>>4)
	k.Highest, k.Time = r.int(), r.int()
	if len(r.rest) < 8 {
		r.broken, r.rest = true, nil
		return
	}
	k.Page, r.rest = binary.BigEndian.Uint64(r.rest), r.rest[8:]
	k.Place = uint32(r.uint())
}

func (w *writer) target(t *graph.Target) {
	w.text(t.ID)
	w.text(t.ClientID)
	w.text(t.SenderID)
	w.int(t.CreatedAt)
	w.text(t.Reason)
}

func (r *reader) target(t *graph.Target) {
	t.ID, t.ClientID, t.SenderID = r.text(), r.text(), r.text()
	t.CreatedAt, t.Reason = r.int(), r.text()
}

func (w *writer) link(l *graph.Link) {
	w.uint(uint64(l.Status))
	w.text(l.Reason)
	w.text(l.ID)
	w.text(l.ClientID)
	w.text(l.SenderID)
	w.int(l.CreatedAt)
}

func (r *reader) link(l *graph.Link) {
	l.Status = graph.Status(r.uint())
	l.Reason, l.ID, l.ClientID, l.SenderID = r.text(), r.text(), r.text(), r.text()
	l.CreatedAt = r.int()
}

func (w *writer) reading(v *graph.Reading) {
	w.rank(&v.Rank)
	w.flags(v.ConversationSeq != nil, v.ThreadSeq != nil, v.ThreadByRoot, v.Parent.Present(), v.Root.Present(), v.ThreadID != "", v.CopyOf != "", v.ClientID != "")
	w.int(v.UpdatedAt)
	w.int(v.RecalledAt)
	w.int(v.CreatedAt)
	w.text(v.SenderID)
	if v.ConversationSeq != nil {
		w.int(*v.ConversationSeq)
	}
	if v.ThreadSeq != nil {
		w.int(*v.ThreadSeq)
	}
	if v.Parent.Present() {
		w.target(&v.Parent)
	}
	if v.Root.Present() {
		w.target(&v.Root)
	}
	for _, s := range [...]string{v.ThreadID, v.CopyOf, v.ClientID} {
		if s != "" {
			w.text(s)
		}
	}
}

func (r *reader) reading(v *graph.Reading) {
	r.rank(&v.Rank)
	var conversation, thread, parent, root, threadID, copied, client bool
	r.flags(&conversation, &thread, &v.ThreadByRoot, &parent, &root, &threadID, &copied, &client)
	v.UpdatedAt, v.RecalledAt, v.CreatedAt = r.int(), r.int(), r.int()
	v.SenderID = r.text()
	v.ConversationSeq, v.ThreadSeq = r.whole(conversation), r.whole(thread)
	if parent {
		r.target(&v.Parent)
	}
	if root {
		r.target(&v.Root)
	}
	for _, s := range [...]struct {
		present bool
		to      *string
	}{{threadID, &v.ThreadID}, {copied, &v.CopyOf}, {client, &v.ClientID}} {
		if s.present {
			*s.to = r.text()
		}
	}
}

// append appends what is kept of a record.
func (n *Record) append(b []byte) []byte {
	w := (*writer)(&b)
	e, p := &n.Expansion, &n.Published
	expanded, answered := e.Status != 0, n.Answer.Status != graph.None
	w.flags(n.Fixed, n.Deleted, n.Linked, n.Asked, n.ThreadRoot, p.Version != 0, expanded, answered,
		n.Parent.Status != graph.None, n.Root.Status != graph.None, n.Owner != "", n.Hint != 0, e.Children != nil, e.Descendants != nil, n.Thread != "")
	w.uint(uint64(n.Depth))
	if p.Version != 0 {
		w.published(p)
	}
	w.uint(uint64(len(n.Readings)))
	for i := range n.Readings {
		w.reading(&n.Readings[i])
	}
	w.int(n.Revision)
	if expanded {
		w.uint(uint64(e.Status))
		w.rank(&e.Rank)
		w.text(e.Reason)
		if e.Children != nil {
			w.int(*e.Children)
		}
		if e.Descendants != nil {
			w.int(*e.Descendants)
		}
	}
	if answered {
		w.uint(uint64(n.Answer.Status))
		w.text(n.Answer.Reason)
	}
	if n.Parent.Status != graph.None {
		w.link(&n.Parent)
	}
	if n.Root.Status != graph.None {
		w.link(&n.Root)
	}
	if n.Owner != "" {
		w.text(n.Owner)
		w.int(n.OwnerTime)
	}
	if n.Hint != 0 {
		w.int(n.Hint)
	}
	if n.Thread != "" {
		w.text(n.Thread)
	}
	return b
}

// parse reads what append wrote.
func (n *Record) parse(b []byte) error {
	r := &reader{rest: b}
	e, p := &n.Expansion, &n.Published
	var published, expanded, answered, parent, root, owner, hint, children, descendants, thread bool
	r.flags(&n.Fixed, &n.Deleted, &n.Linked, &n.Asked, &n.ThreadRoot, &published, &expanded, &answered,
		&parent, &root, &owner, &hint, &children, &descendants, &thread)
	n.Depth = uint8(r.uint())
	if published {
		r.published(p)
	}
	if count := r.uint(); count <= uint64(len(r.rest)) {
		n.Readings = make([]graph.Reading, count)
	} else {
		r.broken = true
	}
	for i := range n.Readings {
		r.reading(&n.Readings[i])
	}
	n.Revision = r.int()
	if expanded {
		e.Status = graph.ExpansionStatus(r.uint())
		r.rank(&e.Rank)
		e.Reason = r.text()
		e.Children, e.Descendants = r.whole(children), r.whole(descendants)
	}
	if answered {
		n.Answer = graph.Answer{Status: graph.Status(r.uint()), Reason: r.text()}
	}
	if parent {
		r.link(&n.Parent)
	}
	if root {
		r.link(&n.Root)
	}
	if owner {
		n.Owner, n.OwnerTime = r.text(), r.int()
	}
	if hint {
		n.Hint = r.int()
	}
	if thread {
		n.Thread = r.text()
	}
	if r.broken || len(r.rest) != 0 {
		return errBroken
	}
	return nil
}
