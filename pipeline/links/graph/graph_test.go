package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"chatlake/pipeline/links/graph"
)

// tangle makes up pages of a conversation in which everything collides.
type tangle struct {
	*rand.Rand
	n       int
	wild    bool // each page gives other links, client ids and times
	clients bool
	chain   bool // each message answers the one before it
	truth   []reading
	place   uint32
}

func (g *tangle) odds(percent int) bool { return g.IntN(100) < percent }
func (g *tangle) id(i int) string       { return fmt.Sprintf("m%02d", i) }
func (g *tangle) client() string        { return fmt.Sprint("c", g.IntN(4)) }

// begin draws what is true of each message.
func (g *tangle) begin(seed uint64) {
	g.Rand = rand.New(rand.NewPCG(seed, 3))
	for i := range g.n {
		g.truth = append(g.truth, g.message(i))
	}
}

// message draws all that a page may say of a message.
func (g *tangle) message(i int) reading {
	r := reading{id: g.id(i), Reading: graph.Reading{SenderID: fmt.Sprint("u", g.IntN(3)), CreatedAt: 1 + int64(g.IntN(3))}}
	if g.chain {
		if i > 0 {
			r.Parent.ID = g.id(i - 1)
		}
		return r
	}
	if g.odds(70) {
		r.Parent = graph.Target{ID: g.id(g.IntN(g.n)), SenderID: "named", CreatedAt: int64(g.IntN(3))}
	} else if g.clients {
		r.Parent.ClientID = g.client()
	}
	switch g.IntN(4) {
	case 0:
		r.Root.ID = g.id(g.IntN(g.n))
		r.ThreadByRoot = g.odds(50)
	case 1:
		if g.clients {
			r.Root.ClientID, r.ThreadByRoot = g.client(), g.odds(70)
		}
	}
	if g.clients && g.odds(60) {
		r.ClientID = g.client()
	}
	return r
}

func (g *tangle) page() page {
	p := page{lookup: g.odds(30)}
	if g.chain {
		p.lookup = g.odds(90)
	}
	for range 1 + g.IntN(4) {
		i := g.IntN(g.n)
		r := g.truth[i]
		if g.wild {
			r = g.message(i)
		}
		if g.odds(20) { // says nothing of links
			r.Parent, r.Root, r.ThreadByRoot = graph.Target{}, graph.Target{}, false
		}
		g.place++
		r.Rank = graph.Rank{State: graph.State(g.IntN(3)), Highest: int64(g.IntN(4)), Place: g.place}
		p.readings = append(p.readings, r)
	}
	if g.odds(20) {
		key := talk.Message(g.id(g.IntN(g.n)))
		if g.clients && g.odds(30) {
			key = talk.Client(g.client())
		}
		statuses := []graph.Status{graph.Missing, graph.Forbidden, graph.Deleted, graph.OutOfScope, graph.Erased}
		p.answers = map[graph.Key]graph.Answer{key: {Status: statuses[g.IntN(len(statuses))], Reason: fmt.Sprint("why", g.IntN(3))}}
	}
	return p
}

// put lets a graph take in a page.
func put(s graph.Store, p page) (touched []graph.Key, err error) {
	u := graph.NewUpdate(s)
	for i := range p.readings {
		u.Read(talk.Message(p.readings[i].id), &p.readings[i].Reading, false, p.lookup)
	}
	for key, a := range p.answers {
		u.Answer(key, a)
	}
	return u.Settle()
}

func seen(n *graph.Node) looks { return looks{n.Parent, n.Root, n.Thread, n.ThreadRoot} }

// TestGraphIsAFunctionOfItsPages: after every page, in whatever order pages come and however often, each message is what the
// set of the pages until then says, and all messages that changed are touched, once.
func TestGraphIsAFunctionOfItsPages(t *testing.T) {
	for name, shape := range map[string]tangle{
		"tangled": {n: 5}, "with client ids": {n: 6, clients: true}, "contradictory": {n: 5, wild: true},
		"contradictory, with client ids": {n: 5, wild: true, clients: true}, "chain": {n: 30, chain: true}, "large": {n: 25, clients: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(150) {
				g := shape
				g.begin(seed)
				s, pages := newMemory(), []page(nil)
				for range 8 + g.n {
					p := g.page()
					if len(pages) > 0 && g.odds(10) {
						p = pages[g.IntN(len(pages))]
					}
					pages = append(pages, p)
					step(t, s, p, pages)
					if t.Failed() {
						t.Fatalf("seed %d, pages: %+v", seed, pages)
					}
				}
			}
		})
	}
}

