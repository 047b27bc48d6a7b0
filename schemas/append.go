package schemas

import "encoding/binary"

// The encoder of messages is generated from the schema: the Avro library looks every field up by reflection, twice for each
// message (for its fingerprint and for its value), which was a third of the normalizer's time. It gives the bytes that
// the library gives; a test compares the two over every field and random messages.

// blockLength is how many items the library puts into one block of an array.
const blockLength = 100

// body is an Avro body being written.
type body []byte

func (b *body) long(n int64)    { *b = binary.AppendVarint(*b, n) } // Avro's zigzag is Go's
func (b *body) millis(n Millis) { b.long(int64(n)) }

func (b *body) string(s string) {
	b.long(int64(len(s)))
	*b = append(*b, s...)
}

func (b *body) boolean(v bool) {
	if v {
		*b = append(*b, 1)
		return
	}
	*b = append(*b, 0)
}

// some writes which branch of ["null", T] follows.
func (b *body) some(there bool) bool {
	if there {
		*b = append(*b, 2)
		return true
	}
	*b = append(*b, 0)
	return false
}

func (b *body) optString(s *string) {
	if b.some(s != nil) {
		b.string(*s)
	}
}

func (b *body) optLong(n *int64) {
	if b.some(n != nil) {
		b.long(*n)
	}
}

func (b *body) optMillis(n *Millis) {
	if b.some(n != nil) {
		b.millis(*n)
	}
}

// items writes n items in blocks, each begun with its length, and the empty block that ends an array.
func (b *body) items(n int, item func(i int)) {
	for i := range n {
		if i%blockLength == 0 {
			b.long(int64(min(blockLength, n-i)))
		}
		item(i)
	}
	b.long(0)
}

func (b *body) attributes(a Attributes) {
	if len(a) == 0 {
		b.long(0)
		return
	}
	b.items(len(a), func(i int) { b.string(a[i].Key); b.string(a[i].Value) })
}
