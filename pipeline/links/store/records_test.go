package store_test

import (
	"bytes"
	"testing"

	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
)

// TestRestoreAndClaim: versions that were published wait for the record to be shown, the highest counts, and the conversation
// that shows it first keeps it; all of it outlives the process.
func TestRestoreAndClaim(t *testing.T) {
	dir := t.TempDir()
	var ix *store.Index
	var p *store.Partition
	again := func() {
		if ix != nil {
			apply(t, p, store.Applied{Offset: 1})
			shut(t, ix)
		}
		var err error
		if ix, err = store.Open(dir, discard()); err != nil {
			t.Fatal(err)
		}
		p = ix.Partition(0)
	}
	name := func(c graph.Conversation) graph.Key { return c.Message("m") }
	restore := func(version, offset int64, value string) {
		t.Helper()
		if err := p.Restore("r", name, store.Published{Version: version, Digest: uint64(version), Value: store.Place{Offset: offset}}, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(key string, mine bool, version int64) *store.Conversation {
		t.Helper()
		c, err := p.Conversation(key)
		if err != nil {
			t.Fatal(err)
		}
		own, was, err := p.Claim("r", c)
		if err != nil || own != mine || was.Version != version {
			t.Fatalf("%s: own %v, version %d (%v), want %v, %d", key, own, was.Version, err, mine, version)
		}
		return c
	}
	body := func(offset int64, want string) {
		t.Helper()
		if b, err := p.Value(store.Place{Offset: offset}); (err == nil) != (want != "") || !bytes.Equal(b, []byte(want)) {
			t.Errorf("value of offset %d: %q (%v), want %q", offset, b, err, want)
		}
	}
	again()
	restore(5, 1, "five")
	again()
	restore(7, 2, "seven")
	restore(6, 3, "six")
	again()
	body(2, "seven")
	c := claim("a", true, 7)
	n, err := p.Record(c.Message("m"))
	if err != nil {
		t.Fatal(err)
	}
	n.Published = store.Published{Version: 7, Value: store.Place{Offset: 2}}
	n.Changed = true
	again()
	claim("a", true, 0)
	claim("b", false, 0)
	restore(7, 4, "seven again")
	restore(9, 5, "nine")
	again()
	if n, err = p.Record(c.Message("m")); err != nil || n.Published.Version != 9 || n.Published.Digest != 9 {
		t.Errorf("published %+v (%v)", n.Published, err)
	}
	body(5, "nine")
	shut(t, ix)
}
