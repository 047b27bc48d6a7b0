package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

func failedOf(scope, subject string) api.Fault {
	return api.Fault{Scope: scope, Subject: subject, Code: "http_503"}
}

func closed(h *api.Health, scope string) bool {
	_, is := h.Closed(scope)
	return is
}

// TestHealthOfAnAPI: it is out once four subjects, or all that there are, got nothing for a second, and no sooner.
func TestHealthOfAnAPI(t *testing.T) {
	for name, f := range map[string]struct {
		others   int
		failures func(h *api.Health)
		out      bool
	}{
		"four of many":            {100, func(h *api.Health) { fail(h, 100, "a", "b", "c", "d") }, true},
		"three of many":           {100, func(h *api.Health) { fail(h, 100, "a", "b", "c") }, false},
		"one, again and again":    {100, func(h *api.Health) { fail(h, 100, "a", "a", "a", "a", "a") }, false},
		"one that is all":         {1, func(h *api.Health) { fail(h, 1, "a", "a", "a", "a", "a") }, false},
		"two that are all":        {2, func(h *api.Health) { fail(h, 2, "a", "b") }, true},
		"an answer in between":    {100, func(h *api.Health) { fail(h, 100, "a", "b"); h.Answered(listAPI); fail(h, 100, "c", "d", "e") }, false},
		"an answer right after":   {100, func(h *api.Health) { fail(h, 100, "a", "b", "c", "d"); h.Answered(listAPI) }, false},
		"another API in between":  {100, func(h *api.Health) { fail(h, 100, "a", "b"); h.Answered(getAPI); fail(h, 100, "c", "d") }, true},
		"a page is an answer too": {100, func(h *api.Health) { fail(h, 100, "a", "b", "c", "d"); h.Read(listAPI) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := api.NewHealth("test", nil)
				f.failures(h)
				if closed(h, listAPI) {
					t.Error("it is out at once: where every other call fails, a few in a row are chance")
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if closed(h, listAPI) != f.out {
					t.Errorf("after a second: out %v, want %v", !f.out, f.out)
				}
			})
		})
	}
}

func fail(h *api.Health, others int, subjects ...string) {
	for _, s := range subjects {
		f := failedOf(listAPI, s)
		f.Others = others
		h.Failed(f)
	}
}

// out gives a health whose list API is out since this moment, or a second ago.
func out(t *testing.T, logger *slog.Logger) *api.Health {
	t.Helper()
	h := api.NewHealth("test", logger)
	fail(h, 0, "a", "b", "c", "d")
	time.Sleep(time.Second)
	synctest.Wait()
	if !closed(h, listAPI) {
		t.Fatal("it is not out")
	}
	return h
}

// TestProbes go after 1 and 2 s, then each 4 s, or when the platform asks for, one for all who ask.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := out(t, nil)
		var at []time.Duration
		began := time.Now()
		for time.Since(began) < 20*time.Second {
			if h.Probe(listAPI) {
				at = append(at, time.Since(began))
				if h.Probe(listAPI) {
					t.Error("two probes at once")
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if got := fmt.Sprint(at); got != "[1s 3s 7s 11s 15s 19s]" {
			t.Errorf("probes at %s", got)
		}
		if h.Probe(getAPI) || closed(h, api.WholePlatform) {
			t.Error("another scope is out")
		}
		f := failedOf(listAPI, "a")
		f.After = time.Minute
		h.Failed(f)
		began = time.Now()
		for !h.Probe(listAPI) {
			time.Sleep(time.Second)
		}
		if d := time.Since(began); d != time.Minute {
			t.Errorf("the platform asked for a minute and was asked after %v", d)
		}
	})
}

