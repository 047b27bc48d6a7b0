package kafka_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Every request that a session makes, in its order.
var steps = []kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator, kmsg.Heartbeat, kmsg.InitProducerID, kmsg.AddPartitionsToTxn,
	kmsg.EndTxn, kmsg.OffsetFetch, kmsg.Fetch, kmsg.ListOffsets, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit}

// oracle copies 60 records in transactions of 10, while something goes wrong, and wants each of them once and in order.
func oracle(t *testing.T, p place, trouble func() (happened func() int)) {
	t.Helper()
	c := p.quick(p.client(t))
	s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 60}
	p.topics(t, c, 1, s.from, s.to)
	ctx := within(t, time.Minute)
	must(t, c.Produce(ctx, numbered(s.from, 0, 60)))
	happened := trouble()
	o := s.ownership(p.name("group"))
	must(t, c.Own(ctx, o, s.run))
	if happened() == 0 {
		t.Error("nothing went wrong: the test shows nothing")
	}
	exactly(t, "reader", values(t, c, s.to, 0), 0, 60)
	exactly(t, "referee", referee(t, p, s.to, 0), 0, 60)
}

func TestFaultsAtEveryStep(t *testing.T) {
	codes := []*kerr.Error{kerr.RequestTimedOut, kerr.NotCoordinator, kerr.NotEnoughReplicas, kerr.OutOfOrderSequenceNumber,
		kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.ConcurrentTransactions, kerr.UnstableOffsetCommit,
		kerr.ProducerFenced, kerr.IllegalGeneration, kerr.TransactionAbortable, kerr.NotLeaderForPartition}
	session := []kmsg.Key{kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.OffsetFetch}
	for _, key := range session {
		t.Run(key.Name(), func(t *testing.T) {
			for _, code := range codes {
				t.Run(code.Message, func(t *testing.T) {
					t.Parallel()
					p := embedded(t, kfake.NumBrokers(1))
					oracle(t, p, func() func() int {
						// The first request passes where there are several, so that something stands already.
						var seen atomic.Int32
						h := p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 2, When: func(req kmsg.Request) bool {
							if key == kmsg.InitProducerID {
								return true
							}
							if f, ok := req.(*kmsg.OffsetFetchRequest); ok {
								return f.RequireStable
							}
							return seen.Add(1) > 1
						}})
						return h.Hits
					})
				})
			}
		})
	}
}

func TestFatalAnswers(t *testing.T) {
	for key, code := range map[kmsg.Key]*kerr.Error{kmsg.InitProducerID: kerr.TransactionalIDAuthorizationFailed,
		kmsg.Produce: kerr.MessageTooLarge, kmsg.Fetch: kerr.TopicAuthorizationFailed, kmsg.TxnOffsetCommit: kerr.GroupAuthorizationFailed} {
		t.Run(key.Name(), func(t *testing.T) {
			p := embedded(t)
			c := p.quick(p.client(t))
			s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 60}
			p.topics(t, c, 1, s.from, s.to)
			ctx := within(t, time.Minute)
			must(t, c.Produce(ctx, numbered(s.from, 0, 60)))
			p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: -1})
			err := c.Own(ctx, s.ownership("g"), s.run)
			if err == nil || ctx.Err() != nil {
				t.Fatalf("got %v", err)
			}
			t.Log(err)
			// Nothing is left open: readers do not wait for a time-out.
			_, stable, err := c.Offsets(ctx, s.to, 0)
			must(t, err)
			if end := p.fake.PartitionInfo(s.to, 0).HighWatermark; stable != end {
				t.Errorf("stable %d, end %d: a transaction was left open", stable, end)
			}
		})
	}
}

// cutter is the embedded broker's listener with connections that it can cut.
type cutter struct {
	net.Listener
	armed atomic.Int64 // key*1000 + how many of its answers to let pass; -1: none
	cuts  atomic.Int32
}

type cuttable struct {
	net.Conn
	c    *cutter
	mu   sync.Mutex
	head []byte // of the request being read
	left int    // of its bytes, after the head
	key  int16
}

func (c *cutter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cuttable{Conn: conn, c: c}, nil
}

func (c *cuttable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, x := range b[:n] {
		if c.left > 0 {
			c.left--
			continue
		}
		if c.head = append(c.head, x); len(c.head) == 6 {
			c.left = int(binary.BigEndian.Uint32(c.head)) - 2
			c.key = int16(binary.BigEndian.Uint16(c.head[4:]))
			c.head = c.head[:0]
		}
	}
	return n, err
}

// Write loses the answer where the cutter says so: what was asked for is done.
func (c *cuttable) Write(b []byte) (int, error) {
	c.mu.Lock()
	key := c.key
	c.mu.Unlock()
	armed := c.c.armed.Load()
	if armed >= 0 && armed/1000 == int64(key) {
		if armed%1000 > 0 {
			c.c.armed.Add(-1)
		} else if c.c.armed.CompareAndSwap(armed, -1) {
			c.c.cuts.Add(1)
			c.Conn.Close()
			return 0, errors.New("cut")
		}
	}
	return c.Conn.Write(b)
}

