package main

import (
	"context"
	"errors"
	"sync"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/schemas"
)

// scan calls fn with every committed record of some partitions of a topic, up to now: for one record at a time, in the order of
// each partition. What cannot be read, or is hidden by an open transaction, is said. fn keeps no memory of a record's.
func (t *tool) scan(ctx context.Context, n *worker.Connection, topic string, partitions []int32, fn func(*schemas.Record) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var one sync.Mutex
	slots := make(chan struct{}, readersAtOnce)
	var all sync.WaitGroup
	for _, p := range partitions {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			err := t.scanPartition(ctx, n.Client, place{topic, p}, func(r *schemas.Record) error {
				one.Lock()
				defer one.Unlock()
				return fn(r)
			})
			if err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

func (t *tool) scanPartition(ctx context.Context, c *kafka.Client, at place, fn func(*schemas.Record) error) error {
	start, stable, err := c.Offsets(ctx, at.topic, at.partition)
	if err != nil {
		return err
	}
	end, err := c.End(ctx, at.topic, at.partition)
	if err != nil {
		return err
	}
	if end > stable {
		t.note("%s/%d: an open transaction hides what lies from offset %d to %d: run the command again when it has ended", at.topic, at.partition, stable, end)
	}
	return readUntil(ctx, c, span{at, start, stable}, func(b *kafka.Batch) error {
		t.noteSkipped(at, b)
		for i := range b.Records {
			if err := fn(&b.Records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// noteSkipped says what of a batch could not be read, and whether anything could not.
func (t *tool) noteSkipped(at place, b *kafka.Batch) bool {
	for _, k := range b.Skipped {
		t.note("%s/%d: offsets %d to %d cannot be read and are left out: %s", at.topic, at.partition, k.First, k.Last, k.Why)
	}
	return len(b.Skipped) > 0
}

// span is a part of a partition: from an offset up to but not including another.
type span struct {
	place
	from, to int64
}

// errStill says that a partition does not show what it was said to hold.
var errStill = errors.New("shows nothing more though it was said to hold more: was the topic deleted and created again? Run the command again")

// stillReads is how many reads may bring nothing, of half a second each, before that is an error.
const stillReads = 60

// readUntil hands out what lies in a span, batch by batch; what lies beyond it is cut off.
func readUntil(ctx context.Context, c *kafka.Client, s span, fn func(*kafka.Batch) error) error {
	r := c.Reader(s.topic, s.partition, s.from)
	for still := 0; s.from < s.to; {
		b, err := r.Read(ctx, tailWait/2, tailBytes)
		if err != nil {
			return err
		}
		for i := range b.Records {
			if b.Records[i].Offset >= s.to {
				b.Records = b.Records[:i]
				break
			}
		}
		if err := fn(&b); err != nil {
			return err
		}
		if still++; b.Next > s.from {
			s.from, still = b.Next, 0
		} else if still > stillReads {
			return errStill
		}
	}
	return nil
}
