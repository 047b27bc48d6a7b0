package audit

import (
	"context"
	"fmt"
	"time"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// span is the part of a topic that is read.
type span struct {
	topic    string
	from, to int64
	hidden   bool // an open transaction hides records that were there
}

// bounds is how far each topic of a partition is read. They are taken in an order in which what is found later covers what
// was found before, so that a running installation shows nothing that is not so:
//
//  1. covered: pages before it were committed, and their checkpoints with them.
//  2. checks: so the checkpoints are read after that; what they name are pages.
//  3. committed: what follows from pages before it was committed with it.
//  4. messages, dead: so these are read after that; what they name are pages.
//  5. pages: so these are read last.
type bounds struct {
	covered                int64
	committed              int64
	checks, messages, dead span
	pages                  span
}

func (p *part) survey(ctx context.Context) (err error) {
	b := &p.bounds
	t := &p.Topics
	if _, b.covered, err = p.log.Offsets(ctx, t.RawPages); err != nil {
		return err
	}
	if b.checks, err = p.settled(ctx, t.Checkpoints); err != nil {
		return err
	}
	if b.committed, err = p.log.Committed(ctx); err != nil {
		return err
	}
	if b.messages, err = p.settled(ctx, t.Messages); err != nil {
		return err
	}
	if b.dead, err = p.settled(ctx, t.DeadLetters); err != nil {
		return err
	}
	b.pages, err = p.settled(ctx, t.RawPages)
	return err
}

// settled gives the part of a topic that was there when it was called. Transactions that hide some of that are waited for.
func (p *part) settled(ctx context.Context, topic string) (span, error) {
	end, err := p.log.End(ctx, topic)
	if err != nil {
		return span{}, err
	}
	for began := time.Now(); ; {
		start, stable, err := p.log.Offsets(ctx, topic)
		s := span{topic: topic, from: start, to: min(stable, end)}
		switch {
		case err != nil || stable >= end:
			return s, err
		case time.Since(began) > p.Patience:
			s.hidden = true
			p.Logger.Warn("an open transaction hides records: what depends on them is not audited; run the audit again when it has ended",
				"topic", topic, "partition", p.id, "from", stable, "to", end)
			return s, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return s, context.Cause(ctx)
		}
	}
}

// fetchBytes is about how much is read at once.
const fetchBytes = 4 << 20

// maxStill is how long reading may bring nothing, though there is something.
const maxStill = time.Minute

// reading is what is done with what a span holds.
type reading struct {
	record  func(*schemas.Record) error
	damaged func() error // beside the finding; may be nil
	ended   func()       // memory of the records so far is about to be let go; may be nil
}

// read hands over the records of a span, in order. What cannot be read is a finding.
func (p *part) read(ctx context.Context, s span, do reading) error {
	r := p.log.Reader(s.topic, s.from)
	moved := time.Now()
	for next := s.from; next < s.to; {
		b, err := r.Read(ctx, 500*time.Millisecond, fetchBytes)
		if err != nil {
			return fmt.Errorf("read %s/%d: %w", s.topic, p.id, err)
		}
		err = b.Each(func(r *schemas.Record) error {
			if r.Offset >= s.to {
				return nil
			}
			return do.record(r)
		}, func(k *pipeline.Damaged) error {
			if k.First >= s.to {
				return nil
			}
			p.found(Finding{Kind: KindUnreadable, Detail: fmt.Sprintf("%s/%d: offsets %d to %d cannot be read: %s", s.topic, p.id, k.First, k.Last, k.Why)})
			if do.damaged == nil {
				return nil
			}
			return do.damaged()
		})
		if err != nil {
			return err
		}
		if do.ended != nil {
			do.ended()
		}
		if b.Next > next {
			next, moved = b.Next, time.Now()
		} else if time.Since(moved) > maxStill {
			return fmt.Errorf("%s/%d reaches offset %d, but for %v nothing comes after offset %d: was the topic deleted and created again?",
				s.topic, p.id, s.to, maxStill, next)
		}
	}
	return nil
}
