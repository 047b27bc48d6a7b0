package store

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"chatlake/pipeline/links/graph"
)

// Record is what the index holds of one record: its node in the graph, and what is published of it.
type Record struct {
	graph.Node
	Published Published
}

// Partition is the index of one partition, used by one goroutine at a time. It is the graph's Store. Changes are pending, and
// visible here, until Apply or Discard.
type Partition struct {
	table         table // all that is pending but records and values is in its batch
	records       map[graph.Key]*Record
	values        values
	conversations conversations
	err           error // the first failure of a method that gives none
}

// Partition gives the index of one partition.
func (ix *Index) Partition(id int32) *Partition {
	p := &Partition{table: table{db: ix.db, dir: ix.dir}}
	binary.BigEndian.PutUint32(p.table.prefix[:], uint32(id))
	p.begin()
	return p
}

func (p *Partition) begin() {
	p.table.batch = p.table.db.NewIndexedBatch()
	p.records = map[graph.Key]*Record{}
	p.values = values{&p.table, map[Place][]byte{}}
	p.conversations = conversations{table: &p.table, known: map[string]*Conversation{}}
	p.err = nil
}

// Applied gives how far the index has come; false where there is none.
func (p *Partition) Applied() (Applied, bool, error) {
	a, _, ok, err := p.table.applied()
	return a, ok, err
}

// Conversation gives what is known of a conversation.
func (p *Partition) Conversation(key string) (*Conversation, error) { return p.conversations.get(key) }

// SetKind notes a conversation's kind.
func (p *Partition) SetKind(key string, c *Conversation, kind string) error {
	c.Kind = kind
	return p.table.set(p.table.at(keyConversation, key), []byte(string(c.Conversation)+kind))
}

// Record gives what is known under a key. What is changed in it is kept where its Changed is set.
func (p *Partition) Record(key graph.Key) (*Record, error) {
	if r := p.records[key]; r != nil {
		return r, nil
	}
	r := &Record{Node: *graph.NewNode()}
	v, closer, err := p.table.db.Get(p.table.at(keyNode, string(key)))
	if err == nil {
		c := coder{b: v, reading: true}
		c.record(r)
		err = c.done()
		_ = closer.Close() // gives memory back
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return nil, p.table.fail("read "+key.ID(), err)
	}
	p.records[key] = r
	return r, nil
}

// Err is the first failure since the last Apply or Discard. Nothing is applied after one.
func (p *Partition) Err() error { return p.err }

func (p *Partition) note(err error) {
	if p.err == nil {
		p.err = err
	}
}

// Node gives the node under a key.
func (p *Partition) Node(key graph.Key) *graph.Node {
	r, err := p.Record(key)
	if err != nil {
		p.note(err)
		r = &Record{Node: *graph.NewNode()}
		p.records[key] = r
	}
	return &r.Node
}

// sets are the first bytes of what sets of the graph are kept under.
var sets = [...]byte{graph.LinkedBy: keyLinkedBy, graph.SameClient: keySameClient, graph.Wanted: keyWanted}

// member builds the key of a set's member. Those of SameClient are messages of the set's conversation, kept by id.
func (p *Partition) member(s graph.Set, key graph.Key) []byte {
	if s.Kind == graph.SameClient {
		return p.table.at(keySameClient, s.Name, key.ID())
	}
	return p.table.at(sets[s.Kind], s.Name, string(key))
}

// Members lists a set.
func (p *Partition) Members(s graph.Set) (all []graph.Key) {
	p.note(p.table.each(p.table.at(sets[s.Kind], s.Name, ""), func(rest []byte) {
		if s.Kind == graph.SameClient {
			all = append(all, graph.Key(s.Name).Conversation().Message(string(rest)))
			return
		}
		all = append(all, graph.Key(rest))
	}))
	return all
}

// Insert adds a key to a set.
func (p *Partition) Insert(s graph.Set, key graph.Key) { p.note(p.table.set(p.member(s, key), nil)) }

// Remove takes a key out of a set.
func (p *Partition) Remove(s graph.Set, key graph.Key) { p.note(p.table.drop(p.member(s, key))) }

// Value gives the value that is kept at a place.
func (p *Partition) Value(at Place) ([]byte, error) { return p.values.get(at) }

// Publish notes what was published of a record, with its value, which stays the caller's until Apply; the value before is
// dropped.
func (p *Partition) Publish(r *Record, now Published, value []byte) error {
	if err := p.values.replace(&r.Published, &now, value); err != nil {
		return err
	}
	r.Published, r.Changed = now, true
	return nil
}

// SetLookup keeps what a look-up's container asks for.
func (p *Partition) SetLookup(container string, ids []string) error {
	var c coder
	for i := range ids {
		c.text(&ids[i])
	}
	return p.table.set(p.table.at(keyLookup, container), c.b)
}

// Lookup gives what a look-up's container asks for; none where it is not one.
func (p *Partition) Lookup(container string) (ids []string, err error) {
	v, err := p.table.get(p.table.at(keyLookup, container))
	if err != nil {
		return nil, err
	}
	for c := (&coder{b: v, reading: true}); len(c.b) > 0; {
		var id string
		c.text(&id)
		ids = append(ids, id)
	}
	return ids, nil
}

// Apply writes what is pending, and how far the index has come by that, in one step.
func (p *Partition) Apply(a Applied) error {
	p.note(p.conversations.readCount())
	if p.err != nil {
		return p.err
	}
	all := p.table.db.NewBatch()
	defer func() { _ = all.Close() }() // gives memory back and cannot fail
	err := errors.Join(all.Apply(p.table.batch, nil), p.write(all), p.values.write(all))
	if err == nil {
		err = errors.Join(all.Set(p.table.at(keyApplied), a.append(nil, p.conversations.count), nil), all.Commit(pebble.NoSync))
	}
	p.Discard()
	if err != nil {
		return p.table.fail("write", err)
	}
	return nil
}

// write adds the records that changed to a batch.
func (p *Partition) write(to *pebble.Batch) error {
	var c coder
	for key, r := range p.records {
		if r.Changed {
			c.b = c.b[:0]
			c.record(r)
			if err := to.Set(p.table.at(keyNode, string(key)), c.b, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reset drops all that the partition's index holds.
func (p *Partition) Reset() error {
	p.Discard()
	if err := p.table.db.DeleteRange(p.table.prefix[:], after(p.table.prefix[:]), pebble.Sync); err != nil {
		return p.table.fail("drop", err)
	}
	return nil
}

// Discard drops what is pending.
func (p *Partition) Discard() {
	p.Close()
	p.begin()
}

// Close drops what is pending for good.
func (p *Partition) Close() { _ = p.table.batch.Close() } // gives memory back and cannot fail
