package kafka

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"chatlake/schemas"
)

// Partition is one session of one owned partition: from InitProducerID to the first error. It is for run's goroutine and
// those that run waits for.
type Partition struct {
	owner       *owner
	member      member
	driver      place
	committed   int64
	transaction *transaction
	pulse       *pulse

	mu   sync.Mutex
	over error // why nothing may be committed any more
}

// ID is the partition's number, the same in every topic.
func (p *Partition) ID() int32 { return p.driver.partition }

// Total is the number of partitions.
func (p *Partition) Total() int { return p.owner.total }

// Committed is the group's offset of the driver topic when this session began, -1 if there was none. No transaction was
// pending then.
func (p *Partition) Committed() int64 { return p.committed }

// Beat says that the partition is alive; Read and Commit say so by themselves.
func (p *Partition) Beat() { p.pulse.beat() }

// Reader reads the same partition of a topic; see Client.Reader.
func (p *Partition) Reader(topic string, from int64) *Reader {
	r := p.owner.client.Reader(topic, p.driver.partition, from)
	r.beat, r.hold.owner = p.Beat, p
	return r
}

// Offsets gives log start and last stable offset of the same partition of a topic.
func (p *Partition) Offsets(ctx context.Context, topic string) (start, stable int64, err error) {
	start, stable, err = p.owner.client.Offsets(ctx, topic, p.driver.partition)
	return start, stable, interrupt(err)
}

// Commit makes the records and, if next >= 0, the group's offset of the driver topic durable in one transaction. It
// returns nil only when the coordinator has logged the commit: then all of it stands, and read_committed readers see it
// as soon as the markers are written, in order and usually within milliseconds. With nothing to write it does nothing.
//
// A *TooLarge is the one error after which the session goes on: nothing was written. Any other ends the session, and the outcome may be unknown; run must return the error. The next session's Committed
// tells the truth. Records must be for this partition and for the topics of Ownership.Writes.
//
// A commit that has begun goes on for a few seconds when ctx ends, so that a worker which stops leaves no open
// transaction behind.
func (p *Partition) Commit(ctx context.Context, records []schemas.Record, next int64) error {
	p.Beat()
	if len(records) == 0 && next < 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over != nil {
		return fmt.Errorf("%s: commit after the session's end: %w", p.driver, p.over)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: commit: %w", p.driver, context.Cause(ctx))
	}
	for i := range records {
		if r := &records[i]; r.Partition != p.driver.partition || !slices.Contains(p.owner.Writes, r.Topic) {
			return fmt.Errorf("%s: a record for %s/%d does not belong here", p.driver, r.Topic, r.Partition)
		}
	}
	lasting, cancel := outlast(ctx, p.owner.client.timing.grace, p.owner.TransactionTimeout)
	defer cancel()
	err := p.commitFitting(lasting, work{records, next})
	var large *TooLarge
	switch {
	case errors.As(err, &large):
		p.Beat()
		return large
	case err != nil:
		err = fmt.Errorf("%s: commit: %w", p.driver, err)
		p.over = interrupt(err)
		p.transaction.abandon(ctx)
		return p.over
	}
	p.Beat()
	return nil
}

// outlast is ctx, but it ends only grace after ctx has, and at most after limit.
func outlast(ctx context.Context, grace, limit time.Duration) (context.Context, func()) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	end := func() {
		cause := context.Cause(ctx)
		if cause == nil {
			cause = fmt.Errorf("no end after %v", limit)
		}
		cancel(cause)
	}
	late := time.AfterFunc(limit, end)
	unhook := context.AfterFunc(ctx, func() { late.Reset(grace) })
	return out, func() {
		unhook()
		late.Stop()
		cancel(nil)
	}
}

// hold runs session after session of a partition until ctx ends (false) or run has returned nil (true).
func (w *owner) hold(ctx context.Context, m member, id int32) bool {
	driver := place{w.Topic, id}
	t := &transaction{client: w.client, id: fmt.Sprintf("%s-%d", w.Group, id), group: w.Group, timeout: w.TransactionTimeout}
	if w.Tell != nil {
		t.tell = func(n *note) { n.tell(w.Ownership) }
	}
	pulse, stop := w.client.pulses.start("session of " + driver.String())
	defer stop()
	ctx = withPulse(ctx, pulse)
	for pause := w.client.timing.sessions; ; {
		began := time.Now()
		pulse.beat()
		p, err := w.begin(ctx, m, driver, t)
		if err == nil {
			err = w.drive(ctx, p)
		}
		if err == nil && ctx.Err() == nil {
			// A commit is durable before its markers are written. Who is told that this partition is finished must find all
			// of it, and a new epoch is given only after them.
			err = interrupt(t.begin(ctx))
		}
		var broken interrupted
		switch {
		case ctx.Err() != nil:
			w.settle(ctx, t, err)
			return false
		case err == nil:
			return true
		case errors.As(err, &broken) && judge(err) == lost:
			// Somebody else may own it already. The generation ends by the next heartbeat or two.
			pause = 2 * w.client.timing.heartbeat
			w.client.log.Debug("partition lost", append(driver.attrs(), "error", err)...)
		case errors.As(err, &broken):
			w.client.trouble("session begins again", err, driver.attrs()...)
		default:
			w.stop(err)
			w.settle(ctx, t, err)
			return false
		}
		if time.Since(began) > time.Minute {
			pause = w.client.timing.sessions
		}
		if !sleep(ctx, pause) {
			w.settle(ctx, t, err)
			return false
		}
		pause = min(2*pause, 5*time.Second)
	}
}

