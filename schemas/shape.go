package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/hamba/avro/v2"
)

// shape is how bodies written with a schema lie in bytes (Avro 1.12 specification, binary encoding). It is walked before
// the library sees a body: hamba/avro v2.31.0 allocates what a count or a length claims before it looks for the bytes,
// and a count near the end of int64 makes it write outside of the slice.
type shape struct {
	kind  avro.Type
	size  int      // fixed: bytes; enum: symbols
	parts []*shape // record: fields; union: branches; array and map: the item
}

// Limits of a writer's schema, far above chatlake's own: the largest has some 200 types, 8 levels and 30 KiB.
const (
	maxSchemaText  = 1 << 20 // bytes
	maxSchemaTypes = 1 << 12 // types after every name was replaced by what it stands for
	maxSchemaDepth = 64      // levels of its JSON
)

// ErrSchema says that a writer's schema is beyond the limits. Nothing that was written with it can be read, ever.
var ErrSchema = errors.New("schema is beyond the limits of this reader")

// unfolding makes the shape of one schema. A name may stand for a record as often as it likes, so that some hundred bytes
// can describe millions of types: they are counted while they are made.
type unfolding struct {
	within map[string]bool // records around the current one
	types  int
}

// shapeOf gives the shape of a schema. It refuses recursive ones: chatlake has none, and the library ends the process on
// a deep body of one.
func shapeOf(schema avro.Schema) (*shape, error) {
	u := unfolding{within: map[string]bool{}}
	return u.shape(schema)
}

func (u *unfolding) shape(schema avro.Schema) (*shape, error) {
	if ref, ok := schema.(*avro.RefSchema); ok {
		schema = ref.Schema()
	}
	if u.types++; u.types > maxSchemaTypes {
		return nil, fmt.Errorf("%w: it unfolds to more than %d types", ErrSchema, maxSchemaTypes)
	}
	s := &shape{kind: schema.Type()}
	var parts []avro.Schema
	switch t := schema.(type) {
	case *avro.RecordSchema:
		if u.within[t.FullName()] {
			return nil, fmt.Errorf("%w: record %s holds itself", ErrSchema, t.FullName())
		}
		u.within[t.FullName()] = true
		defer delete(u.within, t.FullName())
		for _, f := range t.Fields() {
			parts = append(parts, f.Type())
		}
	case *avro.UnionSchema:
		parts = t.Types()
	case *avro.ArraySchema:
		parts = []avro.Schema{t.Items()}
	case *avro.MapSchema:
		parts = []avro.Schema{t.Values()}
	case *avro.FixedSchema:
		s.size = t.Size()
	case *avro.EnumSchema:
		s.size = len(t.Symbols())
	}
	for _, p := range parts {
		part, err := u.shape(p)
		if err != nil {
			return nil, err
		}
		s.parts = append(s.parts, part)
	}
	return s, nil
}

var errMalformed = errors.New("avro body is malformed")

// Steps that checking a body may take: a value of ours takes three a byte at most. Without the limit an array of records
// without bytes, or a record of thousands of nulls, would cost what its schema likes.
const (
	stepsPerByte = 16
	stepsAtLeast = 4 * maxSchemaTypes
)

// check reports whether body is exactly one value of the shape, within our limits.
func (s *shape) check(body []byte) error {
	w := walk{body: body, steps: stepsAtLeast + stepsPerByte*len(body)}
	w.value(s)
	if w.err == nil && w.at < len(body) {
		return ErrTrailing
	}
	return w.err
}

// walk steps through a body; after the first fault it stays where it is.
type walk struct {
	body  []byte
	at    int
	steps int // left
	err   error
}

func (w *walk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *walk) malformed(format string, args ...any) {
	w.fail(fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...)))
}

func (w *walk) value(s *shape) {
	if w.steps--; w.steps < 0 {
		w.malformed("more values than %d bytes can hold", len(w.body))
		return
	}
	switch s.kind {
	case avro.Null:
	case avro.Record:
		for _, p := range s.parts {
			if w.value(p); w.err != nil {
				return
			}
		}
	case avro.Union:
		if branch := w.long(); branch < 0 || branch >= int64(len(s.parts)) {
			w.malformed("union branch %d", branch)
		} else if w.err == nil {
			w.value(s.parts[branch])
		}
	case avro.Long:
		w.long()
	case avro.Int:
		if n := w.long(); n != int64(int32(n)) {
			w.malformed("int %d", n)
		}
	case avro.String, avro.Bytes:
		n := w.long()
		if n < 0 || n > maxString {
			w.malformed("length %d", n)
		}
		w.skip(n)
	case avro.Boolean:
		if w.at < len(w.body) && w.body[w.at] > 1 {
			w.malformed("boolean %d", w.body[w.at])
		}
		w.skip(1)
	case avro.Float:
		w.skip(4)
	case avro.Double:
		w.skip(8)
	case avro.Fixed:
		w.skip(int64(s.size))
	case avro.Enum:
		if n := w.long(); n < 0 || n >= int64(s.size) {
			w.malformed("enum symbol %d", n)
		}
	case avro.Array, avro.Map:
		w.blocks(s)
	default:
		w.malformed("type %s", s.kind)
	}
}

// blocks walks an array or map. The limit is on all its blocks together, so that a body's cost is bounded by its length.
func (w *walk) blocks(s *shape) {
	for items := int64(0); w.err == nil; {
		n, end := w.long(), -1
		if n < 0 && n != math.MinInt64 {
			n = -n
			if size := w.long(); size < 0 || size > int64(len(w.body)-w.at) {
				w.fail(ErrTruncated)
			} else {
				end = w.at + int(size)
			}
		}
		if n == 0 || w.err != nil {
			return
		}
		if n < 0 || n > maxItems-items {
			w.malformed("%d items in a block", n)
			return
		}
		items += n
		for ; n > 0 && w.err == nil; n-- {
			if s.kind == avro.Map {
				w.value(&shape{kind: avro.String})
			}
			w.value(s.parts[0])
		}
		if w.err == nil && end >= 0 && end != w.at {
			w.malformed("a block does not end where it says")
		}
	}
}

func (w *walk) skip(n int64) {
	if w.err != nil {
		return
	}
	if n > int64(len(w.body)-w.at) {
		w.fail(ErrTruncated)
		return
	}
	w.at += int(n)
}

func (w *walk) long() int64 {
	if w.err != nil {
		return 0
	}
	if w.at < len(w.body) && w.body[w.at] < 0x80 {
		b := w.body[w.at]
		w.at++
		return int64(b>>1) ^ -int64(b&1)
	}
	n, size := binary.Varint(w.body[w.at:])
	switch {
	case size == 0:
		w.fail(ErrTruncated)
	case size < 0:
		w.malformed("number of more than 64 bits")
	default:
		w.at += size
	}
	return n
}
