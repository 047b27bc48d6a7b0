package normalize_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// rounds is how often a property is tried: n, or as many times as much as CHATLAKE_ROUNDS says.
func rounds(t *testing.T, n int) int {
	t.Helper()
	if v := os.Getenv("CHATLAKE_ROUNDS"); v != "" {
		times, err := strconv.Atoi(v)
		if err != nil || times < 1 {
			t.Fatalf("CHATLAKE_ROUNDS is %q, not a number of times", v)
		}
		return n * times
	}
	return n
}

// tangle makes up conversations in which everything collides.
type tangle struct {
	*rand.Rand
	talk   string
	truth  []item
	wild   bool // every reading tells other links, clients and times
	client bool // links may be told by client ids
}

func (g *tangle) id(i int) string       { return fmt.Sprintf("%s.m%02d", g.talk, i) }
func (g *tangle) odds(percent int) bool { return g.IntN(100) < percent }

// begin draws what is true of each message.
func (g *tangle) begin(n int, straight bool) {
	g.truth = make([]item, n)
	for i := range g.truth {
		it := item{ID: g.id(i), Text: "x", From: fmt.Sprint("u", g.IntN(3)), At: int64(g.IntN(3)), Rev: 1000}
		if straight {
			it.At = int64(i)
			if i > 0 && g.odds(97) {
				it.Parent = g.id(i - 1)
			}
		} else {
			g.tie(&it)
		}
		if g.client && g.odds(50) {
			it.Client = fmt.Sprint("c", g.IntN(4))
		}
		g.truth[i] = it
	}
}

// tie draws links.
func (g *tangle) tie(it *item) {
	n := len(g.truth)
	it.Parent, it.ParentClient, it.Root, it.RootClient, it.Thread, it.CopyOf, it.ThreadByRoot = "", "", "", "", "", "", false
	it.LinkFrom, it.LinkAt = "", 0
	if g.odds(70) {
		it.Parent = g.id(g.IntN(n))
	} else if g.client && g.odds(50) {
		it.ParentClient = fmt.Sprint("c", g.IntN(4))
	}
	switch g.IntN(6) {
	case 0:
		it.Root = g.id(g.IntN(n))
	case 1:
		if it.ThreadByRoot = true; g.client && g.odds(60) {
			it.RootClient = fmt.Sprint("c", g.IntN(4))
		} else {
			it.Root = g.id(g.IntN(n))
			it.Thread = it.Root
		}
	case 2:
		it.Thread = fmt.Sprint("omt_", g.IntN(2))
		if g.odds(30) {
			it.CopyOf = g.id(g.IntN(n))
		}
	}
	if g.odds(30) {
		it.LinkFrom, it.LinkAt = "told", int64(1+g.IntN(3))
	}
}

// seen is what one page shows of a message.
func (g *tangle) seen(i int) item {
	it := g.truth[i]
	it.Source = connectors.SourceRank(g.IntN(3))
	if g.wild {
		g.tie(&it)
		it.At, it.From = int64(g.IntN(3)), fmt.Sprint("u", g.IntN(3))
		if it.Client = ""; g.client && g.odds(60) {
			it.Client = fmt.Sprint("c", g.IntN(4))
		}
	}
	switch g.IntN(8) {
	case 0:
		it.State, it.Text, it.Rev = schemas.MessageRecalled, "", 1000+int64(g.IntN(4))
		if g.odds(50) {
			it.Recalled = it.Rev
		}
	case 1, 2:
		it.Rev = 1000 + int64(g.IntN(4))
		it.Edited, it.Text = it.Rev, fmt.Sprint("edit ", it.Rev, g.IntN(2))
	case 3:
		it.Rev, it.Text = 1000+int64(g.IntN(4)), fmt.Sprint("y", g.IntN(2))
	case 4: // tells nothing but itself
		it.Parent, it.ParentClient, it.Root, it.RootClient, it.Thread, it.CopyOf, it.ThreadByRoot = "", "", "", "", "", "", false
		it.LinkFrom, it.LinkAt = "", 0
		it.Rev = 1000 + int64(g.IntN(4))
	}
	if g.odds(3) {
		it.State, it.Text, it.Rev = schemas.MessageDeleted, "", 0
	}
	if g.odds(30) {
		v := int64(g.IntN(3))
		it.Seq = &v
	}
	if g.odds(30) {
		v := int64(g.IntN(3))
		it.ThreadSeq = &v
	}
	return it
}

