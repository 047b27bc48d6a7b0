package api

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"chatlake/connectors"
)

// Shares of a quota that are paced out. What is left takes up the difference between the even pace here and the times at
// which calls reach the platform, whose windows may be fixed or sliding.
const (
	minuteShare = 0.985 // of the minute's budget, evenly
	burstShare  = 0.005 // of the minute's budget, at once
	secondShare = 0.975 // of the second's budget, evenly, where it is the tighter one
)

// evenly gives calls a second and how many may come at once, for a part of the quota: in any 60 s at most PerMinute, in
// any second at most PerSecond, as burst + rate × window stays below each.
func evenly(q connectors.Quota, part float64) (perSecond float64, burst int) {
	perSecond, most := 1e6, 1e6
	if q.PerMinute > 0 {
		perSecond = minuteShare * float64(q.PerMinute) / 60
		most = burstShare * float64(q.PerMinute)
	}
	if q.PerSecond > 0 {
		perSecond = min(perSecond, secondShare*float64(q.PerSecond))
		most = min(most, float64(q.PerSecond)-perSecond)
	}
	return perSecond * part, max(1, int(most*part))
}

// Pacer holds back calls so that the quota of each API is used and not passed. It may be used by several goroutines.
type Pacer struct {
	mu           sync.Mutex
	owned, total int
	buckets      map[string]*bucket
}

// NewPacer gives a pacer of the APIs in quotas, by ce_type, which starts with the whole quota. An API that is not in
// quotas is not held back.
func NewPacer(quotas map[string]connectors.Quota) *Pacer {
	p := &Pacer{owned: 1, total: 1, buckets: make(map[string]*bucket, len(quotas))}
	for api, q := range quotas {
		p.buckets[api] = newBucket(q)
	}
	return p
}

// SetShare gives this process owned of total parts of each quota, from now on and for calls that wait already. A process
// that uses its share up goes beyond it while nobody throttles it, as other processes may be idle; one that has the whole
// cannot. With 0 owned no call is let through.
func (p *Pacer) SetShare(owned, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if owned < 0 || total <= 0 {
		owned, total = 0, 1
	}
	owned = min(owned, total)
	if owned == p.owned && total == p.total {
		return
	}
	p.owned, p.total = owned, total
	for _, b := range p.buckets {
		b.setShare(float64(owned) / float64(total))
	}
}

// Pause lets no call of api through for d, and a little longer by chance, so that several processes do not go on at one
// instant. A longer pause in force stays.
func (p *Pacer) Pause(api string, d time.Duration) {
	if b := p.buckets[api]; b != nil && d > 0 {
		b.pause(d + rand.N(min(d/10, time.Second)+time.Millisecond))
	}
}

// Wait returns nil when a call of api may be made now, or ctx's error. Calls of one API go in the order in which they
// came.
func (p *Pacer) Wait(ctx context.Context, api string) error {
	b := p.buckets[api]
	if b == nil {
		return ctx.Err()
	}
	return b.take(ctx)
}

// Budget is how one API's quota stands at one moment.
type Budget struct {
	API    string
	Quota  connectors.Quota // the app's
	Share  float64          // this process's share of it by SetShare, 0 to 1
	Part   float64          // what it paces out now, Share to 1
	Recent int              // calls let through in the last 60 s
	// Pace is how many calls a minute are let through at present: what the part allows while calls wait, else by those of the
	// last 10 s.
	Pace float64
	// Calls, Throttled and Pauses count calls let through, those of them that were throttled, and pauses begun.
	Calls, Throttled, Pauses int64
	Waiting                  int       // calls that wait now
	PausedUntil              time.Time // zero: not paused
}

// Snapshot tells how each API stands, in the order of their names.
func (p *Pacer) Snapshot() []Budget {
	budgets := make([]Budget, 0, len(p.buckets))
	for api, b := range p.buckets {
		budgets = append(budgets, b.snapshot(api))
	}
	slices.SortFunc(budgets, func(a, b Budget) int { return cmp.Compare(a.API, b.API) })
	return budgets
}

// Pace makes each call of call wait for its API's budget in p, which learns from the throttled ones. An error of ctx while
// waiting is returned as it is.
func Pace(call connectors.Call, p *Pacer) connectors.Call {
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		if err := p.Wait(ctx, r.API); err != nil {
			return nil, err
		}
		sent := time.Now()
		resp, err := call(ctx, r)
		var e *connectors.Error
		if b := p.buckets[r.API]; b != nil && errors.As(err, &e) && e.Class == connectors.ClassThrottled {
			b.refused(sent, e.RetryAfter)
		}
		return resp, err
	}
}
