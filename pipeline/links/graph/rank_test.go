package graph_test

import (
	"math/rand/v2"
	"testing"

	"chatlake/pipeline/links/graph"
)

// TestRanksAreATotalOrder draws ranks of few values each, so that equal parts are common.
func TestRanksAreATotalOrder(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	draw := func() graph.Rank {
		return graph.Rank{
			State: graph.State(chance.IntN(3)), Highest: chance.Int64N(3) - 1, Source: uint8(chance.IntN(3)),
			Time: chance.Int64N(2), Page: uint64(chance.IntN(2)) << 63, Place: uint32(chance.IntN(2)),
		}
	}
	for range 200_000 {
		a, b, c := draw(), draw(), draw()
		if a.Before(a) {
			t.Fatalf("%+v wins over itself", a)
		}
		if a != b && a.Before(b) == b.Before(a) {
			t.Fatalf("%+v and %+v: neither or both win over the other", a, b)
		}
		if a.Before(b) && b.Before(c) && !a.Before(c) {
			t.Fatalf("%+v, %+v, %+v: not transitive", a, b, c)
		}
	}
}

// TestWhatRanksFirst goes through the parts of a rank in their order: each decides over all that come after it.
func TestWhatRanksFirst(t *testing.T) {
	better := []graph.Rank{{State: 2}, {Highest: 1}, {}, {Time: 1}, {}, {}}
	worse := []graph.Rank{{State: 1}, {}, {Source: 1}, {}, {Page: 1}, {Place: 1}}
	for i := range better {
		a, b := better[i], worse[i]
		// Everything after the part that decides speaks for the other.
		if i < 1 {
			b.Highest = 9
		}
		if i < 2 {
			a.Source = 2
		}
		if i < 3 {
			b.Time = max(b.Time, a.Time+1)
		}
		if i < 4 {
			a.Page = 7
		}
		if i < 5 {
			a.Place = 7
		}
		if !a.Before(b) || b.Before(a) {
			t.Errorf("%d: %+v does not win over %+v", i, a, b)
		}
	}
}
