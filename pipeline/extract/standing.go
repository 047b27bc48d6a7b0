package extract

import (
	"slices"
	"strings"
	"time"

	"chatlake/schemas"
)

// States are the states of containers, in the order of their lives.
var States = [...]string{
	schemas.StatePending, schemas.StateRunning, schemas.StateWaiting, schemas.StateComplete, schemas.StateFailed, schemas.StateCancelled,
}

// Standing is how far the containers of one platform are, in the partitions whose state this process has read.
type Standing struct {
	States map[string]int // containers by the state of their checkpoints; every state is there
	// Oldest is, of the containers not at their end, the earliest time of the last checkpoint, or of the request where there is
	// none; zero where all have ended.
	Oldest time.Time
	Newest time.Time // of all messages that checkpoints tell of; zero: none
	Items  int64     // messages shown by pages that were committed since the start of the process
}

// Standing looks at all containers of the platforms that are on, and gives their sums by platform.
func (e *Extractor) Standing() map[string]*Standing {
	all := map[string]*Standing{}
	for _, name := range e.names {
		of := &Standing{States: map[string]int{}, Items: e.platforms[name].items.Load()}
		for _, state := range States {
			of.States[state] = 0
		}
		all[name] = of
	}
	e.mu.Lock()
	sessions := slices.Clone(e.sessions)
	e.mu.Unlock()
	for _, s := range sessions {
		s.addTo(all)
	}
	return all
}

// addTo adds the containers of a session to the sums.
func (s *session) addTo(all map[string]*Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if e.epoch == 0 || e.lane < 0 {
			continue
		}
		of := all[s.lanes[e.lane].platform.name]
		of.States[e.word()]++
		if e.live == nil || !e.runnable() {
			continue
		}
		if since := e.live.since(); of.Oldest.IsZero() || since.Before(of.Oldest) {
			of.Oldest = since
		}
	}
	for name, newest := range s.newest {
		if of := all[name]; of != nil && newest.Time().After(of.Newest) {
			of.Newest = newest.Time()
		}
	}
}

// word is the state of a container in its epoch, as its checkpoint says it.
func (e *entry) word() string {
	switch {
	case e.read < e.epoch:
		return schemas.StatePending
	case e.state == stateComplete:
		return schemas.StateComplete
	case e.state == stateFailed:
		return schemas.StateFailed
	case e.state == stateCancelled:
		return schemas.StateCancelled
	case e.live != nil && e.live.checkpoint != nil && slices.Contains(States[:], e.live.checkpoint.State):
		return e.live.checkpoint.State
	}
	return schemas.StateRunning
}

// since is the time of a container's last checkpoint, or of the request where that is later.
func (l *live) since() time.Time {
	var at schemas.Millis
	if l.container != nil {
		at = l.container.RequestedAt
	}
	if l.checkpoint != nil {
		at = max(at, l.checkpoint.UpdatedAt)
	}
	return at.Time()
}

// saw notes the newest message that a checkpoint tells of. The caller holds mu, or is the only one that knows the session.
func (s *session) saw(cp *schemas.Checkpoint) {
	if cp.Watermark == nil {
		return
	}
	platform, _, _ := strings.Cut(cp.ContainerKey, "/")
	if *cp.Watermark > s.newest[platform] {
		s.newest[strings.Clone(platform)] = *cp.Watermark
	}
}

// enter counts a session among those of the process until leave is called.
func (e *Extractor) enter(s *session) (leave func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sessions = append(e.sessions, s)
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.sessions = slices.DeleteFunc(e.sessions, func(o *session) bool { return o == s })
	}
}
