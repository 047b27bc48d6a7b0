package links

import (
	"maps"
	"slices"
)

// Roots are derived one from another, each from that of the parent. Where links lead in a ring, what was derived upholds
// itself and is found no more by looking at the parent alone: there, all that hangs on a record is worked out from the told
// links only, once everything else is settled. No platform makes rings, but what readings tell may contradict itself.

// ringed notes a record whose links changed, where a ring may have closed or opened by that. It reports whether the record
// is noted: its derived root is to stay as it is until all else is settled, or roots would chase each other round the ring.
func (p *Partition) ringed(key Key, fresh bool, parent, root *Link) (noted bool, err error) {
	if p.rings[key] {
		return true, nil
	}
	n, err := p.Node(key)
	if err != nil {
		return false, err
	}
	r := n.Best()
	changed := fresh || parent.ID != n.Parent.ID || root.ID != n.Root.ID || r.Root.ClientID != ""
	if noted, err = p.turns(key, changed, n.Root.ID); err == nil && !noted {
		noted, err = p.turns(key, changed, root.ID)
	}
	if err == nil && !noted && (fresh || *parent != n.Parent || r.Root.Told()) {
		noted, err = p.inRing(key)
	}
	if noted {
		if p.rings == nil {
			p.rings = map[Key]bool{}
		}
		p.rings[key] = true
	}
	return noted, err
}

// turns reports whether a root of a record shows that a ring is near: the root of a chain has none itself, unless it stands
// in that chain, and it is never the record.
func (p *Partition) turns(key Key, changed bool, root string) (bool, error) {
	if root == "" || root == key.ID() || !changed {
		return root != "" && root == key.ID(), nil
	}
	n, err := p.Node(key.with(byMessage, root))
	return err == nil && n.Root.Status != None, err
}

// fate is where the chain above a record leads: round to itself, or to its end; root is the told root that it ends with.
type fate struct {
	ring bool
	root Key
}

// inRing reports whether the chain above a record leads back to it. What a walk finds out holds for all records that it
// passes, until all is settled: a page may be one long chain, and walking it from each of its records would not end.
func (p *Partition) inRing(from Key) (bool, error) {
	if n, err := p.Node(from); err != nil || !n.Linked {
		if alias, err := p.alias(from, n); err != nil || alias == "" {
			return false, err // nobody links to it
		}
	}
	fates := p.fatesOf(p.changed[from])
	var way []Key
	place := map[Key]int{}
	passed := func(f fate) {
		for _, key := range way {
			fates[key] = f
		}
	}
	for at := from; ; {
		if f, known := fates[at]; known {
			passed(fate{root: f.root})
			return f.ring && at == from || f.root == from, nil
		}
		place[at], way = len(way), append(way, at)
		up, root, err := p.above(at)
		switch {
		case err != nil:
			return false, err
		case up.Status != Resolved:
			passed(fate{})
			return false, nil
		}
		at = at.with(byMessage, up.ID)
		if root {
			passed(fate{root: at})
			return at == from, nil
		}
		if first, again := place[at]; again {
			passed(fate{})
			for _, key := range way[first:] {
				fates[key] = fate{ring: true}
			}
			return at == from, nil
		}
		if _, now := p.changed[at]; p.changed[from] && !now {
			// What was settled before this record was shown does not lead to it.
			if n, err := p.Node(at); err != nil || n.Root.Status == None || n.Root.Status == Resolved {
				passed(fate{})
				return false, err
			}
		}
	}
}

// fatesOf keeps those of records that nothing had shown before apart: their walks end at what was settled before.
func (p *Partition) fatesOf(shownFirst bool) map[Key]fate {
	at := &p.fates[0]
	if shownFirst {
		at = &p.fates[1]
	}
	if *at == nil {
		*at = map[Key]fate{}
	}
	return *at
}

