package api_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

const getAPI = "feishu.im.v1.messages.get"

// feishuQuota is what Feishu allows an app of each API in one tenant
// (https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control).
var feishuQuota = connectors.Quota{PerMinute: 1000, PerSecond: 50}

// platform counts the calls of one API as a platform does, in minutes and seconds that are the clock's or that slide, and
// keeps how many it let through and throttled in each minute since it began.
type platform struct {
	quota   connectors.Quota
	sliding bool
	began   time.Time

	mu      sync.Mutex
	let     []time.Time
	minutes []answered
}

type answered struct{ let, throttled int }

// refuse tells how long a call that comes now is to wait, in whole seconds as x-ogw-ratelimit-reset does; 0: it is let
// through.
func (p *platform) refuse() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	m := int(now.Sub(p.began) / time.Minute)
	for len(p.minutes) <= m {
		p.minutes = append(p.minutes, answered{})
	}
	for _, w := range []struct {
		long time.Duration
		most int
	}{{time.Minute, p.quota.PerMinute}, {time.Second, p.quota.PerSecond}} {
		n := len(p.let) - w.most // the oldest of the last most calls: while it is in the window, that is full
		if w.most <= 0 || n < 0 {
			continue
		}
		full, end := now.Sub(p.let[n]) < w.long, p.let[n].Add(w.long)
		if begin := now.Truncate(w.long); !p.sliding {
			full, end = !p.let[n].Before(begin), begin.Add(w.long)
		}
		if full {
			p.minutes[m].throttled++
			return (end.Sub(now) + time.Second - 1).Truncate(time.Second)
		}
	}
	p.let = append(p.let, now)
	p.minutes[m].let++
	return 0
}

// call takes the time of a network, in both directions.
func (p *platform) call(_ context.Context, r connectors.Request) (*connectors.Response, error) {
	time.Sleep(rand.N(150 * time.Millisecond))
	reset := p.refuse()
	time.Sleep(50*time.Millisecond + rand.N(300*time.Millisecond))
	if reset > 0 {
		return nil, &connectors.Error{Class: connectors.ClassThrottled, API: r.API, RetryAfter: reset, Calls: 1}
	}
	return &connectors.Response{Calls: 1}, nil
}

// used is the part of the quota that was let through in the minutes from, up to and without to.
func (p *platform) used(from, to int) float64 {
	n := 0
	for _, m := range p.minutes[from:min(to, len(p.minutes))] {
		n += m.let
	}
	return float64(n) / float64(p.quota.PerMinute*(to-from))
}

// throttled is the part of all calls that was throttled.
func (p *platform) throttled() float64 {
	let, throttled := 0, 0
	for _, m := range p.minutes {
		let, throttled = let+m.let, throttled+m.throttled
	}
	return float64(throttled) / float64(let+throttled)
}

// worker is one extractor: how many calls it makes at once, while it has work, and from when on it owns how many of
// twelve partitions. It is gone after the last.
type worker struct {
	calls int
	works func(at time.Duration) bool // nil: always
	owns  map[time.Duration]int
	dies  time.Duration // 0: never
}

func (w *worker) run(ctx context.Context, p *platform, wait *sync.WaitGroup) {
	pacer := api.NewPacer(map[string]connectors.Quota{listAPI: p.quota})
	pacer.SetShare(0, 12)
	for at, owned := range w.owns {
		time.AfterFunc(at, func() { pacer.SetShare(owned, 12) })
	}
	call := api.Retry(api.Pace(p.call, pacer), api.Policy{Pacer: pacer})
	cancel := func() {}
	if w.dies > 0 {
		ctx, cancel = context.WithTimeout(ctx, w.dies)
	}
	var calls sync.WaitGroup
	for range w.calls {
		calls.Go(func() {
			for ctx.Err() == nil {
				if w.works != nil && !w.works(time.Since(p.began)) {
					time.Sleep(time.Second)
					continue
				}
				_, _ = call(ctx, connectors.Request{API: listAPI}) // the platform keeps what it answered
			}
		})
	}
	wait.Go(func() { calls.Wait(); cancel() })
}

func busy(owned int) worker { return worker{calls: 16, owns: map[time.Duration]int{0: owned}} }

