package extract

import (
	"context"

	"chatlake/schemas"
)

// The order of writes: there is one write. A page, what completes it, the containers that it shows, the checkpoint that
// follows from it and the position in the topic of containers become visible together or not at all. A crash before
// leaves the old checkpoint, and the same page is asked for again; a crash after leaves the new one.

// commit is what one task wants to be durable.
type commit struct {
	records []schemas.Record
	done    chan error
}

// Bounds of one transaction. A commit that is larger by itself goes alone.
const (
	maxCommits     = 256
	maxCommitBytes = 16 << 20
)

// commit returns nil when c's records are durable and visible together.
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
			batch, records := s.gather(first)
			next := s.position.Load()
			dead := s.deadBefore(next)
			err := s.log.Commit(ctx, append(records, dead...), next)
			if err == nil {
				s.forgetDead(len(dead))
			}
			for _, c := range batch {
				c.done <- err
			}
			if err != nil {
				return err
			}
			s.stats.Transactions.Add(1)
		}
	}
}

// gather adds to first what else waits at this moment.
func (s *session) gather(first *commit) (batch []*commit, records []schemas.Record) {
	batch, records = append(batch, first), first.records
	size := sizeOf(first.records)
	for len(batch) < maxCommits && size < maxCommitBytes {
		select {
		case c := <-s.commits:
			batch, records = append(batch, c), append(records, c.records...)
			size += sizeOf(c.records)
		default:
			return batch, records
		}
	}
	return batch, records
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

func sizeOf(records []schemas.Record) int {
	n := 0
	for i := range records {
		n += len(records[i].Value)
	}
	return n
}
