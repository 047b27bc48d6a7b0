package feishu

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

// memory is where decoded values live that outlast the parser's memory. Nothing in it is used twice, so a message
// stays as it is when the next page is decoded.
type memory struct {
	block   strings.Builder
	strings slab[string]
	ints    slab[int64]
	times   slab[schemas.Millis]
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

// keep copies s.
func (m *memory) keep(s string) string {
	switch {
	case s == "":
		return ""
	case len(s) >= ownBytes:
		return strings.Clone(s)
	case m.block.Cap()-m.block.Len() < len(s):
		m.block = strings.Builder{}
		m.block.Grow(blockBytes)
	}
	n := m.block.Len()
	m.block.WriteString(s)
	return m.block.String()[n:]
}

// keepBytes copies b into a string.
func (m *memory) keepBytes(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case len(b) >= ownBytes:
		return string(b)
	case m.block.Cap()-m.block.Len() < len(b):
		m.block = strings.Builder{}
		m.block.Grow(blockBytes)
	}
	n := m.block.Len()
	m.block.Write(b)
	return m.block.String()[n:]
}

// optional gives s as an optional field, null where it is empty.
func (m *memory) optional(s string) *string {
	if s == "" {
		return nil
	}
	return m.strings.put(s)
}