func TestQuotaOverSeveralExtractors(t *testing.T) {
	never := func(time.Duration) bool { return false }
	idleBetween := func(from, to time.Duration) func(time.Duration) bool {
		return func(at time.Duration) bool { return at < from || at >= to }
	}
	const kill, noticed = 6 * time.Minute, 6*time.Minute + 12*time.Second
	heir := worker{calls: 16, owns: map[time.Duration]int{0: 4, noticed: 6}}
	victim := worker{calls: 16, owns: map[time.Duration]int{0: 4}, dies: kill}
	idle := worker{calls: 16, owns: map[time.Duration]int{0: 4}, works: never}
	slow := worker{calls: 1, owns: map[time.Duration]int{0: 4}} // 3 to 4 calls a second of the 5 that are its share
	pausing := worker{calls: 16, owns: map[time.Duration]int{0: 4}, works: idleBetween(8*time.Minute, 16*time.Minute)}
	tests := []struct {
		name    string
		workers []worker
		minutes int
		counted [][2]int // minutes in which the quota must be used; calls that are throttled count in all
	}{
		{"one", []worker{busy(12)}, 12, [][2]int{{0, 12}}},
		{"three", []worker{busy(4), busy(4), busy(4)}, 20, [][2]int{{0, 20}}},
		{"three of unequal shares", []worker{busy(7), busy(4), busy(1)}, 20, [][2]int{{0, 20}}},
		{"twelve", []worker{
			busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1), busy(1),
		}, 30, [][2]int{{0, 30}}},
		{"three, one killed halfway", []worker{heir, heir, victim}, 12, [][2]int{{0, 12}}},
		{"three, one idle", []worker{busy(4), busy(4), idle}, 40, [][2]int{{20, 40}}},
		{"three, two idle", []worker{busy(4), idle, idle}, 20, [][2]int{{10, 20}}},
		{"three, one slow", []worker{busy(4), busy(4), slow}, 40, [][2]int{{20, 40}}},
		{"three, one pauses", []worker{busy(4), busy(4), pausing}, 28, [][2]int{{0, 8}, {16, 28}}},
	}
	for _, tt := range tests {
		for _, sliding := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sliding %t", tt.name, sliding), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					time.Sleep(rand.N(time.Minute)) // the windows of the clock begin anywhere
					p := &platform{quota: feishuQuota, sliding: sliding, began: time.Now()}
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(tt.minutes)*time.Minute)
					defer cancel()
					var wait sync.WaitGroup
					for _, w := range tt.workers {
						w.run(ctx, p, &wait)
					}
					wait.Wait()
					for _, c := range tt.counted {
						if used := p.used(c[0], c[1]); used < 0.97 {
							t.Errorf("%.4f of the quota used in minutes %d to %d, want 0.97", used, c[0], c[1])
						} else {
							t.Logf("%.4f of the quota used in minutes %d to %d", used, c[0], c[1])
						}
					}
					if throttled := p.throttled(); throttled >= 0.005 {
						t.Errorf("%.4f of all calls throttled, want less than 0.005", throttled)
					} else {
						t.Logf("%.4f of all calls throttled", throttled)
					}
					if t.Failed() {
						t.Logf("by minute: %v", p.minutes)
					}
				})
			})
		}
	}
}

// spend makes calls of an API, 16 at once, for d.
func spend(t *testing.T, call connectors.Call, api string, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for ctx.Err() == nil {
				_, err := call(ctx, connectors.Request{API: api})
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("call: %v", err)
				}
			}
		})
	}
	wait.Wait()
}

// What one API is throttled for is no matter of another's: each has its own windows.
func TestBudgetsOfListAndGetAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crowded := &platform{quota: connectors.Quota{PerMinute: 330, PerSecond: 50}, began: time.Now()} // others use the rest
		empty := &platform{quota: feishuQuota, began: time.Now()}
		pacer := api.NewPacer(map[string]connectors.Quota{listAPI: feishuQuota, getAPI: feishuQuota})
		pacer.SetShare(4, 12)
		call := api.Retry(api.Pace(func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
			if r.API == listAPI {
				return crowded.call(ctx, r)
			}
			return empty.call(ctx, r)
		}, pacer), api.Policy{Pacer: pacer})
		var wait sync.WaitGroup
		for _, api := range []string{listAPI, getAPI} {
			wait.Go(func() { spend(t, call, api, 30*time.Minute) })
		}
		wait.Wait()
		budgets := pacer.Snapshot()
		get, list := budgets[0], budgets[1]
		if list.Throttled == 0 || list.Pauses == 0 || list.Part > list.Share+0.1 {
			t.Errorf("list, of which others use two thirds: %+v", list)
		}
		if list.Pauses > 12 {
			t.Errorf("list was tried above its share so often that it was throttled %d times in half an hour", list.Pauses)
		}
		if get.Throttled != 0 || get.Pauses != 0 || !get.PausedUntil.IsZero() || get.Part < 0.99 || get.Recent < 970 {
			t.Errorf("get, of which others use nothing: %+v", get)
		}
	})
}

// A part that was found idle is held only while it is used, and while the shares stay.
func TestPartComesBackToItsShare(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after func(*api.Pacer)
		share float64
	}{
		{"without work", func(*api.Pacer) { time.Sleep(5 * time.Minute) }, 4.0 / 12},
		{"another share", func(p *api.Pacer) { p.SetShare(3, 12) }, 3.0 / 12},
		{"the same share", func(p *api.Pacer) { p.SetShare(4, 12) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := &platform{quota: feishuQuota, began: time.Now()}
				pacer := api.NewPacer(map[string]connectors.Quota{listAPI: feishuQuota})
				pacer.SetShare(4, 12)
				call := api.Retry(api.Pace(free.call, pacer), api.Policy{Pacer: pacer})
				spend(t, call, listAPI, 30*time.Second)
				if b := pacer.Snapshot()[0]; b.Part != b.Share {
					t.Fatalf("after half a minute %+v, want its share", b)
				}
				spend(t, call, listAPI, 8*time.Minute)
				if b := pacer.Snapshot()[0]; b.Part < 0.99 || b.Share != 4.0/12 {
					t.Fatalf("alone for eight minutes: %+v, want the whole quota", b)
				}
				tt.after(pacer)
				if _, err := call(t.Context(), connectors.Request{API: listAPI}); err != nil {
					t.Fatal(err)
				}
				if b := pacer.Snapshot()[0]; tt.share > 0 && b.Part != tt.share || tt.share == 0 && b.Part < 0.99 {
					t.Errorf("%+v, want part %.3f (0: kept)", b, tt.share)
				}
			})
		})
	}
}
