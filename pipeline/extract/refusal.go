package extract

import (
	"context"
	"fmt"
	"slices"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Containers that are refused one after another with one code that is not about a single conversation show that the platform
// refuses the app. So that none of them has ended by then, such a refusal's page is held back: until something else of the
// platform was answered, or nothing else is left to do for it, when it is committed like any other; or until rowLength are
// in a row, when none is. A crash leaves nothing of those that are held: they are asked for again.
const (
	rowLength = 10
	// rowTime is how long nothing must have been left to do: partitions that are taken over begin one after another.
	rowTime = 2 * time.Second
)

// row is refusals with one code, with nothing answered in between.
type row struct {
	code  string
	keys  []schemas.ContainerKey
	holds []*hold // those not yet committed
	at    time.Time
}

// hold is a refusal whose page is not yet committed.
type hold struct {
	s    *session
	r    *reading
	page *connectors.Page
}

// verdict says what becomes of a hold: its page is committed, or the container waits.
type verdict struct {
	*hold
	waits bool
}

// refusal is why Once ends.
type refusal struct {
	err     error
	pending int // containers whose checkpoints do not say yet that they wait
}

// refused takes in a refusal that is not about a container alone. The container is held, or waits for the platform.
func (s *session) refused(ctx context.Context, r *reading, page *connectors.Page) error {
	why, p := page.Failed, r.platform
	if gate, closed := p.health.Closed(api.WholePlatform); closed && gate.Refusal {
		p.health.RefusedAll(why.Code, why.Message)
		e := &connectors.Error{Class: connectors.ClassFatal, API: r.api, Code: why.Code, Message: why.Message, Calls: page.Calls}
		return s.waitsFor(ctx, r, api.WholePlatform, e)
	}
	h, kept := &hold{s, r, page}, false
	s.end(r, func(l *live) {
		l.hold, kept = h, true
		s.move(l, held)
	})
	if !kept { // it has changed meanwhile
		return nil
	}
	s.post(s.line(p, h))
	return nil
}

// line puts a refusal into its platform's row, and gives what that decides. A row that is full closes the platform's gate.
func (e *Extractor) line(p *platform, h *hold) (verdicts []verdict) {
	e.mu.Lock()
	defer e.mu.Unlock()
	why := h.page.Failed
	if gate, closed := p.health.Closed(api.WholePlatform); closed && gate.Refusal {
		if e.refusal != nil {
			e.refusal.pending++
		}
		return []verdict{{h, true}} // another has filled the row meanwhile
	}
	if p.row.code != why.Code {
		verdicts = p.row.take(false)
		p.row = row{code: why.Code}
	}
	if !slices.Contains(p.row.keys, h.r.key) { // it may be asked for again while it is held, or by the next session
		p.row.keys = append(p.row.keys, h.r.key)
	}
	p.row.at = e.Now()
	p.row.holds = append(p.row.holds, h)
	if len(p.row.keys) < rowLength {
		return verdicts
	}
	p.health.RefusedAll(why.Code, why.Message)
	waits := p.row.take(true)
	p.row = row{}
	if e.Once && e.refusal == nil {
		err := &connectors.Error{Class: connectors.ClassFatal, API: h.r.api, Code: why.Code, Message: why.Message}
		e.refusal = &refusal{fmt.Errorf("%s refuses one container after another, %d in a row: %w", p.name, rowLength, err), len(waits)}
	}
	return append(verdicts, waits...)
}

// take gives verdicts on all that the row holds.
func (r *row) take(waits bool) (verdicts []verdict) {
	for _, h := range r.holds {
		verdicts = append(verdicts, verdict{h, waits})
	}
	r.holds = nil
	return verdicts
}

// answered notes that a platform has answered something useful, or something about one container alone.
func (s *session) answered(r *reading) {
	p := r.platform
	p.health.Read(r.api)
	if r.probes && r.probe != r.api {
		p.health.Read(r.probe)
	}
	s.useful(p)
	s.mu.Lock()
	waited := r.live.alone
	r.live.tries, r.live.alone = 0, false
	s.mu.Unlock()
	if waited {
		s.Logger.Info("container goes on", "container", r.key)
	}
	s.Extractor.mu.Lock()
	verdicts := p.row.take(false)
	p.row = row{}
	s.Extractor.mu.Unlock()
	s.post(verdicts)
}

// flush has refusals committed where nothing else is left to do for their platform.
func (e *Extractor) flush() {
	var verdicts []verdict
	e.mu.Lock()
	for _, p := range e.platforms {
		if len(p.row.holds) > 0 && !e.reads(p) && e.loading == 0 && e.Now().Sub(p.row.at) >= rowTime {
			verdicts = append(verdicts, p.row.take(false)...)
		}
	}
	e.mu.Unlock()
	e.post(verdicts)
}

// reads reports whether anything is left to do for a platform, but for what waits for an API that the app may not use: an outage
// ends, that may not. mu is held.
func (e *Extractor) reads(p *platform) bool {
	for i, l := range e.lanes {
		if l.platform != p || e.busy[i] == 0 {
			continue
		}
		if gate, closed := p.health.Closed(l.api); !closed || !gate.Refusal {
			return true
		}
	}
	return false
}

// post hands verdicts to the sessions of their containers. No lock is held.
func (e *Extractor) post(verdicts []verdict) {
	for _, v := range verdicts {
		v.s.mu.Lock()
		if v.s.gone {
			e.settled(v)
		} else {
			v.s.verdicts = append(v.s.verdicts, v)
			v.s.nudge()
		}
		v.s.mu.Unlock()
	}
}

// unhold forgets a refusal that is held: its container has changed, or its session ends. mu is held.
func (s *session) unhold(l *live) {
	h := l.hold
	l.hold = nil
	e := s.Extractor
	e.mu.Lock()
	defer e.mu.Unlock()
	p := h.r.platform
	p.row.holds = slices.DeleteFunc(p.row.holds, func(o *hold) bool { return o == h })
}

// settle carries verdicts out. mu is held.
func (s *session) settle(ctx context.Context, start starter) {
	all := s.verdicts
	s.verdicts = nil
	for _, v := range all {
		l := v.r.live
		if l.where != held || l.hold != v.hold {
			s.settled(v)
			continue
		}
		own, stop := context.WithCancelCause(ctx)
		l.hold, l.stop, l.changed = nil, stop, false
		s.move(l, running)
		start(func(context.Context) error {
			defer s.nudge()
			defer s.settled(v)
			defer stop(nil)
			return s.decide(ctx, own, v)
		})
	}
}

// decide commits a refusal's page, or that its container waits.
func (s *session) decide(parent, ctx context.Context, v verdict) error {
	if v.waits {
		why := v.page.Failed
		e := &connectors.Error{Class: connectors.ClassFatal, API: v.r.api, Code: why.Code, Message: why.Message, Calls: v.page.Calls}
		return s.ends(parent, ctx, v.r, s.waitsFor(ctx, v.r, api.WholePlatform, e))
	}
	return s.ends(parent, ctx, v.r, s.commitPage(ctx, v.r, v.page))
}

// settled says that a verdict was carried out, or no longer matters.
func (e *Extractor) settled(v verdict) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if v.waits && e.refusal != nil {
		e.refusal.pending--
	}
}

// over gives the error that ends Once because a platform refuses the app.
func (e *Extractor) over() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.refusal != nil && e.refusal.pending <= 0 {
		return e.refusal.err
	}
	return nil
}
