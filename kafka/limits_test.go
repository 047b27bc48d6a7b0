package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// noise does not compress.
func noise(n int) []byte {
	out, r := make([]byte, n), rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(out)
	return out
}

// limited creates topics whose records may have this size.
func limited(t *testing.T, c *kafka.Client, size string, change map[string]string, names ...string) {
	t.Helper()
	for _, name := range names {
		topic := kafka.OutputTopics(name, 1, 1)[0]
		topic.Config["max.message.bytes"] = size
		for key, value := range change {
			topic.Config[key] = value
		}
		_, err := c.CreateTopics(within(t, 30*time.Second), []kafka.Topic{topic})
		must(t, err)
	}
}

// stage runs one session of partition 0, and fails where it was begun twice.
func stage(t *testing.T, c *kafka.Client, o kafka.Ownership, f func(ctx context.Context, q *kafka.Partition) error) {
	t.Helper()
	sessions := 0
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		if sessions++; sessions > 1 {
			t.Fatal("the session was begun again")
		}
		return f(ctx, q)
	})
}

// What a topic does not take is named before anything is written, and the session goes on: no start ends at it again.
func TestTooLargeIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out, roomy := p.name("in"), p.name("out"), p.name("roomy")
	p.topics(t, c, 1, in, roomy)
	limited(t, c, "1048588", nil, out) // Kafka's default
	record := func(topic string, value []byte) schemas.Record { return schemas.Record{Topic: topic, Value: value} }
	stage(t, c, kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out, roomy}}, func(ctx context.Context, q *kafka.Partition) error {
		before, err := q.End(ctx, roomy)
		must(t, err)
		err = q.Commit(ctx, []schemas.Record{record(roomy, noise(3<<20)), record(out, []byte("a")), record(out, noise(3<<20)), record(out, noise(4<<20))}, 5)
		var large *kafka.TooLarge
		if !errors.As(err, &large) || large.Topic != out || large.Index != 2 || large.Size < 3<<20 || large.Size > 3<<20+200 || large.Limit != 1048588 {
			t.Fatalf("got %#v (%v)", large, err)
		}
		if after, err := q.End(ctx, roomy); err != nil || after != before {
			t.Errorf("the end of another topic went from %d to %d (%v): something was written", before, after, err)
		}
		// What compresses to less than the limit is taken, and so is what just fits.
		fits := noise(1048588 - 61 - 12)
		return q.Commit(ctx, []schemas.Record{record(out, []byte("a")), record(out, bytes.Repeat([]byte("x"), 3<<20)), record(out, fits), record(roomy, noise(3<<20))}, 6)
	})
	if got := values(t, c, out, 0); len(got) != 3 || got[0] != "a" || len(got[1]) != 3<<20 || len(values(t, c, roomy, 0)) != 1 {
		t.Errorf("%d records", len(got))
	}
	if at, err := c.Committed(within(t, time.Minute), p.name("g"), in, 0); err != nil || at != 6 {
		t.Errorf("committed %d (%v)", at, err)
	}
}

// Batches are split so that none is larger than the topic takes, however long keys and headers are.
func TestBatchesKeepToTheTopicsLimit(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in)
	limited(t, c, "100000", nil, out)
	var refused atomic.Int32
	if p.fake != nil {
		p.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			p.fake.KeepControl()
			if r := req.(*kmsg.ProduceRequest); len(r.Topics[0].Partitions[0].Records) > 100_000 {
				refused.Add(1)
			}
			return nil, nil, false
		})
	}
	var records []schemas.Record
	for i := range 60 {
		value := noise(3000 + 700*i)
		records = append(records, schemas.Record{Topic: out, Key: strings.Repeat("k", 100*i), Value: value,
			Headers: []schemas.Header{{Key: "ce_request", Value: noise(900 * i % 20_000)}}})
	}
	stage(t, c, kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out}}, func(ctx context.Context, q *kafka.Partition) error {
		return q.Commit(ctx, records, 1)
	})
	got := values(t, c, out, 0)
	if len(got) != len(records) || refused.Load() != 0 {
		t.Fatalf("%d records of %d, %d batches too large", len(got), len(records), refused.Load())
	}
	for i := range got {
		if got[i] != string(records[i].Value) {
			t.Errorf("record %d differs", i)
		}
	}
}

// alter changes a topic's limit while it is in use.
func alter(t *testing.T, p place, topic, size string) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...))
	must(t, err)
	defer cl.Close()
	request := kmsg.NewIncrementalAlterConfigsRequest()
	resource := kmsg.NewIncrementalAlterConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = "max.message.bytes", kmsg.StringPtr(size)
	resource.Configs = append(resource.Configs, config)
	request.Resources = append(request.Resources, resource)
	answer, err := request.RequestWith(within(t, time.Minute), cl)
	must(t, err)
	if code := answer.Resources[0].ErrorCode; code != 0 {
		t.Fatalf("alter %s: code %d", topic, code)
	}
}

