package extract_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// two gives a rig a second platform, Yunxin's.
func (r *rig) two() *book {
	other := &book{t: r.t, pages: map[string]int{}}
	r.conf.Platforms[schemas.Yunxin] = extract.Platform{Source: other, TenantID: "appkey", AppID: "appkey"}
	return other
}

// first adds a container after a second, and gives how long its first page then takes; 0: it has not come within a limit.
func (r *rig) first(of *book, c schemas.Container, limit time.Duration) time.Duration {
	r.t.Helper()
	r.conf.Once = false
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var added time.Time
	var took time.Duration
	edit := of.edit
	of.edit = func(shown *schemas.Container, n int64, p *connectors.Page) {
		if edit != nil {
			edit(shown, n, p)
		}
		if shown.Key == c.Key && took == 0 {
			took = max(time.Since(added), 1)
			cancel()
		}
	}
	time.AfterFunc(time.Second, func() { added = time.Now(); r.add(c) })
	time.AfterFunc(limit, cancel)
	_ = r.session(ctx)
	return took
}

// hang waits like a call that is not answered.
func hang(d time.Duration) func(context.Context, *schemas.Container, int64) {
	return func(ctx context.Context, _ *schemas.Container, _ int64) { rest(ctx, d) }
}

// TestOutageOfOnePlatformLeavesTheOther: a platform that hangs, each container's call for 120 s (4 tries of 30 s), does not
// keep another from being read, nor another API of its own.
func TestOutageOfOnePlatformLeavesTheOther(t *testing.T) {
	for name, pick := range map[string]func(*rig) (*book, schemas.Container){
		"another platform": func(r *rig) (*book, schemas.Container) { return r.two(), conversation("p2p:alice:bob") },
		"another API": func(r *rig) (*book, schemas.Container) {
			before, fail := r.book.before, r.book.fail
			r.book.before = func(ctx context.Context, c *schemas.Container, n int64) {
				if c.Kind != schemas.KindMessage {
					before(ctx, c, n)
				}
			}
			r.book.fail = func(c *schemas.Container, n int64, tries int) error {
				if c.Kind != schemas.KindMessage {
					return fail(c, n, tries)
				}
				return nil
			}
			return r.book, lookUp(r.chat(0), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				r.book.before = hang(120 * time.Second)
				r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("timeout") }
				var all []schemas.Container
				for i := range 5000 {
					all = append(all, r.chat(i))
				}
				r.add(all...)
				of, c := pick(r)
				if took := r.first(of, c, 24*time.Hour); took == 0 || took > time.Second {
					t.Errorf("its first page took %v (0: never), want a second at most", took)
				}
			})
		})
	}
}

// TestLongContainersLeaveTheOtherPlatform: 64 long chats of one platform, all of them well, leave room for the other's
// container: its quota is idle all the while.
func TestLongContainersLeaveTheOtherPlatform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		other := r.two()
		// 16 calls a second for the whole app, so each of 64 chats gets a page every 4 s; 20,000 pages are a million messages.
		r.book.before = hang(4 * time.Second)
		for i := range 64 {
			c := r.chat(i)
			r.book.pages[c.ID] = 20000
			r.add(c)
		}
		if took := r.first(other, conversation("p2p:alice:bob"), 2*time.Hour); took == 0 || took > time.Second {
			t.Errorf("its first page took %v (0: never), want a second at most", took)
		}
	})
}

// TestLongContainersTakeTurns: in one lane, too, no long container keeps another from being read, nor do new ones
// keep a begun one from its end.
func TestLongContainersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Workers = 4
		r.book.before = hang(time.Second)
		for i := range 64 {
			c := r.chat(i)
			r.book.pages[c.ID] = 20000
			r.add(c)
		}
		late := r.chat(1000)
		if took := r.first(r.book, late, 2*time.Hour); took == 0 || took > 64*4*time.Second {
			t.Errorf("the last of 65 long chats had its first page after %v (0: never)", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Workers = 4
		r.book.before = hang(time.Second)
		long := r.chat(0)
		r.book.pages[long.ID] = 50
		r.add(long)
		for i := range 2000 {
			r.add(r.chat(1 + i))
		}
		var last time.Duration
		began := time.Now()
		r.book.edit = func(c *schemas.Container, _ int64, _ *connectors.Page) {
			if c.Key == long.Key {
				last = time.Since(began)
			}
		}
		r.toTheEnd()
		if last > 150*time.Second {
			t.Errorf("a begun chat of 50 pages took %v while 2000 short ones came", last)
		}
	})
}

