package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// canned is a hand-made record batch, as only a broker's log cleaner or coordinator leaves it.
type canned struct {
	base    int64
	values  []string // one record each, at base, base+1, …
	last    int64    // last offset; 0: that of the last record
	pid     int64    // with tx
	tx      bool
	control int // 1 abort, 2 commit
	attrs   int16
	magic   int8 // 0: 2
	body    []byte
	count   int32 // 0: len(values)
	spoil   bool  // after the CRC
}

func (c canned) bytes() []byte {
	b := kmsg.RecordBatch{FirstOffset: c.base, Magic: 2, ProducerID: c.pid, Attributes: c.attrs, FirstTimestamp: 1, MaxTimestamp: 9, FirstSequence: -1}
	var body []byte
	for i, v := range c.values {
		body = append(body, recordBytes(int32(i), nil, []byte(v))...)
	}
	b.NumRecords = int32(len(c.values))
	if c.tx {
		b.Attributes |= 0x10
	}
	if c.control > 0 {
		b.Attributes |= 0x30
		body = recordBytes(0, []byte{0, 0, 0, byte(c.control - 1)}, []byte{0, 0, 0, 0, 0, 0})
		b.NumRecords = 1
	}
	b.LastOffsetDelta = max(b.NumRecords-1, 0)
	if c.last > 0 {
		b.LastOffsetDelta = int32(c.last - c.base)
	}
	if c.magic != 0 {
		b.Magic = c.magic
	}
	if c.body != nil {
		body = c.body
	}
	if c.count != 0 {
		b.NumRecords = c.count
	}
	b.Records = body
	b.Length = int32(49 + len(body))
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	if c.spoil {
		raw[len(raw)-1] ^= 1
	}
	return raw
}

func recordBytes(delta int32, key, value []byte) []byte {
	r := kmsg.Record{OffsetDelta: delta, Key: key, Value: value}
	size := len(r.AppendTo(nil)) - 1 // its own length is one byte, as zero
	r.Length = int32(size)
	return r.AppendTo(nil)
}

// serve answers every fetch of an embedded broker with these batches, whole, whatever was asked for beyond the first.
func serve(p place, stable int64, aborted map[int64]int64, batches ...canned) {
	var set []byte
	for _, b := range batches {
		set = append(set, b.bytes()...)
	}
	p.fake.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		in := req.(*kmsg.FetchRequest)
		out := in.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = in.Topics[0].Topic
		part := kmsg.NewFetchResponseTopicPartition()
		part.Partition = in.Topics[0].Partitions[0].Partition
		part.LastStableOffset, part.HighWatermark, part.LogStartOffset = stable, stable, 0
		if in.Topics[0].Partitions[0].FetchOffset < stable {
			part.RecordBatches = set
			for pid, first := range aborted {
				a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
				a.ProducerID, a.FirstOffset = pid, first
				part.AbortedTransactions = append(part.AbortedTransactions, a)
			}
		}
		topic.Partitions = append(topic.Partitions, part)
		out.Topics = append(out.Topics, topic)
		return out, nil, true
	})
}

