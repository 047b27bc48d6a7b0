package connectors

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quota is what a platform allows of one API. Zero is no limit.
type Quota struct{ PerMinute, PerSecond int }

// Shares of a quota that are paced out. What is left takes up the difference between the even pace here and the times at
// which calls reach the platform, whose windows may be fixed or sliding.
const (
	minuteShare = 0.985 // of the minute's budget, evenly
	burstShare  = 0.005 // of the minute's budget, at once
	secondShare = 0.975 // of the second's budget, evenly, where it is the tighter one
)

// pace gives calls a second and how many may come at once, for a part of the quota: in any 60 s at most PerMinute, in
// any second at most PerSecond, as burst + rate × window stays below each.
func (q Quota) pace(part float64) (perSecond float64, burst int) {
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
func NewPacer(quotas map[string]Quota) *Pacer {
	p := &Pacer{owned: 1, total: 1, buckets: make(map[string]*bucket, len(quotas))}
	for api, q := range quotas {
		perSecond, burst := q.pace(1)
		p.buckets[api] = &bucket{
			quota: q, part: 1, limiter: rate.NewLimiter(rate.Limit(perSecond), burst),
			turn: make(chan struct{}, 1), changed: make(chan struct{}),
		}
	}
	return p
}

// SetShare gives this process owned of total parts of each quota, from now on and for calls that wait already. With 0
// owned no call is let through.
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
		b.setPart(float64(owned) / float64(total))
	}
}

// Pause lets no call of api through for d, and a little longer by chance, so that several processes do not go on at one
// instant. A longer pause in force stays.
func (p *Pacer) Pause(api string, d time.Duration) {
	if b := p.buckets[api]; b != nil && d > 0 {
		b.pause(d + rand.N(d/10+time.Millisecond))
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
	Quota  Quota   // the app's
	Share  float64 // this process's part of it, 0 to 1
	Recent int     // calls let through in the last 60 s
	// Calls and Pauses count calls let through and pauses begun, since the start.
	Calls, Pauses int64
	Waiting       int       // calls that wait now
	PausedUntil   time.Time // zero: not paused
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

// Pace makes each call of call wait for its API's budget in p. An error of ctx while waiting is returned as it is.
func Pace(call Call, p *Pacer) Call {
	return func(ctx context.Context, r Request) (*Response, error) {
		if err := p.Wait(ctx, r.API); err != nil {
			return nil, err
		}
		return call(ctx, r)
	}
}

// bucket is the budget of one API.
type bucket struct {
	quota Quota
	// turn is held by the one call that looks at the budget; the others queue for it, first come, first served. So a
	// pause or another share holds for everyone who waits: nothing was handed out in advance.
	turn chan struct{}

	mu      sync.Mutex
	limiter *rate.Limiter
	part    float64
	until   time.Time     // of the pause
	changed chan struct{} // closed when part or until changes
	waiting int
	calls   int64
	pauses  int64
	recent  recent
}

func (b *bucket) setPart(part float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.part = part
	if perSecond, burst := b.quota.pace(part); part > 0 {
		b.limiter.SetLimitAt(now, rate.Limit(perSecond))
		b.limiter.SetBurstAt(now, burst)
	}
	b.wake()
}

func (b *bucket) pause(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !now.Before(b.until) {
		b.pauses++
	}
	if until := now.Add(d); until.After(b.until) {
		b.until = until
		b.wake()
	}
}

// wake makes the call that waits look again; b.mu is held.
func (b *bucket) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bucket) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	b.waiting++
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.waiting--
		b.mu.Unlock()
	}()
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-b.turn }()
	for {
		wait, changed := b.try()
		if changed == nil {
			return nil
		}
		if err := rest(ctx, wait, changed); err != nil {
			return err
		}
	}
}

// try lets one call through, and changed is nil, or tells how long to wait: at most until changed is closed, and for
// that alone where wait is 0.
func (b *bucket) try() (wait time.Duration, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.part == 0 {
		return 0, b.changed
	}
	if pause := b.until.Sub(now); pause > 0 {
		return pause, b.changed
	}
	r := b.limiter.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return d, b.changed
	}
	b.calls++
	b.recent.add(now)
	return 0, nil
}

// rest returns nil after d (never, where d is 0) or when woken, else ctx's error.
func rest(ctx context.Context, d time.Duration, woken <-chan struct{}) error {
	var due <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
	case <-woken:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (b *bucket) snapshot(api string) Budget {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	s := Budget{
		API: api, Quota: b.quota, Share: b.part, Recent: b.recent.sum(now), Calls: b.calls, Pauses: b.pauses, Waiting: b.waiting,
	}
	if now.Before(b.until) {
		s.PausedUntil = b.until
	}
	return s
}

// recent counts calls of the last minute by second.
type recent struct {
	seconds [60]int64 // the Unix second that the count beside it is of
	counts  [60]int
}

func (r *recent) add(now time.Time) {
	s := now.Unix()
	i := s % 60
	if r.seconds[i] != s {
		r.seconds[i], r.counts[i] = s, 0
	}
	r.counts[i]++
}

func (r *recent) sum(now time.Time) int {
	n := 0
	for i, s := range r.seconds {
		if s > now.Unix()-60 {
			n += r.counts[i]
		}
	}
	return n
}
