package api

import (
	"log/slog"
	"sync"
	"time"
)

// When an API counts as out, and how it is asked then.
const (
	outSubjects = 4                // so many different subjects in a row, or all that there are (two at least), got nothing useful
	outTime     = time.Second      // for so long at least: where every other call fails, a few in a row are chance
	stallTime   = 8 * time.Second  // that calls may hang before they count as failed, where nothing is answered meanwhile
	stallMost   = 30 * time.Second // an attempt takes no longer
	probeFirst  = time.Second      // between probes of what is out, doubled up to probeMost
	probeMost   = 4 * time.Second
	probeAfter  = time.Hour   // the most that a platform may ask to wait
	refusedTime = time.Minute // between probes of a platform that refuses the app, and between lines that say so
)

// WholePlatform is the scope of everything that a platform has.
const WholePlatform = ""

// Health is how one platform answers at present: which of its scopes answer, which are out, and whether it refuses the app.
// A scope is what answers or fails as one: an API (its ce_type), for files one host of an API, or Platform. Calls report to it
// (Watch), and who schedules containers does. It may be used by several goroutines.
type Health struct {
	platform string
	log      *slog.Logger

	mu        sync.Mutex
	scopes    map[string]*scope
	listeners map[int]func()
	next      int
}

// NewHealth gives the health of a platform that answers. logger gets one line when a scope goes out and one when it answers
// again; nil: none.
func NewHealth(platform string, logger *slog.Logger) *Health {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &Health{platform: platform, log: logger, scopes: map[string]*scope{}, listeners: map[int]func(){}}
}

// scope is one scope's state.
type scope struct {
	failing  map[string]bool // subjects that failed since the last answer
	first    time.Time       // when the first of them did
	code     string          // of the last
	after    time.Duration   // what the platform asked to wait then
	answered time.Time
	stall    time.Duration
	calls    map[*attempt]bool // in flight
	closed   *Gate             // nil: open
	probes   int               // since it was closed
	said     time.Time         // when a line last said that it refuses the app
	read     time.Time         // when a page of it was last read
}

// Gate tells of a scope that nothing is to be asked of but probes.
type Gate struct {
	Code, Message string
	Refusal       bool      // the platform refuses the app; else it is out
	Since         time.Time // of the first failure
	Next          time.Time // when the next probe may go
}

// Fault is one failure of a scope.
type Fault struct {
	Scope   string
	Subject string // what was asked for: a container or message
	Code    string
	After   time.Duration // what the platform asks to wait, 0 where it does not say
	Others  int           // how many subjects there are to be asked for in all, 0: not known
}

// Listen has f called after a gate was closed or opened, until stop is called. f must not block.
func (h *Health) Listen(f func()) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	id := h.next
	h.next++
	h.listeners[id] = f
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, id)
	}
}

// notify tells the listeners; h.mu is held, and released while they run.
func (h *Health) notify() {
	all := make([]func(), 0, len(h.listeners))
	for _, f := range h.listeners {
		all = append(all, f)
	}
	h.mu.Unlock()
	defer h.mu.Lock()
	for _, f := range all {
		f()
	}
}

func (h *Health) scope(name string) *scope {
	s := h.scopes[name]
	if s == nil {
		if len(h.scopes) >= maxScopes {
			h.forget()
		}
		s = &scope{failing: map[string]bool{}, calls: map[*attempt]bool{}, stall: stallTime}
		h.scopes[name] = s
	}
	return s
}

// maxScopes is how many scopes are remembered: files may come from any host of a domain.
const maxScopes = 10_000

// forget drops the scopes of which nothing is known but that they answer; h.mu is held.
func (h *Health) forget() {
	for name, s := range h.scopes {
		if s.closed == nil && len(s.calls) == 0 && len(s.failing) == 0 {
			delete(h.scopes, name)
		}
	}
}

// Closed gives the gate of a scope, and reports whether it is closed.
func (h *Health) Closed(name string) (Gate, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.scopes[name]; s != nil && s.closed != nil {
		return *s.closed, true
	}
	return Gate{}, false
}

// Probe reports whether the caller is to ask a closed scope whether it answers again: true once for each interval. While a
// probe hangs the next one goes all the same: it is the one that notices the end.
func (h *Health) Probe(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.scopes[name]
	return s != nil && s.closed != nil && s.probe(time.Now())
}

func (s *scope) probe(now time.Time) bool {
	if now.Before(s.closed.Next) {
		return false
	}
	s.probes++
	s.closed.Next = now.Add(s.interval())
	return true
}

// interval is the time to the next probe.
func (s *scope) interval() time.Duration {
	if s.closed.Refusal {
		return refusedTime
	}
	return max(min(probeFirst<<min(s.probes, 10), probeMost), min(s.after, probeAfter))
}

