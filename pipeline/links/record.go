package links

// A record id has one conversation in a partition: the first that shows it. What a rebuilt cache learns of published
// versions comes before any page is read, so it waits under the record id until a page shows the record.

// nobody is in place of the conversation of a record that no page has shown yet.
const nobody = "\x00\x00\x00\x00"

// entry reads what is kept under a record id. The owner is "" where there is no entry, nobody where only versions are known.
func (p *Partition) entry(record string) (owner string, was Published, err error) {
	v, err := p.get(p.at(keyRecord, record))
	if err != nil || v == nil {
		return "", was, err
	}
	r := &reader{rest: v}
	if owner = r.take(len(nobody)); owner == nobody {
		r.published(&was)
	}
	if r.broken || len(r.rest) != 0 {
		return "", was, p.fail("read "+record, errBroken)
	}
	return owner, was, nil
}

// Claim gives the conversation that a record belongs to: the one that claimed it first. That is c, or another of which
// nothing is known but how its nodes are named. was is what had been published of the record before anybody claimed it.
func (p *Partition) Claim(record string, c *Conversation) (owner *Conversation, was Published, err error) {
	prefix, was, err := p.entry(record)
	switch {
	case err != nil:
		return nil, was, err
	case prefix == "" || prefix == nobody:
		return c, was, p.set(p.at(keyRecord, record), []byte(c.prefix))
	case prefix == c.prefix:
		return c, was, nil
	}
	return &Conversation{prefix: prefix}, was, nil
}

// Recall takes in a version that was published, with its value, which stays the caller's until Apply. Of several versions
// of a record the highest counts.
func (p *Partition) Recall(record string, name func(*Conversation) Key, now Published, value []byte) error {
	prefix, was, err := p.entry(record)
	if err != nil {
		return err
	}
	if prefix != "" && prefix != nobody {
		n, err := p.Node(name(&Conversation{prefix: prefix}))
		if err != nil || n.Published.Version >= now.Version {
			return err
		}
		return p.Publish(n, now, value)
	}
	if was.Version >= now.Version {
		return nil
	}
	if err := p.keep(&was, &now, value); err != nil {
		return err
	}
	w := writer(nobody)
	w.published(&now)
	return p.set(p.at(keyRecord, record), w)
}
