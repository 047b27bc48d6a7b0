package links

import "slices"

// pending is what is to be done for the page in hand.
type pending struct {
	touched []Key        // records whose version may have changed, each once, in the order in which that was found
	isIn    map[Key]bool // touched
	fresh   []Key        // records whose readings changed, to be linked anew
	changed map[Key]bool // those of the page in hand; true: nothing had shown them before
	moved   []Key        // targets that look different to those who link to them
	waits   map[Key]bool // moved
	rings   map[Key]bool // records that are, or were, in a ring of links, or lead into one
	fates   [2]map[Key]fate
	left    []Key // roots that a message of their thread no longer names
}

func (p *Partition) touch(key Key) {
	if !p.isIn[key] {
		if p.isIn == nil {
			p.isIn = map[Key]bool{}
		}
		p.isIn[key] = true
		p.touched = append(p.touched, key)
	}
}

// move has all linked anew that link to a target, once for all that befalls it until then.
func (p *Partition) move(key Key) {
	if p.waits == nil {
		p.waits = map[Key]bool{}
	}
	if !p.waits[key] {
		p.waits[key] = true
		p.moved = append(p.moved, key)
	}
}

// Read takes a reading of a record in and reports whether it is the one that stands now. Fixed records keep the links that
// they come with. lookup says that the page was asked for by a look-up.
func (p *Partition) Read(key Key, r *Reading, fixed, lookup bool) (stands bool, err error) {
	n, err := p.Node(key)
	if err != nil {
		return false, err
	}
	wasShown, before := n.Shown(), Reading{}
	if wasShown {
		before = n.Best()
	}
	stands = n.add(r)
	n.Fixed = n.Fixed || fixed
	p.touch(key)
	if n.Fixed {
		return stands, nil
	}
	now := n.Best()
	nearer := !lookup && n.Depth > 0
	if nearer {
		n.Depth = 0
	}
	if err := p.tie(key, &before, &now); err != nil {
		return false, err
	}
	if !wasShown || before.SenderID != now.SenderID || before.CreatedAt != now.CreatedAt {
		p.move(key)
	}
	if err := p.rename(key, before.ClientID, &now); err != nil {
		return false, err
	}
	if nearer || !wasShown || before.Parent != now.Parent || before.Root != now.Root || before.ThreadByRoot != now.ThreadByRoot ||
		before.ClientID != now.ClientID || before.CreatedAt != now.CreatedAt || before.SenderID != now.SenderID {
		if p.changed == nil {
			p.changed = map[Key]bool{}
		}
		p.changed[key] = p.changed[key] || !wasShown
		p.fresh = append(p.fresh, key)
	}
	return stands, nil
}

// tie keeps who links to whom: a record is found under the parent and the root that its readings tell.
func (p *Partition) tie(from Key, before, now *Reading) error {
	old := [2]Key{before.Parent.key(from), before.Root.key(from)}
	fresh := [2]Key{now.Parent.key(from), now.Root.key(from)}
	for _, to := range old {
		if to != "" && to != fresh[0] && to != fresh[1] {
			if err := p.drop(p.at(keyLink, string(to), string(from))); err != nil {
				return err
			}
		}
	}
	for i, to := range fresh {
		if to == "" {
			continue
		}
		t, err := p.Node(to)
		if err != nil {
			return err
		}
		told := &now.Parent
		if i == 1 {
			told = &now.Root
		}
		if told.CreatedAt != 0 && (t.Hint == 0 || told.CreatedAt < t.Hint) {
			t.Hint, t.changed = told.CreatedAt, true
		}
		if to == old[0] || to == old[1] {
			continue
		}
		if !t.Linked {
			t.Linked, t.changed = true, true
		}
		if err := p.set(p.at(keyLink, string(to), string(from)), nil); err != nil {
			return err
		}
	}
	return nil
}

// Answer takes in what the platform says of a message that it does not show.
func (p *Partition) Answer(key Key, a Answer) error {
	n, err := p.Node(key)
	if err != nil {
		return err
	}
	if a.Status == Deleted && !n.Deleted {
		n.Deleted, n.changed = true, true
		if n.Shown() {
			p.touch(key)
		}
	}
	if a.Status > n.Answer.Status || a.Status == n.Answer.Status && a.Reason < n.Answer.Reason {
		n.Answer, n.changed = a, true
		if !n.Shown() {
			p.move(key)
		}
	}
	return nil
}

// Settle links what the readings and answers since the last call changed, and all that hangs on it. It gives the records
// whose version may have changed.
func (p *Partition) Settle() ([]Key, error) {
	if err := p.settleFresh(); err != nil {
		return nil, err
	}
	for len(p.moved) > 0 {
		key := p.moved[0]
		p.moved = p.moved[1:]
		delete(p.waits, key)
		if err := p.spread(key); err != nil {
			return nil, err
		}
	}
	if err := p.unroll(); err != nil {
		return nil, err
	}
	slices.Sort(p.left)
	for _, key := range slices.Compact(p.left) { // whoever else links to it is looked at once
		if err := p.desert(key); err != nil {
			return nil, err
		}
	}
	touched := p.touched
	p.pending = pending{}
	return touched, nil
}

