package kafka

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// usualBudget is what the batches of all readers of a client may hold together.
	usualBudget = 128 << 20
	leastFetch  = 256 << 10 // so much is asked for however many readers there are
)

// budget is the memory that the readers of a client share: a quarter for answers on their way, the rest for what has
// been decompressed and is held. A reader holds its last batch until its next Read, or until its partition's session ends.
//
// No reader starves, and none can block another for good: where nothing is held, or after a wait, one batch of any size
// goes through.
type budget struct {
	size     int64
	patience time.Duration // how long a reader waits for the others to give something back

	mu      sync.Mutex
	held    int64
	holders map[*holding]struct{}
	reading int           // readers within a Read
	freed   chan struct{} // closed when something is given back
}

// holding is what one reader holds.
type holding struct {
	budget *budget
	owner  *Partition // nil: of no session
	bytes  atomic.Int64
}

// enter counts a reader in, and gives how much it may ask a broker for.
func (b *budget) enter() (most int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading++
	return int(max(b.size/4/int64(b.reading), leastFetch))
}

func (b *budget) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading--
}

// room is how much of what is decompressed may be held.
func (b *budget) room() int64 { return b.size - b.size/4 }

// take adds n bytes to a holding, unless that would go beyond its share or what is free. Each that holds something has an
// equal share, and one is left over for who comes next.
func (b *budget) take(h *holding, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	others := int64(len(b.holders))
	if _, ok := b.holders[h]; !ok {
		others++
	}
	if b.held+n > b.room() || h.bytes.Load()+n > b.room()/(others+1) {
		return false
	}
	b.add(h, n)
	return true
}

// takeFirst adds n bytes whatever they are, but lets others give back first.
func (b *budget) takeFirst(ctx context.Context, h *holding, n int64) {
	timer := time.NewTimer(b.patience)
	defer timer.Stop()
	for late := false; ; {
		b.mu.Lock()
		if late || b.held == h.bytes.Load() || b.held+n <= b.room() {
			b.add(h, n)
			b.mu.Unlock()
			return
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-timer.C:
			late = true
		case <-ctx.Done():
			late = true // the caller sees it by itself
		}
	}
}

// add changes a holding. mu is held.
func (b *budget) add(h *holding, n int64) {
	b.held += n
	if h.bytes.Add(n) > 0 {
		if b.holders == nil {
			b.holders = make(map[*holding]struct{})
		}
		b.holders[h] = struct{}{}
	}
}

// adjust corrects an estimate.
func (b *budget) adjust(h *holding, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(h, n)
	if n < 0 {
		b.wake()
	}
}

func (h *holding) release() {
	b := h.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(h)
}

// drop gives back what a holding has. mu is held.
func (b *budget) drop(h *holding) {
	n := h.bytes.Swap(0)
	b.held -= n
	delete(b.holders, h)
	if n != 0 {
		b.wake()
	}
}

func (b *budget) wake() {
	close(b.freed)
	b.freed = make(chan struct{})
}

// end gives back what the readers of a session hold.
func (b *budget) end(owner *Partition) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for h := range b.holders {
		if h.owner == owner {
			b.drop(h)
		}
	}
}

// share is what the decoding of one answer takes its memory from.
type share struct {
	ctx     context.Context //nolint:containedctx // of one fetch, with which it ends
	hold    *holding
	batches int // that were given memory
}

// take asks for the memory of one more batch. The first is always given.
func (s *share) take(n int) bool {
	if s == nil {
		return true
	}
	if s.batches > 0 && !s.hold.budget.take(s.hold, int64(n)) {
		return false
	}
	if s.batches == 0 {
		s.hold.budget.takeFirst(s.ctx, s.hold, int64(n))
	}
	s.batches++
	return true
}

// settle corrects the estimate of the batch that was given memory last: it turned out to take actual bytes. False: there is no
// room for that much beside what others hold, nothing is held for it, and it has to be read again. The first always has room.
func (s *share) settle(estimate, actual int) bool {
	if s == nil {
		return true
	}
	b, n := s.hold.budget, int64(actual-estimate)
	switch {
	case n <= 0:
		b.adjust(s.hold, n)
	case s.batches == 1:
		b.takeFirst(s.ctx, s.hold, n)
	case !b.take(s.hold, n):
		b.adjust(s.hold, -int64(estimate))
		return false
	}
	return true
}
