package extract_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

func fatal(code string) *connectors.Error {
	return &connectors.Error{Class: connectors.ClassFatal, API: schemas.FeishuMessagesList, Code: code, Message: "the app lacks a permission", Calls: 1}
}

// wide refuses a container with a code that is not about it alone.
func wide(p *connectors.Page, code string) {
	p.Final, p.Failed, p.Items = true, &connectors.Failure{Code: code, Message: "the app may not read this chat", Wide: true}, 0
	p.Code, p.Next = code, connectors.Position{}
}

// state expects containers to be in a state with a code, "" for any.
func (r *rig) state(s *state, cs []schemas.Container, want, code string) {
	r.t.Helper()
	for i := range cs {
		cp := s.checkpoints[schemas.ContainerKey(cs[i].Key)]
		if cp.State != want || code != "" && deref(cp.ErrorCode) != code {
			r.t.Errorf("%s is %s (%s), want %s (%s)", cs[i].Key, cp.State, deref(cp.ErrorCode), want, code)
		}
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (r *rig) chats(n int) (all []schemas.Container) {
	for i := range n {
		all = append(all, r.chat(i))
	}
	r.add(all...)
	return all
}

// TestRefusedAppWaits: a platform that refuses the app waits with the code, is asked once a minute, says so in one line a
// minute, and goes on by itself; the other goes on all the while, and so does the process.
func TestRefusedAppWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		var lines bytes.Buffer
		r.conf.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelError}))
		r.conf.Patience = time.Hour
		other := r.two()
		good := conversation("p2p:alice:bob")
		other.pages[good.ID] = 600
		other.before = hang(time.Second)
		all := r.chats(100)
		r.add(good)
		began := time.Now()
		asked := 0
		r.book.fail = func(*schemas.Container, int64, int) error {
			if time.Since(began) < 10*time.Minute-time.Second {
				asked++
				return fatal("99991672")
			}
			return nil
		}
		time.AfterFunc(5*time.Minute, func() {
			s := r.check()
			r.state(s, []schemas.Container{good}, schemas.StateRunning, "")
			waiting := 0
			for i := range all {
				if cp := s.checkpoints[schemas.ContainerKey(all[i].Key)]; cp.State == schemas.StateWaiting && deref(cp.ErrorCode) == "99991672" && deref(cp.ErrorMessage) != "" {
					waiting++
				}
			}
			if waiting == 0 {
				t.Error("no checkpoint says that its container waits, and why")
			}
		})
		if err := r.session(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.allEnded(r.check())
		if took := time.Since(began); took > 10*time.Minute+time.Second {
			t.Errorf("it took %v", took)
		}
		if most := 64 + 10; asked > most { // places, and a probe a minute
			t.Errorf("%d calls were made in vain, want %d at most", asked, most)
		}
		if n := strings.Count(lines.String(), "refuses the app"); n < 9 || n > 11 {
			t.Errorf("%d lines in 10 minutes:\n%s", n, lines.String())
		}
	})
}

// TestRefusedForSeconds: a token that worked and is refused for some seconds costs a minute, and nothing else.
func TestRefusedForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.before = hang(time.Second)
		began := time.Now()
		r.book.fail = func(*schemas.Container, int64, int) error {
			if d := time.Since(began); d > 30*time.Second && d < 35*time.Second {
				e := fatal("10014")
				e.API = "feishu.auth" // no lane's: the whole platform's
				return e
			}
			return nil
		}
		all := r.chats(100)
		for i := range all {
			r.book.pages[all[i].ID] = 20
		}
		if n := r.toTheEnd(); n != 1 {
			t.Errorf("%d sessions", n)
		}
		s := r.check()
		for i := range all {
			r.whole(s, &all[i])
		}
		if took := time.Since(began); took > 3*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestOnceEndsByPatienceWhereTheAppIsRefused, with the code.
