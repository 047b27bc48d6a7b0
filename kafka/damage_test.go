package kafka_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stored is one batch of a log, with the offsets that it truly has, whatever its bytes say.
type stored struct {
	first, last int64
	raw         []byte
	later       []byte // comes in place of raw from the third arrival on
	aborts      int64  // first offset of the transaction of producer 5 whose end this is, -1: of none
}

func keep(c canned) stored {
	last := c.base + int64(max(len(c.values), 1)) - 1
	if c.last > 0 {
		last = c.last
	}
	return stored{first: c.base, last: last, raw: c.bytes(), aborts: -1}
}

// shelf answers fetches as a broker does: from the batch that has the offset, one batch at least, then up to maxBytes.
type shelf struct {
	log      []stored
	mu       sync.Mutex
	arrivals map[int64]int // by first offset of the batch
}

func (s *shelf) serve(p place) {
	s.arrivals = map[int64]int{}
	end := s.log[len(s.log)-1].last + 1
	p.fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		in := req.(*kmsg.ListOffsetsRequest)
		out := in.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = in.Topics[0].Topic
		part := kmsg.NewListOffsetsResponseTopicPartition()
		if part.Offset = end; in.Topics[0].Partitions[0].Timestamp == -2 {
			part.Offset = 0
		}
		topic.Partitions = append(topic.Partitions, part)
		out.Topics = append(out.Topics, topic)
		return out, nil, true
	})
	p.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		s.mu.Lock()
		defer s.mu.Unlock()
		in := req.(*kmsg.FetchRequest)
		asked := in.Topics[0].Partitions[0]
		out := in.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = in.Topics[0].Topic
		part := kmsg.NewFetchResponseTopicPartition()
		part.LastStableOffset, part.HighWatermark = end, end
		for _, b := range s.log {
			if b.last < asked.FetchOffset {
				continue
			}
			if len(part.RecordBatches) > 0 && len(part.RecordBatches)+len(b.raw) > int(asked.PartitionMaxBytes) {
				break
			}
			raw := b.raw
			if s.arrivals[b.first]++; b.later != nil && s.arrivals[b.first] >= 3 {
				raw = b.later
			}
			part.RecordBatches = append(part.RecordBatches, raw...)
			if b.aborts >= 0 {
				gone := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				gone.ProducerID, gone.FirstOffset = 5, b.aborts
				part.AbortedTransactions = append(part.AbortedTransactions, gone)
			}
		}
		topic.Partitions = append(topic.Partitions, part)
		out.Topics = append(out.Topics, topic)
		return out, nil, true
	})
}

// read reads a shelf to its end.
func (s *shelf) read(t *testing.T, c *kafka.Client, change func(*kafka.Reader)) (values string, skipped []kafka.Damaged) {
	t.Helper()
	ctx := within(t, 20*time.Second)
	r := c.Reader("in", 0, 0)
	if change != nil {
		change(r)
	}
	var out []string
	for r.Next() <= s.log[len(s.log)-1].last {
		b, err := r.Read(ctx, time.Millisecond, 1<<20)
		must(t, err)
		for _, rec := range b.Records {
			out = append(out, fmt.Sprintf("%d%s", rec.Offset, rec.Value))
		}
		skipped = append(skipped, b.Skipped...)
	}
	return strings.Join(out, " "), skipped
}

// patched changes a batch's bytes after its CRC was made.
func patched(c canned, at int, with ...byte) []byte {
	raw := c.bytes()
	copy(raw[at:], with)
	return raw
}

