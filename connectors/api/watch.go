package api

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"chatlake/connectors"
)

// Reasons for which Watch breaks a call off.
var (
	errOut  = errors.New("the API is out")
	errOver = errors.New("the API answers again")
)

// attempt is one call in flight.
type attempt struct {
	subject string
	began   time.Time
	cancel  context.CancelCauseFunc
}

type probeKey struct{}

// WithProbe lets calls under the context through to a scope that is out, see Health.Probe.
func WithProbe(ctx context.Context, scope string) context.Context {
	return context.WithValue(ctx, probeKey{}, scope)
}

// Watch makes calls through call as far as the platform's health lets them, and reports what became of them. While a scope is
// out, calls of it fail at once without being sent, as ClassUnavailable with Out, but for probes; those that hang when that
// begins are broken off. What hangs when the scope answers again is sent again. It wraps a single attempt, within
// Retry and Pace, so that what waits for its budget is not taken for a call that hangs.
func Watch(call connectors.Call, h *Health) connectors.Call {
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		scope := ScopeOf(&r)
		for calls := 0; ; calls++ {
			own, a, err := h.enter(ctx, scope, &r)
			if err != nil {
				err.Calls += calls
				return nil, err
			}
			resp, failed := call(own, r)
			why := context.Cause(own)
			h.leave(scope, a, failed, why != nil)
			var e *connectors.Error
			judged := errors.As(failed, &e)
			switch {
			case failed == nil:
				resp.Calls += calls
				return resp, nil
			case judged && (e.Class.Answers() || why == nil):
				counted := *e
				counted.Scope, counted.Calls = scope, counted.Calls+calls
				return nil, &counted
			case ctx.Err() == nil && errors.Is(why, errOver):
				continue
			case ctx.Err() == nil && errors.Is(why, errOut):
				out := h.out(scope, &r)
				out.Calls = calls + 1
				return nil, out
			}
			return nil, failed
		}
	}
}

// ScopeOf is what answers or fails together with a call: its API, and for a URL of its own the host, too.
func ScopeOf(r *connectors.Request) string {
	if strings.HasPrefix(r.Path, "/") {
		return r.API
	}
	u, err := url.Parse(r.Path)
	if err != nil || u.Host == "" {
		return r.API
	}
	return r.API + " " + strings.ToLower(u.Host)
}

// subjectOf names what a call asks for. A message may have several files.
func subjectOf(r *connectors.Request) string {
	switch {
	case r.Subject == "":
		return r.Line()
	case strings.HasPrefix(r.Path, "/"):
		return r.Subject
	}
	address, _, _ := strings.Cut(r.Path, "?") // its signature changes
	return r.Subject + " " + address
}

// enter lets a call through, or gives the error that it ends with.
func (h *Health) enter(ctx context.Context, scope string, r *connectors.Request) (context.Context, *attempt, *connectors.Error) {
	h.mu.Lock()
	s := h.scope(scope)
	if s.closed != nil && !s.closed.Refusal {
		if probe, _ := ctx.Value(probeKey{}).(string); probe != scope && !s.probe(time.Now()) {
			h.mu.Unlock()
			return nil, nil, h.out(scope, r)
		}
	}
	defer h.mu.Unlock()
	own, cancel := context.WithCancelCause(ctx)
	a := &attempt{subject: subjectOf(r), began: time.Now(), cancel: cancel}
	s.calls[a] = true
	timer := time.AfterFunc(s.stall, func() { h.stalled(scope) })
	if s.closed != nil { // a probe
		timer.Stop()
		timer = time.AfterFunc(stallMost, func() { cancel(errOut) })
	}
	context.AfterFunc(own, func() { timer.Stop() })
	return own, a, nil
}

// out is the error of a call that is not sent, or is broken off, because its scope is out.
func (h *Health) out(scope string, r *connectors.Request) *connectors.Error {
	e := &connectors.Error{Class: connectors.ClassUnavailable, API: r.API, Code: "out", Message: "the platform is out; waiting for its first answer", Scope: scope, Out: true}
	if g, closed := h.Closed(scope); closed && g.Code != "" {
		e.Code, e.Message = g.Code, g.Message
	}
	return e
}

// leave notes what became of a call, which may have been broken off.
func (h *Health) leave(scope string, a *attempt, failed error, broken bool) {
	h.mu.Lock()
	s := h.scope(scope)
	delete(s.calls, a)
	switch took := time.Since(a.began); {
	case failed != nil:
	case took > s.stall/2:
		s.stall = min(2*took, stallMost) // it is slow, not out
	default:
		s.stall = max(stallTime, s.stall-s.stall/32)
	}
	h.mu.Unlock()
	a.cancel(nil)
	var e *connectors.Error
	switch {
	case failed == nil:
		h.Answered(scope)
	case broken && !classOf(failed).Answers():
	case !errors.As(failed, &e) || e.Code == connectors.CodeNoRoom:
	case e.Class.Answers():
		h.Answered(scope)
	case e.Class == connectors.ClassUnavailable || e.Class == connectors.ClassSticky:
		h.Failed(Fault{Scope: scope, Subject: a.subject, Code: e.Code, After: e.RetryAfter})
	}
}

// classOf is the class of an error, 0 where it has none.
func classOf(err error) connectors.Class {
	if e := connectors.ErrorOf(err); e != nil {
		return e.Class
	}
	return 0
}

// stalled begins an outage where enough calls of a scope hang, or have failed, and nothing was answered meanwhile.
func (h *Health) stalled(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, now := h.scope(name), time.Now()
	if s.closed != nil || now.Sub(s.answered) < s.stall {
		return
	}
	hang := map[string]bool{}
	for a := range s.calls {
		if now.Sub(a.began) >= s.stall {
			hang[a.subject] = true
		}
	}
	for subject := range s.failing {
		hang[subject] = true
	}
	if len(hang) < s.enough(0) {
		return
	}
	if s.code == "" || len(s.failing) == 0 {
		s.code = connectors.CodeTimeout
	}
	if s.first.IsZero() {
		s.first = now.Add(-s.stall)
	}
	h.log.Debug("calls hang", "platform", h.platform, "api", name, "calls", len(hang))
	h.close(name, s)
}
