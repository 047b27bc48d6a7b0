package api

import (
	"math/rand/v2"
	"time"

	"chatlake/connectors"
)

// How the part of a quota moves that one process paces out.
const (
	stepTime = 5 * time.Second // how long each level is kept on the way up
	stepUp   = 0.015           // of the whole quota, for each step
	// stepUsed is how much of its level a process must use in a step. Above, it could use more. Below, the level comes
	// down to what is used, so that nobody comes back from a rest with a part that others hold by then.
	stepUsed = 0.9
	// worthwhile is the least that is kept of a rise, and the least that is given up; less is chance.
	worthwhile = 0.008
	// disproof is how much less than before others must leave to show that they have risen too, beyond what is counted
	// imprecisely.
	disproof = 0.02
	// plenty is a gain that says that others are idle, so that the next rise may come as soon.
	plenty = 0.05
	// quietTime, or quietShared divided by the share squared where that is longer (more processes try more often, and each
	// try throttles more of them), is how long no rise begins after a share was set or a call was throttled, give or take
	// a half by chance so that processes take turns. It doubles with each throttling up to quietMost times.
	quietTime   = 90 * time.Second
	quietShared = 4 * time.Second
	quietMost   = 3
	// A throttling belongs to the one before where it comes within repeatTime, or repeatShared divided by the part where
	// that is longer (a call is as likely hit as it is made).
	repeatTime   = 75 * time.Second
	repeatShared = 25 * time.Second
)

// elastic is the part of one API's quota that a process paces out, between its share of the partitions and the whole.
//
// Processes know nothing of each other, so the share is a floor: all floors together are the quota, and who has work gets
// at least that. What others leave idle shows in throttlings that do not come. A process that uses up its part goes
// higher in even steps until one comes. It then knows more than that it was too much: the platform's window holds exactly
// the quota, and what of it are not the process's own calls, others made. So it goes at once to what they leave, or back
// where that is no gain, and stays for a while that doubles each time. While all are busy a rise costs a few throttled
// calls and no use of the quota, which was full when they came.
//
// A throttling that hits a process which is not rising is most often the end of another one's rise, and giving way would
// leave quota idle. So the first changes nothing; only if it repeats has work come back elsewhere, and the part goes
// down to what others leave by then.
type elastic struct {
	window      time.Duration // the platform's that is full first
	quota       float64       // calls in it, 0: no limit
	floor, part float64       // of the quota

	since  time.Time // when the present step began
	used   int       // calls let through in it
	rising bool
	base   float64   // the part that the rise began at
	held   float64   // the part before the present step
	next   time.Time // when a rise may begin
	quiet  time.Duration

	told    time.Time // of the last throttling
	repeats int       // throttlings that belong to the one before, in a row
	early   int       // the same, those with a long reset: a fixed window was full well before its end

	most      float64   // calls in any window, until mostUntil
	mostUntil time.Time // zero: no bound
}

func newElastic(q connectors.Quota) elastic {
	e := elastic{floor: 1, part: 1}
	if q.PerMinute > 0 {
		e.window, e.quota = time.Minute, float64(q.PerMinute)
	}
	if q.PerSecond > 0 && (e.quota == 0 || secondShare*float64(q.PerSecond) < minuteShare*e.quota/60) {
		e.window, e.quota = time.Second, float64(q.PerSecond)
	}
	return e
}

// paced is how much of the platform's quota all parts together are.
func (e *elastic) paced() float64 {
	if e.window == time.Minute {
		return minuteShare
	}
	return secondShare
}

// still says that there is no part to find.
func (e *elastic) still() bool { return e.quota == 0 || e.floor == 0 || e.floor == 1 }

// set begins anew with a share.
func (e *elastic) set(share float64, now time.Time) {
	e.floor, e.part, e.rising = share, share, false
	e.since, e.used = now, 0
	e.repeats, e.early, e.mostUntil = 0, 0, time.Time{}
	e.quiet = e.quietFirst()
	e.wait(now)
}

func (e *elastic) quietFirst() time.Duration {
	if e.floor == 0 {
		return quietTime
	}
	return max(quietTime, time.Duration(float64(quietShared)/(e.floor*e.floor)))
}

// wait puts the next rise off.
func (e *elastic) wait(now time.Time) { e.next = now.Add(e.quiet/2 + rand.N(e.quiet)) }

// pause says that nothing is let through until then, so that the step says nothing.
func (e *elastic) pause(until time.Time) { e.since, e.used = until, 0 }

// full tells how long nothing may be let through because the process has had its part of the window, 0 where it may.
func (e *elastic) full(now time.Time, r *recent) time.Duration {
	if !now.Before(e.mostUntil) || r.within(now, e.window) < e.most {
		return 0
	}
	return now.Truncate(time.Second).Add(time.Second).Sub(now)
}

