package kafka

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// Waiting for a broker is turning, however long; standing still is not; the one that has stood longest is named.
func TestWaitingForABrokerIsTurning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{timing: usualTiming(), log: slog.New(slog.DiscardHandler)}
		waits, stop := c.pulses.start("waits")
		defer stop()
		ctx, cancel := context.WithCancel(withPulse(t.Context(), waits))
		done := make(chan error, 1)
		go func() {
			done <- c.persist(ctx, tries{what: "call"}, func(context.Context) error { return refusal(5, "leader of a/0") })
		}()
		time.Sleep(time.Hour)
		if what, stuck := c.Stuck(5 * time.Second); stuck {
			t.Errorf("%s is stuck while it waits for a broker", what)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Minute)
		_, late := c.pulses.start("began later")
		defer late()
		time.Sleep(4 * time.Minute)
		if what, stuck := c.Stuck(6 * time.Minute); stuck {
			t.Errorf("%s is stuck too soon", what)
		}
		if what, stuck := c.Stuck(3 * time.Minute); !stuck || what != "waits" {
			t.Errorf("stuck: %v, %q", stuck, what)
		}
		stop()
		if what, _ := c.Stuck(3 * time.Minute); what != "began later" {
			t.Errorf("stuck is %q", what)
		}
	})
}
