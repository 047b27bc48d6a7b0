package main

import (
	"context"
	"fmt"
	"time"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/pipeline/compare"
	"chatlake/schemas"
)

// readBatches reads a partition from one offset to another, at least as far as it is stable.
func (r *replay) readBatches(ctx context.Context, at place, from, to int64, fn func(*kafka.Batch) (more bool, err error)) error {
	reader := r.n.Client.Reader(at.topic, at.partition, from)
	for next := from; next < to; {
		b, err := reader.Read(ctx, time.Second, 4<<20)
		if err != nil {
			return err
		}
		if b.Next == next && b.Stable < to {
			return fmt.Errorf("%s/%d ended at offset %d a moment ago, and ends at %d now: was it deleted and created again?", at.topic, at.partition, to, b.Stable)
		}
		next = b.Next
		if more, err := fn(&b); err != nil || !more {
			return err
		}
	}
	return nil
}

// markOffsets is how far from its end a partition is looked at for a message.
const markOffsets = 512

// sameWithout refuses to go on with an output that leaves out others than are asked for.
func (r *replay) sameWithout(ctx context.Context) error {
	decoder := schemas.NewDecoder(schemas.MessageSchema, r.n.Registry.Patient)
	for p := range r.total() {
		at := place{r.n.Topics.Messages, p}
		start, end, err := r.n.Client.Offsets(ctx, at.topic, p)
		if err != nil {
			return err
		}
		err = r.readBatches(ctx, at, max(start, end-markOffsets), end, func(b *kafka.Batch) (bool, error) {
			for i := range b.Records {
				var m schemas.Message
				if decoder.Decode(ctx, b.Records[i].Value, &m) == nil && worker.WithoutMark(m.Provenance.NormalizerVersion) != r.without.Mark() {
					return false, r.errOtherWithout()
				}
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// left reports whether raw pages are left to be normalized.
func (r *replay) left(ctx context.Context) (left bool, err error) {
	for p := int32(0); p < r.total() && !left; p++ {
		at := place{r.n.Topics.RawPages, p}
		start, stable, err := r.n.Client.Offsets(ctx, at.topic, p)
		if err != nil {
			return false, err
		}
		from, err := r.n.Client.Committed(ctx, r.beside.Group, at.topic, p)
		switch {
		case err != nil:
			return false, err
		case from > stable:
			return true, nil // the stage knows what to say
		}
		err = r.readBatches(ctx, at, max(from, start), stable, func(b *kafka.Batch) (bool, error) {
			left = len(b.Records)+len(b.Skipped) > 0
			return !left, nil
		})
		if err != nil {
			return false, err
		}
	}
	return left, nil
}

// extent is how far an output has come in one partition: it holds what follows from all raw pages before low, up to end, and
// may hold what follows from some before high.
type extent struct{ low, high, start, end int64 }

// extentOf looks at an output that may be growing. The group's offset and the records are committed together, but not seen
// together: so the offset is taken before and after, and what was there is waited for.
func (r *replay) extentOf(ctx context.Context, s *worker.NormalizerSettings, p int32) (e extent, err error) {
	c, raw := r.n.Client, r.n.Topics.RawPages
	if e.low, err = c.Committed(ctx, s.Group, raw, p); err != nil {
		return e, err
	}
	if e.end, err = c.End(ctx, s.Output, p); err != nil {
		return e, err
	}
	for began, said := time.Now(), false; ; {
		var stable int64
		if e.start, stable, err = c.Offsets(ctx, s.Output, p); err != nil || stable >= e.end {
			break
		}
		if time.Since(began) > 5*time.Second && !said {
			said = true
			r.note("an open transaction hides records of %s/%d from offset %d on: waiting until it ends", s.Output, p, stable)
		}
		select {
		case <-ctx.Done():
			return e, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err == nil {
		e.high, err = c.Committed(ctx, s.Group, raw, p)
	}
	return e, err
}

// compare compares partition after partition; without --compare it only counts.
func (r *replay) compare(ctx context.Context) error {
	c := compare.Comparer{Dir: r.stateDir(), Decoder: schemas.NewDecoder(schemas.MessageSchema, r.n.Registry.Patient)}
	if err := makeDir(c.Dir); err != nil {
		return err
	}
	report := &r.result.report
	known := false
	for p := range r.total() {
		fresh, err := r.extentOf(ctx, &r.beside, p)
		if err != nil {
			return err
		}
		part := compare.Part{New: r.messages(place{r.options.to, p}, fresh, report)}
		if r.options.compare {
			old, err := r.extentOf(ctx, &r.inForce, p)
			if err != nil {
				return err
			}
			known = known || old.high >= 0
			part.Old = r.messages(place{r.inForce.Output, p}, old, report)
			if part.Moving, err = r.moving(ctx, p, old, fresh); err != nil {
				return err
			}
		}
		if err := c.Compare(ctx, part, report); err != nil {
			return err
		}
	}
	report.Finish()
	if r.options.compare && !known && report.Records+report.Moving > 0 {
		return fmt.Errorf("the consumer group %s has no offset on %s, so it is not known what %s holds: name the output in force and its group "+
			"(NORMALIZER_OUTPUT, NORMALIZER_GROUP)", r.inForce.Group, r.n.Topics.RawPages, r.inForce.Output)
	}
	return nil
}

// messages reads an output's partition as far as it had come.
func (r *replay) messages(at place, e extent, report *compare.Report) compare.Messages {
	return func(ctx context.Context, fn func(*schemas.Record) error) error {
		return r.readBatches(ctx, at, e.start, e.end, func(b *kafka.Batch) (bool, error) {
			for _, d := range b.Skipped {
				report.Damaged(fmt.Sprintf("%s/%d offsets %d to %d cannot be read: %s", at.topic, at.partition, d.First, d.Last, d.Why))
			}
			for i := range b.Records {
				if b.Records[i].Offset >= e.end {
					return false, nil
				}
				if err := fn(&b.Records[i]); err != nil {
					return false, err
				}
			}
			return true, nil
		})
	}
}

// moving finds the conversations that have pages which only one of the outputs was made of, or may have been. All that
// follows from a page is within its conversation, so all others can be compared exactly.
func (r *replay) moving(ctx context.Context, p int32, old, fresh extent) (func(schemas.ConversationKey) bool, error) {
	at := place{r.n.Topics.RawPages, p}
	start, stable, err := r.n.Client.Offsets(ctx, at.topic, p)
	if err != nil {
		return nil, err
	}
	if start > 0 {
		r.note("%s/%d begins at offset %d: what only pages before that have shown counts as missing", at.topic, p, start)
	}
	from, to := max(min(old.low, fresh.low), start), min(max(old.high, fresh.high), stable)
	found := map[schemas.ConversationKey]bool{}
	err = r.readBatches(ctx, at, from, to, func(b *kafka.Batch) (bool, error) {
		for i := range b.Records {
			if b.Records[i].Offset < to {
				found[schemas.ConversationKey(b.Records[i].Key)] = true
			}
		}
		return true, nil
	})
	r.result.conversations += len(found)
	return func(key schemas.ConversationKey) bool { return found[key] }, err
}
