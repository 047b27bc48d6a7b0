package feishu

import (
	"iter"

	"chatlake/connectors/decode"
)

// place gives every child the item that it stands in, by the upper ids that they tell. Each item stands in one place, so
// that what an answer shows is laid out once, however its ids repeat.
func (in *inside) place() {
	byID := make(map[string]int32, len(in.children))
	for i := range in.children {
		c := &in.children[i]
		id := c.Reading.Message.MessageID
		first, taken := byID[id]
		switch {
		case id == "":
		case !taken:
			byID[id] = int32(i)
		case c.container && !in.children[first].container:
			byID[id], in.children[first].repeated = int32(i), true
		default:
			c.repeated = true
		}
	}
	missing := false
	for i := range in.children {
		c := &in.children[i]
		upper, known := byID[c.upper]
		switch {
		case c.upper == "" || c.upper == in.subject:
			c.under = onTop
		case known && in.children[upper].container:
			c.under = upper
		case known && in.children[upper].recalled:
			c.under = nowhere
		default:
			c.under, missing = onTop, true
		}
	}
	cycle := in.cut()
	for i := range in.children {
		in.put(int32(i))
	}
	switch {
	case in.partial == reasonBadItem:
	case missing:
		in.partial = reasonUpper
	case cycle && in.partial == "":
		in.partial = decode.ReasonCycle
	}
}

// put makes a child the last of its siblings.
func (in *inside) put(i int32) {
	c := &in.children[i]
	at := &in.top
	switch c.under {
	case nowhere:
		return
	case onTop:
	default:
		at = &in.children[c.under].inner
	}
	if at.any {
		in.children[at.last].next = i
	} else {
		at.first, at.any = i, true
	}
	at.last, c.next = i, onTop
}

// cut opens each circle of items that stand in each other: the first of them in the answer hangs under the forward that was
// asked for. It reports whether there was any.
func (in *inside) cut() (any bool) {
	seen := make([]int32, len(in.children)) // 1 + the item that the walk began at
	for i := range in.children {
		at, walk := int32(i), int32(i)+1
		for at >= 0 && seen[at] == 0 {
			seen[at] = walk
			at = in.children[at].under
		}
		if at < 0 || seen[at] != walk {
			continue
		}
		first := at
		for next := in.children[at].under; next != at; next = in.children[next].under {
			first = min(first, next)
		}
		in.children[in.children[first].under].cut = true
		in.children[first].under, any = onTop, true
	}
	return any
}

// along gives the children of a line.
func (in *inside) along(l line) iter.Seq[*decode.Child] {
	if !l.any {
		return nil
	}
	return func(yield func(*decode.Child) bool) {
		for i := l.first; i >= 0; i = in.children[i].next {
			if !yield(&in.children[i].Child) {
				return
			}
		}
	}
}
