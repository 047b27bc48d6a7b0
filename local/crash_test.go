package local_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sr"

	"chatlake/local"
)

// acknowledged is what clients were told, and what must therefore be there after a kill.
type acknowledged struct {
	mu      sync.Mutex
	records []string
	ids     map[string]int // by subject
	commits map[int32]int64
}

func (a *acknowledged) note(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func (a *acknowledged) enough(round int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.records) >= 300*round && len(a.ids) >= 20*round && len(a.commits) == 2
}

// Killed again and again while records, schemas and offsets come in, an installation keeps all that it acknowledged.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	told := &acknowledged{ids: map[string]int{}, commits: map[int32]int64{}}
	const rounds = 4
	for round := 1; round <= rounds; round++ {
		p := spawn(t, dir)
		pulse := client(t, p.broker)
		if round == 1 {
			createTopic(t, pulse, "t", nil)
		}
		ctx, cancel := context.WithCancel(deadline(t))
		var killed atomic.Bool
		var work sync.WaitGroup
		for _, w := range []func(context.Context, *acknowledged, *process, int) error{produce, register, commitOffsets} {
			work.Go(func() {
				if err := w(ctx, told, p, round); !killed.Load() {
					t.Errorf("round %d: %v", round, err)
					cancel()
				}
			})
		}
		for ctx.Err() == nil && !told.enough(round) {
			if err := pulse.Ping(ctx); err != nil { // a round trip is the clock here
				break
			}
		}
		killed.Store(true)
		p.kill(t) // while they are at work
		cancel()
		work.Wait()
	}
	verify(t, dir, told)
}

func produce(ctx context.Context, told *acknowledged, p *process, round int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.broker), kgo.DefaultProduceTopic("t"), kgo.ProducerLinger(0),
		kgo.DisableIdempotentWrite()) // an idempotent one cannot give up a record that may be there
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := 0; ; i++ {
		value := fmt.Sprintf("%d/%d", round, i)
		if err := cl.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
			return err
		}
		told.note(func() { told.records = append(told.records, value) })
	}
}

func register(ctx context.Context, told *acknowledged, p *process, round int) error {
	cl, err := sr.NewClient(sr.URLs(p.registry))
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		subject := fmt.Sprintf("s%d-%d", round, i)
		id, err := cl.RegisterSchema(ctx, subject, record("R"+fmt.Sprint(round)+"x"+fmt.Sprint(i)), -1, -1)
		if err != nil {
			return err
		}
		told.note(func() { told.ids[subject] = id })
	}
}

// commitOffsets counts up the offsets of a group that has no members.
func commitOffsets(ctx context.Context, told *acknowledged, p *process, round int) error {
	// Newer versions name topics by id alone.
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.broker), kgo.MaxVersions(kversion.V3_9_0()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for i := 0; ; i++ {
		offset := int64(round)*1_000_000 + int64(i)
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation = "g", -1
		topic := kmsg.NewOffsetCommitRequestTopic()
		topic.Topic = "t"
		for p := range int32(2) {
			partition := kmsg.NewOffsetCommitRequestTopicPartition()
			partition.Partition, partition.Offset = p, offset
			topic.Partitions = append(topic.Partitions, partition)
		}
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		for _, p := range resp.Topics[0].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
			told.note(func() { told.commits[p.Partition] = offset })
		}
	}
}

func verify(t *testing.T, dir string, told *acknowledged) {
	t.Helper()
	s := start(t, local.Config{Dir: dir, Compatible: alike})
	count := map[string]int{}
	for _, r := range read(t, s.Brokers()[0], "t", len(told.records)) {
		count[string(r.Value)]++
	}
	for _, v := range told.records {
		if count[v] != 1 {
			t.Errorf("record %s stands %d times", v, count[v])
		}
	}
	for p, offset := range committed(t, client(t, s.Brokers()[0]), "g", "t") {
		if offset < told.commits[p] {
			t.Errorf("partition %d: offset %d after %d was acknowledged", p, offset, told.commits[p])
		}
	}
	cl := registryClient(t, s)
	for _, subject := range slices.Sorted(maps.Keys(told.ids)) {
		got, err := cl.SchemaByVersion(deadline(t), subject, -1)
		if err != nil || got.ID != told.ids[subject] || got.Version != 1 {
			t.Errorf("%s: id %d after %d was acknowledged (%v)", subject, got.ID, told.ids[subject], err)
		}
	}
	t.Logf("%d records, %d schemas, offsets %v", len(told.records), len(told.ids), told.commits)
}
