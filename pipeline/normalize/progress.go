package normalize

import (
	"slices"
	"sync/atomic"
	"time"

	"chatlake/schemas"
)

// Progress is how far one owned partition is normalized.
type Progress struct {
	Partition int32
	// Position is the offset of the topic of raw pages before which all is normalized and committed. It is the end of the topic
	// where nothing is left to do, transaction markers included.
	Position int64
	// Oldest is when the response of the oldest page that was read, but is not yet committed, was complete; zero: none was read.
	Oldest time.Time
}

// Progress tells how far the partitions are that this process owns now, in no order.
func (n *Normalizer) Progress() []Progress {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]Progress, 0, len(n.sessions))
	for _, s := range n.sessions {
		p := Progress{Partition: s.log.ID(), Position: s.progress.position.Load()}
		if at := s.progress.oldest.Load(); at != 0 {
			p.Oldest = time.UnixMilli(at)
		}
		all = append(all, p)
	}
	return all
}

// enter counts a session among those of the process until leave is called.
func (n *Normalizer) enter(s *session) (leave func()) {
	s.progress.position.Store(max(s.log.Committed(), 0))
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sessions = append(n.sessions, s)
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.sessions = slices.DeleteFunc(n.sessions, func(o *session) bool { return o == s })
	}
}

// progress is what a session shows of itself.
type progress struct {
	position atomic.Int64
	oldest   atomic.Int64 // Unix milliseconds, 0: nothing is read and not committed
}

// holds notes a record that was read.
func (p *progress) holds(r *schemas.Record) {
	if p.oldest.Load() == 0 {
		p.oldest.Store(r.Time.UnixMilli())
	}
}

// stands notes what is committed, after a transaction or a fetch.
func (p *progress) stands(s *session) {
	switch {
	case s.dirty:
		return
	case len(s.group) > 0:
		p.position.Store(max(s.held.Offset, s.floor))
		p.oldest.Store(s.group[0].Time.UnixMilli())
	default:
		p.position.Store(max(s.applied.Offset, s.floor))
		p.oldest.Store(0)
	}
}
