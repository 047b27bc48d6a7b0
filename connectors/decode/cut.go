package decode

import (
	"bytes"
	"strings"
)

// SplitArray cuts an array within a text into the texts of its elements, without copying. path names the fields that
// lead to it. The text need not be JSON throughout: an element is cut by its brackets and strings alone, so that one
// broken element does not hide the others. It gives no more than limit elements, and reports whether the array was
// found and read to its end.
func SplitArray(b []byte, limit int, path ...string) (elements [][]byte, whole bool) {
	c := cutter{s: asString(b)}
	for _, key := range path {
		if !c.enter(key) {
			return nil, false
		}
	}
	if !c.take('[') {
		return nil, false
	}
	if c.take(']') {
		return nil, true
	}
	for len(elements) < limit {
		c.blanks()
		start := c.i
		c.skip()
		elements = append(elements, b[start:c.i:c.i])
		if !c.take(',') {
			return elements, c.take(']')
		}
	}
	return elements, false
}

// Field gives the text of a field of an object as it was sent, without copying. path names the fields that lead to it. A
// key that is written with escapes is not found.
func Field(b []byte, path ...string) (raw []byte, found bool) {
	c := cutter{s: asString(b)}
	for _, key := range path {
		if !c.enter(key) {
			return nil, false
		}
	}
	c.blanks()
	start := c.i
	c.skip()
	return bytes.TrimRight(b[start:c.i:c.i], " \t\r\n"), true
}

// cutter walks a text by its brackets and strings.
type cutter struct {
	s string
	i int
}

func (c *cutter) blanks() {
	for c.i < len(c.s) && strings.IndexByte(" \t\r\n", c.s[c.i]) >= 0 {
		c.i++
	}
}

// take steps over one byte, where it is the next that is not blank.
func (c *cutter) take(b byte) bool {
	c.blanks()
	if c.i < len(c.s) && c.s[c.i] == b {
		c.i++
		return true
	}
	return false
}

// enter steps to the value of a field of the object that comes next.
func (c *cutter) enter(key string) bool {
	if !c.take('{') {
		return false
	}
	for {
		if !c.take('"') {
			return false
		}
		n := stringEnd(c.s[c.i:])
		if n < 0 {
			return false
		}
		found := c.s[c.i:c.i+n] == key
		c.i += n + 1
		if !c.take(':') {
			return false
		}
		if found {
			return true
		}
		c.skip()
		if !c.take(',') {
			return false
		}
	}
}

// skip steps over one value: to the comma or bracket, outside of strings and brackets of its own, that ends it.
func (c *cutter) skip() {
	for depth := 0; c.i < len(c.s); c.i++ {
		switch c.s[c.i] {
		case '"':
			n := stringEnd(c.s[c.i+1:])
			if n < 0 {
				c.i = len(c.s)
				return
			}
			c.i += n + 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return
			}
			depth--
		case ',':
			if depth == 0 {
				return
			}
		}
	}
}
