package kafka

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Waiting for a broker is no stall, however long it takes; doing nothing is.
func TestWaitingForABrokerIsNoStall(t *testing.T) {
	for name, waits := range map[string]bool{"waiting for a broker": true, "doing nothing": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{timing: usualTiming(), outage: outage{log: slog.New(slog.DiscardHandler), after: outageAfter}}
				pulse, stop := c.pulses.start("session")
				defer stop()
				w := &owner{client: c, Ownership: Ownership{Stall: 2 * time.Minute}}
				p := &Partition{owner: w, driver: place{"topic", 3}, pulse: pulse}
				ctx, cancel := context.WithCancel(withPulse(t.Context(), pulse))
				defer cancel()
				began, done := time.Now(), make(chan error, 1)
				go func() {
					if !waits {
						sleep(ctx, 10*time.Minute)
					}
					done <- c.persist(ctx, tries{what: "read"}, func(context.Context) error {
						if time.Since(began) < 10*time.Minute {
							return refusal(6, "leader")
						}
						return nil
					})
				}()
				if o := w.watch(ctx, p, done); waits && (o.err != nil || o.result != nil) || !waits && !errors.Is(o.err, errStalled) {
					t.Errorf("after %v: %+v", time.Since(began), o)
				}
			})
		})
	}
}