// above is what a chain goes on with above a record: its told root, or else its parent.
func (p *Partition) above(at Key) (up Link, root bool, err error) {
	n, err := p.Node(at)
	if err != nil || !n.Shown() {
		return Link{}, false, err
	}
	r := n.Best()
	if up, err = p.told(at, &r.Root); err != nil || up.Status != None {
		return up, true, err
	}
	up, err = p.told(at, &r.Parent)
	return up, false, err
}

// unroll works the roots out anew of all that hangs on the records that were noted.
func (p *Partition) unroll() error {
	found := walks{before: map[Key]Key{}, far: map[Key]Key{}}
	seen := map[Key]bool{}
	for todo := slices.Sorted(maps.Keys(p.rings)); len(todo) > 0; { // sorted: what is touched keeps an order
		key := todo[0]
		todo = todo[1:]
		if seen[key] {
			continue
		}
		seen[key] = true
		n, err := p.Node(key)
		if err != nil {
			return err
		}
		root, err := p.end(key, &found)
		if err != nil {
			return err
		}
		if root != n.Root {
			n.Root, n.changed = root, true
			p.touch(key)
		}
		below, err := p.below(key, n)
		if err != nil {
			return err
		}
		todo = append(todo, below...)
	}
	return nil
}

// below gives the records that link to one, by its id or by its client id.
func (p *Partition) below(key Key, n *Node) (all []Key, err error) {
	named := []Key{key}
	if alias, err := p.alias(key, n); err != nil {
		return nil, err
	} else if alias != "" {
		named = append(named, alias)
	}
	for _, name := range named {
		from, err := p.under(p.at(keyLink, string(name), ""))
		if err != nil {
			return nil, err
		}
		for _, k := range from {
			all = append(all, Key(k))
		}
	}
	return all, nil
}

// walks keeps what walks up chains have found, so that a long chain or ring is walked once.
type walks struct {
	before map[Key]Key // in a ring: who links to it there
	far    map[Key]Key // the last record of the chain that tells where it ends, or that links into a ring
}

// end is the root of a record as the chain above it tells: its end, or what is to be had of that. A ring ends at the last
// message before the repeat.
func (p *Partition) end(from Key, w *walks) (Link, error) {
	if last, ok := w.before[from]; ok {
		return p.told(from, &Target{ID: last.ID()})
	}
	way := map[Key]Key{} // who was before
	for at := from; ; {
		if far, ok := w.far[at]; ok {
			way[far], at = at, far
		}
		up, root, err := p.above(at)
		if err != nil {
			return Link{}, err
		}
		to := at.with(byMessage, up.ID)
		last, turned := w.before[to]
		_, again := way[to]
		switch {
		case at == from && (root || up.Status == None):
			return up, nil
		case up.Status != Resolved || turned && !root:
		case again || to == from:
			if !root {
				w.turn(way, at, to, from)
			}
			return p.told(from, &Target{ID: at.ID()})
		case !root:
			way[to], at = at, to
			continue
		}
		w.reach(way, at, from)
		switch {
		case up.Status == None:
			return p.told(from, &Target{ID: at.ID()})
		case up.Status == Pending:
			return Link{Status: Pending}, nil
		case up.Status == Resolved && root:
			up.ClientID, up.Reason = "", ""
		case up.Status == Resolved:
			return p.told(from, &Target{ID: last.ID()})
		}
		return up, nil
	}
}

// reach notes for all on the way that at tells where it ends.
func (w *walks) reach(way map[Key]Key, at, from Key) {
	for k := at; k != from; {
		k = way[k]
		w.far[k] = at
	}
}

// turn notes a ring, which the way came to first at to and which at closes, and the way that leads into it.
func (w *walks) turn(way map[Key]Key, at, to, from Key) {
	w.before[to] = at
	for k := at; k != to; k = way[k] {
		w.before[k] = way[k]
	}
	if to != from {
		w.reach(way, way[to], from)
	}
}
