package plan

import (
	"context"

	"chatlake/schemas"
)

// probe looks between the ends of histories whose messages have no numbers, in turns, for as long as calls are left.
func (s *sampling) probe(ctx context.Context) error {
	var open []*history
	for i := range s.histories {
		if !s.histories[i].exact {
			open = append(open, &s.histories[i])
		}
	}
	for _, h := range open {
		if s.left <= 0 {
			break
		}
		c := h.container
		p, err := s.page(ctx, c, deref(c.WindowStart), h.newest.first, false)
		if err != nil {
			return err
		}
		if p != nil {
			h.oldest = *p
		}
	}
	for round := 0; s.left > 0 && len(open) > 0 && round < 64; round++ {
		for _, h := range open {
			if s.left <= 0 {
				break
			}
			if err := s.probeAt(ctx, h, round); err != nil {
				return err
			}
		}
	}
	for _, h := range open {
		h.messages = h.estimate(s.Sampler.PageSize())
	}
	return nil
}

// probeAt takes a page from a point between the ends: the middle, then quarters, eighths and so on.
func (s *sampling) probeAt(ctx context.Context, h *history, round int) error {
	from, to := h.oldest.last, h.newest.first
	if h.oldest.items < s.Sampler.PageSize() || to <= from {
		return nil // the ends meet
	}
	part, step := 0.0, 0.5
	for n := round + 1; n > 0; n >>= 1 {
		if n&1 != 0 {
			part += step
		}
		step /= 2
	}
	at := from + schemas.Millis(part*float64(to-from))
	p, err := s.page(ctx, h.container, at, to, false)
	if p == nil || err != nil {
		return err
	}
	if span := float64(p.last - at); p.items > 0 && span > 0 {
		h.probes = append(h.probes, float64(p.items)/span)
	}
	return nil
}

// estimate is how many messages a history has: those at its ends, and between them as many as the time there holds at the
// density that the probes found. A point chosen evenly in time meets a quiet time as often as it is long, so their mean is right.
func (h *history) estimate(size int) float64 {
	n := float64(h.newest.items + h.oldest.items)
	gap := float64(h.newest.first - h.oldest.last)
	if h.oldest.items < size || gap <= 0 {
		return n
	}
	probes := h.probes
	if len(probes) == 0 {
		for _, p := range []*page{&h.newest, &h.oldest} {
			if span := float64(p.last - p.first); span > 0 {
				probes = append(probes, float64(p.items)/span)
			}
		}
	}
	if len(probes) == 0 {
		return n
	}
	sum := 0.0
	for _, d := range probes {
		sum += d
	}
	return n + gap*sum/float64(len(probes))
}

// meanMessages is the mean of the histories that were looked at; those that are refused have none.
func (s *sampling) meanMessages() float64 {
	sum := 0.0
	for i := range s.histories {
		sum += s.histories[i].messages
	}
	return sum / float64(max(1, len(s.histories)+s.refused))
}

// threadRate is how many threads a message of a history begins.
func (s *sampling) threadRate() float64 {
	if s.listed == 0 || !s.Threads {
		return 0
	}
	return float64(len(s.found)) / float64(s.listed)
}

// meanThread is how many messages a thread has.
func (s *sampling) meanThread() float64 {
	if len(s.threads) == 0 {
		return usualThread
	}
	sum := 0.0
	for _, n := range s.threads {
		sum += n
	}
	return sum / float64(len(s.threads))
}

// What is taken where no sample tells.
const (
	usualThread   = 8    // messages of a thread
	usualItem     = 900  // bytes of a message in a page
	usualMessage  = 700  // bytes of a message as it is published
	usualChildren = 10.0 // messages within a merged forward
)

func (s *sampling) forwardRate() float64 {
	if s.items == 0 {
		return 0
	}
	return float64(len(s.forwards)) / float64(s.items)
}

func (s *sampling) bytesOfItem() float64 {
	if s.items == 0 {
		return usualItem
	}
	return float64(s.itemBytes) / float64(s.items)
}

func (s *sampling) bytesOfForward() float64 {
	if s.expanded == 0 {
		return usualChildren * s.bytesOfItem()
	}
	return float64(s.expansion) / float64(s.expanded)
}

// childrenOfForward is how many messages a merged forward holds, as far as its length tells.
func (s *sampling) childrenOfForward() float64 {
	if s.expanded == 0 {
		return usualChildren
	}
	return max(0, s.bytesOfForward()/s.bytesOfItem()-1)
}

func (s *sampling) bytesOfMessage() float64 {
	if s.messages == 0 {
		return usualMessage
	}
	return float64(s.encoded) / float64(s.messages)
}
