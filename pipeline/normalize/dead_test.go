package normalize_test

import (
	"strings"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestBadPagesBecomeDeadLetters has one bad record between two good ones. Its dead letter has the same id wherever and
// whenever it is found.
func TestBadPagesBecomeDeadLetters(t *testing.T) {
	edit := func(f func(p *schemas.Page)) func(*rig) schemas.Record {
		return func(r *rig) schemas.Record {
			rec := r.raw(page(item{ID: "x"}))
			p, err := schemas.ParsePage(&rec)
			if err != nil {
				r.t.Fatal(err)
			}
			f(&p)
			out := p.Record(topics.RawPages, r.total)
			out.Partition = 0
			return out
		}
	}
	for name, c := range map[string]struct {
		rec          func(r *rig) schemas.Record
		stage, class string
		pageless     bool
	}{
		"nothing at all": {func(*rig) schemas.Record { return schemas.Record{Topic: topics.RawPages} }, schemas.StageNormalize, "not_a_page", true},
		"no headers":     {func(r *rig) schemas.Record { x := r.raw(page()); x.Headers = nil; return x }, schemas.StageNormalize, "not_a_page", true},
		"no time": {func(r *rig) schemas.Record {
			x := r.raw(page())
			for i := range x.Headers {
				if x.Headers[i].Key == "ce_time" {
					x.Headers[i].Value = []byte("yesterday")
				}
			}
			return x
		}, schemas.StageNormalize, "not_a_page", false},
		"key is no text":   {func(r *rig) schemas.Record { x := r.raw(page()); x.Key = "\xff"; return x }, schemas.StageNormalize, "not_a_page", false},
		"another key":      {func(r *rig) schemas.Record { x := r.raw(page()); x.Key = "feishu/cli_1/oc_2"; return x }, schemas.StageNormalize, "not_a_page", false},
		"unknown platform": {edit(func(p *schemas.Page) { p.Container = "icq/1/chat/oc" }), schemas.StageNormalize, "unknown_platform", false},
		"no JSON":          {func(r *rig) schemas.Record { return r.raw([]byte("<html>")) }, schemas.StageDecode, "malformed", false},
		"panic":            {func(r *rig) schemas.Record { return r.raw(body{Panic: true, Items: []item{{ID: "x"}}}) }, schemas.StageDecode, "panic", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, memlog.Faults{})
			bad := c.rec(r)
			r.add(page(item{ID: "a", Rev: 1}), bad, page(item{ID: "b", Rev: 1}))
			r.toTheEnd()
			r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -")
			all := r.dead()
			if len(all) != 1 {
				t.Fatalf("%d dead letters", len(all))
			}
			d := all[0]
			if d.Stage != c.stage || d.ErrorClass != c.class || *d.SourceTopic != topics.RawPages || *d.SourceOffset != 1 || (d.PageID == nil) != c.pageless {
				t.Errorf("dead letter %+v", d)
			}
			pointer := ""
			if d.ItemPointer != nil {
				pointer = *d.ItemPointer
			}
			id := ""
			if d.PageID != nil {
				id = *d.PageID
			}
			if want := schemas.DeadLetterID(c.stage, id, pointer, "", c.class); d.ID != want {
				t.Errorf("id %s, want %s", d.ID, want)
			}
			if c.pageless != (pointer == "/0/1") {
				t.Errorf("item pointer %q", pointer)
			}
		})
	}
}

// TestMisplacedPage lies where its conversation does not hash to.
func TestMisplacedPage(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.log, r.total = memlog.New(2, memlog.Faults{}), 2
	good, bad := r.raw(page(item{ID: "a", Rev: 1})), r.raw(page(item{ID: "x", Rev: 1}))
	bad.Partition = 1 - bad.Partition
	r.log.Append(good, bad)
	for id := range int32(2) {
		if err := r.normalizer().Partition(t.Context(), r.log.Own(topics.RawPages, id)); err != nil {
			t.Fatal(err)
		}
	}
	messages, dead := r.log.All(topics.Messages), r.log.All(topics.DeadLetters)
	if len(messages) != 1 || messages[0].Key != "feishu/cli_1/a" || messages[0].Partition != good.Partition {
		t.Errorf("messages %+v", messages)
	}
	if len(dead) != 1 || dead[0].Partition != bad.Partition || dead[0].Key != bad.Key {
		t.Fatalf("dead letters %+v", dead)
	}
	var d schemas.DeadLetter
	if _, b, err := schemas.Frame(dead[0].Value); err != nil || schemas.DeadLetterSchema.Decode(b, &d) != nil {
		t.Fatalf("dead letter cannot be read: %v", err)
	}
	if d.ErrorClass != "misplaced" || d.Stage != schemas.StageNormalize || *d.SourcePartition != int64(bad.Partition) || *d.SourceOffset != 0 {
		t.Errorf("dead letter %+v", d)
	}
}

// TestBadItemsLeaveTheRestOfThePage: what the decoder sets aside, and what cannot be written.
func TestBadItemsLeaveTheRestOfThePage(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.add(body{Items: []item{{ID: "a", Rev: 1}, {ID: "b", Rev: 1, Invalid: true}, {ID: "c", Rev: 1}}, Failed: []string{"feishu/cli_1/d", "feishu/\xff"}})
	r.add(page(item{ID: "b", Rev: 1})) // valid this time: it is its first version
	r.toTheEnd()
	r.expect("a 1000 created NORMAL -", "c 1000 created NORMAL -", "b 1000 created NORMAL -")
	all := r.dead()
	if len(all) != 3 {
		t.Fatalf("%d dead letters, want 3", len(all))
	}
	if d := all[0]; d.Stage != schemas.StageDecode || d.ErrorClass != "bad_item" || *d.RecordID != "feishu/cli_1/d" || *d.ItemPointer != "/items/100" || d.ErrorMessage != "bad \uFFFD item" {
		t.Errorf("dead letter %+v", d)
	}
	if d := all[1]; *d.RecordID != "feishu/\uFFFD" {
		t.Errorf("dead letter %+v", d)
	}
	d := all[2]
	if d.Stage != schemas.StageEncode || d.ErrorClass != "invalid" || *d.RecordID != "feishu/cli_1/b" || *d.ItemPointer != "/items/1" || !strings.Contains(d.ErrorMessage, "content_kind") {
		t.Errorf("dead letter %+v", d)
	}
	if want := schemas.DeadLetterID(d.Stage, *d.PageID, "/items/1", "feishu/cli_1/b", "invalid"); d.ID != want {
		t.Errorf("id %s, want %s", d.ID, want)
	}
}

// TestMessageWhoseIDIsNoText cannot be written, and neither could its id in a dead letter.
func TestMessageWhoseIDIsNoText(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	r.conf.Decoders = only(func(d *reading) { d.id = "om_\xff" })
	r.add(page(item{ID: "a", Rev: 1}))
	r.toTheEnd()
	if all := r.dead(); len(all) != 1 || all[0].Stage != schemas.StageEncode || *all[0].RecordID != "om_\uFFFD" {
		t.Errorf("dead letters %+v", all)
	}
}
