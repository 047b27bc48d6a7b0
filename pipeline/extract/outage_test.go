package extract_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// askedAPI is a platform that is asked by calls, as sources ask: each retried, and watched.
type askedAPI struct {
	pages  int                                    // of each container
	answer func(ctx context.Context, n int) error // of the n-th call; nil: all is well

	call connectors.Call

	mu    sync.Mutex
	sent  []time.Time
	read  map[string][]time.Time // when pages were read, by container
	hangs int                    // calls in flight
}

// newAPI puts an API into a rig in the place of its book.
func (r *rig) newAPI(pages int) *askedAPI {
	a := &askedAPI{pages: pages, read: map[string][]time.Time{}}
	health := api.NewHealth(schemas.Feishu, r.conf.Logger)
	a.call = api.Retry(api.Watch(a.serve, health), api.Policy{})
	r.conf.Platforms[schemas.Feishu] = extract.Platform{Source: a, TenantID: tenant, AppID: "app_1", Health: health}
	return a
}

func (a *askedAPI) serve(ctx context.Context, q connectors.Request) (*connectors.Response, error) {
	a.mu.Lock()
	a.sent = append(a.sent, time.Now())
	n := len(a.sent)
	a.hangs++
	a.mu.Unlock()
	err := a.answer(ctx, n)
	a.mu.Lock()
	a.hangs--
	a.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var e *connectors.Error
	if errors.As(err, &e) {
		failed := *e
		failed.API, failed.Calls, failed.Scope = q.API, 1, ""
		return nil, &failed
	}
	return &connectors.Response{Type: q.API, Request: q.Line(), HTTPStatus: 200, Code: "0", Time: time.Now(), Calls: 1, Body: []byte(q.Line())}, nil
}

// Pages is connectors.Source's.
func (a *askedAPI) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		for n := from.Pages + 1; ; n++ {
			resp, err := a.call(ctx, connectors.Request{
				API: schemas.PageType(c.Platform, c.Kind), Method: "GET", Path: "/" + c.ID, Query: fmt.Sprint("page=", n),
			})
			if err != nil {
				yield(nil, err)
				return
			}
			a.mu.Lock()
			a.read[c.ID] = append(a.read[c.ID], time.Now())
			a.mu.Unlock()
			p := &connectors.Page{Response: *resp, Items: 1, Calls: resp.Calls, Next: position(c, n), Final: int(n) == a.pages}
			if !yield(p, nil) || p.Final {
				return
			}
		}
	}
}

// within is how many containers had a page read in a time.
func (a *askedAPI) within(from, to time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, times := range a.read {
		for _, at := range times {
			if !at.Before(from) && at.Before(to) {
				n++
				break
			}
		}
	}
	return n
}

// calls is how many calls were sent in a time.
func (a *askedAPI) calls(from, to time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, at := range a.sent {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}

// faults of a platform that is out.
var outages = map[string]func(ctx context.Context) error{
	"503 at once": func(context.Context) error { return unavailable("http_503") },
	"hanging to the time-out": func(ctx context.Context) error {
		rest(ctx, 30*time.Second)
		return unavailable(connectors.CodeTimeout)
	},
	"hanging for ever, unless broken off": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	"an internal error about everything": func(context.Context) error {
		return &connectors.Error{Class: connectors.ClassSticky, Code: "2200", Message: "internal error"}
	},
}

// TestOutageIsOneWait: while a platform is out, it is asked by a few probes, and within 5 s of its end (95 % of
// places) all containers are read again, however long it was and whatever its calls did.
func TestOutageIsOneWait(t *testing.T) {
	const chats = 64
	for name, fault := range outages {
		for _, long := range []time.Duration{12 * time.Second, 25 * time.Second, 10 * time.Minute} {
			t.Run(fmt.Sprint(name, " for ", long), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, 1, memlog.Faults{})
					var lines bytes.Buffer
					r.conf.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelInfo}))
					r.conf.Once = false
					a := r.newAPI(100_000)
					begin := time.Now().Add(time.Minute)
					end := begin.Add(long)
					a.answer = func(ctx context.Context, _ int) error {
						if now := time.Now(); !now.Before(begin) && now.Before(end) {
							return fault(ctx)
						}
						rest(ctx, 300*time.Millisecond)
						return nil
					}
					for i := range chats {
						r.add(r.chat(i))
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					done := make(chan error, 1)
					go func() { done <- r.session(ctx) }()
					time.Sleep(time.Until(end) + 6*time.Second)
					commits := len(r.log.History())
					if n := a.within(end, end.Add(5*time.Second)); n < chats*95/100 {
						t.Errorf("%d of %d chats were read within 5 s of the end", n, chats)
					}
					if n := a.within(end.Add(4*time.Second), end.Add(5*time.Second)); n < chats*95/100 {
						t.Errorf("%d of %d chats were read in the fifth second after the end", n, chats)
					}
					// 8 s until calls that hang are noticed, then a probe at 1, 2 and each 4 s more, in up to 5 tries.
					if n := a.calls(begin.Add(10*time.Second), end); n > 5*(2+int(long/(4*time.Second))) {
						t.Errorf("%d calls were sent to a platform that is out", n)
					}
					cancel()
					if err := <-done; !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					if n := strings.Count(lines.String(), "the platform is out"); n != 1 {
						t.Errorf("%d lines tell of the begin", n)
					}
					if n := strings.Count(lines.String(), "answers again"); n != 1 {
						t.Errorf("%d lines tell of the end", n)
					}
					if n := strings.Count(lines.String(), "\n"); n != 2 {
						t.Errorf("%d lines are logged, want the begin and the end alone", n)
					}
					if t.Failed() {
						t.Logf("%d commits; log:\n%s", commits, lines.String()[:min(4000, lines.Len())])
					}
				})
			})
		}
	}
}

// TestOneContainerThatFailsIsNoOutage: it alone pauses, longer each time, and is not woken by what others get.
func TestOneContainerThatFailsIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Once = false
		bad := r.chat(0)
		r.add(bad)
		for i := range 20 {
			c := r.chat(1 + i)
			r.book.pages[c.ID] = 10_000
			r.add(c)
		}
		r.book.before = func(_ context.Context, c *schemas.Container, _ int64) {
			if c.Key != bad.Key {
				time.Sleep(time.Second)
			}
		}
		var at []time.Time
		r.book.fail = func(c *schemas.Container, _ int64, _ int) error {
			if c.Key == bad.Key {
				at = append(at, time.Now())
				return unavailable("503")
			}
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_ = r.session(ctx)
		for i, want := range []int{5, 10, 20, 40, 80, 120} {
			if got := at[i+1].Sub(at[i]); got != time.Duration(want)*time.Second {
				t.Errorf("pause %d took %v, want %ds", i+1, got, want)
			}
		}
	})
}

// TestCancelledDuringAnOutage: what needs no call waits for nobody.
func TestCancelledDuringAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("503") }
		var all []schemas.Container
		for i := range 600 {
			all = append(all, r.chat(i))
		}
		r.add(all...)
		time.AfterFunc(5*time.Minute, func() {
			for i := range all {
				r.add(cancelled(all[i]))
			}
		})
		began := time.Now()
		if err := r.session(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 5*time.Minute+time.Second {
			t.Errorf("it took %v", took)
		}
		s := r.check()
		for i := range all {
			if got := s.checkpoints[schemas.ContainerKey(all[i].Key)].State; got != schemas.StateCancelled {
				t.Fatalf("%s is %s", all[i].Key, got)
			}
		}
	})
}
