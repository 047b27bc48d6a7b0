package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// once runs f in one session of partition 0.
func once(t *testing.T, c *kafka.Client, o kafka.Ownership, f func(ctx context.Context, q *kafka.Partition) error) {
	t.Helper()
	o.Once = true
	must(t, c.Own(within(t, time.Minute), o, f))
}

// metadata is what a group's offset of partition 0 carries.
func metadata(t *testing.T, p place, group, topic string) string {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...))
	must(t, err)
	defer cl.Close()
	request := kmsg.NewOffsetFetchRequest()
	request.Group = group
	of := kmsg.NewOffsetFetchRequestTopic()
	of.Topic, of.Partitions = topic, []int32{0}
	request.Topics = append(request.Topics, of)
	in := kmsg.NewOffsetFetchRequestGroup()
	in.Group = group
	og := kmsg.NewOffsetFetchRequestGroupTopic()
	og.Topic, og.Partitions = topic, []int32{0}
	in.Topics = append(in.Topics, og)
	request.Groups = append(request.Groups, in)
	answer, err := request.RequestWith(within(t, time.Minute), cl)
	must(t, err)
	var text *string
	if len(answer.Groups) > 0 {
		text = answer.Groups[0].Topics[0].Partitions[0].Metadata
	} else {
		text = answer.Topics[0].Partitions[0].Metadata
	}
	if text == nil {
		return ""
	}
	return *text
}

// While another producer's transaction is open on a topic, what is committed behind it is beyond the stable offset, and
// never beyond End.
func TestEndShowsWhatAnOpenTransactionHides(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	topic := p.name("containers")
	p.topics(t, c, 1, topic)
	ctx := within(t, time.Minute)
	other, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...), kgo.TransactionalID(p.name("normalizer-0")),
		kgo.TransactionTimeout(time.Minute), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	defer other.Close()
	must(t, other.BeginTransaction())
	must(t, other.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("a look-up, never committed")}).FirstErr())
	o := kafka.Ownership{Group: p.name("extractor"), Topic: topic, Writes: []string{topic}}
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		return q.Commit(ctx, []schemas.Record{{Topic: topic, Value: []byte("a thread that a committed page shows")}}, 0)
	})
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		_, stable, err := q.Offsets(ctx, topic)
		if err != nil {
			return err
		}
		end, err := q.End(ctx, topic)
		if stable != 0 || end < 2 {
			t.Errorf("stable %d, end %d: the committed record is hidden from both", stable, end)
		}
		must(t, other.EndTransaction(ctx, kgo.TryAbort))
		for stable < end && ctx.Err() == nil { // the markers come soon
			if _, stable, err = q.Offsets(ctx, topic); err != nil {
				return err
			}
		}
		return err
	})
	if got := values(t, c, topic, 0); len(got) != 1 {
		t.Errorf("read %q", got)
	}
}

// The offset of a group carries how far its transactions have written, over sessions and topics.
func TestCommitsCarryTheEndsOfWhatWasWritten(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out, other := p.name("in"), p.name("out"), p.name("other")
	p.topics(t, c, 1, in, out, other)
	o := kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out, other}}
	commit := func(next int64, topics ...string) {
		once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
			var records []schemas.Record
			for _, topic := range topics {
				records = append(records, schemas.Record{Topic: topic, Value: []byte("x")})
			}
			if err := q.Commit(ctx, records, next); err != nil {
				return err
			}
			for topic, least := range map[string]int64{out: 3, other: 2} {
				if end, err := q.End(ctx, topic); err != nil || end < least {
					t.Errorf("%s ends at %d (%v)", topic, end, err)
				}
			}
			return nil
		})
	}
	said := func() (n struct{ Ends map[string]int64 }) {
		text := metadata(t, p, o.Group, in)
		if err := json.Unmarshal([]byte(text), &n); err != nil || len(text) > 4096 {
			t.Fatalf("metadata %q: %v", text, err)
		}
		return n
	}
	check := func(wantOut, wantOther int64) {
		t.Helper()
		if n := said(); n.Ends[out] != wantOut || n.Ends[other] != wantOther {
			t.Errorf("ends %v, want %d and %d", n.Ends, wantOut, wantOther)
		}
	}
	// A session begins with a marker in each topic, and a transaction's own marker lies behind its records.
	commit(1, out, out, other)
	check(3, 2)
	commit(2, out)
	check(6, 2)
	commit(3) // nothing but the offset
	check(6, 2)
}

