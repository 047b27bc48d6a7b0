package normalize_test

import (
	"testing"

	"chatlake/pipeline/memlog"
)

// TestRetentionBehindAMarker: every page was normalized and the index is whole. Only the marker of an aborted
// transaction (each extractor session writes one into im.raw.pages) stands behind it when retention empties the topic.
func TestRetentionBehindAMarker(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.add(page(item{ID: "a", Rev: 1}))
	r.toTheEnd()
	// the log grows by an offset that holds no record, and is then emptied up to its end
	r.log.Trim(topics.RawPages, 0, 2)
	r.add(page(item{ID: "b", Rev: 1}))
	if err := r.session(t.Context()); err != nil {
		t.Fatalf("nothing is missing, yet: %v", err)
	}
	r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -")
}

// TestLargeHeader: a foreign record with one large header is no page; it must not stop its partition.
func TestLargeHeader(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	bad := r.raw(page(item{ID: "x", Rev: 1}))
	for i := range bad.Headers {
		if bad.Headers[i].Key == "ce_time" {
			bad.Headers[i].Value = make([]byte, 5<<20)
		}
	}
	r.log.Append(bad)
	r.add(page(item{ID: "b", Rev: 1}))
	if err := r.session(t.Context()); err != nil {
		s := err.Error()
		t.Fatalf("one bad record stops its partition: %s", s[:min(len(s), 300)])
	}
	r.expect("b 1000 created NORMAL -")
}
