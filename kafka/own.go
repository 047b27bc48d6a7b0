package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// Ownership says which partitions to share with whom.
type Ownership struct {
	Group string // consumer group; its transactional ids are <group>-<partition>
	Topic string // the driver topic: its partitions are shared out, its offset is the group's

	// Once makes Own return nil when run has returned nil for every partition owned in the present generation; owning
	// none counts. Where others own some, it stays until they must have shown that they live.
	Once bool
	// Stall is how long a partition may go without Beat, Commit or Read before its session is ended (default 2m). Below
	// the longest piece of work it interrupts good workers; far above it a stuck one blocks its partition that long.
	Stall time.Duration
	// TransactionTimeout is when the broker aborts a transaction of a worker that died (default 60s): so long such a
	// transaction can hold back readers, where nobody takes the partition over. Above the broker's
	// transaction.max.timeout.ms it is refused.
	TransactionTimeout time.Duration
	// Assigned, if set, is called at each generation before run, with the sorted partitions owned and their total number.
	Assigned func(owned []int32, total int)
	// Joined, if set, is called with true when a generation of the group is ours, and with false when it has ended: lost,
	// left, or its heartbeats unanswered (within 30 s). It must return soon. Calls come one after the other.
	Joined func(bool)
	// Writes are the topics that transactions may write, at the same partition number.
	Writes []string
	// Tell, if set, gives a JSON document of at most 2 KiB that goes into the metadata of each offset that is committed, for
	// others to read with Client.GroupOffsets. It is called before each commit and must return at once.
	Tell func() json.RawMessage
}

// Why a partition's ctx ended, as context.Cause tells.
var (
	errGeneration = errors.New("the group's generation has ended")
	errFinished   = errors.New("all partitions are finished")
)

// Own joins the group and calls run for every partition that it is given, each in its own goroutine, for as long as the
// partition stays ours; again where its session broke (see Partition.Commit), and not again in the same generation where
// run returned nil. It returns nil when ctx has ended and the group is left, or when all is finished (Once). Any other
// error that run returns, a panic in it, and refused credentials or rights end everything and are returned.
//
// run must return soon after its ctx has ended: partitions move only then. One that takes longer than 15 s is given up,
// and Own returns an error, for a process in that state should end.
func (c *Client) Own(ctx context.Context, o Ownership, run func(ctx context.Context, p *Partition) error) error {
	if o.Stall <= 0 {
		o.Stall = 2 * time.Minute
	}
	if o.TransactionTimeout <= 0 {
		o.TransactionTimeout = time.Minute
	}
	// kafka-go's group members create missing topics: none may be missing.
	total, err := c.partitionsOf(ctx, append([]string{o.Topic}, o.Writes...))
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("group %s: %w", o.Group, err)
	}
	for _, topic := range o.Writes {
		if err := c.readLimit(ctx, topic); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("group %s: %w", o.Group, err)
		}
	}
	inner, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w := &owner{client: c, Ownership: o, run: run, total: total, ctx: ctx, stop: stop, balancer: &balancer{topic: o.Topic}}
	group, err := kafkago.NewConsumerGroup(w.groupConfig())
	if err != nil {
		return fmt.Errorf("group %s: %w", o.Group, err)
	}
	fatal := w.follow(inner, group)
	stop(fatal)
	if err := w.leave(group); fatal == nil {
		fatal = err
	}
	return fatal
}

// owner is one membership in a group.
type owner struct {
	Ownership
	client   *Client
	run      func(context.Context, *Partition) error
	total    int
	balancer *balancer
	ctx      context.Context //nolint:containedctx // the caller's: when it ends, the program stops and time is shorter; it ends with this struct
	stop     context.CancelCauseFunc

	mu   sync.Mutex
	busy map[int32]bool // partitions whose run has not returned
}

func (w *owner) groupConfig() kafkago.ConsumerGroupConfig {
	t := w.client.timing
	logf := kafkago.LoggerFunc(func(format string, args ...any) {
		w.client.library.Debug(fmt.Sprintf(format, args...))
	})
	return kafkago.ConsumerGroupConfig{
		ID: w.Group, Brokers: w.client.config.Brokers, Dialer: w.client.dialer, Topics: []string{w.Topic},
		GroupBalancers: []kafkago.GroupBalancer{w.balancer},
		SessionTimeout: t.session, HeartbeatInterval: t.heartbeat, RebalanceTimeout: t.rebalance,
		// A join waits for this and the rebalance time-out. Each member that joins meanwhile may begin that anew, and one
		// that gives up comes back as another member: too short, two of them keep each other waiting for ever.
		Timeout:          t.rebalance,
		JoinGroupBackoff: t.joinBackoff, Logger: logf, ErrorLogger: logf,
	}
}

// follow takes generation after generation until ctx ends, and returns what ended it: nil for an orderly end. It must
// always be waiting in Next, for kafka-go hands everything over unbuffered.
func (w *owner) follow(ctx context.Context, group *kafkago.ConsumerGroup) error {
	var refusals int
	since := time.Now()
	what := "join group " + w.Group
	pulse, stop := w.client.pulses.start("membership of group " + w.Group)
	defer stop()
	for {
		generation, err := w.next(ctx, group)
		pulse.beat()
		switch {
		case err == nil && generation == nil:
		case ctx.Err() != nil:
			cause := context.Cause(ctx)
			if w.ctx.Err() != nil && errors.Is(cause, context.Cause(w.ctx)) || errors.Is(cause, errFinished) {
				return nil
			}
			return cause
		case err == nil:
			refusals = 0
			w.client.outage.partWorks(what)
			w.take(ctx, generation)
			since = time.Now()
		case judge(err) == fatal:
			// A broker that dies within a handshake looks like one that refuses us, once.
			if refusals++; refusals >= 3 {
				return explain(fmt.Errorf("join group %s: %w", w.Group, err), onGroup("Read", w.Group), onTopic("Describe", w.Topic))
			}
		default:
			w.client.log.Debug("group not joined", "group", w.Group, "error", err)
			if unanswered(err) {
				w.client.outage.failed(err)
			} else {
				w.client.outage.partFailed(what, since, err)
			}
		}
	}
}