// lagging makes every answer to a request for the end of a topic tell this end.
func lagging(p place, topic string, end int64) {
	p.fake.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		in := req.(*kmsg.ListOffsetsRequest)
		if in.Topics[0].Topic != topic || in.Topics[0].Partitions[0].Timestamp != -1 {
			return nil, nil, false
		}
		out := in.ResponseKind().(*kmsg.ListOffsetsResponse)
		one := kmsg.NewListOffsetsResponseTopic()
		one.Topic = topic
		part := kmsg.NewListOffsetsResponseTopicPartition()
		part.Offset = end
		one.Partitions = append(one.Partitions, part)
		out.Topics = append(out.Topics, one)
		return out, nil, true
	})
}

// A leader that does not have what the group's last transaction wrote is noticed, once and with words.
func TestEndIsNeverLessThanTheLastOwnerKnew(t *testing.T) {
	p := embedded(t)
	var log bytes.Buffer
	c := p.quick(p.client(t, func(c *kafka.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in, out)
	o := kafka.Ownership{Group: "g", Topic: in, Writes: []string{out}}
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		return q.Commit(ctx, []schemas.Record{{Topic: out, Value: []byte("a")}, {Topic: out, Value: []byte("b")}}, 1)
	})
	lagging(p, out, 1)
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		_, stable, err := q.Offsets(ctx, out)
		if err != nil {
			return err
		}
		for range 2 {
			end, err := q.End(ctx, out)
			if err != nil || end != 3 || stable != 1 { // behind the marker of the session's begin and two records
				t.Errorf("end %d, stable %d (%v): want 3, 1", end, stable, err)
			}
		}
		return nil
	})
	if n := strings.Count(log.String(), "ends before what this group has written"); n != 1 || !strings.Contains(log.String(), "topic="+out+" partition=0") {
		t.Errorf("said %d times: %s", n, log.String())
	}
}

// A topic that was deleted and created again counts from its new beginning.
func TestEndOfATopicCreatedAgain(t *testing.T) {
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	p.topics(t, c, 1, in, out)
	o := kafka.Ownership{Group: p.name("g"), Topic: in, Writes: []string{out}}
	once(t, c, o, func(ctx context.Context, q *kafka.Partition) error {
		return q.Commit(ctx, slices.Repeat([]schemas.Record{{Topic: out, Value: []byte("a")}}, 50), 1)
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers...))
	must(t, err)
	defer cl.Close()
	ctx := within(t, time.Minute)
	request := kmsg.NewDeleteTopicsRequest()
	request.TimeoutMillis, request.TopicNames = 10_000, []string{out}
	gone := kmsg.NewDeleteTopicsRequestTopic()
	gone.Topic = kmsg.StringPtr(out)
	request.Topics = append(request.Topics, gone)
	answer, err := request.RequestWith(ctx, cl)
	must(t, err)
	if code := answer.Topics[0].ErrorCode; code != 0 {
		t.Fatalf("delete: code %d", code)
	}
	again := p.quick(p.client(t))
	for created := false; !created; {
		made, err := again.CreateTopics(ctx, kafka.OutputTopics(out, 1, 1)[:1])
		must(t, err)
		created = len(made) == 1
	}
	once(t, again, o, func(ctx context.Context, q *kafka.Partition) error {
		if q.Committed() != 1 {
			t.Errorf("committed %d: the test shows nothing", q.Committed())
		}
		end, err := q.End(ctx, out)
		if end > 2 {
			t.Errorf("end %d of a topic that has been created again", end)
		}
		return err
	})
}

