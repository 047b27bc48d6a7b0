package links

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Keys: partition (4 bytes, big-endian), one byte for what it is, then what names it. Names of any length that something
// else follows have their length before them.
const (
	keyApplied      = 'a'
	keyConversation = 'k' // conversation key: its number and kind
	keyNode         = 'n' // Key
	keyLink         = 'w' // number of the conversation, target, who links to it
	keyWanted       = 'q' // container key, target that none of its pages shows
	keyLookup       = 'l' // key of a look-up's container: the ids that it asks for
	keyBody         = 'b' // Place
	keyNamed        = 'd' // client id, message that has it too but that it does not stand for
	keyRecord       = 'o' // record id: number of the conversation that showed it first, or what was published of it before
)

// Applied is how far a partition's cache has come: the offset after the last raw record that it holds, and the page in the
// last one that had any, so that another topic of the same name is recognised. A page's id alone does not tell: a container
// that is read again from its start has the same ids.
type Applied struct {
	Offset     int64
	PageOffset int64 // offset of the page named, -1: none yet
	PageID     string
	PageTime   int64 // ce_time in milliseconds
	Output     int64 // every message before this offset of the output is known to the cache; it may know later ones
}

// Conversation is what is known of one.
type Conversation struct {
	prefix string // of the keys of its nodes
	Kind   string // told last, "" where none was
}

// Message names the node of a message of the conversation.
func (c *Conversation) Message(id string) Key { return Key(c.prefix) + Key(byMessage) + Key(id) }

// Client names the node of a client message id of the conversation.
func (c *Conversation) Client(id string) Key { return Key(c.prefix) + Key(byClient) + Key(id) }

// Record names the node of what stands in a merged forward of the conversation.
func (c *Conversation) Record(id string) Key { return Key(c.prefix) + Key(byRecord) + Key(id) }

// Partition is the cache of one partition, used by one goroutine at a time. What is changed is in hand until Apply.
type Partition struct {
	ix     *Index
	prefix [4]byte
	key    []byte
	batch  *pebble.Batch // all that is in hand but nodes; it can be read
	nodes  map[Key]*Node // read or changed since the last Apply
	bodies map[Place][]byte
	talks  map[string]*Conversation
	count  uint32 // conversations that have a number

	pending
}

// Partition gives the cache of one partition.
func (ix *Index) Partition(id int32) *Partition {
	p := &Partition{ix: ix}
	binary.BigEndian.PutUint32(p.prefix[:], uint32(id))
	p.begin()
	return p
}

func (p *Partition) begin() {
	p.batch = p.ix.db.NewIndexedBatch()
	p.nodes, p.bodies, p.talks = map[Key]*Node{}, map[Place][]byte{}, map[string]*Conversation{}
	p.pending = pending{}
	p.count = 0
}

// at builds a key; it is valid until the next call.
func (p *Partition) at(what byte, parts ...string) []byte {
	p.key = append(append(p.key[:0], p.prefix[:]...), what)
	for i, s := range parts {
		if i < len(parts)-1 {
			p.key = binary.BigEndian.AppendUint32(p.key, uint32(len(s)))
		}
		p.key = append(p.key, s...)
	}
	return p.key
}

// get reads a value, nil where there is none.
func (p *Partition) get(key []byte) ([]byte, error) {
	v, closer, err := p.batch.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, p.fail("read", err)
	}
	defer closer.Close()
	return append(make([]byte, 0, len(v)), v...), nil
}

func (p *Partition) set(key, value []byte) error {
	if err := p.batch.Set(key, value, nil); err != nil {
		return p.fail("write", err)
	}
	return nil
}

func (p *Partition) drop(key []byte) error {
	if err := p.batch.Delete(key, nil); err != nil {
		return p.fail("write", err)
	}
	return nil
}

// under lists what follows prefix in all keys that begin with it, in order.
func (p *Partition) under(prefix []byte) ([]string, error) {
	prefix = slices.Clone(prefix)
	it, err := p.batch.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return nil, p.fail("read", err)
	}
	var found []string
	for ok := it.First(); ok; ok = it.Next() {
		found = append(found, string(it.Key()[len(prefix):]))
	}
	if err := it.Close(); err != nil {
		return nil, p.fail("read", err)
	}
	return found, nil
}

