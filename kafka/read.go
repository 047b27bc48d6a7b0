package kafka

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// LogStart as an offset to read from: the first that the partition still has.
const LogStart int64 = -2

// Batch is what one fetch brought.
type Batch struct {
	Records  []schemas.Record // committed, in offset order; may be empty though Next moved on
	Next     int64            // offset after everything covered: aborted, control and compacted offsets included
	LogStart int64            // first offset that the partition still has
	Stable   int64            // last stable offset: nothing at or beyond it is committed yet
	Skipped  []Damaged        // what lies below Next and could not be read
}

// OffsetOutOfRange says that the log does not have the offset asked for: deleted by retention (Offset < Start), or never
// written, as after a topic was made anew (Offset > End). A Reader never jumps.
type OffsetOutOfRange struct {
	Topic              string
	Partition          int32
	Offset, Start, End int64
}

func (e *OffsetOutOfRange) Error() string {
	return fmt.Sprintf("%s/%d has offsets %d to %d, not %d", e.Topic, e.Partition, e.Start, e.End, e.Offset)
}

// Reader reads the committed records of one partition in order. It holds no connection and needs no closing. It is for
// one goroutine.
type Reader struct {
	client  *Client
	place   place
	next    int64
	decoder decoder
	beat    func()
	hold    *holding
	suspect suspect
	atLeast int // bytes that a batch needs which did not fit
}

// Reader reads from an offset, or from LogStart.
func (c *Client) Reader(topic string, partition int32, from int64) *Reader {
	at := place{topic, partition}
	r := &Reader{client: c, place: at, next: from, decoder: decoder{place: at}, beat: func() {}, hold: &holding{budget: &c.budget}}
	runtime.AddCleanup(r, (*holding).release, r.hold) // of who drops a reader with its last batch
	return r
}

// Next is the offset that the next Read begins at; LogStart before the first Read from there.
func (r *Reader) Next() int64 { return r.next }

// Read does one fetch with isolation read_committed. It waits at most wait for a first byte and brings about maxBytes,
// or one batch where that is larger. Moved leaders and lost connections are retried until ctx ends. A batch that is
// damaged, older than format 2 or too large when decompressed, and comes the same each time, is stepped over and named in
// Skipped. An *OffsetOutOfRange is an error.
//
// All readers of a client share Config.ReadBudget: where others hold much, Read brings less, and waits a few seconds for
// them at most. It gives back what its last Batch took.
//
// Values and headers of the records share the memory of the whole batch: who keeps a few for long copies them.
func (r *Reader) Read(ctx context.Context, wait time.Duration, maxBytes int) (Batch, error) {
	r.beat()
	if r.decoder.unpack == nil {
		var err error
		if r.decoder.unpack, err = usualDecompressor(); err != nil {
			return Batch{}, err
		}
	}
	r.hold.release()
	most := r.client.budget.enter()
	defer r.client.budget.leave()
	var batch Batch
	err := r.client.persist(ctx, tries{what: "read " + r.place.String(), rights: []right{onTopic("Read", r.place.topic)}}, func(ctx context.Context) error {
		from := r.next
		if from == LogStart {
			var err error
			if from, err = r.client.offset(ctx, r.place, timeEarliest); err != nil {
				return err
			}
		}
		var err error
		batch, err = r.fetch(ctx, from, wait, max(min(maxBytes, most), r.atLeast))
		if isCode(err, codeOutOfRange) {
			return r.outOfRange(ctx, from)
		}
		return err
	})
	if err != nil {
		return Batch{}, interrupt(err)
	}
	r.next = batch.Next
	r.beat()
	return batch, nil
}

func (r *Reader) fetch(ctx context.Context, from int64, wait time.Duration, maxBytes int) (Batch, error) {
	r.hold.release()
	found, err := r.ask(ctx, fetchRequest(r.place, from, wait, maxBytes))
	var long *tooLong
	if errors.As(err, &long) {
		return r.overlong(ctx, from, long)
	}
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{LogStart: found.LogStartOffset, Stable: found.LastStableOffset}
	r.decoder.share = &share{ctx: ctx, hold: r.hold}
	batch.Next, err = r.decoder.batches(found.RecordBatches, from, found.AbortedTransactions, &batch.Records)
	var bad *unreadable
	switch {
	case errors.As(err, &bad) && batch.Next > from:
		// What lies before it is good; the next Read begins at it.
		r.client.log.Debug("read up to a batch that cannot be read", "error", err)
		return batch, nil
	case err == nil && batch.Next == from && len(found.RecordBatches) > 0:
		bad = r.cut(found.RecordBatches, from)
	case err == nil:
		r.suspect, r.atLeast = suspect{}, 0
		return batch, nil
	}
	skipped, err := r.doubt(ctx, from, bad, found.LastStableOffset)
	skipped.LogStart = found.LogStartOffset
	return skipped, err
}

