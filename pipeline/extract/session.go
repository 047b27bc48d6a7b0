package extract

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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

	mu          sync.Mutex
	containers  schemas.Fold
	spellings   map[string]string // of conversation ids, see fold
	checkpoints map[schemas.ContainerKey]*schemas.Checkpoint
	running     map[schemas.ContainerKey]context.CancelCauseFunc
	queue       []schemas.ContainerKey
	queued      map[schemas.ContainerKey]bool
	later       map[schemas.ContainerKey]*pause // containers whose platform gives nothing at present
	dead        []setAside                      // in the order of their offsets, not yet committed
}

// pause is a container that waits to be read on.
type pause struct {
	until time.Time
	tries int
}

// load folds the partition's containers and checkpoints up to what is committed.
func (e *Extractor) load(ctx context.Context, log pipeline.Log) (*session, error) {
	s := &session{
		Extractor: e, log: log, commits: make(chan *commit), wake: make(chan struct{}, 1),
		containers: schemas.Fold{}, spellings: map[string]string{}, checkpoints: map[schemas.ContainerKey]*schemas.Checkpoint{},
		running: map[schemas.ContainerKey]context.CancelCauseFunc{}, queued: map[schemas.ContainerKey]bool{},
		later: map[schemas.ContainerKey]*pause{},
	}
	start, stable, err := log.Offsets(ctx, e.Topics.Checkpoints)
	if err != nil {
		return nil, err
	}
	err = pipeline.ReadTo(ctx, log, pipeline.Span{Topic: e.Topics.Checkpoints, From: start, To: stable}, func(r *schemas.Record) error {
		cp := new(schemas.Checkpoint)
		if err := s.decode(ctx, e.Check, r, cp); err != nil {
			// Going on from an older checkpoint would read pages twice: better to stop and say so.
			return fmt.Errorf("%s/%d offset %d (%s): %w", r.Topic, r.Partition, r.Offset, r.Key, err)
		}
		s.checkpoints[schemas.ContainerKey(cp.ContainerKey)] = cp
		return nil
	})
	if err != nil {
		return nil, err
	}
	start, stable, err = log.Offsets(ctx, e.Topics.Containers)
	if err != nil {
		return nil, err
	}
	err = pipeline.ReadTo(ctx, log, pipeline.Span{Topic: e.Topics.Containers, From: start, To: stable}, func(r *schemas.Record) error {
		return s.take(ctx, r)
	})
	if n := s.summary().Off; n > 0 {
		s.Logger.Warn("containers of a platform, app or tenant that is not on are not read", "partition", log.ID(), "containers", n)
	}
	s.position.Store(max(start, stable))
	return s, err
}

// fold takes a container record in and reports whether it changed what stands. mu is held.
//
// A platform may spell a conversation in the name of one of its members, and want that spelling in calls; a look-up, whose
// container the normalizer writes, knows the canonical id alone. It is read in the spelling of the container that came first.
func (s *session) fold(c *schemas.Container) bool {
	named := c.Kind == schemas.KindConversation || c.Kind == schemas.KindMessages
	if named && c.ID != c.ConversationID && s.spellings[c.ConversationID] == "" {
		s.spellings[c.ConversationID] = c.ID
	}
	return s.containers.Add(c)
}

// changed queues a container where something is to be done for it; what runs for it is stopped first. mu is held.
func (s *session) changed(key schemas.ContainerKey) {
	if stop := s.running[key]; stop != nil {
		stop(errChanged) // the task's end queues it again
		return
	}
	if !s.queued[key] && s.runnable(key) {
		if s.later[key] != nil {
			delete(s.later, key)
			s.stats.Waiting.Add(-1)
		}
		s.queued[key] = true
		s.queue = append(s.queue, key)
		s.stats.Queued.Add(1)
		s.nudge()
	}
}

// errChanged stops a task whose container was cancelled or asked for again.
var errChanged = errors.New("container changed")

