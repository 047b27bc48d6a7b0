package kafka

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// pulse is one loop of ours that must turn: it beats whenever it has come round, and while it waits for a broker.
type pulse struct {
	what string
	at   atomic.Int64 // unix nanoseconds of the last beat
}

func (p *pulse) beat() {
	if p != nil {
		p.at.Store(time.Now().UnixNano())
	}
}

// pulses are the loops that run now. The lock is held for a look at the map only, never while a loop does anything.
type pulses struct {
	mu  sync.Mutex
	all map[*pulse]struct{}
}

// start registers a loop; stop takes it out again.
func (p *pulses) start(what string) (*pulse, func()) {
	one := &pulse{what: what}
	one.beat()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = make(map[*pulse]struct{})
	}
	p.all[one] = struct{}{}
	return one, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.all, one)
	}
}

// stuck gives the loop that has not turned for longest, where that is limit or more.
func (p *pulses) stuck(now time.Time, limit time.Duration) (what string, stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var late []*pulse
	for one := range p.all {
		if now.Sub(time.Unix(0, one.at.Load())) >= limit {
			late = append(late, one)
		}
	}
	if len(late) == 0 {
		return "", false
	}
	return slices.MinFunc(late, func(a, b *pulse) int {
		return cmp.Or(cmp.Compare(a.at.Load(), b.at.Load()), cmp.Compare(a.what, b.what))
	}).what, true
}

// Stuck names a loop of this client (membership of a group, session of a partition) that has not turned for limit.
// Waiting for a broker is turning, and so is a stage that beats. It never waits for a loop.
func (c *Client) Stuck(limit time.Duration) (what string, stuck bool) {
	return c.pulses.stuck(time.Now(), limit)
}

type pulseKey struct{}

// withPulse lets every wait for a broker under the ctx beat for a loop.
func withPulse(ctx context.Context, p *pulse) context.Context {
	return context.WithValue(ctx, pulseKey{}, p)
}

// pulseOf is the loop that ctx belongs to, nil where there is none.
func pulseOf(ctx context.Context) *pulse {
	p, _ := ctx.Value(pulseKey{}).(*pulse)
	return p
}

// turn beats for the loop that ctx belongs to, if any.
func turn(ctx context.Context) { pulseOf(ctx).beat() }
