package links

// pending is what is to be done for the page in hand.
type pending struct {
	touched []Key        // records whose version may have changed, each once, in the order in which that was found
	isIn    map[Key]bool // touched
	fresh   []Key        // records whose readings changed, to be linked anew
	moved   []Key        // targets that look different to those who link to them
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
	if !lookup {
		n.Depth = 0
	}
	now := n.Best()
	if err := p.tie(key, &before, &now); err != nil {
		return false, err
	}
	if !wasShown || before.SenderID != now.SenderID || before.CreatedAt != now.CreatedAt {
		p.moved = append(p.moved, key)
	}
	if now.ClientID != "" {
		if err := p.name(key, &now); err != nil {
			return false, err
		}
	}
	p.fresh = append(p.fresh, key)
	return stands, nil
}

// tie keeps who links to whom: a record is found under the parent and the root that its readings tell.
func (p *Partition) tie(from Key, before, now *Reading) error {
	old := [2]Key{before.Parent.key(from), before.Root.key(from)}
	fresh := [2]Key{now.Parent.key(from), now.Root.key(from)}
	for _, to := range old {
		if to != "" && to != fresh[0] && to != fresh[1] {
			if err := p.batch.Delete(p.at(keyLink, string(to), string(from)), nil); err != nil {
				return p.fail("write", err)
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

// name lets a client id stand for the message that has it: of two the one created earlier, then the smaller id.
func (p *Partition) name(key Key, r *Reading) error {
	alias, err := p.Node(key.with(byClient, r.ClientID))
	if err != nil {
		return err
	}
	id := key.ID()
	if alias.Alias == id && alias.AliasTime == r.CreatedAt {
		return nil
	}
	if alias.Alias != "" && alias.Alias != id &&
		(alias.AliasTime < r.CreatedAt || alias.AliasTime == r.CreatedAt && alias.Alias < id) {
		return nil
	}
	alias.Alias, alias.AliasTime, alias.changed = id, r.CreatedAt, true
	p.moved = append(p.moved, key.with(byClient, r.ClientID))
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
			p.moved = append(p.moved, key)
		}
	}
	return nil
}

// Settle links what the readings and answers since the last call changed, and all that hangs on it. It gives the records
// whose version may have changed.
func (p *Partition) Settle() ([]Key, error) {
	for _, key := range p.fresh {
		if err := p.link(key, true); err != nil {
			return nil, err
		}
	}
	for len(p.moved) > 0 {
		key := p.moved[0]
		p.moved = p.moved[1:]
		if err := p.spread(key); err != nil {
			return nil, err
		}
	}
	touched := p.touched
	p.pending = pending{}
	return touched, nil
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
	if to[4] != byMessage || !n.Shown() || n.Readings[0].ClientID == "" {
		return nil
	}
	alias := to.with(byClient, n.Readings[0].ClientID)
	if a, err := p.Node(alias); err != nil || a.Alias != to.ID() || !a.Linked {
		return err
	}
	return p.spread(alias)
}

// link finds out how the links of a record stand. fresh says that its readings changed, so that it may close a ring.
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
	if root.Status == None && parent.Status != None {
		if root, err = p.derived(key, &parent, fresh && n.Linked); err != nil {
			return err
		}
	}
	if err := p.deepen(key); err != nil {
		return err
	}
	if r.ThreadByRoot {
		if err := p.threads(key, &r, &root); err != nil {
			return err
		}
	}
	if parent == n.Parent && root == n.Root {
		return nil
	}
	if root != n.Root {
		p.moved = append(p.moved, key)
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
func (p *Partition) derived(from Key, parent *Link, mayClose bool) (Link, error) {
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
	if mayClose || root.ID == from.ID() {
		last, err := p.ring(from)
		if err != nil {
			return Link{}, err
		}
		if last != "" {
			return p.told(from, &Target{ID: last})
		}
	}
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

// ring walks up from a record by parents alone, as roots are derived. Where that leads back to it, it gives the id of the
// last record before.
func (p *Partition) ring(from Key) (last string, err error) {
	seen := map[Key]bool{}
	for at := from; ; {
		n, err := p.Node(at)
		if err != nil || !n.Shown() || n.Fixed || seen[at] {
			return "", err
		}
		seen[at] = true
		r := n.Best()
		root, err := p.told(at, &r.Root)
		if err != nil || root.Status != None {
			return "", err
		}
		parent, err := p.told(at, &r.Parent)
		if err != nil || parent.Status != Resolved {
			return "", err
		}
		up := at.with(byMessage, parent.ID)
		if up == from {
			return at.ID(), nil
		}
		at = up
	}
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
				p.moved = append(p.moved, to)
			}
			target.Depth, target.changed = depth, true
			todo = append(todo, to)
		}
	}
	return nil
}

// threads marks the root of a thread that is named by its root.
func (p *Partition) threads(key Key, r *Reading, root *Link) error {
	id := r.Root.ID
	if id == "" && root.Status == Resolved {
		id = root.ID
	}
	if id == "" {
		return nil
	}
	to := key.with(byMessage, id)
	n, err := p.Node(to)
	if err != nil || n.ThreadRoot {
		return err
	}
	n.ThreadRoot, n.changed = true, true
	if n.Shown() {
		p.touch(to)
	}
	return nil
}