// after is the first key that does not begin with prefix.
func after(prefix []byte) []byte {
	end := slices.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// appliedSize is the length of what precedes the page's id in the value of keyApplied: two offsets, the number of
// conversations, the page's time, the offset of the output.
const appliedSize = 36

// Applied tells how far the cache has come; false where there is none.
func (p *Partition) Applied() (Applied, bool, error) {
	v, err := p.get(p.at(keyApplied))
	if err != nil || len(v) < appliedSize {
		return Applied{}, false, err
	}
	return Applied{
		Offset: int64(binary.BigEndian.Uint64(v)), PageOffset: int64(binary.BigEndian.Uint64(v[8:])),
		PageTime: int64(binary.BigEndian.Uint64(v[20:])), Output: int64(binary.BigEndian.Uint64(v[28:])), PageID: string(v[appliedSize:]),
	}, true, nil
}

// Reset drops everything that the partition's cache holds.
func (p *Partition) Reset() error {
	p.Discard()
	if err := p.ix.db.DeleteRange(p.prefix[:], after(p.prefix[:]), pebble.Sync); err != nil {
		return p.fail("drop", err)
	}
	return nil
}

// Conversation gives what is known of a conversation. It gets a number, which stands for it in keys, when it is first
// asked for.
func (p *Partition) Conversation(key string) (*Conversation, error) {
	if c := p.talks[key]; c != nil {
		return c, nil
	}
	v, err := p.get(p.at(keyConversation, key))
	if err != nil {
		return nil, err
	}
	c := &Conversation{}
	if len(v) >= 4 {
		c.prefix, c.Kind = string(v[:4]), string(v[4:])
		p.talks[key] = c
		return c, nil
	}
	if err := p.counted(); err != nil {
		return nil, err
	}
	p.count++
	c.prefix = string(binary.BigEndian.AppendUint32(nil, p.count))
	p.talks[key] = c
	return c, p.set(p.at(keyConversation, key), []byte(c.prefix))
}

// counted reads the number that a conversation was given last, which lies beside how far the cache has come.
func (p *Partition) counted() error {
	if p.count > 0 {
		return nil
	}
	v, err := p.get(p.at(keyApplied))
	if err == nil && len(v) >= appliedSize {
		p.count = binary.BigEndian.Uint32(v[16:])
	}
	return err
}

// SetKind notes a conversation's kind.
func (p *Partition) SetKind(key string, c *Conversation, kind string) error {
	c.Kind = kind
	return p.set(p.at(keyConversation, key), []byte(c.prefix+kind))
}

// Node gives what is known under a key. What is changed in it is kept once it is marked by Changed.
func (p *Partition) Node(key Key) (*Node, error) {
	if n := p.nodes[key]; n != nil {
		return n, nil
	}
	n := &Node{Depth: unknownDepth}
	v, closer, err := p.ix.db.Get(p.at(keyNode, string(key)))
	if err == nil {
		err = n.parse(v)
		_ = closer.Close() // gives memory back
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return nil, p.fail("read "+key.ID(), err)
	}
	p.nodes[key] = n
	return n, nil
}

// Changed marks a node that is to be kept.
func (n *Node) Changed() { n.changed = true }

// Body gives the value that was kept at a place.
func (p *Partition) Body(at Place) ([]byte, error) {
	if v := p.bodies[at]; v != nil {
		return v, nil
	}
	v, err := p.get(p.at(keyBody, at.text()))
	if err == nil && v == nil {
		err = p.fail("read", fmt.Errorf("%w: a message's value is not there", errBroken))
	}
	return v, err
}

// Publish notes what was published of a record, with its value, which stays the caller's until Apply; what was kept before
// is dropped.
func (p *Partition) Publish(n *Node, now Published, value []byte) error {
	if err := p.keep(&n.Published, &now, value); err != nil {
		return err
	}
	n.Published, n.changed = now, true
	return nil
}

// keep exchanges the value of one version for that of another.
func (p *Partition) keep(old, now *Published, value []byte) error {
	if old.Version != 0 {
		if _, fresh := p.bodies[old.Body]; fresh {
			delete(p.bodies, old.Body)
		} else if err := p.drop(p.at(keyBody, old.Body.text())); err != nil {
			return err
		}
	}
	p.bodies[now.Body] = value
	return nil
}

func (a Place) text() string {
	return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(a.Offset)), a.No))
}

// Apply writes what is in hand, with how far the cache has come now.
func (p *Partition) Apply(a Applied) error {
	if err := p.counted(); err != nil {
		return err
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(a.Offset))
	value = binary.BigEndian.AppendUint64(value, uint64(a.PageOffset))
	value = binary.BigEndian.AppendUint32(value, p.count)
	value = binary.BigEndian.AppendUint64(value, uint64(a.PageTime))
	value = binary.BigEndian.AppendUint64(value, uint64(a.Output))
	value = append(value, a.PageID...)
	all := p.ix.db.NewBatch()
	defer func() { _ = all.Close() }() // gives memory back and cannot fail
	err := all.Apply(p.batch, nil)
	var b []byte
	for key, n := range p.nodes {
		if n.changed && err == nil {
			b = n.append(b[:0])
			err = all.Set(p.at(keyNode, string(key)), b, nil)
		}
	}
	for at, v := range p.bodies {
		if err == nil {
			err = all.Set(p.at(keyBody, at.text()), v, nil)
		}
	}
	if err == nil {
		err = errors.Join(all.Set(p.at(keyApplied), value, nil), all.Commit(pebble.NoSync))
	}
	p.Discard()
	if err != nil {
		return p.fail("write", err)
	}
	return nil
}

// Discard drops what is in hand.
func (p *Partition) Discard() {
	p.Close()
	p.begin()
}

// Close drops what is in hand for good.
func (p *Partition) Close() { _ = p.batch.Close() } // gives memory back and cannot fail
