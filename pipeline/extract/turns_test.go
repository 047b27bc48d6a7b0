package extract_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// runs runs a long-running session until stop is called, which expects that nothing else has ended it.
func (r *rig) runs() (stop func()) {
	r.conf.Once = false
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- r.session(ctx) }()
	return func() {
		r.t.Helper()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Error(err)
		}
	}
}

// TestProbesOfARefusalTakeTurns: a platform that refused the app refuses one container still when it works again. The next
// probe asks for another.
func TestProbesOfARefusalTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		all := r.chats(12)
		began, stuck := time.Now(), ""
		r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
			granted := time.Since(began) > 30*time.Second
			if granted && stuck == "" {
				stuck = c.ID // whatever is asked first
			}
			if !granted || c.ID == stuck {
				wide(p, "99991672")
			}
		}
		stop := r.runs()
		time.Sleep(15 * time.Minute)
		stop()
		s := r.check()
		complete := 0
		for i := range all {
			if s.checkpoints[schemas.ContainerKey(all[i].Key)].State == schemas.StateComplete {
				complete++
			}
		}
		if complete != 11 {
			t.Errorf("%d of 12 chats are read 14 minutes after the platform works again, want all but one", complete)
		}
	})
}

// TestRefusedContainersLeaveANewOne: ten containers whose refusals closed the platform are asked for in turn with one that
// nobody has tried yet.
func TestRefusedContainersLeaveANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.chats(10)
		good := r.chat(10)
		r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
			if c.ID != good.ID {
				wide(p, "99991672")
			}
		}
		stop := r.runs()
		time.Sleep(time.Minute)
		r.add(good)
		time.Sleep(30 * time.Minute)
		stop()
		r.state(r.check(), []schemas.Container{good}, schemas.StateComplete, "")
	})
}

// TestFailingContainersLeaveANewOne: two containers that the platform always answers with 503, and that are all there is,
// look like an outage. One that comes later shows that it is none.
func TestFailingContainersLeaveANewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.chats(2)
		good := r.chat(2)
		r.book.fail = func(c *schemas.Container, _ int64, _ int) error {
			if c.ID != good.ID {
				return unavailable("http_503")
			}
			return nil
		}
		stop := r.runs()
		time.Sleep(time.Minute)
		r.add(good)
		time.Sleep(30 * time.Minute)
		stop()
		r.state(r.check(), []schemas.Container{good}, schemas.StateComplete, "")
	})
}

// TestOneContainerIsNoRow: one that is refused, and asked for again each time, is no ten containers.
func TestOneContainerIsNoRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) { wide(p, "230027") }
		c := r.chats(1)[0]
		stop := r.runs()
		for range 12 {
			time.Sleep(time.Second) // it is held
			c = again(c)
			r.add(c)
		}
		time.Sleep(time.Minute)
		stop()
		r.state(r.check(), []schemas.Container{c}, schemas.StateFailed, "230027")
	})
}

// TestRefusalIsKeptBesideAnAPIThatIsRefused: what waits for an API that the app may not use says nothing of a container of
// another API that is refused. It does not wait to be FAILED until that API answers.
func TestRefusalIsKeptBesideAnAPIThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		good, bad := r.chat(0), r.chat(1)
		r.book.fail = func(c *schemas.Container, _ int64, _ int) error {
			if c.Kind == schemas.KindMessage {
				e := fatal("99991672")
				e.API = schemas.FeishuMessagesGet
				return e
			}
			return nil
		}
		r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
			if c.ID == bad.ID {
				wide(p, "230027")
			}
		}
		r.add(good)
		stop := r.runs()
		time.Sleep(time.Second)
		r.add(lookUp(good, 1))
		time.Sleep(time.Second)
		r.add(lookUp(good, 2), bad)
		time.Sleep(30 * time.Second)
		r.state(r.check(), []schemas.Container{bad}, schemas.StateFailed, "230027")
		stop()
	})
}
