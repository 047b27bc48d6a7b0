package extract

import (
	"slices"
	"sync"

	"chatlake/schemas"
)

// lane is an API that pages of containers come from: what is slow or out in one does not hold up another.
type lane struct {
	platform *platform
	api      string // ce_type
}

// kinds are all kinds of container.
var kinds = [...]string{schemas.KindChat, schemas.KindThread, schemas.KindMessage, schemas.KindConversation, schemas.KindMessages}

// lanesOf gives the lanes of a platform.
func lanesOf(p *platform) (lanes []lane) {
	for _, kind := range kinds {
		api := schemas.PageType(p.name, kind)
		if !slices.ContainsFunc(lanes, func(l lane) bool { return l.api == api }) {
			lanes = append(lanes, lane{p, api})
		}
	}
	return lanes
}

// laneOf gives the index of a container's lane, -1 where its platform is off.
func (e *Extractor) laneOf(c *schemas.Container) int {
	p := e.platforms[c.Platform]
	if p == nil || p.TenantID != c.TenantID {
		return -1
	}
	api := schemas.PageType(c.Platform, c.Kind)
	return slices.IndexFunc(e.lanes, func(l lane) bool { return l.platform == p && l.api == api })
}

// places are where pages are read: Workers in all, over all partitions. Half of them are shared out to the lanes, and kept
// free for them; the others are taken by whoever has work. A place is given for one page, to the sessions of a lane in turn.
type places struct {
	mu    sync.Mutex
	total int
	used  int
	share int // kept free for each lane
	lanes []use
}

// use is what one lane has of the places.
type use struct {
	used    int        // given to a session included
	waiting []*session // in the order in which they came
	given   map[*session]int
}

func newPlaces(total, lanes int) *places {
	p := &places{total: total, lanes: make([]use, lanes)}
	if lanes > 1 {
		p.share = total / (2 * lanes)
	}
	for i := range p.lanes {
		p.lanes[i].given = map[*session]int{}
	}
	return p
}

// take gives a session a place in a lane, or reports false and wakes it once one is its own.
func (p *places) take(lane int, s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &p.lanes[lane]
	if l.given[s] == 0 {
		if slices.Contains(l.waiting, s) {
			return false
		}
		l.waiting = append(l.waiting, s)
		p.give(s)
	}
	if l.given[s] == 0 {
		return false
	}
	l.drop(s)
	return true
}

func (l *use) drop(s *session) {
	if l.given[s]--; l.given[s] == 0 {
		delete(l.given, s)
	}
}

// release ends the use of a place.
func (p *places) release(lane int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lanes[lane].used--
	p.used--
	p.give(nil)
}

// withdraw says that a session has nothing for a lane at present.
func (p *places) withdraw(lane int, s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &p.lanes[lane]
	l.waiting = slices.DeleteFunc(l.waiting, func(w *session) bool { return w == s })
	n := l.given[s]
	if n == 0 {
		return
	}
	delete(l.given, s)
	l.used -= n
	p.used -= n
	p.give(s)
}

// give hands free places to those who wait; asking, who looks anyway, need not be woken. p.mu is held.
func (p *places) give(asking *session) {
	for {
		next := p.next()
		if next == nil {
			return
		}
		s := next.waiting[0]
		next.waiting = next.waiting[1:]
		next.used++
		p.used++
		next.given[s]++
		if s != asking {
			s.nudge()
		}
	}
}

// next is the lane that gets the next free place: of those where somebody waits the one with the fewest.
func (p *places) next() (next *use) {
	spare := p.total - p.used // that nothing is kept free of
	for i := range p.lanes {
		spare -= max(0, p.share-p.lanes[i].used)
	}
	for i := range p.lanes {
		l := &p.lanes[i]
		if len(l.waiting) == 0 || p.used >= p.total || spare <= 0 && l.used >= p.share {
			continue
		}
		if next == nil || l.used < next.used {
			next = l
		}
	}
	return next
}
