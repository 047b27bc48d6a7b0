package graph

// A client id leads to one message of its conversation: of two that have it to the one created earlier, then to the smaller
// id. The others are kept, for when the owner no longer has it.

// rename gives up the client id that a record had and takes the one that it has now. It gives the client ids that lead
// elsewhere by that.
func (v view) rename(key Key, before string, now *Reading) (moved []Key, err error) {
	if before != "" && before != now.ClientID {
		client := key.Conversation().Client(before)
		if chosen, err := v.release(client, key); err != nil {
			return nil, err
		} else if chosen {
			moved = append(moved, client)
		}
	}
	if now.ClientID != "" {
		client := key.Conversation().Client(now.ClientID)
		if chosen, err := v.claim(client, key, now.CreatedAt); err != nil {
			return nil, err
		} else if chosen {
			moved = append(moved, client)
		}
	}
	return moved, nil
}

// release takes a client id away from a message and reports whether an owner was chosen by that.
func (v view) release(client, message Key) (chosen bool, err error) {
	c, err := v.store.Node(client)
	if err != nil {
		return false, err
	}
	if c.Owner != message.ID() {
		return false, v.store.Remove(sameClient(client), message)
	}
	return true, v.chooseOwner(client, "", 0)
}

// claim gives a client id to a message that was created at a time, and reports whether an owner was chosen by that.
func (v view) claim(client, message Key, at int64) (chosen bool, err error) {
	c, err := v.store.Node(client)
	id := message.ID()
	switch {
	case err != nil || c.Owner == id && c.OwnerTime == at:
		return false, err
	case c.Owner == id:
		return true, v.chooseOwner(client, id, at) // its time is another now
	case c.Owner == "" || at < c.OwnerTime || at == c.OwnerTime && id < c.Owner:
		return true, v.setOwner(client, id, at, c.Owner)
	}
	return false, v.store.Insert(sameClient(client), message)
}

// chooseOwner finds whom a client id leads to: the first of a message, if there is one, and of the others that have it.
func (v view) chooseOwner(client Key, id string, at int64) error {
	others, err := v.store.Members(sameClient(client))
	if err != nil {
		return err
	}
	first := id
	for _, other := range others {
		n, err := v.store.Node(other)
		if err != nil {
			return err
		}
		if !n.Shown() {
			continue
		}
		if t := n.Readings[0].CreatedAt; first == "" || t < at || t == at && other.ID() < first {
			first, at = other.ID(), t
		}
	}
	return v.setOwner(client, first, at, id)
}

// setOwner lets a client id lead to a message, or to none, and keeps the one that also has it.
func (v view) setOwner(client Key, id string, at int64, other string) error {
	c, err := v.store.Node(client)
	if err != nil {
		return err
	}
	if other != "" && other != id {
		if err := v.store.Insert(sameClient(client), client.message(other)); err != nil {
			return err
		}
	}
	c.Owner, c.OwnerTime, c.Changed = id, at, true
	if id == "" {
		return nil
	}
	return v.store.Remove(sameClient(client), client.message(id))
}
