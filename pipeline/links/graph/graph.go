// Package graph is the rules of links between messages: what a named link, a root, a thread and a client id lead to, given
// what pages say, and which targets are to be looked up. It is pure: all that it knows is in a Store, and it knows no disk,
// no broker and no platform.
package graph

// Store keeps nodes, and sets of their keys. A change is visible to the next call. One that fails says so by Err from then on,
// and gives what is not known.
type Store interface {
	// Node gives the node under a key, one of which nothing is known where there is none. All who ask get the same pointer
	// for as long as changes are pending.
	Node(Key) *Node
	// Members lists a set in the order of its keys.
	Members(Set) []Key
	// Insert adds a key to a set; one that is in it stays.
	Insert(Set, Key)
	// Remove takes a key out of a set, if it is in it.
	Remove(Set, Key)
	// Err is the first failure: nothing may follow from what was read and changed since.
	Err() error
}

// Set names a set of keys.
type Set struct {
	Kind SetKind
	Name string
}

// SetKind is what the keys of a set have in common.
type SetKind uint8

// Kinds of sets.
const (
	LinkedBy   SetKind = iota + 1 // records that link to a node; the name is the key of that
	SameClient                    // messages that have a client id but do not own it; the name is the key of the client id
	Wanted                        // targets that no page of a container shows; the name is the container's key
)

func linkedBy(to Key) Set         { return Set{LinkedBy, string(to)} }
func sameClient(client Key) Set   { return Set{SameClient, string(client)} }
func wanted(container string) Set { return Set{Wanted, container} }

// view reads a graph, and keeps its edges and the owners of client ids.
type view struct{ store Store }

// resolve gives the link that a reading names as its target is now. A message never links to itself.
func (v view) resolve(from Key, t *Target) Link {
	if !t.Present() {
		return Link{}
	}
	l := Link{Status: Pending, Reason: t.Reason, ID: t.ID, ClientID: t.ClientID, SenderID: t.SenderID, CreatedAt: t.CreatedAt}
	to := t.key(from)
	n := v.store.Node(to)
	if t.ID == "" && n.Owner != "" {
		to = from.message(n.Owner)
		n = v.store.Node(to)
	}
	switch {
	case to == from:
		return Link{}
	case n.Shown():
		l.Status, l.ID, l.SenderID, l.CreatedAt = Resolved, to.ID(), n.Readings[0].SenderID, n.Readings[0].CreatedAt
	case n.Answer.Status != None: // of a client id: whoever owns it is left out of the output
		l.Status, l.Reason = n.Answer.Status, n.Answer.Reason
	case n.Depth > maxDepth && n.Depth != unknownDepth:
		l.Status, l.Reason = Missing, "depth"
	}
	return l
}

// deriveRoot is the root that follows from a parent: the parent's root, or the parent where that has none, or, where the
// parent is not available, the same link. It stays pending until the chain above is known to its end.
func (v view) deriveRoot(from Key, parent *Link) Link {
	switch parent.Status {
	case Pending:
		return Link{Status: Pending}
	case Resolved:
	default:
		return *parent
	}
	root := v.store.Node(from.message(parent.ID)).Root
	switch root.Status {
	case None:
		return Link{Status: Resolved, ID: parent.ID, SenderID: parent.SenderID, CreatedAt: parent.CreatedAt}
	case Pending:
		return Link{Status: Pending}
	case Resolved:
		root.ClientID, root.Reason = "", ""
	}
	return root
}

// above is what a chain goes on with above a record: the root that its readings name, or else its parent.
func (v view) above(at Key) (up Link, isRoot bool) {
	n := v.store.Node(at)
	if !n.Shown() {
		return Link{}, false
	}
	r := n.Best()
	if up = v.resolve(at, &r.Root); up.Status != None {
		return up, true
	}
	return v.resolve(at, &r.Parent), false
}

// alias is the client id that others may name a message by, "" where there is none.
func (v view) alias(key Key, n *Node) Key {
	if key[4] != byMessage || !n.Shown() {
		return ""
	}
	r := n.Best()
	if r.ClientID == "" {
		return ""
	}
	alias := key.Conversation().Client(r.ClientID)
	if a := v.store.Node(alias); a.Owner != key.ID() || !a.Linked {
		return ""
	}
	return alias
}

// linkers gives the records that link to a node, by its key or by its client id.
func (v view) linkers(key Key, n *Node) (all []Key) {
	if n.Linked {
		all = v.store.Members(linkedBy(key))
	}
	if alias := v.alias(key, n); alias != "" {
		all = append(all, v.store.Members(linkedBy(alias))...)
	}
	return all
}

// setEdges keeps who links to whom: a record is in the sets of the parent and the root that its readings name.
func (v view) setEdges(from Key, before, now *Reading) {
	old := [2]Key{before.Parent.key(from), before.Root.key(from)}
	parent, root := now.Parent.key(from), now.Root.key(from)
	for _, to := range old {
		if to != "" && to != parent && to != root {
			v.store.Remove(linkedBy(to), from)
		}
	}
	v.addEdge(from, parent, now.Parent.CreatedAt, parent == old[0] || parent == old[1])
	v.addEdge(from, root, now.Root.CreatedAt, root == old[0] || root == old[1] || root == parent)
}

// addEdge notes that a record links to a target, if there is one, and when the link says that it was created.
func (v view) addEdge(from, to Key, createdAt int64, exists bool) {
	if to == "" {
		return
	}
	n := v.store.Node(to)
	if createdAt != 0 && (n.Hint == 0 || createdAt < n.Hint) {
		n.Hint, n.Changed = createdAt, true
	}
	if exists {
		return
	}
	if !n.Linked {
		n.Linked, n.Changed = true, true
	}
	v.store.Insert(linkedBy(to), from)
}
