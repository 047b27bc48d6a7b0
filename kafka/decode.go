package kafka

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"chatlake/schemas"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var errCut = errors.New("record is cut short")

// enough is how much decompressed data one read gathers before it leaves the rest of the answer for the next fetch.
const enough = 64 << 20

// decoder turns the record batches of one partition into records. It keeps header names and the last key, which repeat.
type decoder struct {
	place    place
	unpack   *decompressor
	names    map[string]string
	lastKey  string
	headers  []schemas.Header // slab that records' headers are cut from
	expanded int
	kept     int    // bytes that the last batch holds
	share    *share // nil: no bound but enough
	aliased  bool   // records of this answer share its own bytes
}

// batches appends to out the committed records from offset from on, and returns the offset after everything covered:
// after aborted records, control batches, and what compaction took out of a batch's end, too.
//
// Aborted transactions are told apart as Java's CompletedFetch does: a transaction is aborted from its first offset,
// which the broker lists, to its ABORT marker; only that marker ends it.
func (d *decoder) batches(set []byte, from int64, gone []kmsg.FetchResponseTopicPartitionAbortedTransaction,
	out *[]schemas.Record) (next int64, err error) {
	gone = slices.Clone(gone)
	slices.SortFunc(gone, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return cmp.Compare(a.FirstOffset, b.FirstOffset)
	})
	aborted := make(map[int64]bool)
	next, d.expanded, d.aliased = from, 0, false
	answer := len(set)
	for len(set) >= atMagic+1 && d.expanded < enough {
		b, err := d.whole(set)
		if err != nil {
			return next, err
		}
		if b == nil {
			break // the answer ends within a batch
		}
		set = set[len(b):]
		h := headerOf(b)
		for len(gone) > 0 && gone[0].FirstOffset <= h.last {
			aborted[gone[0].ProducerID] = true
			gone = gone[1:]
		}
		switch {
		case h.attrs&attrControl != 0:
			abort, err := h.abortMarker(b)
			if err != nil {
				return next, d.cannotRead(b, h, err)
			}
			if abort {
				delete(aborted, h.producer)
			}
		case h.last < from:
		case h.attrs&attrTransactional != 0 && aborted[h.producer]:
		default:
			cost := d.cost(b, h, answer)
			if !d.share.take(cost) {
				return next, nil
			}
			before := len(*out)
			if err := d.records(b, h, from, out); err != nil {
				return next, d.cannotRead(b, h, err)
			}
			if !d.share.settle(cost, d.spent(h)) {
				clear((*out)[before:])
				*out = (*out)[:before]
				return next, nil
			}
		}
		next = max(next, h.last+1)
	}
	return next, nil
}

// recordCost is about what a record takes beside its bytes: its struct, and its part of a slab of headers.
const recordCost = 160

// cost estimates what a batch takes when decompressed. What is not compressed keeps the whole answer.
func (d *decoder) cost(b []byte, h header, answer int) int {
	d.kept = 0
	n := max(0, min(h.count, len(b))) * recordCost
	switch {
	case h.attrs&codecMask != codecNone:
		return n + 4*(len(b)-batchHeader)
	case !d.aliased:
		d.aliased, d.kept = true, answer
		return n + answer
	}
	return n
}

// spent is what the batch that was read last does take.
func (d *decoder) spent(h header) int { return d.kept + h.count*recordCost }

// cannotRead makes an error about a batch, whose CRC is right, an unreadable.
func (d *decoder) cannotRead(b []byte, h header, err error) *unreadable {
	return cannotRead(b, h, true, fmt.Errorf("%s: batch at offset %d: %w", d.place, h.base, err))
}

// whole returns the first batch of set, checked against its CRC, or nil where set ends within it.
func (d *decoder) whole(set []byte) ([]byte, error) {
	base := int64(binary.BigEndian.Uint64(set))
	h := header{base: base, last: base}
	say := func(format string, args ...any) error {
		return fmt.Errorf("%s: batch at offset %d: %w", d.place, base, fmt.Errorf(format, args...))
	}
	if magic := set[atMagic]; magic != 2 {
		return nil, cannotRead(set[:min(len(set), batchHeader)], h, false, say("message format %d: only format 2 (Kafka 0.11 and newer) is read", magic))
	}
	length := int64(int32(binary.BigEndian.Uint32(set[atLength:])))
	total := length + atEpoch
	if total < batchHeader {
		return nil, cannotRead(set[:min(len(set), batchHeader)], h, false, say("length %d is too small", length))
	}
	if total > int64(len(set)) {
		return nil, nil
	}
	b := set[:total]
	if want, got := binary.BigEndian.Uint32(b[atCRC:]), crc32.Checksum(b[atAttrs:], castagnoli); want != got {
		return nil, cannotRead(b, h, false, say("CRC %08x, stored %08x: the log or the way here damaged it", got, want))
	}
	if h = headerOf(b); h.last < h.base {
		return nil, cannotRead(b, h, false, say("it ends at offset %d", h.last))
	}
	return b, nil
}