// pages draws pages. what is not shown by any is left out, or answered.
func (g *tangle) pages(lists, lookups, each int) []sheet {
	var out []sheet
	n := len(g.truth)
	for range lists {
		sh := sheet{conversation: g.talk, at: fixed.Add(time.Duration(g.IntN(6)) * time.Second), final: g.odds(30)}
		for range 1 + g.IntN(each) {
			it := g.seen(g.IntN(n))
			it.Elsewhere = g.odds(3)
			sh.Items = append(sh.Items, it)
		}
		if g.odds(15) {
			sh.Answers = append(sh.Answers, g.answer(g.id(g.IntN(n))))
		}
		out = append(out, sh)
	}
	for range lookups {
		i := g.IntN(n)
		sh := lookedUp(g.id(i), body{})
		sh.conversation, sh.key = g.talk, string(schemas.MessageContainerKey(schemas.Feishu, tenant, g.talk, g.id(i)))
		sh.at, sh.epoch = fixed.Add(time.Duration(g.IntN(6))*time.Second), 1+int64(g.IntN(3))
		switch {
		case g.odds(60):
			it := g.seen(i)
			it.Source, it.Elsewhere = connectors.FromOther, g.odds(15)
			sh.Items = []item{it}
		case g.odds(70):
			sh.Answers = []answer{g.answer(g.id(i))}
		default:
			sh.err = []string{"timeout", "cancelled"}[g.IntN(2)]
		}
		out = append(out, sh)
	}
	return out
}

func (g *tangle) answer(id string) answer {
	a := answer{id, []string{schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkMissing, schemas.LinkOutOfScope}[g.IntN(4)], fmt.Sprint("why", g.IntN(3))}
	if a.Status == schemas.LinkOutOfScope {
		a.Reason = "other_conversation"
	}
	return a
}

// TestAnyOrderEndsAlike deals the pages of made-up conversations out in several orders, repeated and delivered again: each
// must end in the versions that the contract gives for the set of them.
func TestAnyOrderEndsAlike(t *testing.T) {
	for name, c := range map[string]struct {
		n, lists, lookups, each  int
		wild, client, straight   bool
		conversations, orderings int
	}{
		"small":                    {n: 5, lists: 6, lookups: 3, each: 4, conversations: 60, orderings: 4},
		"small, client ids":        {n: 6, lists: 6, lookups: 3, each: 4, client: true, conversations: 80, orderings: 4},
		"contradictory":            {n: 5, lists: 7, lookups: 2, each: 3, wild: true, conversations: 60, orderings: 4},
		"contradictory, by client": {n: 5, lists: 7, lookups: 2, each: 3, wild: true, client: true, conversations: 80, orderings: 4},
		"chains":                   {n: 40, lists: 12, lookups: 25, each: 6, straight: true, conversations: 20, orderings: 4},
		"long tangles":             {n: 40, lists: 15, lookups: 20, each: 6, client: true, conversations: 20, orderings: 4},
	} {
		t.Run(name, func(t *testing.T) {
			for round := range rounds(t, 1) {
				chance := rand.New(rand.NewPCG(uint64(round), 11))
				r := newRig(t, memlog.Faults{MaxRecords: 1})
				var names []string
				leaves := map[string][]leaf{}
				for i := range c.conversations {
					seed := chance.Uint64()
					for order := range c.orderings {
						g := &tangle{Rand: rand.New(rand.NewPCG(seed, 1)), talk: fmt.Sprintf("r%d-%d-%d", round, i, order), wild: c.wild, client: c.client}
						g.begin(c.n, c.straight)
						names = append(names, g.talk)
						leaves[g.talk] = r.deal(g.pages(c.lists, c.lookups, c.each), chance)
					}
				}
				r.toTheEnd()
				r.compare(names, leaves, !c.wild)
			}
		})
	}
}

