package store

import (
	"encoding/binary"
	"errors"

	"chatlake/pipeline/links/graph"
)

var errBroken = errors.New("value is broken")

// coder writes the parts of a value, or reads them off again: each method does either, so that the layout of a value is
// written down once. After a failure to read all that follows is zero.
type coder struct {
	b       []byte // written, or left to be read
	reading bool
	broken  bool
}

// done reports what was wrong with a value that was read.
func (c *coder) done() error {
	if c.broken || len(c.b) != 0 {
		return errBroken
	}
	return nil
}

func (c *coder) fail() { c.broken, c.b = true, nil }

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.b = binary.AppendUvarint(c.b, *v)
		return
	}
	var n int
	if *v, n = binary.Uvarint(c.b); n <= 0 {
		*v = 0
		c.fail()
		return
	}
	c.b = c.b[n:]
}

func (c *coder) int(v *int64) {
	if !c.reading {
		c.b = binary.AppendVarint(c.b, *v)
		return
	}
	var n int
	if *v, n = binary.Varint(c.b); n <= 0 {
		*v = 0
		c.fail()
		return
	}
	c.b = c.b[n:]
}

// number is a whole number of a smaller type.
func number[T ~uint8 | ~uint32](c *coder, v *T) {
	u := uint64(*v)
	c.uint(&u)
	*v = T(u)
}

// fixed is a number in eight bytes.
func (c *coder) fixed(v *uint64) {
	switch {
	case !c.reading:
		c.b = binary.BigEndian.AppendUint64(c.b, *v)
	case len(c.b) < 8:
		c.fail()
	default:
		*v, c.b = binary.BigEndian.Uint64(c.b), c.b[8:]
	}
}

func (c *coder) text(s *string) {
	n := uint64(len(*s))
	switch c.uint(&n); {
	case !c.reading:
		c.b = append(c.b, *s...)
	case n > uint64(len(c.b)):
		c.fail()
	default:
		*s, c.b = string(c.b[:n]), c.b[n:]
	}
}

// flags are bits, the first the lowest.
func (c *coder) flags(bits ...*bool) {
	var v uint64
	for i, b := range bits {
		if *b {
			v |= 1 << i
		}
	}
	c.uint(&v)
	for i, b := range bits {
		*b = v&(1<<i) != 0
	}
}

// optional is a number that is kept where it is present.
func (c *coder) optional(v **int64, present bool) {
	if !present {
		return
	}
	if *v == nil {
		*v = new(int64)
	}
	c.int(*v)
}

func (c *coder) place(p *Place) {
	c.int(&p.Offset)
	number(c, &p.No)
}

// wasCut is the bit beside the state of a published version.
const wasCut = 1 << 4

func (c *coder) published(p *Published) {
	state := uint64(p.State)
	if p.Cut {
		state |= wasCut
	}
	c.int(&p.Version)
	c.int(&p.Edited)
	c.uint(&state)
	p.State, p.Cut = graph.State(state&(wasCut-1)), state&wasCut != 0
	c.uint(&p.Digest)
	c.place(&p.Value)
}

func (c *coder) rank(k *graph.Rank) {
	v := uint64(k.State) | uint64(k.Source)<<4
	c.uint(&v)
	k.State, k.Source = graph.State(v&15), uint8(v>>4)
	c.int(&k.Highest)
	c.int(&k.Time)
	c.fixed(&k.Page)
	number(c, &k.Place)
}

func (c *coder) target(t *graph.Target) {
	c.text(&t.ID)
	c.text(&t.ClientID)
	c.text(&t.SenderID)
	c.int(&t.CreatedAt)
	c.text(&t.Reason)
}

func (c *coder) link(l *graph.Link) {
	number(c, &l.Status)
	c.text(&l.Reason)
	c.text(&l.ID)
	c.text(&l.ClientID)
	c.text(&l.SenderID)
	c.int(&l.CreatedAt)
}

func (c *coder) message(v *graph.Reading) {
	conversation, thread, parent, root := v.ConversationSeq != nil, v.ThreadSeq != nil, v.Parent.Present(), v.Root.Present()
	threadID, copied, client := v.ThreadID != "", v.CopyOf != "", v.ClientID != ""
	c.rank(&v.Rank)
	c.flags(&conversation, &thread, &v.ThreadByRoot, &parent, &root, &threadID, &copied, &client)
	c.int(&v.UpdatedAt)
	c.int(&v.RecalledAt)
	c.int(&v.CreatedAt)
	c.text(&v.SenderID)
	c.optional(&v.ConversationSeq, conversation)
	c.optional(&v.ThreadSeq, thread)
	if parent {
		c.target(&v.Parent)
	}
	if root {
		c.target(&v.Root)
	}
	if threadID {
		c.text(&v.ThreadID)
	}
	if copied {
		c.text(&v.CopyOf)
	}
	if client {
		c.text(&v.ClientID)
	}
}

func (c *coder) readings(all *[]graph.Reading) {
	count := uint64(len(*all))
	if c.uint(&count); c.reading {
		if count > uint64(len(c.b)) {
			c.fail()
			return
		}
		*all = make([]graph.Reading, count)
	}
	for i := range *all {
		c.message(&(*all)[i])
	}
}

func (c *coder) record(n *Record) {
	e := &n.Expansion
	published, expanded, answered := n.Published.Version != 0, e.Status != 0, n.Answer.Status != graph.None
	parent, root := n.Parent.Status != graph.None, n.Root.Status != graph.None
	owner, hint, children, descendants, thread := n.Owner != "", n.Hint != 0, e.Children != nil, e.Descendants != nil, n.Thread != ""
	c.flags(&n.Fixed, &n.Deleted, &n.Linked, &n.Asked, &n.ThreadRoot, &published, &expanded, &answered,
		&parent, &root, &owner, &hint, &children, &descendants, &thread)
	number(c, &n.Depth)
	if published {
		c.published(&n.Published)
	}
	c.readings(&n.Readings)
	c.int(&n.Revision)
	if expanded {
		number(c, &e.Status)
		c.rank(&e.Rank)
		c.text(&e.Reason)
		c.optional(&e.Children, children)
		c.optional(&e.Descendants, descendants)
	}
	if answered {
		number(c, &n.Answer.Status)
		c.text(&n.Answer.Reason)
	}
	if parent {
		c.link(&n.Parent)
	}
	if root {
		c.link(&n.Root)
	}
	if owner {
		c.text(&n.Owner)
		c.int(&n.OwnerTime)
	}
	if hint {
		c.int(&n.Hint)
	}
	if thread {
		c.text(&n.Thread)
	}
}
