// Package audit compares what the topics of an installation hold with each other: the chain of pages of every container and
// epoch, the checkpoints, and every item of every page against messages and dead letters. It calls no platform, writes to no
// topic, and knows no vendor and no broker.
//
//	im.raw.pages ──▶ chains ◀── im.checkpoints
//	      │
//	      ▼
//	    items ──sorted by page and pointer──▶ rows ──sorted by record──▶ findings
//	              ▲                             ▲
//	   im.messages, im.deadletters   im.messages, im.deadletters
//
// Everything of a conversation is in one partition, so partitions are audited one after the other. What is compared are
// digests of fixed size, which are sorted, in a temporary file where they are many: memory does not grow with the messages.
package audit

import (
	"context"
	"iter"
	"log/slog"
	"os"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// Log is one partition of all topics, read committed.
type Log interface {
	// Offsets gives the first offset that a topic still has, and its last stable offset.
	Offsets(ctx context.Context, topic string) (start, stable int64, err error)
	// End gives the offset after the last record, committed or not.
	End(ctx context.Context, topic string) (int64, error)
	Reader(topic string, from int64) pipeline.Reader
	// Committed gives the raw offset before which everything is normalized, -1 where nothing is.
	Committed(ctx context.Context) (int64, error)
}

// Platform is how the pages of one platform are read.
type Platform struct {
	Decoder func() connectors.Decoder
	Shown   func(*schemas.Page) iter.Seq[connectors.Item]
}

// Config is what an audit is made of.
type Config struct {
	Topics      schemas.Topics
	Partitions  int
	Log         func(partition int32) Log
	Texts       schemas.Lookup      // of schemas by id
	Platforms   map[string]Platform // by name
	Dir         string              // for temporary files; "" for the usual one
	Patience    time.Duration       // how long open transactions are waited for; 0: 10 s
	MaxFindings int                 // that are listed; 0: 100,000
	Logger      *slog.Logger
}

// Kinds of findings. The list is open.
const (
	KindGap         = "gap"         // pages of a chain are missing
	KindFork        = "fork"        // two pages have one place in a chain
	KindRepeat      = "repeat"      // a page is there twice
	KindNoFinal     = "no_final"    // an epoch has ended, but no page says so
	KindBadID       = "bad_id"      // a page's id is not the digest of its parts
	KindOrder       = "order"       // a page comes before the one that it follows
	KindCheckpoint  = "checkpoint"  // a checkpoint and the chain do not agree
	KindUnaccounted = "unaccounted" // an item is neither a message, nor an issue, nor a dead letter
	KindOrphan      = "orphan"      // a message's provenance names no item
	KindVersion     = "version"     // versions of a record do not rise
	KindUnreadable  = "unreadable"  // a record cannot be read
)

// Finding is something that does not agree. What is unknown is nil.
type Finding struct {
	Kind         string  `json:"kind"`
	ContainerKey *string `json:"container_key"`
	Epoch        *int64  `json:"epoch"`
	Page         *int64  `json:"page"`
	PageID       *string `json:"page_id"`
	RecordID     *string `json:"record_id"`
	Detail       string  `json:"detail"`
}

// Report is what an audit comes to.
type Report struct {
	OK         bool             `json:"ok"`
	Containers int64            `json:"containers"` // that have pages
	Epochs     int64            `json:"epochs"`     // of containers, that have pages
	Pages      int64            `json:"pages"`      // raw records
	Items      int64            `json:"items"`      // message objects and file lines, of pages that are normalized
	Messages   int64            `json:"messages"`   // versions
	Pending    int64            `json:"pending"`    // pages that are not normalized yet
	Expired    int64            `json:"expired"`    // pages and message versions whose raw record retention took
	Counts     map[string]int64 `json:"counts"`     // findings by kind
	Findings   []Finding        `json:"findings"`   // by partition, at most Config.MaxFindings
}

// Found is how many findings there are.
func (r *Report) Found() (n int64) {
	for _, k := range r.Counts {
		n += k
	}
	return n
}

// Run audits all partitions. An error says that it could not be done, not that something was found.
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	if c.Patience == 0 {
		c.Patience = 10 * time.Second
	}
	if c.MaxFindings == 0 {
		c.MaxFindings = 100_000
	}
	a := &audit{
		Config:  c,
		check:   schemas.NewDecoder(schemas.CheckpointSchema, c.Texts),
		message: schemas.NewDecoder(schemas.MessageSchema, c.Texts),
		dead:    schemas.NewDecoder(schemas.DeadLetterSchema, c.Texts),
		report:  Report{Counts: map[string]int64{}, Findings: []Finding{}},
	}
	for id := range int32(c.Partitions) {
		if err := a.partition(ctx, id); err != nil {
			return nil, err
		}
	}
	a.report.OK = a.report.Found() == 0
	return &a.report, nil
}

// audit is one run.
type audit struct {
	Config
	check, message, dead *schemas.Decoder
	report               Report
}