// TestListenersHearOfBothEnds, and lines tell each once.
func TestListenersHearOfBothEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		h := api.NewHealth("test", slog.New(slog.NewTextHandler(&lines, nil)))
		var heard int
		stop := h.Listen(func() {
			heard++
			h.Closed(listAPI) // may ask
		})
		for range 3 {
			fail(h, 0, "a", "b", "c", "d", "e")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		fail(h, 0, "f", "g")
		h.Answered(listAPI)
		h.Answered(listAPI)
		if heard != 2 {
			t.Errorf("heard %d times, want 2", heard)
		}
		stop()
		fail(h, 0, "a", "b", "c", "d", "e")
		time.Sleep(time.Second)
		synctest.Wait()
		if heard != 2 {
			t.Error("heard after it stopped to listen")
		}
		if n := strings.Count(lines.String(), "\n"); n != 3 {
			t.Errorf("%d lines:\n%s", n, lines.String())
		}
	})
}

// TestRefusalNamesItsScope: one of the whole app is of no API, and says none.
func TestRefusalNamesItsScope(t *testing.T) {
	var lines bytes.Buffer
	h := api.NewHealth("test", slog.New(slog.NewTextHandler(&lines, nil)))
	h.RefusedAll("10014", "the secret is refused")
	if said := lines.String(); !strings.Contains(said, "refuses the app") || strings.Contains(said, "api=") {
		t.Errorf("said %q", said)
	}
}

// TestRefusals: the platform is closed as a whole, unless another API of it works; a page of it opens it.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := api.NewHealth("test", nil)
		if scope := h.Refused(listAPI, "7", "no"); scope != api.WholePlatform || !closed(h, api.WholePlatform) {
			t.Errorf("%q is closed", scope)
		}
		h.Answered(listAPI)
		if !closed(h, api.WholePlatform) {
			t.Error("a refusal is an answer, too, and opens nothing")
		}
		if h.Probe(api.WholePlatform) {
			t.Error("it is asked again at once")
		}
		time.Sleep(time.Minute)
		if !h.Probe(api.WholePlatform) || h.Probe(api.WholePlatform) {
			t.Error("it is asked once a minute")
		}
		h.Read(getAPI)
		if closed(h, api.WholePlatform) {
			t.Error("a page of it leaves it closed")
		}
		if scope := h.Refused(listAPI, "7", "no"); scope != listAPI || closed(h, api.WholePlatform) || !closed(h, listAPI) {
			t.Errorf("%q is closed though another API works", scope)
		}
		h.Read(getAPI)
		if !closed(h, listAPI) {
			t.Error("a page of another API opens it")
		}
		h.Read(listAPI)
		if closed(h, listAPI) {
			t.Error("a page of it leaves it closed")
		}
	})
}

// served is what Watch calls in the tests: it counts, and answers as answer says.
type served struct {
	mu     sync.Mutex
	n      int
	answer func(ctx context.Context, n int) error
}

func (s *served) call(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	s.mu.Lock()
	s.n++
	n := s.n
	s.mu.Unlock()
	if err := s.answer(ctx, n); err != nil {
		var e *connectors.Error
		if errors.As(err, &e) {
			own := *e
			own.API, own.Calls = r.API, 1
			return nil, &own
		}
		return nil, err
	}
	return &connectors.Response{Calls: 1}, nil
}

// TestWatchSendsNothingToWhatIsOut but probes, its own and those of the context.
func TestWatchSendsNothingToWhatIsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := out(t, nil)
		down := &connectors.Error{Class: connectors.ClassUnavailable, Code: "http_502"}
		s := &served{answer: func(context.Context, int) error { return down }}
		call := api.Watch(s.call, h)
		_, e := ask(t, call, connectors.Request{API: listAPI, Path: "/x"})
		if s.n != 0 || e == nil || !e.Out || e.Calls != 0 || e.Code != "http_503" || e.Scope != listAPI {
			t.Errorf("%d sent, %+v", s.n, e)
		}
		if _, e := ask(t, api.Retry(call, api.Policy{}), connectors.Request{API: listAPI, Path: "/x"}); !e.Out || s.n != 0 {
			t.Errorf("it is tried again: %d sent, %+v", s.n, e)
		}
		if _, err := call(api.WithProbe(t.Context(), listAPI), connectors.Request{API: listAPI, Path: "/x"}); s.n != 1 || errors.As(err, &e) && e.Out {
			t.Errorf("a probe: %d sent, %v", s.n, err)
		}
		time.Sleep(time.Second)
		if _, e := ask(t, call, connectors.Request{API: listAPI, Path: "/x"}); s.n != 2 || e.Out {
			t.Errorf("a probe of its own: %d sent, %+v", s.n, e)
		}
		if _, err := call(t.Context(), connectors.Request{API: getAPI, Path: "/x"}); s.n != 3 {
			t.Errorf("another API: %v", err)
		}
		s.answer = func(context.Context, int) error { return nil }
		time.Sleep(4 * time.Second)
		if _, e := ask(t, call, connectors.Request{API: listAPI, Path: "/x"}); e != nil || closed(h, listAPI) {
			t.Errorf("it answers, and is out: %v", e)
		}
	})
}

