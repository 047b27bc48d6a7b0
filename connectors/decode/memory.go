package decode

import (
	"strings"

	"chatlake/schemas"
)

// Sizes of the blocks that kept values share. A message that is kept longer than its page keeps its block.
const (
	blockBytes = 64 << 10
	blockItems = 128
	ownBytes   = 8 << 10 // strings from here on get memory of their own
)

// Memory is where decoded values live that outlast a Parser's memory. Nothing in it is used twice, so a message stays
// as it is when the next page is decoded.
type Memory struct {
	block   strings.Builder
	strings slab[string]
	ints    slab[int64]
	times   slab[schemas.Millis]

	attributes []schemas.Attribute // free
}

// slab gives out pointers from a block, to save an allocation for each.
type slab[T any] struct{ free []T }

func (s *slab[T]) put(v T) *T {
	if len(s.free) == 0 {
		s.free = make([]T, blockItems)
	}
	p := &s.free[0]
	*p = v
	s.free = s.free[1:]
	return p
}

// Keep copies s.
func (m *Memory) Keep(s string) string {
	if len(s) >= ownBytes {
		return strings.Clone(s)
	}
	n := m.room(len(s))
	m.block.WriteString(s)
	return m.block.String()[n:]
}

// KeepBytes copies b into a string.
func (m *Memory) KeepBytes(b []byte) string {
	if len(b) >= ownBytes {
		return string(b)
	}
	n := m.room(len(b))
	m.block.Write(b)
	return m.block.String()[n:]
}

// room gives where the next n bytes go in the block, a new one where they do not fit.
func (m *Memory) room(n int) int {
	if m.block.Cap()-m.block.Len() < n {
		m.block = strings.Builder{}
		m.block.Grow(blockBytes)
	}
	return m.block.Len()
}

// Optional gives s as an optional field, null where it is empty.
func (m *Memory) Optional(s string) *string {
	if s == "" {
		return nil
	}
	return m.strings.put(s)
}

// String gives s as an optional field that is told.
func (m *Memory) String(s string) *string { return m.strings.put(s) }

// fewAttributes is for how many attributes of a message there is room in a block.
const fewAttributes = 4

// Attributes gives room for some attributes.
func (m *Memory) Attributes() schemas.Attributes {
	if len(m.attributes) < fewAttributes {
		m.attributes = make([]schemas.Attribute, blockItems)
	}
	a := m.attributes[:0:fewAttributes]
	m.attributes = m.attributes[fewAttributes:]
	return a
}

// Int gives n as an optional field that is told.
func (m *Memory) Int(n int64) *int64 { return m.ints.put(n) }

// Millis gives t as an optional field that is told.
func (m *Memory) Millis(t schemas.Millis) *schemas.Millis { return m.times.put(t) }
