package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// framed is a frame of Snappy blocks as Java's producers write it.
func framed(blocks ...[]byte) []byte {
	out := append([]byte(xerial), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, b := range blocks {
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
		out = append(out, b...)
	}
	return out
}

// packed compresses with each codec.
func packed(t *testing.T, codec int16, body []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var err error
	switch codec {
	case 1:
		w := gzip.NewWriter(&out)
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	case codecSnappy:
		return snappy.Encode(nil, body)
	case codecLZ4:
		w := lz4.NewWriter(&out)
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	case codecZstd:
		w, werr := zstd.NewWriter(&out)
		if werr != nil {
			t.Fatal(werr)
		}
		_, err = w.Write(body)
		err = errors.Join(err, w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A few bytes that claim or hold much allocate little: the limit is 1 MiB.
func TestClaimsAreCheckedBeforeAnythingIsAllocated(t *testing.T) {
	claim := append(binary.AppendUvarint(nil, 3<<30), 0x00, 'x')        // a block's decoded length, then a literal of one byte
	within := append(binary.AppendUvarint(nil, 1<<20-1), 0x00, 'x')     // within the limit, and still no truth
	frame := framed()                                                   // and a frame whose block is said to be long
	frame = append(binary.BigEndian.AppendUint32(frame, 1<<31-8), 1, 2) //
	// A frame of zstd: one segment, content size of eight bytes, an empty last block.
	single := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, binary.LittleEndian.AppendUint64(nil, 900<<10)...)
	single = append(single, 1, 0, 0)
	zeros := make([]byte, 64<<20)
	for name, tc := range map[string]struct {
		codec int16
		body  []byte
		most  uint64 // MiB
		want  string
	}{
		"snappy block":         {codecSnappy, claim, 1, "more than is allowed"},
		"snappy block, lower":  {codecSnappy, within, 1, "claim to hold"},
		"snappy frame":         {codecSnappy, frame, 1, "cut short"},
		"snappy frame, claims": {codecSnappy, framed(claim), 1, "more than is allowed"},
		"snappy frame, many":   {codecSnappy, framed(slicesOf(snappy.Encode(nil, zeros[:900<<10]), 40)...), 4, "more than is allowed"},
		"snappy frame, header": {codecSnappy, []byte(xerial), 1, "cut short"},
		"zstd claim":           {codecZstd, single, 2, "zstd"},
		"gzip bomb":            {1, packed(t, 1, zeros), 8, "more than is allowed"},
		"lz4 bomb":             {codecLZ4, packed(t, codecLZ4, zeros), 24, "more than is allowed"},
		"zstd bomb":            {codecZstd, packed(t, codecZstd, zeros), 4, "more than is allowed"},
		"snappy bomb":          {codecSnappy, packed(t, codecSnappy, zeros), 1, "more than is allowed"},
	} {
		d, err := newDecompressor(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = d.decompress(tc.codec, packed(t, tc.codec, []byte("warm"))) // what a codec allocates once
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = d.decompress(tc.codec, tc.body)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > tc.most {
			t.Errorf("%s: %d bytes made us allocate %d MiB, the limit is 1 MiB", name, len(tc.body), n)
		}
	}
}

// What a batch may come to at most is not what a few bytes are believed to come to.
func TestClaimsWithinTheUsualLimit(t *testing.T) {
	d, err := usualDecompressor()
	if err != nil {
		t.Fatal(err)
	}
	single := append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0}, binary.LittleEndian.AppendUint64(nil, 200<<20)...)
	for name, tc := range map[string]struct {
		codec int16
		body  []byte
	}{
		"snappy":       {codecSnappy, append(binary.AppendUvarint(nil, 200<<20), 0, 'x')},
		"snappy frame": {codecSnappy, framed(append(binary.AppendUvarint(nil, 200<<20), 0, 'x'))},
		"zstd":         {codecZstd, append(single, 1, 0, 0)},
		"zstd, second": {codecZstd, append(packed(t, codecZstd, []byte("first")), append(single, 1, 0, 0)...)},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := d.decompress(tc.codec, tc.body)
		runtime.ReadMemStats(&after)
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; err == nil || n > 16 {
			t.Errorf("%s: %d bytes made us allocate %d MiB (%v)", name, len(tc.body), n, err)
		}
	}
}

func slicesOf(b []byte, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

// Every codec gives back what went in, however well it compresses.
func TestDecompress(t *testing.T) {
	d, err := newDecompressor(8 << 20)
	if err != nil {
		t.Fatal(err)
	}
	mixed := []byte(strings.Repeat("well yeah sometimes basic programs work best ", 3000))
	for _, body := range [][]byte{nil, []byte("x"), make([]byte, 8<<20), mixed} {
		for _, codec := range []int16{codecNone, 1, codecSnappy, codecLZ4, codecZstd} {
			in := body
			if codec != codecNone {
				in = packed(t, codec, body)
			}
			if out, err := d.decompress(codec, in); err != nil || !bytes.Equal(out, body) {
				t.Errorf("codec %d, %d bytes: %d bytes back, %v", codec, len(body), len(out), err)
			}
		}
		half := len(body) / 2
		in := framed(snappy.Encode(nil, body[:half]), snappy.Encode(nil, body[half:]))
		if out, err := d.decompress(codecSnappy, in); err != nil || !bytes.Equal(out, body) {
			t.Errorf("snappy frame of %d bytes: %d bytes back, %v", len(body), len(out), err)
		}
	}
}