// TestPauseThatIsOverGoesFirst: a container whose platform had a hiccup is read on once its pause is over, whatever else waits.
func TestPauseThatIsOverGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Workers = 4
		first := r.chat(0)
		r.add(first)
		for i := range 1000 {
			r.add(r.chat(1 + i))
		}
		var failed, again time.Time
		r.book.before = func(_ context.Context, c *schemas.Container, _ int64) {
			if c.ID == first.ID {
				if !failed.IsZero() && again.IsZero() {
					again = time.Now()
				}
				return
			}
			time.Sleep(time.Minute) // so no place is free before
		}
		r.book.fail = func(c *schemas.Container, _ int64, tries int) error {
			if c.ID == first.ID && tries == 1 {
				failed = time.Now()
				return unavailable("503")
			}
			return nil
		}
		r.toTheEnd()
		if d := again.Sub(failed); d > time.Minute {
			t.Errorf("it was read on after %v, its pause was 5 s", d)
		}
	})
}

// TestPauseThatIsOverGoesBeforeBegunOnes: it does not queue again behind all that are being read.
func TestPauseThatIsOverGoesBeforeBegunOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Workers = 4
		r.book.before = hang(time.Second)
		all := r.chats(30)
		for i := range all {
			r.book.pages[all[i].ID] = 40
		}
		var failed time.Time
		r.book.fail = func(c *schemas.Container, n int64, tries int) error {
			switch {
			case c.Key != all[0].Key || n != 5:
			case tries == 1:
				failed = time.Now()
				return unavailable("503")
			default: // after its own second in the book
				if d := time.Since(failed); d > 8*time.Second {
					t.Errorf("it was read on after %v, its pause was 5 s", d)
				}
			}
			return nil
		}
		r.toTheEnd()
		if failed.IsZero() {
			t.Error("nothing has failed")
		}
	})
}

// TestSessionsShareALane: each partition gets its turn, though another has long chats enough for all places.
func TestSessionsShareALane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, memlog.Faults{})
		r.conf.Workers, r.conf.Once = 4, false
		r.book.before = hang(time.Second)
		for i := range 20 {
			c := r.chatIn(0, i)
			r.book.pages[c.ID] = 100000
			r.add(c)
		}
		e := extract.New(r.conf)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error, 2)
		for p := range int32(2) {
			go func() { done <- e.Partition(ctx, r.log.Own(topics.Containers, p)) }()
		}
		time.Sleep(time.Minute)
		c := r.chatIn(1, 1000)
		r.add(c)
		time.Sleep(5 * time.Second)
		if got := r.check().checkpoints[schemas.ContainerKey(c.Key)].State; got != schemas.StateComplete {
			t.Errorf("a short chat of the other partition is %q after 5 s", got)
		}
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	})
}

// stuck is a log whose transactions take long from a time on, as where the leader of its partition is out.
type stuck struct {
	pipeline.Log
	from time.Time
}

func (s stuck) Commit(ctx context.Context, records []schemas.Record, next int64) error {
	if time.Now().After(s.from) {
		time.Sleep(55 * time.Second)
	}
	return s.Log.Commit(ctx, records, next)
}

// TestPartitionThatDoesNotCommitLeavesTheOthers: its pages wait for a transaction, and hold no place meanwhile.
func TestPartitionThatDoesNotCommitLeavesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 2, memlog.Faults{})
		r.conf.Once = false
		r.book.before = hang(100 * time.Millisecond)
		for p := range int32(2) {
			for i := range 100 {
				c := r.chatIn(p, i)
				r.book.pages[c.ID] = 1_000_000
				r.add(c)
			}
		}
		e := extract.New(r.conf)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		out := stuck{r.log.Own(topics.Containers, 0), time.Now().Add(10 * time.Second)}
		go func() { done <- e.Partition(ctx, out) }()
		go func() { done <- e.Partition(ctx, r.log.Own(topics.Containers, 1)) }()
		time.Sleep(15 * time.Second)
		before := len(r.log.Records(topics.RawPages, 1))
		time.Sleep(10 * time.Second)
		if n := len(r.log.Records(topics.RawPages, 1)) - before; n < 2000 {
			t.Errorf("%d pages of the other partition in 10 s", n)
		}
		cancel()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		r.check()
	})
}
