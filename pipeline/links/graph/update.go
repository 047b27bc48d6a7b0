package graph

import "slices"

// Update is what one page changes: Read and Answer take in what it says, then Settle works out what follows, once.
type Update struct {
	view
	touched queue // records whose version may have changed
	changed []Key // records whose readings changed in a way that links depend on
	moved   queue // targets that look different to those who link to them
	left    []Key // roots that a message of their thread no longer names
	rings   rings
}

// NewUpdate begins an update of the graph in a store.
func NewUpdate(s Store) *Update {
	v := view{s}
	return &Update{view: v, rings: newRings(v)}
}

// queue is a set of keys in the order in which they were added.
type queue struct {
	keys []Key
	in   map[Key]bool
}

func (q *queue) add(key Key) {
	if q.in[key] {
		return
	}
	if q.in == nil {
		q.in = map[Key]bool{}
	}
	q.in[key] = true
	q.keys = append(q.keys, key)
}

// take removes the first key.
func (q *queue) take() Key {
	key := q.keys[0]
	q.keys = q.keys[1:]
	delete(q.in, key)
	return key
}

// Read takes in a reading of a record and reports whether it wins now. Fixed records keep the links that they come with.
// lookup says that a look-up asked for the page.
func (u *Update) Read(key Key, r *Reading, fixed, lookup bool) (wins bool, err error) {
	n, err := u.store.Node(key)
	if err != nil {
		return false, err
	}
	first, before := !n.Shown(), Reading{}
	if !first {
		before = n.Best()
	}
	wins = n.add(r)
	n.Fixed = n.Fixed || fixed
	u.touched.add(key)
	if n.Fixed {
		return wins, nil
	}
	nearer := !lookup && n.Depth > 0
	if nearer {
		n.Depth = 0
	}
	now := n.Best()
	if err := u.setEdges(key, &before, &now); err != nil {
		return false, err
	}
	sameTarget := !first && before.sameTarget(&now)
	if !sameTarget {
		u.moved.add(key)
	}
	clients, err := u.rename(key, before.ClientID, &now)
	if err != nil {
		return false, err
	}
	for _, client := range clients {
		u.moved.add(client)
	}
	if nearer || !sameTarget || !before.sameLinks(&now) {
		u.rings.change(key, first)
		u.changed = append(u.changed, key)
	}
	return wins, nil
}

// Answer takes in what the platform says of a message that it does not show.
func (u *Update) Answer(key Key, a Answer) error {
	n, err := u.store.Node(key)
	if err != nil {
		return err
	}
	if a.Status == Deleted && !n.Deleted {
		n.Deleted, n.Changed = true, true
		if n.Shown() {
			u.touched.add(key)
		}
	}
	if a.Status > n.Answer.Status || a.Status == n.Answer.Status && a.Reason < n.Answer.Reason {
		n.Answer, n.Changed = a, true
		if !n.Shown() {
			u.moved.add(key)
		}
	}
	return nil
}

// Settle resolves the links that the readings and answers changed, and all that depends on them. It gives the records whose
// version may have changed, each once.
func (u *Update) Settle() (touched []Key, err error) {
	if err := u.linkChanged(); err != nil {
		return nil, err
	}
	for len(u.moved.keys) > 0 {
		if err := u.linkAll(u.moved.take()); err != nil {
			return nil, err
		}
	}
	again, err := u.rings.settle()
	if err != nil {
		return nil, err
	}
	for _, key := range again {
		u.touched.add(key)
	}
	slices.Sort(u.left)
	for _, key := range slices.Compact(u.left) { // whoever else links to it is looked at once
		if err := u.unmarkRoot(key); err != nil {
			return nil, err
		}
	}
	return u.touched.keys, nil
}

