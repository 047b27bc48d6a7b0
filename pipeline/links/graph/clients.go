package graph

// A client id leads to one message of its conversation: of two that have it to the one created earlier, then to the smaller
// id. The others are kept, for when the owner no longer has it.

// rename gives up the client id that a record had and takes the one that it has now. It gives the client ids that lead
// elsewhere by that.
func (v view) rename(key Key, before string, now *Reading) (moved []Key) {
	if before != "" && before != now.ClientID {
		if client := key.Conversation().Client(before); v.release(client, key) {
			moved = append(moved, client)
		}
	}
	if now.ClientID != "" {
		if client := key.Conversation().Client(now.ClientID); v.claim(client, key, now.CreatedAt) {
			moved = append(moved, client)
		}
	}
	return moved
}

// release takes a client id away from a message and reports whether an owner was chosen by that.
func (v view) release(client, message Key) (chosen bool) {
	if v.store.Node(client).Owner != message.ID() {
		v.store.Remove(sameClient(client), message)
		return false
	}
	v.chooseOwner(client, "", 0)
	return true
}

// claim gives a client id to a message that was created at a time, and reports whether an owner was chosen by that.
func (v view) claim(client, message Key, at int64) (chosen bool) {
	c, id := v.store.Node(client), message.ID()
	switch {
	case c.Owner == id && c.OwnerTime == at:
		return false
	case c.Owner == id:
		v.chooseOwner(client, id, at) // its time is another now
	case c.Owner == "" || at < c.OwnerTime || at == c.OwnerTime && id < c.Owner:
		v.setOwner(client, id, at, c.Owner)
	default:
		v.store.Insert(sameClient(client), message)
		return false
	}
	return true
}

// chooseOwner finds whom a client id leads to: the first of a message, if there is one, and of the others that have it.
func (v view) chooseOwner(client Key, id string, at int64) {
	first := id
	for _, other := range v.store.Members(sameClient(client)) {
		n := v.store.Node(other)
		if !n.Shown() {
			continue
		}
		if t := n.Readings[0].CreatedAt; first == "" || t < at || t == at && other.ID() < first {
			first, at = other.ID(), t
		}
	}
	v.setOwner(client, first, at, id)
}

// setOwner lets a client id lead to a message, or to none, and keeps the one that also has it.
func (v view) setOwner(client Key, id string, at int64, other string) {
	if other != "" && other != id {
		v.store.Insert(sameClient(client), client.message(other))
	}
	if id != "" {
		v.store.Remove(sameClient(client), client.message(id))
	}
	c := v.store.Node(client)
	c.Owner, c.OwnerTime, c.Changed = id, at, true
}