// What others have put beside an offset, and a broker that takes nothing there, stop nobody.
func TestNotesAreTolerated(t *testing.T) {
	for name, foreign := range map[string]string{"none": "", "no JSON": "consumer-7f", "other JSON": `{"quota":{"a":1},"ends":null}`, "wrong type": `{"ends":[1]}`} {
		t.Run(name, func(t *testing.T) {
			p := embedded(t, kfake.NumBrokers(1))
			c := p.quick(p.client(t))
			s := copying{from: "in", to: "out", batch: 10, n: 30}
			p.topics(t, c, 1, s.from, s.to)
			ctx := within(t, time.Minute)
			must(t, c.Produce(ctx, numbered(s.from, 0, 30)))
			p.fake.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
				in := req.(*kmsg.OffsetFetchRequest)
				out := in.ResponseKind().(*kmsg.OffsetFetchResponse)
				topic := kmsg.NewOffsetFetchResponseTopic()
				topic.Topic = in.Topics[0].Topic
				part := kmsg.NewOffsetFetchResponseTopicPartition()
				part.Offset, part.Metadata = 0, kmsg.StringPtr(foreign)
				topic.Partitions = append(topic.Partitions, part)
				out.Topics = append(out.Topics, topic)
				return out, nil, true
			})
			must(t, c.Own(ctx, s.ownership("g"), s.run))
			exactly(t, "reader", values(t, c, s.to, 0), 0, 30)
		})
	}
	t.Run("refused", func(t *testing.T) {
		p := embedded(t, kfake.NumBrokers(1))
		c := p.quick(p.client(t))
		s := copying{from: "in", to: "out", batch: 10, n: 30}
		p.topics(t, c, 1, s.from, s.to)
		ctx := within(t, time.Minute)
		must(t, c.Produce(ctx, numbered(s.from, 0, 30)))
		var refused, bare atomic.Int32
		p.fake.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
			p.fake.KeepControl()
			in := req.(*kmsg.TxnOffsetCommitRequest)
			if in.Topics[0].Partitions[0].Metadata == nil {
				bare.Add(1)
				return nil, nil, false
			}
			refused.Add(1)
			out := in.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
			topic := kmsg.NewTxnOffsetCommitResponseTopic()
			topic.Topic = in.Topics[0].Topic
			part := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			part.ErrorCode = 12
			topic.Partitions = append(topic.Partitions, part)
			out.Topics = append(out.Topics, topic)
			return out, nil, true
		})
		must(t, c.Own(ctx, s.ownership("g"), s.run))
		exactly(t, "reader", values(t, c, s.to, 0), 0, 30)
		if refused.Load() != 1 || bare.Load() != 3 {
			t.Errorf("%d refused, %d without a note: it is tried again and again", refused.Load(), bare.Load())
		}
	})
}

// Reads carry the leader's epoch, so that a leader that was deposed refuses them (KIP-320).
func TestReadsCarryTheLeadersEpoch(t *testing.T) {
	p := embedded(t)
	c := p.quick(p.client(t))
	p.topics(t, c, 1, "in")
	ctx := within(t, time.Minute)
	for i := range 3 {
		must(t, p.fake.MoveTopicPartition("in", 0, int32(i)))
	}
	epoch := p.fake.PartitionInfo("in", 0).Epoch
	var fetches, lists atomic.Int32
	p.fake.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		p.fake.KeepControl()
		switch r := req.(type) {
		case *kmsg.FetchRequest:
			fetches.Add(1)
			if got := r.Topics[0].Partitions[0].CurrentLeaderEpoch; got != epoch {
				t.Errorf("a fetch carries epoch %d, not %d", got, epoch)
			}
		case *kmsg.ListOffsetsRequest:
			lists.Add(1)
			if got := r.Topics[0].Partitions[0].CurrentLeaderEpoch; got != epoch {
				t.Errorf("a look at offsets carries epoch %d, not %d", got, epoch)
			}
		}
		return nil, nil, false
	})
	_, err := c.Reader("in", 0, 0).Read(ctx, time.Millisecond, 1<<20)
	must(t, err)
	_, _, err = c.Offsets(ctx, "in", 0)
	must(t, err)
	if epoch < 1 || fetches.Load() == 0 || lists.Load() != 2 {
		t.Errorf("epoch %d, %d fetches, %d looks: the test shows nothing", epoch, fetches.Load(), lists.Load())
	}
}