// TestWatchBreaksOffWhatHangs: calls that hang for long while nothing is answered make an outage; they fail at its begin, and
// what hangs at its end is sent again.
func TestWatchBreaksOffWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := api.NewHealth("test", nil)
		began := time.Now()
		up := began.Add(20 * time.Second)
		s := &served{answer: func(ctx context.Context, _ int) error {
			if time.Now().Before(up) {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}
		call := api.Watch(s.call, h)
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				_, err := call(t.Context(), connectors.Request{API: listAPI, Path: fmt.Sprint("/", i)})
				var e *connectors.Error
				if took := time.Since(began); !errors.As(err, &e) || !e.Out || e.Calls != 1 || took < 8*time.Second || took > 10*time.Second {
					t.Errorf("call %d: %v after %v", i, err, took)
				}
			})
		}
		all.Wait()
		for i := range 3 { // probes that hang
			time.Sleep(4 * time.Second)
			all.Go(func() {
				resp, err := call(api.WithProbe(t.Context(), listAPI), connectors.Request{API: listAPI, Path: fmt.Sprint("/probe", i)})
				if err != nil || time.Since(began) > 25*time.Second || i < 2 && resp.Calls != 2 {
					t.Errorf("probe %d: %+v, %v after %v", i, resp, err, time.Since(began))
				}
			})
		}
		all.Wait()
		if closed(h, listAPI) {
			t.Error("it is still out")
		}
	})
}

// TestWatchLeavesSlowAnswersAlone: an API that takes long is not out, as long as it answers.
func TestWatchLeavesSlowAnswersAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := api.NewHealth("test", nil)
		s := &served{answer: func(ctx context.Context, _ int) error {
			select {
			case <-time.After(7 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}}
		call := api.Watch(s.call, h)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Millisecond)
				for n := range 50 {
					if _, err := call(t.Context(), connectors.Request{API: listAPI, Path: fmt.Sprint("/", i, "/", n)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	})
}

// TestWatchCountsAnswers: a refusal of what was asked for is an answer; a throttling and full room say nothing.
func TestWatchCountsAnswers(t *testing.T) {
	for class, opens := range map[connectors.Class]bool{
		connectors.ClassItem: true, connectors.ClassContainer: true, connectors.ClassCursor: true, connectors.ClassUnknown: true,
		connectors.ClassThrottled: false, connectors.ClassFatal: false, connectors.ClassUnavailable: false, connectors.ClassSticky: false,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := out(t, nil)
			s := &served{answer: func(context.Context, int) error { return &connectors.Error{Class: class, Code: "7"} }}
			_, _ = api.Watch(s.call, h)(api.WithProbe(t.Context(), listAPI), connectors.Request{API: listAPI, Path: "/x"})
			if closed(h, listAPI) == opens {
				t.Errorf("%v: answered %v", class, !opens)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		h := api.NewHealth("test", nil)
		full := &connectors.Error{Class: connectors.ClassUnavailable, Code: connectors.CodeNoRoom}
		s := &served{answer: func(context.Context, int) error { return full }}
		for i := range 20 {
			_, _ = api.Watch(s.call, h)(t.Context(), connectors.Request{API: listAPI, Path: fmt.Sprint("/", i)})
			time.Sleep(time.Second)
		}
		if closed(h, listAPI) {
			t.Error("our own want of room is taken for an outage of the platform")
		}
	})
}
