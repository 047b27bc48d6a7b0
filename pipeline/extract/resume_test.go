package extract_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// retried is the record that containers retry writes of a container in an epoch.
func retried(c schemas.Container, epoch int64) schemas.Container {
	c.Epoch, c.Resume = epoch, true
	return c
}

// failsAt makes a page of a chat its platform's refusal, in epochs up to one. The cursor stays, as a source leaves it.
func failsAt(page, epochs int64) func(*schemas.Container, int64, *connectors.Page) {
	return func(c *schemas.Container, n int64, p *connectors.Page) {
		if c.Kind != schemas.KindChat || n != page || c.Epoch > epochs {
			return
		}
		p.Final, p.Failed, p.Items = true, &connectors.Failure{Code: "230002", Message: "the bot is not in the chat"}, 0
		pages := p.Next.Pages
		p.Next = position(c, n-1)
		p.Next.Pages = pages
	}
}

// bodies are what the pages of some epochs of a container hold, those without a response and those that failed left out.
func (s *state) bodies(c *schemas.Container, failed string, epochs ...int64) []string {
	var all []string
	for _, e := range epochs {
		for _, p := range s.pages[run{schemas.ContainerKey(c.Key), e}] {
			if b := string(p.Body); b != "" && b != failed {
				all = append(all, b)
			}
		}
	}
	return all
}

func wantBodies(t *testing.T, got []string, c schemas.Container, pages ...[2]int64) {
	t.Helper()
	var want []string
	for _, p := range pages { // epoch, page
		c.Epoch = p[0]
		want = append(want, pageName(&c, p[1]))
	}
	if !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

// TestRetryGoesOn fails a chat in its third page, twice, and retries it in the same process and in another one.
func TestRetryGoesOn(t *testing.T) {
	for name, sameProcess := range map[string]bool{"in the same session": true, "in the next session": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				c := r.chat(0)
				r.book.pages[c.ID] = 5
				fails := failsAt(3, 2)
				r.book.edit = func(c *schemas.Container, n int64, p *connectors.Page) {
					threads(c, n, p)
					fails(c, n, p)
				}
				r.add(c)
				ctx, cancel := context.WithCancelCause(t.Context())
				if sameProcess {
					r.conf.Once = false
					done := make(chan error, 1)
					go func() { done <- r.session(ctx) }()
					for epoch := int64(2); epoch <= 3; epoch++ {
						time.Sleep(time.Minute)
						r.add(retried(c, epoch))
					}
					time.Sleep(time.Minute)
					cancel(errStop)
					if err := <-done; !errors.Is(err, errStop) {
						t.Fatal(err)
					}
				} else {
					cancel(nil)
					for epoch := int64(2); epoch <= 3; epoch++ {
						r.toTheEnd()
						r.add(retried(c, epoch))
					}
					r.toTheEnd()
				}
				s := r.check()
				wantBodies(t, s.bodies(&c, pageName(&c, 3), 1), c, [2]int64{1, 1}, [2]int64{1, 2})
				if second := s.pages[run{schemas.ContainerKey(c.Key), 2}]; len(second) != 1 || second[0].Number != 1 || second[0].Prev != "" || !second[0].Final {
					t.Errorf("epoch 2 has pages %+v", second)
				}
				wantBodies(t, s.bodies(&c, "", 3), c, [2]int64{3, 3}, [2]int64{3, 4}, [2]int64{3, 5})
				cp := s.checkpoints[schemas.ContainerKey(c.Key)]
				if cp.Epoch != 3 || cp.State != schemas.StateComplete || cp.Pages != 3 || cp.Items != 9 || cp.Calls != 6 || *cp.Watermark != position(&c, 5).Watermark {
					t.Errorf("checkpoint %+v", cp)
				}
				for n := 1; n <= 5; n++ { // each thread is read once, in the epoch that is not resumed
					th := thread(&c, n)
					r.whole(s, &th)
					if s.count(th.Key, 1) != 1 || s.count(th.Key, 2)+s.count(th.Key, 3) != 0 {
						t.Errorf("%s is written %d, %d and %d times", th.Key, s.count(th.Key, 1), s.count(th.Key, 2), s.count(th.Key, 3))
					}
				}
			})
		})
	}
}

// TestRetryBeginsFromTheStart where there is nothing to go on from.
func TestRetryBeginsFromTheStart(t *testing.T) {
	for name, tt := range map[string]struct {
		records func(c schemas.Container) []schemas.Container
		fails   int64 // page of epoch 1, 0: none
		cancel  int64 // page of epoch 1 after which it is cancelled
		epoch   int64 // that is read in the end
	}{
		"it failed at once":           {func(c schemas.Container) []schemas.Container { return []schemas.Container{retried(c, 2)} }, 1, 0, 2},
		"it was complete":             {func(c schemas.Container) []schemas.Container { return []schemas.Container{retried(c, 2)} }, 0, 0, 2},
		"somebody asked for all":      {func(c schemas.Container) []schemas.Container { return []schemas.Container{retried(c, 2), again(c)} }, 3, 0, 2},
		"somebody had asked for all":  {func(c schemas.Container) []schemas.Container { return []schemas.Container{again(c), retried(c, 2)} }, 3, 0, 2},
		"an epoch for all was passed": {func(c schemas.Container) []schemas.Container { return []schemas.Container{again(c), retried(c, 3)} }, 3, 0, 3},
		"it was never begun":          {func(c schemas.Container) []schemas.Container { return []schemas.Container{retried(c, 7)} }, 3, -1, 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				c := r.chat(0)
				r.book.pages[c.ID] = 4
				if tt.fails > 0 {
					r.book.edit = failsAt(tt.fails, 1)
				}
				if tt.cancel == 0 {
					r.add(c)
					r.toTheEnd()
				}
				r.add(tt.records(c)...)
				r.toTheEnd()
				c.Epoch = tt.epoch
				r.whole(r.check(), &c)
			})
		})
	}
}

