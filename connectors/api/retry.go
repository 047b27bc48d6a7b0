package api

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"chatlake/connectors"
)

// How often one call is made before its error is returned.
const (
	throttledTries   = 20 // in a row
	unavailableTries = 4
	stickyTries      = 5
	unknownTries     = 4
)

// maxReset bounds how long a platform may ask to wait: both of its windows are a minute or less, so more is a mistake.
const maxReset = 2 * time.Minute

// Policy is what Retry needs beside the class of an error.
type Policy struct {
	// Pacer, where not nil, pauses the whole API when one of its calls is throttled.
	Pacer *Pacer
	// Logger gets one line for each try that is repeated; nil: none.
	Logger *slog.Logger
	// Unit is the shortest wait, 500 ms where 0, and all others are multiples of it: after a failure a random time up
	// to 1, 2, 4, 8, 16 units, after a throttling without a word on how long 2, 4, … 60 units. Smaller is for tests: it
	// presses harder on a platform that is in trouble.
	Unit time.Duration
}

// Retry makes call again where the class of its error asks for it: ClassThrottled up to 20 times in a row, then it is
// returned as ClassUnavailable; ClassUnavailable 4 times, ClassSticky 5, ClassUnknown 4 in all. Other errors are returned
// at once, and so is one of a scope that is out (Watch). Calls of the response or error counts all tries. It returns ctx's
// error as soon as ctx is done.
//
// Whether a fault is about what was asked for or about the platform shows in what else is answered meanwhile, over all calls
// of the one Retry, also where the same is asked for again later: ClassSticky becomes ClassUnavailable unless something
// else of the scope was answered since its first try, and a time-out or an HTTP 5xx about one message becomes ClassItem, with
// its code as the response's Error, once it has lasted for 24 h in which others were answered. A restart begins those 24 h again.
func Retry(call connectors.Call, p Policy) connectors.Call {
	if p.Unit <= 0 {
		p.Unit = 500 * time.Millisecond
	}
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	var known faults
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		var t tries
		t.of, t.began = known.begin(&r)
		for {
			resp, err := call(ctx, r)
			if err == nil {
				known.answered(t.of)
				resp.Calls += t.calls
				return resp, nil
			}
			var e *connectors.Error
			if !errors.As(err, &e) {
				return nil, err
			}
			t.calls += e.Calls
			if e.Class.Answers() {
				known.answered(t.of)
			}
			wait, again := t.next(e, p.Unit)
			stuck := known.failed(t.of, t.began, e)
			if stuck || !again || e.Out {
				return nil, t.final(e, stuck)
			}
			if e.Response != nil {
				AllowanceOf(ctx).Give(len(e.Response.Body))
			}
			p.Logger.Debug("call is repeated", "api", e.API, "class", e.Class.String(), "code", e.Code, "wait", wait, "calls", t.calls)
			if e.Class == connectors.ClassThrottled && p.Pacer != nil {
				p.Pacer.Pause(e.API, wait)
			}
			if err := rest(ctx, wait, nil); err != nil {
				return nil, err
			}
		}
	}
}

// tries is what has happened to one call so far.
type tries struct {
	of        asked
	began     int64 // event
	calls     int
	throttled int // in a row
	others    [connectors.ClassFatal + 1]int
}

// next tells whether to try again after e, and when.
func (t *tries) next(e *connectors.Error, unit time.Duration) (wait time.Duration, again bool) {
	if e.Class == connectors.ClassThrottled {
		t.throttled++
		wait = min(2*unit<<min(t.throttled-1, 10), 60*unit)
		if e.RetryAfter > 0 {
			wait = min(e.RetryAfter, maxReset)
		}
		return wait, t.throttled < throttledTries
	}
	t.throttled = 0
	if int(e.Class) >= len(t.others) {
		return 0, false
	}
	t.others[e.Class]++
	n := t.others[e.Class]
	most := 0
	switch e.Class {
	case connectors.ClassUnavailable:
		most = unavailableTries
	case connectors.ClassSticky:
		most = stickyTries
	case connectors.ClassUnknown:
		most = unknownTries
	}
	// Full jitter: any time up to the bound, so that callers that failed together do not come back together.
	wait = 1 + rand.N(min(unit<<(n-1), 16*unit))
	if e.RetryAfter > 0 {
		wait = max(wait, min(e.RetryAfter, 60*unit))
	}
	return wait, n < most
}

// final is the error to return: e with the count of all calls, and as what it counts. stuck says that it is about what was
// asked for.
func (t *tries) final(e *connectors.Error, stuck bool) *connectors.Error {
	last := *e
	last.Calls = t.calls
	if last.Response != nil {
		resp := *last.Response
		resp.Calls = t.calls
		last.Response = &resp
	}
	switch {
	case last.Class == connectors.ClassThrottled:
		last.Class = connectors.ClassUnavailable
	case last.Class == connectors.ClassSticky && !stuck:
		last.Class, last.Sticky = connectors.ClassUnavailable, true
	case last.Class == connectors.ClassUnavailable && stuck:
		last.Class = connectors.ClassItem
		if last.Response != nil {
			last.Response.Error = last.Code
		}
	}
	return &last
}