func TestDamagedBatchesAreSteppedOver(t *testing.T) {
	three := canned{base: 2, values: []string{"c", "d", "e"}}
	with := func(change func(*canned)) []byte {
		c := three
		change(&c)
		return c.bytes()
	}
	xerial := append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1}, 0x7f, 0xff, 0xff, 0xff, 1)
	for name, tc := range map[string]struct {
		raw  []byte
		want string
	}{
		"CRC":            {with(func(c *canned) { c.spoil = true }), "CRC"},
		"old format":     {patched(three, 16, 1), "message format 1"},
		"forged count":   {with(func(c *canned) { c.count = 1 << 30 }), "records in"},
		"negative count": {with(func(c *canned) { c.count = -5 }), "records in"},
		"cut record":     {with(func(c *canned) { c.count, c.body = 1, append([]byte{40, 0, 0, 0, 1}, make([]byte, 9)...) }), "cut short"},
		"second record cut": {with(func(c *canned) {
			c.body = append(recordBytes(0, nil, []byte("c")), 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		}), "cut short"},
		"unknown codec":       {with(func(c *canned) { c.attrs = 6 }), "codec 6"},
		"broken gzip":         {with(func(c *canned) { c.attrs = 1 }), "gzip"},
		"broken snappy":       {with(func(c *canned) { c.attrs = 2 }), "snappy"},
		"broken snappy frame": {with(func(c *canned) { c.attrs, c.body = 2, xerial }), "snappy"},
		"broken lz4":          {with(func(c *canned) { c.attrs = 3 }), "lz4"},
		"broken zstd":         {with(func(c *canned) { c.attrs = 4 }), "zstd"},
		"length too small":    {patched(three, 8, 0, 0, 0, 7), "too small"},
		"length beyond all":   {patched(three, 8, 0x7f), "does not fit"},
		"last offset flipped": {patched(three, 23, 0, 1), "CRC"},
		"last offset before":  {patched(three, 23, 0xff), "CRC"},
		"unreadable marker":   {with(func(c *canned) { c.attrs, c.body = 0x30, make([]byte, 30) }), "cut short"},
	} {
		for _, behind := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/behind=%v", name, behind), func(t *testing.T) {
				t.Parallel()
				p := embedded(t, kfake.SeedTopics(1, "in"))
				s := shelf{log: []stored{keep(canned{values: []string{"a", "b"}}), {first: 2, last: 4, raw: tc.raw, aborts: -1}}}
				want := "0a 1b"
				if behind {
					s.log = append(s.log, keep(canned{base: 5, values: []string{"f"}}), keep(canned{base: 6, values: []string{"g", "h"}}))
					want = "0a 1b 5f 6g 7h"
				}
				s.serve(p)
				var log bytes.Buffer
				c := p.client(t, func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				got, skipped := s.read(t, c, nil)
				if got != want || len(skipped) != 1 || skipped[0].First != 2 || skipped[0].Last != 4 || !strings.Contains(skipped[0].Why, tc.want) {
					t.Errorf("read %q, skipped %+v; want %q, 2 to 4 and %q", got, skipped, want, tc.want)
				}
				if n := s.arrivals[2]; n < 3 {
					t.Errorf("stepped over after %d arrivals", n)
				}
				if n := strings.Count(log.String(), "stepped over"); n != 1 || !strings.Contains(log.String(), "in/0") {
					t.Errorf("said %d times: %s", n, log.String())
				}
				// Who reads a whole topic for a person is shown the rest.
				n := 0
				must(t, c.ReadAll(within(t, 20*time.Second), "in", 0, 0, s.log[len(s.log)-1].last+1, func(schemas.Record) error { n++; return nil }))
				if n != len(strings.Fields(want)) {
					t.Errorf("%d records read in all", n)
				}
			})
		}
	}
}

// What comes right when it is asked for again was damaged on the way.
func TestDamageOnTheWayIsAskedForAgain(t *testing.T) {
	c := canned{base: 2, values: []string{"c", "d", "e"}}
	p := embedded(t, kfake.SeedTopics(1, "in"))
	s := shelf{log: []stored{keep(canned{values: []string{"a", "b"}}), {first: 2, last: 4, raw: patched(c, 70, 0xaa), later: c.bytes(), aborts: -1}}}
	s.serve(p)
	if got, skipped := s.read(t, p.client(t), nil); got != "0a 1b 2c 3d 4e" || len(skipped) != 0 {
		t.Errorf("read %q, skipped %+v", got, skipped)
	}
}

// A batch that is damaged in another way each time is no batch that is damaged in the log.
func TestDamageThatChangesIsNotSteppedOver(t *testing.T) {
	c := canned{base: 0, values: []string{"c", "d", "e"}}
	p := embedded(t, kfake.SeedTopics(1, "in"))
	s := shelf{log: []stored{{first: 0, last: 2, raw: c.bytes(), aborts: -1}}}
	n := byte(0)
	p.fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		s.mu.Lock()
		defer s.mu.Unlock()
		n++
		if s.log[0].raw = patched(c, 70, 0xaa, n); n == 7 {
			s.log[0].raw = c.bytes()
		}
		return nil, nil, false
	})
	s.serve(p)
	if got, skipped := s.read(t, p.client(t), nil); got != "0c 1d 2e" || len(skipped) != 0 || n < 7 {
		t.Errorf("read %q, skipped %+v", got, skipped)
	}
}

