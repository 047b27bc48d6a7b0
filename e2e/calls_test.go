package e2e_test

import (
	"testing"
	"testing/synctest"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// pageOf is the most messages that one call of a list gives.
const pageOf = 50

// budget is what a backfill may cost, from the truth: calls of a platform's quota are what bounds extraction.
type budget struct{ lists, gets, chats int }

// budgetOf counts a call for each page of chats and of threads that can be read, one for each thread that cannot, one for
// each merged forward that a list shows (a page stands with its expansions, so one that chat and thread show takes two)
// and one for each within it that comes without its content, one for each chat and one for each look-up.
func budgetOf(w *simulator.World, lookUps int) budget {
	b := budget{gets: lookUps}
	pages := func(shown []simulator.Message) {
		b.lists += pagesOf(shown)
		for i := range shown {
			if shown[i].Type == "merge_forward" && shown[i].State == simulator.Normal {
				b.gets += 1 + hollow(&shown[i])
			}
		}
	}
	for _, c := range w.Chats() {
		b.chats++
		pages(w.Messages(c.ID))
		for _, th := range w.Threads(c.ID) {
			pages(w.Thread(th.ID))
		}
	}
	return b
}

// hollow counts the merged forwards within one of which its answer shows nothing inside: each is asked for by itself.
func hollow(m *simulator.Message) int {
	filled, n := map[string]bool{}, 0
	for i := range m.Children {
		if c := &m.Children[i]; !c.Withheld {
			filled[c.Under] = true
		}
	}
	for i := range m.Children {
		if c := &m.Children[i]; c.Type == "merge_forward" && !c.Withheld && !filled[c.ID] {
			n++
		}
	}
	return n
}

func pagesOf(shown []simulator.Message) int { return max(1, (len(shown)+pageOf-1)/pageOf) }

// tight expects a container to have no more pages than its messages fill.
func (s *stage) tight(k *kept, c *schemas.Container, shown []simulator.Message) {
	s.t.Helper()
	if n := len(k.chains[epochOf{schemas.ContainerKey(c.Key), c.Epoch}]); n > pagesOf(shown) {
		s.t.Errorf("%s: %d messages took %d pages", c.Key, len(shown), n)
	}
}

// lookUps are containers of parents that messages name, some of every fate.
func (s *stage) lookUps(most int) (asked []schemas.Container, fates map[simulator.Fate]int) {
	fates = map[simulator.Fate]int{}
	seen := map[string]bool{}
	for _, c := range s.world.Chats() {
		for _, m := range s.world.Everything(c.ID) {
			if m.ParentFate == simulator.FateNone || seen[m.ParentID] || fates[m.ParentFate] >= most {
				continue
			}
			seen[m.ParentID] = true
			fates[m.ParentFate]++
			asked = append(asked, s.container(schemas.KindMessage, m.ParentID, c.ID))
		}
	}
	return asked, fates
}

// TestCallsOfABackfill reads a tenant and asks for messages of every fate: that may cost one per cent more calls than what
// is there to be read, checkpoints account for each call, and a look-up is complete whatever its answer.
func TestCallsOfABackfill(t *testing.T) {
	w, err := simulator.NewWorld(size(t, simulator.Options{Seed: 5}, simulator.Options{Seed: 5, Chats: 4}))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, w, simulator.FeishuConfig{}, memlog.Faults{})
		asked, fates := s.lookUps(5)
		for _, f := range []simulator.Fate{
			simulator.FateShown, simulator.FateHidden, simulator.FateUnknown, simulator.FateDeleted, simulator.FateForeign, simulator.FateInvisible, simulator.FateElsewhere,
		} {
			if fates[f] == 0 && !testing.Short() {
				t.Errorf("this world has no parent that is %s", f)
			}
		}
		s.add(asked...)
		for _, c := range w.Chats() {
			s.add(s.container(schemas.KindChat, c.ID, c.ID))
		}
		s.toTheEnd()
		k := s.check()
		for i := range asked {
			s.lookedUp(k, &asked[i])
		}
		s.costs(k, budgetOf(w, len(asked)))
		for _, c := range w.Chats() {
			chat := s.container(schemas.KindChat, c.ID, c.ID)
			s.whole(k, &chat, false)
			s.others(k, &chat, &guard{})
			s.tight(k, &chat, w.Messages(c.ID))
			for _, th := range w.Threads(c.ID) {
				o := s.container(schemas.KindThread, th.ID, c.ID)
				s.tight(k, &o, w.Thread(th.ID))
			}
		}
	})
}

// lookedUp expects the answer about a message to be the one page of its container, which is complete.
func (s *stage) lookedUp(k *kept, c *schemas.Container) {
	s.t.Helper()
	key := schemas.ContainerKey(c.Key)
	cp, chain := k.checkpoints[key], k.chains[epochOf{key, 1}]
	most := int64(1)
	if m, known := s.world.Message(c.ID); known {
		most += int64(hollow(&m))
	}
	if cp.State != schemas.StateComplete || cp.Calls < 1 || cp.Calls > most || len(chain) != 1 {
		s.t.Fatalf("%s is %s after %d calls and %d pages", c.Key, cp.State, cp.Calls, len(chain))
	}
	if p := chain[0]; !p.Final || p.Number != 1 || p.Subject != c.ID || p.Type != schemas.FeishuMessagesGet || len(p.Body) == 0 || p.Error != "" {
		s.t.Errorf("the page of %s: %+v", c.Key, p)
	}
}

// costs holds the calls that were served against the budget, and against what checkpoints account for.
func (s *stage) costs(k *kept, b budget) {
	s.t.Helper()
	r := s.api.Report()
	total := 0
	for api, most := range map[simulator.API]int{simulator.APIMessages: b.lists, simulator.APIMessage: b.gets, simulator.APIChat: b.chats} {
		n := r.APIs[api].Calls
		total += n
		s.t.Logf("%s: %d calls, budget %d", api, n, most)
		if n > most+most/100 {
			s.t.Errorf("%s: %d calls, more than %d and one per cent", api, n, most)
		}
	}
	if k.calls != int64(total) {
		s.t.Errorf("checkpoints account for %d calls of %d", k.calls, total)
	}
	if tokens := r.APIs[simulator.APIToken].Calls; tokens != 1 || r.Wrong != 0 {
		s.t.Errorf("%d calls for a token, %d calls that were at fault", tokens, r.Wrong)
	}
}
