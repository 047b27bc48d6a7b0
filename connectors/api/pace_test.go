package api_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

const listAPI = "feishu.im.v1.messages.list"

// grants runs workers that make calls of one API as fast as the pacer lets them, each taking some time, and gives the
// instants at which they were let through.
func grants(t *testing.T, p *api.Pacer, workers int, d time.Duration) []time.Time {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var mu sync.Mutex
	var at []time.Time
	call := api.Pace(func(context.Context, connectors.Request) (*connectors.Response, error) {
		mu.Lock()
		at = append(at, time.Now())
		mu.Unlock()
		time.Sleep(50*time.Millisecond + rand.N(400*time.Millisecond))
		return &connectors.Response{Calls: 1}, nil
	}, p)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for {
				if _, err := call(ctx, connectors.Request{API: listAPI}); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("call: %v", err)
					}
					return
				}
			}
		})
	}
	wait.Wait()
	return at
}

// mostWithin is the most instants in any closed stretch of length w.
func mostWithin(at []time.Time, w time.Duration) int {
	most, from := 0, 0
	for i := range at {
		for at[i].Sub(at[from]) > w {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func TestPaceKeepsBothWindowsAndUsesThem(t *testing.T) {
	tests := []struct {
		name    string
		quota   connectors.Quota
		workers int
		atLeast float64 // of what the tighter window allows in 10 minutes
	}{
		{"feishu", connectors.Quota{PerMinute: 1000, PerSecond: 50}, 64, 0.97},
		{"second only", connectors.Quota{PerSecond: 50}, 64, 0.97},
		{"second tighter", connectors.Quota{PerMinute: 6000, PerSecond: 20}, 64, 0.97},
		{"small", connectors.Quota{PerMinute: 60, PerSecond: 5}, 8, 0.97},
		{"large", connectors.Quota{PerMinute: 12000, PerSecond: 1000}, 256, 0.97},
		{"few workers", connectors.Quota{PerMinute: 600, PerSecond: 50}, 4, 0.97},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := api.NewPacer(map[string]connectors.Quota{listAPI: tt.quota})
				at := grants(t, p, tt.workers, 10*time.Minute)
				allowed := 600 * float64(tt.quota.PerSecond)
				if tt.quota.PerMinute > 0 {
					allowed = min(allowed, 10*float64(tt.quota.PerMinute))
					if most := mostWithin(at, time.Minute); most > tt.quota.PerMinute {
						t.Errorf("%d calls within a minute, allowed %d", most, tt.quota.PerMinute)
					}
				}
				if most := mostWithin(at, time.Second); most > tt.quota.PerSecond {
					t.Errorf("%d calls within a second, allowed %d", most, tt.quota.PerSecond)
				}
				if used := float64(len(at)) / allowed; used < tt.atLeast {
					t.Errorf("used %.4f of the quota, want at least %.2f", used, tt.atLeast)
				} else {
					t.Logf("used %.4f of the quota", used)
				}
			})
		})
	}
}

func TestSharesTogetherAreTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quota := connectors.Quota{PerMinute: 1000, PerSecond: 50}
		var mu sync.Mutex
		var total int
		var wait sync.WaitGroup
		for range 3 {
			p := api.NewPacer(map[string]connectors.Quota{listAPI: quota})
			p.SetShare(4, 12)
			wait.Go(func() {
				n := len(grants(t, p, 16, 45*time.Second)) // less than the time after which a share is gone beyond
				mu.Lock()
				defer mu.Unlock()
				total += n
			})
		}
		wait.Wait()
		if total > 750 || total < 728 {
			t.Errorf("three thirds made %d calls in 45 s, want 728 to 750", total)
		}
	})
}

func TestNoShareSendsNothingUntilThereIsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPacer(map[string]connectors.Quota{listAPI: {PerMinute: 60}})
		p.SetShare(0, 12)
		done := make(chan error, 1)
		go func() { done <- p.Wait(t.Context(), listAPI) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("a call went through without a share: %v", err)
		default:
		}
		if b := p.Snapshot()[0]; b.Waiting != 1 || b.Share != 0 || b.Calls != 0 {
			t.Errorf("snapshot %+v, want one waiting, no share, no calls", b)
		}
		p.SetShare(1, 12)
		if err := <-done; err != nil {
			t.Errorf("wait: %v", err)
		}
	})
}

func TestPauseHoldsForThoseWhoWaitAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPacer(map[string]connectors.Quota{listAPI: {PerMinute: 60, PerSecond: 50}})
		start := time.Now()
		var mu sync.Mutex
		var at []time.Duration
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				if err := p.Wait(t.Context(), listAPI); err != nil {
					t.Errorf("wait: %v", err)
				}
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(start))
			})
		}
		synctest.Wait()
		p.Pause(listAPI, 30*time.Second)
		p.Pause(listAPI, time.Second) // shorter: the longer one stays
		if b := p.Snapshot()[0]; b.Pauses != 1 || b.PausedUntil.Sub(start) < 30*time.Second || b.PausedUntil.Sub(start) > 34*time.Second {
			t.Errorf("snapshot %+v, want one pause until 30 to 34 s", b)
		}
		wait.Wait()
		for _, d := range at[1:] {
			if d < 30*time.Second {
				t.Errorf("a call went through after %v, within the pause", d)
			}
		}
		if !p.Snapshot()[0].PausedUntil.IsZero() {
			t.Error("the pause is over but the snapshot shows it")
		}
	})
}

func TestPacerServesInOrderAndLeavesWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPacer(map[string]connectors.Quota{listAPI: {PerMinute: 60}})
		var mu sync.Mutex
		var order []int
		var wait sync.WaitGroup
		impatient, cancel := context.WithCancel(t.Context())
		for i := range 6 {
			ctx := t.Context()
			if i == 3 {
				ctx = impatient
			}
			wait.Go(func() {
				err := p.Wait(ctx, listAPI)
				if i == 3 {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("cancelled wait: %v", err)
					}
					return
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		cancel()
		wait.Wait()
		for i, want := range []int{0, 1, 2, 4, 5} {
			if order[i] != want {
				t.Fatalf("order %v", order)
			}
		}
		if b := p.Snapshot()[0]; b.Calls != 5 || b.Waiting != 0 {
			t.Errorf("snapshot %+v, want 5 calls and nobody waiting", b)
		}
	})
}

func TestSnapshotCountsTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := api.NewPacer(map[string]connectors.Quota{listAPI: {PerMinute: 600, PerSecond: 50}, "b": {}})
		for range 10 {
			if err := p.Wait(t.Context(), listAPI); err != nil {
				t.Fatal(err)
			}
		}
		if b := p.Snapshot(); len(b) != 2 || b[0].API != "b" || b[1].Recent != 10 || b[1].Calls != 10 {
			t.Errorf("snapshot %+v", b)
		}
		time.Sleep(62 * time.Second)
		if b := p.Snapshot()[1]; b.Recent != 0 || b.Calls != 10 {
			t.Errorf("after a minute: %+v", b)
		}
		if err := p.Wait(t.Context(), "an API without a quota"); err != nil {
			t.Errorf("an API without a quota is held back: %v", err)
		}
	})
}