type header struct {
	base, last        int64
	attrs             int16
	firstTime, append int64
	producer          int64
	count             int
}

func headerOf(b []byte) header {
	get := binary.BigEndian
	base := int64(get.Uint64(b))
	return header{
		base: base, last: base + int64(int32(get.Uint32(b[atLastDelta:]))),
		attrs:     int16(get.Uint16(b[atAttrs:])),
		firstTime: int64(get.Uint64(b[atFirstTime:])), append: int64(get.Uint64(b[atMaxTime:])),
		producer: int64(get.Uint64(b[atProducer:])), count: int(int32(get.Uint32(b[atCount:]))),
	}
}

// abortMarker reads a control record's key: version and type, 0 for ABORT. A compacted control batch is empty. One that
// cannot be read must not pass for a COMMIT: what follows of its producer would be taken for aborted.
func (h header) abortMarker(b []byte) (bool, error) {
	if h.count < 1 {
		return false, nil
	}
	c := cursor{b: b[batchHeader:]}
	c.varint()
	c.skip(1)
	c.varint()
	c.varint()
	key := c.bytes()
	if c.bad || len(key) < 4 {
		return false, errCut
	}
	return binary.BigEndian.Uint16(key[2:]) == 0, nil
}

// records appends the records of one batch, all or none.
func (d *decoder) records(b []byte, h header, from int64, out *[]schemas.Record) (err error) {
	before := len(*out)
	defer func() {
		if err != nil {
			*out = (*out)[:before]
		}
	}()
	body, err := d.unpack.decompress(h.attrs&codecMask, b[batchHeader:])
	if err != nil {
		return err
	}
	d.expanded += len(body)
	if h.attrs&codecMask != codecNone {
		d.kept = cap(body)
	}
	// The smallest record takes seven bytes: a forged count must not allocate.
	if h.count < 0 || h.count > len(body)/7 {
		return fmt.Errorf("%d records in %d bytes", h.count, len(body))
	}
	*out = slices.Grow(*out, h.count)
	c := cursor{b: body}
	for range h.count {
		n := c.varint()
		if c.bad || n < 0 || n > int64(len(c.b)) {
			return errCut
		}
		one := cursor{b: c.b[:n:n]}
		c.b = c.b[n:]
		r := schemas.Record{Topic: d.place.topic, Partition: d.place.partition}
		if err := d.record(&one, h, &r); err != nil {
			return err
		}
		if r.Offset >= from {
			*out = append(*out, r)
		}
	}
	return nil
}

func (d *decoder) record(c *cursor, h header, r *schemas.Record) error {
	c.skip(1)
	at := h.firstTime + c.varint()
	if h.attrs&attrAppendTime != 0 {
		at = h.append
	}
	r.Time = time.UnixMilli(at).UTC()
	r.Offset = h.base + c.varint()
	if key := c.bytes(); string(key) != d.lastKey {
		d.lastKey = string(key)
	}
	r.Key = d.lastKey
	r.Value = c.bytes()
	n := c.varint()
	if c.bad || n < 0 || n > int64(len(c.b))/2 {
		return errCut
	}
	if n == 0 {
		return nil
	}
	if int64(cap(d.headers)-len(d.headers)) < n {
		d.headers = make([]schemas.Header, 0, max(n, 1024))
	}
	start := len(d.headers)
	for range n {
		name := d.name(c.bytes())
		d.headers = append(d.headers, schemas.Header{Key: name, Value: c.bytes()})
	}
	if c.bad {
		return errCut
	}
	r.Headers = d.headers[start:len(d.headers):len(d.headers)]
	return nil
}

func (d *decoder) name(b []byte) string {
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(d.names) < 256 {
		if d.names == nil {
			d.names = make(map[string]string)
		}
		d.names[s] = s
	}
	return s
}

// cursor reads the zigzag varints and length-prefixed bytes of a record; bad once something did not fit.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) skip(n int) {
	if n > len(c.b) {
		c.bad, c.b = true, nil
		return
	}
	c.b = c.b[n:]
}

// bytes is nil for length -1, and never nil for an empty value. It aliases the input.
func (c *cursor) bytes() []byte {
	n := c.varint()
	switch {
	case c.bad:
		return nil
	case n == -1:
		return nil
	case n < -1 || n > int64(len(c.b)):
		c.bad, c.b = true, nil
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}
