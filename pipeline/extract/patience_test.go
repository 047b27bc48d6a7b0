package extract_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestPatienceOfAPlatformThatWasIdle: EXTRACTOR_PATIENCE is how long Once waits for a platform that was asked and answers
// nothing useful. One that nobody asked anything for longer than that (another one had work) must not end the run at its
// first failure, nor at one after a long rest.
func TestPatienceOfAPlatformThatWasIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		other := r.two()
		c := r.chat(0)
		r.book.pages[c.ID] = 60
		r.book.before = hang(time.Minute) // an hour of work
		r.add(c)
		hiccups := 0
		other.fail = func(c *schemas.Container, _ int64, tries int) error {
			if tries == 1 && hiccups < 2 {
				hiccups++
				return unavailable("503") // a hiccup of some seconds
			}
			return nil
		}
		one := conversation("p2p:alice:bob")
		time.AfterFunc(20*time.Minute, func() { r.add(one) }) // a look-up, or containers add
		time.AfterFunc(20*time.Minute+time.Second, func() { r.add(cancelled(one)) })
		time.AfterFunc(50*time.Minute, func() { r.add(conversation("p2p:carol:dave")) })
		began := time.Now()
		if err := r.session(t.Context()); err != nil {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		if hiccups != 2 {
			t.Errorf("%d hiccups", hiccups)
		}
		r.allEnded(r.check())
	})
}

// TestPatienceCountsProbes: what waits for an outage to end is waited for as long as for anything else, and no longer.
func TestPatienceCountsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("503") }
		for i := range 100 {
			r.add(r.chat(i))
		}
		began := time.Now()
		err := r.session(t.Context())
		mustContain(t, err, "feishu", "EXTRACTOR_PATIENCE", "503")
		if took := time.Since(began); took < 15*time.Minute || took > 16*time.Minute {
			t.Errorf("it took %v", took)
		}
		if errors.Is(err, memlog.ErrFault) {
			t.Error(err)
		}
		if n := r.log.Attempts(); n > 100 { // each container says once that it waits
			t.Errorf("%d transactions during an outage: checkpoints are rewritten again and again", n)
		}
		r.check()
	})
}

// TestPatienceCountsCallsThatTakeLong: a call that is throttled again and again, or that hangs, takes minutes before it is
// given up. That is time in which the platform was asked.
func TestPatienceCountsCallsThatTakeLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.before = hang(7 * time.Minute)
		r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("99991400") }
		r.add(r.chat(0))
		began := time.Now()
		err := r.session(t.Context())
		mustContain(t, err, "feishu", "EXTRACTOR_PATIENCE", "99991400")
		if took := time.Since(began); took < 15*time.Minute || took > 30*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
