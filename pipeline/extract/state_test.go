package extract_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

func cancelled(c schemas.Container) schemas.Container { c.Cancelled = true; return c }
func again(c schemas.Container) schemas.Container     { c.Epoch++; return c }

// ended expects the state of a container and gives its last page.
func (r *rig) ended(s *state, c *schemas.Container, want string, pages int) schemas.Page {
	r.t.Helper()
	key := schemas.ContainerKey(c.Key)
	chain := s.pages[run{key, c.Epoch}]
	if got := s.checkpoints[key].State; got != want || len(chain) != pages {
		r.t.Fatalf("%s epoch %d is %q after %d pages, want %q after %d", key, c.Epoch, got, len(chain), want, pages)
	}
	return chain[pages-1]
}

// empty expects a page that no response stands behind.
func empty(t testing.TB, p schemas.Page, why string) {
	t.Helper()
	if !p.Final || len(p.Body) != 0 || p.HTTPStatus != 0 || p.Error != why || p.Request != "" || p.Code != "" || p.Type != schemas.FeishuMessagesList {
		t.Errorf("last page %+v is not an empty one with reason %q", p, why)
	}
}

func TestCancelled(t *testing.T) {
	t.Run("before the start", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			c := r.chat(0)
			r.add(c, cancelled(c))
			r.toTheEnd()
			empty(t, r.ended(r.check(), &c, schemas.StateCancelled, 1), "cancelled")
			if len(r.book.asked) != 0 {
				t.Errorf("the platform was asked for %v", r.book.asked)
			}
		})
	})
	t.Run("while it is read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			c := r.chat(0)
			r.book.pages[c.ID] = 10
			r.book.before = func(ctx context.Context, _ *schemas.Container, n int64) {
				if n == 4 {
					r.add(cancelled(c))
					<-ctx.Done()
				}
			}
			r.add(c)
			r.toTheEnd()
			empty(t, r.ended(r.check(), &c, schemas.StateCancelled, 4), "cancelled")
		})
	})
	t.Run("while its platform gives nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			c := r.chat(0)
			r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("503") }
			r.add(c)
			time.AfterFunc(time.Second, func() { r.add(cancelled(c)) })
			began := time.Now()
			r.toTheEnd()
			empty(t, r.ended(r.check(), &c, schemas.StateCancelled, 1), "cancelled")
			if took := time.Since(began); took != time.Second {
				t.Errorf("it took %v to notice", took)
			}
		})
	})
	t.Run("after its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			c := r.chat(0)
			r.add(c)
			r.toTheEnd()
			r.add(cancelled(c))
			commits := r.log.Attempts()
			r.toTheEnd()
			r.whole(r.check(), &c)
			if r.log.Attempts() != commits {
				t.Error("something was committed for a container that had ended")
			}
		})
	})
}

func TestAskedForAgain(t *testing.T) {
	for name, stop := range map[string]bool{"in the same session": false, "in the next session": true} {
		t.Run("while it is read, "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				c := r.chat(0)
				r.book.pages[c.ID] = 5
				ctx, cancel := context.WithCancelCause(t.Context())
				r.book.before = func(inner context.Context, c *schemas.Container, n int64) {
					if c.Epoch == 1 && n == 3 {
						r.add(again(*c))
						if stop {
							cancel(errStop)
						}
						<-inner.Done()
					}
				}
				r.add(c)
				if err := r.session(ctx); stop != errors.Is(err, errStop) {
					t.Fatal(err)
				}
				r.toTheEnd()
				s := r.check()
				old := s.pages[run{schemas.ContainerKey(c.Key), 1}]
				if len(old) != 3 {
					t.Fatalf("epoch 1 has %d pages", len(old))
				}
				empty(t, old[2], "superseded")
				c = again(c)
				r.whole(s, &c)
			})
		})
	}
	t.Run("before its first page", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			c := r.chat(0)
			r.book.fail = func(c *schemas.Container, _ int64, _ int) error {
				if c.Epoch == 1 {
					return unavailable("503")
				}
				return nil
			}
			r.add(c)
			time.AfterFunc(time.Second, func() { r.add(again(c)) })
			r.toTheEnd()
			s := r.check()
			old := s.pages[run{schemas.ContainerKey(c.Key), 1}]
			if len(old) != 1 {
				t.Fatalf("epoch 1, which was begun, has %d pages", len(old))
			}
			empty(t, old[0], "superseded")
			c = again(c)
			r.whole(s, &c)
		})
	})
	t.Run("after its end", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			r.book.edit = threads
			c := r.chat(0)
			r.book.pages[c.ID] = 2
			r.add(c)
			r.toTheEnd()
			c = again(c)
			r.add(c)
			r.toTheEnd()
			s := r.check()
			r.whole(s, &c)
			th := thread(&c, 1)
			r.whole(s, &th) // written again with the chat's epoch
			if s.count(th.Key, 1) != 1 || s.count(th.Key, 2) != 1 {
				t.Errorf("the thread stands %d and %d times in the topic of containers", s.count(th.Key, 1), s.count(th.Key, 2))
			}
		})
	})
}

func TestModeFollowFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		c.Mode = "follow"
		r.add(c)
		r.toTheEnd()
		s := r.check()
		empty(t, r.ended(s, &c, schemas.StateFailed, 1), "mode")
		if cp := s.checkpoints[schemas.ContainerKey(c.Key)]; *cp.ErrorCode != "mode" {
			t.Errorf("checkpoint %+v", cp)
		}
	})
}

// TestOthersAreLeftAlone has containers of a platform that is off and of another tenant: Once passes them by.
func TestOthersAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		off, other := r.chat(0), r.chat(1)
		off.Platform, off.Kind = schemas.Yunxin, schemas.KindConversation
		off.Key = string(schemas.NewContainerKey(off.Platform, off.TenantID, off.Kind, off.ID))
		other.TenantID = "cli_2"
		other.Key = string(schemas.NewContainerKey(other.Platform, other.TenantID, other.Kind, other.ID))
		c := r.chat(2)
		r.add(off, other, c)
		e := extract.New(r.conf)
		if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil {
			t.Fatal(err)
		}
		s := r.check()
		r.whole(s, &c)
		if len(s.checkpoints) != 1 || e.Summary().Containers != 1 {
			t.Errorf("checkpoints %v, summary %+v", s.checkpoints, e.Summary())
		}
	})
}

// TestFailedContainerOfAPlatformThatIsOffDoesNotCount turns a platform off after a container of it failed.
func TestFailedContainerOfAPlatformThatIsOffDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) {
			p.Final, p.Failed = true, &connectors.Failure{Code: "230002", Message: "the bot is not in the chat"}
		}
		r.add(r.chat(0))
		e := extract.New(r.conf)
		if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil || e.Summary().Failed != 1 || len(e.Summary().Failures) != 1 {
			t.Fatalf("%v: summary %+v", err, e.Summary())
		}
		r.conf.Platforms = map[string]extract.Platform{}
		e = extract.New(r.conf)
		if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil || e.Summary().Failed != 0 {
			t.Errorf("%v: summary %+v", err, e.Summary())
		}
	})
}

// TestFailureLeavesTheCursor ends a container in its second page: the checkpoint says where and why.
func TestFailureLeavesTheCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c, fine := r.chat(0), r.chat(1)
		r.book.pages[c.ID], r.book.pages[fine.ID] = 9, 3
		r.book.edit = func(of *schemas.Container, n int64, p *connectors.Page) {
			if of.Key == c.Key && n == 2 {
				p.Final, p.Failed, p.Next = true, &connectors.Failure{Code: "99999", Message: "bad \xff words"}, position(of, 1)
				p.Next.Pages = 2
			}
		}
		r.add(c, fine)
		r.toTheEnd()
		s := r.check()
		r.ended(s, &c, schemas.StateFailed, 2)
		r.whole(s, &fine)
		cp := s.checkpoints[schemas.ContainerKey(c.Key)]
		if cp.Cursor == nil || *cp.Cursor != string(position(&c, 1).Cursor) || *cp.ErrorCode != "99999" || *cp.ErrorMessage != "bad \uFFFD words" {
			t.Errorf("checkpoint %+v", cp)
		}
		if done := s.checkpoints[schemas.ContainerKey(fine.Key)]; done.Cursor != nil || done.ErrorCode != nil || *done.Watermark != position(&fine, 3).Watermark || done.Items != 9 || done.Calls != 6 {
			t.Errorf("checkpoint %+v", done)
		}
	})
}

