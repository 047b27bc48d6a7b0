package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// guard is something that a platform does to a listing, and what must come of it.
type guard struct {
	faults []simulator.Fault // Container theChat and theThread stand for their ids
	// between is what becomes of the platform between two processes.
	between func(*simulator.Feishu)
	// failed are the codes with which chat and thread end as FAILED, "" where they are COMPLETE; all others are COMPLETE.
	chat, thread string
	overlap      bool // pages may show a message again
	large        bool // bodies take long: fewer restarts
	also         func(t *testing.T, s *stage, k *kept)
}

// Stand-ins for ids in faults: a chat of several pages with more than one page in a millisecond, and a thread of it that
// has several pages too.
const (
	theChat   = "the chat"
	theThread = "the thread"
	// Messages of the chat that nothing hangs on: in the middle, and the one after which there is none.
	theMessage = "the message"
	theLast    = "the last message"
)

func list(container string, f simulator.Fault) simulator.Fault {
	f.API, f.Container = simulator.APIMessages, container
	return f
}

// lists is a fault of both.
func lists(f simulator.Fault) []simulator.Fault {
	return []simulator.Fault{list(theChat, f), list(theThread, f)}
}

var html = []byte("<html><body>please log in</body></html>")

var guards = map[string]guard{
	"nothing": {},
	"repeated token": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.RepeatPageToken}), chat: "token_repeated", thread: "token_repeated",
	},
	"tokens A B A B": {
		faults: lists(simulator.Fault{Action: simulator.CyclePageTokens}), chat: "token_repeated", thread: "token_repeated", overlap: true,
	},
	"some empty pages": {faults: lists(simulator.Fault{From: 2, Times: 49, Action: simulator.EmptyPage})},
	"empty pages for ever": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.EmptyPage}), chat: "no_progress", thread: "no_progress",
	},
	"more and no token": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.NoPageToken}), chat: "token_missing", thread: "token_missing",
	},
	"a token at the end": {faults: lists(simulator.Fault{Action: simulator.LastPageToken})},
	"tokens refused after a restart": {
		between: (*simulator.Feishu).RefusePageTokens, overlap: true, also: resumed(0),
	},
	"tokens refused now and then": {
		faults: lists(simulator.Fault{From: 3, Every: 3, Times: 2, Action: simulator.RefusePageToken}), overlap: true, also: resumed(1),
	},
	"tokens refused for ever": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.RefusePageToken}), chat: "token_refused", thread: "token_refused", overlap: true,
	},
	"bodies cut short":          {faults: []simulator.Fault{{From: 2, Every: 3, Action: simulator.Cut}}},
	"bodies cut short for long": {faults: lists(simulator.Fault{From: 2, Times: 11, Action: simulator.Cut})},
	"a gateway's HTML":          {faults: []simulator.Fault{{From: 2, Every: 3, Action: simulator.HTML}}},
	"HTML as if all were well": {
		faults: lists(simulator.Fault{From: 2, Times: 11, Action: simulator.Answer, Status: 200, Body: html, ContentType: "text/html"}),
	},
	"a page of 20 MB": {
		faults: []simulator.Fault{list(theChat, simulator.Fault{From: 2, Times: 2, Action: simulator.BigPage, Bytes: 20 << 20})}, large: true, also: largeIsKept,
	},
	"pages over 24 MiB": {faults: lists(simulator.Fault{From: 2, Times: 5, Action: simulator.BigPage, Bytes: 24<<20 + 1}), large: true},
	"a message over 24 MiB": {
		faults: []simulator.Fault{{Message: theMessage, Action: simulator.BigItem, Bytes: 24<<20 + 1}}, large: true, also: steppedOver,
	},
	"the last message over 24 MiB": {
		faults: []simulator.Fault{{Message: theLast, Action: simulator.BigItem, Bytes: 24<<20 + 1}}, chat: "too_large", large: true,
		also: givenUp("too_large", 0),
	},
	"a code under HTTP 200": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.Answer, Status: 200, Code: 230027}), chat: "230027", thread: "230027", also: givenUp("", 1),
	},
	"an internal error under HTTP 200": {faults: lists(simulator.Fault{From: 2, Times: 11, Action: simulator.Answer, Status: 200, Code: 2200})},
	"an unknown code three times":      {faults: lists(simulator.Fault{From: 2, Times: 3, Action: simulator.Answer, Code: 777777})},
	"an unknown code for ever": {
		faults: lists(simulator.Fault{From: 2, Action: simulator.Answer, Code: 777777}), chat: "777777", thread: "777777", also: givenUp("unknown_code", 4),
	},
	"a thread that is gone": {
		faults: []simulator.Fault{list(theThread, simulator.Fault{From: 2, Action: simulator.Answer, Code: 230110})}, also: goneIsComplete,
	},
	"a clock ahead":              {faults: []simulator.Fault{{From: 5, Action: simulator.SkewClock, Delay: 10 * time.Hour}}},
	"a clock behind":             {faults: []simulator.Fault{{From: 5, Action: simulator.SkewClock, Delay: -10 * time.Hour}}},
	"tokens revoked":             {faults: []simulator.Fault{{From: 3, Every: 4, Action: simulator.RevokeToken}}},
	"connections reset":          {faults: []simulator.Fault{{From: 2, Every: 3, Action: simulator.Reset}}},
	"connections reset for long": {faults: []simulator.Fault{{From: 4, Times: 40, Action: simulator.Reset}}},
	"no answer now and then":     {faults: []simulator.Fault{{From: 2, Every: 4, Action: simulator.Hang}}},
	"no answer for long":         {faults: lists(simulator.Fault{From: 2, Times: 11, Action: simulator.Hang})},
	"no tokens at first":         {faults: []simulator.Fault{{API: simulator.APIToken, Times: 6, Action: simulator.HTML}}},
	"forwards that keep failing": {faults: []simulator.Fault{
		{API: simulator.APIMessage, MsgType: "merge_forward", Action: simulator.Answer, Code: 2200},
	}},
	"no message for long": {faults: []simulator.Fault{{API: simulator.APIMessage, Times: 60, Action: simulator.Answer, Code: 2200}}, also: nothingGivenUp},
	"forwards without the card parameter only": {faults: []simulator.Fault{
		{API: simulator.APIMessage, Query: "card_msg_content_type", Action: simulator.Answer, Status: 500, Code: 2200},
	}, also: nothingGivenUp},
	"a chat's record that is failing": {faults: []simulator.Fault{{API: simulator.APIChat, Action: simulator.Answer, Code: 2200}}},
}

