package extract

import (
	"context"
	"errors"
	"slices"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// The order of writes: there is one write. A page, what completes it, the containers that it shows, the checkpoint that
// follows from it and the position in the topic of containers become visible together or not at all. A crash before
// leaves the old checkpoint, and the same page is asked for again; a crash after leaves the new one.

// commit is what one task wants to be durable.
type commit struct {
	records  []schemas.Record
	done     chan error
	answered bool // only the loop asks
}

// answer tells the task what became of its commit, once.
func (c *commit) answer(err error) {
	if !c.answered {
		c.answered = true
		c.done <- err
	}
}

// Bounds of one transaction. A commit that is larger by itself goes alone.
const (
	maxCommits     = 256
	maxCommitBytes = 16 << 20
)

// commit returns nil when c's records are durable and visible together, and a *pipeline.TooLarge, whose index is that among
// them, when none is.
func (s *session) commit(ctx context.Context, c *commit) error {
	c.done = make(chan error, 1)
	select {
	case s.commits <- c:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return <-c.done // the loop answers every commit that it took
}

// commitLoop puts what waits into one transaction after another, so that many containers share one.
func (s *session) commitLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case first := <-s.commits:
			batch := s.gather(first)
			err := s.commitAll(ctx, batch)
			for _, c := range batch {
				c.answer(err)
			}
			if err != nil {
				return err
			}
			s.stats.Transactions.Add(1)
		}
	}
}

// commitAll commits a batch and the dead letters that go with it. A commit with a record that its topic does not take is
// answered by itself, and the others are committed.
func (s *session) commitAll(ctx context.Context, batch []*commit) error {
	for {
		var records []schemas.Record
		for _, c := range batch {
			if !c.answered {
				records = append(records, c.records...)
			}
		}
		next := s.position.Load()
		dead := s.deadBefore(next)
		err := s.log.Commit(ctx, append(records, dead...), next)
		var large *pipeline.TooLarge
		if !errors.As(err, &large) {
			if err == nil {
				s.forgetDead(len(dead))
			}
			return err
		}
		if i := large.Index - len(records); i >= 0 {
			s.dropDead(i, large)
			continue
		}
		answerOne(batch, large)
	}
}

// answerOne tells a commit that one of its records is too large.
func answerOne(batch []*commit, large *pipeline.TooLarge) {
	own := *large
	for _, c := range batch {
		switch {
		case c.answered:
		case own.Index < len(c.records):
			c.answer(&own)
			return
		default:
			own.Index -= len(c.records)
		}
	}
}

// gather adds to first what else waits at this moment.
func (s *session) gather(first *commit) []*commit {
	batch, size := []*commit{first}, sizeOf(first.records)
	for len(batch) < maxCommits && size < maxCommitBytes {
		select {
		case c := <-s.commits:
			batch = append(batch, c)
			size += sizeOf(c.records)
		default:
			return batch
		}
	}
	return batch
}

// deadBefore gives the dead letters of records before an offset of the topic of containers. They go with the first
// transaction that commits such an offset, for it tells the next session that these records were dealt with.
func (s *session) deadBefore(next int64) (records []schemas.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dead {
		if d.offset < next {
			records = append(records, d.record)
		}
	}
	return records
}

// forgetDead drops the first n dead letters: they are durable.
func (s *session) forgetDead(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = s.dead[n:]
	s.stats.DeadLetters.Add(int64(n))
}

// dropDead drops the i-th dead letter, which its topic does not take.
func (s *session) dropDead(i int, large *pipeline.TooLarge) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Logger.Error("a dead letter does not fit into its topic and is dropped", "subject", s.dead[i].record.Key, "topic", large.Topic,
		"bytes", large.Size, "limit_bytes", large.Limit, "remedy", remedy)
	s.dead = slices.Delete(s.dead, i, i+1)
}

func sizeOf(records []schemas.Record) int {
	n := 0
	for i := range records {
		n += len(records[i].Value)
	}
	return n
}
