package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/schemas"
)

func (t *tool) containersCommand() *cobra.Command {
	return group("containers", "Say what is to be read, and see how far it has been read",
		t.containersAddCommand(), t.containersDiscoverCommand(), t.containersListCommand(), t.containersCancelCommand(),
		t.containersRetryCommand())
}

// ledger is what is known of the containers of some partitions.
type ledger struct {
	containers  schemas.Fold
	checkpoints map[schemas.ContainerKey]*schemas.Checkpoint
	unreadable  int // records of the topic of containers that say nothing: the extractor sets them aside
}

// inForce is the epoch in force of a container, 0 where it is not known: the higher of container and checkpoint.
func (l *ledger) inForce(key schemas.ContainerKey) int64 {
	var epoch int64
	if c := l.containers[key]; c != nil {
		epoch = c.Epoch
	}
	if cp := l.checkpoints[key]; cp != nil {
		epoch = max(epoch, cp.Epoch)
	}
	return epoch
}

// readersAtOnce is how many partitions are read at the same time.
const readersAtOnce = 8

// readLedger folds what is committed in partitions, up to now.
func readLedger(ctx context.Context, n *worker.Connection, partitions []int32) (*ledger, error) {
	r := newLedgerReader(n)
	return r.ledger, r.readOn(ctx, partitions)
}

func newLedgerReader(n *worker.Connection) *ledgerReader {
	return &ledgerReader{
		ledger: &ledger{containers: schemas.Fold{}, checkpoints: map[schemas.ContainerKey]*schemas.Checkpoint{}},
		client: n.Client, topics: n.Topics, total: n.Partitions,
		container:  schemas.NewDecoder(schemas.ContainerSchema, n.Registry.Patient),
		checkpoint: schemas.NewDecoder(schemas.CheckpointSchema, n.Registry.Patient),
	}
}

// readOn folds what is committed in partitions up to now, from where it came to the last time.
func (r *ledgerReader) readOn(ctx context.Context, partitions []int32) error {
	return eachPartition(ctx, partitions, r.partition)
}

// eachPartition calls fn for some partitions at a time, until all are done or one fails.
func eachPartition(ctx context.Context, partitions []int32, fn func(context.Context, int32) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, readersAtOnce)
	var all sync.WaitGroup
	for _, p := range partitions {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if err := fn(ctx, p); err != nil {
				cancel(err) // the first is the cause
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

type ledgerReader struct {
	mu                    sync.Mutex // guards ledger
	ledger                *ledger
	client                *kafka.Client
	topics                schemas.Topics
	total                 int
	container, checkpoint *schemas.Decoder
	read                  positions
}

func (r *ledgerReader) partition(ctx context.Context, p int32) error {
	if err := r.read.on(ctx, r.client, place{r.topics.Checkpoints, p}, func(rec schemas.Record) error {
		cp := new(schemas.Checkpoint)
		if err := r.checkpoint.Decode(ctx, rec.Value, cp); err != nil {
			return fmt.Errorf("%s/%d offset %d (%s): %w", rec.Topic, rec.Partition, rec.Offset, rec.Key, err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ledger.checkpoints[schemas.ContainerKey(cp.ContainerKey)] = cp
		return nil
	}); err != nil {
		return err
	}
	return r.read.on(ctx, r.client, place{r.topics.Containers, p}, func(rec schemas.Record) error {
		c := new(schemas.Container)
		err := r.container.Decode(ctx, rec.Value, c)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, schemas.ErrNoAnswer) { // that says nothing of the record
			return fmt.Errorf("%s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		conversation := schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil || schemas.Partition(conversation, r.total) != p {
			r.ledger.unreadable++
			return nil
		}
		r.ledger.containers.Add(c)
		return nil
	})
}

// place is one partition of a topic.
type place struct {
	topic     string
	partition int32
}

// readWhole calls fn with everything committed in a partition up to now.
func readWhole(ctx context.Context, c *kafka.Client, at place, fn func(schemas.Record) error) error {
	start, stable, err := c.Offsets(ctx, at.topic, at.partition)
	if err != nil {
		return err
	}
	return c.ReadAll(ctx, at.topic, at.partition, start, stable, fn)
}

// allPartitions numbers the partitions of a topic.
func allPartitions(total int) []int32 {
	all := make([]int32, total)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
