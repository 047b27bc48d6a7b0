package kafka_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kfake"
)

// chatter makes records of about 700 bytes that compress like chat messages do.
func chatter(topic string, n int) []schemas.Record {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"the ", "meeting ", "is ", "at ", "three ", "please ", "bring ", "your ", "numbers ", "and ", "coffee "}
	out := make([]schemas.Record, n)
	for i := range out {
		value := fmt.Appendf(nil, `{"id":"om_%016x%016x","sender":"ou_%08x","text":"`, r.Uint64(), r.Uint64(), r.Uint32())
		for len(value) < 640 {
			value = append(value, words[r.IntN(len(words))]...)
		}
		out[i] = schemas.Record{Topic: topic, Time: time.UnixMilli(1_700_000_000_000), Key: fmt.Sprintf("feishu/t/oc_%04d", i/50), Value: value,
			Headers: []schemas.Header{{Key: "ce_id", Value: []byte("0123456789abcdef")}, {Key: "ce_type", Value: []byte("feishu.im.v1.messages.list")}}}
	}
	return out
}

func filled(b *testing.B, n int) (place, *kafka.Client) {
	p := embedded(b, kfake.NumBrokers(1))
	c := p.client(b)
	p.topics(b, c, 1, "in", "out")
	must(b, c.Produce(b.Context(), chatter("in", n)))
	return p, c
}

func BenchmarkRead(b *testing.B) {
	_, c := filled(b, 100_000)
	b.ReportAllocs()
	var n int
	began := time.Now()
	for b.Loop() {
		r := c.Reader("in", 0, 0)
		for r.Next() < 100_000 {
			batch, err := r.Read(b.Context(), time.Second, 4<<20)
			must(b, err)
			n += len(batch.Records)
		}
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "records/s")
}

func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{100, 2000, 10_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			_, c := filled(b, 1)
			records := chatter("out", size)
			o := kafka.Ownership{Group: "g", Topic: "in", Writes: []string{"out"}, Once: true}
			must(b, c.Own(b.Context(), o, func(ctx context.Context, p *kafka.Partition) error {
				b.ReportAllocs()
				began, n := time.Now(), 0
				for b.Loop() {
					if err := p.Commit(ctx, records, int64(n)); err != nil {
						return err
					}
					n += size
				}
				b.ReportMetric(float64(n)/time.Since(began).Seconds(), "records/s")
				return nil
			}))
		})
	}
}

// BenchmarkReadCommit is the broker's side of a normalizer that does nothing with its messages.
func BenchmarkReadCommit(b *testing.B) {
	_, c := filled(b, 100_000)
	n := 0
	began := time.Now()
	for b.Loop() {
		o := kafka.Ownership{Group: fmt.Sprint("g", n), Topic: "in", Writes: []string{"out"}, Once: true}
		must(b, c.Own(b.Context(), o, func(ctx context.Context, p *kafka.Partition) error {
			for r := p.Reader("in", kafka.LogStart); r.Next() < 100_000; {
				batch, err := r.Read(ctx, time.Second, 4<<20)
				if err != nil {
					return err
				}
				for i := range batch.Records {
					batch.Records[i].Topic = "out"
				}
				if err := p.Commit(ctx, batch.Records, batch.Next); err != nil {
					return err
				}
				n += len(batch.Records)
			}
			return nil
		}))
	}
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "records/s")
}