func TestCannedFetches(t *testing.T) {
	empty := func(base, last int64) canned { return canned{base: base, last: last, pid: 5, tx: true} }
	ab := []canned{{base: 0, values: []string{"a", "b"}}}
	cases := []struct {
		name    string
		from    int64
		stable  int64
		aborted map[int64]int64
		batches []canned
		want    string
		next    int64
	}{
		{"plain", 0, 2, nil, ab, "0a 1b", 2},
		{"from the middle of a batch", 1, 2, nil, ab, "1b", 2},
		{"one empty batch", 0, 5, nil, append(slices.Clone(ab), empty(2, 4)), "0a 1b", 5},
		{"two empty batches", 0, 9, nil, append(slices.Clone(ab), empty(2, 4), empty(5, 8)), "0a 1b", 9},
		{"three empty batches first", 0, 10, nil, []canned{empty(0, 2), empty(3, 3), empty(4, 7), {base: 8, values: []string{"x", "y"}}}, "8x 9y", 10},
		{"four empty batches alone", 0, 8, nil, []canned{empty(0, 1), empty(2, 3), empty(4, 5), empty(6, 7)}, "", 8},
		{"trailing compacted tail", 0, 14, nil, []canned{{base: 0, values: []string{"a"}, last: 13}}, "0a", 14},
		{"trailing marker", 0, 3, nil, []canned{{base: 0, values: []string{"a", "b"}, tx: true, pid: 5}, {base: 2, control: 2, pid: 5}}, "0a 1b", 3},
		{"aborted", 0, 3, map[int64]int64{5: 0}, []canned{{base: 0, values: []string{"a", "b"}, tx: true, pid: 5}, {base: 2, control: 1, pid: 5}}, "", 3},
		{"aborted then committed, one producer", 0, 5, map[int64]int64{5: 0}, []canned{{base: 0, values: []string{"a"}, tx: true, pid: 5},
			{base: 1, control: 1, pid: 5}, {base: 2, values: []string{"b", "c"}, tx: true, pid: 5}, {base: 4, control: 2, pid: 5}}, "2b 3c", 5},
		{"interleaved", 0, 8, map[int64]int64{5: 0, 6: 5}, []canned{{base: 0, values: []string{"a5"}, tx: true, pid: 5},
			{base: 1, values: []string{"b6"}, tx: true, pid: 6}, {base: 2, control: 2, pid: 6}, {base: 3, values: []string{"c5"}, tx: true, pid: 5},
			{base: 4, control: 1, pid: 5}, {base: 5, values: []string{"d6"}, tx: true, pid: 6}, {base: 6, values: []string{"e"}}, {base: 7, control: 1, pid: 6}}, "1b6 6e", 8},
		{"a commit marker of another does not end an abort", 0, 4, map[int64]int64{5: 0}, []canned{{base: 0, values: []string{"a"}, tx: true, pid: 5},
			{base: 1, control: 2, pid: 6}, {base: 2, values: []string{"b"}, tx: true, pid: 5}, {base: 3, control: 1, pid: 5}}, "", 4},
		{"compacted marker", 0, 3, nil, []canned{{base: 0, values: []string{"a"}}, {base: 1, last: 2, attrs: 0x30, pid: 5}}, "0a", 3},
		{"log append time", 0, 1, nil, []canned{{base: 0, values: []string{"a"}, attrs: 8}}, "0a", 1},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			p := embedded(t, kfake.SeedTopics(1, "in"))
			serve(p, tc.stable, tc.aborted, tc.batches...)
			c := p.client(t)
			r := c.Reader("in", 0, tc.from)
			b, err := r.Read(within(t, 20*time.Second), time.Millisecond, 1<<20)
			must(t, err)
			var got []string
			for _, rec := range b.Records {
				got = append(got, fmt.Sprintf("%d%s", rec.Offset, rec.Value))
			}
			if strings.Join(got, " ") != tc.want || b.Next != tc.next || r.Next() != tc.next || b.Stable != tc.stable {
				t.Errorf("read %v, next %d, stable %d; want %q, %d, %d", got, b.Next, b.Stable, tc.want, tc.next, tc.stable)
			}
			if tc.name == "log append time" && b.Records[0].Time.UnixMilli() != 9 {
				t.Errorf("time %v", b.Records[0].Time)
			}
			// The loop that reads to the end of the log ends.
			must(t, c.ReadAll(within(t, 20*time.Second), "in", 0, tc.from, tc.stable, func(schemas.Record) error { return nil }))
		})
	}
}

func TestCodecs(t *testing.T) {
	p := anywhere(t)
	c := p.client(t)
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		topic := p.name(fmt.Sprint("codec", i))
		p.topics(t, c, 1, topic)
		cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchMaxBytes(8<<20))
		must(t, err)
		var records []*kgo.Record
		for j := range 500 {
			records = append(records, kgo.StringRecord(fmt.Sprintf("0/%d", j)))
		}
		records = append(records, kgo.StringRecord(strings.Repeat("z", 5<<20)))
		err = cl.ProduceSync(within(t, time.Minute), records...).FirstErr()
		cl.Close()
		must(t, err)
		got := values(t, c, topic, 0)
		if len(got) != 501 || len(got[500]) != 5<<20 {
			t.Fatalf("codec %d: %d records", i, len(got))
		}
		exactly(t, topic, got[:500], 0, 500)
		if i == 0 {
			continue
		}
		// A batch beyond the limit is stepped over, whatever compressed it.
		r := c.Reader(topic, 0, 500)
		must(t, r.LimitBatch(1<<20))
		b, err := r.Read(within(t, 20*time.Second), time.Second, 1<<20)
		if err != nil || len(b.Records) != 0 || len(b.Skipped) != 1 || !strings.Contains(b.Skipped[0].Why, "more than is allowed") ||
			b.Skipped[0].Last != 500 || b.Next != 501 {
			t.Errorf("codec %d: got %+v (%v)", i, b.Skipped, err)
		}
	}
}