func fetchRequest(at place, from int64, wait time.Duration, maxBytes int) *kmsg.FetchRequest {
	request := kmsg.NewFetchRequest()
	request.Version = 11
	request.MaxWaitMillis, request.MinBytes, request.MaxBytes = int32(wait.Milliseconds()), 1, int32(maxBytes)
	request.IsolationLevel = 1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = at.topic
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = at.partition, from, int32(maxBytes)
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	return &request
}

// outOfRange finds the error's bounds. Where the offset lies within them by now (a leader that had just taken over), or
// the reader may begin at any start, the fetch is tried again.
func (r *Reader) outOfRange(ctx context.Context, from int64) error {
	start, err := r.client.offset(ctx, r.place, timeEarliest)
	if err != nil {
		return err
	}
	end, err := r.client.offset(ctx, r.place, timeLatest)
	if err != nil {
		return err
	}
	if r.next == LogStart || start <= from && from <= end {
		return refusal(9, "fetch %s at %d", r.place, from)
	}
	return damaged{&OffsetOutOfRange{r.place.topic, r.place.partition, from, start, end}}
}

const (
	timeLatest   = int64(-1)
	timeStable   = int64(-100) // ours: latest, but read_committed
	timeEarliest = int64(-2)
)

// offset asks ListOffsets once.
func (c *Client) offset(ctx context.Context, at place, when int64) (int64, error) {
	request := kmsg.NewListOffsetsRequest()
	request.Version, request.ReplicaID = 5, -1
	if when == timeStable {
		when, request.IsolationLevel = timeLatest, 1
	}
	topic := kmsg.NewListOffsetsRequestTopic()
	topic.Topic = at.topic
	partition := kmsg.NewListOffsetsRequestTopicPartition()
	partition.Partition, partition.Timestamp = at.partition, when
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	var found int64
	err := c.atLeader(ctx, at, func(to leader) error {
		request.Topics[0].Partitions[0].CurrentLeaderEpoch = to.epoch
		answer, err := call[*kmsg.ListOffsetsResponse](ctx, c, order{request: &request, node: to.node})
		if err != nil {
			return err
		}
		if len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1 {
			return fmt.Errorf("offsets of %s: answer is about %d topics", at, len(answer.Topics))
		}
		p := answer.Topics[0].Partitions[0]
		found = p.Offset
		return refusal(p.ErrorCode, "offsets of %s", at)
	})
	return found, err
}

// Offsets gives the first offset that a partition still has and its last stable offset, retried until ctx ends.
func (c *Client) Offsets(ctx context.Context, topic string, partition int32) (start, stable int64, err error) {
	at := place{topic, partition}
	err = c.persist(ctx, tries{what: "offsets of " + at.String(), rights: []right{onTopic("Describe", topic)}}, func(ctx context.Context) error {
		if start, err = c.offset(ctx, at, timeEarliest); err != nil {
			return err
		}
		stable, err = c.offset(ctx, at, timeStable)
		return err
	})
	return start, stable, err
}

// End gives a partition's high watermark, retried until ctx ends: the offset after the last record, committed or not. What
// an open transaction hides lies between the stable offset and it.
func (c *Client) End(ctx context.Context, topic string, partition int32) (end int64, err error) {
	at := place{topic, partition}
	err = c.persist(ctx, tries{what: "end of " + at.String(), rights: []right{onTopic("Describe", topic)}}, func(ctx context.Context) error {
		end, err = c.offset(ctx, at, timeLatest)
		return err
	})
	return end, err
}

// ReadAll calls fn with every committed record from offset from (or LogStart) up to but without to, in order, and
// returns fn's error at once. What cannot be read is stepped over and logged. to is a stable offset from Offsets; a log that ends before it and stays so for a while is
// an error.
func (c *Client) ReadAll(ctx context.Context, topic string, partition int32, from, to int64, fn func(schemas.Record) error) error {
	return c.Reader(topic, partition, from).upTo(ctx, to, fn)
}

func (r *Reader) upTo(ctx context.Context, to int64, fn func(schemas.Record) error) error {
	if r.next == LogStart { // a read at the end of an empty log would wait for a record
		start, _, err := r.client.Offsets(ctx, r.place.topic, r.place.partition)
		if err != nil {
			return err
		}
		r.next = start
	}
	defer r.hold.release()
	moved := time.Now()
	for r.next < to {
		before := r.next
		batch, err := r.Read(ctx, 500*time.Millisecond, 4<<20)
		if err != nil {
			return err
		}
		for _, record := range batch.Records {
			if record.Offset >= to {
				return nil
			}
			if err := fn(record); err != nil {
				return err
			}
		}
		if r.next != before {
			moved = time.Now()
		} else if time.Since(moved) > r.client.timing.missing {
			return fmt.Errorf("%s: nothing from offset %d on though %d was stable; stable now %d", r.place, r.next, to, batch.Stable)
		}
	}
	return nil
}
