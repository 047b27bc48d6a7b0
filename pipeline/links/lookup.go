package links

import "chatlake/schemas"

// Want notes which targets of a record, and of those above it, no page has shown yet: they are to be asked for when the
// container that showed the record has come to its end.
func (p *Partition) Want(container string, key Key) error {
	if n, err := p.Node(key); err != nil || n.Parent.Status == None && n.Root.Status == None {
		return err
	}
	missing, err := p.missing([]Key{key})
	if err != nil {
		return err
	}
	for _, to := range missing {
		if err := p.set(p.at(keyWanted, container, string(to)), nil); err != nil {
			return err
		}
	}
	return nil
}

// maxAbove bounds how many records are looked at above one.
const maxAbove = 256

// missing walks up from records and gives, of all that they link to, what is neither shown nor answered nor asked for.
func (p *Partition) missing(keys []Key) (found []Key, err error) {
	seen := map[Key]bool{}
	for len(keys) > 0 && len(seen) < maxAbove {
		key := keys[0]
		keys = keys[1:]
		n, err := p.Node(key)
		if err != nil {
			return nil, err
		}
		if n.Fixed || !n.Shown() {
			continue
		}
		r := n.Best()
		for _, t := range [...]*Target{&r.Parent, &r.Root} {
			to := t.key(key)
			if to == "" || to[4] != byMessage || seen[to] || to == key {
				continue
			}
			seen[to] = true
			target, err := p.Node(to)
			if err != nil {
				return nil, err
			}
			switch {
			case !target.Shown() && target.Answer.Status == None && !target.Asked:
				found = append(found, to)
			case target.Shown() && (target.Depth > 0 || target.Parent.Status == Pending || target.Root.Status == Pending):
				// What a look-up alone has shown may have targets that were too far away before. An ordinary page's message
				// whose own links stand has asked for those above it, or will, by its own container.
				keys = append(keys, to)
			}
		}
	}
	return found, nil
}

// Ask gives what is to be asked for now that a container has come to its end, and notes that it was.
func (p *Partition) Ask(container string) (refs []schemas.MessageRef, err error) {
	wanted, err := p.under(p.at(keyWanted, container, ""))
	if err != nil {
		return nil, err
	}
	for _, w := range wanted {
		if err := p.drop(p.at(keyWanted, container, w)); err != nil {
			return nil, err
		}
		above, err := p.missing([]Key{Key(w)}) // it may have been shown since
		if err != nil {
			return nil, err
		}
		for _, to := range append(above, Key(w)) {
			n, err := p.Node(to)
			if err != nil {
				return nil, err
			}
			if n.Shown() || n.Asked || n.Answer.Status != None || n.Depth > maxDepth {
				continue
			}
			n.Asked, n.changed = true, true
			ref := schemas.MessageRef{MessageID: to.ID()}
			if n.Hint != 0 {
				at := schemas.Millis(n.Hint)
				ref.CreatedAt = &at
			}
			refs = append(refs, ref)
		}
	}
	return refs, nil
}

// SetLookup keeps what a look-up's container asks for.
func (p *Partition) SetLookup(container string, ids []string) error {
	var w writer
	for _, id := range ids {
		w.text(id)
	}
	return p.set(p.at(keyLookup, container), w)
}

// Lookup gives what a look-up's container asks for; none where it is not one.
func (p *Partition) Lookup(container string) (ids []string, err error) {
	v, err := p.get(p.at(keyLookup, container))
	if err != nil {
		return nil, err
	}
	for r := (&reader{rest: v}); len(r.rest) > 0; {
		ids = append(ids, r.text())
	}
	return ids, nil
}
