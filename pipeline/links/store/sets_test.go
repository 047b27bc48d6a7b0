package store_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
)

// TestSetsAreSets changes sets and nodes at random, with what is pending applied, discarded or given to another process, and
// compares all with maps.
func TestSetsAreSets(t *testing.T) {
	chance := rand.New(rand.NewPCG(5, 6))
	dir := t.TempDir()
	ix := open(t, dir)
	p := ix.Partition(1)
	c, other := graph.Conversation("\x00\x00\x00\x01"), graph.Conversation("\x00\x00\x00\x02")
	sets := []graph.Set{
		{Kind: graph.LinkedBy, Name: string(c.Message("a"))}, {Kind: graph.LinkedBy, Name: string(c.Message("ab"))},
		{Kind: graph.LinkedBy, Name: string(other.Message("a"))}, {Kind: graph.SameClient, Name: string(c.Client("a"))},
		{Kind: graph.SameClient, Name: string(other.Client("a"))}, {Kind: graph.Wanted, Name: "a"}, {Kind: graph.Wanted, Name: ""},
	}
	type world map[graph.Set]map[graph.Key]bool
	clone := func(w world) world {
		out := world{}
		for s, keys := range w {
			out[s] = maps.Clone(keys)
		}
		return out
	}
	applied, pending := world{}, world{}
	for step := range 3000 {
		s := sets[chance.IntN(len(sets))]
		key := graph.Key(s.Name)
		if s.Kind == graph.Wanted {
			key = graph.Key(c)
		}
		key = key.Conversation().Message(fmt.Sprint(chance.IntN(8)))
		switch chance.IntN(20) {
		case 0:
			apply(t, p, store.Applied{Offset: int64(step)})
			applied = clone(pending)
		case 1:
			p.Discard()
			pending = clone(applied)
		case 2:
			p.Close()
			shut(t, ix)
			ix = open(t, dir)
			p = ix.Partition(1)
			pending = clone(applied)
		case 3, 4, 5, 6, 7, 8, 9:
			p.Remove(s, key)
			delete(pending[s], key)
		default:
			p.Insert(s, key)
			if pending[s] == nil {
				pending[s] = map[graph.Key]bool{}
			}
			pending[s][key] = true
		}
		s = sets[chance.IntN(len(sets))]
		if got, want := p.Members(s), slices.Sorted(maps.Keys(pending[s])); !slices.Equal(got, want) || p.Err() != nil {
			t.Fatalf("step %d: set %+v holds %q (%v), want %q", step, s, got, p.Err(), want)
		}
	}
	p.Close()
}
