package overview

import (
	"math"

	"chatlake/schemas"
)

// left is what reading the rest of some containers is expected to take, in calls of their list or batch API and in calls of others,
// such as those that expand merged forwards.
type left struct{ listed, others float64 }

// eta is how many seconds reading the rest will take at a pace, in calls a minute of the API with the most: 0 where nothing is left,
// nil where it is not known.
func eta(rows []*Row, pace float64) *int64 {
	c := newCensus(rows)
	if c.open == 0 {
		return new(int64)
	}
	if pace <= 0 {
		return nil
	}
	l, ok := c.left()
	if !ok {
		return nil
	}
	// Each API has a quota of its own, and the one that has the most to do decides. The others could go as fast.
	seconds := max(1, int64(math.Round(max(l.listed, l.others)*60/pace)))
	return &seconds
}

// census counts the containers of one platform and tenant, by kind.
type census struct {
	kinds map[string]*group
	open  int // containers that are not at their end
	// by conversation, for the threads that are still to be found
	conversations map[string]*conversation
}

// group is the containers of one kind.
type group struct {
	lengths lengths
	open    []int64 // pages read of each that has not ended
	pages   int64
	calls   int64
}

// conversation is what one conversation has shown.
type conversation struct {
	pages, threads float64
	open           []int64 // pages read of its own containers that have not ended
}

func newCensus(rows []*Row) *census {
	c := &census{kinds: map[string]*group{}, conversations: map[string]*conversation{}}
	for _, r := range rows {
		if r.State == StateFollowing || r.State == schemas.StateCancelled {
			continue
		}
		c.add(r)
	}
	return c
}

func (c *census) add(r *Row) {
	g := c.kinds[r.Kind]
	if g == nil {
		g = &group{}
		c.kinds[r.Kind] = g
	}
	g.lengths.add(r.Pages, r.Ended())
	g.pages, g.calls = g.pages+r.Pages, g.calls+r.Calls
	t := c.conversations[r.ConversationID]
	if t == nil {
		t = &conversation{}
		c.conversations[r.ConversationID] = t
	}
	switch {
	case r.Kind == schemas.KindThread:
		t.threads++
	case isWhole(r.Kind):
		t.pages += float64(r.Pages)
	}
	if !r.Ended() {
		c.open++
		g.open = append(g.open, r.Pages)
		if isWhole(r.Kind) {
			t.open = append(t.open, r.Pages)
		}
	}
}

// left adds up what is open and what it is expected to show. It reports false where no conversation has been begun.
func (c *census) left() (l left, ok bool) {
	for kind, g := range c.kinds {
		pages := 0.0
		for _, n := range g.open {
			rest, known := g.lengths.after(n)
			if !known && isWhole(kind) {
				return l, false
			}
			pages += max(1, rest) // threads and look-ups mostly have one page
		}
		if kind == schemas.KindMessage || kind == schemas.KindMessages {
			l.others += pages
			continue
		}
		if kind == schemas.KindThread {
			pages += c.unseen() * g.lengths.mean()
		}
		l.listed += pages
		if g.pages > 0 {
			l.others += pages * max(0, float64(g.calls-g.pages)) / float64(g.pages)
		}
	}
	return l, true
}

// unseen is how many threads are still to be found: as many a page as conversations have shown that have ended, and, as far as
// few have ended, as those that are open have.
func (c *census) unseen() float64 {
	var done, all conversation
	for _, t := range c.conversations {
		all.pages, all.threads = all.pages+t.pages, all.threads+t.threads
		if len(t.open) == 0 {
			done.pages, done.threads = done.pages+t.pages, done.threads+t.threads
		}
	}
	if all.pages == 0 {
		return 0
	}
	weight := done.pages / all.pages
	n := 0.0
	for _, t := range c.conversations {
		rest := 0.0
		for _, p := range t.open {
			r, _ := c.whole().after(p)
			rest += r
		}
		n += (1 - weight) * rest * all.threads / all.pages
		if done.pages > 0 && len(t.open) > 0 {
			n += weight * max(0, (t.pages+rest)*done.threads/done.pages-t.threads)
		}
	}
	return n
}

// whole are the lengths of whole conversations.
func (c *census) whole() *lengths {
	for kind, g := range c.kinds {
		if isWhole(kind) {
			return &g.lengths
		}
	}
	return &lengths{}
}

// isWhole reports whether containers of a kind are whole conversations. A platform has one such kind.
func isWhole(kind string) bool { return kind == schemas.KindChat || kind == schemas.KindConversation }
