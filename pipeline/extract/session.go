package extract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sourcegraph/conc/pool"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// session is one ownership of one partition. Everything it knows comes from the topics: nothing outlives it.
type session struct {
	*Extractor
	log      pipeline.Log
	position atomic.Int64 // next offset of the topic of containers
	commits  chan *commit
	wake     chan struct{} // something changed for the dispatcher
	regate   atomic.Bool   // a gate was closed or opened

	mu         sync.Mutex
	all        map[schemas.ContainerKey]*entry
	off        int               // containers of a platform, app or tenant that is not on
	spellings  map[string]string // of conversation ids, see fold
	committing int               // readings that have asked, and are being committed
	counts     [wheres]int       // live containers by where they are
	present    []int             // by lane, those that are anywhere
	work       []work            // by lane
	closing    []*live
	pauses     pauses
	gates      map[gateOf]*queueOf
	verdicts   []verdict
	gone       bool       // the session has ended
	dead       []setAside // in the order of their offsets, not yet committed

	newest map[string]schemas.Millis // by platform, of all messages that checkpoints tell of; guarded by mu
}

// load folds the partition's containers and checkpoints up to all that stood there when it began, be it hidden by an open
// transaction or not.
func (e *Extractor) load(ctx context.Context, log pipeline.Log) (*session, error) {
	s := &session{
		Extractor: e, log: log, commits: make(chan *commit), wake: make(chan struct{}, 1),
		all: map[schemas.ContainerKey]*entry{}, spellings: map[string]string{}, newest: map[string]schemas.Millis{}, work: make([]work, len(e.lanes)), present: make([]int, len(e.lanes)), gates: map[gateOf]*queueOf{},
	}
	start, end, err := pipeline.Settled(ctx, log, e.Topics.Checkpoints, e.Logger)
	if err != nil {
		return nil, err
	}
	if err := s.checkpoints(ctx, start, end); err != nil {
		return nil, err
	}
	start, end, err = pipeline.Settled(ctx, log, e.Topics.Containers, e.Logger)
	if err != nil {
		return nil, err
	}
	err = pipeline.ReadBatches(ctx, log, pipeline.Span{Topic: e.Topics.Containers, From: start, To: end}, func(b *pipeline.Batch) error {
		return s.takeAll(ctx, b)
	})
	if err != nil {
		s.leave()
		return nil, err
	}
	if s.off > 0 {
		s.Logger.Warn("containers of a platform, app or tenant that is not on are not read", "partition", log.ID(), "containers", s.off)
	}
	s.position.Store(max(start, end))
	return s, nil
}

// checkpoints takes in the checkpoints of a span. Going on from an older one would read pages twice: where the newest of a
// container cannot be read, the session ends and says so.
func (s *session) checkpoints(ctx context.Context, start, end int64) error {
	unread := map[string]error{} // by key
	err := pipeline.ReadTo(ctx, s.log, pipeline.Span{Topic: s.Topics.Checkpoints, From: start, To: end}, func(r *schemas.Record) error {
		cp := new(schemas.Checkpoint)
		if err := s.decode(ctx, s.Check, r, cp); err != nil {
			if ctx.Err() != nil {
				return err
			}
			unread[r.Key] = fmt.Errorf("%s/%d offset %d (%s): %w", r.Topic, r.Partition, r.Offset, r.Key, err)
			return nil
		}
		delete(unread, cp.ContainerKey)
		s.check(cp)
		return nil
	})
	var damaged *pipeline.Unreadable
	if errors.As(err, &damaged) {
		return fmt.Errorf("checkpoints are damaged, and reading on without them could repeat pages; restore the partition from a replica or a backup: %w", err)
	}
	for _, why := range unread {
		err = errors.Join(err, fmt.Errorf("the newest checkpoint of a container cannot be read, and going on from an older one would repeat pages; "+
			"a registry that knows its schema, or a newer record of the key, mends it: %w", why))
	}
	return err
}

// check takes in a checkpoint that was read.
func (s *session) check(cp *schemas.Checkpoint) {
	e := s.entry(cp.ContainerKey)
	e.check(schemas.ContainerKey(cp.ContainerKey), cp)
	s.saw(cp)
	if e.live != nil && e.state != stateGoing {
		e.live = nil
	}
}

// entry gives what is known of a container, from now on at least that there is one.
func (s *session) entry(key string) *entry {
	e := s.all[schemas.ContainerKey(key)]
	if e == nil {
		e = &entry{lane: -1}
		// In memory of its own: a decoder may give a part of much more.
		s.all[schemas.ContainerKey(strings.Clone(key))] = e
	}
	return e
}

// fold takes a container record in and queues the container where something is to be done for it. mu is held.
//
// The first record of a key's highest epoch is in force. The epoch is cancelled once any record of it says so, and resumes an
// earlier one while all do (schemas.Fold says the same of whole records).
//
// A platform may spell a conversation in the name of one of its members, and want that spelling in calls; a look-up, whose
// container the normalizer writes, knows the canonical id alone. It is read in the spelling of the container that came first.
func (s *session) fold(record *schemas.Container) {
	c := record
	named := c.Kind == schemas.KindConversation || c.Kind == schemas.KindMessages
	if named && c.ID != c.ConversationID && s.spellings[c.ConversationID] == "" {
		s.spellings[strings.Clone(c.ConversationID)] = strings.Clone(c.ID)
	}
	e := s.entry(c.Key)
	resumed := e.resumes()
	if !c.Resume {
		e.scratch = max(e.scratch, c.Epoch)
	}
	switch {
	case c.Epoch > e.epoch:
		if e.epoch == 0 {
			if e.lane = int8(s.laneOf(c)); e.lane < 0 {
				s.off++
			}
		}
		e.epoch, e.cancelled = c.Epoch, c.Cancelled
	case c.Epoch == e.epoch && (c.Cancelled && !e.cancelled || resumed != e.resumes()):
		e.cancelled = e.cancelled || c.Cancelled
		c = nil // in all else the first record of the epoch is in force
	default:
		return
	}
	if !e.runnable() {
		return
	}
	key := schemas.ContainerKey(record.Key)
	if e.live == nil {
		e.live = &live{key: key}
	}
	if c != nil {
		own := *c
		e.live.container = &own
		e.live.memory, e.live.limit, e.live.left = nil, 0, 0
	} else if e.live.container != nil {
		e.live.container.Cancelled = e.cancelled
	}
	s.changed(e)
}

