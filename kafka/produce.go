package kafka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Produce writes records outside any transaction, each where its Topic and Partition say, with acks=all. It returns nil
// once all are stored, and retries until ctx ends, so a record may be written twice: it is for writers whose readers
// fold what repeats. Records of one partition keep their order.
func (c *Client) Produce(ctx context.Context, records []schemas.Record) error {
	w := writer{client: c, by: nobody}
	return w.write(ctx, records)
}

// writer sends record batches. Within one write each partition has one request in flight.
type writer struct {
	client  *Client
	by      producer
	txid    *string          // nil outside transactions
	next    map[place]*int32 // sequence of the next record, by partition, since the producer's epoch began
	drafts  []*draft         // reused
	ends    map[place]int64  // of the last write: the offset after the last record in each partition, where the broker says
	spoiled *atomic.Bool     // nil outside transactions; see transaction
}

// queue is what one write has for one partition.
type queue struct {
	place   place
	end     int64 // offset after the last record stored, 0: not known
	records []*schemas.Record
	next    *int32
	draft   *draft
}

// write sends all records, the partitions side by side, and returns when no request is under way any more.
func (w *writer) write(ctx context.Context, records []schemas.Record) error {
	queues := w.sort(records)
	defer w.collect(queues)
	if len(queues) == 1 {
		return w.drain(ctx, queues[0])
	}
	errs := make([]error, len(queues))
	var all sync.WaitGroup
	for i, q := range queues {
		all.Go(func() { errs[i] = w.drain(ctx, q) })
	}
	// A failure does not cancel the others: a request cut off would be one that may still arrive.
	all.Wait()
	var worst error
	for _, err := range errs {
		if err != nil && (worst == nil || judge(err) > judge(worst)) {
			worst = err
		}
	}
	return worst
}

// collect keeps what the brokers' answers said of where the records lie.
func (w *writer) collect(queues []*queue) {
	w.ends = make(map[place]int64, len(queues))
	for _, q := range queues {
		if q.end > 0 {
			w.ends[q.place] = q.end
		}
	}
}

func (w *writer) sort(records []schemas.Record) []*queue {
	var queues []*queue
	var last *queue
	for i := range records {
		r := &records[i]
		if at := (place{r.Topic, r.Partition}); last == nil || last.place != at {
			last = nil
			for _, q := range queues {
				if q.place == at {
					last = q
				}
			}
			if last == nil {
				last = w.queue(at, len(queues))
				queues = append(queues, last)
			}
		}
		last.records = append(last.records, r)
	}
	return queues
}

func (w *writer) queue(at place, index int) *queue {
	for len(w.drafts) <= index {
		w.drafts = append(w.drafts, new(draft))
	}
	if w.next == nil {
		w.next = make(map[place]*int32)
	}
	if w.next[at] == nil {
		w.next[at] = new(int32)
	}
	return &queue{place: at, next: w.next[at], draft: w.drafts[index]}
}

func (w *writer) drain(ctx context.Context, q *queue) error {
	for rest := q.records; len(rest) > 0; {
		q.draft.target = w.client.limit(q.place.topic).target
		q.draft.reset()
		batchOf := rest
		for len(rest) > 0 && q.draft.fits(rest[0]) {
			q.draft.add(rest[0])
			rest = rest[1:]
		}
		sequence := int32(-1)
		if w.txid != nil {
			sequence = *q.next
		}
		batch, err := q.draft.seal(w.by, sequence)
		base := int64(-1)
		if err == nil {
			base, err = w.send(ctx, q.place, batch)
			err = tooMuch(err, oversized{place: q.place, records: batchOf[:q.draft.count], size: len(batch), plain: len(q.draft.plain)})
		}
		if err != nil {
			return fmt.Errorf("%d records to %s: %w", q.draft.count, q.place, err)
		}
		if base >= 0 { // a broker that knew the batch already may not say where it lies
			q.end = base + int64(q.draft.count)
		}
		// Sequences wrap from 2^31-1 to 0.
		*q.next = int32((int64(*q.next) + int64(q.draft.count)) & 0x7fffffff)
	}
	return nil
}

// send stores one batch and gives the offset of its first record, negative where the broker does not say. Inside a transaction it repeats only what the broker refused: what went unanswered may still
// arrive, and only a new producer epoch keeps it out.
func (w *writer) send(ctx context.Context, at place, batch []byte) (base int64, err error) {
	request := kmsg.NewProduceRequest()
	request.Version, request.Acks, request.TransactionID = 8, -1, w.txid
	request.TimeoutMillis = int32(w.client.timing.produce.Milliseconds() / 2)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = at.topic
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Partition, partition.Records = at.partition, batch
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	t := tries{what: "write to " + at.String(), unsent: w.txid != nil, rights: []right{onTopic("Write", at.topic)}}
	if w.txid != nil {
		t.rights = append(t.rights, onTransactions("Write", *w.txid))
	}
	err = w.client.persist(ctx, t, func(ctx context.Context) error {
		return w.client.atLeader(ctx, at, func(to leader) error {
			answer, err := call[*kmsg.ProduceResponse](ctx, w.client, order{
				request: &request, node: to.node, within: w.client.timing.produce})
			if err != nil {
				if w.spoiled != nil {
					return spoils(w.spoiled, err)
				}
				return err
			}
			if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
				return fmt.Errorf("write to %s: answer is about %d topics", at, len(answer.Topics))
			}
			p := answer.Topics[0].Partitions[0]
			if p.ErrorCode == 0 || p.ErrorCode == codeDuplicate {
				base = p.BaseOffset
				return nil
			}
			r := &refused{what: "write to " + at.String(), code: p.ErrorCode}
			if p.ErrorMessage != nil {
				r.message = *p.ErrorMessage
			}
			return r
		})
	})
	return base, err
}
