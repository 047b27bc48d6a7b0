package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"
)

func TestCopyOnce(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	s := copying{from: p.name("in"), to: p.name("out"), batch: 40, n: 250}
	p.topics(t, c, 3, s.from, s.to)
	ctx := within(t, time.Minute)
	for i := range int32(3) {
		must(t, c.Produce(ctx, numbered(s.from, i, 250)))
	}
	o := s.ownership(p.name("group"))
	var owned atomic.Value
	o.Assigned = func(mine []int32, total int) { owned.Store(fmt.Sprint(mine, total)) }
	must(t, c.Own(ctx, o, s.run))
	if owned.Load() != "[0 1 2] 3" {
		t.Errorf("assigned %v", owned.Load())
	}
	// A second run finds everything done.
	must(t, c.Own(ctx, o, s.run))
	for i := range int32(3) {
		exactly(t, "reader", values(t, c, s.to, i), i, 250)
		exactly(t, "referee", referee(t, p, s.to, i), i, 250)
	}
}

func TestCommitShapes(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out, other := p.name("in"), p.name("out"), p.name("other")
	p.topics(t, c, 2, in, out, other)
	ctx := within(t, time.Minute)
	o := kafka.Ownership{Group: p.name("group"), Topic: in, Writes: []string{out, other}, Once: true}
	session := func(check func(ctx context.Context, p *kafka.Partition) error) error {
		return c.Own(ctx, o, func(ctx context.Context, p *kafka.Partition) error {
			if p.ID() != 1 {
				return nil
			}
			return check(ctx, p)
		})
	}
	record := func(topic, value string) schemas.Record {
		return schemas.Record{Topic: topic, Partition: 1, Time: time.UnixMilli(5).UTC(), Value: []byte(value)}
	}
	must(t, session(func(ctx context.Context, p *kafka.Partition) error {
		if p.Committed() != -1 || p.Total() != 2 {
			t.Errorf("committed %d of %d", p.Committed(), p.Total())
		}
		return errors.Join(
			p.Commit(ctx, nil, -1), // nothing
			p.Commit(ctx, nil, 7),  // the offset alone
			p.Commit(ctx, []schemas.Record{record(out, "1/0")}, -1), // records alone
			p.Commit(ctx, []schemas.Record{record(out, "1/1"), record(other, "1/0"), record(out, "1/2")}, 9))
	}))
	must(t, session(func(ctx context.Context, p *kafka.Partition) error {
		if p.Committed() != 9 {
			t.Errorf("committed %d", p.Committed())
		}
		start, stable, err := p.Offsets(ctx, out)
		if start != 0 || stable < 3 {
			t.Errorf("offsets %d to %d", start, stable)
		}
		return err
	}))
	exactly(t, "reader", values(t, c, out, 1), 1, 3)
	exactly(t, "reader", values(t, c, other, 1), 1, 1)
	if got := values(t, c, out, 0); len(got) != 0 {
		t.Errorf("partition 0 has %v", got)
	}
	for name, r := range map[string]schemas.Record{
		"another partition": {Topic: out, Partition: 0},
		"another topic":     {Topic: in, Partition: 1},
	} {
		err := session(func(ctx context.Context, p *kafka.Partition) error {
			return p.Commit(ctx, []schemas.Record{r}, -1)
		})
		if err == nil || !strings.Contains(err.Error(), "does not belong here") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordsComeBackAsWritten(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	topic := p.name("out")
	p.topics(t, c, 1, topic)
	ctx := within(t, time.Minute)
	at := time.UnixMilli(1_600_000_000_123).UTC()
	big := strings.Repeat("0123456789abcdef", 24<<16) // 24 MiB
	in := []schemas.Record{
		{Topic: topic, Time: at, Key: "k", Value: []byte("v"), Headers: []schemas.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}}},
		{Topic: topic, Time: at.Add(-time.Hour), Key: "tombstone"},
		{Topic: topic, Time: at, Key: "empty", Value: []byte{}},
		{Topic: topic, Time: at.Add(time.Second), Key: "\xff\x00ä", Value: []byte(big), Headers: []schemas.Header{{Key: "a", Value: []byte("2")}}},
		{Topic: topic, Time: at, Key: "last", Value: []byte("x")},
	}
	must(t, c.Own(ctx, kafka.Ownership{Group: p.name("g"), Topic: topic, Writes: []string{topic}, Once: true},
		func(ctx context.Context, p *kafka.Partition) error { return p.Commit(ctx, in, 0) }))
	_, stable, err := c.Offsets(ctx, topic, 0)
	must(t, err)
	var got []schemas.Record
	must(t, c.ReadAll(ctx, topic, 0, kafka.LogStart, stable, func(r schemas.Record) error {
		got = append(got, r)
		return nil
	}))
	if len(got) != len(in) {
		t.Fatalf("%d records, want %d", len(got), len(in))
	}
	for i, r := range got {
		w := in[i]
		if !r.Time.Equal(w.Time) || r.Key != w.Key || string(r.Value) != string(w.Value) || (r.Value == nil) != (w.Value == nil) || r.Topic != topic {
			t.Errorf("record %d differs: key %q time %v, %d bytes", i, r.Key, r.Time, len(r.Value))
		}
		if fmt.Sprintf("%q", r.Headers) != fmt.Sprintf("%q", w.Headers) {
			t.Errorf("record %d has headers %q, want %q", i, r.Headers, w.Headers)
		}
	}
}

