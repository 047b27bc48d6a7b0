package extract_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestNothingWaitsForATimer runs a log and a platform that take no time. Whatever then takes time has missed a wake-up
// and was saved by a timer.
func TestNothingWaitsForATimer(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			chance := rand.New(rand.NewPCG(seed, 1))
			r := newRig(t, 1, memlog.Faults{})
			r.book.edit = threads
			r.conf.Workers = 1 + chance.IntN(8)
			for i := range 1 + chance.IntN(10) {
				c := r.chat(i)
				r.book.pages[c.ID] = 1 + chance.IntN(4)
				r.add(c)
			}
			began := time.Now()
			r.toTheEnd()
			if took := time.Since(began); took != 0 {
				t.Errorf("seed %d: %v were spent waiting", seed, took)
			}
			r.allEnded(r.check())
		})
	}
}

// lookout is an ownership that remembers up to where its topic of containers was looked at last.
type lookout struct {
	*memlog.Partition
	mu   sync.Mutex
	seen int64
}

func (l *lookout) Offsets(ctx context.Context, topic string) (start, stable int64, err error) {
	start, stable, err = l.Partition.Offsets(ctx, topic)
	if topic == topics.Containers && err == nil {
		l.mu.Lock()
		l.seen = stable
		l.mu.Unlock()
	}
	return start, stable, err
}

// TestOnceEndsNotBeforeAllHasEnded lets everything take random times, sessions end by faults at random commits, and
// another writer add, cancel and ask again all the while. What the topic of containers held when it was looked at last
// must have ended.
func TestOnceEndsNotBeforeAllHasEnded(t *testing.T) {
	runs := uint64(120)
	if testing.Short() {
		runs = 40
	}
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) { untilOnceEnds(t, seed) })
	}
}

func untilOnceEnds(t *testing.T, seed uint64) {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 2))
	n := func(below int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(below)
	}
	some := func() time.Duration { return time.Duration(n(4)) * time.Millisecond }
	r := newRig(t, 1, memlog.Faults{
		CommitTime: some, ReadTime: some, MaxRecords: n(4),
		Commit: func(int) memlog.Outcome {
			if n(12) == 0 {
				return memlog.Outcome(1 + n(3))
			}
			return memlog.Done
		},
	})
	r.conf.Workers = 1 + n(5)
	r.book.edit = threads
	r.book.before = func(context.Context, *schemas.Container, int64) { time.Sleep(some()) }
	r.book.fail = func(_ *schemas.Container, _ int64, tries int) error {
		if n(15) == 0 && tries < 3 {
			return unavailable("503")
		}
		return nil
	}
	chats := make([]schemas.Container, 1+n(6))
	for i := range chats {
		chats[i] = r.chat(i)
		r.book.pages[chats[i].ID] = 1 + n(4)
	}
	r.add(chats[0])
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 2 * len(chats) {
			c := chats[n(len(chats))]
			c.Epoch, c.Cancelled = int64(1+n(2)), n(4) == 0
			r.add(c)
			time.Sleep(4 * some())
		}
	})
	for {
		own := &lookout{Partition: r.log.Own(topics.Containers, 0)}
		err := extract.New(r.conf).Partition(t.Context(), own)
		if err == nil {
			r.endedBefore(own.seen, seed)
			break
		}
		if !errors.Is(err, memlog.ErrFault) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	writer.Wait()
	r.toTheEnd()
	r.allEnded(r.check())
}

// endedBefore expects every container that stands before an offset of the topic of containers to have ended.
func (r *rig) endedBefore(offset int64, seed uint64) {
	r.t.Helper()
	s := r.check()
	stands := schemas.Fold{}
	for _, rec := range r.log.Records(topics.Containers, 0) {
		if c := decoded[schemas.Container](r.t, schemas.ContainerSchema, &rec); rec.Offset < offset {
			stands.Add(&c)
		}
	}
	for key, c := range stands {
		if cp := s.checkpoints[key]; cp.Epoch < c.Epoch || !cp.Ended() {
			r.t.Errorf("seed %d: Once has ended, %s epoch %d stands at %+v", seed, key, c.Epoch, cp)
		}
	}
}

