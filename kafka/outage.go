package kafka

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// outage is the one place that knows, and logs, that the cluster cannot be reached: one line when it begins, one when it
// ends, whatever number of partitions, groups and requests meet it.
//
// Two things can be out. The cluster: requests fail and none has been answered for a while. Or a part of it, while
// other requests are answered: a broker that leads some partitions, a coordinator.
type outage struct {
	log   *slog.Logger
	after time.Duration // how long requests go unanswered before it is an outage

	quiet atomic.Bool // nothing to do when a request is answered: the usual case, without a lock

	mu       sync.Mutex
	reached  bool                 // a request was answered since the program began: a broker that is still starting is no outage
	since    time.Time            // when the first request failed after the last answer, zero: none has
	said     bool                 // the cluster is out
	parts    map[string]time.Time // requests that keep failing while others are answered, and when each failed last
	partFrom time.Time            // when the first of them began to fail
}

// failed says that a request got no answer.
func (o *outage) failed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	o.quiet.Store(false)
	if o.reached && !o.said && now.Sub(o.since) >= o.after {
		o.said = true
		o.log.Warn("no Kafka broker answers: everything waits for one", "after", now.Sub(o.since).Round(time.Second), "error", err)
	}
}

// answered says that a broker answered a request.
func (o *outage) answered() {
	if o.quiet.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.said {
		o.log.Info("Kafka answers again", "after", time.Since(o.since).Round(time.Second))
	}
	o.reached, o.said, o.since = true, false, time.Time{}
	o.quiet.Store(true)
}

// partFailed says that a request has failed since a time, over and over.
func (o *outage) partFailed(what string, since time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if !o.reached || !o.since.IsZero() || now.Sub(since) < o.after { // the whole cluster, or too early to say
		return
	}
	first := len(o.parts) == 0
	if first {
		o.parts, o.partFrom = map[string]time.Time{}, since
	}
	o.parts[what] = now
	if first {
		o.log.Warn("a part of Kafka does not answer as it should: what needs it waits, the rest goes on", "call", what,
			"after", now.Sub(since).Round(time.Second), "error", err)
	}
}

// partWorks says that a request succeeded.
func (o *outage) partWorks(what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.parts) == 0 {
		return
	}
	now := time.Now()
	delete(o.parts, what)
	for other, last := range o.parts {
		if now.Sub(last) > forgotten { // nobody asks any more: its partition has moved
			delete(o.parts, other)
		}
	}
	if len(o.parts) == 0 {
		o.log.Info("all of Kafka answers again", "after", now.Sub(o.partFrom).Round(time.Second))
	}
}

// outageAfter is how long requests go unanswered before it is an outage: above the time that a broker takes to hand over its
// partitions when it restarts.
const outageAfter = 5 * time.Second

// forgotten is when a request that has not been tried again no longer counts. It is above the longest pause between tries.
const forgotten = time.Minute

// unanswered reports whether an error says that no broker answered, which the outage's lines say for all.
func unanswered(err error) bool {
	if _, answered := codeOf(err); answered || judge(err) == fatal {
		return false
	}
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// trouble logs what ended a session or a join: at debug level where it only follows from brokers that do not answer.
func (c *Client) trouble(text string, err error, attrs ...any) {
	level := slog.LevelWarn
	if unanswered(err) {
		level = slog.LevelDebug
	}
	c.log.Log(context.Background(), level, text, append(attrs, "error", err)...)
}
