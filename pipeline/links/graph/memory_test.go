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

func (m *memory) call() error {
	if m.calls++; m.calls == m.failAt {
		return errStore
	}
	return nil
}

func (m *memory) Node(key graph.Key) (*graph.Node, error) {
	if err := m.call(); err != nil {
		return nil, err
	}
	if m.nodes[key] == nil {
		n := graph.NewNode()
		if k := m.kept[key]; k != nil {
			*n = *k
			n.Readings = slices.Clone(k.Readings)
		}
		m.nodes[key] = n
	}
	return m.nodes[key], nil
}

func (m *memory) Members(s graph.Set) ([]graph.Key, error) {
	return slices.Sorted(maps.Keys(m.sets[s])), m.call()
}

func (m *memory) Insert(s graph.Set, key graph.Key) error {
	if m.sets[s] == nil {
		m.sets[s] = map[graph.Key]bool{}
	}
	m.sets[s][key] = true
	return m.call()
}

func (m *memory) Remove(s graph.Set, key graph.Key) error {
	delete(m.sets[s], key)
	return m.call()
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
