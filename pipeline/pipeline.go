// Package pipeline is what the two stages share: an owned partition of a log as they see it, and how they set aside what
// cannot be processed. It knows no vendor and no broker.
package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"chatlake/schemas"
)

// Log is one partition that this process owns for as long as the context of its owner lasts. Topics are read and
// written in that partition number only.
type Log interface {
	ID() int32
	// Total is the number of partitions of every topic.
	Total() int
	// Committed is the offset of the driving topic that was committed last when ownership began, -1 where none was.
	Committed() int64
	// Offsets gives the first offset of a topic and the one after its last committed record.
	Offsets(ctx context.Context, topic string) (start, stable int64, err error)
	// End gives the offset after the last record that a topic is known to hold, committed or not: an open transaction of
	// another writer hides what is committed behind it from Offsets and Reader, never from End. It never says less than
	// what an earlier owner knew when it committed last.
	End(ctx context.Context, topic string) (int64, error)
	// Reader reads the committed records of a topic from an offset on.
	Reader(topic string, from int64) Reader
	// Commit writes all records, and next as the offset of the driving topic to go on from, in one transaction. A next
	// below 0 leaves the offset alone. It returns nil only when all of it is durable and visible together; after any
	// error the outcome is unknown and ownership must begin anew. A commit that has begun when ctx ends is given a few
	// seconds: a transaction left open would keep readers of its topics waiting until the broker times it out.
	//
	// A *TooLarge is the one error after which ownership goes on: nothing was written.
	Commit(ctx context.Context, records []schemas.Record, next int64) error
	// Beat says that the stage is alive.
	Beat()
}

// TooLarge says that a topic does not take a record of a commit, and that nothing of the commit was written.
type TooLarge struct {
	Topic string
	Index int // of the record in the commit
	Size  int // bytes, as it would be written
	Limit int // bytes, the topic's max.message.bytes
}

func (e *TooLarge) Error() string {
	return fmt.Sprintf("a record of %d bytes does not fit into %s, which takes %d (max.message.bytes)", e.Size, e.Topic, e.Limit)
}

// maxHidden is longer than a transaction can be open: Kafka's transaction.max.timeout.ms is 15 minutes unless set higher.
const maxHidden = 20 * time.Minute

// Settled gives the first offset of a topic, and the one after all that stood in it when it was called. It waits for open
// transactions that hide some of that: the broker ends them, at the latest, when they time out. It is an error where none
// has ended after longer than brokers let a transaction last: the topic was then deleted and created again, or cut.
func Settled(ctx context.Context, l Log, topic string, logger *slog.Logger) (start, end int64, err error) {
	if end, err = l.End(ctx, topic); err != nil {
		return 0, 0, err
	}
	began, moved, last, warned := time.Now(), time.Now(), int64(-1), false
	for {
		start, stable, err := l.Offsets(ctx, topic)
		if err != nil || stable >= end {
			return start, end, err
		}
		l.Beat()
		if stable > last {
			last, moved = stable, time.Now()
		} else if time.Since(moved) > maxHidden {
			return 0, 0, fmt.Errorf("%s/%d should reach offset %d, but for %v it has shown nothing after offset %d: an open transaction that "+
				"the broker does not end, or the topic was deleted and created again", topic, l.ID(), end, maxHidden, stable)
		}
		if !warned && time.Since(began) > 5*time.Second {
			warned = true
			logger.Warn("an open transaction of another writer hides records: waiting until it ends or times out",
				"topic", topic, "partition", l.ID(), "from", stable, "to", end)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
}

// sleep returns nil after d, or why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Reader reads one partition of a topic, in order.
type Reader interface {
	// Read returns what is there after what it returned before, waiting up to wait for anything at all. A batch may be
	// empty. Values may share memory that is valid until the batch is dropped.
	Read(ctx context.Context, wait time.Duration, maxBytes int) (Batch, error)
}

// Batch is some records in order, and the offset after all that they cover.
type Batch struct {
	Records []schemas.Record
	Next    int64
	// Skipped are the ranges below Next that could not be read, whoever wrote or damaged them. They are not read again, so
	// whoever commits Next leaves a dead letter for each, or stops where nothing may be missing.
	Skipped []Damaged
}

// Each hands records and what could not be read to two functions, in the order of their offsets.
func (b *Batch) Each(record func(*schemas.Record) error, damaged func(*Damaged) error) error {
	skipped := b.Skipped
	for i := range b.Records {
		for ; len(skipped) > 0 && skipped[0].First < b.Records[i].Offset; skipped = skipped[1:] {
			if err := damaged(&skipped[0]); err != nil {
				return err
			}
		}
		if err := record(&b.Records[i]); err != nil {
			return err
		}
	}
	for i := range skipped {
		if err := damaged(&skipped[i]); err != nil {
			return err
		}
	}
	return nil
}

// Damaged is a range of offsets of a topic that could not be read.
type Damaged struct {
	First, Last int64
	Why         string
}

// Unreadable says that a part of a topic which had to be read whole could not be.
type Unreadable struct {
	Topic string
	Damaged
}

func (e *Unreadable) Error() string {
	return fmt.Sprintf("%s: offsets %d to %d cannot be read: %s", e.Topic, e.First, e.Last, e.Why)
}

// maxStill is how long reading to an offset may show nothing, though the topic was said to go on.
const maxStill = time.Minute

// ReadTo hands the records of a topic from an offset to another to fn, in order. What cannot be read is an *Unreadable. It
// is an error, too, where for a minute nothing comes although the topic is said to reach further: waiting on would look
// like work.
func ReadTo(ctx context.Context, l Log, s Span, fn func(*schemas.Record) error) error {
	return ReadBatches(ctx, l, s, func(b *Batch) error {
		if len(b.Skipped) > 0 {
			return &Unreadable{s.Topic, b.Skipped[0]}
		}
		for i := range b.Records {
			if err := fn(&b.Records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadBatches is ReadTo for who goes on past what cannot be read. What lies beyond the span is cut off.
func ReadBatches(ctx context.Context, l Log, s Span, fn func(*Batch) error) error {
	r := l.Reader(s.Topic, s.From)
	moved := time.Now()
	for next := s.From; next < s.To; {
		b, err := r.Read(ctx, time.Second, 8<<20)
		if err != nil {
			return err
		}
		l.Beat()
		b.Records = before(b.Records, s.To, func(r *schemas.Record) int64 { return r.Offset })
		b.Skipped = before(b.Skipped, s.To, func(k *Damaged) int64 { return k.First })
		if err := fn(&b); err != nil {
			return err
		}
		if b.Next > next {
			next, moved = b.Next, time.Now()
		} else if still := time.Since(moved); still >= maxStill {
			return fmt.Errorf("%s/%d was said to reach offset %d, but for %v nothing comes after offset %d: was the topic deleted and "+
				"created again, or is an open transaction of another writer before it?", s.Topic, l.ID(), s.To, still.Round(time.Second), next)
		}
	}
	return nil
}

// before cuts off what lies at an offset or beyond it.
func before[T any](list []T, to int64, offset func(*T) int64) []T {
	for i := range list {
		if offset(&list[i]) >= to {
			return list[:i]
		}
	}
	return list
}

// Span is a part of a topic: offsets from From up to but not including To.
type Span struct {
	Topic    string
	From, To int64
}
