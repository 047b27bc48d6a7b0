package api

import (
	"strings"
	"sync"
	"time"

	"chatlake/connectors"
)

// When a fault of the platform counts as one of an item.
const (
	stuckTime = 24 * time.Hour // that time-outs and 5xx must last, while others are answered
	stuckGap  = time.Hour      // the most of it that may lie between two failures
	maxFaults = 10_000         // subjects whose faults are remembered
)

// faults remembers what a Retry has seen fail, and what was answered meanwhile.
type faults struct {
	mu      sync.Mutex
	now     int64 // counts events
	answers map[string]*answered
	open    map[asked]*fault
}

// asked is what a call asks for.
type asked struct {
	scope, subject string
	message        bool // it is about one message
}

// answered is when a scope last answered, and when it last did about something else than that.
type answered struct {
	subject      string
	last, before int64
}

// since reports whether something else than subject was answered after an event.
func (a *answered) since(event int64, subject string) bool {
	if a == nil {
		return false
	}
	if a.subject != subject {
		return a.last > event
	}
	return a.before > event
}

// fault is a subject that has failed and was not answered since.
type fault struct {
	begun  int64 // event of its first try
	failed int64 // event of its last failure
	at     time.Time
	sticky int           // failures of ClassSticky
	lasted time.Duration // that it failed while others were answered
}

// begin notes that a call begins, and gives the event of it.
func (f *faults) begin(r *connectors.Request) (asked, int64) {
	of := asked{ScopeOf(r), subjectOf(r), r.Subject != ""}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	if f.open == nil {
		f.open, f.answers = map[asked]*fault{}, map[string]*answered{}
	}
	return of, f.now
}

// answered notes that what was asked for was answered.
func (f *faults) answered(of asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now++
	delete(f.open, of)
	a := f.answers[of.scope]
	if a == nil {
		if len(f.answers) >= maxFaults { // files may come from any host of a domain
			clear(f.answers)
		}
		a = &answered{}
		f.answers[of.scope] = a
	}
	if a.subject != of.subject {
		a.subject, a.before = of.subject, a.last
	}
	a.last = f.now
}

// failed notes a failure of a call that began at an event, and reports whether it is about what was asked for rather than
// about the platform.
func (f *faults) failed(of asked, began int64, e *connectors.Error) bool {
	if e.Out || e.Class != connectors.ClassSticky && !(of.message && lasting(e)) {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	o := f.open[of]
	if o == nil {
		f.makeRoom(now)
		o = &fault{begun: began, at: now}
		f.open[of] = o
	}
	a := f.answers[of.scope]
	if o.failed > 0 && a.since(o.failed, of.subject) {
		o.lasted += min(now.Sub(o.at), stuckGap)
	}
	f.now++
	o.failed, o.at = f.now, now
	if e.Class == connectors.ClassSticky {
		o.sticky++
		return o.sticky >= stickyTries && a.since(o.begun, of.subject)
	}
	return o.lasted >= stuckTime
}

// lasting reports whether an error may turn out to be about one message: no whole answer, or an HTTP 5xx without a code.
func lasting(e *connectors.Error) bool {
	whole := e.Code != connectors.CodeTimeout && e.Code != connectors.CodeReset && e.Code != connectors.CodeUnreadable
	return e.Class == connectors.ClassUnavailable && (!whole || strings.HasPrefix(e.Code, "http_5"))
}

// makeRoom forgets faults that nobody asks about any more; f.mu is held.
func (f *faults) makeRoom(now time.Time) {
	if len(f.open) < maxFaults {
		return
	}
	for of, o := range f.open {
		if now.Sub(o.at) > 2*stuckGap {
			delete(f.open, of)
		}
	}
	for of := range f.open {
		if len(f.open) < maxFaults {
			return
		}
		delete(f.open, of)
	}
}