func TestOwnEnds(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	topic := p.name("in")
	p.topics(t, c, 2, topic)
	boom := errors.New("boom")
	cases := map[string]struct {
		run  func(ctx context.Context, p *kafka.Partition) error
		want string
	}{
		"error": {func(ctx context.Context, p *kafka.Partition) error {
			if p.ID() == 1 {
				return fmt.Errorf("partition %d: %w", p.ID(), boom)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}, "partition 1: boom"},
		"panic": {func(ctx context.Context, p *kafka.Partition) error {
			if p.ID() == 0 {
				panic("at the disco")
			}
			<-ctx.Done()
			return nil
		}, "panic: at the disco"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.Own(within(t, time.Minute), kafka.Ownership{Group: p.name(name), Topic: topic}, tc.run)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if name == "error" && !errors.Is(err, boom) {
				t.Errorf("%v does not wrap what run returned", err)
			}
		})
	}
	t.Run("ctx", func(t *testing.T) {
		ctx, cancel := context.WithCancel(within(t, time.Minute))
		var all sync.WaitGroup
		all.Add(2)
		go func() { all.Wait(); cancel() }()
		err := c.Own(ctx, kafka.Ownership{Group: p.name("ctx"), Topic: topic}, func(ctx context.Context, p *kafka.Partition) error {
			all.Done()
			<-ctx.Done()
			return context.Cause(ctx)
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("missing topic", func(t *testing.T) {
		err := c.Own(within(t, time.Minute), kafka.Ownership{Group: p.name("missing"), Topic: p.name("missing")}, nil)
		if err == nil || !strings.Contains(err.Error(), p.name("missing")) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("unequal topics", func(t *testing.T) {
		p.topics(t, c, 3, p.name("three"))
		err := c.Own(within(t, time.Minute), kafka.Ownership{Group: p.name("unequal"), Topic: topic, Writes: []string{p.name("three")}}, nil)
		if err == nil || !strings.Contains(err.Error(), "3 partitions") {
			t.Errorf("got %v", err)
		}
	})
}

func TestStuckRunIsGivenUp(t *testing.T) {
	p := embedded(t)
	c := p.client(t)
	c.Shorten(kafka.Waits{Heartbeat: 50 * time.Millisecond, Stop: 300 * time.Millisecond, Leave: 100 * time.Millisecond, Closing: 200 * time.Millisecond})
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	stuck := make(chan struct{})
	defer close(stuck)
	err := c.Own(within(t, time.Minute), kafka.Ownership{Group: "g", Topic: topic, Stall: 50 * time.Millisecond},
		func(context.Context, *kafka.Partition) error { <-stuck; return nil })
	if err == nil || !strings.Contains(err.Error(), topic+"/0") || !strings.Contains(err.Error(), "no progress") {
		t.Errorf("got %v", err)
	}
}

func TestStalledPartitionBeginsAgain(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	var sessions atomic.Int32
	var cause error
	must(t, c.Own(within(t, time.Minute), kafka.Ownership{Group: p.name("g"), Topic: topic, Stall: 300 * time.Millisecond, Once: true},
		func(ctx context.Context, p *kafka.Partition) error {
			if sessions.Add(1) > 1 {
				return nil
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		}))
	if sessions.Load() != 2 || cause == nil || !strings.Contains(cause.Error(), topic+"/0: no progress") {
		t.Errorf("%d sessions, cause %v", sessions.Load(), cause)
	}
}

// A worker that does not stop in time overlaps its successor: the broker gives its partitions away after the rebalance
// time-out. Nothing it commits then may stand beside the successor's work.
func TestSlowWorkerIsFenced(t *testing.T) {
	p := anywhere(t)
	setup := p.client(t)
	s := copying{from: p.name("in"), to: p.name("out"), batch: 5, n: 300}
	p.topics(t, setup, 4, s.from, s.to)
	ctx := within(t, 2*time.Minute)
	for i := range int32(4) {
		must(t, setup.Produce(ctx, numbered(s.from, i, 300)))
	}
	o := s.ownership(p.name("group"))
	rebalance := 6 * time.Second
	if p.fake != nil {
		rebalance = 700 * time.Millisecond
	}
	slowly, second := p.client(t), p.quick(p.client(t))
	waits := kafka.Waits{Session: 6 * time.Second, Heartbeat: 50 * time.Millisecond, Rebalance: rebalance, JoinBackoff: 50 * time.Millisecond, Stop: 30 * time.Second}
	slowly.Shorten(waits)
	second.Shorten(waits)
	// The first worker, halfway in each partition, goes on with its commits until the second one has taken over.
	taken := make(chan struct{})
	var once sync.Once
	var refused atomic.Int32
	halfway := make(chan struct{}, 4)
	slow := func(ctx context.Context, q *kafka.Partition) error {
		halfway <- struct{}{}
		select {
		case <-taken:
		case <-ctx.Done():
			<-taken // deaf to its ctx
			if err := q.Commit(context.WithoutCancel(ctx), []schemas.Record{{Topic: s.to, Partition: q.ID(), Value: []byte("zombie")}}, 300); err != nil {
				refused.Add(1)
				return err
			}
			return errors.New("a zombie's commit went through")
		}
		return s.run(ctx, q)
	}
	first := make(chan error, 1)
	go func() { first <- slowly.Own(ctx, o, slow) }()
	for range 4 {
		<-halfway
	}
	err := second.Own(ctx, o, func(ctx context.Context, q *kafka.Partition) error {
		once.Do(func() { close(taken) })
		return s.run(ctx, q)
	})
	must(t, err)
	must(t, <-first)
	if refused.Load() == 0 {
		t.Error("no commit of the slow worker was refused: the test shows nothing")
	}
	for i := range int32(4) {
		exactly(t, "reader", values(t, setup, s.to, i), i, 300)
		exactly(t, "referee", referee(t, p, s.to, i), i, 300)
	}
}

func TestSharesMoveAndStick(t *testing.T) {
	p := anywhere(t)
	setup := p.client(t)
	topic := p.name("in")
	p.topics(t, setup, 6, topic)
	ctx, cancel := context.WithCancel(within(t, time.Minute))
	defer cancel()
	var mu sync.Mutex
	owned := make(map[string][]int32)
	changed := make(chan struct{}, 100)
	join := func(ctx context.Context, name string) chan error {
		done := make(chan error, 1)
		c := p.quick(p.client(t))
		o := kafka.Ownership{Group: p.name("g"), Topic: topic, Assigned: func(mine []int32, _ int) {
			mu.Lock()
			owned[name] = mine
			mu.Unlock()
			changed <- struct{}{}
		}}
		go func() {
			done <- c.Own(ctx, o, func(ctx context.Context, _ *kafka.Partition) error { <-ctx.Done(); return context.Cause(ctx) })
			mu.Lock()
			delete(owned, name)
			mu.Unlock()
			changed <- struct{}{}
		}()
		return done
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for {
			mu.Lock()
			yes := ok()
			mu.Unlock()
			if yes {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				t.Fatalf("%s: owned %v", what, owned)
			}
		}
	}
	a := join(ctx, "a")
	await("a alone", func() bool { return len(owned["a"]) == 6 })
	leaving, leave := context.WithCancel(ctx)
	b := join(leaving, "b")
	await("a and b", func() bool { return len(owned["a"]) == 3 && len(owned["b"]) == 3 })
	mu.Lock()
	all, kept := append(slices.Clone(owned["a"]), owned["b"]...), fmt.Sprint(owned["a"])
	mu.Unlock()
	if len(slices.Compact(slices.Sorted(slices.Values(all)))) != 6 {
		t.Errorf("owned %v", all)
	}
	if kept != "[0 1 2]" {
		t.Errorf("a kept %s of all", kept)
	}
	leave()
	must(t, <-b)
	await("a again", func() bool { return len(owned["a"]) == 6 })
	cancel()
	must(t, <-a)
}
