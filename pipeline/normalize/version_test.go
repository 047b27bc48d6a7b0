package normalize_test

import (
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestVersions goes through what pages can say of one message, each page in a session of its own.
func TestVersions(t *testing.T) {
	a := item{ID: "a", Text: "x", Rev: 1000}
	with := func(f func(*item)) item { b := a; f(&b); return b }
	edit := func(rev int64, text string) item {
		return with(func(i *item) { i.Rev, i.Edited, i.Text = rev, rev, text })
	}
	recalled := func(rev int64) item {
		return with(func(i *item) { i.Rev, i.State, i.Text = rev, schemas.MessageRecalled, "" })
	}
	for name, c := range map[string]struct {
		pages []body
		want  []string
	}{
		"first":                     {[]body{page(a)}, []string{"a 1000000 created NORMAL x"}},
		"without a time":            {[]body{page(with(func(i *item) { i.Rev = 0 }))}, []string{"a 1 created NORMAL x"}},
		"read again":                {[]body{page(a), page(a), page(a)}, []string{"a 1000000 created NORMAL x"}},
		"twice on a page":           {[]body{page(a, a)}, []string{"a 1000000 created NORMAL x"}},
		"two states on a page":      {[]body{page(a, edit(2000, "y"))}, []string{"a 2000000 created NORMAL y"}},
		"two, the other way round":  {[]body{page(edit(2000, "y"), a)}, []string{"a 2000000 created NORMAL y"}},
		"edited":                    {[]body{page(a), page(edit(2000, "y")), page(edit(2000, "y"))}, []string{"a 1000000 created NORMAL x", "a 2000000 edited NORMAL y"}},
		"edited twice":              {[]body{page(a), page(edit(2000, "y")), page(edit(3000, "x"))}, []string{"a 1000000 created NORMAL x", "a 2000000 edited NORMAL y", "a 3000000 edited NORMAL x"}},
		"recalled":                  {[]body{page(a), page(recalled(2000)), page(recalled(2000))}, []string{"a 1000000 created NORMAL x", "a 2000000 recalled RECALLED -"}},
		"recalled without a time":   {[]body{page(a), page(recalled(1000))}, []string{"a 1000000 created NORMAL x", "a 1000001 recalled RECALLED -"}},
		"recalled, then older news": {[]body{page(recalled(2000)), page(a), page(edit(1500, "y"))}, []string{"a 2000000 created RECALLED -", "a 2000001 edited RECALLED -"}},
		"a recall is never stale":   {[]body{page(edit(2000, "y")), page(recalled(1000))}, []string{"a 2000000 created NORMAL y", "a 2000001 recalled RECALLED -"}},
		"a deletion over a recall": {
			[]body{page(recalled(2000)), page(with(func(i *item) { i.Rev, i.State, i.Text = 0, schemas.MessageDeleted, "" }))},
			[]string{"a 2000000 created RECALLED -", "a 2000001 deleted DELETED -"},
		},
		"an older reading":        {[]body{page(edit(2000, "y")), page(a)}, []string{"a 2000000 created NORMAL y"}},
		"a lesser source":         {[]body{page(a), page(with(func(i *item) { i.Text, i.Source = "other", connectors.FromThread }))}, []string{"a 1000000 created NORMAL x"}},
		"a better source":         {[]body{page(with(func(i *item) { i.Text, i.Source = "other", connectors.FromOther })), page(a)}, []string{"a 1000000 created NORMAL other", "a 1000001 relinked NORMAL x"}},
		"sender's name alone":     {[]body{page(a), page(with(func(i *item) { i.Sender = "Ada" }))}, []string{"a 1000000 created NORMAL x"}},
		"kind alone":              {[]body{page(a), {Kind: schemas.ConversationGroup, Items: []item{a}}}, []string{"a 1000000 created NORMAL x"}},
		"of another conversation": {[]body{page(with(func(i *item) { i.Elsewhere = true }), item{ID: "b", Text: "y", Rev: 5})}, []string{"b 5000 created NORMAL y"}},
		"order of the page":       {[]body{page(item{ID: "b", Rev: 2}, item{ID: "a", Rev: 3}, item{ID: "c", Rev: 1})}, []string{"b 2000 created NORMAL -", "a 3000 created NORMAL -", "c 1000 created NORMAL -"}},
		"a time before 1970":      {[]body{page(with(func(i *item) { i.Rev = -5 })), page(with(func(i *item) { i.Rev, i.Text = -5, "y" }))}, []string{"a 1 created NORMAL x", "a 2 relinked NORMAL y"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, memlog.Faults{})
			for i := range c.pages {
				r.add(c.pages[i])
				r.toTheEnd()
			}
			r.expect(c.want...)
			if d := r.dead(); len(d) != 0 {
				t.Errorf("dead letters %+v", d)
			}
		})
	}
}

