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

// Settled gives the first offset of a topic, and the one after all that stood in it when it was called. It waits for open
// transactions that hide some of that: the broker ends them, at the latest, when they time out.
func Settled(ctx context.Context, l Log, topic string, logger *slog.Logger) (start, end int64, err error) {
	if end, err = l.End(ctx, topic); err != nil {
		return 0, 0, err
	}
	for began, warned := time.Now(), false; ; {
		start, stable, err := l.Offsets(ctx, topic)
		if err != nil || stable >= end {
			return start, end, err
		}
		l.Beat()
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

// ReadTo hands the records of a topic from an offset to another to fn, in order. What cannot be read is an *Unreadable.
func ReadTo(ctx context.Context, l Log, s Span, fn func(*schemas.Record) error) error {
	r := l.Reader(s.Topic, s.From)
	for next := s.From; next < s.To; {
		b, err := r.Read(ctx, time.Second, 8<<20)
		if err != nil {
			return err
		}
		for _, d := range b.Skipped {
			if d.First < s.To {
				return &Unreadable{s.Topic, d}
			}
		}
		for i := range b.Records {
			if b.Records[i].Offset >= s.To {
				return nil
			}
			if err := fn(&b.Records[i]); err != nil {
				return err
			}
		}
		next = b.Next
	}
	return nil
}

// Span is a part of a topic: offsets from From up to but not including To.
type Span struct {
	Topic    string
	From, To int64
}