// TestGuards lets a platform do all of this, without a restart and with one at commits from the first to the last: lost
// before it took effect, and kept though its worker was told otherwise.
func TestGuards(t *testing.T) {
	w, chat, thread := guardedWorld(t)
	for name, g := range guards {
		t.Run(name, func(t *testing.T) {
			commits := 0
			synctest.Test(t, func(t *testing.T) { commits = g.run(t, w, chat, thread, nil) })
			restarts := 10
			if g.large || testing.Short() {
				restarts = 1
			}
			step := max(1, commits/restarts)
			runs := 1
			for k := 1 + step/2; k <= commits; k += step {
				for _, outcome := range []memlog.Outcome{memlog.Refused, memlog.Kept} {
					runs++
					synctest.Test(t, func(t *testing.T) {
						defer func() {
							if t.Failed() {
								t.Logf("with outcome %d of commit %d", outcome, k)
							}
						}()
						g.run(t, w, chat, thread, func(n int) memlog.Outcome {
							if n == k {
								return outcome
							}
							return memlog.Done
						})
					})
				}
			}
			t.Logf("%d commits, %d runs", commits, runs)
		})
	}
}

// guardedWorld has one chat, more than a page of it in a millisecond, merged forwards, and a thread of several pages.
func guardedWorld(t *testing.T) (w *simulator.World, chat, thread string) {
	t.Helper()
	w, err := simulator.NewWorld(simulator.Options{Seed: 3, Chats: 1, Messages: 260, Burst: 130, Mix: simulator.Mix{Forwards: 20, Threads: 20}})
	if err != nil {
		t.Fatal(err)
	}
	chat = w.Chats()[0].ID
	for _, th := range w.Threads(chat) {
		if th.Code != 0 {
			continue
		}
		for n := range 130 {
			if _, err := w.Reply(th.RootID, fmt.Sprintf("reply %d", n)); err != nil {
				t.Fatal(err)
			}
		}
		return w, chat, th.ID
	}
	t.Fatal("this world has no thread")
	return nil, "", ""
}