// changed queues a container where something is to be done for it; what runs for it is stopped first. mu is held.
func (s *session) changed(e *entry) {
	l := e.live
	if l.container == nil {
		return
	}
	switch l.where {
	case running:
		l.changed = true
		l.stop(errChanged) // the task's end queues it again
		return
	case paused:
		s.pauses.remove(l)
	case held:
		s.unhold(l)
	}
	s.ready(e, false)
	s.nudge()
}

// errChanged stops a task whose container was cancelled or asked for again.
var errChanged = errors.New("container changed")

// ready queues a container: for a place, or, where no call is needed, to be ended. mu is held.
func (s *session) ready(e *entry, due bool) {
	l := e.live
	switch {
	case e.closes():
		if l.where != closing {
			s.move(l, closing)
			s.closing = append(s.closing, l)
		}
	case l.where != queued:
		s.move(l, queued)
		s.work[e.lane].push(l, due)
	}
}

// closes reports whether an epoch is to be ended without a call: one that is cancelled, or an earlier one that was being read
// when another was asked for.
func (e *entry) closes() bool {
	l := e.live
	superseded := l.checkpoint != nil && l.checkpoint.Epoch < e.epoch && e.state == stateGoing
	return superseded || e.cancelled && e.epoch >= e.read || l.container.Mode != modeBackfill
}

const modeBackfill = "backfill"

// move notes where a container is now, in the counters, too. mu is held.
func (s *session) move(l *live, to where) {
	if l.where == to {
		return
	}
	s.count(to, 1, l)
	s.count(l.where, -1, l)
	if lane := s.all[l.key].lane; lane >= 0 {
		s.present[lane] += int(min(to, 1)) - int(min(l.where, 1))
	}
	l.where = to
}

func (s *session) count(w where, n int, l *live) {
	s.counts[w] += n
	gauge := s.stats.gauge(w)
	if gauge != nil {
		gauge.Add(int64(n))
	}
	if lane := s.all[l.key].lane; lane >= 0 && (w == queued || w == running) {
		s.Extractor.mu.Lock()
		defer s.Extractor.mu.Unlock()
		s.busy[lane] += n
	}
}

func (s *session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run reads containers until ctx ends, a task fails, or, with Once, all have ended (errAllEnded).
func (s *session) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	tasks := pool.New().WithContext(ctx).WithCancelOnError().WithFirstError()
	start := func(f func(context.Context) error) {
		tasks.Go(func(ctx context.Context) error {
			err := f(ctx)
			if err != nil {
				cancel(err)
			}
			return err
		})
	}
	stop := s.listen()
	defer stop()
	start(s.commitLoop)
	start(s.tail)
	err := s.dispatch(ctx, start)
	cancel(err)
	defer s.leave()
	if werr := tasks.Wait(); werr != nil && !errors.Is(err, errAllEnded) {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return werr
	}
	return err
}

// listen has the dispatcher look at the gates whenever one is closed or opened, until stop is called.
func (s *session) listen() (stop func()) {
	var stops []func()
	for _, name := range s.names {
		stops = append(stops, s.platforms[name].health.Listen(func() { s.regate.Store(true); s.nudge() }))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// leave takes what this session has, and what it counted as present, out of what all sessions share.
func (s *session) leave() {
	for lane := range s.lanes {
		s.places.withdraw(lane, s)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		if e.live != nil {
			if e.live.where == held {
				s.unhold(e.live)
			}
			s.move(e.live, nowhere)
		}
	}
	for _, v := range s.verdicts {
		s.settled(v)
	}
	s.verdicts, s.gone = nil, true
}

// allEnded reports, with Once, whether nothing is left to do: nothing runs or waits, and the topic of containers has
// been read to its end.
func (s *session) allEnded(ctx context.Context) (bool, error) {
	if !s.Once || !s.quiet() {
		return false, nil
	}
	_, stable, err := s.log.Offsets(ctx, s.Topics.Containers)
	if err != nil || s.position.Load() < stable {
		return false, err
	}
	return s.quiet(), nil
}

// quiet reports whether nothing of this session runs or waits.
func (s *session) quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.dead) + len(s.verdicts)
	for w := queued; w < wheres; w++ {
		n += s.counts[w]
	}
	return n == 0
}

// summary counts how the containers that are on stand.
func (s *session) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := Summary{Off: s.off}
	for _, e := range s.all {
		if e.lane < 0 || e.read == 0 {
			continue
		}
		sum.Containers++
		sum.Pages += e.pages
		sum.Items += e.items
		sum.Calls += e.calls
		switch e.state {
		case stateComplete:
			sum.Complete++
		case stateCancelled:
			sum.Cancelled++
		case stateFailed:
			if e.cancelled && e.epoch == e.read { // dismissed
				sum.Cancelled++
				continue
			}
			sum.Failed++
			sum.Failures = append(sum.Failures, *e.failure)
		}
	}
	slices.SortFunc(sum.Failures, func(a, b Failure) int { return strings.Compare(a.Container, b.Container) })
	return sum
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
