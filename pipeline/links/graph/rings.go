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
func (r *rings) check(key Key, n *Node, changed bool, now linkPair) (noted bool) {
	best := n.Best()
	moved := changed || now.parent.ID != n.Parent.ID || now.root.ID != n.Root.ID || best.Root.ClientID != ""
	noted = r.noted[key] || r.near(key, moved, n.Root.ID) || r.near(key, moved, now.root.ID) ||
		(changed || now.parent != n.Parent || best.Root.Present()) && r.inRing(key, n)
	if noted {
		r.noted[key] = true
	}
	return noted
}

// near reports whether a root of a record shows that a ring is near: the root of a chain has none itself, unless its
// readings name one, and it is never the record.
func (r *rings) near(key Key, moved bool, root string) bool {
	if root == "" || root == key.ID() || !moved {
		return root != "" && root == key.ID()
	}
	return r.store.Node(key.message(root)).Root.Status != None
}

// chainEnd is where the chain above a record leads: round to itself, or to its end; root is the named root that it ends with.
type chainEnd struct {
	ring bool
	root Key
}

// inRing reports whether the chain above a record leads back to it. What a walk finds holds for all records that it passes,
// until all is settled: a page may be one long chain, and walking it from each of its records would take for ever.
func (r *rings) inRing(from Key, n *Node) bool {
	if !n.Linked && r.alias(from, n) == "" {
		return false // nobody links to it
	}
	// Walks from records that nothing had shown before end at what was settled before, so their findings are kept apart.
	first := r.changed[from]
	ends := r.ends[0]
	if first {
		ends = r.ends[1]
	}
	var way []Key
	position := map[Key]int{}
	found := func(e chainEnd) {
		for _, key := range way {
			ends[key] = e
		}
	}
	for at := from; ; {
		if e, known := ends[at]; known {
			found(chainEnd{root: e.root})
			return e.ring && at == from || e.root == from
		}
		position[at], way = len(way), append(way, at)
		up, isRoot := r.above(at)
		if up.Status != Resolved {
			found(chainEnd{})
			return false
		}
		at = at.message(up.ID)
		if isRoot {
			found(chainEnd{root: at})
			return at == from
		}
		if start, again := position[at]; again {
			found(chainEnd{})
			for _, key := range way[start:] {
				ends[key] = chainEnd{ring: true}
			}
			return at == from
		}
		if _, now := r.changed[at]; first && !now {
			// What was settled before this record was shown does not lead to it.
			if root := r.store.Node(at).Root.Status; root == None || root == Resolved {
				found(chainEnd{})
				return false
			}
		}
	}
}

// settle works out the roots of all that depends on the noted records, and gives the records whose root is another by that.
func (r *rings) settle() (changed []Key) {
	w := walker{view: r.view, before: map[Key]Key{}, last: map[Key]Key{}}
	seen := map[Key]bool{}
	for todo := slices.Sorted(maps.Keys(r.noted)); len(todo) > 0; { // sorted: what changes keeps an order
		key := todo[0]
		todo = todo[1:]
		if seen[key] {
			continue
		}
		seen[key] = true
		n := r.store.Node(key)
		if root := w.root(key); root != n.Root {
			n.Root, n.Changed = root, true
			changed = append(changed, key)
		}
		todo = append(todo, r.linkers(key, n)...)
	}
	return changed
}

// walker walks up chains. It keeps what it finds, so that a long chain or ring is walked once.
type walker struct {
	view
	before map[Key]Key // in a ring: who links to it there
	last   map[Key]Key // the last record of the chain that names its end, or that links into a ring
}

// root is the root of a record as the chain above it gives it: the end of that, or what is known of the end. A ring ends at
// the last message before the repeat.
func (w *walker) root(from Key) Link {
	message := func(key Key) Link { return w.resolve(from, &Target{ID: key.ID()}) }
	if end, ok := w.before[from]; ok {
		return message(end)
	}
	way := map[Key]Key{} // from whom each was reached
	for at := from; ; {
		if last, ok := w.last[at]; ok {
			way[last], at = at, last
		}
		up, isRoot := w.above(at)
		to := at.message(up.ID)
		end, inRing := w.before[to]
		_, again := way[to]
		switch {
		case at == from && (isRoot || up.Status == None):
			return up
		case up.Status != Resolved || inRing && !isRoot:
		case again || to == from:
			if !isRoot {
				w.walkCycle(way, at, to, from)
			}
			return message(at)
		case !isRoot:
			way[to], at = at, to
			continue
		}
		w.keep(way, at, from)
		switch {
		case up.Status == None:
			return message(at)
		case up.Status == Pending:
			return Link{Status: Pending}
		case up.Status == Resolved && isRoot:
			up.ClientID, up.Reason = "", ""
		case up.Status == Resolved:
			return message(end)
		}
		return up
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