func unavailable(code string) *connectors.Error {
	return &connectors.Error{Class: connectors.ClassUnavailable, API: schemas.FeishuMessagesList, Code: code, Message: "gives nothing", Calls: 4}
}

// TestOnceWaitsForWhatIsFoundMeanwhile holds the last page of a chat back until others were added.
func TestOnceWaitsForWhatIsFoundMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		open := make(chan struct{})
		first := r.chat(0)
		r.book.before = func(_ context.Context, c *schemas.Container, _ int64) {
			if c.Key == first.Key {
				<-open
			}
		}
		r.add(first)
		done := make(chan error, 1)
		go func() { done <- r.session(t.Context()) }()
		all := []schemas.Container{first}
		for i := range 20 {
			synctest.Wait()
			select {
			case err := <-done:
				t.Fatalf("Once has ended while a chat was being read: %v", err)
			default:
			}
			c := r.chat(i + 1)
			r.add(c)
			all = append(all, c)
		}
		close(open)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s := r.check()
		for i := range all {
			r.whole(s, &all[i])
		}
	})
}

// TestManyContainersShareTransactions counts commits: a platform that answers faster than the log commits must not cost
// a transaction for each page.
func TestManyContainersShareTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{CommitTime: func() time.Duration { return 10 * time.Millisecond }})
		const chats, pages = 50, 10
		r.conf.Workers = 2 * chats // half of them are kept for other lanes
		for i := range chats {
			c := r.chat(i)
			r.book.pages[c.ID] = pages
			r.add(c)
		}
		e := extract.New(r.conf)
		if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil {
			t.Fatal(err)
		}
		r.allEnded(r.check())
		// Each page waits for the commit of the one before it, so pages transactions are the least; while one goes on
		// all others gather behind it.
		if got := r.log.Attempts(); got > 2*pages+2 {
			t.Errorf("%d transactions for %d pages of %d containers", got, chats*pages, chats)
		}
		if got := e.Stats().Transactions.Load(); got != int64(r.log.Attempts()) {
			t.Errorf("%d transactions are counted, %d were committed", got, r.log.Attempts())
		}
		want := extract.Summary{Containers: chats, Complete: chats, Pages: chats * pages, Items: 3 * chats * pages, Calls: 2 * chats * pages}
		if got := e.Summary(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("summary %+v, want %+v", got, want)
		}
		e.Assigned()
		if got := e.Summary(); got.Containers != 0 {
			t.Errorf("summary %+v after a new assignment", got)
		}
	})
}

// TestWorkersAreSharedByPartitions counts how many containers are being read at once.
func TestWorkersAreSharedByPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, workers = 4, 5
		r := newRig(t, partitions, memlog.Faults{})
		r.conf.Workers = workers
		r.book.before = func(context.Context, *schemas.Container, int64) { time.Sleep(time.Second) }
		for p := range int32(partitions) {
			for i := range 6 {
				c := r.chatIn(p, 10*int(p)+i)
				r.book.pages[c.ID] = 2
				r.add(c, lookUp(c, i)) // a lane of their own, which a place is kept for
			}
		}
		e := extract.New(r.conf)
		var all sync.WaitGroup
		for p := range int32(partitions) {
			all.Go(func() {
				if err := e.Partition(t.Context(), r.log.Own(topics.Containers, p)); err != nil {
					t.Errorf("partition %d: %v", p, err)
				}
			})
		}
		all.Wait()
		r.allEnded(r.check())
		if r.book.most != workers {
			t.Errorf("%d containers were being read at once, want %d", r.book.most, workers)
		}
		if st := e.Stats(); st.Running.Load() != 0 || st.Queued.Load() != 0 || st.Waiting.Load() != 0 || st.Complete.Load() != 48 {
			t.Errorf("at the end: %d running, %d queued, %d waiting, %d complete", st.Running.Load(), st.Queued.Load(), st.Waiting.Load(), st.Complete.Load())
		}
	})
}
