package audit

import (
	"context"
	"iter"
	"slices"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Items are compared by their pages and pointers. Entries:
//
//	page, pointer, dead     offset of the dead letter
//	page, pointer, shown    raw offset of the page                        (an item for which nothing is due)
//	page, pointer, row      raw offset of the page, record (2), group     (an item for which a row is due)
//	page, pointer, further  raw offset of the page, record (2), group     (another row that is due for it)
//	page, 0,       letter   raw offset of the page, 0 (2), group          (a page for which a dead letter is due)
//	page, pointer, message  offset of the message, where from, raw offset
const (
	itemDead uint64 = iota
	itemShown
	itemRow
	itemFurther
	itemLetter
	itemMessage
)

// Where a message says that it comes from: another topic (a copy keeps the name of the original), the partition that is
// audited, or a place that cannot be its own.
const (
	fromCopy uint64 = iota
	fromHere
	fromElsewhere
)

// pointerDigest is 0 for the page as a whole, so that what is said of all of it comes first.
func pointerDigest(pointer string) uint64 {
	if pointer == "" {
		return 0
	}
	return digest(pointer)
}

// shown are the items of one page, and which of them are accounted for so far.
type shown struct {
	items   []connectors.Item
	at      map[string]int // by pointer
	settled []bool
}

func (s *shown) list(of func(*schemas.Page) iter.Seq[connectors.Item], page *schemas.Page) {
	s.at = map[string]int{}
	for item := range of(page) {
		s.at[item.Pointer] = len(s.items)
		s.items = append(s.items, item)
	}
	s.settled = make([]bool, len(s.items))
}

// decodedDue says what is due for what the decoder has read, or has failed to.
func (p *part) decodedDue(shows []shown, send func(due, int) error) error {
	for i := range p.decoded.Readings {
		r := &p.decoded.Readings[i]
		s, pointer := &shows[r.Page], r.Message.Provenance.ItemPointer
		n, item := s.at[pointer]
		own := item && s.items[n].Own
		item = item && !s.settled[n]
		d := due{kind: itemFurther, pointer: pointer, record: r.Message.RecordID, item: item}
		switch {
		case item && (own || r.OtherConversation):
			d.kind, d.record = itemShown, ""
		case own || r.OtherConversation:
			continue
		case item:
			d.kind = itemRow
		}
		if item {
			s.settled[n] = true
		}
		if err := send(d, r.Page); err != nil {
			return err
		}
	}
	for i := range p.decoded.Failed {
		f := &p.decoded.Failed[i]
		d := due{kind: itemFurther, pointer: f.Pointer}
		if n, ok := shows[f.Page].at[f.Pointer]; ok && !shows[f.Page].settled[n] {
			shows[f.Page].settled[n], d.kind, d.item = true, itemRow, true
		} else if f.Pointer == "" {
			d.kind = itemLetter
		}
		if err := send(d, f.Page); err != nil {
			return err
		}
	}
	return nil
}

// restDue says what is due for items of which the decoder says nothing: a dead letter, if no rule leaves them out.
func (p *part) restDue(shows []shown, send func(due, int) error) error {
	pending := p.group.records[len(p.group.records)-1].Offset >= p.bounds.committed
	for i := range shows {
		s := &shows[i]
		var left map[string]bool // ids of items that are left out
		for n := range s.items {
			if s.settled[n] {
				continue
			}
			d := due{kind: itemRow, pointer: s.items[n].Pointer, item: !pending}
			if pending || s.items[n].Own || p.leftOut(i, &s.items[n], s, &left) {
				d.kind = itemShown
			}
			if err := send(d, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// leftOut reports whether no row is due for an item that the decoder has passed over: it is part of a merged forward that was
// recalled or belongs to another conversation, or whose own message says that it is not complete.
func (p *part) leftOut(page int, item *connectors.Item, s *shown, left *map[string]bool) bool {
	subject := p.group.pages[page].Subject
	if subject == "" || !p.group.pages[page].Expansion() && item.Within == "" {
		return false
	}
	if *left == nil {
		*left = p.passedOver(subject, s)
	}
	return (*left)[subject] || item.Within != "" && (*left)[item.Within]
}

// passedOver are the ids of messages within which items may be passed over.
func (p *part) passedOver(subject string, s *shown) map[string]bool {
	ids := map[string]bool{}
	for i := range p.decoded.Readings {
		r := &p.decoded.Readings[i]
		m := &r.Message
		partial := m.Forward.Role != schemas.ForwardNone && m.Forward.Role != schemas.ForwardChild && m.Forward.Expansion != schemas.ExpansionComplete
		if m.State != schemas.MessageNormal || r.OtherConversation || partial && m.MessageID == subject {
			ids[m.MessageID] = true
		}
	}
	for grown := true; grown; { // what is within what is passed over
		grown = false
		for n := range s.items {
			if item := &s.items[n]; !s.settled[n] && item.ID != "" && !ids[item.ID] && ids[item.Within] {
				ids[item.ID], grown = true, true
			}
		}
	}
	return ids
}

// add has an item, or what is due for one, compared.
func (p *part) add(d *due) error {
	if d.item {
		p.report.Items++
	}
	e := entry{digest(d.page), pointerDigest(d.pointer), tagged(d.kind, d.at)}
	if d.record != "" {
		e[3], e[4] = digest2(d.record)
	}
	e[5], e[6] = uint64(d.first), uint64(d.last)
	return p.items.add(e)
}

// compareItems looks for messages without an item, and for items without a message of their page that might have one of
// another page.
func (p *part) compareItems(context.Context) error {
	defer p.strayedOff()
	if p.bounds.committed < 0 && p.bounds.messages.to > p.bounds.messages.from {
		p.Logger.Warn("there are messages, but the group has committed nothing, so that no item is compared: is NORMALIZER_GROUP another, or were its offsets lost?",
			"topic", p.Topics.Messages, "partition", p.id)
	}
	var c itemPlace
	return p.items.each(func(e *entry) error {
		if e[0] != c.page {
			c = itemPlace{page: e[0], offsets: c.offsets[:0]}
		}
		if e[1] != c.pointer {
			c.pointer, c.dead, c.offsets = e[1], false, c.offsets[:0]
		}
		switch kind, at := kindOf(e[2]), offsetOf(e[2]); kind {
		case itemDead:
			c.dead = true
			c.letter = c.letter || e[1] == 0
		case itemShown:
			c.offsets = append(c.offsets, at)
		case itemRow, itemFurther, itemLetter:
			if kind == itemRow {
				c.offsets = append(c.offsets, at)
			}
			if c.dead || c.letter {
				return nil
			}
			if e[3] == 0 {
				p.unaccounted(e[1], e[3], at, int64(e[5]), int64(e[6]))
				return nil
			}
			return p.rows.add(entry{e[3], e[4], tagged(rowDue, at), e[5], e[6], e[1]})
		case itemMessage:
			p.orphan(e, &c)
		}
		return nil
	})
}

// itemPlace is a page and pointer that are compared.
type itemPlace struct {
	page, pointer uint64
	letter        bool    // a dead letter is about the page as a whole
	dead          bool    // one is about the item
	offsets       []int64 // raw offsets of the pages that show the item
}

// orphan looks for the item of a message.
func (p *part) orphan(e *entry, c *itemPlace) {
	at, raw, here := offsetOf(e[2]), int64(e[4]), e[3] == fromHere
	if len(c.offsets) == 0 || slices.Min(c.offsets) < p.bounds.committed {
		p.report.Messages++
	}
	orphan := miss{kind: KindOrphan, from: inMessages, at: at}
	switch {
	case e[3] == fromElsewhere:
		orphan.detail = "its provenance names another partition"
		p.miss(orphan)
	case len(c.offsets) > 0 && here && !slices.Contains(c.offsets, raw):
		orphan.detail = "its provenance names another raw offset than that of its page"
		if p.strays++; len(p.strayed) < p.MaxFindings {
			p.strayed = append(p.strayed, orphan)
		}
	case len(c.offsets) > 0:
		p.placed++
	case here && raw < p.bounds.pages.from:
		p.report.Expired++
	case here && raw >= p.bounds.pages.to && p.bounds.pages.hidden:
	default:
		orphan.detail = "no page shows the item that its provenance names"
		p.miss(orphan)
	}
}

// strayedOff settles what messages are that name their items, but other raw offsets. Where most do, the topics are copies
// under the same names, and offsets say nothing.
func (p *part) strayedOff() {
	if p.strays > p.placed {
		p.Logger.Warn("most messages name other raw offsets than those of their pages: the topics seem to be copied, and messages are compared with pages by id alone",
			"topic", p.Topics.Messages, "partition", p.id, "items", p.strays)
		return
	}
	for _, m := range p.strayed {
		p.miss(m)
	}
	if rest := p.strays - len(p.strayed); rest > 0 {
		p.report.Counts[KindOrphan] += int64(rest)
	}
}