// linkChanged links the records whose readings changed, each after the one above it: a root that is derived too early would
// have to be derived again, all the way down.
func (u *Update) linkChanged() error {
	waits := make(map[Key]bool, len(u.changed))
	for _, key := range u.changed {
		waits[key] = true
	}
	var way []Key
	for _, key := range u.changed {
		for at := key; waits[at]; {
			delete(waits, at)
			way = append(way, at)
			up, isRoot, err := u.above(at)
			if err != nil {
				return err
			}
			if up.Status != Resolved || isRoot {
				break
			}
			at = at.message(up.ID)
		}
		for ; len(way) > 0; way = way[:len(way)-1] {
			if err := u.link(way[len(way)-1], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// linkAll links again all that link to a target.
func (u *Update) linkAll(to Key) error {
	n, err := u.store.Node(to)
	if err != nil {
		return err
	}
	from, err := u.linkers(to, n)
	if err != nil {
		return err
	}
	for _, key := range from {
		if err := u.link(key, false); err != nil {
			return err
		}
	}
	return nil
}

// link works out the links of a record. changed says that its readings changed.
func (u *Update) link(key Key, changed bool) error {
	n, err := u.store.Node(key)
	if err != nil || !n.Shown() || n.Fixed {
		return err
	}
	r := n.Best()
	if !r.Parent.Present() && !r.Root.Present() {
		return nil // readings are never taken back, so neither are links
	}
	parent, err := u.resolve(key, &r.Parent)
	if err != nil {
		return err
	}
	root, err := u.resolve(key, &r.Root)
	if err != nil {
		return err
	}
	if err := u.setThread(key, n, threadOf(key, &r, &root)); err != nil {
		return err
	}
	derived := root.Status == None && parent.Status != None
	if derived {
		if root, err = u.deriveRoot(key, &parent); err != nil {
			return err
		}
	}
	noted, err := u.rings.check(key, n, changed, linkPair{parent, root})
	if err != nil {
		return err
	}
	if noted && derived {
		root = n.Root
	}
	if err := u.setDepths(key); err != nil {
		return err
	}
	if parent == n.Parent && root == n.Root {
		return nil
	}
	if root != n.Root {
		u.moved.add(key)
	}
	n.Parent, n.Root, n.Changed = parent, root, true
	u.touched.add(key)
	return nil
}

// setDepths passes on to the targets of a record how far they are from a message that an ordinary page has shown.
func (u *Update) setDepths(key Key) error {
	for todo := []Key{key}; len(todo) > 0; {
		key = todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, err := u.store.Node(key)
		if err != nil {
			return err
		}
		if !n.Shown() || n.Depth == unknownDepth {
			continue
		}
		depth := min(n.Depth+1, unknownDepth-1)
		r := n.Best()
		for _, t := range [...]*Target{&r.Parent, &r.Root} {
			if t.ID == "" {
				continue
			}
			to := t.key(key)
			target, err := u.store.Node(to)
			if err != nil {
				return err
			}
			if depth >= target.Depth {
				continue
			}
			if old := target.Depth; !target.Shown() && (depth > maxDepth) != (old > maxDepth && old != unknownDepth) {
				u.moved.add(to)
			}
			target.Depth, target.Changed = depth, true
			todo = append(todo, to)
		}
	}
	return nil
}

// threadOf is the message id of the root of a record's thread, "" where the thread is not named by it. root is the one that
// the reading names.
func threadOf(key Key, r *Reading, root *Link) string {
	switch {
	case !r.ThreadByRoot:
		return ""
	case r.Root.ID != "":
		return r.Root.ID
	case root.Status == Resolved:
		return root.ID
	case root.Status == None: // its root is the message itself
		return key.ID()
	}
	return ""
}

// setThread notes which thread a record belongs to, and marks the root of that.
func (u *Update) setThread(key Key, n *Node, id string) error {
	old := n.Thread
	if id == old {
		return nil
	}
	n.Thread, n.Changed = id, true
	u.touched.add(key)
	if old != "" && old != key.ID() {
		u.left = append(u.left, key.message(old))
	}
	if id == "" || id == key.ID() {
		return nil
	}
	return u.markRoot(key.message(id), true)
}

// markRoot sets whether a message is the root of a thread that is named by it.
func (u *Update) markRoot(key Key, is bool) error {
	n, err := u.store.Node(key)
	if err != nil || n.ThreadRoot == is {
		return err
	}
	n.ThreadRoot, n.Changed = is, true
	if n.Shown() {
		u.touched.add(key)
	}
	return nil
}

// unmarkRoot takes the mark of a thread's root back where no message names it any longer.
func (u *Update) unmarkRoot(key Key) error {
	n, err := u.store.Node(key)
	if err != nil || !n.ThreadRoot {
		return err
	}
	from, err := u.linkers(key, n)
	if err != nil {
		return err
	}
	for _, f := range from {
		if m, err := u.store.Node(f); err != nil || m.Thread == key.ID() && f != key {
			return err
		}
	}
	return u.markRoot(key, false)
}
