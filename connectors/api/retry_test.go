package api_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// scripted is a call that fails with the given errors in turn, then succeeds.
func scripted(errs ...*connectors.Error) (call connectors.Call, times *[]time.Time) {
	times = new([]time.Time)
	var mu sync.Mutex
	return func(context.Context, connectors.Request) (*connectors.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		*times = append(*times, time.Now())
		if n := len(*times); n <= len(errs) {
			e := *errs[n-1]
			e.API, e.Calls = listAPI, 1
			return nil, &e
		}
		return &connectors.Response{Calls: 1, Body: []byte("{}")}, nil
	}, times
}

func repeat(n int, e connectors.Error) []*connectors.Error {
	errs := make([]*connectors.Error, n)
	for i := range errs {
		errs[i] = &e
	}
	return errs
}

func TestRetryByClass(t *testing.T) {
	tests := []struct {
		name  string
		class connectors.Class
		tries int // until it is returned
		as    connectors.Class
	}{
		{"throttled", connectors.ClassThrottled, 20, connectors.ClassUnavailable},
		{"unavailable", connectors.ClassUnavailable, 4, connectors.ClassUnavailable},
		{"sticky", connectors.ClassSticky, 5, connectors.ClassUnavailable}, // nothing else was answered, see TestRetryStuck
		{"unknown", connectors.ClassUnknown, 4, connectors.ClassUnknown},
		{"token", connectors.ClassToken, 1, connectors.ClassToken},
		{"item", connectors.ClassItem, 1, connectors.ClassItem},
		{"container", connectors.ClassContainer, 1, connectors.ClassContainer},
		{"cursor", connectors.ClassCursor, 1, connectors.ClassCursor},
		{"fatal", connectors.ClassFatal, 1, connectors.ClassFatal},
		{"no class", 0, 1, 0},
		{"class of another version", 200, 1, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failure := connectors.Error{Class: tt.class, Code: "7", Response: &connectors.Response{Calls: 1, Code: "7"}}
				call, times := scripted(repeat(100, failure)...)
				_, err := api.Retry(call, api.Policy{})(t.Context(), connectors.Request{API: listAPI})
				var e *connectors.Error
				if !errors.As(err, &e) {
					t.Fatalf("error %v is no *Error", err)
				}
				if len(*times) != tt.tries || e.Calls != tt.tries || e.Response.Calls != tt.tries || e.Class != tt.as || e.Code != "7" {
					t.Errorf("%d tries, error %+v; want %d tries and class %v", len(*times), e, tt.tries, tt.as)
				}
				if failure.Response.Calls != 1 {
					t.Error("the call's own response was changed")
				}

				call, times = scripted(repeat(tt.tries-1, failure)...)
				resp, err := api.Retry(call, api.Policy{})(t.Context(), connectors.Request{API: listAPI})
				if err != nil || resp.Calls != tt.tries || len(*times) != tt.tries {
					t.Errorf("one failure less: %+v, %v; want success after %d calls", resp, err, tt.tries)
				}
			})
		})
	}
}

func TestRetryWaits(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	throttled := func(reset time.Duration) connectors.Error {
		return connectors.Error{Class: connectors.ClassThrottled, RetryAfter: reset}
	}
	tests := []struct {
		name     string
		errs     []*connectors.Error
		from, to []time.Duration // bounds of each wait
	}{
		{
			"throttled without a word", repeat(7, throttled(0)),
			[]time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s}, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 30 * s, 30 * s},
		},
		{"throttled with a reset", repeat(2, throttled(2500*ms)), []time.Duration{2500 * ms, 2500 * ms}, []time.Duration{2500 * ms, 2500 * ms}},
		{"a reset beyond reason", repeat(1, throttled(24*time.Hour)), []time.Duration{2 * time.Minute}, []time.Duration{2 * time.Minute}},
		{
			"unavailable", repeat(3, connectors.Error{Class: connectors.ClassUnavailable}),
			[]time.Duration{0, 0, 0}, []time.Duration{500 * ms, s, 2 * s},
		},
		{
			"unavailable with a word", repeat(1, connectors.Error{Class: connectors.ClassUnavailable, RetryAfter: 5 * s}),
			[]time.Duration{5 * s}, []time.Duration{5 * s},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				call, times := scripted(tt.errs...)
				if _, err := api.Retry(call, api.Policy{})(t.Context(), connectors.Request{API: listAPI}); err != nil {
					t.Fatal(err)
				}
				for i := range tt.from {
					if d := (*times)[i+1].Sub((*times)[i]); d < tt.from[i] || d > tt.to[i]+ms {
						t.Errorf("wait %d took %v, want %v to %v", i, d, tt.from[i], tt.to[i])
					}
				}
			})
		})
	}
}

func TestThrottlingPausesEveryCallOfTheAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPacer(map[string]connectors.Quota{listAPI: {PerMinute: 1000, PerSecond: 50}})
		call, times := scripted(&connectors.Error{Class: connectors.ClassThrottled, RetryAfter: 20 * time.Second})
		made := api.Retry(api.Pace(call, p), api.Policy{Pacer: p})
		start := time.Now()
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := made(t.Context(), connectors.Request{API: listAPI})
				done <- err
			}()
			synctest.Wait()
			time.Sleep(time.Second) // the second caller comes while the first one's pause holds
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(*times) != 3 {
			t.Fatalf("%d calls, want 3", len(*times))
		}
		for _, at := range (*times)[1:] {
			if at.Sub(start) < 20*time.Second {
				t.Errorf("a call was made %v after the throttling", at.Sub(start))
			}
		}
	})
}

func TestThrottledInARowIsCountedAnewAfterAnotherAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := repeat(15, connectors.Error{Class: connectors.ClassThrottled})
		errs := append(append(throttled, &connectors.Error{Class: connectors.ClassUnavailable}), throttled...)
		call, _ := scripted(errs...)
		resp, err := api.Retry(call, api.Policy{})(t.Context(), connectors.Request{API: listAPI})
		if err != nil || resp.Calls != 32 {
			t.Errorf("%+v, %v; want success after 32 calls", resp, err)
		}
	})
}

func TestRetryStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second+time.Millisecond, cancel)
		call, times := scripted(repeat(100, connectors.Error{Class: connectors.ClassThrottled, RetryAfter: time.Second})...)
		start := time.Now()
		_, err := api.Retry(call, api.Policy{})(ctx, connectors.Request{API: listAPI})
		if !errors.Is(err, context.Canceled) || len(*times) != 2 || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %d calls and %v", err, len(*times), time.Since(start))
		}
		var e *connectors.Error
		if errors.As(err, &e) {
			t.Errorf("a cancelled call says something of the platform: %v", err)
		}
	})
}

func TestRetryReturnsOtherErrorsAtOnceAndLogsTries(t *testing.T) {
	lost := errors.New("lost")
	n := 0
	call := func(context.Context, connectors.Request) (*connectors.Response, error) { n++; return nil, lost }
	if _, err := api.Retry(call, api.Policy{})(t.Context(), connectors.Request{}); !errors.Is(err, lost) || n != 1 {
		t.Errorf("%v after %d calls", err, n)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	again, _ := scripted(repeat(2, connectors.Error{Class: connectors.ClassUnavailable, Code: "http_502"})...)
	if _, err := api.Retry(again, api.Policy{Logger: logger, Unit: time.Microsecond})(t.Context(), connectors.Request{API: listAPI}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(log.String(), "http_502"); got != 2 {
		t.Errorf("%d lines of tries, want 2: %s", got, log.String())
	}
}
