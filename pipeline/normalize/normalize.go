// Package normalize is the second stage: it turns the raw pages of a partition into canonical messages, each page once.
// What it writes is a function of the sequence of raw records; it calls no platform and knows no vendor and no broker.
//
//	im.raw.pages ──fetch──▶ decode ──▶ version ──▶ encode ──one transaction──▶ im.messages, im.deadletters, raw offset
//	                                     │  ▲                       │
//	                                     ▼  │                       ▼ afterwards
//	                                    index  ◀────────────── apply (a cache: see package links)
package normalize

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links"
	"chatlake/schemas"
)

// Config is what a normalizer is made of.
type Config struct {
	Topics         schemas.Topics
	IDs            map[string]int                       // schema ids by topic
	Decoders       map[string]func() connectors.Decoder // by platform
	Index          *links.Index
	Lookups        bool          // ask for link targets that no page has shown
	CommitInterval time.Duration // longest time a message waits for its transaction
	Once           bool
	Version        string // normalizer_version
	Logger         *slog.Logger
	Now            func() time.Time
}

// Normalizer normalizes the partitions that are given to it.
type Normalizer struct {
	Config
	stats Stats
}

// Stats are live counters since the start of the process. A commit that fails counts nothing.
type Stats struct {
	Pages, Messages, DeadLetters, Transactions, RawBytes atomic.Int64
	Rebuilt                                              atomic.Int64 // pages read again to build the index
	Asked                                                atomic.Int64 // link targets that were asked for
}

// New makes a normalizer.
func New(c Config) *Normalizer {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Normalizer{Config: c}
}

// Stats gives the live counters.
func (n *Normalizer) Stats() *Stats { return &n.stats }

// Partition normalizes one owned partition until ctx ends, or, with Once, until what was there at the beginning is done.
// Any other return is an error: of the log, after which ownership must begin anew, or one that ends the process.
func (n *Normalizer) Partition(ctx context.Context, log pipeline.Log) error {
	s := n.newSession(log)
	defer s.index.Close()
	start, stable, err := log.Offsets(ctx, n.Topics.RawPages)
	if err != nil {
		return err
	}
	from := log.Committed()
	if from > stable {
		return fmt.Errorf("the next raw page of partition %d is at offset %d, but %s ends at %d: the topic was made anew; "+
			"normalize it into a new output (NORMALIZER_OUTPUT) or under a new NORMALIZER_GROUP", log.ID(), from, n.Topics.RawPages, stable)
	}
	if from >= 0 && from < start {
		n.Logger.Error("raw pages were removed before they were normalized: give the topic a longer retention",
			"topic", n.Topics.RawPages, "partition", log.ID(), "from", from, "to", start)
	}
	if err := s.restore(ctx, start, max(from, start)); err != nil {
		return err
	}
	err = s.follow(ctx, max(from, start), stable)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// Bounds of one fetch and one transaction, in bytes.
const (
	fetchBytes  = 8 << 20
	commitBytes = 8 << 20
)

// follow normalizes from an offset on; with Once, up to end.
func (s *session) follow(ctx context.Context, from, end int64) error {
	r := s.log.Reader(s.Topics.RawPages, from)
	var since time.Time // when the oldest page in hand was read
	s.applied.Offset = from
	for next := from; ; {
		if s.Once && next >= end {
			if err := s.close(); err != nil {
				return err
			}
			if !s.dirty {
				return nil
			}
		}
		wait := 500 * time.Millisecond
		if s.dirty {
			wait = max(s.CommitInterval-s.Now().Sub(since), 0)
		}
		if s.dirty && (wait == 0 || s.Once && next >= end) {
			if err := s.commit(ctx); err != nil {
				return err
			}
			continue
		}
		b, err := r.Read(ctx, wait, fetchBytes)
		if err != nil {
			return err
		}
		s.log.Beat()
		if !s.dirty {
			since = s.Now()
		}
		for i := range b.Records {
			if err := s.take(&b.Records[i]); err != nil {
				return err
			}
			if s.size >= commitBytes {
				if err := s.commit(ctx); err != nil {
					return err
				}
				since = s.Now()
			}
		}
		if next = b.Next; len(s.group) == 0 {
			s.applied.Offset = next
		}
	}
}

// commit publishes what is in hand with the raw offset up to which it was made, then lets the index follow.
func (s *session) commit(ctx context.Context) error {
	if err := s.log.Commit(ctx, s.out, s.applied.Offset); err != nil {
		return err
	}
	if err := s.index.Apply(s.applied); err != nil {
		return err
	}
	s.stats.Pages.Add(s.count.pages)
	s.stats.Messages.Add(s.count.messages)
	s.stats.DeadLetters.Add(s.count.dead)
	s.stats.Asked.Add(s.count.asked)
	s.stats.RawBytes.Add(s.count.bytes)
	s.stats.Transactions.Add(1)
	s.clear()
	return nil
}
