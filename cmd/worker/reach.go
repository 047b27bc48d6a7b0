package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"chatlake/kafka"
)

// A start may come before the broker's, or before 'chatlake up' or 'topics create' beside it has made its topics.
const (
	startTime  = 30 * time.Second // for a broker or registry that does not answer yet
	settleTime = 3 * time.Second  // for topics and schemas that are missing
	madeTime   = 10 * time.Second // the same, where the broker has only just begun to answer
	reachEvery = 500 * time.Millisecond
)

// reach asks a cluster until it answers or ctx ends, and tells whether it had to wait. It says so once.
func reach(ctx context.Context, ping func(context.Context) error, logger *slog.Logger) (waited bool, err error) {
	began := time.Now()
	var said error // the last that says more than that no answer came in time
	for ; ; waited = true {
		asked, cancel := context.WithTimeout(ctx, pingTime)
		err := ping(asked)
		cancel()
		if err == nil && waited {
			logger.Info("Kafka answers", "after", time.Since(began).Round(time.Second))
		}
		if err == nil {
			return waited, nil
		}
		if !absent(err) {
			return waited, unreachable(err)
		}
		if said == nil || !errors.Is(err, context.DeadlineExceeded) {
			said = err
		}
		if !waited {
			if until, ok := ctx.Deadline(); ok {
				logger.Warn("no broker answers yet: asked again, as 'chatlake up' may be starting; else check KAFKA_BROKERS", "wait", time.Until(until).Round(time.Second), "error", err)
			}
		}
		if !pause(ctx, reachEvery) {
			if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return waited, unreachable(said)
			}
			return waited, fmt.Errorf("%w: %w", context.Cause(ctx), said)
		}
	}
}

// absent reports whether nobody answered: a refusal, of credentials say, is an answer.
func absent(err error) bool {
	var op *net.OpError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &op) && op.Op == "dial"
}

// settle verifies what who started a moment before may still be making, until that is well or has had its time.
func settle(ctx context.Context, waited bool, verify func() error) error {
	grace := settleTime
	if waited {
		grace = madeTime
	}
	for until := time.Now().Add(grace); ; {
		err := verify()
		if err == nil || time.Now().After(until) || !pause(ctx, reachEvery) {
			return err
		}
	}
}

// pause waits, and reports whether ctx still goes on after that.
func pause(ctx context.Context, wait time.Duration) bool {
	if until, ok := ctx.Deadline(); ok && time.Until(until) < wait {
		wait = time.Until(until)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err() == nil
}

// unreachable adds what to do about brokers that do not answer, where the error does not say.
func unreachable(err error) error {
	var elsewhere *kafka.Unreached
	if errors.As(err, &elsewhere) {
		return err
	}
	return fmt.Errorf("%w: check KAFKA_BROKERS (and KAFKA_TLS, KAFKA_SASL_MECHANISM), or start 'chatlake up'", err)
}