// TestReadingsOfOnePageInAnyOrder: which reading stands, and what is known of it afterwards, does not hang on their
// order in the page. The recall that stands is older than the other reading, so its own time must stay its rank.
func TestReadingsOfOnePageInAnyOrder(t *testing.T) {
	recall := item{ID: "a", State: schemas.MessageRecalled, Rev: 1000, Edited: 1}
	later := item{ID: "a", State: schemas.MessageRecalled, Rev: 1500, Edited: 2}
	edited := item{ID: "a", Text: "y", Rev: 2000}
	for _, items := range [][]item{{recall, edited}, {edited, recall}, {recall, edited, recall}} {
		r := newRig(t, memlog.Faults{})
		r.add(page(items...), page(later))
		r.toTheEnd()
		r.expect("a 2000000 created RECALLED -", "a 2000001 edited RECALLED -")
		if m := r.messages(); len(m) == 2 && (m[0].SourceRevision != 2000 || m[1].SourceRevision != 2000) {
			t.Errorf("source revisions %d and %d", m[0].SourceRevision, m[1].SourceRevision)
		}
	}
}

// TestConversationKindIsKept has a page tell the kind; messages after it know it, those before it do not, whatever
// becomes of processes and state in between.
func TestConversationKindIsKept(t *testing.T) {
	for _, lose := range []bool{false, true} {
		r := newRig(t, memlog.Faults{})
		r.add(page(item{ID: "a", Rev: 1}), body{Kind: schemas.ConversationGroup}, page(item{ID: "b", Rev: 1}))
		r.toTheEnd()
		if lose {
			r.dir = t.TempDir()
		}
		r.add(page(item{ID: "c", Rev: 1}), body{Kind: schemas.ConversationTopicGroup, Items: []item{{ID: "d", Rev: 1}}})
		r.toTheEnd()
		var got []string
		for _, m := range r.messages() {
			got = append(got, m.ConversationKind)
		}
		want := []string{schemas.ConversationUnknown, schemas.ConversationGroup, schemas.ConversationGroup, schemas.ConversationTopicGroup}
		for i := range want {
			if len(got) != len(want) || got[i] != want[i] {
				t.Fatalf("state lost %v: kinds %q, want %q", lose, got, want)
			}
		}
	}
}

// TestProvenance tells where a version comes from.
func TestProvenance(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.add(page(), page(item{ID: "z", Rev: 1}, item{ID: "a", Rev: 1}))
	r.toTheEnd()
	raw, recs := r.log.Records(topics.RawPages, 0)[1], r.log.Records(topics.Messages, 0)
	p, err := schemas.ParsePage(&raw)
	if err != nil {
		t.Fatal(err)
	}
	want := schemas.Provenance{
		PageID: p.ID, SourceAPI: schemas.FeishuMessagesList, RawTopic: topics.RawPages, RawPartition: 0, RawOffset: 1, ItemPointer: "/items/1",
		ConnectorVersion: "chatlake/test", NormalizerVersion: "chatlake/test", ExtractedAt: schemas.MillisOf(p.Time), NormalizedAt: schemas.MillisOf(fixed),
	}
	if got := r.messages()[1]; got.Provenance != want || recs[1].Key != got.RecordID || !recs[1].Time.Equal(raw.Time) {
		t.Errorf("record %+v with provenance %+v, want %+v", recs[1], got.Provenance, want)
	}
}
