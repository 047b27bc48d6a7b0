package api

import (
	"context"
	"math"
	"sync"
	"time"

	"chatlake/connectors"

	"golang.org/x/time/rate"
)

// bucket is the budget of one API.
type bucket struct {
	quota connectors.Quota
	// turn is held by the one call that looks at the budget; the others queue for it, first come, first served. So a
	// pause or another share holds for everyone who waits: nothing was handed out in advance.
	turn chan struct{}

	mu        sync.Mutex
	limiter   *rate.Limiter
	part      elastic
	until     time.Time     // of the pause
	changed   chan struct{} // closed when part or until changes
	waiting   int
	calls     int64
	throttled int64
	pauses    int64
	recent    recent
}

func newBucket(q connectors.Quota) *bucket {
	perSecond, burst := evenly(q, 1)
	return &bucket{
		quota: q, part: newElastic(q), limiter: rate.NewLimiter(rate.Limit(perSecond), burst),
		turn: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

func (b *bucket) setShare(share float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.part.set(share, now)
	b.follow(now)
	b.wake()
}

// follow paces by the part as it is now; b.mu is held.
func (b *bucket) follow(now time.Time) {
	if perSecond, burst := evenly(b.quota, b.part.part); b.part.part > 0 {
		b.limiter.SetLimitAt(now, rate.Limit(perSecond))
		b.limiter.SetBurstAt(now, burst)
	}
}

// refused notes that a call sent at a time was throttled.
func (b *bucket) refused(sent time.Time, reset time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.throttled++
	now := time.Now()
	if b.part.throttled(sent, now, reset, &b.recent) {
		b.follow(now)
		b.wake()
	}
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
		b.part.pause(until)
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
	if b.part.part == 0 {
		return 0, b.changed
	}
	if pause := b.until.Sub(now); pause > 0 {
		return pause, b.changed
	}
	if full := b.part.full(now, &b.recent); full > 0 {
		return full, b.changed
	}
	r := b.limiter.ReserveN(now, 1)
	if d := r.DelayFrom(now); d > 0 {
		r.CancelAt(now)
		return d, b.changed
	}
	b.calls++
	b.recent.add(now)
	if b.part.let(now) {
		b.follow(now)
	}
	return 0, nil
}

// Rest returns nil after d, else ctx's error.
func Rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	return rest(ctx, d, nil)
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
		API: api, Quota: b.quota, Share: b.part.floor, Part: b.part.part, Recent: int(math.Round(b.recent.within(now, time.Minute))),
		Calls: b.calls, Throttled: b.throttled, Pauses: b.pauses, Waiting: b.waiting,
	}
	s.Pace = 6 * b.recent.within(now, 10*time.Second)
	if perSecond, _ := evenly(b.quota, b.part.part); b.waiting > 0 {
		s.Pace = 60 * perSecond
	}
	if now.Before(b.until) {
		s.PausedUntil = b.until
	}
	return s
}