func TestOnceEndsByPatienceWhereTheAppIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.fail = func(*schemas.Container, int64, int) error { return fatal("99991672") }
		all := r.chats(3)
		began := time.Now()
		err := r.session(t.Context())
		mustContain(t, err, "feishu", "EXTRACTOR_PATIENCE", "99991672")
		if took := time.Since(began); took < 15*time.Minute || took > 17*time.Minute {
			t.Errorf("it took %v", took)
		}
		r.state(r.check(), all, schemas.StateWaiting, "99991672")
	})
}

// TestOneAPIThatIsRefused leaves the platform's other API alone, where that works.
func TestOneAPIThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Once = false
		chat := r.chat(0)
		r.book.pages[chat.ID] = 600
		r.book.before = hang(time.Second)
		asked := 0
		r.book.fail = func(c *schemas.Container, _ int64, _ int) error {
			if c.Kind == schemas.KindMessage {
				asked++
				e := fatal("99991672")
				e.API = schemas.FeishuMessagesGet
				return e
			}
			return nil
		}
		r.add(chat)
		time.AfterFunc(10*time.Second, func() { r.add(lookUp(chat, 1), lookUp(chat, 2)) })
		ctx, cancel := context.WithTimeout(t.Context(), 601*time.Second)
		defer cancel()
		_ = r.session(ctx)
		s := r.check()
		r.whole(s, &chat)
		if asked > 13 {
			t.Errorf("%d calls in vain in ten minutes", asked)
		}
	})
}

// TestTenInARow: where container after container is refused with one code that is not about it alone, none has failed: the
// platform waits. Once ends with the code, a worker asks once a minute, and goes on when it answers.
func TestTenInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) { wide(p, "230027") }
		all := r.chats(30)
		began := time.Now()
		err := r.session(t.Context())
		mustContain(t, err, "feishu", "230027", "10 in a row")
		if took := time.Since(began); took > time.Second {
			t.Errorf("Once took %v to end", took)
		}
		s := r.check()
		if n := len(s.pages); n != 0 {
			t.Errorf("%d containers have pages", n)
		}
		waiting := 0
		for i := range all {
			if cp, ok := s.checkpoints[schemas.ContainerKey(all[i].Key)]; ok {
				waiting++
				if cp.State != schemas.StateWaiting || *cp.ErrorCode != "230027" || cp.Pages != 0 || cp.Cursor != nil {
					t.Errorf("checkpoint %+v", cp)
				}
			}
		}
		if waiting < 10 {
			t.Errorf("%d containers wait, want ten at least", waiting)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		var lines bytes.Buffer
		r.conf.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelError}))
		r.conf.Once = false
		var refused atomic.Int64
		began := time.Now()
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) {
			if time.Since(began) < time.Hour {
				refused.Add(1)
				wide(p, "230027")
			}
		}
		all := r.chats(300)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour+2*time.Minute)
		defer cancel()
		_ = r.session(ctx)
		s := r.check()
		for i := range all {
			r.whole(s, &all[i])
		}
		if n := refused.Load(); n > 64+60 {
			t.Errorf("%d calls in an hour", n)
		}
		if n := strings.Count(lines.String(), "refuses the app"); n > 61 {
			t.Errorf("%d lines in an hour", n)
		}
	})
}

// TestRefusalsThatAreNoRow fail as they are: with something answered in between, with other codes, or with nothing else left
// to do.
func TestRefusalsThatAreNoRow(t *testing.T) {
	for name, f := range map[string]struct {
		n    int
		edit func(i int, p *connectors.Page) (fails string)
	}{
		"nine": {9, func(_ int, p *connectors.Page) string { wide(p, "230027"); return "230027" }},
		"answers in between": {40, func(i int, p *connectors.Page) string {
			if i%9 == 8 {
				return ""
			}
			wide(p, "230027")
			return "230027"
		}},
		"refusals of one in between": {40, func(i int, p *connectors.Page) string {
			if wide(p, "230027"); i%9 == 8 {
				p.Failed = &connectors.Failure{Code: "230002", Message: "the bot is not in the chat"}
			}
			return p.Failed.Code
		}},
		"two codes in turn": {40, func(i int, p *connectors.Page) string {
			code := []string{"230027", "230013"}[i%2]
			wide(p, code)
			return code
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				r.conf.Workers = 1 // one after another
				fails := map[string]string{}
				r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
					fails[c.Key] = f.edit(len(fails), p)
				}
				all := r.chats(f.n)
				began := time.Now()
				if n := r.toTheEnd(); n != 1 {
					t.Fatalf("%d sessions", n)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("it took %v", took)
				}
				s := r.check()
				for i := range all {
					want := schemas.StateComplete
					if fails[all[i].Key] != "" {
						want = schemas.StateFailed
					}
					r.state(s, all[i:i+1], want, fails[all[i].Key])
				}
			})
		})
	}
}

