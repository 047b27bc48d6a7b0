package graph

import (
	"maps"
	"slices"
)

// Roots are derived one from another, each from that of the parent. Where links lead in a ring, a derived root upholds
// itself and cannot be seen to be wrong by looking at the parent alone. There the roots of all that depend on the ring are
// worked out from the named links only, once everything else is settled. No platform makes rings, but readings may
// contradict each other.

// rings notes the records for which that is to be done.
type rings struct {
	view
	changed map[Key]bool // records whose readings the page changed; true: nothing had shown them before
	noted   map[Key]bool // records that are, or were, in a ring, or lead into one
	ends    [2]map[Key]chainEnd
}

func newRings(v view) rings {
	return rings{view: v, changed: map[Key]bool{}, noted: map[Key]bool{}, ends: [2]map[Key]chainEnd{{}, {}}}
}

// change notes a record whose readings changed.
func (r *rings) change(key Key, first bool) { r.changed[key] = r.changed[key] || first }

// linkPair is the links that a record is about to get.
type linkPair struct{ parent, root Link }

// check notes a record whose links change, if that may have closed or opened a ring, and reports whether it is noted: then
// its derived root has to stay as it is until all else is settled, or roots would chase each other round the ring.
func (r *rings) check(key Key, n *Node, changed bool, now linkPair) (noted bool, err error) {
	if r.noted[key] {
		return true, nil
	}
	best := n.Best()
	moved := changed || now.parent.ID != n.Parent.ID || now.root.ID != n.Root.ID || best.Root.ClientID != ""
	if noted, err = r.hints(key, moved, n.Root.ID); err == nil && !noted {
		noted, err = r.hints(key, moved, now.root.ID)
	}
	if err == nil && !noted && (changed || now.parent != n.Parent || best.Root.Present()) {
		noted, err = r.inRing(key, n)
	}
	if noted {
		r.noted[key] = true
	}
	return noted, err
}

// hints reports whether a root of a record shows that a ring is near: the root of a chain has none itself, unless its
// readings name one, and it is never the record.
func (r *rings) hints(key Key, moved bool, root string) (bool, error) {
	if root == "" || root == key.ID() || !moved {
		return root != "" && root == key.ID(), nil
	}
	n, err := r.store.Node(key.message(root))
	return err == nil && n.Root.Status != None, err
}

// chainEnd is where the chain above a record leads: round to itself, or to its end; root is the named root that it ends with.
type chainEnd struct {
	ring bool
	root Key
}

// inRing reports whether the chain above a record leads back to it. What a walk finds holds for all records that it passes,
// until all is settled: a page may be one long chain, and walking it from each of its records would take for ever.
func (r *rings) inRing(from Key, n *Node) (bool, error) {
	if !n.Linked {
		if alias, err := r.alias(from, n); err != nil || alias == "" {
			return false, err // nobody links to it
		}
	}
	// Walks from records that nothing had shown before end at what was settled before, so their findings are kept apart.
	first := r.changed[from]
	ends := r.ends[0]
	if first {
		ends = r.ends[1]
	}
	var way []Key
	position := map[Key]int{}
	passed := func(e chainEnd) {
		for _, key := range way {
			ends[key] = e
		}
	}
	for at := from; ; {
		if e, known := ends[at]; known {
			passed(chainEnd{root: e.root})
			return e.ring && at == from || e.root == from, nil
		}
		position[at], way = len(way), append(way, at)
		up, isRoot, err := r.above(at)
		switch {
		case err != nil:
			return false, err
		case up.Status != Resolved:
			passed(chainEnd{})
			return false, nil
		}
		at = at.message(up.ID)
		if isRoot {
			passed(chainEnd{root: at})
			return at == from, nil
		}
		if start, again := position[at]; again {
			passed(chainEnd{})
			for _, key := range way[start:] {
				ends[key] = chainEnd{ring: true}
			}
			return at == from, nil
		}
		if _, now := r.changed[at]; first && !now {
			// What was settled before this record was shown does not lead to it.
			if n, err := r.store.Node(at); err != nil || n.Root.Status == None || n.Root.Status == Resolved {
				passed(chainEnd{})
				return false, err
			}
		}
	}
}

// settle works out the roots of all that depends on the noted records, and gives the records whose root is another by that.
func (r *rings) settle() (changed []Key, err error) {
	w := walker{view: r.view, before: map[Key]Key{}, last: map[Key]Key{}}
	seen := map[Key]bool{}
	for todo := slices.Sorted(maps.Keys(r.noted)); len(todo) > 0; { // sorted: what changes keeps an order
		key := todo[0]
		todo = todo[1:]
		if seen[key] {
			continue
		}
		seen[key] = true
		n, err := r.store.Node(key)
		if err != nil {
			return nil, err
		}
		root, err := w.root(key)
		if err != nil {
			return nil, err
		}
		if root != n.Root {
			n.Root, n.Changed = root, true
			changed = append(changed, key)
		}
		below, err := r.linkers(key, n)
		if err != nil {
			return nil, err
		}
		todo = append(todo, below...)
	}
	return changed, nil
}

// walker walks up chains. It keeps what it finds, so that a long chain or ring is walked once.
type walker struct {
	view
	before map[Key]Key // in a ring: who links to it there
	last   map[Key]Key // the last record of the chain that names its end, or that links into a ring
}

// root is the root of a record as the chain above it gives it: the end of that, or what is known of the end. A ring ends at
// the last message before the repeat.
func (w *walker) root(from Key) (Link, error) {
	if end, ok := w.before[from]; ok {
		return w.resolve(from, &Target{ID: end.ID()})
	}
	way := map[Key]Key{} // from whom each was reached
	for at := from; ; {
		if last, ok := w.last[at]; ok {
			way[last], at = at, last
		}
		up, isRoot, err := w.above(at)
		if err != nil {
			return Link{}, err
		}
		to := at.message(up.ID)
		end, inRing := w.before[to]
		_, again := way[to]
		switch {
		case at == from && (isRoot || up.Status == None):
			return up, nil
		case up.Status != Resolved || inRing && !isRoot:
		case again || to == from:
			if !isRoot {
				w.walkCycle(way, at, to, from)
			}
			return w.resolve(from, &Target{ID: at.ID()})
		case !isRoot:
			way[to], at = at, to
			continue
		}
		w.keep(way, at, from)
		switch {
		case up.Status == None:
			return w.resolve(from, &Target{ID: at.ID()})
		case up.Status == Pending:
			return Link{Status: Pending}, nil
		case up.Status == Resolved && isRoot:
			up.ClientID, up.Reason = "", ""
		case up.Status == Resolved:
			return w.resolve(from, &Target{ID: end.ID()})
		}
		return up, nil
	}
}

// keep notes for all on the way that last names where it ends.
func (w *walker) keep(way map[Key]Key, last, from Key) {
	for k := last; k != from; {
		k = way[k]
		w.last[k] = last
	}
}

// walkCycle notes a ring, which the way reached first at to and which last closes, and the way that leads into it.
func (w *walker) walkCycle(way map[Key]Key, last, to, from Key) {
	w.before[to] = last
	for k := last; k != to; k = way[k] {
		w.before[k] = way[k]
	}
	if to != from {
		w.keep(way, way[to], from)
	}
}
