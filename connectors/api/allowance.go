package api

import (
	"container/list"
	"context"
	"errors"
	"sync"
)

// MaxPageBytes is the most that the bodies of one page take together with those of its openings and expansions, in bytes.
// What goes beyond it is given up as CodeTooLarge.
const MaxPageBytes = 64 << 20

// Errors of Allowance.Take.
var (
	ErrPageFull = errors.New("the page's bodies are longer than MaxPageBytes")
	ErrNoRoom   = errors.New("the bodies of other pages fill the process's room for them")
)

// Room bounds the bytes of all response bodies that a process holds at once, from the read until the page is committed or
// dropped. It may be used by several goroutines.
type Room struct {
	size int

	mu      sync.Mutex
	used    int
	pages   list.List     // *Allowance, the oldest first
	changed chan struct{} // closed when bytes or a place at the front become free
}

// NewRoom gives room for size bytes.
func NewRoom(size int) *Room { return &Room{size: size, changed: make(chan struct{})} }

// Page begins a page, which takes its bytes through the Allowance until Release. While the room is full, pages wait, but for
// the oldest: it always goes on, so pages never wait for each other in a circle, and the room is passed by one page at most.
func (r *Room) Page() *Allowance {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &Allowance{room: r}
	a.at = r.pages.PushBack(a)
	return a
}

// Used is how many bytes are taken at present.
func (r *Room) Used() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// wake makes all who wait look again; r.mu is held.
func (r *Room) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Allowance is what the bodies of one page take of a Room, at most MaxPageBytes. A nil Allowance bounds nothing.
type Allowance struct {
	room *Room
	at   *list.Element // nil once released
	used int           // guarded by room.mu
}

// Take returns nil when the page may hold n bytes more; ErrPageFull where it may not at all; ErrNoRoom where other pages
// leave no room until ctx ends.
func (a *Allowance) Take(ctx context.Context, n int) error {
	if a == nil {
		return nil
	}
	for {
		wait, err := a.try(n)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ErrNoRoom
		}
	}
}

// try takes n bytes, or gives what to wait for.
func (a *Allowance) try(n int) (wait <-chan struct{}, err error) {
	r := a.room
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case a.used+n > MaxPageBytes:
		return nil, ErrPageFull
	case a.at == nil: // released: who still reads holds nothing for long
		return nil, nil
	case r.used+n > r.size && r.pages.Front() != a.at:
		return r.changed, nil
	}
	a.used += n
	r.used += n
	return nil, nil
}

// Give returns n bytes that were taken and are no longer held.
func (a *Allowance) Give(n int) {
	if a == nil {
		return
	}
	a.room.mu.Lock()
	defer a.room.mu.Unlock()
	n = min(n, a.used)
	a.used -= n
	a.room.used -= n
	a.room.wake()
}

// Release ends the page: all that it took is free. Releasing twice is harmless.
func (a *Allowance) Release() {
	if a == nil {
		return
	}
	r := a.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if a.at == nil {
		return
	}
	r.pages.Remove(a.at)
	r.used -= a.used
	a.at, a.used = nil, 0
	r.wake()
}

type allowanceKey struct{}

// WithAllowance makes Exchange take the bodies that it reads under the context from a.
func WithAllowance(ctx context.Context, a *Allowance) context.Context {
	return context.WithValue(ctx, allowanceKey{}, a)
}

// AllowanceOf gives the context's allowance, nil where it has none.
func AllowanceOf(ctx context.Context) *Allowance {
	a, _ := ctx.Value(allowanceKey{}).(*Allowance)
	return a
}