// run reads the world under the guard's faults, judges, and where something failed reads it again from a platform that
// is well. It tells how many commits that took.
func (g *guard) run(t *testing.T, w *simulator.World, chat, thread string, commit func(int) memlog.Outcome) int {
	s := newStage(t, w, simulator.FeishuConfig{}, memlog.Faults{Commit: commit})
	s.restart = g.between
	all := w.Messages(chat)
	plain := slices.IndexFunc(all[100:], func(m simulator.Message) bool { return m.ThreadID == "" && m.Type == "text" }) + 100
	names := strings.NewReplacer(theChat, chat, theThread, thread, theMessage, all[plain].ID, theLast, all[len(all)-1].ID)
	for _, f := range g.faults {
		f.Container, f.Message = names.Replace(f.Container), names.Replace(f.Message)
		if f.Action == simulator.BigItem {
			s.large = f.Message
		}
		s.api.AddFaults(f)
	}
	c, th := s.container(schemas.KindChat, chat, chat), s.container(schemas.KindThread, thread, chat)
	s.add(c, th)
	s.toTheEnd()
	commits := s.log.Attempts()
	k := s.check()
	s.judge(k, &c, g.chat, g.overlap)
	s.judge(k, &th, g.thread, g.overlap)
	s.others(k, &c, g)
	if g.also != nil {
		g.also(t, s, k)
	}
	if g.chat != "" {
		s.api.SetFaults()
		s.large = ""
		c.Epoch, th.Epoch = 2, 2
		s.add(c, th)
		s.toTheEnd()
		k = s.check()
		s.whole(k, &c, false)
		s.whole(k, &th, false)
		s.others(k, &c, &guard{})
	}
	return commits
}

// judge expects a container to be whole, or FAILED with a code, with an end that says so.
func (s *stage) judge(k *kept, c *schemas.Container, failed string, overlap bool) {
	s.t.Helper()
	if failed == "" {
		if s.gone(k, c) {
			return
		}
		s.whole(k, c, overlap)
		return
	}
	cp := k.checkpoints[schemas.ContainerKey(c.Key)]
	if cp.State != schemas.StateFailed || cp.ErrorCode == nil || *cp.ErrorCode != failed {
		s.t.Errorf("%s is %s (%v), want FAILED with %s", c.Key, cp.State, cp.ErrorCode, failed)
	}
}

// gone reports whether the last page of a thread is the platform's word that it is gone.
func (s *stage) gone(k *kept, c *schemas.Container) bool {
	chain := k.chains[epochOf{schemas.ContainerKey(c.Key), c.Epoch}]
	return c.Kind == schemas.KindThread && len(chain) > 0 && chain[len(chain)-1].Code == "230110"
}

// others expects every other thread that the chat's pages show to be whole.
func (s *stage) others(k *kept, c *schemas.Container, g *guard) {
	s.t.Helper()
	shown := k.shown[epochOf{schemas.ContainerKey(c.Key), c.Epoch}]
	for _, th := range s.world.Threads(c.ID) {
		o := s.container(schemas.KindThread, th.ID, c.ID)
		o.Epoch = c.Epoch
		cp, known := k.checkpoints[schemas.ContainerKey(o.Key)]
		switch {
		case !known && shown[th.RootID] > 0 || !known && g.chat == "":
			s.t.Errorf("thread %s was shown and not read", th.ID)
		case !known || g.thread != "" && cp.State == schemas.StateFailed || s.gone(k, &o):
		default:
			s.whole(k, &o, g.overlap)
		}
	}
}