// settleFresh links the records whose readings changed, each after the one above it: a root that is derived too early would
// have to be derived again, all the way down.
func (p *Partition) settleFresh() error {
	fresh, waits := p.fresh, map[Key]bool{}
	p.fresh = nil
	for _, key := range fresh {
		waits[key] = true
	}
	var way []Key
	for _, key := range fresh {
		for at := key; waits[at]; {
			delete(waits, at)
			way = append(way, at)
			up, root, err := p.above(at)
			if err != nil {
				return err
			}
			if up.Status != Resolved || root {
				break
			}
			at = at.with(byMessage, up.ID)
		}
		for ; len(way) > 0; way = way[:len(way)-1] {
			if err := p.link(way[len(way)-1], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// spread links all anew that link to a target, by its id or by its client id.
func (p *Partition) spread(to Key) error {
	n, err := p.Node(to)
	if err != nil {
		return err
	}
	if n.Linked {
		from, err := p.under(p.at(keyLink, string(to), ""))
		if err != nil {
			return err
		}
		for _, key := range from {
			if err := p.link(Key(key), false); err != nil {
				return err
			}
		}
	}
	alias, err := p.alias(to, n)
	if err != nil || alias == "" {
		return err
	}
	return p.spread(alias)
}

// alias is the client id that others may name a record by, "" where there is none.
func (p *Partition) alias(key Key, n *Node) (Key, error) {
	if key[4] != byMessage || !n.Shown() {
		return "", nil
	}
	r := n.Best()
	if r.ClientID == "" {
		return "", nil
	}
	alias := key.with(byClient, r.ClientID)
	if a, err := p.Node(alias); err != nil || a.Alias != key.ID() || !a.Linked {
		return "", err
	}
	return alias, nil
}

// link finds out how the links of a record stand. fresh says that its readings changed.
func (p *Partition) link(key Key, fresh bool) error {
	n, err := p.Node(key)
	if err != nil || !n.Shown() || n.Fixed {
		return err
	}
	r := n.Best()
	if !r.Parent.Told() && !r.Root.Told() {
		return nil // what was told before is told for good
	}
	parent, err := p.told(key, &r.Parent)
	if err != nil {
		return err
	}
	root, err := p.told(key, &r.Root)
	if err != nil {
		return err
	}
	if err := p.thread(key, &r, &root); err != nil {
		return err
	}
	derived := root.Status == None && parent.Status != None
	if derived {
		if root, err = p.derived(key, &parent); err != nil {
			return err
		}
	}
	if wait, err := p.ringed(key, fresh, &parent, &root); err != nil {
		return err
	} else if wait && derived {
		root = n.Root
	}
	if err := p.deepen(key); err != nil {
		return err
	}
	if parent == n.Parent && root == n.Root {
		return nil
	}
	if root != n.Root {
		p.move(key)
	}
	n.Parent, n.Root, n.changed = parent, root, true
	p.touch(key)
	return nil
}

// told is a link that a reading tells, as its target stands now. One to the message itself is none.
func (p *Partition) told(from Key, t *Target) (Link, error) {
	if !t.Told() {
		return Link{}, nil
	}
	l := Link{Status: Pending, Reason: t.Reason, ID: t.ID, ClientID: t.ClientID, SenderID: t.SenderID, CreatedAt: t.CreatedAt}
	to := t.key(from)
	n, err := p.Node(to)
	if err != nil {
		return Link{}, err
	}
	if to[4] == byClient {
		if n.Alias == "" {
			if n.Answer.Status != None { // whoever had it is left out
				l.Status, l.Reason = n.Answer.Status, n.Answer.Reason
			}
			return l, nil
		}
		to = from.with(byMessage, n.Alias)
		if n, err = p.Node(to); err != nil {
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

// derived is the root that follows from a parent: the parent's root, or the parent where that has none, or, where the
// parent is not to be had, the parent as it was told. It is not known until the chain above is known to its end.
func (p *Partition) derived(from Key, parent *Link) (Link, error) {
	switch parent.Status {
	case Pending:
		return Link{Status: Pending}, nil
	case Resolved:
	default:
		return *parent, nil
	}
	above, err := p.Node(from.with(byMessage, parent.ID))
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

// deepen lets the targets of a record know how far they are from a message that an ordinary page has shown.
func (p *Partition) deepen(key Key) error {
	todo := []Key{key}
	for len(todo) > 0 {
		key = todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		n, err := p.Node(key)
		if err != nil {
			return err
		}
		if !n.Shown() || n.Depth == unknownDepth {
			continue
		}
		r := n.Best()
		for _, t := range [...]*Target{&r.Parent, &r.Root} {
			to := t.key(key)
			if to == "" || to[4] != byMessage {
				continue
			}
			target, err := p.Node(to)
			if err != nil {
				return err
			}
			depth := min(n.Depth+1, unknownDepth-1)
			if depth >= target.Depth {
				continue
			}
			if old := target.Depth; !target.Shown() && (depth > maxDepth) != (old > maxDepth && old != unknownDepth) {
				p.move(to)
			}
			target.Depth, target.changed = depth, true
			todo = append(todo, to)
		}
	}
	return nil
}
