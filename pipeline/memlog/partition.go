package memlog

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// ErrFault is the error of every fault that was asked for.
var ErrFault = errors.New("a fault that was asked for")

// Outcome is what becomes of one commit.
type Outcome int

// Outcomes of a commit.
const (
	Done    Outcome = iota // durable, and the owner is told so
	Refused                // nothing is written; the owner gets an error
	Aborted                // written and aborted: offsets are used up, nobody sees them; the owner gets an error
	Kept                   // durable, but the owner gets an error
)

// Faults are what goes wrong. Its zero value is a log that never fails.
type Faults struct {
	// Commit tells the outcome of the n-th commit of the whole log, counted from 1.
	Commit func(n int) Outcome
	// Read tells what a read or a look at a topic's offsets fails with.
	Read func(topic string) error
	// CommitTime and ReadTime are how long each takes. A commit that has begun is not cut short by its context.
	CommitTime, ReadTime func() time.Duration
	// MaxRecords is the most that one read brings; 0: as many as fit.
	MaxRecords int
	// Unreadable tells of a record that nobody can read, as of a batch that cannot be decompressed.
	Unreadable func(r *schemas.Record) bool
	// Limits are the most bytes that a value in a topic may have; a topic that is not here has no limit.
	Limits map[string]int
}

// Partition is one ownership of one partition.
type Partition struct {
	log       *Log
	driver    string
	id        int32
	committed int64
	turn      chan struct{} // held by the commit that goes on
	over      bool          // a commit has failed; guarded by log.mu
	beats     atomic.Int64
}

// ID is the partition's number.
func (p *Partition) ID() int32 { return p.id }

// Total is the number of partitions of every topic.
func (p *Partition) Total() int { return p.log.total }

// Committed is the offset of the driving topic when ownership began, -1 where none was committed.
func (p *Partition) Committed() int64 { return p.committed }

// Beat counts signs of life.
func (p *Partition) Beat() { p.beats.Add(1) }

// Beats is how often Beat was called.
func (p *Partition) Beats() int64 { return p.beats.Load() }

// Offsets gives the first offset of a topic and the one after all that is committed.
func (p *Partition) Offsets(ctx context.Context, topic string) (start, stable int64, err error) {
	if err := p.log.fault(ctx, topic); err != nil {
		return 0, 0, err
	}
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	at := p.log.at(topic, p.id)
	return at.start, at.stable(), nil
}

// End gives the offset after the last record of a topic.
func (p *Partition) End(ctx context.Context, topic string) (int64, error) {
	if err := p.log.fault(ctx, topic); err != nil {
		return 0, err
	}
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.at(topic, p.id).end, nil
}

// Reader reads the same partition of a topic from an offset on.
func (p *Partition) Reader(topic string, from int64) pipeline.Reader {
	return &Reader{log: p.log, topic: topic, id: p.id, next: from}
}

// Commit writes records and the driving topic's offset together, or fails as the faults tell. After an error every other
// commit of this ownership fails too.
func (p *Partition) Commit(ctx context.Context, records []schemas.Record, next int64) error {
	if ctx.Err() != nil {
		return fmt.Errorf("commit: %w", context.Cause(ctx))
	}
	l := p.log
	select {
	case p.turn <- struct{}{}:
	default:
		l.violate("partition %d: two commits at the same time", p.id)
		p.turn <- struct{}{}
	}
	defer func() { <-p.turn }()
	if l.faults.CommitTime != nil {
		time.Sleep(l.faults.CommitTime())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.attempts++
	if p.over || l.owners[place{p.driver, p.id}] != p {
		return fmt.Errorf("partition %d: commit after the end of its ownership", p.id)
	}
	for i := range records {
		if r := &records[i]; r.Partition != p.id {
			p.over = true
			l.violations = append(l.violations, fmt.Sprintf("partition %d: a record for %s/%d", p.id, r.Topic, r.Partition))
			return fmt.Errorf("a record for %s/%d does not belong to partition %d", r.Topic, r.Partition, p.id)
		}
	}
	for i := range records {
		if n, limit := len(records[i].Value), l.faults.Limits[records[i].Topic]; limit > 0 && n > limit {
			return &pipeline.TooLarge{Topic: records[i].Topic, Index: i, Size: n, Limit: limit}
		}
	}
	return p.settle(records, next)
}

// settle gives a commit its outcome. log.mu is held.
func (p *Partition) settle(records []schemas.Record, next int64) error {
	l := p.log
	outcome := Done
	if l.faults.Commit != nil {
		outcome = l.faults.Commit(l.attempts)
	}
	switch outcome {
	case Done, Kept:
		l.history = append(l.history, Transaction{p.id, l.append(records, true), next})
		if next >= 0 {
			l.offsets[place{p.driver, p.id}] = next
		}
	case Aborted:
		l.abort(records)
	case Refused:
	}
	if outcome == Done {
		return nil
	}
	p.over = true
	return fmt.Errorf("commit %d of partition %d: %w", l.attempts, p.id, ErrFault)
}

func (l *Log) violate(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.violations = append(l.violations, fmt.Sprintf(format, args...))
}

// fault is what happens at every look at a topic.
func (l *Log) fault(ctx context.Context, topic string) error {
	if l.faults.ReadTime != nil {
		t := time.NewTimer(l.faults.ReadTime())
		defer t.Stop()
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if l.faults.Read != nil {
		if err := l.faults.Read(topic); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
	}
	return nil
}

// Reader reads one partition of a topic.
type Reader struct {
	log   *Log
	topic string
	id    int32
	next  int64
}

// Read returns what is committed after what it returned before, waiting up to wait for anything; an *OutOfRange where
// the partition does not have the offset.
func (r *Reader) Read(ctx context.Context, wait time.Duration, maxBytes int) (pipeline.Batch, error) {
	if err := r.log.fault(ctx, r.topic); err != nil {
		return pipeline.Batch{}, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		b, grown, err := r.look(maxBytes)
		if err != nil || b.Next > r.next {
			r.next = max(b.Next, r.next)
			return b, err
		}
		select {
		case <-ctx.Done():
			return pipeline.Batch{}, context.Cause(ctx)
		case <-timer.C:
			return b, nil
		case <-grown:
		}
	}
}

// look takes what is there now, and the channel that tells of more.
func (r *Reader) look(maxBytes int) (pipeline.Batch, <-chan struct{}, error) {
	l := r.log
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.at(r.topic, r.id)
	if r.next < p.start || r.next > p.end {
		return pipeline.Batch{}, nil, &OutOfRange{r.topic, r.id, r.next, p.start, p.end}
	}
	b, size := pipeline.Batch{Next: max(r.next, p.stable())}, 0
	for i := range p.records {
		rec := &p.records[i]
		if rec.Offset < r.next || rec.Offset >= b.Next {
			continue
		}
		if l.faults.Unreadable != nil && l.faults.Unreadable(rec) {
			b.Skipped = append(b.Skipped, pipeline.Damaged{First: rec.Offset, Last: rec.Offset, Why: "a fault that was asked for"})
			continue
		}
		full := l.faults.MaxRecords > 0 && len(b.Records)+len(b.Skipped) >= l.faults.MaxRecords
		if len(b.Records) > 0 && (full || size+len(rec.Value) > maxBytes) {
			b.Next = rec.Offset
			break
		}
		b.Records = append(b.Records, *rec)
		size += len(rec.Value)
	}
	return b, l.grown, nil
}
