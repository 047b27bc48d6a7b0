package decode

import (
	"iter"
	"slices"
	"strconv"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Limits of merged forwards.
const (
	MaxForwardDepth = 10 // a container that stands this deep is not expanded

	// maxDescendants bounds what one answer that is shown in many places can become; a message takes about 1 KiB.
	maxDescendants = 200_000
	maxSiblings    = 99_999 // five digits of a path

	// maxNames bounds the bytes of the record ids and the ids above them that the forwards of one page may have. A row names
	// all that it stands in, so that a few long ids, which a sender's app may choose, would weigh gigabytes in many rows.
	maxNames = 64 << 20
)

// Reasons of expansions that are not complete, which hold for every platform.
const (
	ReasonDepth   = "depth"    // the container stands too deep
	ReasonCycle   = "cycle"    // the container, or what stands in it, stands in itself
	ReasonNested  = "nested"   // a container within is not complete
	ReasonTooMany = "too_many" // there is more in it than is taken
)

// Child is one message that stands in a merged forward, as an answer shows it.
type Child struct {
	// Reading holds what the answer tells of the child itself: its links are PENDING with what is told, a root that is not
	// told while a parent is PENDING without an id. What depends on the place where it stands is filled in by Expand:
	// record_id, conversation_id, occurred_at, event_date, all of Forward, and its links.
	Reading connectors.Reading
	// Open gives what stands in the child. nil: it is no merged forward, or a recalled one.
	Open func() Opened
}

// Opened is what is known of the inside of a merged forward.
type Opened struct {
	// Children are those directly within, in the order of the answer. A nil *Child is one that cannot be read and keeps its
	// number. They stay as they are until Expand returns. A nil Children: there are none.
	Children  iter.Seq[*Child]
	Expansion string // ExpansionComplete, ExpansionPartial or ExpansionFailed of package schemas; a failed one has no children
	Reason    string // one word or the platform's code, "" where it is complete
}

// Expander lays out the merged forwards of a platform as the contract's Forward says: record ids, paths, counts, cuts and
// the links among children. It reuses its memory and is not safe for concurrent use; its zero value is ready.
type Expander struct {
	out   *connectors.Decoded
	root  *schemas.Message
	start int // first row of the forward in out.Readings
	names int // bytes of names in the rows of the page, see maxNames

	container *string         // record_id of the outermost container
	under     []int32         // of each row, the row of the container that it stands in; outermost
	parts     map[place]int64 // how often a part of a record_id stands under a container

	found map[target]int32 // first row that an id names
	up    []int32          // of each row, the row that its parent link names, none
	walk  []int32          // of each row, whether its root is still to be derived; see derive
	chain []int32
}

// Rows that are none.
const (
	outermost int32 = -1
	none      int32 = -2
)

type place struct {
	under int32
	part  string
}

// level is a container whose children are laid out.
type level struct {
	row        int32
	path       string
	depth      int64
	record, id *string  // of the container
	ancestors  []string // message ids down to it, outermost first
}

// Begin lets the forwards that follow be of another page.
func (e *Expander) Begin() { e.names = 0 }

// Expand appends the descendants of root, an outermost container that is not recalled, to out.Readings, depth-first, so
// that a container stands before what is in it. root holds what a native message has, but for Forward: what that is to be
// is returned. Each child of top becomes one row, so what grows without bound is what Open gives. A container that bears the
// id of one around it is not opened.
func (e *Expander) Expand(out *connectors.Decoded, root *schemas.Message, top Opened) schemas.Forward {
	e.begin(out, root)
	record, id := root.RecordID, root.MessageID
	e.container = &record
	f := e.grow(&level{row: outermost, record: &record, id: &id, ancestors: []string{id}}, top)
	f.Role = schemas.ForwardContainer
	e.link()
	e.out, e.root = nil, nil
	return f
}

func (e *Expander) begin(out *connectors.Decoded, root *schemas.Message) {
	const kept = 4096 // rows whose memory is kept for the next
	if e.parts == nil || len(e.under) > kept {
		*e = Expander{parts: map[place]int64{}, found: map[target]int32{}, names: e.names}
	}
	clear(e.parts)
	e.out, e.root, e.start, e.under = out, root, len(out.Readings), e.under[:0]
}

// grow lays out what stands in a container, and gives its counts and how far it is expanded.
func (e *Expander) grow(at *level, in Opened) schemas.Forward {
	f := schemas.Forward{Expansion: in.Expansion}
	if in.Reason != "" {
		f.ExpansionReason = &in.Reason
	}
	if in.Expansion != schemas.ExpansionComplete && in.Expansion != schemas.ExpansionPartial {
		return f
	}
	partial := func(reason string) {
		if f.Expansion == schemas.ExpansionComplete {
			f.Expansion, f.ExpansionReason = schemas.ExpansionPartial, &reason
		}
	}
	no, children, first := int64(0), int64(0), len(e.out.Readings)
	nested, more := false, false
	if in.Children != nil {
		for c := range in.Children {
			if more = no >= maxSiblings || len(e.out.Readings)-e.start >= maxDescendants || e.names >= maxNames; more {
				break
			}
			no++
			if c == nil {
				continue
			}
			children++
			nested = !e.add(at, c, no) || nested
		}
	}
	if more {
		partial(ReasonTooMany)
	}
	if nested {
		partial(ReasonNested)
	}
	descendants := int64(len(e.out.Readings) - first)
	f.ChildCount, f.DescendantCount = &children, &descendants
	return f
}

// add lays out a child and what stands in it. It reports whether all of that is there.
func (e *Expander) add(at *level, c *Child, no int64) (whole bool) {
	i := len(e.out.Readings)
	e.out.Readings = append(e.out.Readings, c.Reading)
	e.under = append(e.under, at.row)
	m := &e.out.Readings[i].Message
	path := pathOf(at.path, no)
	record := e.record(at, m, path)
	m.RecordID = record
	id := m.MessageID
	e.names += len(record)
	for _, above := range at.ancestors {
		e.names += len(above)
	}
	m.ConversationID, m.OccurredAt, m.EventDate = e.root.ConversationID, e.root.OccurredAt, e.root.EventDate
	f := schemas.Forward{Role: schemas.ForwardChild, Expansion: schemas.ExpansionNotApplicable}
	if c.Open != nil {
		f = e.open(at, c, &level{row: int32(i - e.start), path: path, depth: at.depth + 1, record: &record, id: &id})
		f.Role = schemas.ForwardChildContainer
	}
	f.ContainerRecordID, f.ParentRecordID, f.ParentMessageID, f.AncestorIDs = e.container, at.record, at.id, at.ancestors
	f.Path, f.Depth, f.ChildNo = &path, at.depth+1, &no
	e.out.Readings[i].Message.Forward = f // m may have moved
	return c.Open == nil || f.Expansion == schemas.ExpansionComplete
}

// open expands a container within another, unless that would lead too deep or round in a circle.
func (e *Expander) open(at *level, c *Child, inner *level) schemas.Forward {
	cut := ""
	switch {
	case slices.Contains(at.ancestors, *inner.id):
		cut = ReasonCycle
	case inner.depth >= MaxForwardDepth:
		cut = ReasonDepth
	}
	if cut != "" {
		return e.grow(inner, Opened{Expansion: schemas.ExpansionPartial, Reason: cut})
	}
	inner.ancestors = append(slices.Clip(at.ancestors), *inner.id)
	return e.grow(inner, c.Open())
}

// record is a child's record_id: its container's and its own id, else the client's, else '@' and its path, which then is
// its message_id, too. '#' and a number tell children of one container apart that share an id.
func (e *Expander) record(at *level, m *schemas.Message, path string) string {
	if m.MessageID == "" && m.ClientMessageID != nil {
		m.MessageID = *m.ClientMessageID
	}
	if m.MessageID == "" {
		m.MessageID = "@" + path
	}
	part := schemas.Part(m.MessageID)
	key := place{at.row, part}
	e.parts[key]++
	if n := e.parts[key]; n > 1 {
		part += "#" + strconv.FormatInt(n, 10)
	}
	return *at.record + "/" + part
}

// pathOf appends a child's number, in five digits, to the path of its container.
func pathOf(above string, no int64) string {
	digits := strconv.FormatInt(100_000+no, 10)[1:]
	if above == "" {
		return digits
	}
	return above + "." + digits
}