// TestTenInARowForEveryFault lets each commit fail in every way while refusals are held and taken back, in the midst of
// containers. Nothing is lost or doubled, none has ended, and all go on from where they were.
func TestTenInARowForEveryFault(t *testing.T) {
	for outcome := memlog.Refused; outcome <= memlog.Kept; outcome++ {
		for k := 1; k < 20; k++ {
			synctest.Test(t, func(t *testing.T) {
				first := 0 // commit of the refused sessions
				r := newRig(t, 1, memlog.Faults{Commit: func(n int) memlog.Outcome {
					if first > 0 && n == first+k {
						return outcome
					}
					return memlog.Done
				}})
				r.book.fail = func(_ *schemas.Container, n int64, _ int) error {
					if n == 2 {
						return unavailable("503")
					}
					return nil
				}
				all := r.chats(14)
				for i := range all {
					r.book.pages[all[i].ID] = 3
				}
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer cancel()
				_ = r.session(ctx)
				first = r.log.Attempts()
				r.book.fail = nil
				r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) { wide(p, "230027") }
				err := memlog.ErrFault
				for n := 0; errors.Is(err, memlog.ErrFault) && n < 5; n++ {
					err = r.session(t.Context())
				}
				mustContain(t, err, "230027")
				s := r.check()
				for i := range all {
					cp := s.checkpoints[schemas.ContainerKey(all[i].Key)]
					if cp.Ended() || cp.Pages != 1 || deref(cp.Cursor) != string(position(&all[i], 1).Cursor) {
						t.Errorf("outcome %d at commit %d: checkpoint %+v", outcome, k, cp)
					}
				}
				r.book.edit = nil
				r.toTheEnd()
				s = r.check()
				for i := range all {
					r.whole(s, &all[i])
				}
			})
		}
	}
}

// TestHeldRefusalThatChanges: a container whose refusal is held may be cancelled or asked for again all the same.
func TestHeldRefusalThatChanges(t *testing.T) {
	for name, change := range map[string]func(schemas.Container) schemas.Container{"cancelled": cancelled, "again": again} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{})
				r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
					if c.Epoch == 1 {
						wide(p, "230027")
					}
				}
				c := r.chats(1)[0]
				time.AfterFunc(time.Second, func() { r.add(change(c)) })
				r.toTheEnd()
				s := r.check()
				r.allEnded(s)
				if name == "cancelled" {
					empty(t, r.ended(s, &c, schemas.StateCancelled, 1), "cancelled")
					return
				}
				c = again(c)
				r.whole(s, &c)
				if n := len(s.pages[run{schemas.ContainerKey(c.Key), 1}]); n != 0 {
					t.Errorf("the epoch before was never begun and has %d pages", n)
				}
			})
		})
	}
}

// TestTenInARowOverPartitions: a row is the platform's, whichever partition its containers lie in.
func TestTenInARowOverPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 12, memlog.Faults{})
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) { wide(p, "230027") }
		for p := range int32(12) {
			r.add(r.chatIn(p, int(p)))
		}
		for _, err := range r.everyPartition() {
			mustContain(t, err, "feishu", "230027")
		}
		waiting := 0
		for _, cp := range r.check().checkpoints {
			if cp.State != schemas.StateWaiting {
				t.Errorf("checkpoint %+v", cp)
			}
			waiting++
		}
		if waiting < 10 {
			t.Errorf("%d wait", waiting)
		}
	})
}
