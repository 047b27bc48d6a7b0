package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/local"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// realBroker names the variable that makes the suite run on a real broker: host:port. What only the embedded one can
// show (injected faults, moved leaders, its own TLS) stays there.
const realBroker = "CHATLAKE_TEST_KAFKA"

// place is where a test runs: its broker, and names of its own.
type place struct {
	brokers []string
	fake    *kfake.Cluster // nil on a real broker
	prefix  string
}

var places atomic.Int64

func (p place) name(suffix string) string { return p.prefix + "." + suffix }

// embedded starts a broker that knows faults.
func embedded(t testing.TB, opts ...kfake.Opt) place {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(100 * time.Millisecond),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": "33554432"})}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatalf("embedded broker: %v", err)
	}
	t.Cleanup(cluster.Close)
	t.Cleanup(local.RemoveGhosts(cluster, slog.New(slog.DiscardHandler)))
	return place{brokers: cluster.ListenAddrs(), fake: cluster, prefix: "test"}
}

// anywhere is the real broker where one is named, else an embedded one.
func anywhere(t testing.TB) place {
	t.Helper()
	if addr := os.Getenv(realBroker); addr != "" {
		return place{brokers: []string{addr}, prefix: fmt.Sprintf("test-%d-%d-%d", os.Getpid(), time.Now().UnixNano(), places.Add(1))}
	}
	return embedded(t)
}

func (p place) client(t testing.TB, change ...func(*kafka.Config)) *kafka.Client {
	t.Helper()
	config := kafka.Config{Brokers: p.brokers, ClientID: "test"}
	if testing.Verbose() && os.Getenv("CHATLAKE_TEST_LOG") != "" {
		config.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, f := range change {
		f(&config)
	}
	c, err := kafka.NewClient(config)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// quick shortens time-outs as far as the place allows: a real broker takes no session under six seconds.
func (p place) quick(c *kafka.Client) *kafka.Client {
	w := kafka.Waits{Session: 6 * time.Second, Heartbeat: 300 * time.Millisecond, Rebalance: 6 * time.Second,
		JoinBackoff: 100 * time.Millisecond, Request: 3 * time.Second, Missing: 3 * time.Second, Stop: 4 * time.Second,
		Sessions: 20 * time.Millisecond}
	if p.fake != nil {
		w.Session, w.Heartbeat, w.Rebalance = 2*time.Second, 50*time.Millisecond, 3*time.Second
	}
	c.Shorten(w)
	return c
}

// topics creates topics that keep everything.
func (p place) topics(t testing.TB, c *kafka.Client, partitions int, names ...string) {
	t.Helper()
	var topics []kafka.Topic
	for _, name := range names {
		topics = append(topics, kafka.OutputTopics(name, partitions, 1)[0])
	}
	if _, err := c.CreateTopics(within(t, 30*time.Second), topics); err != nil {
		t.Fatal(err)
	}
}

// within is the test's ctx with an end.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// numbered makes records 0 to n-1, in one partition.
func numbered(topic string, partition int32, n int) []schemas.Record {
	out := make([]schemas.Record, n)
	for i := range out {
		out[i] = schemas.Record{Topic: topic, Partition: partition, Time: time.UnixMilli(1_700_000_000_000 + int64(i)).UTC(),
			Key: fmt.Sprintf("key-%d", i%7), Value: fmt.Appendf(nil, "%d/%d", partition, i)}
	}
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// values reads what is committed in a partition with our own reader.
func values(t testing.TB, c *kafka.Client, topic string, partition int32) []string {
	t.Helper()
	ctx := within(t, time.Minute)
	_, stable, err := c.Offsets(ctx, topic, partition)
	must(t, err)
	var out []string
	must(t, c.ReadAll(ctx, topic, partition, kafka.LogStart, stable, func(r schemas.Record) error {
		out = append(out, string(r.Value))
		return nil
	}))
	return out
}

// referee reads what is committed in a partition with franz-go, until the partition's end, whose markers count too.
func referee(t testing.TB, p place, topic string, partition int32) []string {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	end := stableEnd(t, p, topic, partition)
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	must(t, err)
	defer cl.Close()
	var out []string
	for next := int64(0); next < end; {
		fetches := cl.PollFetches(ctx)
		for _, e := range fetches.Errors() {
			t.Fatalf("referee: %s/%d: %v", e.Topic, e.Partition, e.Err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if !r.Attrs.IsControl() {
				out = append(out, string(r.Value))
			}
		})
	}
	return out
}

// stableEnd is the partition's end once no transaction is open on it.
func stableEnd(t testing.TB, p place, topic string, partition int32) int64 {
	t.Helper()
	c := p.client(t)
	_, stable, err := c.Offsets(within(t, time.Minute), topic, partition)
	must(t, err)
	return stable
}

// exactly compares with 0 to n-1 of a partition, in order.
func exactly(t testing.TB, who string, got []string, partition int32, n int) {
	t.Helper()
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("%d/%d", partition, i)
	}
	if strings.Join(got, " ") == strings.Join(want, " ") {
		return
	}
	seen := make(map[string]int)
	for _, v := range got {
		seen[v]++
	}
	lost, doubled := 0, 0
	for _, v := range want {
		switch {
		case seen[v] == 0:
			lost++
		case seen[v] > 1:
			doubled++
		}
	}
	t.Fatalf("%s: partition %d has %d records, want %d: %d lost, %d doubled, or out of order", who, partition, len(got), n, lost, doubled)
}

var errEnough = errors.New("enough")
