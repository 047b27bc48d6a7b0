package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"chatlake/pipeline/links/graph"
)

// Published is the newest version of a record in the topic of messages.
type Published struct {
	Version int64 // 0: nothing is published
	Edited  int64 // its edit time, 0: none
	State   graph.State
	Digest  uint64
	Cut     bool  // something was taken out of it, as it was too large
	Value   Place // where its value is kept
}

// Place is where a value is kept: in the order in which values came.
type Place struct {
	Offset int64 // of the raw record
	No     uint32
}

func (p Place) text() string {
	return string(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, uint64(p.Offset)), p.No))
}

// values are those of published versions, one for each record. Places rise with time, so compaction moves values and does
// not rewrite them.
type values struct {
	table *table
	fresh map[Place][]byte // since the last Apply
}

func (v *values) get(at Place) ([]byte, error) {
	if b := v.fresh[at]; b != nil {
		return b, nil
	}
	b, err := v.table.get(v.table.at(keyValue, at.text()))
	if err == nil && b == nil {
		err = v.table.fail("read", fmt.Errorf("%w: a message's value is missing", errBroken))
	}
	return b, err
}

// replace keeps the value of one version instead of that of another.
func (v *values) replace(old, now *Published, value []byte) error {
	if old.Version != 0 {
		if _, fresh := v.fresh[old.Value]; fresh {
			delete(v.fresh, old.Value)
		} else if err := v.table.drop(v.table.at(keyValue, old.Value.text())); err != nil {
			return err
		}
	}
	v.fresh[now.Value] = value
	return nil
}

// write adds the fresh values to a batch.
func (v *values) write(to *pebble.Batch) error {
	for at, b := range v.fresh {
		if err := to.Set(v.table.at(keyValue, at.text()), b, nil); err != nil {
			return err
		}
	}
	return nil
}