// Answered says that a call of a scope was answered, be it with a refusal of what it asked for: what was out is not any more.
func (h *Health) Answered(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer(name)
}

// answer is Answered; h.mu is held.
func (h *Health) answer(name string) {
	s := h.scope(name)
	s.answered = time.Now()
	if len(s.failing) > 0 {
		clear(s.failing)
		s.first, s.after = time.Time{}, 0
	}
	if s.closed == nil || s.closed.Refusal {
		return
	}
	h.log.Info("the platform answers again", "platform", h.platform, "api", name, "after", s.answered.Sub(s.closed.Since).Round(time.Second))
	s.closed, s.probes = nil, 0
	for a := range s.calls {
		if s.answered.Sub(a.began) > probeFirst {
			a.cancel(errOver) // sent to a platform that was out: it may hang for long
		}
	}
	h.notify()
}

// Read says that a page was read through an API, or that the platform has said something of one container alone: it does
// not refuse the app.
func (h *Health) Read(api string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer(api)
	h.scope(api).read = time.Now()
	opened := false
	for _, name := range [...]string{api, WholePlatform} {
		if s := h.scopes[name]; s != nil && s.closed != nil && s.closed.Refusal {
			h.log.Info("the platform no longer refuses the app", h.named(name, "after", time.Since(s.closed.Since).Round(time.Second))...)
			s.closed, s.probes = nil, 0
			opened = true
		}
	}
	if opened {
		h.notify()
	}
}

// Failed says that a scope gave nothing useful about a subject.
func (h *Health) Failed(f Fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.scope(f.Scope)
	now := time.Now()
	if len(s.failing) == 0 {
		s.first = now
	}
	if len(s.failing) < outSubjects {
		s.failing[f.Subject] = true
	}
	s.code, s.after = f.Code, f.After
	if s.closed != nil {
		if !s.closed.Refusal {
			s.closed.Next = later(s.closed.Next, now.Add(min(s.after, probeAfter)))
		}
		return
	}
	if len(s.failing) < s.enough(f.Others) {
		return
	}
	if d := s.first.Add(outTime).Sub(now); d > 0 {
		first := s.first
		time.AfterFunc(d, func() { h.still(f.Scope, first) })
		return
	}
	h.close(f.Scope, s)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// still closes a scope that has not answered since the first failure of a run.
func (h *Health) still(name string, first time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.scope(name); s.closed == nil && s.first.Equal(first) {
		h.close(name, s)
	}
}

// enough is how many subjects must have failed, where others are known or in flight.
func (s *scope) enough(others int) int {
	n := len(s.failing)
	for a := range s.calls {
		if !s.failing[a.subject] {
			n++
		}
	}
	return min(outSubjects, max(2, n, others))
}

// close begins an outage; h.mu is held.
func (h *Health) close(name string, s *scope) {
	now := time.Now()
	s.closed = &Gate{Code: s.code, Message: "the platform gives nothing useful; what needs it waits for its first answer", Since: s.first}
	s.probes = 0
	s.closed.Next = now.Add(s.interval())
	h.log.Warn("the platform is out: what needs it waits for its first answer", "platform", h.platform, "api", name, "code", s.code)
	for a := range s.calls {
		a.cancel(errOut)
	}
	h.notify()
}

// Refused says that a platform refuses the app in an API: nothing more is asked of the API but a probe a minute, nor of the
// whole platform, unless a page of another API was read within the last minute. It gives the scope to wait for.
func (h *Health) Refused(api, code, message string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	works := false
	for name, s := range h.scopes {
		works = works || name != api && name != WholePlatform && time.Since(s.read) < refusedTime && !s.read.IsZero()
	}
	name := WholePlatform
	if works {
		name = api
	}
	h.refuse(name, code, message)
	return name
}

// RefusedAll says that a platform refuses one container after another with one code.
func (h *Health) RefusedAll(code, message string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse(WholePlatform, code, message)
}

// named gives what is logged of a scope: its API too, where it is of one alone.
func (h *Health) named(name string, more ...any) []any {
	attrs := []any{"platform", h.platform}
	if name != WholePlatform {
		attrs = append(attrs, "api", name)
	}
	return append(attrs, more...)
}

func (h *Health) refuse(name, code, message string) {
	s, now := h.scope(name), time.Now()
	closed := s.closed != nil && s.closed.Refusal
	if !closed {
		s.closed = &Gate{Refusal: true, Since: now, Next: now.Add(refusedTime)}
	}
	s.closed.Code, s.closed.Message = code, message
	if !closed || now.Sub(s.said) >= refusedTime {
		s.said = now
		h.log.Error("the platform refuses the app: its containers wait, and it is asked again once a minute", h.named(name, "code", code, "error", message)...)
	}
	if !closed {
		h.notify()
	}
}
