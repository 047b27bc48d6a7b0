package normalize_test

import (
	"fmt"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestTopicCreatedAgain: the topic of raw pages is deleted and created again, with fewer pages than before, as many, or
// more. A broker drops the group's offsets with the topic; a tool may have kept them. The index is kept, lost, or of another
// worker. What was published stays, all new pages are normalized, and versions rise.
func TestTopicCreatedAgain(t *testing.T) {
	for _, fresh := range []int{0, 1, 4, 5, 6, 9} {
		for _, offset := range []int64{-1, 5, 3} {
			for _, state := range []string{"kept", "lost", "older"} {
				r := newRig(t, memlog.Faults{})
				older := t.TempDir()
				for i := range 5 {
					r.add(page(item{ID: fmt.Sprint("old", i), Rev: 1}, item{ID: "both", Rev: int64(1 + i), Text: fmt.Sprint("old", i)}))
					r.toTheEnd()
					if i == 2 {
						copyDir(t, older, r.dir)
					}
				}
				r.log.Drop(topics.RawPages)
				r.log.SetCommitted(topics.RawPages, 0, offset)
				r.dir = map[string]string{"kept": r.dir, "lost": t.TempDir(), "older": older}[state]
				for i := range fresh {
					r.add(page(item{ID: fmt.Sprint("new", i), Rev: 1}, item{ID: "both", Rev: int64(1 + i), Text: fmt.Sprint("new", i)}))
				}
				name := fmt.Sprintf("%d pages, offset %d, state %s", fresh, offset, state)
				for range 2 {
					if err := r.session(t.Context()); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
				if n := len(r.messages()); n != 10+2*fresh {
					t.Errorf("%s: %d messages, want %d", name, n, 10+2*fresh)
				}
				r.rises(name)
			}
		}
	}
}

// rises expects the versions of each record to rise strictly and to differ from the one before, and only the first to be
// created.
func (r *rig) rises(name string) {
	r.t.Helper()
	last := map[string]*schemas.Message{}
	all := r.messages()
	for i := range all {
		m := &all[i]
		old := last[m.RecordID]
		switch {
		case (old == nil) != (m.Change == schemas.ChangeCreated):
			r.t.Errorf("%s: version %d of %s is %s", name, m.Version, m.RecordID, m.Change)
		case old != nil && m.Version <= old.Version:
			r.t.Errorf("%s: version %d of %s after %d", name, m.Version, m.RecordID, old.Version)
		case old != nil && m.Fingerprint() == old.Fingerprint():
			r.t.Errorf("%s: versions %d and %d of %s say the same", name, old.Version, m.Version, m.RecordID)
		}
		last[m.RecordID] = m
	}
}

// TestTheSameContainersAgain: a topic that was created again may begin with pages of the same ids, when the containers are
// read again from their start. Their times tell.
func TestTheSameContainersAgain(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.add(page(item{ID: "a", Rev: 1}), page(item{ID: "b", Rev: 1}))
	r.toTheEnd()
	ids := r.log.Records(topics.RawPages, 0)
	r.log.Drop(topics.RawPages)
	for i, rec := range ids {
		p, err := schemas.ParsePage(&rec)
		if err != nil {
			t.Fatal(err)
		}
		before := p.ID
		p.Time = p.Time.AddDate(0, 0, 1)
		rec = p.Record(topics.RawPages, 1)
		if q, err := schemas.ParsePage(&rec); err != nil || q.ID != before {
			t.Fatalf("page %d: id %s, want %s (%v)", i, q.ID, before, err)
		}
		r.add(rec)
	}
	r.add(page(item{ID: "c", Rev: 1}))
	r.toTheEnd()
	r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -", "c 1000 created NORMAL -")
	if n := r.stats.Rebuilt.Load(); n != 0 || r.stats.Pages.Load() != 3 {
		t.Errorf("%d pages were read silently, %d normalized", n, r.stats.Pages.Load())
	}
}