// resumed expects a chat to go on from its watermark where a page token was refused, and a thread from its start, and
// that to have happened so often at least.
func resumed(least int) func(*testing.T, *stage, *kept) {
	return func(t *testing.T, _ *stage, k *kept) {
		n := 0
		for key := range k.checkpoints {
			for i, p := range k.chains[epochOf{key, 1}] {
				if i == 0 || strings.Contains(p.Request, "page_token=") {
					continue
				}
				n++
				if thread := strings.Contains(p.Request, "container_id_type=thread"); strings.Contains(p.Request, "start_time=") == thread {
					t.Errorf("%s page %d resumes with %s", key, i+1, p.Request)
				}
			}
		}
		if n < least {
			t.Errorf("%d resumptions, want at least %d", n, least)
		}
	}
}

// largeIsKept expects the large pages to stand whole.
func largeIsKept(t *testing.T, _ *stage, k *kept) {
	large := 0
	for _, chain := range k.chains {
		for i := range chain {
			if len(chain[i].Body) >= 20<<20 {
				large++
			}
		}
	}
	if large == 0 {
		t.Error("no page of 20 MB is kept")
	}
}

// nothingGivenUp expects every call to have been answered in the end.
func nothingGivenUp(t *testing.T, s *stage, _ *kept) {
	for _, tx := range s.log.History() {
		for i := range tx.Records {
			if tx.Records[i].Topic != stageTopics.RawPages {
				continue
			}
			if p, err := schemas.ParsePage(&tx.Records[i]); err != nil || p.Error != "" {
				t.Errorf("%s is given up: %s, %v", p.Request, p.Error, err)
			}
		}
	}
}

// steppedOver expects one page without a body in the place of the message that is too large.
func steppedOver(t *testing.T, _ *stage, k *kept) {
	holes := 0
	for _, chain := range k.chains {
		for i := range chain {
			if chain[i].Error == "too_large" {
				holes++
				if len(chain[i].Body) != 0 || i == len(chain)-1 {
					t.Errorf("page %d of %d has %d bytes", i+1, len(chain), len(chain[i].Body))
				}
			}
		}
	}
	if holes != 1 {
		t.Errorf("%d pages for the message", holes)
	}
}

// givenUp expects the last pages of what failed to say why, after so many tries. A cursor stays where it was.
func givenUp(why string, tries int64) func(*testing.T, *stage, *kept) {
	return func(t *testing.T, _ *stage, k *kept) {
		for key, cp := range k.checkpoints {
			chain := k.chains[epochOf{key, cp.Epoch}]
			if cp.State != schemas.StateFailed {
				continue
			}
			if last := chain[len(chain)-1]; last.Error != why || (why == "too_large") != (len(last.Body) == 0) {
				t.Errorf("the last page of %s says %q with %d bytes, want %q", key, last.Error, len(last.Body), why)
			}
			if cp.Pages > 1 && (cp.Cursor == nil || *cp.Cursor == "") {
				t.Errorf("%s has lost its cursor", key)
			}
			if least := cp.Pages - 1 + tries; cp.Calls < least {
				t.Errorf("%s took %d calls, want at least %d", key, cp.Calls, least)
			}
		}
	}
}

// goneIsComplete expects a thread that the platform says is gone to be complete with what came before.
func goneIsComplete(t *testing.T, s *stage, k *kept) {
	found := false
	for key, cp := range k.checkpoints {
		chain := k.chains[epochOf{key, cp.Epoch}]
		if chain[len(chain)-1].Code == "230110" {
			found = true
			if cp.State != schemas.StateComplete {
				t.Errorf("%s is %s", key, cp.State)
			}
		}
	}
	if !found {
		t.Error("no thread was gone")
	}
}