// deal appends pages in an order of its own, some of them twice.
func (r *rig) deal(pages []sheet, chance *rand.Rand) []leaf {
	var leaves []leaf
	var records []schemas.Record
	for _, sh := range pages {
		rec := r.raw(sh)
		p, err := schemas.ParsePage(&rec)
		if err != nil {
			r.t.Fatal(err)
		}
		records = append(records, rec)
		leaves = append(leaves, leaf{sh, p.ID, p.Time.Format(time.RFC3339Nano)})
	}
	for range chance.IntN(3) {
		records = append(records, records[chance.IntN(len(records))])
	}
	chance.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	r.log.Append(records...)
	return leaves
}

// compare expects all conversations to end as the model says, and every version on the way to be a lawful one.
func (r *rig) compare(names []string, leaves map[string][]leaf, steady bool) {
	r.t.Helper()
	got := map[string]map[string]*schemas.Message{}
	all := r.messages()
	for i := range all {
		m := &all[i]
		of := got[m.ConversationID]
		if of == nil {
			of = map[string]*schemas.Message{}
			got[m.ConversationID] = of
		}
		r.lawful(of[m.MessageID], m, steady)
		of[m.MessageID] = m
	}
	for _, d := range r.dead() {
		r.t.Errorf("dead letter %s: %s", d.ErrorClass, d.ErrorMessage)
	}
	r.once()
	for _, talk := range names {
		want := newModel(leaves[talk]).last()
		if len(want) != len(got[talk]) {
			r.t.Errorf("%s: %d messages, want %d", talk, len(got[talk]), len(want))
		}
		for id, w := range want {
			if m := got[talk][id]; m == nil {
				r.t.Errorf("%s is not there", id)
			} else if g := line(m); g != w {
				r.t.Errorf("got  %s\nwant %s", g, w)
				r.t.Log(r.tell(talk))
				return
			}
		}
	}
}

// once expects at most one version for a record and page, where every page has a transaction of its own.
func (r *rig) once() {
	r.t.Helper()
	for _, tx := range r.log.History() {
		seen := map[string]bool{}
		for _, rec := range tx.Records {
			if rec.Topic == topics.Messages && seen[rec.Key] {
				r.t.Errorf("two versions of %s for one page", rec.Key)
			}
			seen[rec.Key] = true
		}
	}
}

// lawful expects a version to follow from the one before: it rises, only the first is created, and links get no worse.
func (r *rig) lawful(old, m *schemas.Message, steady bool) {
	r.t.Helper()
	if (old == nil) != (m.Change == schemas.ChangeCreated) {
		r.t.Errorf("%s version %d: %s", m.MessageID, m.Version, m.Change)
	}
	last := int64(0)
	if old != nil {
		last = old.Version
	}
	if m.Version != max(m.SourceRevision*1000, last+1) {
		r.t.Errorf("%s: version %d of source revision %d after %d", m.MessageID, m.Version, m.SourceRevision, last)
	}
	if old == nil || !steady {
		return
	}
	if line(old) == line(m) {
		r.t.Errorf("%s: versions %d and %d say the same", m.MessageID, old.Version, m.Version)
	}
	for _, l := range [][2]*schemas.Link{{&old.Parent, &m.Parent}, {&old.Root, &m.Root}} {
		a, b := l[0], l[1]
		if a.MessageID != nil && b.MessageID != nil && *a.MessageID == *b.MessageID && worth(b) < worth(a) && str(a.Reason) != "depth" {
			r.t.Errorf("%s version %d: a link to %s went from %s to %s", m.MessageID, m.Version, *a.MessageID, a.Status, b.Status)
		}
	}
}

func worth(l *schemas.Link) int {
	return slices.Index([]string{schemas.LinkPending, schemas.LinkMissing, schemas.LinkForbidden, schemas.LinkDeleted, schemas.LinkOutOfScope, schemas.LinkResolved}, l.Status)
}

// tell lists the pages of a conversation in their order, for whoever reads of a failure.
func (r *rig) tell(talk string) string {
	var out []string
	for _, rec := range r.log.Records(topics.RawPages, 0) {
		if p, err := schemas.ParsePage(&rec); err == nil && strings.HasSuffix(string(p.Conversation), "/"+talk) {
			out = append(out, fmt.Sprintf("%s %s final=%v error=%q %s", p.Time.Format("05"), cmp.Or(p.Subject, "list"), p.Final, p.Error, p.Body))
		}
	}
	return strings.Join(out, "\n")
}
