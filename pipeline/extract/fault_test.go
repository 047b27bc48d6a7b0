package extract_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// threads makes a chat's pages show one thread each, with an opening and an expansion.
func threads(c *schemas.Container, n int64, p *connectors.Page) {
	if c.Kind != schemas.KindChat {
		return
	}
	p.Found = []schemas.Container{{Kind: schemas.KindThread, ID: fmt.Sprintf("omt_%s_%d", c.ID, n), Cause: schemas.CauseThread}}
	p.Expansions = []connectors.Response{{
		Type: schemas.FeishuMessagesGet, Request: fmt.Sprintf("GET /om_%d", n), Subject: fmt.Sprintf("om_%d", n), HTTPStatus: 200, Code: "0", Time: p.Time,
	}}
	if n == 1 {
		p.Opening = []connectors.Response{{Type: schemas.FeishuChatsGet, Request: "GET /chats/" + c.ID, HTTPStatus: 200, Code: "0", Time: p.Time}}
	}
}

func thread(of *schemas.Container, n int) schemas.Container {
	c := *of
	c.Kind, c.ID = schemas.KindThread, fmt.Sprintf("omt_%s_%d", of.ID, n)
	c.Key = string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID))
	return c
}

// TestEveryFaultOfACommitLeavesEachPageOnce lets every k-th commit fail in every way, each time with a new process after
// it, and holds what is there in the end against what the platform gave.
func TestEveryFaultOfACommitLeavesEachPageOnce(t *testing.T) {
	const chats, pages = 3, 4
	scenario := func(t *testing.T, commit func(int) memlog.Outcome) (sessions int, r *rig) {
		r = newRig(t, 1, memlog.Faults{Commit: commit})
		r.book.edit = threads
		var all []schemas.Container
		for i := range chats {
			c := r.chat(i)
			r.book.pages[c.ID] = pages
			all = append(all, c)
			for n := range pages {
				th := thread(&c, n+1)
				r.book.pages[th.ID] = 2
				all = append(all, th)
			}
		}
		r.add(all[0], all[1+pages], all[2+2*pages])
		sessions = r.toTheEnd()
		s := r.check()
		for i := range all {
			r.whole(s, &all[i])
			if n := s.count(all[i].Key, 1); n != 1 {
				t.Errorf("%s stands %d times in the topic of containers", all[i].Key, n)
			}
			if others := s.others[run{schemas.ContainerKey(all[i].Key), 1}]; all[i].Kind == schemas.KindChat && len(others) != pages+1 {
				t.Errorf("%s has %d openings and expansions, want %d", all[i].Key, len(others), pages+1)
			}
		}
		r.allEnded(s)
		return sessions, r
	}
	commits := 0
	synctest.Test(t, func(t *testing.T) {
		_, r := scenario(t, nil)
		commits = r.log.Attempts()
	})
	for name, outcome := range map[string]memlog.Outcome{"refused": memlog.Refused, "aborted": memlog.Aborted, "kept": memlog.Kept} {
		for k := 1; k <= commits; k++ {
			t.Run(fmt.Sprintf("%s at commit %d", name, k), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					faults := 0 // how many commits share a transaction is chance, so there may be fewer than k
					sessions, _ := scenario(t, func(n int) memlog.Outcome {
						if n == k {
							faults++
							return outcome
						}
						return memlog.Done
					})
					if sessions != 1+faults {
						t.Errorf("%d sessions for %d faults", sessions, faults)
					}
				})
			})
		}
		t.Run(name+" at every other commit", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scenario(t, func(n int) memlog.Outcome { return []memlog.Outcome{memlog.Done, outcome}[n%2] })
			})
		})
	}
}

// TestReadFaultsEndTheSession lets each look at a topic fail in turn.
func TestReadFaultsEndTheSession(t *testing.T) {
	for k := int64(1); k < 12; k++ {
		synctest.Test(t, func(t *testing.T) {
			var looks atomic.Int64
			r := newRig(t, 1, memlog.Faults{Read: func(string) error {
				if looks.Add(1) == k {
					return memlog.ErrFault
				}
				return nil
			}})
			r.book.edit = threads
			c := r.chat(1)
			r.book.pages[c.ID] = 3
			r.add(c)
			r.toTheEnd()
			s := r.check()
			r.whole(s, &c)
			r.allEnded(s)
		})
	}
}

// TestEndOfContextWhileCommitting ends ctx while commits are slow. Nothing may hang, be lost or be doubled; a goroutine
// that stays behind fails the bubble.
func TestEndOfContextWhileCommitting(t *testing.T) {
	for after := time.Duration(0); after < 120*time.Millisecond; after += 5 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			slow := func() time.Duration { return 30 * time.Millisecond }
			r := newRig(t, 1, memlog.Faults{CommitTime: slow})
			r.book.edit = threads
			var all []schemas.Container
			for i := range 4 {
				c := r.chat(i)
				r.book.pages[c.ID] = 3
				all = append(all, c)
			}
			r.add(all...)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(after, func() { cancel(errStop) })
			began := time.Now()
			if err := r.session(ctx); err != errStop { //nolint:errorlint // the cause itself is promised
				t.Fatalf("session ended with %v, want the cause", err)
			}
			if took := time.Since(began); took > after+30*time.Millisecond {
				t.Errorf("it took %v to stop after %v", took, after)
			}
			r.check()
			r.toTheEnd()
			s := r.check()
			for i := range all {
				r.whole(s, &all[i])
			}
			r.allEnded(s)
		})
	}
}

type stopped struct{}

func (stopped) Error() string { return "stop" }

var errStop error = stopped{}
