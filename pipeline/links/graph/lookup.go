package graph

// Want notes which targets of a record, and of those above it, no page has shown yet: they are to be asked for when the
// container that showed the record has come to its end.
func Want(s Store, container string, key Key) error {
	if n, err := s.Node(key); err != nil || n.Parent.Status == None && n.Root.Status == None {
		return err
	}
	missing, err := unseen(s, key)
	if err != nil {
		return err
	}
	for _, to := range missing {
		if err := s.Insert(wanted(container), to); err != nil {
			return err
		}
	}
	return nil
}

// maxAbove bounds how many records are looked at above one.
const maxAbove = 256

// unseen walks up from a record and gives, of all that it links to, what is neither shown nor answered nor asked for.
func unseen(s Store, key Key) (found []Key, err error) {
	seen := map[Key]bool{}
	for todo := []Key{key}; len(todo) > 0 && len(seen) < maxAbove; {
		key, todo = todo[0], todo[1:]
		n, err := s.Node(key)
		if err != nil {
			return nil, err
		}
		if n.Fixed || !n.Shown() {
			continue
		}
		r := n.Best()
		for _, t := range [...]*Target{&r.Parent, &r.Root} {
			if t.ID == "" {
				continue
			}
			to := t.key(key)
			if seen[to] || to == key {
				continue
			}
			seen[to] = true
			target, err := s.Node(to)
			if err != nil {
				return nil, err
			}
			switch {
			case !target.Shown() && target.Answer.Status == None && !target.Asked:
				found = append(found, to)
			case target.Shown() && (target.Depth > 0 || target.Parent.Status == Pending || target.Root.Status == Pending):
				// What a look-up alone has shown may have targets that were too far away before. An ordinary page's message
				// whose own links are settled has asked for those above it, or will, by its own container.
				todo = append(todo, to)
			}
		}
	}
	return found, nil
}

// Ref is a message to look up.
type Ref struct {
	ID        string
	CreatedAt int64 // milliseconds, as links say; 0: not set
}

// Ask gives what is to be asked for now that a container has come to its end, and notes that it was.
func Ask(s Store, container string) (refs []Ref, err error) {
	all, err := s.Members(wanted(container))
	if err != nil {
		return nil, err
	}
	for _, key := range all {
		if err := s.Remove(wanted(container), key); err != nil {
			return nil, err
		}
		above, err := unseen(s, key) // it may have been shown since
		if err != nil {
			return nil, err
		}
		for _, to := range append(above, key) {
			n, err := s.Node(to)
			if err != nil {
				return nil, err
			}
			if n.Shown() || n.Asked || n.Answer.Status != None || n.Depth > maxDepth {
				continue
			}
			n.Asked, n.Changed = true, true
			refs = append(refs, Ref{to.ID(), n.Hint})
		}
	}
	return refs, nil
}
