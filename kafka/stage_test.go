package kafka_test

import (
	"context"
	"slices"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"
)

// copying is the stub stage: it copies each record of one topic to the same partition of another, and ends a partition
// once it has copied n of them (n < 0: never).
type copying struct {
	from, to string
	batch    int // records in a transaction
	n        int
	before   func(p *kafka.Partition) // before each commit
}

func (s copying) ownership(group string) kafka.Ownership {
	return kafka.Ownership{Group: group, Topic: s.from, Writes: []string{s.to}, Once: s.n >= 0}
}

func (s copying) run(ctx context.Context, p *kafka.Partition) error {
	from := p.Committed()
	if from < 0 {
		from = kafka.LogStart
	}
	r := p.Reader(s.from, from)
	var waiting []schemas.Record
	for {
		if s.n >= 0 && len(waiting) == 0 && r.Next() >= int64(s.n) {
			return nil
		}
		b, err := r.Read(ctx, 100*time.Millisecond, 1<<20)
		if err != nil {
			return err
		}
		waiting = b.Records
		for len(waiting) > 0 {
			k := min(s.batch, len(waiting))
			out := slices.Clone(waiting[:k])
			for i := range out {
				out[i].Topic = s.to
			}
			if s.before != nil {
				s.before(p)
			}
			if err := p.Commit(ctx, out, waiting[k-1].Offset+1); err != nil {
				return err
			}
			waiting = waiting[k:]
		}
	}
}
