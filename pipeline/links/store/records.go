package store

import "chatlake/pipeline/links/graph"

// A record id has one conversation in a partition: the first that shows it. What a rebuilt index learns of published
// versions comes before any page is read, so it waits under the record id until a page shows the record.

// nobody is in place of the conversation of a record that no page has shown yet.
const nobody = graph.Conversation("\x00\x00\x00\x00")

// owner reads what is kept under a record id: the conversation, "" where there is no entry, or nobody and what is published.
func (t *table) owner(record string) (owner graph.Conversation, was Published, err error) {
	v, err := t.get(t.at(keyRecord, record))
	if err != nil || v == nil {
		return "", was, err
	}
	if len(v) < len(nobody) {
		return "", was, t.fail("read "+record, errBroken)
	}
	c := &coder{b: v[len(nobody):], reading: true}
	if owner = graph.Conversation(v[:len(nobody)]); owner == nobody {
		c.published(&was)
	}
	if err := c.done(); err != nil {
		return "", was, t.fail("read "+record, err)
	}
	return owner, was, nil
}

// Claim reports whether a record belongs to a conversation: to the one that claimed it first. What had been published of the
// record before anybody claimed it becomes the conversation's.
func (p *Partition) Claim(record string, c *Conversation) (own bool, was Published, err error) {
	owner, was, err := p.table.owner(record)
	switch {
	case err != nil:
		return false, was, err
	case owner == "" || owner == nobody:
		return true, was, p.table.set(p.table.at(keyRecord, record), []byte(c.Conversation))
	}
	return owner == c.Conversation, was, nil
}

// Restore takes in a version that was published, with its value, which stays the caller's until Apply. Of several versions
// of a record the highest counts. key names the record's node in a conversation.
func (p *Partition) Restore(record string, key func(graph.Conversation) graph.Key, now Published, value []byte) error {
	owner, was, err := p.table.owner(record)
	if err != nil {
		return err
	}
	if owner != "" && owner != nobody {
		r, err := p.Record(key(owner))
		if err != nil || r.Published.Version >= now.Version {
			return err
		}
		return p.Publish(r, now, value)
	}
	if was.Version >= now.Version {
		return nil
	}
	if err := p.values.replace(&was, &now, value); err != nil {
		return err
	}
	c := coder{b: []byte(nobody)}
	c.published(&now)
	return p.table.set(p.table.at(keyRecord, record), c.b)
}
