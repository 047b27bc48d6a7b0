package normalize_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestOnceLookupsAreAnswered lets a platform answer what is asked for, until nothing is asked any more. Whatever the order of
// the pages, each target was asked for once, none waits, and all ends as the model says.
func TestOnceLookupsAreAnswered(t *testing.T) {
	for round := range rounds(t, 1) {
		const conversations, orderings, n = 15, 4, 30
		chance := rand.New(rand.NewPCG(uint64(round), 23))
		r := newRig(t, memlog.Faults{MaxRecords: 1})
		var names []string
		leaves, truth := map[string][]leaf{}, map[string]*tangle{}
		for i := range conversations {
			seed := chance.Uint64()
			for order := range orderings {
				g := &tangle{Rand: rand.New(rand.NewPCG(seed, 1)), talk: fmt.Sprintf("a%d-%d-%d", round, i, order)}
				g.begin(n, i%2 == 0)
				names, truth[g.talk] = append(names, g.talk), g
				var pages []sheet
				for k := range 6 {
					sh := sheet{conversation: g.talk, at: fixed.Add(time.Duration(k) * time.Second)}
					for range 1 + g.IntN(3) {
						it := g.truth[n-1-g.IntN(n/2)]
						it.Source = connectors.SourceRank(g.IntN(2))
						sh.Items = append(sh.Items, it)
					}
					pages = append(pages, sh)
				}
				leaves[g.talk] = r.deal(pages, chance)
				end := sheet{conversation: g.talk, final: true}
				leaves[g.talk] = append(leaves[g.talk], r.deal([]sheet{end}, chance)...)
			}
		}
		for answered := 0; ; {
			r.toTheEnd()
			all := published[schemas.Container](r, topics.Containers)
			if answered == len(all) {
				t.Logf("%d look-ups for %d versions", answered, len(r.messages()))
				if answered < 100 {
					t.Error("too few were asked for")
				}
				break
			}
			fresh := all[answered:]
			answered = len(all)
			chance.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
			for _, c := range fresh {
				leaves[c.ConversationID] = append(leaves[c.ConversationID], r.deal([]sheet{truth[c.ConversationID].answered(&c)}, chance)...)
			}
		}
		r.askedOnce()
		r.compare(names, leaves, true)
		r.alike(names, orderings)
	}
}

// answered is what the platform says of one message: the same in every order.
func (g *tangle) answered(c *schemas.Container) sheet {
	sh := sheet{conversation: g.talk, key: c.Key, final: true, subject: c.ID, number: 1, at: fixed.Add(time.Hour)}
	name := c.ID[strings.IndexByte(c.ID, '.')+1:]
	h := fnv.New32a()
	h.Write([]byte(name))
	for i := range g.truth {
		if it := g.truth[i]; it.ID == c.ID {
			switch sum := h.Sum32() % 16; {
			case sum > 4:
				it.Source = connectors.FromOther
				sh.Items = []item{it}
			case sum == 0:
				it.Elsewhere = true
				sh.Items = []item{it}
			case sum == 1:
				sh.err = "timeout"
			default:
				status := []string{schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkMissing}[sum-2]
				sh.Answers = []answer{{c.ID, status, "why"}}
			}
		}
	}
	return sh
}

func (r *rig) askedOnce() {
	r.t.Helper()
	seen := map[string]bool{}
	for _, c := range published[schemas.Container](r, topics.Containers) {
		if seen[c.ID] {
			r.t.Errorf("%s was asked for twice", c.ID)
		}
		seen[c.ID] = true
	}
	last := map[string]schemas.Message{}
	for _, m := range r.messages() {
		last[m.MessageID] = m
	}
	for id, m := range last {
		if m.Parent.Status == schemas.LinkPending || m.Root.Status == schemas.LinkPending {
			r.t.Errorf("%s still waits: %s", id, line(&m))
		}
	}
}

// alike expects the orders of each conversation to end with the same words, names aside.
func (r *rig) alike(names []string, orderings int) {
	r.t.Helper()
	ends := map[string]map[string]string{}
	for _, m := range r.messages() {
		of := ends[m.ConversationID]
		if of == nil {
			of = map[string]string{}
			ends[m.ConversationID] = of
		}
		of[strings.TrimPrefix(m.MessageID, m.ConversationID)] = strings.ReplaceAll(line(&m), m.ConversationID+".", "")
	}
	for i := range names {
		first := ends[names[i-i%orderings]]
		if got := ends[names[i]]; fmt.Sprint(got) != fmt.Sprint(first) {
			r.t.Errorf("%s ends in %d messages, %s in %d, and they differ", names[i], len(got), names[i-i%orderings], len(first))
		}
	}
}
