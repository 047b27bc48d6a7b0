package kafka_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"
)

// chatPage looks like a page of a chat and compresses like one.
func chatPage(chance *rand.Rand, i int) []byte {
	words := strings.Fields("well yeah sometimes basic programs work best how to set xorg conf to start session with refresh rate")
	var b strings.Builder
	b.WriteString(`{"code":0,"msg":"success","data":{"has_more":true,"page_token":"abcdef","items":[`)
	for k := range 50 {
		var text strings.Builder
		for range 5 + chance.IntN(20) {
			text.WriteString(words[chance.IntN(len(words))] + " ")
		}
		fmt.Fprintf(&b, `{"message_id":"om_%032x","msg_type":"text","create_time":"%d","chat_id":"oc_a0553eda9014c201e6969b478895c230","sender":{"id":"ou_%032x"},"body":{"content":"{\"text\":\"%s\"}"}},`,
			chance.Uint64(), 1_700_000_000_000+i*50+k, chance.Uint64(), text.String())
	}
	b.WriteString(`]}}`)
	return []byte(b.String())
}

// heap is what is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The readers of all partitions hold no more than the budget together, and each comes to its end: with pages of a chat,
// and with pages of 4 MiB that fit thirty into a fetch.
func TestReadersShareABudget(t *testing.T) {
	const partitions, budget = 12, 32 << 20
	chance := rand.New(rand.NewPCG(1, 2))
	hostile := []byte(strings.Repeat(`{"message_id":"om_1"},`, 4<<20/22))
	for name, tc := range map[string]struct {
		n    int
		page func(i int) []byte
	}{
		"chat":    {400, func(i int) []byte { return chatPage(chance, i) }},
		"hostile": {12, func(int) []byte { return hostile }},
	} {
		t.Run(name, func(t *testing.T) {
			p := embedded(t)
			setup := p.client(t)
			p.topics(t, setup, partitions, "in")
			ctx := within(t, 2*time.Minute)
			var records []schemas.Record
			for i := range tc.n {
				value := tc.page(i)
				for id := range int32(partitions) {
					records = append(records, schemas.Record{Topic: "in", Partition: id, Value: value})
				}
			}
			must(t, setup.Produce(ctx, records))
			c := p.client(t, func(c *kafka.Config) { c.ReadBudget = budget })
			c.Shorten(kafka.Waits{Room: time.Minute}) // a slow machine must not make one pass the others
			base := heap()
			var held, most, count atomic.Int64
			var all sync.WaitGroup
			for id := range int32(partitions) {
				all.Go(func() {
					r := c.Reader("in", id, 0)
					for r.Next() < int64(tc.n) {
						b, err := r.Read(ctx, time.Second, 8<<20)
						if err != nil {
							t.Error(err)
							return
						}
						size := int64(0)
						for _, rec := range b.Records {
							size += int64(len(rec.Value))
						}
						count.Add(int64(len(b.Records)))
						now := held.Add(size)
						for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
						}
						runtime.Gosched() // the others read meanwhile
						held.Add(-size)
						runtime.KeepAlive(b)
					}
				})
			}
			all.Wait()
			if n := count.Load(); n != int64(tc.n*partitions) {
				t.Errorf("%d records of %d", n, tc.n*partitions)
			}
			if most.Load() > budget || most.Load() < 1<<20 {
				t.Errorf("%d MiB were held at once, the budget is %d", most.Load()>>20, budget>>20)
			}
			t.Logf("%d MiB of records were held at most, the heap ended %d MiB above its start", most.Load()>>20, (heap()-base)>>20)
		})
	}
}

// One Read of a lone reader at the usual budget brings its share, not all that a fetch could hold.
func TestOneReadKeepsToItsShare(t *testing.T) {
	p := embedded(t)
	c := p.client(t)
	p.topics(t, c, 12, "in")
	hostile := []byte(strings.Repeat(`{"message_id":"om_1"},`, 4<<20/22))
	ctx := within(t, time.Minute)
	for range 40 {
		must(t, c.Produce(ctx, []schemas.Record{{Topic: "in", Value: hostile}}))
	}
	base := heap()
	b, err := c.Reader("in", 0, 0).Read(ctx, time.Second, 8<<20)
	must(t, err)
	grown := heap() - base
	if n := len(b.Records); n < 4 || n > 12 || b.Next != int64(n) || grown > 64<<20 {
		t.Errorf("%d records of 4 MiB, next %d, the heap grew by %d MiB; a share is 48 MiB", n, b.Next, grown>>20)
	}
	runtime.KeepAlive(b)
}

// Who holds much and reads on elsewhere in the same goroutine is slowed, never stopped; a batch beyond the budget comes
// alone; what is held is given back by the next Read, by the end of a session, and when a reader is dropped.
func TestBudgetNeverBlocksForGood(t *testing.T) {
	p := embedded(t)
	setup := p.client(t)
	p.topics(t, setup, 4, "in")
	page := []byte(strings.Repeat(`{"message_id":"om_1"},`, 2<<20/22))
	ctx := within(t, time.Minute)
	for id := range int32(4) {
		for range 3 {
			must(t, setup.Produce(ctx, []schemas.Record{{Topic: "in", Partition: id, Value: page}}))
		}
	}
	c := p.client(t, func(c *kafka.Config) { c.ReadBudget = 1 << 20 })
	c.Shorten(kafka.Waits{Room: 20 * time.Millisecond})
	var readers []*kafka.Reader
	for id := range int32(4) {
		r := c.Reader("in", id, 0)
		readers = append(readers, r)
		b, err := r.Read(ctx, time.Second, 8<<20)
		must(t, err)
		if len(b.Records) != 1 || b.Next != 1 {
			t.Errorf("partition %d: %d records, next %d: want one alone", id, len(b.Records), b.Next)
		}
	}
	if held := c.Held(); held < 4*2<<20 {
		t.Errorf("%d bytes held by four readers", held)
	}
	for _, r := range readers { // to their ends, where nothing is brought and nothing held
		for {
			b, err := r.Read(ctx, time.Millisecond, 8<<20)
			must(t, err)
			if len(b.Records) == 0 {
				break
			}
		}
	}
	if held := c.Held(); held != 0 {
		t.Errorf("%d bytes held after all was read", held)
	}
	dropped(t, c)
	for c.Held() != 0 && ctx.Err() == nil {
		runtime.GC()
	}
	if held := c.Held(); held != 0 {
		t.Errorf("%d bytes held by a reader that is no more", held)
	}
	o := kafka.Ownership{Group: "g", Topic: "in", Once: true}
	var kept []*kafka.Reader
	var mu sync.Mutex
	must(t, c.Own(ctx, o, func(ctx context.Context, q *kafka.Partition) error {
		r := q.Reader("in", 0)
		mu.Lock()
		kept = append(kept, r)
		mu.Unlock()
		_, err := r.Read(ctx, time.Second, 8<<20)
		return err
	}))
	if held := c.Held(); held != 0 || len(kept) != 4 {
		t.Errorf("%d bytes held after %d sessions have ended", held, len(kept))
	}
}

//go:noinline
func dropped(t *testing.T, c *kafka.Client) {
	_, err := c.Reader("in", 0, 0).Read(within(t, time.Minute), time.Second, 8<<20)
	must(t, err)
	if c.Held() == 0 {
		t.Error("nothing is held: the test shows nothing")
	}
}
