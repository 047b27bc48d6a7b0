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
func (u *Update) Read(key Key, r *Reading, fixed, lookup bool) (wins bool) {
	n := u.store.Node(key)
	first, before := !n.Shown(), Reading{}
	if !first {
		before = n.Best()
	}
	wins = n.add(r)
	n.Fixed = n.Fixed || fixed
	u.touched.add(key)
	if n.Fixed {
		return wins
	}
	nearer := !lookup && n.Depth > 0
	if nearer {
		n.Depth = 0
	}
	now := n.Best()
	u.setEdges(key, &before, &now)
	sameTarget := !first && before.sameTarget(&now)
	if !sameTarget {
		u.moved.add(key)
	}
	for _, client := range u.rename(key, before.ClientID, &now) {
		u.moved.add(client)
	}
	if nearer || !sameTarget || !before.sameLinks(&now) {
		u.rings.change(key, first)
		u.changed = append(u.changed, key)
	}
	return wins
}

// Answer takes in what the platform says of a message that it does not show.
func (u *Update) Answer(key Key, a Answer) {
	n := u.store.Node(key)
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
}

// Settle resolves the links that the readings and answers changed, and all that depends on them. It gives the records whose
// version may have changed, each once, or the failure of the store.
func (u *Update) Settle() (touched []Key, err error) {
	u.linkChanged()
	for len(u.moved.keys) > 0 {
		to := u.moved.take()
		for _, from := range u.linkers(to, u.store.Node(to)) {
			u.link(from, false)
		}
	}
	for _, key := range u.rings.settle() {
		u.touched.add(key)
	}
	slices.Sort(u.left)
	for _, key := range slices.Compact(u.left) { // whoever else links to it is looked at once
		if !u.namesThread(key) {
			u.setRoot(key, false)
		}
	}
	return u.touched.keys, u.store.Err()
}

// linkChanged links the records whose readings changed, each after the one above it: a root that is derived too early would
// have to be derived again, all the way down.
func (u *Update) linkChanged() {
	waits := make(map[Key]bool, len(u.changed))
	for _, key := range u.changed {
		waits[key] = true
	}
	var way []Key
	for _, key := range u.changed {
		for at := key; waits[at]; {
			delete(waits, at)
			way = append(way, at)
			up, isRoot := u.above(at)
			if up.Status != Resolved || isRoot {
				break
			}
			at = at.message(up.ID)
		}
		for ; len(way) > 0; way = way[:len(way)-1] {
			u.link(way[len(way)-1], true)
		}
	}
}

// link works out the links of a record. changed says that its readings changed.
func (u *Update) link(key Key, changed bool) {
	n := u.store.Node(key)
	if !n.Shown() || n.Fixed {
		return
	}
	r := n.Best()
	if !r.Parent.Present() && !r.Root.Present() {
		return // readings are never taken back, so neither are links
	}
	parent, root := u.resolve(key, &r.Parent), u.resolve(key, &r.Root)
	u.setThread(key, n, threadOf(key, &r, &root))
	derived := root.Status == None && parent.Status != None
	if derived {
		root = u.deriveRoot(key, &parent)
	}
	if u.rings.check(key, n, changed, linkPair{parent, root}) && derived {
		root = n.Root
	}
	u.setDepths(key)
	if parent == n.Parent && root == n.Root {
		return
	}
	if root != n.Root {
		u.moved.add(key)
	}
	n.Parent, n.Root, n.Changed = parent, root, true
	u.touched.add(key)
}

// setDepths passes on to the targets of a record how far they are from a message that an ordinary page has shown.
func (u *Update) setDepths(key Key) {
	for todo := []Key{key}; len(todo) > 0; {
		key = todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n := u.store.Node(key)
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
			target := u.store.Node(to)
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
func (u *Update) setThread(key Key, n *Node, id string) {
	old := n.Thread
	if id == old {
		return
	}
	n.Thread, n.Changed = id, true
	u.touched.add(key)
	if old != "" && old != key.ID() {
		u.left = append(u.left, key.message(old))
	}
	if id != "" && id != key.ID() {
		u.setRoot(key.message(id), true)
	}
}

// setRoot marks a message as the root of a thread that is named by it, or takes the mark back.
func (u *Update) setRoot(key Key, is bool) {
	n := u.store.Node(key)
	if n.ThreadRoot == is {
		return
	}
	n.ThreadRoot, n.Changed = is, true
	if n.Shown() {
		u.touched.add(key)
	}
}

// namesThread reports whether some other message names a message as the root of its thread.
func (u *Update) namesThread(key Key) bool {
	return slices.ContainsFunc(u.linkers(key, u.store.Node(key)), func(from Key) bool {
		return from != key && u.store.Node(from).Thread == key.ID()
	})
}
