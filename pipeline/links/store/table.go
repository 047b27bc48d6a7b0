package store

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
	keyNode         = 'n' // graph.Key
	keyLinkedBy     = 'w' // target, who links to it
	keyWanted       = 'q' // container key, target that none of its pages shows
	keyLookup       = 'l' // key of a look-up's container: the ids that it asks for
	keyValue        = 'b' // Place
	keySameClient   = 'd' // client id, message that has it too but does not own it
	keyRecord       = 'o' // record id: number of the conversation that showed it first, or what was published of it before
)

// table is what one partition has on disk, and a batch of changes on top of it that can be read.
type table struct {
	db     *pebble.DB
	dir    string
	prefix [4]byte
	key    []byte
	batch  *pebble.Batch
}

// at builds a key; it is valid until the next call.
func (t *table) at(what byte, parts ...string) []byte {
	t.key = append(append(t.key[:0], t.prefix[:]...), what)
	for i, s := range parts {
		if i < len(parts)-1 {
			t.key = binary.BigEndian.AppendUint32(t.key, uint32(len(s)))
		}
		t.key = append(t.key, s...)
	}
	return t.key
}

// get reads a value, nil where there is none.
func (t *table) get(key []byte) ([]byte, error) {
	v, closer, err := t.batch.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, t.fail("read", err)
	}
	defer closer.Close()
	return append(make([]byte, 0, len(v)), v...), nil
}

func (t *table) set(key, value []byte) error {
	if err := t.batch.Set(key, value, nil); err != nil {
		return t.fail("write", err)
	}
	return nil
}

func (t *table) drop(key []byte) error {
	if err := t.batch.Delete(key, nil); err != nil {
		return t.fail("write", err)
	}
	return nil
}

// each calls f with what follows prefix in all keys that begin with it, in order.
func (t *table) each(prefix []byte, f func(rest []byte)) error {
	prefix = slices.Clone(prefix)
	it, err := t.batch.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return t.fail("read", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		f(it.Key()[len(prefix):])
	}
	if err := it.Close(); err != nil {
		return t.fail("read", err)
	}
	return nil
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

func (t *table) fail(what string, err error) error {
	if broken(err) {
		return condemn(t.dir, fmt.Errorf("%s: %w", what, err))
	}
	return fmt.Errorf("state directory %s: %s: %w", t.dir, what, err)
}
