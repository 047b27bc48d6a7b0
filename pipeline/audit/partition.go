package audit

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"

	"chatlake/connectors"
	"chatlake/schemas"
)

// part is the audit of one partition.
type part struct {
	*audit
	id       int32
	log      Log
	bounds   bounds
	decoders map[string]connectors.Decoder
	decoded  connectors.Decoded
	group    group

	chains *sorter // see chain.go
	items  *sorter // see item.go
	rows   *sorter // see row.go
	missed []miss  // findings whose words are to be read again

	strayed        []miss // messages whose item is at another raw offset than they say
	strays, placed int    // how many these are, and those at the right one
}

// The digests are of this process alone: nobody can choose what collides.
var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// digest is never 0.
func digest(s string) uint64 { return max(maphash.String(seeds[0], s), 1) }

func digest2(s string) (a, b uint64) { return digest(s), maphash.String(seeds[1], s) }

// tagged puts the kind of an entry into the upper byte of an offset.
func tagged(kind uint64, offset int64) uint64 { return kind<<56 | uint64(offset)&offsetMask }

const offsetMask = 1<<56 - 1

func kindOf(w uint64) uint64  { return w >> 56 }
func offsetOf(w uint64) int64 { return int64(w & offsetMask) }

func (a *audit) partition(ctx context.Context, id int32) (err error) {
	p := &part{
		audit: a, id: id, log: a.Log(id), decoders: map[string]connectors.Decoder{},
		chains: newSorter(a.Dir, 7), items: newSorter(a.Dir, 7), rows: newSorter(a.Dir, 6),
	}
	defer func() {
		for _, s := range []*sorter{p.chains, p.items, p.rows} {
			err = errors.Join(err, s.close())
		}
	}()
	for platform, of := range a.Platforms {
		p.decoders[platform] = of.Decoder()
	}
	for _, step := range []func(context.Context) error{
		p.survey, p.readCheckpoints, p.readDeadLetters, p.readMessages, p.readPages, p.compareChains, p.compareItems, p.compareRows, p.describe,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// found adds a finding whose words are known.
func (p *part) found(f Finding) {
	p.report.Counts[f.Kind]++
	if len(p.report.Findings) < p.MaxFindings {
		p.report.Findings = append(p.report.Findings, f)
	}
}

// unreadable is a finding of a record whose value cannot be decoded. The registry's silence is an error.
func (p *part) unreadable(r *schemas.Record, err error) error {
	if errors.Is(err, schemas.ErrNoAnswer) {
		return err
	}
	p.found(Finding{Kind: KindUnreadable, Detail: fmt.Sprintf("%s/%d offset %d: %v", r.Topic, p.id, r.Offset, err)})
	return nil
}

func (p *part) readCheckpoints(ctx context.Context) error {
	return p.read(ctx, p.bounds.checks, reading{record: func(r *schemas.Record) error {
		if r.Value == nil {
			return nil // a tombstone
		}
		var v schemas.Checkpoint
		if err := p.check.Decode(ctx, r.Value, &v); err != nil {
			return p.unreadable(r, err)
		}
		return p.chains.add(checkpointEntry(r.Offset, &v))
	}})
}

func (p *part) readDeadLetters(ctx context.Context) error {
	return p.read(ctx, p.bounds.dead, reading{record: func(r *schemas.Record) error {
		var v schemas.DeadLetter
		if err := p.dead.Decode(ctx, r.Value, &v); err != nil {
			return p.unreadable(r, err)
		}
		if v.Stage == schemas.StageExtract {
			return nil // of what no page shows
		}
		page, pointer := deref(v.PageID), deref(v.ItemPointer)
		if err := p.items.add(entry{digest(page), pointerDigest(pointer), tagged(itemDead, r.Offset)}); err != nil {
			return err
		}
		if v.RecordID == nil {
			return nil
		}
		a, b := digest2(*v.RecordID)
		return p.rows.add(entry{a, b, tagged(rowDead, r.Offset)})
	}})
}

func (p *part) readMessages(ctx context.Context) error {
	return p.read(ctx, p.bounds.messages, reading{record: func(r *schemas.Record) error {
		var m schemas.Message
		if err := p.message.Decode(ctx, r.Value, &m); err != nil {
			return p.unreadable(r, err)
		}
		v := &m.Provenance
		e := entry{digest(v.PageID), pointerDigest(v.ItemPointer), tagged(itemMessage, r.Offset)}
		if v.RawTopic == p.Topics.RawPages {
			if e[3] = fromHere; v.RawPartition != int64(p.id) || v.RawOffset < 0 {
				e[3] = fromElsewhere
			}
			e[4] = uint64(v.RawOffset)
		}
		if err := p.items.add(e); err != nil {
			return err
		}
		a, b := digest2(m.RecordID)
		return p.rows.add(entry{a, b, tagged(rowMessage, r.Offset), uint64(m.Version)})
	}})
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
