package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"chatlake/kafka"
	"chatlake/schemas"
)

// How the health of a worker is looked at. A change shows within probeEvery + pingTime, under the 30 s that are promised.
const (
	probeEvery = 10 * time.Second
	pingTime   = 5 * time.Second
	stuckAfter = 5 * time.Minute
)

// readiness tells whether a worker is ready (a member of its group, its broker and state answer) and healthy (its loops
// turn). The zero value belongs to no group. The registry has no part in it: a worker goes on without.
type readiness struct {
	joined atomic.Bool

	ping  func(context.Context) error                         // asks the broker; nil: not asked
	state func() error                                        // tries the state directory; nil: there is none
	stuck func(limit time.Duration) (what string, stuck bool) // nil: no loops

	// For metrics alone, at every probe; nil: nothing.
	registry     func(context.Context) error
	look         func(context.Context)
	unreached    atomic.Bool // the broker did not answer
	registryGone atomic.Bool

	mu   sync.Mutex
	lack error // what did not answer when it was last tried

	others []*readiness // of stages in the same process: all must be ready
}

// set takes what the group says.
func (r *readiness) set(joined bool) { r.joined.Store(joined) }

// of has a stage's readiness look at its client.
func (r *readiness) of(c *kafka.Client, state func() error) {
	r.ping, r.stuck, r.state = c.Ping, c.Stuck, state
}

// ready says what is missing, nil where nothing is.
func (r *readiness) ready() error {
	if !r.joined.Load() {
		return errors.New("not a member of the consumer group")
	}
	r.mu.Lock()
	err := r.lack
	r.mu.Unlock()
	for _, other := range r.others {
		err = errors.Join(err, other.ready())
	}
	return err
}

// healthy names a loop that does not turn, nil where all do.
func (r *readiness) healthy() error {
	if r.stuck != nil {
		if what, stuck := r.stuck(stuckAfter); stuck {
			return fmt.Errorf("%s has not turned for %s", what, stuckAfter)
		}
	}
	for _, other := range r.others {
		if err := other.healthy(); err != nil {
			return err
		}
	}
	return nil
}

// probe tries broker and state once.
func (r *readiness) probe(ctx context.Context) {
	var lack error
	if r.ping != nil {
		ctx, cancel := context.WithTimeout(ctx, pingTime)
		defer cancel()
		err := r.ping(ctx)
		if err != nil {
			lack = fmt.Errorf("the broker does not answer: %w", err)
		}
		r.unreached.Store(err != nil)
	}
	if r.state != nil {
		lack = errors.Join(lack, r.state())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lack = lack
}

// watch probes until ctx ends, with the others.
func (r *readiness) watch(ctx context.Context) {
	var all sync.WaitGroup
	for _, other := range r.others {
		all.Go(func() { other.watch(ctx) })
	}
	all.Go(func() {
		for pause(ctx, probeEvery) {
			r.measure(ctx)
		}
	})
	for pause(ctx, probeEvery) {
		r.probe(ctx)
	}
	all.Wait()
}

// measure looks at what only metrics tell: its absence makes no worker unready.
func (r *readiness) measure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if r.registry != nil {
		r.registryGone.Store(errors.Is(r.registry(ctx), schemas.ErrNoAnswer))
	}
	if r.look != nil {
		r.look(ctx)
	}
}

// probeSize is above what a file system keeps of a small file without a block of its own.
const probeSize = 64 << 10

// writable tries whether a state directory takes a file: it may be full, read-only or gone.
func writable(dir string) error {
	probe := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".probe") // beside it: what lies in it is the index's
	err := errors.Join(os.WriteFile(probe, make([]byte, probeSize), 0o600), os.Remove(probe))
	if err == nil {
		_, err = os.ReadDir(dir)
	}
	if err != nil {
		return fmt.Errorf("the state directory (NORMALIZER_STATE_DIR) cannot be used: %w", err)
	}
	return nil
}