// TestRetryOfWhatWasCancelled goes on where the cancellation came, through an epoch that resumed and was cancelled before it
// began.
func TestRetryOfWhatWasCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.pages[c.ID] = 6
		r.book.before = func(ctx context.Context, of *schemas.Container, n int64) {
			if of.Epoch == 1 && n == 4 {
				r.add(cancelled(c))
				<-ctx.Done()
			}
		}
		r.add(c)
		r.toTheEnd()
		r.add(retried(c, 2), cancelled(retried(c, 2)))
		r.toTheEnd()
		r.add(retried(c, 3))
		r.toTheEnd()
		s := r.check()
		wantBodies(t, s.bodies(&c, "", 1, 2, 3), c, [2]int64{1, 1}, [2]int64{1, 2}, [2]int64{1, 3}, [2]int64{3, 4}, [2]int64{3, 5}, [2]int64{3, 6})
		if cp := s.checkpoints[schemas.ContainerKey(c.Key)]; cp.State != schemas.StateComplete || cp.Pages != 3 {
			t.Errorf("checkpoint %+v", cp)
		}
	})
}

// TestRetrySupersedes resumes an epoch that is still being read: it ends, and the new one goes on where it came to.
func TestRetrySupersedes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.pages[c.ID] = 5
		r.book.before = func(ctx context.Context, of *schemas.Container, n int64) {
			if of.Epoch == 1 && n == 3 {
				r.add(retried(c, 2))
				<-ctx.Done()
			}
		}
		r.add(c)
		r.toTheEnd()
		s := r.check()
		wantBodies(t, s.bodies(&c, "", 1, 2), c, [2]int64{1, 1}, [2]int64{1, 2}, [2]int64{2, 3}, [2]int64{2, 4}, [2]int64{2, 5})
		old := s.pages[run{schemas.ContainerKey(c.Key), 1}]
		empty(t, old[len(old)-1], "superseded")
	})
}

// TestRetryThatWaits has the platform give nothing when a retry begins, for longer than the process lives: where to go on is in
// the checkpoint that says so. Somebody who then asks for all gets all.
func TestRetryThatWaits(t *testing.T) {
	for name, all := range map[string]bool{"goes on": false, "is to read all": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				c := r.chat(0)
				r.book.pages[c.ID] = 4
				r.book.edit = failsAt(3, 1)
				r.add(c)
				r.toTheEnd()
				r.add(retried(c, 2))
				r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("503") }
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errStop)
				defer cancel()
				if err := r.session(ctx); !errors.Is(err, errStop) {
					t.Fatal(err)
				}
				if cp := r.check().checkpoints[schemas.ContainerKey(c.Key)]; cp.Epoch != 2 || cp.State != schemas.StateWaiting || cp.Pages != 0 || cp.Cursor == nil {
					t.Fatalf("checkpoint %+v", cp)
				}
				r.book.fail = nil
				if all {
					r.add(again(c))
				}
				r.toTheEnd()
				s := r.check()
				c.Epoch = 2
				if all {
					r.whole(s, &c)
					return
				}
				wantBodies(t, s.bodies(&c, "", 2), c, [2]int64{2, 3}, [2]int64{2, 4})
			})
		})
	}
}

// TestRetryOfOtherKinds: conversations, threads and lists of messages go on, too.
func TestRetryOfOtherKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		other := &book{t: t, pages: map[string]int{}}
		r.conf.Platforms[schemas.Yunxin] = extract.Platform{Source: other, TenantID: "appkey"}
		talk := conversation("p2p:alice:bob")
		refs := talk
		refs.Kind, refs.Refs = schemas.KindMessages, []schemas.MessageRef{{MessageID: "1"}, {MessageID: "2"}}
		refs.Key = string(schemas.NewContainerKey(refs.Platform, refs.TenantID, refs.Kind, "p2p:alice:bob!0011223344556677"))
		th := thread(new(r.chat(0)), 1)
		other.pages[talk.ID], r.book.pages[th.ID] = 5, 5
		fails := failsAt(3, 1)
		edit := func(c *schemas.Container, n int64, p *connectors.Page) {
			of := *c
			of.Kind = schemas.KindChat
			fails(&of, n, p)
		}
		r.book.edit, other.edit = edit, edit
		all := []schemas.Container{talk, refs, th}
		r.add(all...)
		r.toTheEnd()
		for _, c := range all {
			r.add(retried(c, 2))
		}
		r.toTheEnd()
		s := r.check()
		for _, c := range all {
			wantBodies(t, s.bodies(&c, pageName(&c, 3), 1, 2), c, [2]int64{1, 1}, [2]int64{1, 2}, [2]int64{2, 3}, [2]int64{2, 4}, [2]int64{2, 5})
		}
	})
}

// TestDismissed cancels a chat that has failed: it counts as cancelled, and a retry goes on all the same.
func TestDismissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.pages[c.ID] = 4
		r.book.edit = failsAt(3, 1)
		r.add(c)
		r.toTheEnd()
		r.add(cancelled(c))
		commits := r.log.Attempts()
		e := extract.New(r.conf)
		if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil {
			t.Fatal(err)
		}
		if sum := e.Summary(); sum.Failed != 0 || sum.Cancelled != 1 || len(sum.Failures) != 0 || r.log.Attempts() != commits {
			t.Errorf("%d commits, summary %+v", r.log.Attempts()-commits, sum)
		}
		r.add(retried(c, 2))
		r.toTheEnd()
		wantBodies(t, r.check().bodies(&c, "", 2), c, [2]int64{2, 3}, [2]int64{2, 4})
	})
}
