package links_test

import (
	"bytes"
	"testing"

	"chatlake/pipeline/links"
)

// TestRecallAndClaim: versions that were published wait for the record to be shown, the highest counts, and the conversation
// that shows it first keeps it; all of it outlives the process.
func TestRecallAndClaim(t *testing.T) {
	dir := t.TempDir()
	var ix *links.Index
	var p *links.Partition
	again := func() {
		if ix != nil {
			apply(t, p, links.Applied{Offset: 1})
			shut(t, ix)
		}
		var err error
		if ix, err = links.Open(dir, discard()); err != nil {
			t.Fatal(err)
		}
		p = ix.Partition(0)
	}
	name := func(c *links.Conversation) links.Key { return c.Message("m") }
	recall := func(version, offset int64, value string) {
		t.Helper()
		if err := p.Recall("r", name, links.Published{Version: version, Digest: uint64(version), Body: links.Place{Offset: offset}}, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	claim := func(key string, mine bool, version int64) *links.Conversation {
		t.Helper()
		c, err := p.Conversation(key)
		if err != nil {
			t.Fatal(err)
		}
		owner, was, err := p.Claim("r", c)
		if err != nil || (owner == c) != mine || was.Version != version {
			t.Fatalf("%s: mine %v, version %d (%v), want %v, %d", key, owner == c, was.Version, err, mine, version)
		}
		return owner
	}
	body := func(offset int64, want string) {
		t.Helper()
		if b, err := p.Body(links.Place{Offset: offset}); (err == nil) != (want != "") || !bytes.Equal(b, []byte(want)) {
			t.Errorf("value of offset %d: %q (%v), want %q", offset, b, err, want)
		}
	}
	again()
	recall(5, 1, "five")
	again()
	recall(7, 2, "seven")
	recall(6, 3, "six")
	again()
	body(2, "seven")
	c := claim("a", true, 7)
	n, err := p.Node(c.Message("m"))
	if err != nil {
		t.Fatal(err)
	}
	n.Published = links.Published{Version: 7, Body: links.Place{Offset: 2}}
	n.Changed()
	again()
	claim("a", true, 0)
	b := claim("b", false, 0)
	if b.Message("m") != c.Message("m") {
		t.Errorf("the owner's node is %q, not %q", b.Message("m"), c.Message("m"))
	}
	recall(7, 4, "seven again")
	recall(9, 5, "nine")
	again()
	if n, err = p.Node(c.Message("m")); err != nil || n.Published.Version != 9 || n.Published.Digest != 9 {
		t.Errorf("published %+v (%v)", n.Published, err)
	}
	body(5, "nine")
	shut(t, ix)
}
