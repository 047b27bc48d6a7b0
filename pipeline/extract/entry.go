package extract

import (
	"container/heap"
	"context"
	"time"

	"chatlake/schemas"
)

// entry is what a session knows of a container. One that has ended costs only this.
type entry struct {
	epoch               int64 // of the container in force, 0: none was read
	scratch             int64 // the highest epoch that does not resume one, 0: none was read
	read                int64 // epoch of its checkpoint, 0: none was read
	pages, items, calls int64 // of its checkpoint
	failure             *Failure
	stopped             *stop // nil: its checkpoint is not one of a container that ended on its way
	live                *live // nil: nothing is to be done for it
	state               state
	lane                int8 // -1: its platform is off
	cancelled           bool // the epoch in force
}

// stop is where a container that failed or was cancelled came to.
type stop struct {
	cursor    string
	watermark *schemas.Millis
}

// resumes reports whether the epoch in force starts where an earlier one came to. Of one epoch it is enough that one record
// does not resume, whatever their order.
func (e *entry) resumes() bool { return e.epoch > e.scratch }

// start gives the checkpoint that the epoch in force begins with. It resumes what was read in its own name, or in that of an
// epoch that it resumes through others: behind one that was to read everything and never began there is nothing to resume.
func (e *entry) start(c *schemas.Container) schemas.Checkpoint {
	cp := schemas.Checkpoint{ContainerKey: c.Key, Epoch: c.Epoch}
	if !e.resumes() || e.read < e.scratch {
		return cp
	}
	switch {
	case e.stopped != nil:
		cp.Cursor, cp.Watermark = &e.stopped.cursor, e.stopped.watermark
	case e.live.checkpoint != nil && e.state == stateGoing && e.live.checkpoint.Cursor != nil:
		cp.Cursor, cp.Watermark = e.live.checkpoint.Cursor, e.live.checkpoint.Watermark
	}
	return cp
}

// state is that of a checkpoint.
type state uint8

const (
	stateNone state = iota
	stateGoing
	stateComplete
	stateFailed
	stateCancelled
)

var states = map[string]state{
	schemas.StateComplete: stateComplete, schemas.StateFailed: stateFailed, schemas.StateCancelled: stateCancelled,
}

// runnable reports whether a container is still to be read or to be ended.
func (e *entry) runnable() bool {
	return e.epoch > 0 && e.lane >= 0 && (e.read < e.epoch || e.state == stateGoing)
}

// check takes a checkpoint in.
func (e *entry) check(key schemas.ContainerKey, cp *schemas.Checkpoint) {
	e.read, e.pages, e.items, e.calls = cp.Epoch, cp.Pages, cp.Items, cp.Calls
	e.state, e.failure, e.stopped = states[cp.State], nil, nil
	if e.state == stateNone {
		e.state = stateGoing
	}
	if e.state == stateFailed {
		e.failure = &Failure{string(key), deref(cp.ErrorCode), deref(cp.ErrorMessage)}
	}
	if cp.Cursor != nil && (e.state == stateFailed || e.state == stateCancelled) {
		e.stopped = &stop{*cp.Cursor, cp.Watermark}
	}
	switch {
	case e.live != nil:
		e.live.checkpoint = cp
	case e.state == stateGoing:
		e.live = &live{key: key, checkpoint: cp}
	}
}

// live is a container for which something is to be done.
type live struct {
	key        schemas.ContainerKey
	container  *schemas.Container  // nil: only a checkpoint was read
	checkpoint *schemas.Checkpoint // nil: none
	where      where
	stop       context.CancelCauseFunc // of its task
	changed    bool                    // its task was stopped because of a record of the topic of containers

	memory any   // of the source, from page to page
	limit  int   // of the messages of a page, 0: none
	left   int   // messages until the limit no longer holds
	calls  int64 // of pages that were dropped and are asked for again
	same   int   // pages in a row that led back to themselves

	tries  int       // failures in a row
	alone  bool      // that it waits was logged
	failed time.Time // when it failed last
	scope  string    // what failed then
	until  time.Time // when its pause ends
	index  int       // among those that pause
	hold   *hold
}

// where a container is.
type where uint8

const (
	nowhere where = iota
	queued        // to be read
	closing       // to be ended without a call
	running       // being read, or ended
	paused        // until a time
	gated         // until a scope of its platform answers
	held          // refused, its page not yet committed
	wheres        // how many there are
)

// pauses are the containers that wait for a time, the first to end on top.
type pauses []*live

func (p pauses) Len() int           { return len(p) }
func (p pauses) Less(i, j int) bool { return p[i].until.Before(p[j].until) }
func (p pauses) Swap(i, j int)      { p[i], p[j] = p[j], p[i]; p[i].index, p[j].index = i, j }

// Push is for package heap.
func (p *pauses) Push(x any) {
	l := x.(*live)
	l.index = len(*p)
	*p = append(*p, l)
}

// Pop is for package heap.
func (p *pauses) Pop() any {
	last := len(*p) - 1
	l := (*p)[last]
	(*p)[last] = nil
	*p = (*p)[:last]
	return l
}

func (p *pauses) add(l *live)    { heap.Push(p, l) }
func (p *pauses) remove(l *live) { heap.Remove(p, l.index) }

// queue is first in, first out. What was taken out elsewhere is passed over.
type queue struct{ items []*live }

func (q *queue) push(l *live) { q.items = append(q.items, l) }

// peek gives the first that is still queued, nil where there is none.
func (q *queue) peek() *live {
	for len(q.items) > 0 && q.items[0].where != queued {
		q.drop()
	}
	if len(q.items) == 0 {
		q.items = nil
		return nil
	}
	return q.items[0]
}

func (q *queue) drop() {
	q.items[0] = nil
	q.items = q.items[1:]
}

// pop is peek and takes it out.
func (q *queue) pop() *live {
	l := q.peek()
	if l != nil {
		q.drop()
	}
	return l
}

// work is what waits for places of one lane.
type work struct {
	due, begun, fresh queue
	turn              int
}

// freshEvery is how often a container that was never begun goes first: one page in four.
const freshEvery = 4

// push queues a container.
func (w *work) push(l *live, due bool) {
	switch {
	case due:
		w.due.push(l)
	case l.checkpoint != nil && l.container != nil && l.checkpoint.Epoch >= l.container.Epoch:
		w.begun.push(l)
	default:
		w.fresh.push(l)
	}
}

// pop gives the next container: first what is due after a pause, then begun ones and those never begun in turn, each in the
// order in which they came.
func (w *work) pop() *live {
	l := w.due.pop()
	if l == nil {
		first, second := &w.begun, &w.fresh
		if w.turn++; w.turn%freshEvery == 0 {
			first, second = second, first
		}
		if l = first.pop(); l == nil {
			l = second.pop()
		}
	}
	return l
}

// empty reports whether nothing waits.
func (w *work) empty() bool {
	return w.due.peek() == nil && w.begun.peek() == nil && w.fresh.peek() == nil
}