func TestOffsetOutOfRange(t *testing.T) {
	p := anywhere(t)
	c := p.client(t)
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	ctx := within(t, time.Minute)
	must(t, c.Produce(ctx, numbered(topic, 0, 10)))
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...))
	must(t, err)
	defer cl.Close()
	del := kmsg.NewDeleteRecordsRequest()
	del.TimeoutMillis = 10_000
	dt := kmsg.NewDeleteRecordsRequestTopic()
	dt.Topic = topic
	dp := kmsg.NewDeleteRecordsRequestTopicPartition()
	dp.Offset = 4
	dt.Partitions = append(dt.Partitions, dp)
	del.Topics = append(del.Topics, dt)
	answer, err := del.RequestWith(ctx, cl)
	must(t, err)
	if code := answer.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: code %d", code)
	}
	for _, from := range []int64{0, 3, 11} {
		_, err := c.Reader(topic, 0, from).Read(ctx, 10*time.Millisecond, 1<<20)
		var out *kafka.OffsetOutOfRange
		if !errors.As(err, &out) || out.Offset != from || out.Start != 4 || out.End != 10 || out.Topic != topic {
			t.Errorf("from %d: got %v", from, err)
		}
	}
	for from, want := range map[int64]int{kafka.LogStart: 6, 4: 6, 9: 1, 10: 0} {
		b, err := c.Reader(topic, 0, from).Read(ctx, 10*time.Millisecond, 1<<20)
		must(t, err)
		if len(b.Records) != want || b.LogStart != 4 || b.Stable != 10 || b.Next != 10 {
			t.Errorf("from %d: %d records, log start %d, stable %d, next %d", from, len(b.Records), b.LogStart, b.Stable, b.Next)
		}
	}
}

func TestReadUntilStopped(t *testing.T) {
	p := anywhere(t)
	c := p.client(t)
	topic := p.name("in")
	p.topics(t, c, 1, topic)
	must(t, c.Produce(within(t, time.Minute), numbered(topic, 0, 3)))
	err := c.ReadAll(within(t, time.Minute), topic, 0, 0, 3, func(r schemas.Record) error {
		if r.Offset == 1 {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if _, err := c.Reader(topic, 0, 3).Read(ctx, time.Minute, 1<<20); !errors.Is(err, errEnough) {
		t.Errorf("got %v, want the ctx's cause", err)
	}
}

func TestLeaderMoves(t *testing.T) {
	p := embedded(t, kfake.SeedTopics(1, "in"))
	c := p.client(t)
	ctx := within(t, time.Minute)
	r := c.Reader("in", 0, 0)
	for i := range 12 {
		must(t, c.Produce(ctx, []schemas.Record{{Topic: "in", Value: fmt.Append(nil, i)}}))
		must(t, p.fake.MoveTopicPartition("in", 0, int32(i%3)))
		b, err := r.Read(ctx, time.Second, 1<<20)
		must(t, err)
		if len(b.Records) != 1 || string(b.Records[0].Value) != fmt.Sprint(i) {
			t.Fatalf("read %d records at %d", len(b.Records), i)
		}
	}
}

// Whatever bytes a broker sends, reading ends with records or an error.
func FuzzFetch(f *testing.F) {
	f.Add(canned{values: []string{"a", "b"}}.bytes(), false)
	f.Add(canned{values: []string{"a"}, attrs: 4}.bytes(), true)
	f.Add(append(canned{control: 1, pid: 3}.bytes(), canned{base: 1, last: 7}.bytes()...), false)
	f.Add(canned{values: []string{"a"}, body: []byte{20, 0, 0, 0, 1, 2, 'x', 10, 'y'}}.bytes(), false)
	f.Fuzz(func(t *testing.T, set []byte, seal bool) {
		if seal && len(set) >= 61 { // a right length and CRC let the fuzzer in
			binary.BigEndian.PutUint32(set[8:], uint32(len(set)-12))
			binary.BigEndian.PutUint32(set[17:], crc32.Checksum(set[21:], crc32.MakeTable(crc32.Castagnoli)))
		}
		records, next, err := kafka.Decode(set, 0)
		if next < 0 {
			t.Errorf("next %d", next)
		}
		if err == nil {
			for _, r := range records {
				if r.Offset < 0 {
					t.Errorf("offset %d", r.Offset)
				}
			}
		}
	})
}
