package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var refusedDial = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// TestReach waits for a broker that is starting, says so once, and does not wait for one that answers with a refusal.
func TestReach(t *testing.T) {
	for name, c := range map[string]struct {
		ping    func(began time.Time) error
		waited  bool
		took    time.Duration
		failure error
	}{
		"answers": {func(time.Time) error { return nil }, false, 0, nil},
		"starts":  {func(began time.Time) error { return until(began, 12*time.Second, refusedDial) }, true, 12 * time.Second, nil},
		"never":   {func(time.Time) error { return refusedDial }, true, startTime, syscall.ECONNREFUSED},
		"never, at last without a word": {func(began time.Time) error {
			if err := until(began, 20*time.Second, refusedDial); err != nil {
				return err
			}
			return context.DeadlineExceeded
		}, true, startTime, syscall.ECONNREFUSED},
		"refuses us": {func(time.Time) error { return errRefused }, false, 0, errRefused},
		"starts, refuses": {func(began time.Time) error {
			if err := until(began, 5*time.Second, refusedDial); err != nil {
				return err
			}
			return errRefused
		}, true, 5 * time.Second, errRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), startTime)
				defer cancel()
				began := time.Now()
				waited, err := reach(ctx, func(context.Context) error { return c.ping(began) }, slog.New(slog.NewTextHandler(&log, nil)))
				took := time.Since(began)
				if !errors.Is(err, c.failure) || waited != c.waited || took < c.took || took > c.took+time.Second {
					t.Errorf("after %s: waited %v, %v", took, waited, err)
				}
				if err != nil && !strings.Contains(err.Error(), "KAFKA_BROKERS") {
					t.Errorf("no remedy: %v", err)
				}
				begin, end := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "level=INFO")
				if begin > 1 || begin == 1 != c.waited || end > 1 || end == 1 != (c.waited && err == nil) {
					t.Errorf("said %q", log.String())
				}
			})
		})
	}
}

var errRefused = errors.New("SASL authentication failed")

func until(began time.Time, wait time.Duration, err error) error {
	if time.Since(began) < wait {
		return err
	}
	return nil
}

func TestReachEndsWithASignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, stop)
		began := time.Now()
		_, err := reach(ctx, func(context.Context) error { return refusedDial }, slog.New(slog.DiscardHandler))
		if !errors.Is(err, context.Canceled) || time.Since(began) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// TestSettle gives topics that are being made some time, more where the broker has only just come up.
func TestSettle(t *testing.T) {
	missing := errors.New("topic im.containers is missing")
	for _, c := range []struct {
		waited bool
		after  time.Duration
		well   bool
	}{{false, 0, true}, {false, 2 * time.Second, true}, {false, 5 * time.Second, false}, {true, 5 * time.Second, true}, {true, 15 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			err := settle(t.Context(), c.waited, func() error { return until(began, c.after, missing) })
			if took := time.Since(began); (err == nil) != c.well || c.well && took > c.after+reachEvery || took > madeTime+reachEvery {
				t.Errorf("waited %v, made after %s: %v after %s", c.waited, c.after, err, took)
			}
		})
	}
}
