// Package graph is the rules of links between messages: what a named link, a root, a thread and a client id lead to, given
// what pages say, and which targets are to be looked up. It is pure: all that it knows is in a Store, and it knows no disk,
// no broker and no platform.
package graph

// Store keeps nodes, and sets of their keys. A change is visible to the next call.
type Store interface {
	// Node gives the node under a key, one of which nothing is known where there is none. All who ask get the same pointer
	// for as long as changes are pending.
	Node(Key) (*Node, error)
	// Members lists a set in the order of its keys.
	Members(Set) ([]Key, error)
	// Insert adds a key to a set; one that is in it stays.
	Insert(Set, Key) error
	// Remove takes a key out of a set, if it is in it.
	Remove(Set, Key) error
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
func (v view) resolve(from Key, t *Target) (Link, error) {
	if !t.Present() {
		return Link{}, nil
	}
	l := Link{Status: Pending, Reason: t.Reason, ID: t.ID, ClientID: t.ClientID, SenderID: t.SenderID, CreatedAt: t.CreatedAt}
	to := t.key(from)
	n, err := v.store.Node(to)
	if err != nil {
		return Link{}, err
	}
	if t.ID == "" {
		if n.Owner == "" {
			if n.Answer.Status != None { // the owner is left out of the output
				l.Status, l.Reason = n.Answer.Status, n.Answer.Reason
			}
			return l, nil
		}
		to = from.message(n.Owner)
		if n, err = v.store.Node(to); err != nil {
			return Link{}, err
		}
	}
	switch {
	case to == from:
		return Link{}, nil
	case n.Shown():
		l.Status, l.ID, l.SenderID, l.CreatedAt = Resolved, to.ID(), n.Readings[0].SenderID, n.Readings[0].CreatedAt
	case n.Answer.Status != None:
		l.Status, l.Reason = n.Answer.Status, n.Answer.Reason
	case n.Depth > maxDepth && n.Depth != unknownDepth:
		l.Status, l.Reason = Missing, "depth"
	}
	return l, nil
}

// deriveRoot is the root that follows from a parent: the parent's root, or the parent where that has none, or, where the
// parent is not available, the same link. It stays pending until the chain above is known to its end.
func (v view) deriveRoot(from Key, parent *Link) (Link, error) {
	switch parent.Status {
	case Pending:
		return Link{Status: Pending}, nil
	case Resolved:
	default:
		return *parent, nil
	}
	above, err := v.store.Node(from.message(parent.ID))
	if err != nil {
		return Link{}, err
	}
	root := above.Root
	switch root.Status {
	case None:
		root = Link{Status: Resolved, ID: parent.ID, SenderID: parent.SenderID, CreatedAt: parent.CreatedAt}
	case Pending:
		return Link{Status: Pending}, nil
	case Resolved:
		root.ClientID, root.Reason = "", ""
	}
	return root, nil
}

// above is what a chain goes on with above a record: the root that its readings name, or else its parent.
func (v view) above(at Key) (up Link, isRoot bool, err error) {
	n, err := v.store.Node(at)
	if err != nil || !n.Shown() {
		return Link{}, false, err
	}
	r := n.Best()
	if up, err = v.resolve(at, &r.Root); err != nil || up.Status != None {
		return up, true, err
	}
	up, err = v.resolve(at, &r.Parent)
	return up, false, err
}

// alias is the client id that others may name a message by, "" where there is none.
func (v view) alias(key Key, n *Node) (Key, error) {
	if key[4] != byMessage || !n.Shown() {
		return "", nil
	}
	r := n.Best()
	if r.ClientID == "" {
		return "", nil
	}
	alias := key.Conversation().Client(r.ClientID)
	if a, err := v.store.Node(alias); err != nil || a.Owner != key.ID() || !a.Linked {
		return "", err
	}
	return alias, nil
}

// linkers gives the records that link to a node, by its key or by its client id.
func (v view) linkers(key Key, n *Node) (all []Key, err error) {
	if n.Linked {
		if all, err = v.store.Members(linkedBy(key)); err != nil {
			return nil, err
		}
	}
	alias, err := v.alias(key, n)
	if err != nil || alias == "" {
		return all, err
	}
	more, err := v.store.Members(linkedBy(alias))
	return append(all, more...), err
}

// setEdges keeps who links to whom: a record is in the sets of the parent and the root that its readings name.
func (v view) setEdges(from Key, before, now *Reading) error {
	old := [2]Key{before.Parent.key(from), before.Root.key(from)}
	parent, root := now.Parent.key(from), now.Root.key(from)
	for _, to := range old {
		if to != "" && to != parent && to != root {
			if err := v.store.Remove(linkedBy(to), from); err != nil {
				return err
			}
		}
	}
	if err := v.addEdge(from, parent, now.Parent.CreatedAt, parent == old[0] || parent == old[1]); err != nil {
		return err
	}
	return v.addEdge(from, root, now.Root.CreatedAt, root == old[0] || root == old[1] || root == parent)
}

// addEdge notes that a record links to a target, if there is one, and when the link says that it was created.
func (v view) addEdge(from, to Key, createdAt int64, exists bool) error {
	if to == "" {
		return nil
	}
	n, err := v.store.Node(to)
	if err != nil {
		return err
	}
	if createdAt != 0 && (n.Hint == 0 || createdAt < n.Hint) {
		n.Hint, n.Changed = createdAt, true
	}
	if exists {
		return nil
	}
	if !n.Linked {
		n.Linked, n.Changed = true, true
	}
	return v.store.Insert(linkedBy(to), from)
}
