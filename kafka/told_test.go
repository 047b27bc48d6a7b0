package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/kafka"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a worker tells is there for others to read, beside its offset, and changes with each commit.
func TestWhatWorkersTellIsRead(t *testing.T) {
	p := embedded(t, kfake.NumBrokers(1))
	c := p.quick(p.client(t))
	s := copying{from: "in", to: "out", batch: 10, n: 30}
	p.topics(t, c, 2, s.from, s.to)
	ctx := within(t, time.Minute)
	none, err := c.GroupOffsets(ctx, "g", s.from, 2)
	must(t, err)
	if len(none) != 2 || none[0].Offset != -1 || none[1].Offset != -1 || none[0].Told != nil {
		t.Errorf("of a group that nobody knows: %+v", none)
	}
	must(t, c.Produce(ctx, numbered(s.from, 0, 30)))
	var asked atomic.Int32
	o := s.ownership("g")
	o.Tell = func() json.RawMessage { return fmt.Appendf(nil, `{"asked":%d}`, asked.Add(1)) }
	must(t, c.Own(ctx, o, func(ctx context.Context, q *kafka.Partition) error {
		if q.ID() != 0 {
			return nil
		}
		return s.run(ctx, q)
	}))
	found, err := c.GroupOffsets(ctx, "g", s.from, 2)
	must(t, err)
	if found[0].Offset != 30 || string(found[0].Told) != `{"asked":3}` || found[1].Offset != -1 {
		t.Errorf("found %d %s, %d", found[0].Offset, found[0].Told, found[1].Offset)
	}
}

// What is too long, or no JSON, is left out, and so it is where the broker takes no more than the note itself.
func TestWhatWorkersTellCostsNoNote(t *testing.T) {
	for name, told := range map[string]string{"long": `"` + strings.Repeat("x", 3000) + `"`, "no JSON": `{"a":`, "refused": `{"calls":1}`} {
		t.Run(name, func(t *testing.T) {
			p := embedded(t, kfake.NumBrokers(1))
			c := p.quick(p.client(t))
			s := copying{from: "in", to: "out", batch: 10, n: 30}
			p.topics(t, c, 1, s.from, s.to)
			ctx := within(t, time.Minute)
			must(t, c.Produce(ctx, numbered(s.from, 0, 30)))
			var refused, noted atomic.Int32
			p.fake.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
				p.fake.KeepControl()
				in := req.(*kmsg.TxnOffsetCommitRequest)
				switch text := in.Topics[0].Partitions[0].Metadata; {
				case text == nil:
					t.Error("an offset without a note")
				case strings.Contains(*text, "told"):
					refused.Add(1)
					return refusedNote(in), nil, true
				case strings.Contains(*text, `"ends"`):
					noted.Add(1)
				}
				return nil, nil, false
			})
			o := s.ownership("g")
			o.Tell = func() json.RawMessage { return json.RawMessage(told) }
			must(t, c.Own(ctx, o, s.run))
			exactly(t, "reader", values(t, c, s.to, 0), 0, 30)
			want := int32(0)
			if name == "refused" {
				want = 1
			}
			if refused.Load() != want || noted.Load() != 3 {
				t.Errorf("%d refused (want %d), %d with the note alone", refused.Load(), want, noted.Load())
			}
		})
	}
}

// refusedNote is the answer of a broker that takes no metadata of that length.
func refusedNote(in *kmsg.TxnOffsetCommitRequest) kmsg.Response {
	out := in.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	topic := kmsg.NewTxnOffsetCommitResponseTopic()
	topic.Topic = in.Topics[0].Topic
	part := kmsg.NewTxnOffsetCommitResponseTopicPartition()
	part.ErrorCode = 12
	topic.Partitions = append(topic.Partitions, part)
	out.Topics = append(out.Topics, topic)
	return out
}