// let notes a call that is let through and reports whether the part has changed.
func (e *elastic) let(now time.Time) bool {
	e.used++
	took := now.Sub(e.since)
	if took < stepTime || e.still() {
		return false
	}
	before, capped := e.part, e.since.Before(e.mostUntil)
	level := float64(e.used) / (e.paced() * e.quota * took.Seconds() / e.window.Seconds()) // the part that was used
	one := level / float64(e.used)                                                         // the same for one call
	e.since, e.used = now, 0
	switch {
	case capped: // less was let through than there is to do
	case level < stepUsed*e.part-one:
		e.part, e.rising = max(e.floor, min(e.part, level/stepUsed)), false
	case !now.Before(e.next):
		if !e.rising {
			e.rising, e.base = true, e.part
		}
		e.held, e.part = e.part, min(1, e.part+stepUp)
	}
	return e.part != before
}

// throttled notes that a call that was sent at a time was throttled, and reports whether the part has changed. reset is
// the wait that the platform told, 0: none. Calls sent before the last throttling was known say nothing new.
func (e *elastic) throttled(sent, now time.Time, reset time.Duration, r *recent) bool {
	if e.still() || sent.Before(e.told) {
		return false
	}
	e.recur(now, reset)
	before := e.part
	own, left := e.seen(now, reset, r)
	found := false
	switch {
	case e.rising:
		e.part = e.base
		if gain := e.gain(own, left); gain >= worthwhile {
			e.part = min(e.base+gain, before)
			e.repeats++ // the next one means this gain: others may just have paused
		}
		found = e.part >= e.base+plenty
	case e.early > 1, e.early == 0 && e.repeats > 1: // a fixed window tells but once, in a sliding one two may be by chance
		e.part = min(left, e.part-worthwhile)
	}
	if e.part < e.floor+worthwhile {
		e.part = e.floor
	}
	e.rising, e.held = false, e.part
	if e.part < before && e.window == time.Minute {
		// A sliding window keeps what the rise has put into it. So no more than now is sent within a window, without the
		// room that all leave together.
		e.most = max(e.part*e.paced()*e.quota, r.within(now, e.window)-(1-e.paced())*e.quota)
		e.mostUntil = now.Add(e.window)
	}
	e.wait(now)
	if !found {
		e.quiet = min(2*e.quiet, quietMost*e.quietFirst())
	}
	return e.part != before
}

// recur notes how a throttling belongs to the one before.
func (e *elastic) recur(now time.Time, reset time.Duration) {
	if now.Sub(e.told) < max(repeatTime, time.Duration(float64(repeatShared)/e.part)) {
		e.repeats++
	} else {
		e.repeats, e.early = 0, 0
	}
	if reset > time.Second {
		e.early++
	} else {
		e.early = 0
	}
	e.told = now
}

// gain is what a rise has found over the part that it began at, of what the window says.
func (e *elastic) gain(own, left float64) float64 {
	gain := left - e.base
	if gain > -disproof {
		return gain
	}
	// There was room for more before the rise, so others have gone up meanwhile: as far, for all that can be known.
	return (gain + own - e.base) / 2
}

// seen tells the part of the quota that this process used in the window that is full now, and the part that others left.
func (e *elastic) seen(now time.Time, reset time.Duration, r *recent) (own, left float64) {
	if e.window != time.Minute {
		return e.held, e.held // it was allowed for a step, which is longer than the window
	}
	// A fixed window began so long ago that it ends with the reset, and in a sliding one all calls are as young as that.
	// The platform rounds up to whole seconds, so that one second is the least it says.
	age := e.window
	if reset > time.Second && reset <= e.window {
		age += time.Second/2 - reset
	}
	whole := e.paced() * age.Seconds() / e.window.Seconds()
	own = r.within(now, age) / e.quota
	return own / whole, 1 - max(0, 1-own)/whole
}

// recent counts calls of the last minute by second.
type recent struct {
	seconds [64]int64 // the Unix second that the count beside it is of
	counts  [64]int
}

func (r *recent) add(now time.Time) {
	s := now.Unix()
	i := s % int64(len(r.seconds))
	if r.seconds[i] != s {
		r.seconds[i], r.counts[i] = s, 0
	}
	r.counts[i]++
}

// within is how many calls there were within the last d, at most 62 s; of the second that d ends in, a part.
func (r *recent) within(now time.Time, d time.Duration) float64 {
	from := now.Add(-d)
	first, n := from.Unix(), 0.0
	for i, s := range r.seconds {
		switch {
		case s == first:
			n += float64(r.counts[i]) * (1 - float64(from.Nanosecond())/1e9)
		case s > first:
			n += float64(r.counts[i])
		}
	}
	return n
}
