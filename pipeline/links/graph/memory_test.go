package graph_test

import (
	"errors"
	"maps"
	"slices"

	"chatlake/pipeline/links/graph"
)

// memory is a Store of maps. Like one on disk it keeps of a node only what was there when it was marked as changed, and it can
// fail.
type memory struct {
	nodes, kept map[graph.Key]*graph.Node
	sets        map[graph.Set]map[graph.Key]bool
	calls       int
	failAt      int // the call that fails, 0: none
}

var errStore = errors.New("the store fails")

func newMemory() *memory {
	return &memory{nodes: map[graph.Key]*graph.Node{}, kept: map[graph.Key]*graph.Node{}, sets: map[graph.Set]map[graph.Key]bool{}}
}

func (m *memory) Err() error {
	if m.failAt > 0 && m.calls >= m.failAt {
		return errStore
	}
	return nil
}

func (m *memory) Node(key graph.Key) *graph.Node {
	m.calls++
	if m.nodes[key] == nil {
		n := graph.NewNode()
		if k := m.kept[key]; k != nil && m.Err() == nil {
			*n = *k
			n.Readings = slices.Clone(k.Readings)
		}
		m.nodes[key] = n
	}
	return m.nodes[key]
}

func (m *memory) Members(s graph.Set) []graph.Key {
	if m.calls++; m.Err() != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(m.sets[s]))
}

func (m *memory) Insert(s graph.Set, key graph.Key) {
	m.calls++
	if m.sets[s] == nil {
		m.sets[s] = map[graph.Key]bool{}
	}
	m.sets[s][key] = true
}

func (m *memory) Remove(s graph.Set, key graph.Key) {
	m.calls++
	delete(m.sets[s], key)
}

// apply keeps the nodes that are marked as changed and forgets all others.
func (m *memory) apply() {
	for key, n := range m.nodes {
		if n.Changed {
			n.Changed = false
			m.kept[key] = n
		}
	}
	clear(m.nodes)
}
