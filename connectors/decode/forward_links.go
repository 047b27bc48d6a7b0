package decode

import (
	"chatlake/connectors"
	"chatlake/schemas"
)

// target is what a link may name: an id, anywhere in the forward or directly within one container.
type target struct {
	under  int32 // row of the container, none: anywhere
	client bool  // the id is a client's
	id     string
}

// States of a row in walk; what is above is 1 + its place in the chain that is being walked.
const (
	rootKnown int32 = 0
	rootOpen  int32 = -1
)

// link ties the rows of the forward to each other. What a child tells of messages that do not stand in the forward points
// out of it.
func (e *Expander) link() {
	rows := e.out.Readings[e.start:]
	told := false
	for i := range rows {
		m := &rows[i].Message
		told = told || m.Parent.Status == schemas.LinkPending || m.Root.Status == schemas.LinkPending
	}
	if !told {
		return
	}
	e.index(rows)
	e.up, e.walk = append(e.up[:0], e.under...), append(e.walk[:0], e.under...)
	for i := range rows {
		m := &rows[i].Message
		e.up[i], e.walk[i] = e.resolve(rows, int32(i), &m.Parent), rootKnown
		switch {
		case m.Root.Status != schemas.LinkPending:
		case m.Root.MessageID != nil || m.Root.ClientMessageID != nil:
			e.resolve(rows, int32(i), &m.Root)
		case m.Parent.Status == schemas.LinkNone:
			m.Root = schemas.Link{Status: schemas.LinkNone}
		default:
			e.walk[i] = rootOpen
		}
	}
	for i := range rows {
		if e.walk[i] == rootOpen {
			e.derive(rows, int32(i))
		}
	}
}

// index notes which row an id names: of several the first.
func (e *Expander) index(rows []connectors.Reading) {
	clear(e.found)
	add := func(t target, row int32) {
		for _, t.under = range [2]int32{e.under[row], none} {
			if _, old := e.found[t]; !old && t.id != "" {
				e.found[t] = row
			}
		}
	}
	for i := range rows {
		m := &rows[i].Message
		add(target{id: m.MessageID}, int32(i))
		if m.ClientMessageID != nil {
			add(target{client: true, id: *m.ClientMessageID}, int32(i))
		}
	}
}

// resolve turns a told link of row i into one to a row, which it gives, or into one that points out of the forward. A
// message of the same container goes before others. A message never links to itself.
func (e *Expander) resolve(rows []connectors.Reading, i int32, l *schemas.Link) int32 {
	if l.Status != schemas.LinkPending {
		return none
	}
	self := false
	for _, under := range [2]int32{e.under[i], none} {
		for _, t := range [2]target{{under: under, id: deref(l.MessageID)}, {under: under, client: true, id: deref(l.ClientMessageID)}} {
			row, ok := e.found[t]
			if ok && row != i {
				reason := l.Reason
				*l = linkTo(&rows[row].Message)
				l.Reason = reason
				return row
			}
			self = self || ok
		}
	}
	l.Status = schemas.LinkOutOfScope
	if self {
		*l = schemas.Link{Status: schemas.LinkNone}
	}
	return none
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// linkTo is a link to a row of the forward.
func linkTo(m *schemas.Message) schemas.Link {
	record, id, created := m.RecordID, m.MessageID, m.CreatedAt
	l := schemas.Link{Status: schemas.LinkResolved, RecordID: &record, MessageID: &id, ClientMessageID: m.ClientMessageID, CreatedAt: &created}
	if m.Sender.ID != "" {
		sender := m.Sender.ID
		l.SenderID = &sender
	}
	return l
}

// derive gives row i, and the rows above it whose root is not told, the root of what they answer, or that itself where it
// has none. A circle of answers ends at the last message before the repeat.
func (e *Expander) derive(rows []connectors.Reading, i int32) {
	e.chain = e.chain[:0]
	known := 0 // rows of the chain, from its end, whose root was found by their circle
	for at := i; at != none && e.walk[at] != rootKnown; at = e.up[at] {
		if n := e.walk[at]; n != rootOpen {
			circle := e.chain[n-1:]
			before := circle[len(circle)-1]
			for _, row := range circle {
				rows[row].Message.Root = linkTo(&rows[before].Message)
				before = row
			}
			known = len(circle)
			break
		}
		e.chain = append(e.chain, at)
		e.walk[at] = int32(len(e.chain))
	}
	for n := len(e.chain) - 1; n >= 0; n-- {
		row := e.chain[n]
		e.walk[row] = rootKnown
		if known > 0 {
			known--
			continue
		}
		m := &rows[row].Message
		if e.up[row] == none {
			m.Root = m.Parent
			continue
		}
		above := &rows[e.up[row]].Message
		m.Root = above.Root
		if above.Root.Status == schemas.LinkNone || deref(above.Root.RecordID) == m.RecordID {
			m.Root = linkTo(above)
		}
	}
}
