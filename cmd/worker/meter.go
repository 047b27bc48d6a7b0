package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/metrics"
)

// callBounds are the buckets of calls, in seconds.
var callBounds = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// meter counts the calls of the platforms. A nil one counts nothing.
type meter struct {
	calls, retries, throttled *metrics.Counts
	times                     *metrics.Times

	mu       sync.Mutex
	answered map[string]time.Time // by API, when it last was fine
}

func newMeter(set *metrics.Set, quotas map[string]connectors.Quota) *meter {
	m := &meter{
		calls: set.Count("chatlake_calls_total"), retries: set.Count("chatlake_call_retries_total"),
		throttled: set.Count("chatlake_throttled_calls_total"), times: set.Time("chatlake_call_duration_seconds", callBounds...),
		answered: map[string]time.Time{},
	}
	for api := range quotas {
		m.throttled.Add(0, platformOf(api), api)
	}
	set.Sampled(func(emit metrics.Emit) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for api, at := range m.answered {
			emit("chatlake_last_answer_timestamp_seconds", unix(at), platformOf(api), api)
		}
	})
	return m
}

// platformOf is the platform of an API: its ce_type begins with it.
func platformOf(api string) string {
	platform, _, _ := strings.Cut(api, ".")
	return platform
}

// each counts every try. It wraps what sends a call, so that neither quota nor an outage is part of the time.
func (m *meter) each(call connectors.Call) connectors.Call {
	if m == nil {
		return call
	}
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		began := time.Now()
		resp, err := call(ctx, r)
		var e *connectors.Error
		switch {
		case err == nil:
			m.count(r.API, "ok", resp.Code, time.Since(began))
			m.mu.Lock()
			m.answered[r.API] = time.Now()
			m.mu.Unlock()
		case errors.As(err, &e):
			m.count(r.API, strings.ReplaceAll(e.Class.String(), " ", "_"), e.Code, time.Since(began))
			if e.Class == connectors.ClassThrottled {
				m.throttled.Add(1, platformOf(r.API), r.API)
			}
		case context.Cause(ctx) == nil: // else it was broken off
			m.count(r.API, "failed", "", time.Since(began))
		}
		return resp, err
	}
}

func (m *meter) count(api, outcome, code string, took time.Duration) {
	m.calls.Add(1, platformOf(api), api, outcome, code)
	m.times.Observe(took.Seconds(), platformOf(api), api)
}

// whole counts the tries beyond the first. It wraps what repeats calls.
func (m *meter) whole(call connectors.Call) connectors.Call {
	if m == nil {
		return call
	}
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		resp, err := call(ctx, r)
		tries := 0
		var e *connectors.Error
		switch {
		case err == nil:
			tries = resp.Calls
		case errors.As(err, &e):
			tries = e.Calls
		}
		m.retries.Add(float64(max(0, tries-1)), platformOf(r.API), r.API)
		return resp, err
	}
}
