package extract_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// capped is an ownership that sees a topic only up to a last stable offset, until a time: what a transaction that another
// producer left open (a normalizer that was killed: 60 s) does to all read_committed readers of the partition.
type capped struct {
	*memlog.Partition
	topic  string
	stable int64
	until  time.Time
}

func (h *capped) cap(topic string, end int64) int64 {
	if topic == h.topic && time.Now().Before(h.until) {
		return min(end, h.stable)
	}
	return end
}

func (h *capped) Offsets(ctx context.Context, topic string) (start, stable int64, err error) {
	start, stable, err = h.Partition.Offsets(ctx, topic)
	return start, h.cap(topic, stable), err
}

type cappedReader struct {
	h     *capped
	topic string
	next  int64
}

func (h *capped) Reader(topic string, from int64) pipeline.Reader {
	return &cappedReader{h, topic, from}
}

func (r *cappedReader) Read(ctx context.Context, wait time.Duration, maxBytes int) (pipeline.Batch, error) {
	b, err := r.h.Partition.Reader(r.topic, r.next).Read(ctx, 0, maxBytes)
	if err != nil {
		return b, err
	}
	end := r.h.cap(r.topic, b.Next)
	for len(b.Records) > 0 && b.Records[len(b.Records)-1].Offset >= end {
		b.Records = b.Records[:len(b.Records)-1]
	}
	b.Next = max(r.next, end)
	if b.Next == r.next {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return pipeline.Batch{}, context.Cause(ctx)
		}
	}
	r.next = b.Next
	return b, nil
}

// TestOnceWaitsForHiddenContainers has a machine die with both stages on it: the normalizer leaves a transaction open on im.containers, behind which the
// extractor has committed a page and the threads that it shows. extractor --once is started again before the broker's
// time-out.
func TestOnceWaitsForHiddenContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c, hidden := r.chat(0), r.chat(1)
		r.add(c)
		r.toTheEnd()
		_, seen, err := r.log.Own(topics.Containers, 0).Offsets(t.Context(), topics.Containers)
		if err != nil {
			t.Fatal(err)
		}
		r.add(hidden) // committed, but behind the open transaction
		own := &capped{r.log.Own(topics.Containers, 0), topics.Containers, seen, time.Now().Add(time.Minute)}
		began := time.Now()
		if err := extract.New(r.conf).Partition(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		if n := len(r.log.Records(topics.RawPages, 0)); n != 2 {
			t.Errorf("--once ended after %v with %d pages: the second container was never read, and exit is 0", time.Since(began), n)
		}
		r.allEnded(r.check())
	})
}

// TestHiddenCheckpointsRepeatNoPage is the same for im.checkpoints: another group's open transaction, or a leader that was deposed and does not know it
// (ListOffsets and Fetch carry no leader epoch).
func TestHiddenCheckpointsRepeatNoPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.pages[c.ID] = 3
		r.add(c)
		r.toTheEnd()
		_, end, err := r.log.Own(topics.Containers, 0).Offsets(t.Context(), topics.Checkpoints)
		if err != nil {
			t.Fatal(err)
		}
		own := &capped{r.log.Own(topics.Containers, 0), topics.Checkpoints, end - 2, time.Now().Add(time.Minute)}
		if err := extract.New(r.conf).Partition(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		ids := map[string]int{}
		for _, rec := range r.log.Records(topics.RawPages, 0) {
			p, err := schemas.ParsePage(&rec)
			if err != nil {
				t.Fatal(err)
			}
			ids[p.ID]++
		}
		if len(ids) != 3 {
			t.Errorf("%d pages, want 3", len(ids))
		}
		for id, n := range ids {
			if n > 1 {
				t.Errorf("page %s is there %d times", id[:8], n)
			}
		}
	})
}
