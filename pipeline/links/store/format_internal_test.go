package store

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"chatlake/pipeline/links/graph"
)

// fullRecord is one in which every part is present.
func fullRecord() *Record {
	one, two := int64(1), int64(-2)
	rank := graph.Rank{State: graph.StateRecalled, Highest: 300, Source: 2, Time: 4, Page: 1<<63 + 5, Place: 6}
	return &Record{
		Node: graph.Node{
			Readings: []graph.Reading{{
				Rank: rank, UpdatedAt: 7, RecalledAt: 8, ConversationSeq: &one, ThreadSeq: &two, ThreadID: "t", CopyOf: "c",
				Parent: graph.Target{ID: "p", ClientID: "pc", SenderID: "ps", CreatedAt: 9, Reason: "r"}, Root: graph.Target{ClientID: "rc"},
				ThreadByRoot: true, SenderID: "s", ClientID: "id", CreatedAt: 10,
			}, {Rank: graph.Rank{Time: 11}}},
			Revision: 12, Expansion: graph.Expansion{Status: graph.ExpansionPartial, Rank: rank, Reason: "nested", Children: &one, Descendants: &two},
			Thread: "root", Fixed: true, Deleted: true, Linked: true, Asked: true, ThreadRoot: true, Depth: 13,
			Parent: graph.Link{Status: graph.Missing, Reason: "why", ID: "p", ClientID: "pc", SenderID: "ps", CreatedAt: 14},
			Root:   graph.Link{Status: graph.Resolved, ID: "root"}, Answer: graph.Answer{Status: graph.Deleted, Reason: "gone"},
			Hint: 15, Owner: "o", OwnerTime: 16,
		},
		Published: Published{Version: 17, Edited: -18, State: graph.StateDeleted, Digest: 1 << 40, Cut: true, Value: Place{19, 20}},
	}
}

// TestFormatIsThatOfTheLayout: whoever changes how a record is written also has to change the layout, so that what is on disk
// is rebuilt.
func TestFormatIsThatOfTheLayout(t *testing.T) {
	const want = "ffff010d22231280808080802026140221d80408800000000000000506ff010e101401730203017002706302707312017200027263000000017401630269640000160000000000000000000000000000180221d80408800000000000000506066e657374656402030404676f6e65020377687901700270630270731c060004726f6f74000000016f201e04726f6f74"
	var c coder
	c.record(fullRecord())
	if got := hex.EncodeToString(c.b); got != want || layout[:2] != "4 " {
		t.Errorf("layout %q writes\n%s, want\n%s", layout, got, want)
	}
	var got Record
	r := &coder{b: c.b, reading: true}
	r.record(&got)
	if err := r.done(); err != nil || !reflect.DeepEqual(&got, fullRecord()) {
		t.Errorf("read back: %+v, %v", got, err)
	}
	for n := range c.b { // a value that is cut short is never taken for one
		r := &coder{b: c.b[:n:n], reading: true}
		r.record(&Record{})
		if !errors.Is(r.done(), errBroken) {
			t.Errorf("the first %d of %d bytes are read without an error", n, len(c.b))
		}
	}
}

// TestNothingIsAppliedAfterAFailure: a node that cannot be read is nothing to build on, though who asks goes on.
func TestNothingIsAppliedAfterAFailure(t *testing.T) {
	dir := t.TempDir()
	ix, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := ix.Partition(0)
	defer p.Close()
	bad, set := graph.Conversation("\x00\x00\x00\x01").Message("bad"), graph.Set{Kind: graph.Wanted, Name: "c"}
	if err := ix.db.Set(p.table.at(keyNode, string(bad)), []byte("\xff"), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	p.Insert(set, bad)
	if n := p.Node(bad); n.Shown() || n != p.Node(bad) {
		t.Errorf("a node that cannot be read: %+v", n)
	}
	if err := p.Err(); !errors.Is(err, errBroken) {
		t.Errorf("Err: %v", err)
	}
	if err := p.Apply(Applied{Offset: 1}); !errors.Is(err, errBroken) {
		t.Errorf("Apply: %v", err)
	}
	p.Discard()
	if _, ok, err := p.Applied(); p.Err() != nil || ok || err != nil || len(p.Members(set)) != 0 {
		t.Errorf("after it was discarded: %v, applied %v, %v, %v", p.Err(), ok, err, p.Members(set))
	}
}
