package normalize_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/memlog"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
)

// reading is a decoder whose one message has any record id at all.
type reading struct{ id string }

func (d *reading) Decode(p []schemas.Page, out *connectors.Decoded) {
	decoder{}.Decode(p, out)
	for i := range out.Readings {
		out.Readings[i].Message.RecordID = d.id
	}
}

func only(f func(*reading)) map[string]func() connectors.Decoder {
	return map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder {
		d := &reading{}
		f(d)
		return d
	}}
}

// normalizer opens the state and gives a normalizer of it, until the test ends.
func (r *rig) normalizer() *normalize.Normalizer {
	r.t.Helper()
	if r.conf.Index == nil {
		ix, err := store.Open(r.dir, slog.New(slog.DiscardHandler))
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() {
			if err := ix.Close(); err != nil {
				r.t.Error(err)
			}
		})
		r.conf.Index = ix
	}
	return normalize.New(r.conf)
}

// TestOnceEndsAtTheEndThatWasThere adds pages while it runs; those may wait for the next run.
func TestOnceEndsAtTheEndThatWasThere(t *testing.T) {
	r := newRig(t, memlog.Faults{MaxRecords: 1})
	r.toTheEnd() // nothing is there at all
	if n := r.log.Attempts(); n != 0 {
		t.Errorf("%d commits of nothing", n)
	}
	r = newRig(t, memlog.Faults{MaxRecords: 1})
	fresh := make(chan schemas.Record, 3)
	for i := range 3 {
		r.add(page(item{ID: fmt.Sprint(i), Rev: 1}))
		fresh <- r.raw(page(item{ID: fmt.Sprint("late", i), Rev: 1}))
	}
	own := &growing{Partition: r.log.Own(topics.RawPages, 0), log: r.log, fresh: fresh}
	if err := r.normalizer().Partition(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if n := len(r.messages()); n != 3 {
		t.Errorf("%d messages, want those of the 3 pages that were there at the start", n)
	}
	if len(fresh) != 0 {
		t.Errorf("%d pages were not added meanwhile", len(fresh))
	}
}

// growing is an ownership whose topic of raw pages grows with every commit.
type growing struct {
	*memlog.Partition
	log   *memlog.Log
	fresh chan schemas.Record
}

func (g *growing) Commit(ctx context.Context, records []schemas.Record, next int64) error {
	select {
	case rec := <-g.fresh:
		g.log.Append(rec)
	default:
	}
	return g.Partition.Commit(ctx, records, next)
}

// TestOnceStepsOverMarkers has the topic of raw pages end with the marker of a transaction.
func TestOnceStepsOverMarkers(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	w := r.log.Own("another", 0)
	if err := w.Commit(t.Context(), []schemas.Record{r.raw(page(item{ID: "a", Rev: 1}))}, -1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.toTheEnd()
		r.expect("a 1000 created NORMAL -")
	}
}

// TestIndexThatDoesNotFit goes on after something happened to topics or state.
func TestIndexThatDoesNotFit(t *testing.T) {
	first, second := page(item{ID: "a", Text: "x", Rev: 1}), page(item{ID: "a", Text: "y", Rev: 2})
	for name, c := range map[string]struct {
		do      func(r *rig)
		says    string // error; "": goes on
		rebuilt int64
		want    []string
	}{
		"nothing happened": {func(*rig) {}, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"lost":             {func(r *rig) { r.dir = r.t.TempDir() }, "", 1, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"ahead of the offset": {func(r *rig) {
			r.log.SetCommitted(topics.RawPages, 0, -1)
			r.log.Drop(topics.Messages)
		}, "has no offset for partition 0", 0, nil},
		"of another topic": {func(r *rig) {
			r.log.Drop(topics.RawPages)
			r.add(page(item{ID: "a", Text: "other", Rev: 1, State: schemas.MessageRecalled, Invalid: true}))
		}, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"of another topic, the offset is beyond its end": {func(r *rig) {
			r.log.Drop(topics.RawPages)
			r.log.SetCommitted(topics.RawPages, 0, 50)
		}, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"offset beyond the end": {func(r *rig) { r.log.SetCommitted(topics.RawPages, 0, 50) }, "im.raw.pages ends at 2", 0, nil},
		"offset lost, state lost": {func(r *rig) {
			r.log.SetCommitted(topics.RawPages, 0, -1)
			r.dir = r.t.TempDir()
		}, "im.messages holds messages of its pages, up to offset 0 at least", 0, nil},
		"offset set back":      {func(r *rig) { r.log.SetCommitted(topics.RawPages, 0, 0) }, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"output created again": {func(r *rig) { r.log.Drop(topics.Messages) }, "im.messages/0 ends at offset 0, but the state knows its messages up to", 0, nil},
		"output created again, state lost": {func(r *rig) {
			r.log.Drop(topics.Messages)
			r.dir = r.t.TempDir()
		}, "im.messages/0 never held a message", 0, nil},
		"output's begin removed": {func(r *rig) { r.log.Trim(topics.Messages, 0, 2) }, "", 0, []string{"a 2000 relinked NORMAL y"}},
		"output's begin removed, state lost": {func(r *rig) {
			r.log.Trim(topics.Messages, 0, 1)
			r.dir = r.t.TempDir()
		}, "im.messages, but that begins at offset 1", 0, nil},
		"offset beyond the end, state lost": {func(r *rig) {
			r.log.SetCommitted(topics.RawPages, 0, 50)
			r.dir = r.t.TempDir()
		}, "offset 50", 0, nil},
		"retention behind it": {func(r *rig) { r.log.Trim(topics.RawPages, 0, 1) }, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"lost after retention": {func(r *rig) {
			r.log.Trim(topics.RawPages, 0, 1)
			r.dir = r.t.TempDir()
		}, "cannot be rebuilt", 0, nil},
		"older than retention": {func(r *rig) {
			r.add(page(), page(), page())
			r.log.Trim(topics.RawPages, 0, 3)
		}, "", 0, []string{"a 1000 created NORMAL x", "a 2000 relinked NORMAL y"}},
		"lost after retention, nothing committed": {func(r *rig) {
			r.log.Trim(topics.RawPages, 0, 1)
			r.log.SetCommitted(topics.RawPages, 0, -1)
			r.log.Drop(topics.Messages)
			r.dir = r.t.TempDir()
		}, "", 0, []string{"a 2000 created NORMAL y"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, memlog.Faults{})
			r.add(first)
			r.toTheEnd()
			c.do(r)
			r.add(second)
			err := r.session(t.Context())
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error %v does not say %q", err, c.says)
				}
				if n := r.log.Attempts(); n != 1 {
					t.Errorf("%d commits", n)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r.expect(c.want...)
			if n := r.stats.Rebuilt.Load(); n != c.rebuilt {
				t.Errorf("%d pages were read again, want %d", n, c.rebuilt)
			}
		})
	}
}

// TestCommitInterval lets pages trickle in: none waits longer than the interval, and no transaction is made for each.
func TestCommitInterval(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memlog.Faults{})
		r.dir, r.conf.Once, r.conf.Now, r.conf.CommitInterval = dir, false, time.Now, 200*time.Millisecond
		ix, err := store.Open(r.dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		r.conf.Index = ix
		n := normalize.New(r.conf)
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		done := make(chan error, 1)
		own := r.log.Own(topics.RawPages, 0)
		go func() { done <- n.Partition(ctx, own) }()
		const pages, step = 100, 10 * time.Millisecond
		for i := range pages {
			r.add(page(item{ID: fmt.Sprint(i), Rev: 1}))
			time.Sleep(step)
			synctest.Wait()
			if behind := i + 1 - len(r.messages()); behind > 21 {
				t.Fatalf("after page %d: %d pages wait for their transaction", i, behind)
			}
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if got := len(r.messages()); got != pages {
			t.Errorf("%d messages of %d, an interval after the last", got, pages)
		}
		if got := r.log.Attempts(); got != 5 {
			t.Errorf("%d transactions for a second of pages at intervals of 200 ms, want 5", got)
		}
		if own.Beats() == 0 || n.Stats().Pages.Load() != pages || n.Stats().Messages.Load() != pages || n.Stats().Transactions.Load() != 5 {
			t.Errorf("%d signs of life, %d pages, %d messages", own.Beats(), n.Stats().Pages.Load(), n.Stats().Messages.Load())
		}
		cancel(stop)
		if err := <-done; !errors.Is(err, stop) {
			t.Error(err)
		}
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLargePagesDoNotGatherInMemory commits before the interval where much is in hand.
func TestLargePagesDoNotGatherInMemory(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	for i := range 6 {
		it := item{ID: fmt.Sprint(i), Rev: 1, Text: strings.Repeat("x", schemas.MaxText)}
		it2 := it
		it2.ID += "b"
		r.add(page(it, it2, item{ID: it.ID + "c", Rev: 1, Text: it.Text}))
	}
	r.conf.CommitInterval = time.Hour
	r.toTheEnd()
	if got := r.log.Attempts(); got < 2 || got > 4 {
		t.Errorf("%d transactions for 18 MiB", got)
	}
	if got := len(r.messages()); got != 18 {
		t.Errorf("%d messages", got)
	}
}

// TestReadFault ends the session with the log's error; nothing of what was in hand is published.
func TestReadFault(t *testing.T) {
	reached := 0
	for k := 1; reached == k-1; k++ {
		looks := 0
		r := newRig(t, memlog.Faults{MaxRecords: 1, Read: func(string) error {
			if looks++; looks == k {
				return memlog.ErrFault
			}
			return nil
		}})
		r.conf.CommitInterval = time.Hour
		r.add(page(item{ID: "a", Rev: 1}), page(item{ID: "b", Rev: 1}))
		n := r.toTheEnd()
		if looks >= k {
			reached = k
		}
		if n != 1+min(1, looks/k) {
			t.Errorf("fault at look %d of %d: %d sessions", k, looks, n)
		}
		r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -")
	}
	if reached < 5 {
		t.Errorf("a session looks at topics %d times", reached)
	}
}

// TestEndOfContextWhileCommitting ends ctx before, within and between slow commits: the session ends with the cause as
// soon as the commit in hand is done, and the next one goes on.
func TestEndOfContextWhileCommitting(t *testing.T) {
	const slow = 30 * time.Millisecond
	for after := time.Duration(0); after < 100*time.Millisecond; after += 10 * time.Millisecond {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memlog.Faults{MaxRecords: 1, CommitTime: func() time.Duration { return slow }})
			r.dir, r.conf.Now = dir, time.Now
			for i := range 3 {
				r.add(page(item{ID: fmt.Sprint(i), Rev: 1}))
			}
			stop := errors.New("stop")
			ctx, cancel := context.WithCancelCause(t.Context())
			timer := time.AfterFunc(after, func() { cancel(stop) })
			began := time.Now()
			if err := r.session(ctx); err != nil && !errors.Is(err, stop) || err == nil && timer.Stop() {
				t.Errorf("after %v: %v", after, err)
			}
			if took := time.Since(began); took > after+slow {
				t.Errorf("it took %v to stop after %v", took, after)
			}
			r.toTheEnd()
			r.expect("0 1000 created NORMAL -", "1 1000 created NORMAL -", "2 1000 created NORMAL -")
		})
	}
}
