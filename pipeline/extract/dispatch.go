package extract

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"sync"
	"time"

	"chatlake/connectors/api"
	"chatlake/schemas"
)

// gateOf is a scope of a platform that containers wait for.
type gateOf struct {
	platform *platform
	scope    string
}

// queueOf are those that wait for one, in the order in which they came. What no longer waits there is passed over.
type queueOf struct {
	items  []*live
	probes int
}

func (q *queueOf) peek() *live {
	for len(q.items) > 0 && q.items[0].where != gated {
		q.items = q.items[1:]
	}
	if len(q.items) == 0 {
		return nil
	}
	return q.items[0]
}

// maxClosing is how many containers are ended at once that need no call.
const maxClosing = 256

// starter starts a task of a session.
type starter func(func(context.Context) error)

// dispatch starts a task for each page that is to be read, as places become free. What waits has neither a place nor a task.
func (s *session) dispatch(ctx context.Context, start starter) error {
	for {
		if err := s.over(); err != nil {
			return err
		}
		s.flush()
		wait := s.turn(ctx, start)
		if done, err := s.allEnded(ctx); err != nil || done {
			return errors.Join(err, endIf(done))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-s.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func endIf(done bool) error {
	if done {
		return errAllEnded
	}
	return nil
}

// turn starts what can be started now, and tells when to look again.
func (s *session) turn(ctx context.Context, start starter) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.Now(), time.Second
	if s.regate.Swap(false) {
		s.sortGates()
	}
	for len(s.pauses) > 0 && !s.pauses[0].until.After(now) {
		l := heap.Pop(&s.pauses).(*live)
		s.ready(s.all[l.key], true)
	}
	if len(s.pauses) > 0 {
		wait = min(wait, s.pauses[0].until.Sub(now))
	}
	s.settle(ctx, start)
	s.closeAll(ctx, start)
	wanted := make([]bool, len(s.lanes))
	for lane := range s.lanes {
		s.fill(ctx, start, lane, wanted)
	}
	wait = min(wait, s.probe(ctx, start, wanted))
	for lane, want := range wanted {
		if !want {
			s.places.withdraw(lane, s)
		}
	}
	return wait
}

// fill gives a lane's places to what waits for them. mu is held.
func (s *session) fill(ctx context.Context, start starter, lane int, wanted []bool) {
	l, w := s.lanes[lane], &s.work[lane]
	if _, closed := l.platform.health.Closed(api.WholePlatform); closed {
		return
	}
	if _, closed := l.platform.health.Closed(l.api); closed {
		return
	}
	for !w.empty() && s.committing < s.Workers {
		if !s.places.take(lane, s) {
			wanted[lane] = true
			return
		}
		s.startRead(ctx, start, w.pop(), nil)
	}
}

// probe starts a page for each scope that is out and is to be asked again now, and tells when the next is. mu is held.
func (s *session) probe(ctx context.Context, start starter, wanted []bool) time.Duration {
	wait := time.Second
	for _, g := range s.closedGates() {
		l := s.candidate(g)
		if l == nil {
			continue
		}
		gate, closed := g.platform.health.Closed(g.scope)
		if !closed {
			continue
		}
		if d := time.Until(gate.Next); d > 0 {
			wait = min(wait, d)
			continue
		}
		lane := int(s.all[l.key].lane)
		if !s.places.take(lane, s) {
			wanted[lane] = true
			continue
		}
		if !g.platform.health.Probe(g.scope) { // another session was first
			s.places.release(lane)
			continue
		}
		s.startRead(ctx, start, l, &g)
		s.probed(g)
	}
	return wait
}

// probed has whoever waits for a scope take turns: the one that asks now waits behind the others afterwards. mu is held.
func (s *session) probed(g gateOf) {
	for other, q := range s.gates {
		if other.platform == g.platform {
			q.peek()
		}
	}
	if q := s.gates[g]; q != nil {
		q.probes++
	}
}

// closedGates gives the scopes that may have to be asked again: a platform as a whole, or else its lanes and what its
// containers wait for. mu is held.
func (s *session) closedGates() (gates []gateOf) {
	for _, name := range s.names {
		p := s.platforms[name]
		if _, closed := p.health.Closed(api.WholePlatform); closed {
			gates = append(gates, gateOf{p, api.WholePlatform})
			continue
		}
		for _, l := range s.lanes {
			if _, closed := p.health.Closed(l.api); closed && l.platform == p {
				gates = append(gates, gateOf{p, l.api})
			}
		}
		for g := range s.gates {
			if g.platform == p && s.laneAt(g) < 0 {
				gates = append(gates, g)
			}
		}
	}
	return gates
}

// laneAt is the lane whose API a scope is, -1 where it is none's.
func (s *session) laneAt(g gateOf) int {
	for i, l := range s.lanes {
		if l.platform == g.platform && l.api == g.scope {
			return i
		}
	}
	return -1
}

// candidate gives a container that can ask a scope. Those that wait for it and those that have not tried take turns: a scope
// may be out, or refuse, for all that wait and for nobody else. mu is held.
func (s *session) candidate(g gateOf) *live {
	turn := 0
	var waits *live
	if q := s.gates[g]; q != nil {
		turn, waits = q.probes, q.peek()
	}
	if waits != nil && turn%2 == 0 {
		return waits
	}
	if l := s.untried(g, turn/2); l != nil || waits != nil {
		return cmp.Or(l, waits)
	}
	if g.scope == api.WholePlatform {
		for other, q := range s.gates {
			if l := q.peek(); l != nil && other.platform == g.platform {
				return l
			}
		}
	}
	return nil
}

// untried gives a container that is queued in a lane of a scope, beginning with another lane at each turn. mu is held.
func (s *session) untried(g gateOf, turn int) *live {
	for i := range s.lanes {
		i = (i + turn) % len(s.lanes)
		if l := s.lanes[i]; l.platform != g.platform || g.scope != api.WholePlatform && l.api != g.scope {
			continue
		}
		w := &s.work[i]
		for _, q := range [...]*queue{&w.due, &w.begun, &w.fresh} {
			if l := q.peek(); l != nil {
				return l
			}
		}
	}
	return nil
}

// sortGates wakes what waits for a scope that answers, and has what pauses because of one that is out wait for it. mu is held.
func (s *session) sortGates() {
	for g, q := range s.gates {
		if _, closed := g.platform.health.Closed(g.scope); closed {
			continue
		}
		delete(s.gates, g)
		for _, l := range q.items {
			if l.where == gated && l.scope == g.scope {
				s.ready(s.all[l.key], true)
			}
		}
	}
	var out []*live
	for _, l := range s.pauses {
		p := s.lanes[s.all[l.key].lane].platform
		if gate, closed := p.health.Closed(l.scope); closed && l.scope != "" && !l.failed.Before(gate.Since) {
			out = append(out, l)
		}
	}
	for _, l := range out {
		s.pauses.remove(l)
		s.gate(l)
	}
}

// gate has a container wait for the scope that it failed at. mu is held.
func (s *session) gate(l *live) {
	g := gateOf{s.lanes[s.all[l.key].lane].platform, l.scope}
	if s.gates[g] == nil {
		s.gates[g] = &queueOf{}
	}
	s.gates[g].items = append(s.gates[g].items, l)
	s.move(l, gated)
}

// startRead starts the reading of one page, as a probe of a scope where one is given. The caller has taken the place. mu is held.
func (s *session) startRead(ctx context.Context, start starter, l *live, probe *gateOf) {
	own, stop := context.WithCancelCause(ctx)
	r := s.begin(l, stop)
	lane := int(s.all[l.key].lane)
	if probe != nil {
		r.probe, r.probes = probe.scope, true
		own = api.WithProbe(own, probe.scope)
	}
	r.leave = sync.OnceFunc(func() { s.places.release(lane) })
	// ctx is what own comes from: a task's context is another child of it, which may end a moment after own.
	start(func(context.Context) error {
		defer r.leave()
		defer stop(nil)
		return s.read(ctx, own, r)
	})
}

// closeAll starts to end what needs no call for that. mu is held.
func (s *session) closeAll(ctx context.Context, start starter) {
	for len(s.closing) > 0 && s.counts[running] < maxClosing+s.Workers {
		l := s.closing[0]
		s.closing = s.closing[1:]
		if l.where != closing {
			continue
		}
		own, stop := context.WithCancelCause(ctx)
		r := s.begin(l, stop)
		start(func(context.Context) error {
			defer stop(nil)
			return s.finish(ctx, own, r)
		})
	}
}

// begin notes that a container is being read and takes what is known of it. mu is held.
func (s *session) begin(l *live, stop context.CancelCauseFunc) *reading {
	e, c, cp := s.all[l.key], l.container, l.checkpoint
	p := s.platforms[c.Platform]
	r := &reading{platform: p, api: schemas.PageType(c.Platform, c.Kind), began: s.Now(), key: l.key, live: l, container: *c}
	if spelling := s.spellings[c.ConversationID]; c.Kind == schemas.KindMessages && c.ID == c.ConversationID && spelling != "" {
		r.container.ID = spelling
	}
	r.container.Cancelled = e.cancelled
	switch {
	case cp == nil || cp.Epoch < c.Epoch:
		r.checkpoint = e.start(c)
		if cp != nil && !cp.Ended() {
			r.old = cp
		}
	default:
		// The epoch in force is the higher of container and checkpoint.
		r.checkpoint = *cp
		r.container.Cancelled = e.cancelled && c.Epoch == cp.Epoch
		if cp.Pages == 0 && cp.Epoch == c.Epoch && !e.resumes() { // it was to resume, and nothing of that was read
			r.checkpoint.Cursor, r.checkpoint.Watermark = nil, nil
		}
	}
	r.threads = r.checkpoint.Epoch
	if r.checkpoint.Epoch == c.Epoch && e.resumes() {
		r.threads = max(1, e.scratch)
	}
	r.memory, r.limit, r.calls = l.memory, l.limit, l.calls
	l.stop, l.changed = stop, false
	s.move(l, running)
	return r
}

// end notes that a container is no longer being read. Where something is left to do for it, then tells where it goes; nil, and
// where it has changed meanwhile: back into its queue.
func (s *session) end(r *reading, then func(*live)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, e := r.live, s.all[r.key]
	l.stop = nil
	switch {
	case !e.runnable():
		e.live = nil
		s.move(l, nowhere)
	case l.changed || then == nil:
		l.changed = false
		s.ready(e, false)
	default:
		then(l)
	}
	s.nudge()
}
