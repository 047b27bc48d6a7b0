package kafka_test

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heard keeps what is logged, and lets a test wait for it.
type heard struct {
	mu    sync.Mutex
	lines []slog.Record
	more  chan struct{} // closed, and made again, at each line
}

func newHeard() *heard { return &heard{more: make(chan struct{})} }

func (h *heard) Enabled(context.Context, slog.Level) bool { return true }
func (h *heard) WithAttrs([]slog.Attr) slog.Handler       { return slog.DiscardHandler } // libraries
func (h *heard) WithGroup(string) slog.Handler            { return h }

func (h *heard) Handle(_ context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, r)
	close(h.more)
	h.more = make(chan struct{})
	return nil
}

// await returns when n lines hold what is wanted.
func (h *heard) await(t *testing.T, ctx context.Context, n int, want func(slog.Record) bool) {
	t.Helper()
	for {
		h.mu.Lock()
		found, more := 0, h.more
		for _, r := range h.lines {
			if want(r) {
				found++
			}
		}
		h.mu.Unlock()
		if found >= n {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("%d lines of %d; all: %s", found, n, h.said(slog.LevelDebug))
		}
	}
}

// said gives the texts of the lines of a level and above.
func (h *heard) said(from slog.Level) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, r := range h.lines {
		if r.Level >= from {
			out = append(out, r.Message)
		}
	}
	return out
}

func text(words string) func(slog.Record) bool {
	return func(r slog.Record) bool { return strings.HasPrefix(r.Message, words) }
}

// freePort is one that a broker can come back to.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	must(t, l.Close())
	n, err := strconv.Atoi(port)
	must(t, err)
	return n
}

// A broker that stops and starts again is one line and another one, whatever number of partitions and requests met it.
func TestAnOutageIsLoggedOnceAndItsEndOnce(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	start := func() *kfake.Cluster {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir), kfake.GroupMinSessionTimeout(100*time.Millisecond))
		must(t, err)
		return cluster
	}
	broker := start()
	t.Cleanup(func() { broker.Close() })
	log := newHeard()
	p := place{brokers: broker.ListenAddrs(), fake: broker, prefix: "test"}
	c := p.quick(p.client(t, func(c *kafka.Config) { c.Logger = slog.New(log) }))
	c.Shorten(kafka.Waits{Outage: 200 * time.Millisecond, Stop: time.Minute})
	const partitions, half = 6, 30
	s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 2 * half}
	p.topics(t, c, partitions, s.from, s.to)
	ctx := within(t, 2*time.Minute)
	for i := range int32(partitions) {
		must(t, c.Produce(ctx, numbered(s.from, i, half)))
	}
	done := make(chan error, 1)
	go func() { done <- c.Own(ctx, s.ownership(p.name("group")), s.run) }()
	log.await(t, ctx, 1, text("partitions assigned"))

	broker.Close()
	log.await(t, ctx, 1, text("no Kafka broker answers"))
	log.await(t, ctx, 5, text("group not joined")) // it lasts: what else would log has had its chance
	broker = start()
	log.await(t, ctx, 1, text("Kafka answers again"))
	for i := range int32(partitions) {
		must(t, c.Produce(ctx, numbered(s.from, i, 2*half)[half:]))
	}
	must(t, <-done)
	for i := range int32(partitions) {
		exactly(t, "reader", values(t, c, s.to, i), i, 2*half)
	}
	var loud []string
	for _, line := range log.said(slog.LevelInfo) {
		if line != "partitions assigned" {
			loud = append(loud, line)
		}
	}
	if want := []string{"no Kafka broker answers: everything waits for one", "Kafka answers again"}; !slices.Equal(loud, want) {
		t.Errorf("logged %q, want %q", loud, want)
	}
}

// What fails while the rest of the cluster answers is one line, and one when it works again.
func TestAPartOfTheClusterThatFailsIsLoggedOnce(t *testing.T) {
	p := embedded(t)
	log := newHeard()
	c := p.quick(p.client(t, func(c *kafka.Config) { c.Logger = slog.New(log) }))
	c.Shorten(kafka.Waits{Outage: 200 * time.Millisecond})
	in := p.name("in")
	p.topics(t, c, 4, in)
	ctx := within(t, time.Minute)
	for i := range int32(4) {
		must(t, c.Produce(ctx, numbered(in, i, 3)))
	}
	fault := p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: -1})
	var all sync.WaitGroup
	for i := range int32(4) {
		all.Go(func() { values(t, c, in, i) })
	}
	log.await(t, ctx, 1, text("a part of Kafka does not answer"))
	must(t, fault.Wait(ctx, fault.Hits()+20))
	fault.Remove()
	all.Wait()
	if got, want := log.said(slog.LevelInfo), []string{"a part of Kafka does not answer as it should: what needs it waits, the rest goes on",
		"all of Kafka answers again"}; !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
}
