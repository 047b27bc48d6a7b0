package graph

// Want notes which targets of a record, and of those above it, no page has shown yet: they are to be asked for when the
// container that showed the record has come to its end.
func Want(s Store, container string, key Key) error {
	if n := s.Node(key); n.Parent.Status != None || n.Root.Status != None {
		for _, to := range unseen(s, key) {
			s.Insert(wanted(container), to)
		}
	}
	return s.Err()
}

// maxAbove bounds how many records are looked at above one.
const maxAbove = 256

// unseen walks up from a record and gives, of all that it links to, what is neither shown nor answered nor asked for.
func unseen(s Store, key Key) (found []Key) {
	seen := map[Key]bool{}
	for todo := []Key{key}; len(todo) > 0 && len(seen) < maxAbove; {
		key, todo = todo[0], todo[1:]
		n := s.Node(key)
		if n.Fixed || !n.Shown() {
			continue
		}
		r := n.Best()
		for _, t := range [...]*Target{&r.Parent, &r.Root} {
			to := t.key(key)
			if t.ID == "" || seen[to] || to == key {
				continue
			}
			seen[to] = true
			target := s.Node(to)
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
	return found
}

// Ref is a message to look up.
type Ref struct {
	ID        string
	CreatedAt int64 // milliseconds, as links say; 0: not set
}

// Ask gives what is to be asked for now that a container has come to its end, and notes that it was.
func Ask(s Store, container string) (refs []Ref, err error) {
	for _, key := range s.Members(wanted(container)) {
		s.Remove(wanted(container), key)
		for _, to := range append(unseen(s, key), key) { // it may have been shown since
			n := s.Node(to)
			if n.Shown() || n.Asked || n.Answer.Status != None || n.Depth > maxDepth {
				continue
			}
			n.Asked, n.Changed = true, true
			refs = append(refs, Ref{to.ID(), n.Hint})
		}
	}
	return refs, s.Err()
}