// A marker that cannot be read is stepped over without hiding what its producer has committed since, nor showing what it
// has aborted.
func TestADamagedMarkerHidesAndShowsNothing(t *testing.T) {
	tx := func(base int64, values ...string) canned { return canned{base: base, values: values, tx: true, pid: 5} }
	marker := canned{base: 3, control: 1, pid: 5}
	odd := canned{base: 3, attrs: 0x30, pid: 5, values: []string{"x"}, body: make([]byte, 20)}
	for name, raw := range map[string][]byte{"CRC": patched(marker, 70, 9), "body": odd.bytes()} {
		t.Run(name, func(t *testing.T) {
			p := embedded(t, kfake.SeedTopics(1, "in"))
			s := shelf{log: []stored{keep(tx(0, "a", "b", "c")), {first: 3, last: 3, raw: raw, aborts: 0}, keep(tx(4, "d", "e")), keep(canned{base: 6, control: 2, pid: 5})}}
			s.serve(p)
			if got, skipped := s.read(t, p.client(t), nil); got != "4d 5e" || len(skipped) != 1 || skipped[0].First != 3 || skipped[0].Last != 3 {
				t.Errorf("read %q, skipped %+v", got, skipped)
			}
		})
	}
}

// Two in a row, a batch that takes more than was asked for, and one whose answer is longer than is read at all.
func TestDamageAndSizes(t *testing.T) {
	big := canned{base: 2, values: []string{strings.Repeat("x", 3<<20)}}
	good := keep(canned{base: 6, values: []string{"g"}})
	bad := func(first, last int64) stored {
		c := canned{base: first, values: slices.Repeat([]string{"x"}, int(last-first+1)), spoil: true}
		return stored{first: first, last: last, raw: c.bytes(), aborts: -1}
	}
	t.Run("in a row", func(t *testing.T) {
		p := embedded(t, kfake.SeedTopics(1, "in"))
		s := shelf{log: []stored{bad(0, 1), bad(2, 2), bad(3, 5), good}}
		s.serve(p)
		got, skipped := s.read(t, p.client(t), nil)
		var ranges []string
		for _, d := range skipped {
			ranges = append(ranges, fmt.Sprint(d.First, "-", d.Last))
		}
		if got != "6g" || strings.Join(ranges, " ") != "0-1 2-2 3-5" {
			t.Errorf("read %q, skipped %v", got, ranges)
		}
	})
	t.Run("larger than asked for", func(t *testing.T) {
		p := embedded(t, kfake.SeedTopics(1, "in"))
		s := shelf{log: []stored{keep(canned{values: []string{"a", "b"}}), keep(big)}}
		s.serve(p)
		if got, skipped := s.read(t, p.client(t), nil); len(got) != 7+3<<20 || len(skipped) != 0 {
			t.Errorf("read %d bytes, skipped %+v", len(got), skipped)
		}
	})
	t.Run("longer than is read", func(t *testing.T) {
		p := embedded(t, kfake.SeedTopics(1, "in"))
		huge := stored{first: 2, last: 5, raw: big.bytes(), aborts: -1}
		s := shelf{log: []stored{keep(canned{values: []string{"a", "b"}}), huge, good}}
		s.serve(p)
		c := p.client(t)
		c.LimitAnswer(1 << 20)
		got, skipped := s.read(t, c, nil)
		if got != "0a 1b 6g" || len(skipped) != 1 || skipped[0].First != 2 || skipped[0].Last != 5 || !strings.Contains(skipped[0].Why, "answer of") {
			t.Errorf("read %q, skipped %+v", got, skipped)
		}
	})
	t.Run("larger than allowed when decompressed", func(t *testing.T) {
		p := embedded(t, kfake.SeedTopics(1, "in"))
		body := []byte{0xff, 0xff, 0xff, 0xff, 0x0f} // a block of Snappy that claims 4 GiB
		binary.BigEndian.PutUint32(body, 0xffffffff)
		c := canned{base: 2, values: []string{"x"}, last: 5, attrs: 2, body: append(body, 0, 'x')}
		s := shelf{log: []stored{keep(canned{values: []string{"a", "b"}}), keep(c), good}}
		s.serve(p)
		got, skipped := s.read(t, p.client(t), func(r *kafka.Reader) { must(t, r.LimitBatch(1<<20)) })
		if got != "0a 1b 6g" || len(skipped) != 1 || skipped[0].First != 2 || skipped[0].Last != 5 {
			t.Errorf("read %q, skipped %+v", got, skipped)
		}
	})
}
