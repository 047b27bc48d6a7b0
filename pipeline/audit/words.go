package audit

import (
	"cmp"
	"context"
	"slices"

	"chatlake/schemas"
)

// origin is where the words of a finding are read again: only what was found is worth its strings.
type origin int

const (
	inPages origin = iota
	inGroups
	inChecks
	inMessages
)

// miss is a finding without its words.
type miss struct {
	kind            string
	from            origin
	at              int64 // offset of the record
	first, last     int64 // raw offsets of its group
	pointer, record uint64
	page            int64 // in place of the record's own, if not 0
	detail          string
}

// miss counts a finding, and keeps it if it is to be listed.
func (p *part) miss(m miss) {
	p.report.Counts[m.kind]++
	if len(p.report.Findings)+len(p.missed) < p.MaxFindings {
		if m.from != inGroups {
			m.first, m.last = m.at, m.at
		}
		p.missed = append(p.missed, m)
	}
}

// near is how far apart two findings are at most, in records, whose records are read in one go.
const near = 2000

// describe lists the findings, in the order in which they were found.
func (p *part) describe(ctx context.Context) error {
	order := make([]int, len(p.missed))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := &p.missed[a], &p.missed[b]
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.first, y.first))
	})
	out := make([]Finding, len(p.missed))
	for i := range out {
		out[i] = Finding{Kind: p.missed[i].kind, Detail: p.missed[i].detail}
		if n := p.missed[i].page; n != 0 {
			out[i].Page = &n
		}
	}
	for len(order) > 0 {
		from := &p.missed[order[0]]
		n, last := 1, from.last
		for ; n < len(order) && p.missed[order[n]].from == from.from && p.missed[order[n]].first <= last+near; n++ {
			last = max(last, p.missed[order[n]].last)
		}
		if err := p.again(ctx, from.from, from.first, last, order[:n], out); err != nil {
			return err
		}
		order = order[n:]
	}
	p.report.Findings = append(p.report.Findings, out...)
	p.missed = nil
	return nil
}

// again reads a part of a topic again for the words of some findings.
func (p *part) again(ctx context.Context, from origin, first, last int64, which []int, out []Finding) error {
	at := map[int64][]int{}
	for _, i := range which {
		at[p.missed[i].at] = append(at[p.missed[i].at], i)
	}
	s := span{topic: p.Topics.RawPages, from: first, to: last + 1}
	switch from {
	case inChecks:
		s.topic = p.Topics.Checkpoints
	case inMessages:
		s.topic = p.Topics.Messages
	case inGroups:
		due := func(d *due) error {
			p.dueWords(d, at[d.at], out)
			return ctx.Err()
		}
		err := p.read(ctx, s, reading{
			record:  func(r *schemas.Record) error { return p.take(r, nil, due) },
			damaged: func() error { return p.flush(due) },
			ended:   p.group.detach,
		})
		if err != nil {
			return err
		}
		return p.flush(due)
	}
	return p.read(ctx, s, reading{record: func(r *schemas.Record) error {
		for _, i := range at[r.Offset] {
			if err := p.words(ctx, from, r, &out[i]); err != nil {
				return err
			}
		}
		return nil
	}})
}

// words fills in what a record says.
func (p *part) words(ctx context.Context, from origin, r *schemas.Record, f *Finding) error {
	switch from {
	case inChecks:
		var v schemas.Checkpoint
		if err := p.check.Decode(ctx, r.Value, &v); err != nil {
			return err
		}
		f.ContainerKey, f.Epoch, f.Page, f.PageID = &v.ContainerKey, &v.Epoch, &v.Pages, v.LastPageID
	case inMessages:
		var m schemas.Message
		if err := p.message.Decode(ctx, r.Value, &m); err != nil {
			return err
		}
		record, page := m.RecordID, m.Provenance.PageID
		f.RecordID, f.PageID = &record, &page
	default:
		page, _ := schemas.ParsePage(r) // what it holds is shown
		pageWords(&page, f)
	}
	return nil
}

func pageWords(page *schemas.Page, f *Finding) {
	key, epoch, number, id := string(page.Container), page.Epoch, page.Number, page.ID
	f.ContainerKey, f.Epoch, f.PageID = &key, &epoch, &id
	if f.Page == nil {
		f.Page = &number
	}
}

// dueWords fills in what is known of something that is due, for those of some findings that are about it.
func (p *part) dueWords(d *due, which []int, out []Finding) {
	for _, i := range which {
		m := &p.missed[i]
		if d.kind == itemShown || m.pointer != pointerDigest(d.pointer) {
			continue
		}
		if d.record == "" && m.record != 0 || d.record != "" && m.record != digest(d.record) {
			continue
		}
		for n := range p.group.records {
			if p.group.records[n].Offset == d.at {
				pageWords(&p.group.pages[n], &out[i])
			}
		}
		if d.record != "" {
			record := d.record
			out[i].RecordID = &record
		}
		out[i].Detail = "item " + d.pointer + " has no message and no dead letter"
		if d.pointer == "" {
			out[i].Detail = "the page cannot be read, and no dead letter says so"
		}
	}
}