// runnable reports whether a container is still to be read or to be ended. mu is held.
func (s *session) runnable(key schemas.ContainerKey) bool {
	c, cp := s.containers[key], s.checkpoints[key]
	if c == nil {
		return false
	}
	return s.on(c) && (cp == nil || cp.Epoch < c.Epoch || !cp.Ended())
}

// on reports whether the platform of a container is on.
func (s *session) on(c *schemas.Container) bool {
	p, on := s.Platforms[c.Platform]
	return on && p.TenantID == c.TenantID
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
	start(s.commitLoop)
	start(s.tail)
	err := s.dispatch(ctx, start)
	cancel(err)
	defer s.forget()
	if werr := tasks.Wait(); werr != nil && !errors.Is(err, errAllEnded) {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return werr
	}
	return err
}

// forget takes what this session counted as present out of the live counters.
func (s *session) forget() {
	s.stats.Queued.Add(-int64(len(s.queue)))
	s.stats.Waiting.Add(-int64(len(s.later)))
}

// dispatch starts a task for each container that is ready, as slots become free.
func (s *session) dispatch(ctx context.Context, start func(func(context.Context) error)) error {
	for {
		key, wait := s.ready()
		if key == "" {
			if done, err := s.allEnded(ctx); err != nil || done {
				return errors.Join(err, endIf(done))
			}
			timer := time.NewTimer(wait)
			select {
			case <-ctx.Done():
				timer.Stop()
				return context.Cause(ctx)
			case <-s.wake:
				timer.Stop()
			case <-timer.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case s.slots <- struct{}{}:
		}
		// The container counts as running before the loop looks again whether anything is left to do.
		own, stop := context.WithCancelCause(ctx)
		r := s.begin(key, stop)
		if r == nil {
			stop(nil)
			<-s.slots
			continue
		}
		start(func(ctx context.Context) error {
			defer func() { stop(nil); <-s.slots }()
			return s.read(ctx, own, r)
		})
	}
}

func endIf(done bool) error {
	if done {
		return errAllEnded
	}
	return nil
}

// ready takes the next container to read, or tells how long to wait for one.
func (s *session) ready() (schemas.ContainerKey, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := time.Second
	if len(s.queue) == 0 {
		now := s.Now()
		for key, p := range s.later {
			if d := p.until.Sub(now); d > 0 {
				wait = min(wait, d)
				continue
			}
			s.queued[key] = true
			s.queue = append(s.queue, key)
			s.stats.Queued.Add(1)
		}
	}
	if len(s.queue) == 0 {
		return "", wait
	}
	key := s.queue[0]
	s.queue = s.queue[1:]
	delete(s.queued, key)
	s.stats.Queued.Add(-1)
	return key, 0
}

// allEnded reports, with Once, whether nothing is left to do: nothing runs or waits, and the topic of containers has
// been read to its end.
func (s *session) allEnded(ctx context.Context) (bool, error) {
	if !s.Once {
		return false, nil
	}
	s.mu.Lock()
	idle := len(s.queue) == 0 && len(s.running) == 0 && len(s.later) == 0 && len(s.dead) == 0
	s.mu.Unlock()
	if !idle {
		return false, nil
	}
	_, stable, err := s.log.Offsets(ctx, s.Topics.Containers)
	if err != nil || s.position.Load() < stable {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue) == 0 && len(s.running) == 0 && len(s.dead) == 0, nil
}

// summary counts how the containers that are on stand.
func (s *session) summary() Summary {
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum Summary
	for key, c := range s.containers {
		cp := s.checkpoints[key]
		if !s.on(c) {
			sum.Off++
			continue
		}
		if cp == nil {
			continue
		}
		sum.Containers++
		sum.Pages += cp.Pages
		sum.Items += cp.Items
		sum.Calls += cp.Calls
		switch cp.State {
		case schemas.StateComplete:
			sum.Complete++
		case schemas.StateCancelled:
			sum.Cancelled++
		case schemas.StateFailed:
			sum.Failed++
			sum.Failures = append(sum.Failures, Failure{cp.ContainerKey, deref(cp.ErrorCode), deref(cp.ErrorMessage)})
		}
	}
	return sum
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