// step takes in a page and compares all with the model.
func step(t *testing.T, s *memory, p page, pages []page) {
	t.Helper()
	before := map[string]looks{}
	m := newModel(pages)
	for id := range m.all {
		before[id] = seen(s.Node(talk.Message(id)))
	}
	touched, err := put(s, p)
	if err != nil {
		t.Fatal(err)
	}
	s.apply()
	for i, key := range touched {
		if slices.Contains(touched[:i], key) {
			t.Errorf("%s is touched twice", key.ID())
		}
	}
	for id := range m.all {
		n := s.Node(talk.Message(id))
		if got, want := seen(n), m.looks(id); got != want {
			t.Errorf("%s is\n%+v, want\n%+v", id, got, want)
		}
		if !reflect.DeepEqual(n.Readings[0], m.all[id][0]) {
			t.Errorf("%s: %+v wins, want %+v", id, n.Readings[0], m.all[id][0])
		}
		if before[id] != seen(n) && !slices.Contains(touched, talk.Message(id)) {
			t.Errorf("%s changed and is not touched", id)
		}
	}
}

// TestFailuresOfTheStoreArePassedOn fails each call that a few pages and a look-up make, one at a time.
func TestFailuresOfTheStoreArePassedOn(t *testing.T) {
	g := tangle{n: 6, wild: true, clients: true}
	g.begin(1)
	var pages []page
	for range 20 {
		pages = append(pages, g.page())
	}
	run := func(s *memory) error { // each step is to give the store's failure
		for _, p := range pages {
			if _, err := put(s, p); err != nil || s.Err() != nil {
				return err
			}
			for i := range p.readings {
				if err := graph.Want(s, "container", talk.Message(p.readings[i].id)); err != nil || s.Err() != nil {
					return err
				}
			}
		}
		_, err := graph.Ask(s, "container")
		return err
	}
	whole := newMemory()
	if err := run(whole); err != nil {
		t.Fatal(err)
	}
	for k := 1; k <= whole.calls; k++ {
		s := newMemory()
		s.failAt = k
		if err := run(s); !errors.Is(err, errStore) {
			t.Fatalf("call %d of %d fails: %v", k, whole.calls, err)
		}
	}
}

// TestAskOnceForAll: at a container's end every target that nothing shows or answers is asked for, however often its messages
// come, with the earliest time that links give it; nothing is asked for twice.
func TestAskOnceForAll(t *testing.T) {
	s := newMemory()
	show := func(container string, lookup bool, readings ...reading) {
		t.Helper()
		for i := range readings {
			readings[i].Rank.Place = uint32(i)
		}
		if _, err := put(s, page{readings: readings, lookup: lookup}); err != nil {
			t.Fatal(err)
		}
		for _, r := range readings {
			if err := graph.Want(s, container, talk.Message(r.id)); err != nil {
				t.Fatal(err)
			}
		}
		s.apply()
	}
	answers := func(id, parent string, at int64) reading {
		return reading{id, graph.Reading{Parent: graph.Target{ID: parent, CreatedAt: at}}}
	}
	ask := func(container string, want ...graph.Ref) {
		t.Helper()
		got, err := graph.Ask(s, container)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s asks for %v (%v), want %v", container, got, err, want)
		}
		s.apply()
	}
	show("c1", false, answers("a", "x", 7), answers("c", "a", 0), answers("d", "gone", 0), answers("e", "later", 0))
	show("c1", false, answers("b", "x", 5))
	show("c2", false, answers("f", "x", 6), answers("g", "y", 0))
	if _, err := put(s, page{answers: map[graph.Key]graph.Answer{talk.Message("gone"): {Status: graph.Deleted}}}); err != nil {
		t.Fatal(err)
	}
	show("c3", false, answers("later", "above", 0))
	ask("c1", graph.Ref{ID: "above"}, graph.Ref{ID: "x", CreatedAt: 5})
	ask("c1")
	ask("c2", graph.Ref{ID: "y"})
	ask("c3")
	at := "y"
	for i := range 12 { // what look-ups show leads on, ten links deep
		next := fmt.Sprint("y", i)
		show("look-up", true, answers(at, next, 0))
		if i < 9 {
			ask("look-up", graph.Ref{ID: next})
		} else {
			ask("look-up")
		}
		at = next
	}
}
