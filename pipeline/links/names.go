package links

// rename lets the client id that a record's readings tell now stand for it, and no longer the one that they told before.
func (p *Partition) rename(key Key, before string, now *Reading) error {
	if before != "" && before != now.ClientID {
		alias := key.with(byClient, before)
		a, err := p.Node(alias)
		if err != nil {
			return err
		}
		if a.Alias != key.ID() {
			if err := p.drop(p.at(keyNamed, string(alias), key.ID())); err != nil {
				return err
			}
		} else if err := p.elect(alias, Reading{}, ""); err != nil {
			return err
		}
	}
	if now.ClientID == "" {
		return nil
	}
	return p.name(key.with(byClient, now.ClientID), key.ID(), now)
}

// name lets a client id stand for a message that has it: of two the one created earlier, then the smaller id. The others
// are kept, for when it is no longer so.
func (p *Partition) name(alias Key, id string, r *Reading) error {
	a, err := p.Node(alias)
	switch {
	case err != nil || a.Alias == id && a.AliasTime == r.CreatedAt:
		return err
	case a.Alias == id:
		return p.elect(alias, *r, id) // its time is another now
	case a.Alias == "" || r.CreatedAt < a.AliasTime || r.CreatedAt == a.AliasTime && id < a.Alias:
		return p.stand(alias, id, r.CreatedAt, a.Alias)
	}
	return p.set(p.at(keyNamed, string(alias), id), nil)
}

// stand lets a client id stand for a message, and keeps the one that it stood for.
func (p *Partition) stand(alias Key, id string, at int64, old string) error {
	a, err := p.Node(alias)
	if err != nil {
		return err
	}
	if old != "" && old != id {
		if err := p.set(p.at(keyNamed, string(alias), old), nil); err != nil {
			return err
		}
	}
	a.Alias, a.AliasTime, a.changed = id, at, true
	p.move(alias)
	if id == "" {
		return nil
	}
	return p.drop(p.at(keyNamed, string(alias), id))
}

// elect finds anew whom a client id stands for: the first of one message, where there is one, and of the others that have it.
func (p *Partition) elect(alias Key, r Reading, id string) error {
	others, err := p.under(p.at(keyNamed, string(alias), ""))
	if err != nil {
		return err
	}
	first, at := id, r.CreatedAt
	for _, other := range others {
		n, err := p.Node(alias.with(byMessage, other))
		if err != nil {
			return err
		}
		if !n.Shown() {
			continue
		}
		if t := n.Readings[0].CreatedAt; first == "" || t < at || t == at && other < first {
			first, at = other, t
		}
	}
	return p.stand(alias, first, at, id)
}

// thread notes which thread a record belongs to where that is named by its root, and marks the root.
func (p *Partition) thread(key Key, r *Reading, root *Link) error {
	n, err := p.Node(key)
	if err != nil {
		return err
	}
	id := ""
	if r.ThreadByRoot {
		switch id = r.Root.ID; {
		case id != "":
		case root.Status == Resolved:
			id = root.ID
		case root.Status == None: // its root is the message itself
			id = key.ID()
		}
	}
	old := n.Thread
	if id == old {
		return nil
	}
	n.Thread, n.changed = id, true
	p.touch(key)
	if old != "" && old != key.ID() {
		p.left = append(p.left, key.with(byMessage, old))
	}
	if id == "" || id == key.ID() {
		return nil
	}
	to := key.with(byMessage, id)
	t, err := p.Node(to)
	if err != nil || t.ThreadRoot {
		return err
	}
	t.ThreadRoot, t.changed = true, true
	if t.Shown() {
		p.touch(to)
	}
	return nil
}

// desert takes the mark of a thread's root back where no message names it any more.
func (p *Partition) desert(to Key) error {
	n, err := p.Node(to)
	if err != nil || !n.ThreadRoot {
		return err
	}
	named := []Key{to}
	if alias, err := p.alias(to, n); err != nil {
		return err
	} else if alias != "" {
		named = append(named, alias)
	}
	for _, name := range named {
		from, err := p.under(p.at(keyLink, string(name), ""))
		if err != nil {
			return err
		}
		for _, key := range from {
			if m, err := p.Node(Key(key)); err != nil || m.Thread == to.ID() && Key(key) != to {
				return err
			}
		}
	}
	n.ThreadRoot, n.changed = false, true
	if n.Shown() {
		p.touch(to)
	}
	return nil
}
