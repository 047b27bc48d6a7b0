package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestInstallationFails: once an installation can write no more that is the error, however its stages take it.
func TestInstallationFails(t *testing.T) {
	full := errors.New("no space")
	for name, c := range map[string]struct {
		work func(ctx context.Context, fail func()) error
		want error
		most time.Duration
	}{
		"ends when it is told to": {func(ctx context.Context, fail func()) error {
			fail()
			<-ctx.Done()
			return ctx.Err()
		}, full, 0},
		"hangs on the same disk": {func(ctx context.Context, fail func()) error {
			fail()
			time.Sleep(time.Hour)
			return nil
		}, full, endTime},
		"notices first": {func(_ context.Context, fail func()) error {
			fail()
			return errors.New("a write was refused")
		}, full, 0},
		"does well": {func(context.Context, func()) error { return nil }, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failed := make(chan error, 1)
				began := time.Now()
				err := runUntil(t.Context(), failed, func(ctx context.Context) error { return c.work(ctx, func() { failed <- full }) })
				if !errors.Is(err, c.want) || time.Since(began) > c.most {
					t.Errorf("after %s: %v", time.Since(began), err)
				}
				time.Sleep(2 * time.Hour) // what hangs ends within the test
			})
		})
	}
}