// next waits for a generation; nil without an error where none came for a while, so that the loop is seen to turn.
func (w *owner) next(ctx context.Context, group *kafkago.ConsumerGroup) (*kafkago.Generation, error) {
	turn, cancel := context.WithTimeout(ctx, w.client.timing.heartbeat)
	defer cancel()
	generation, err := group.Next(turn)
	if err != nil && turn.Err() != nil && ctx.Err() == nil {
		return nil, nil
	}
	return generation, err
}

// take runs a generation in the one function that kafka-go waits for. It returns only when the generation has ended: its
// return would end it, and a member that means to leave would join the next one first.
func (w *owner) take(ctx context.Context, generation *kafkago.Generation) {
	var owned []int32
	for _, a := range generation.Assignments[w.Topic] {
		owned = append(owned, int32(a.ID))
	}
	slices.Sort(owned)
	w.balancer.remember(generation.ID, owned)
	m := member{w.Group, generation.ID, generation.MemberID}
	generation.Start(func(ended context.Context) {
		// kafka-go's ctx is none of the standard library's: it has no parent, and its error is not Canceled.
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		left := w.joined(ended)
		unhook := context.AfterFunc(ended, func() { cancel(errGeneration) })
		defer unhook()
		w.generation(ctx, m, owned)
		<-ended.Done()
		<-left
	})
}

// joined says that a generation is ours, and when it has ended that it is not; left is closed after that was said. A
// generation that has ended before its first use is not ours.
func (w *owner) joined(ended context.Context) (left <-chan struct{}) {
	done := make(chan struct{})
	if w.Joined == nil || ended.Err() != nil {
		close(done)
		return done
	}
	w.Joined(true)
	go func() {
		defer close(done)
		<-ended.Done()
		w.Joined(false)
	}()
	return done
}

func (w *owner) generation(ctx context.Context, m member, owned []int32) {
	w.client.log.Info("partitions assigned", "group", w.Group, "generation", m.generation, "owned", owned, "total", w.total)
	if !w.assign(ctx, m, owned) {
		return
	}
	began := time.Now()
	left := make(chan struct{}, len(owned))
	var all sync.WaitGroup
	for _, id := range owned {
		all.Go(func() {
			if w.hold(ctx, m, id) {
				left <- struct{}{}
				<-ctx.Done()
			}
		})
	}
	if w.Once {
		for range owned {
			select {
			case <-left:
			case <-ctx.Done():
			}
		}
		// Who owns the rest may have died while it joined, and be a member until its session ends: then the rest is ours.
		if len(owned) < w.total {
			sleep(ctx, time.Until(began.Add(w.client.timing.session+2*w.client.timing.heartbeat)))
		}
		if ctx.Err() == nil {
			w.stop(errFinished)
		}
	}
	all.Wait()
}

// assign looks whether a generation can be worked in, and tells the program what it owns.
func (w *owner) assign(ctx context.Context, m member, owned []int32) bool {
	pulse, stop := w.client.pulses.start(fmt.Sprintf("generation %d of group %s", m.generation, w.Group))
	defer stop()
	if !w.unchanged(withPulse(ctx, pulse)) {
		return false
	}
	if w.Assigned != nil {
		w.Assigned(owned, w.total)
	}
	return true
}

// unchanged looks whether the topic still has the partitions that the program was started with: places are computed
// from their number.
func (w *owner) unchanged(ctx context.Context) bool {
	total, err := w.client.partitionsOf(ctx, []string{w.Topic})
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		w.stop(fmt.Errorf("group %s: %w", w.Group, err))
		return false
	case total != w.total:
		w.stop(fmt.Errorf("topic %s had %d partitions and has %d: their number must not change", w.Topic, w.total, total))
		return false
	}
	return true
}

// leave closes the membership, so that partitions move at once instead of after the session timeout.
func (w *owner) leave(group *kafkago.ConsumerGroup) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = group.Close()
	}()
	timer := time.NewTimer(w.client.timing.closing)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.busy {
		return fmt.Errorf("partition %s has not stopped", place{w.Topic, id})
	}
	// All work has ended; only the coordinator does not answer. It will miss our heartbeats.
	w.client.log.Warn("group not left in time", "group", w.Group)
	return nil
}

// partitionsOf gives the number of partitions that all these topics have.
func (c *Client) partitionsOf(ctx context.Context, topics []string) (int, error) {
	var found cluster
	err := c.persist(ctx, tries{what: "topics"}, func(ctx context.Context) (err error) {
		if found, err = c.metadata(ctx, topics...); err != nil {
			return err
		}
		for _, name := range topics {
			if code := found.topics[name].ErrorCode; code != 0 {
				return explain(refusal(code, "topic %s", name), onTopic("Describe", name))
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	total := len(found.topics[topics[0]].Partitions)
	for _, name := range topics {
		if n := len(found.topics[name].Partitions); n != total {
			return 0, fmt.Errorf("topic %s has %d partitions, %s has %d", name, n, topics[0], total)
		}
	}
	return total, nil
}
