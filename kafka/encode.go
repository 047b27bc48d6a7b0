package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"chatlake/schemas"
)

// Record batch, magic 2: https://kafka.apache.org/documentation/#recordbatch
const (
	atLength    = 8
	atEpoch     = 12
	atMagic     = 16
	atCRC       = 17
	atAttrs     = 21
	atLastDelta = 23
	atFirstTime = 27
	atMaxTime   = 35
	atProducer  = 43
	atProdEpoch = 51
	atSequence  = 53
	atCount     = 57
	batchHeader = 61

	attrAppendTime    = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20

	// batchTarget keeps a batch under the 1,048,588 bytes that brokers take by default even where nothing compresses.
	batchTarget = 1_000_000
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// producer is what a batch carries about who wrote it; id -1 is nobody, for writes outside any transaction.
type producer struct {
	id            int64
	epoch         int16
	transactional bool
}

var nobody = producer{id: -1, epoch: -1}

// draft is a batch being built. Its buffers are reused from batch to batch.
type draft struct {
	target int    // 0: batchTarget
	plain  []byte // header and records
	packed compressor
	count  int
	first  int64 // timestamp of the first record, ms
	last   int64 // greatest timestamp
}

func (d *draft) reset() {
	// One huge record must not hold its size of memory for good.
	if cap(d.plain) > 8*batchTarget {
		*d = draft{target: d.target}
	}
	if cap(d.plain) < batchHeader {
		d.plain = make([]byte, 0, 64<<10)
	}
	d.plain = d.plain[:batchHeader]
	d.count = 0
}

// fits says whether the record belongs into this batch: the first always does.
func (d *draft) fits(r *schemas.Record) bool {
	target := d.target
	if target == 0 {
		target = batchTarget
	}
	return d.count == 0 || len(d.plain)+mostSize(r) <= target || len(d.plain)+framedSize(r, int64(d.count), d.since(r)) <= target
}

// since is the record's timestamp after that of the batch's first.
func (d *draft) since(r *schemas.Record) int64 { return stampOf(r) - d.first }

// stampOf is a record's timestamp, now where it has none.
func stampOf(r *schemas.Record) int64 {
	if r.Time.IsZero() {
		return time.Now().UnixMilli()
	}
	return r.Time.UnixMilli()
}

func (d *draft) add(r *schemas.Record) {
	at := stampOf(r)
	if d.count == 0 {
		d.first, d.last = at, at
	}
	d.last = max(d.last, at)
	d.plain = appendRecord(d.plain, r, int64(d.count), at-d.first)
	d.count++
}

// recordSize is what a record takes in a batch, its length in front not counted.
func recordSize(r *schemas.Record, offset, since int64) int {
	size := 1 + varintSize(since) + varintSize(offset) + bytesSize(len(r.Key)) + varintSize(int64(len(r.Headers)))
	if r.Value == nil {
		size += varintSize(-1)
	} else {
		size += bytesSize(len(r.Value))
	}
	for i := range r.Headers {
		size += bytesSize(len(r.Headers[i].Key)) + bytesSize(len(r.Headers[i].Value))
	}
	return size
}

// mostSize is no less than framedSize and costs less to know: no number takes more than ten bytes.
func mostSize(r *schemas.Record) int {
	size := 64 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		size += 20 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return size
}

// framedSize is recordSize with the length in front.
func framedSize(r *schemas.Record, offset, since int64) int {
	size := recordSize(r, offset, since)
	return varintSize(int64(size)) + size
}

func appendRecord(b []byte, r *schemas.Record, offset, since int64) []byte {
	size := recordSize(r, offset, since)
	b = binary.AppendVarint(b, int64(size))
	b = append(b, 0)
	b = binary.AppendVarint(b, since)
	b = binary.AppendVarint(b, offset)
	b = binary.AppendVarint(b, int64(len(r.Key)))
	b = append(b, r.Key...)
	if r.Value == nil {
		b = binary.AppendVarint(b, -1)
	} else {
		b = binary.AppendVarint(b, int64(len(r.Value)))
		b = append(b, r.Value...)
	}
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = binary.AppendVarint(b, int64(len(h.Value)))
		b = append(b, h.Value...)
	}
	return b
}

func bytesSize(n int) int { return varintSize(int64(n)) + n }

func varintSize(v int64) int {
	u := uint64(v<<1) ^ uint64(v>>63)
	n := 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// seal compresses and completes the batch. The result is valid until the next reset.
func (d *draft) seal(by producer, sequence int32) ([]byte, error) {
	codec := uint16(codecLZ4)
	b, err := d.packed.frame(d.plain[:batchHeader], d.plain[batchHeader:])
	if err != nil {
		return nil, err
	}
	if len(b) >= len(d.plain) {
		b, codec = d.plain, codecNone
	}
	attrs := codec
	if by.transactional {
		attrs |= attrTransactional
	}
	clear(b[:batchHeader])
	put := binary.BigEndian
	put.PutUint32(b[atLength:], uint32(len(b)-atEpoch))
	put.PutUint32(b[atEpoch:], 0xffffffff) // leader epoch: set by the broker
	b[atMagic] = 2
	put.PutUint16(b[atAttrs:], attrs)
	put.PutUint32(b[atLastDelta:], uint32(d.count-1))
	put.PutUint64(b[atFirstTime:], uint64(d.first))
	put.PutUint64(b[atMaxTime:], uint64(d.last))
	put.PutUint64(b[atProducer:], uint64(by.id))
	put.PutUint16(b[atProdEpoch:], uint16(by.epoch))
	put.PutUint32(b[atSequence:], uint32(sequence))
	put.PutUint32(b[atCount:], uint32(d.count))
	put.PutUint32(b[atCRC:], crc32.Checksum(b[atAttrs:], castagnoli))
	return b, nil
}
