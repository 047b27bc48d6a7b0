package worker

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"chatlake/kafka"
	"chatlake/metrics"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// Names of the stages in metrics.
const (
	stageExtractor  = "extractor"
	stageNormalizer = "normalizer"
)

// transactionBounds are the buckets of transactions, in seconds.
var transactionBounds = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// observer counts what one stage commits, and knows the partitions that it owns.
type observer struct {
	stage string
	set   *metrics.Set
	n     *Connection
	ready *readiness

	transactions *metrics.Times
	failures     *metrics.Counts
	dead         *metrics.Counts
	pages, bytes *metrics.Counts // of raw pages; nil: the stage writes none

	mu      sync.Mutex
	commits map[int32]time.Time  // by owned partition, the last
	read    map[string]time.Time // by platform, when its last page was committed
}

// usualClasses are classes of dead letters that are there from the start of each stage that writes them, so that the first
// one is seen as a rise.
var usualClasses = map[string]map[string][]string{
	stageExtractor: {schemas.StageExtract: {"unreadable", "invalid", "misplaced", "too_large", "bad_container"}},
	stageNormalizer: {
		schemas.StageDecode:    {"unreadable", "panic"},
		schemas.StageNormalize: {"misplaced", "not_a_page", "unknown_platform", "two_conversations", "too_large"},
		schemas.StageEncode:    {"invalid", "too_large"},
	},
}

func newObserver(stage string, n *Connection, ready *readiness) *observer {
	set := metrics.NewSet()
	o := &observer{
		stage: stage, set: set, n: n, ready: ready, commits: map[int32]time.Time{}, read: map[string]time.Time{},
		transactions: set.Time("chatlake_transaction_duration_seconds", transactionBounds...),
		failures:     set.Count("chatlake_transaction_failures_total"),
		dead:         set.Count("chatlake_dead_letters_total"),
	}
	o.failures.Add(0, stage)
	for of, classes := range usualClasses[stage] {
		for _, class := range classes {
			o.dead.Add(0, of, class)
		}
	}
	set.Sampled(o.sample)
	return o
}

// enter says that a partition is owned, until leave is called.
func (o *observer) enter(partition int32) (leave func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.commits[partition] = time.Now()
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.commits, partition)
	}
}

// committed takes in what became of a transaction.
func (o *observer) committed(partition int32, records []schemas.Record, took time.Duration, err error) {
	var large *pipeline.TooLarge
	switch {
	case errors.As(err, &large): // nothing was begun
		return
	case err != nil:
		o.failures.Add(1, o.stage)
		return
	}
	o.transactions.Observe(took.Seconds(), o.stage)
	now := time.Now()
	for i := range records {
		switch r := &records[i]; r.Topic {
		case o.n.Topics.DeadLetters:
			o.letter(r)
		case o.n.Topics.RawPages:
			o.page(r, now)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, owned := o.commits[partition]; owned {
		o.commits[partition] = now
	}
}

func (o *observer) letter(r *schemas.Record) {
	var d schemas.DeadLetter
	_, body, err := schemas.Frame(r.Value)
	if err == nil {
		err = schemas.DeadLetterSchema.Decode(body, &d)
	}
	if err != nil {
		d.Stage, d.ErrorClass = o.stage, metrics.Other // it was encoded a moment ago
	}
	o.dead.Add(1, d.Stage, d.ErrorClass)
}

func (o *observer) page(r *schemas.Record, now time.Time) {
	platform, _, _ := strings.Cut(r.Key, "/")
	o.pages.Add(1, platform)
	o.bytes.Add(float64(len(r.Value)), platform)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read[platform] = now
}

// sample tells what is known of the stage as a whole.
func (o *observer) sample(emit metrics.Emit) {
	emit("chatlake_ready", one(o.ready.ready() == nil), o.stage)
	emit("chatlake_broker_reachable", one(!o.ready.unreached.Load()), o.stage)
	emit("chatlake_registry_reachable", one(!o.ready.registryGone.Load()), o.stage)
	emit("chatlake_partitions", float64(o.n.Partitions), o.stage)
	o.mu.Lock()
	defer o.mu.Unlock()
	emit("chatlake_partitions_owned", float64(len(o.commits)), o.stage)
	for partition, at := range o.commits {
		emit("chatlake_last_commit_timestamp_seconds", unix(at), o.stage, number(partition))
	}
}

// registry asks the schema registry for a schema of ours, which any that answers has.
func (o *observer) registry(ctx context.Context) error {
	for _, id := range o.n.IDs {
		_, err := o.n.Registry.Text(ctx, id)
		return err
	}
	return nil
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// unix gives a time as metrics do.
func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func number(partition int32) string { return strconv.Itoa(int(partition)) }

// owned lets a stage see its partition without knowing the broker, and counts what it commits.
type owned struct {
	*kafka.Partition
	seen *observer
}

func (o owned) Reader(topic string, from int64) pipeline.Reader {
	return reader{o.Partition.Reader(topic, from)}
}

func (o owned) Commit(ctx context.Context, records []schemas.Record, next int64) error {
	began := time.Now()
	err := staged(o.Partition.Commit(ctx, records, next))
	if err == nil || ctx.Err() == nil { // one that is cut off by the end of its partition is no failure
		o.seen.committed(o.ID(), records, time.Since(began), err)
	}
	return err
}
