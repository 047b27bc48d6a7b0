package schemas_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"reflect"
	"runtime"
	"testing"

	"chatlake/schemas"
)

func TestTruncatedAndTrailing(t *testing.T) {
	for _, s := range samples() {
		for _, v := range []schemas.Validator{s.full, s.minimal} {
			whole := body(t, s.schema, v)
			for n := range whole {
				if err := s.schema.Decode(whole[:n], s.fresh()); !errors.Is(err, schemas.ErrTruncated) {
					t.Fatalf("%s cut to %d of %d bytes: %v", s.schema.Name, n, len(whole), err)
				}
			}
			for _, more := range []byte{0, 1, 0xff} {
				if err := s.schema.Decode(append(bytes.Clone(whole), more), s.fresh()); !errors.Is(err, schemas.ErrTrailing) {
					t.Fatalf("%s and one byte more: %v", s.schema.Name, err)
				}
			}
		}
	}
}

// raw builds an Avro body by hand.
type raw []byte

func (r raw) long(n int64) raw    { return binary.AppendVarint(r, n) }
func (r raw) text(s string) raw   { return append(r.long(int64(len(s))), s...) }
func (r raw) bytes(b ...byte) raw { return append(r, b...) }

// uptoRefs is a container's body up to its array of refs.
func uptoRefs() raw {
	var r raw
	for _, s := range []string{"k", "feishu", "t", "chat", "i", "c"} {
		r = r.text(s)
	}
	return r.bytes(0, 0).text("backfill").long(1)
}

// afterRefs ends a container's body.
func (r raw) afterRefs() raw { return r.bytes(0).text("user").long(5).bytes(0) }

func TestBlocksOfOthers(t *testing.T) {
	item := raw{}.text("m").bytes(0)
	for what, refs := range map[string]raw{
		"one block":            uptoRefs().long(2).bytes(item...).bytes(item...).long(0),
		"two blocks":           uptoRefs().long(1).bytes(item...).long(1).bytes(item...).long(0),
		"with a size in bytes": uptoRefs().long(-2).long(int64(2 * len(item))).bytes(item...).bytes(item...).long(0),
	} {
		var c schemas.Container
		if err := schemas.ContainerSchema.Decode(refs.afterRefs(), &c); err != nil || len(c.Refs) != 2 || c.Refs[1].MessageID != "m" || c.Cause != "user" {
			t.Errorf("%s: %+v, %v", what, c, err)
		}
	}
}

func TestHostileBodies(t *testing.T) {
	item := raw{}.text("m").bytes(0)
	for what, b := range map[string]raw{
		"array bomb":                uptoRefs().long(1 << 40),
		"array of what is allowed":  uptoRefs().long(1 << 17),
		"many blocks":               uptoRefs().long(1).bytes(item...).long(1 << 17).bytes(item...),
		"largest count":             uptoRefs().long(math.MaxInt64).bytes(item...),
		"smallest count":            uptoRefs().long(math.MinInt64).long(0).bytes(item...).long(0).afterRefs(),
		"counts that overflow":      uptoRefs().long(math.MinInt64).long(0).long(math.MaxInt64).bytes(item...).long(0).afterRefs(),
		"counts that overflow up":   uptoRefs().long(1).bytes(item...).long(math.MaxInt64).bytes(item...).long(0).afterRefs(),
		"negative block size":       uptoRefs().long(-1).long(-1).bytes(item...).long(0).afterRefs(),
		"block size too large":      uptoRefs().long(-1).long(1 << 40).bytes(item...).long(0).afterRefs(),
		"block size wrong":          uptoRefs().long(-1).long(1).bytes(item...).long(0).afterRefs(),
		"huge string":               raw{}.long(16 << 20),
		"string beyond the limit":   raw{}.long(1 << 40),
		"largest string":            raw{}.long(math.MaxInt64),
		"negative string":           raw{}.long(-1),
		"smallest string":           raw{}.long(math.MinInt64),
		"number that does not end":  bytes.Repeat([]byte{0xff}, 64),
		"union branch too high":     uptoRefs()[:len(uptoRefs())-11].bytes(2*2, 0),
		"negative union branch":     uptoRefs()[:len(uptoRefs())-11].bytes(1, 0),
		"boolean that is no 0 or 1": uptoRefs().long(0).bytes(2).text("user").long(5),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var c schemas.Container
		err := schemas.ContainerSchema.Decode(b, &c)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: passes as %+v", what, c)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<10 {
			t.Errorf("%s: %d bytes allocated for a body of %d", what, used, len(b))
		}
	}
}

// TestBodyOfDeadLetter pins that appending to what was read does not write over its neighbours.
func TestBodyOfDeadLetter(t *testing.T) {
	d := fullDeadLetter()
	var got schemas.DeadLetter
	if err := schemas.DeadLetterSchema.Decode(body(t, schemas.DeadLetterSchema, d), &got); err != nil {
		t.Fatal(err)
	}
	_ = append(*got.Body, bytes.Repeat([]byte{'#'}, 900)...)
	if !reflect.DeepEqual(&got, d) {
		t.Errorf("after an append: %+v", got)
	}
}