func TestConnectionCutAtEveryStep(t *testing.T) {
	for _, key := range steps {
		for _, kept := range []bool{true, false} {
			for _, pass := range []int64{0, 1} {
				if pass == 1 && slices.Contains([]kmsg.Key{kmsg.Metadata, kmsg.FindCoordinator, kmsg.Heartbeat, kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.Fetch, kmsg.ListOffsets}, key) {
					continue // once a session
				}
				t.Run(fmt.Sprintf("%s/done=%v/after=%d", key.Name(), kept, pass), func(t *testing.T) {
					t.Parallel()
					cut := &cutter{}
					cut.armed.Store(-1)
					p := embedded(t, kfake.NumBrokers(1), kfake.ListenFn(func(network, addr string) (net.Listener, error) {
						l, err := net.Listen(network, addr)
						cut.Listener = l
						return cut, err
					}))
					oracle(t, p, func() func() int {
						if kept {
							cut.armed.Store(int64(key)*1000 + pass)
							return func() int { return int(cut.cuts.Load()) }
						}
						var seen, cuts atomic.Int32
						p.fake.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
							if int64(seen.Add(1)) <= pass {
								return nil, nil, false
							}
							cuts.Add(1)
							return nil, errors.New("cut"), true
						})
						return func() int { return int(cuts.Load()) }
					})
				})
			}
		}
	}
}

// A produce request whose answer was lost may arrive at any time later: not within the transaction that follows.
func TestLateProduceStaysOut(t *testing.T) {
	p := embedded(t, kfake.NumBrokers(1))
	c := p.quick(p.client(t))
	var mu sync.Mutex
	var late *kmsg.ProduceRequest
	refused := 0
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...), kgo.MaxVersions(nil))
	must(t, err)
	defer cl.Close()
	replay := func() {
		mu.Lock()
		defer mu.Unlock()
		if late == nil {
			return
		}
		answer, err := late.RequestWith(within(t, 10*time.Second), cl)
		must(t, err)
		if answer.Topics[0].Partitions[0].ErrorCode == 0 {
			t.Error("a late produce was taken")
		}
		refused++
	}
	s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 60, before: func(*kafka.Partition) { replay() }}
	p.topics(t, c, 1, s.from, s.to)
	ctx := within(t, time.Minute)
	must(t, c.Produce(ctx, numbered(s.from, 0, 60)))
	seen := 0
	p.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if seen++; seen != 2 {
			return nil, nil, false
		}
		mu.Lock()
		defer mu.Unlock()
		late = req.(*kmsg.ProduceRequest)
		return nil, errors.New("cut"), true
	})
	// In the middle of a later transaction: when its offsets are announced, its partitions are open.
	p.fake.ControlKey(int16(kmsg.AddOffsetsToTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		armed := late != nil
		mu.Unlock()
		if armed {
			p.fake.DropControl()
			p.fake.SleepControl(replay)
		}
		return nil, nil, false
	})
	must(t, c.Own(ctx, s.ownership("g"), s.run))
	if refused < 2 {
		t.Errorf("replayed %d times", refused)
	}
	exactly(t, "reader", values(t, c, s.to, 0), 0, 60)
	exactly(t, "referee", referee(t, p, s.to, 0), 0, 60)
}

// Coordinators that move in the middle of everything.
func TestCoordinatorsMove(t *testing.T) {
	p := embedded(t)
	var moves atomic.Int32
	c := p.quick(p.client(t))
	s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 60, before: func(*kafka.Partition) {
		p.fake.RehashCoordinators()
		p.fake.ShufflePartitionLeaders()
		moves.Add(1)
	}}
	p.topics(t, c, 2, s.from, s.to)
	ctx := within(t, time.Minute)
	for i := range int32(2) {
		must(t, c.Produce(ctx, numbered(s.from, i, 60)))
	}
	must(t, c.Own(ctx, s.ownership("g"), s.run))
	for i := range int32(2) {
		exactly(t, "referee", referee(t, p, s.to, i), i, 60)
	}
	if moves.Load() < 12 {
		t.Errorf("%d moves", moves.Load())
	}
}

// Requests are counted, so that a change that makes transactions dearer fails.
func TestRequestsOfACommit(t *testing.T) {
	p := embedded(t, kfake.NumBrokers(1))
	c := p.quick(p.client(t))
	s := copying{from: p.name("in"), to: p.name("out"), batch: 10, n: 100}
	p.topics(t, c, 1, s.from, s.to)
	ctx := within(t, time.Minute)
	must(t, c.Produce(ctx, numbered(s.from, 0, 100)))
	var mu sync.Mutex
	counts := make(map[string]int)
	p.fake.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		counts[kmsg.NameForKey(req.Key())]++
		return nil, nil, false
	})
	must(t, c.Own(ctx, s.ownership("g"), s.run))
	for name, want := range map[string]int{"AddPartitionsToTxn": 11, "Produce": 10, "AddOffsetsToTxn": 10, "TxnOffsetCommit": 10, "EndTxn": 11, "InitProducerID": 2 /* the second when it is finished */, "OffsetFetch": 2} {
		if counts[name] != want {
			t.Errorf("%d %s, want %d", counts[name], name, want)
		}
	}
	if counts["FindCoordinator"] > 4 {
		t.Errorf("%d FindCoordinator: the coordinator is looked up again and again", counts["FindCoordinator"])
	}
}