// settle is for a program that stops: an unfinished transaction would hold back readers until its timeout. It fences
// nobody, for the group is left only after it; where the generation has ended, the next owner settles.
func (w *owner) settle(ctx context.Context, t *transaction, err error) {
	w.client.log.Debug("session ended", "transactional_id", t.id, "error", err)
	if !t.open || errors.Is(context.Cause(ctx), errGeneration) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := t.begin(ctx); err != nil {
		w.client.log.Debug("transaction not aborted", "transactional_id", t.id, "error", err)
	}
}

// begin opens a session. The order is what makes it exact: the new epoch fences and aborts first, so that the offset read
// after it can no longer change but by us.
func (w *owner) begin(ctx context.Context, m member, driver place, t *transaction) (*Partition, error) {
	c := w.client
	if err := c.alive(ctx, m); err != nil {
		return nil, interrupt(err)
	}
	if err := t.begin(ctx); err != nil {
		return nil, interrupt(err)
	}
	var writes []place
	for _, topic := range w.Writes {
		writes = append(writes, place{topic, driver.partition})
	}
	if err := t.clear(ctx, writes); err != nil {
		return nil, interrupt(err)
	}
	committed, metadata, err := c.committedNote(ctx, w.Group, driver)
	if err != nil {
		return nil, interrupt(err)
	}
	ids, err := c.topicIDs(ctx, w.Writes)
	if err != nil {
		return nil, interrupt(err)
	}
	t.notes.set(parseNote(metadata).in(ids))
	p := &Partition{owner: w, member: m, driver: driver, committed: committed, transaction: t, pulse: pulseOf(ctx)}
	p.Beat()
	return p, nil
}

// drive calls run and watches it.
func (w *owner) drive(ctx context.Context, p *Partition) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	w.occupied(p.driver.partition, true)
	go func() {
		defer w.occupied(p.driver.partition, false)
		defer func() {
			if r := recover(); r != nil {
				w.client.log.Error("a stage panicked", append(p.driver.attrs(), "error", r, "stack", string(debug.Stack()))...)
				done <- fmt.Errorf("%s: panic: %v", p.driver, r)
			}
		}()
		done <- w.run(ctx, p)
	}()
	stalled := w.watch(ctx, p, done)
	if stalled.err == nil {
		p.end(errSessionOver)
		return stalled.result
	}
	if ctx.Err() == nil {
		w.client.log.Error("partition stalled", append(p.driver.attrs(), "error", stalled.err)...)
		cancel(stalled.err)
	}
	ok, err := w.await(done)
	if !ok {
		late := fmt.Errorf("%s: run has not returned: %w", p.driver, stalled.err)
		w.stop(late)
		return late
	}
	p.end(stalled.err)
	if errors.Is(stalled.err, errStalled) {
		return interrupted{stalled.err}
	}
	return err
}

var (
	errStalled     = errors.New("no progress")
	errSessionOver = errors.New("the session is over")
)

// end closes the session to whatever run may have left behind.
func (p *Partition) end(because error) {
	p.owner.client.budget.end(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil {
		p.over = because
	}
}

// outcome is run's result, or why it must end.
type outcome struct {
	result error
	err    error
}

// watch waits for run's end, the ctx's, or a stall.
func (w *owner) watch(ctx context.Context, p *Partition, done <-chan error) outcome {
	tick := time.NewTicker(max(w.Stall/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return outcome{result: err}
		case <-ctx.Done():
			return outcome{err: context.Cause(ctx)}
		case <-tick.C:
			if quiet := time.Since(time.Unix(0, p.pulse.at.Load())); quiet > w.Stall {
				return outcome{err: fmt.Errorf("%s: %w for %v", p.driver, errStalled, quiet.Round(time.Millisecond))}
			}
		}
	}
}

// await gives run its time to return: less when the program stops.
func (w *owner) await(done <-chan error) (bool, error) {
	timer := time.NewTimer(w.client.timing.stop)
	defer timer.Stop()
	stopping := w.ctx.Done()
	var hurry <-chan time.Time
	for {
		select {
		case err := <-done:
			return true, err
		case <-stopping:
			stopping = nil
			short := time.NewTimer(w.client.timing.leave)
			defer short.Stop()
			hurry = short.C
		case <-timer.C:
			return false, nil
		case <-hurry:
			return false, nil
		}
	}
}

func (w *owner) occupied(id int32, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy == nil {
		w.busy = make(map[int32]bool)
	}
	if yes {
		w.busy[id] = true
	} else {
		delete(w.busy, id)
	}
}
