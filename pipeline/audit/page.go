package audit

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"chatlake/connectors"
	"chatlake/schemas"
)

// group is a page with its expansions, which stand before it, as the normalizer takes them together.
type group struct {
	records  []schemas.Record
	pages    []schemas.Page
	size     int
	detached int // records that have memory of their own
}

// Bounds of expansions whose page does not come, as the normalizer's.
const (
	maxGroup      = 1 << 16
	maxGroupBytes = 96 << 20
)

// takes reports whether a page goes with the expansions before it.
func (g *group) takes(p *schemas.Page, size int) bool {
	first := &g.pages[0]
	full := p.Expansion() && (len(g.records) >= maxGroup || g.size+size > maxGroupBytes)
	return !full && first.Container == p.Container && first.Conversation == p.Conversation && first.Epoch == p.Epoch && first.Number == p.Number
}

func (g *group) add(r *schemas.Record, p *schemas.Page, size int) {
	g.records, g.pages, g.size = append(g.records, *r), append(g.pages, *p), g.size+size
}

// detach gives the records memory of their own.
func (g *group) detach() {
	for ; g.detached < len(g.records); g.detached++ {
		r := &g.records[g.detached]
		r.Value = bytes.Clone(r.Value)
		g.pages[g.detached].Body = r.Value
	}
}

func (g *group) drop() {
	clear(g.records)
	clear(g.pages)
	g.records, g.pages, g.size, g.detached = g.records[:0], g.pages[:0], 0, 0
}

func sizeOf(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

func (p *part) readPages(ctx context.Context) error {
	err := p.read(ctx, p.bounds.pages, reading{
		record: func(r *schemas.Record) error {
			p.report.Pages++
			if r.Offset >= p.bounds.committed {
				p.report.Pending++
			}
			return p.take(r, p.chained, p.add)
		},
		damaged: func() error { return p.flush(p.add) }, // what follows does not belong to what was before
		ended:   p.group.detach,
	})
	if err != nil {
		return err
	}
	return p.flush(p.add)
}

// take adds a raw record to the current group. Every page goes to each, if that is not nil; what is due for what a group
// shows goes to due.
func (p *part) take(r *schemas.Record, each func(*schemas.Record, *schemas.Page) error, due func(*due) error) error {
	page, err := schemas.ParsePage(r)
	bad := err != nil || p.refused(r, &page)
	size := sizeOf(r)
	if len(p.group.records) > 0 && (bad || !p.group.takes(&page, size)) {
		if err := p.flush(due); err != nil {
			return err
		}
	}
	if !bad && each != nil {
		if err := each(r, &page); err != nil {
			return err
		}
	}
	p.group.add(r, &page, size)
	switch {
	case bad:
		defer p.group.drop()
		return p.letterDue(due)
	case page.Expansion():
		return nil
	}
	return p.flush(due)
}

// maxKey is the longest key of a page that is normalized, in bytes.
const maxKey = 8 << 10

// refused reports whether the normalizer dead-letters a page as a whole for what its headers say.
func (p *part) refused(r *schemas.Record, page *schemas.Page) bool {
	platform, _, _ := strings.Cut(string(page.Container), "/")
	return len(page.Conversation) > maxKey || len(page.Container) > maxKey || p.decoders[platform] == nil ||
		schemas.Partition(page.Conversation, p.Partitions) != r.Partition
}

// letterDue expects a dead letter for the record that is no page of this partition.
func (p *part) letterDue(fn func(*due) error) error {
	r, page := &p.group.records[0], &p.group.pages[0]
	if r.Offset >= p.bounds.committed {
		return nil
	}
	d := due{kind: itemLetter, at: r.Offset, first: r.Offset, last: r.Offset, page: page.ID}
	if page.ID == "" {
		d.pointer = fmt.Sprintf("/%d/%d", r.Partition, r.Offset)
		d.kind = itemRow
	}
	return fn(&d)
}

// due is an item of a page, or what is to follow from one.
type due struct {
	kind          uint64
	at            int64 // raw offset of its page
	first, last   int64 // raw offsets of its group
	page, pointer string
	record        string // record_id that is due, "": only a dead letter can account for it
	item          bool   // a message object or line of a file
}

// flush says what is due for the current group.
func (p *part) flush(fn func(*due) error) error {
	g := &p.group
	if len(g.records) == 0 {
		return nil
	}
	defer g.drop()
	shows := make([]shown, len(g.pages))
	platform, _, _ := strings.Cut(string(g.pages[0].Container), "/")
	for i := range g.pages {
		shows[i].list(p.Platforms[platform].Shown, &g.pages[i])
	}
	send := func(d due, page int) error {
		d.at, d.page = g.records[page].Offset, g.pages[page].ID
		d.first, d.last = g.records[0].Offset, g.records[len(g.records)-1].Offset
		return fn(&d)
	}
	if g.records[len(g.records)-1].Offset < p.bounds.committed {
		p.decode(platform)
		if err := p.decodedDue(shows, send); err != nil {
			return err
		}
	}
	return p.restDue(shows, send)
}

// decode reads the current group as the normalizer does.
func (p *part) decode(platform string) {
	defer func() {
		if v := recover(); v != nil {
			p.decoders[platform] = p.Platforms[platform].Decoder() // what a panic left behind is not known
			p.decoded = connectors.Decoded{Failed: []connectors.Failed{{Page: len(p.group.pages) - 1, Class: "panic", Message: fmt.Sprint(v)}}}
		}
	}()
	p.decoders[platform].Decode(p.group.pages, &p.decoded)
}
