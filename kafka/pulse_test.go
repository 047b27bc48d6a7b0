package kafka_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joins records what Ownership.Joined was called with.
type joins struct {
	mu      sync.Mutex
	calls   []bool
	changed chan struct{}
}

func newJoins() *joins { return &joins{changed: make(chan struct{}, 100)} }

func (j *joins) call(joined bool) {
	j.mu.Lock()
	j.calls = append(j.calls, joined)
	j.mu.Unlock()
	j.changed <- struct{}{}
}

// await waits for the nth call, and fails where it was not want.
func (j *joins) await(t *testing.T, ctx context.Context, n int, want bool) {
	t.Helper()
	for {
		j.mu.Lock()
		calls := j.calls
		j.mu.Unlock()
		if len(calls) >= n {
			if calls[n-1] != want {
				t.Fatalf("call %d of %v is not %v", n, calls, want)
			}
			return
		}
		select {
		case <-j.changed:
		case <-ctx.Done():
			t.Fatalf("calls %v: number %d never came", calls, n)
		}
	}
}

// A coordinator that no longer answers heartbeats is noticed though no answer ever comes.
func TestJoinedFollowsTheHeartbeats(t *testing.T) {
	p := embedded(t)
	c := p.quick(p.client(t))
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	j, done := newJoins(), make(chan error, 1)
	go func() {
		done <- c.Own(ctx, kafka.Ownership{Group: p.name("g"), Topic: topic, Joined: j.call},
			func(ctx context.Context, _ *kafka.Partition) error { <-ctx.Done(); return context.Cause(ctx) })
	}()
	j.await(t, ctx, 1, true)
	silent := make(chan struct{})
	speak := sync.OnceFunc(func() { close(silent) })
	defer speak()
	p.fake.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	j.await(t, ctx, 2, false)
	speak()
	j.await(t, ctx, 3, true)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	j.await(t, within(t, time.Second), 4, false)
}

// A session that does nothing is named, and neither a membership that waits nor a session that waits for a broker is.
func TestStuckNamesTheLoopThatDoesNotTurn(t *testing.T) {
	p := embedded(t)
	c := p.quick(p.client(t))
	topic := p.name("in")
	p.topics(t, c, 2, topic)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	const limit = 400 * time.Millisecond
	var both sync.WaitGroup
	both.Add(2)
	done := make(chan error, 1)
	go func() {
		done <- c.Own(ctx, kafka.Ownership{Group: p.name("g"), Topic: topic}, func(ctx context.Context, q *kafka.Partition) error {
			both.Done()
			if q.ID() == 1 {
				<-ctx.Done() // forgets to beat
				return context.Cause(ctx)
			}
			for ctx.Err() == nil { // waits for a broker, again and again
				if _, err := q.Reader(topic, 0).Read(ctx, 50*time.Millisecond, 1<<20); err != nil {
					return err
				}
			}
			return context.Cause(ctx)
		})
	}()
	both.Wait()
	if what, stuck := c.Stuck(time.Minute); stuck {
		t.Errorf("%s is stuck from the start", what)
	}
	for {
		what, stuck := c.Stuck(limit)
		if stuck {
			if what != "session of "+topic+"/1" {
				t.Errorf("stuck is %s", what)
			}
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("never stuck")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if what, stuck := c.Stuck(0); stuck {
		t.Errorf("%s still counts after Own has ended", what)
	}
}

// A program that may never be given a partition shows that its membership turns, and one whose callback hangs that not.
func TestStuckNamesACallbackThatHangs(t *testing.T) {
	p := embedded(t)
	c := p.quick(p.client(t))
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	hang, in := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		done <- c.Own(ctx, kafka.Ownership{Group: "g", Topic: topic, Assigned: func([]int32, int) { close(in); <-hang }},
			func(ctx context.Context, _ *kafka.Partition) error { <-ctx.Done(); return context.Cause(ctx) })
	}()
	<-in
	for {
		if what, stuck := c.Stuck(200 * time.Millisecond); stuck {
			if !strings.HasPrefix(what, "generation ") || !strings.HasSuffix(what, " of group g") {
				t.Errorf("stuck is %s", what)
			}
			break
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("never stuck")
		}
	}
	close(hang)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