// TestWaiting has a platform that gives nothing for a while, then goes on.
func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.pages[c.ID] = 3
		var at []time.Duration
		began := time.Now()
		r.book.fail = func(_ *schemas.Container, n int64, tries int) error {
			if n != 2 || tries > 8 {
				return nil
			}
			at = append(at, time.Since(began))
			e := unavailable("5" + strconv.Itoa(min(tries, 2)))
			if tries == 8 {
				e.RetryAfter = 10 * time.Minute
			}
			return e
		}
		r.add(c)
		r.toTheEnd()
		s := r.check()
		r.whole(s, &c)
		for i, want := range []int{5, 10, 20, 40, 80, 120, 120} {
			if got := at[i+1] - at[i]; got != time.Duration(want)*time.Second {
				t.Errorf("pause %d took %v, want %vs", i+1, got, want)
			}
		}
		if got := time.Since(began) - at[7]; got != 10*time.Minute {
			t.Errorf("the platform asked for ten minutes and was asked again after %v", got)
		}
		var said []string
		for _, rec := range r.log.Records(topics.Checkpoints, 0) {
			cp := decoded[schemas.Checkpoint](t, schemas.CheckpointSchema, &rec)
			word := cp.State
			if cp.ErrorCode != nil {
				word += " " + *cp.ErrorCode
			}
			said = append(said, word)
		}
		if cp := s.checkpoints[schemas.ContainerKey(c.Key)]; cp.Calls != 3*2+8*4 {
			t.Errorf("%d calls, want 6 of pages and 32 in vain", cp.Calls)
		}
		want := []string{"RUNNING", "WAITING 51", "WAITING 52", "RUNNING", "COMPLETE"}
		if len(said) != len(want) {
			t.Fatalf("checkpoints %q, want %q", said, want)
		}
		for i := range want {
			if said[i] != want[i] {
				t.Fatalf("checkpoints %q, want %q", said, want)
			}
		}
	})
}

func TestPatienceOfOnce(t *testing.T) {
	for name, once := range map[string]bool{"once": true, "long-running": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				r.conf.Once, r.conf.Patience = once, time.Minute
				r.book.fail = func(*schemas.Container, int64, int) error { return unavailable("503") }
				r.add(r.chat(0))
				ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errStop)
				defer cancel()
				began := time.Now()
				err := r.session(ctx)
				if !once {
					if !errors.Is(err, errStop) {
						t.Errorf("a worker has ended with %v after %v", err, time.Since(began))
					}
					return
				}
				mustContain(t, err, "feishu", "EXTRACTOR_PATIENCE", "503")
				if took := time.Since(began); took < time.Minute || took > 3*time.Minute {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// TestSourcesThatBreakTheirWord: what a source does to one container ends neither the session nor the others. With Once it
// ends by patience.
func TestSourcesThatBreakTheirWord(t *testing.T) {
	for name, f := range map[string]struct {
		source func(*rig) connectors.Source
		says   string
	}{
		"a foreign error": {func(r *rig) connectors.Source { return r.book }, "stop"},
		"no final page":   {func(r *rig) connectors.Source { return endless{false, r.book} }, "leads back to itself"},
		"nothing at all":  {func(r *rig) connectors.Source { return endless{true, r.book} }, "without a final page"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				other := &book{t: t, pages: map[string]int{}}
				r.conf.Platforms[schemas.Yunxin] = extract.Platform{Source: other, TenantID: "appkey"}
				bad, good := r.chat(0), conversation("p2p:alice:bob")
				r.book.fail = func(*schemas.Container, int64, int) error { return errStop }
				r.conf.Platforms[schemas.Feishu] = extract.Platform{Source: f.source(r), TenantID: tenant}
				other.pages[good.ID] = 40
				other.before = func(context.Context, *schemas.Container, int64) { time.Sleep(time.Second) }
				r.add(bad, good)
				mustContain(t, r.session(t.Context()), "feishu", "EXTRACTOR_PATIENCE", f.says)
				s := r.check()
				if got := s.checkpoints[schemas.ContainerKey(good.Key)].State; got != schemas.StateComplete {
					t.Errorf("the other platform's container is %s", got)
				}
				if cp := s.checkpoints[schemas.ContainerKey(bad.Key)]; cp.State != schemas.StateWaiting || *cp.ErrorCode != "source_error" {
					t.Errorf("the checkpoint says %+v", cp)
				}
			})
		})
	}
}
