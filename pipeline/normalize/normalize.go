// Package normalize is the second stage: it turns the raw pages of a partition into canonical messages, each page once.
// What it writes is a function of the sequence of raw records; it calls no platform and knows no vendor and no broker.
//
//	im.raw.pages ──fetch──▶ decode ──▶ version ──▶ encode ──one transaction──▶ im.messages, im.deadletters, raw offset
//	                                     │  ▲                       │
//	                                     ▼  │                       ▼ afterwards
//	                                    index  ◀────────────── apply (a cache: see package store)
package normalize

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

// Config is what a normalizer is made of.
type Config struct {
	Topics         schemas.Topics
	IDs            map[string]int                       // schema ids by topic
	Texts          schemas.Lookup                       // of schemas by id, for messages that an older version wrote; may be nil
	Decoders       map[string]func() connectors.Decoder // by platform
	Index          *store.Index
	Without        *Without      // whose messages are left out; nil: nobody's
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

	mu       sync.Mutex
	tallies  map[string]Tally // by platform, committed
	sessions []*session
}

// Stats are live counters since the start of the process. A commit that fails counts nothing.
type Stats struct {
	Pages, Messages, DeadLetters, Transactions, RawBytes atomic.Int64
	Rebuilt                                              atomic.Int64 // pages read again to build the index
	Asked                                                atomic.Int64 // link targets that were asked for
	Passed                                               atomic.Int64 // raw offsets, with those that no page has
	Erased                                               atomic.Int64 // readings, and pages of conversations, that were left out
}

// New makes a normalizer.
func New(c Config) *Normalizer {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Normalizer{Config: c, tallies: map[string]Tally{}}
}

// Stats gives the live counters.
func (n *Normalizer) Stats() *Stats { return &n.stats }

// Partition normalizes one owned partition until ctx ends, or, with Once, until it has caught up with the end that the
// topic had at the beginning. Expansions at that end whose page has not come are left for the next run.
// Any other return is an error: of the log, after which ownership must begin anew, or one that ends the process.
func (n *Normalizer) Partition(ctx context.Context, log pipeline.Log) error {
	s := n.newSession(log)
	defer s.index.Close()
	leave := n.enter(s)
	defer leave()
	end, err := s.restore(ctx)
	if err == nil {
		err = s.follow(ctx, end)
	}
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

// errRewound says that a transaction was given up because of a record that was too large, and is made again.
var errRewound = errors.New("a record was too large")

// follow normalizes from s.next on; with Once, up to end.
func (s *session) follow(ctx context.Context, end int64) error {
	r := s.log.Reader(s.Topics.RawPages, s.next)
	var since time.Time // when the oldest page of the transaction was read
	for {
		done := s.Once && s.next >= end
		if done && !s.dirty {
			return nil
		}
		wait := 500 * time.Millisecond
		if s.dirty {
			wait = max(s.CommitInterval-s.Now().Sub(since), 0)
		}
		var err error
		if s.dirty && (wait == 0 || done) {
			err = s.commit(ctx)
		} else {
			var b pipeline.Batch
			if b, err = r.Read(ctx, wait, fetchBytes); err != nil {
				return err
			}
			s.log.Beat()
			if !s.dirty {
				since = s.Now()
			}
			err = s.batch(ctx, &b, &since)
		}
		switch {
		case errors.Is(err, errRewound):
			r = s.log.Reader(s.Topics.RawPages, s.next)
		case err != nil:
			return err
		}
	}
}

// batch normalizes what one fetch brought, with transactions between where much has gathered.
func (s *session) batch(ctx context.Context, b *pipeline.Batch, since *time.Time) error {
	err := b.Each(func(r *schemas.Record) error {
		if ctx.Err() != nil { // a fetch may hold more pages than there is time for
			return context.Cause(ctx)
		}
		if s.dirty && r.Offset == s.apart {
			if err := s.commit(ctx); err != nil {
				return err
			}
		}
		s.progress.holds(r)
		if err := s.take(r); err != nil {
			return err
		}
		if s.size < commitBytes && !(s.dirty && s.apart >= 0 && s.applied.Offset > s.apart) {
			return nil
		}
		*since = s.Now()
		return s.commit(ctx)
	}, s.skip)
	if err != nil {
		return err
	}
	if s.next = b.Next; len(s.group) == 0 {
		s.applied.Offset = s.next
	} else {
		s.detach()
	}
	s.progress.stands(s)
	return nil
}

// outputEvery is how many transactions lie between two looks at how far the output reaches: what a stale index has to
// read of it again.
const outputEvery = 256

// commit publishes the transaction with the raw offset up to which it was made, then lets the index follow.
func (s *session) commit(ctx context.Context) error {
	err := s.log.Commit(ctx, s.out, max(s.applied.Offset, s.floor))
	var large *pipeline.TooLarge
	switch {
	case errors.As(err, &large) && large.Index >= 0 && large.Index < len(s.out):
		s.shrink(large)
		s.rewind()
		return errRewound
	case err != nil:
		return err
	}
	if s.commits++; s.commits%outputEvery == 1 {
		// All that is visible now was committed by what is applied, or will be in a moment.
		if _, s.applied.Output, err = s.log.Offsets(ctx, s.Topics.Messages); err != nil {
			return err
		}
	}
	if err := s.index.Apply(s.applied); err != nil {
		return err
	}
	s.stats.Passed.Add(s.applied.Offset - s.held.Offset)
	if s.held = s.applied; s.applied.Offset > s.apart {
		s.apart = -1
		clear(s.limits)
	}
	s.stats.Pages.Add(s.count.pages)
	s.stats.Messages.Add(s.count.messages)
	s.stats.DeadLetters.Add(s.count.dead)
	s.stats.Asked.Add(s.count.asked)
	s.stats.RawBytes.Add(s.count.bytes)
	s.stats.Erased.Add(s.count.erased)
	s.stats.Transactions.Add(1)
	s.committed()
	s.clear()
	s.progress.stands(s)
	return nil
}

// rewind drops the transaction, so that the same pages are read again from where the index stands.
func (s *session) rewind() {
	s.index.Discard()
	s.clear()
	s.drop()
	s.applied, s.next = s.held, s.held.Offset
}