// A limit that was lowered under a session is found out by a refusal: the transaction is aborted, and the right record named.
func TestTooLargeForALimitThatWasLowered(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in, out)
	stage(t, c, kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out}}, func(ctx context.Context, q *kafka.Partition) error {
		must(t, q.Commit(ctx, []schemas.Record{{Topic: out, Value: noise(200_000)}}, 1))
		alter(t, p, out, "100000")
		batch := []schemas.Record{{Topic: out, Value: noise(30_000)}, {Topic: out, Value: noise(40_000)}, {Topic: out, Value: noise(150_000)}, {Topic: out, Value: noise(50_000)}}
		var large *kafka.TooLarge
		for { // on a real broker the change takes a moment
			err := q.Commit(ctx, batch, 2)
			if errors.As(err, &large) {
				break
			}
			must(t, err)
		}
		if large.Index != 2 || large.Limit != 100_000 || large.Size < 150_000 {
			t.Errorf("%+v", large)
		}
		batch[2].Value = []byte("too_large")
		return q.Commit(ctx, batch, 3)
	})
	got := values(t, c, out, 0)
	if n := len(got); n < 5 || got[n-2] != "too_large" || len(got[n-1]) != 50_000 {
		t.Errorf("%d records", n)
	}
}

// A limit that was raised is believed soon, without another start: what is refused may be given up for good.
func TestTooLargeOnlyUntilTheLimitIsRaised(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in)
	limited(t, c, "100000", nil, out)
	stage(t, c, kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out}}, func(ctx context.Context, q *kafka.Partition) error {
		batch := []schemas.Record{{Topic: out, Value: noise(200_000)}}
		var large *kafka.TooLarge
		if err := q.Commit(ctx, batch, 1); !errors.As(err, &large) || large.Limit != 100_000 {
			t.Fatalf("got %v", err)
		}
		alter(t, p, out, "300000")
		c.Shorten(kafka.Waits{Limits: time.Nanosecond})
		for { // on a real broker the change takes a moment
			if err := q.Commit(ctx, batch, 1); !errors.As(err, &large) {
				return err
			}
		}
	})
	if got := values(t, c, out, 0); len(got) != 1 {
		t.Errorf("%d records", len(got))
	}
}

// A topic that compresses in its own way counts what comes of that: smaller batches are tried, and what is too large even
// then is named.
func TestTooLargeWhereTheBrokerCountsItsOwnWay(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in)
	limited(t, c, "100000", map[string]string{"compression.type": "uncompressed"}, out)
	if p.fake != nil { // which takes every batch as it comes
		unpacking(t, p, 100_000)
	}
	var records []schemas.Record
	for range 40 {
		records = append(records, schemas.Record{Topic: out, Value: bytes.Repeat([]byte("x"), 20_000)})
	}
	stage(t, c, kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out}}, func(ctx context.Context, q *kafka.Partition) error {
		must(t, q.Commit(ctx, records, 1))
		records[7].Value = bytes.Repeat([]byte("x"), 120_000)
		var large *kafka.TooLarge
		for range 2 { // the second time before anything is written
			err := q.Commit(ctx, records, 2)
			if !errors.As(err, &large) || large.Index != 7 || large.Limit != 100_000 || large.Size < 120_000 || large.Size > 120_200 {
				t.Fatalf("got %+v (%v)", large, err)
			}
		}
		return nil
	})
	if n := len(values(t, c, out, 0)); n != 40 {
		t.Errorf("%d records", n)
	}
}

// unpacking makes an embedded broker refuse what is larger than limit when decompressed.
func unpacking(t *testing.T, p place, limit int) {
	p.fake.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		in := req.(*kmsg.ProduceRequest)
		records, _, err := kafka.Decode(in.Topics[0].Partitions[0].Records, 0)
		must(t, err)
		size := 0
		for _, r := range records {
			size += len(r.Value) + 10
		}
		if size <= limit {
			return nil, nil, false
		}
		out := in.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = in.Topics[0].Topic
		part := kmsg.NewProduceResponseTopicPartition()
		part.ErrorCode = kerr.MessageTooLarge.Code
		topic.Partitions = append(topic.Partitions, part)
		out.Topics = append(out.Topics, topic)
		return out, nil, true
	})
}

// Without the right to read the limit the usual one is assumed, which is said once, and a refusal names the record.
func TestTooLargeWithoutTheRightToKnow(t *testing.T) {
	p := embedded(t, kfake.NumBrokers(1))
	var log bytes.Buffer
	setup := p.client(t)
	c := p.quick(p.client(t, func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }))
	p.topics(t, setup, 1, "in")
	limited(t, setup, "1048588", nil, "out")
	p.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1})
	stage(t, c, kafka.Ownership{Group: "g", Topic: "in", Writes: []string{"out"}}, func(ctx context.Context, q *kafka.Partition) error {
		for range 2 {
			batch := []schemas.Record{{Topic: "out", Value: []byte("a")}, {Topic: "out", Value: noise(2 << 20)}}
			var large *kafka.TooLarge
			if err := q.Commit(ctx, batch, 1); !errors.As(err, &large) || large.Index != 1 || large.Size < 2<<20 || large.Limit != large.Size-1 {
				t.Errorf("got %+v (%v)", large, err)
			}
		}
		return q.Commit(ctx, []schemas.Record{{Topic: "out", Value: []byte("a")}}, 1)
	})
	if n := strings.Count(log.String(), "not known and assumed"); n != 1 {
		t.Errorf("said %d times: %s", n, log.String())
	}
	if got := values(t, c, "out", 0); len(got) != 1 || got[0] != "a" {
		t.Errorf("%d records", len(got))
	}
}
