package simulator

import (
	"bytes"
	"encoding/json"
	"strings"
)

// page is an answer with items while faults may still change it.
type page struct {
	hasMore bool
	token   string
	items   []json.RawMessage
	served  []string  // ids of the messages of items, in their order; "" for a broken one
	broken  []string  // ids of messages whose item was broken
	place   pageToken // of the next page
	query   string
	breaks  func(json.RawMessage, Broken) json.RawMessage
}

// spoil lets the faults of a call change a page.
func (p *page) spoil(c *call) {
	for _, r := range c.faults {
		switch r.Action {
		case EmptyPage:
			p.empty(c.place)
		case NoPageToken:
			p.hasMore, p.token = true, ""
		case RepeatPageToken:
			if c.pageToken != "" {
				p.hasMore, p.token = true, c.pageToken
			}
		case CyclePageTokens:
			r.cycle(c, p)
		case LastPageToken:
			if !p.hasMore {
				p.token = p.place.seal(p.query)
			}
		case BigPage:
			p.pad(r.Bytes, "")
		case BigItem:
			p.pad(r.Bytes, r.Message)
		case BreakItem:
			p.breakItem(r.Item, r.Broken)
		}
	}
}

// empty shows nothing and leads to the place that the page was asked for.
func (p *page) empty(at pageToken) {
	at.hop++
	p.items, p.served, p.hasMore, p.token = []json.RawMessage{}, nil, true, at.seal(p.query)
	if at.hop%2 == 0 {
		p.items = nil // both an empty list and null have been seen
	}
}

// cycle leads the page after the second back to the second: tokens A, B, A, B, …
func (r *rule) cycle(c *call, p *page) {
	seen := r.tokens[c.container]
	switch {
	case len(seen) < 2:
		if p.token != "" {
			r.tokens[c.container] = append(seen, p.token)
		}
	case c.pageToken == seen[1]:
		p.hasMore, p.token = true, seen[0]
	}
}

// pad makes the items so large that the body has at least size bytes, with a field that nobody knows: all of them, or the one
// of a message.
func (p *page) pad(size int, id string) {
	var places []int
	for i := range p.items {
		if id == "" || i < len(p.served) && p.served[i] == id {
			places = append(places, i)
		}
	}
	if len(places) == 0 {
		return
	}
	each := size/len(places) + 1
	padding := []byte(`,"padding":"` + strings.Repeat("0123456789abcdef", each/16+1)[:each] + `"}`)
	for _, i := range places {
		p.items[i] = append(bytes.TrimSuffix(bytes.Clone(p.items[i]), []byte("}")), padding...)
	}
}

// breakItem replaces one item; the last one where there are fewer.
func (p *page) breakItem(n int, how Broken) {
	if len(p.items) == 0 {
		return
	}
	n = min(n, len(p.items)-1)
	p.items[n] = p.breaks(p.items[n], how)
	if n < len(p.served) && p.served[n] != "" {
		p.broken = append(p.broken, p.served[n])
		p.served[n] = ""
	}
}
