package normalize_test

import (
	"fmt"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// fragile is a decoder that is of no use any more once it has panicked.
type fragile struct{ broken *bool }

func (d fragile) Decode(p []schemas.Page, out *connectors.Decoded) {
	if *d.broken {
		out.Readings[0].Message.Text = some("what was left behind")
		return
	}
	*d.broken = true
	decoder{}.Decode(p, out)
	*d.broken = false
}

// TestADecoderThatPanickedIsMadeAgain: the page is a dead letter, and the next is decoded as if nothing had been.
func TestADecoderThatPanickedIsMadeAgain(t *testing.T) {
	made := 0
	r := newRig(t, memlog.Faults{})
	r.conf.Decoders = map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { made++; return fragile{new(bool)} }}
	r.add(page(item{ID: "a", Rev: 1}), body{Panic: true, Items: []item{{ID: "x", Rev: 1}}}, page(item{ID: "b", Rev: 1}), body{Panic: true}, page(item{ID: "c", Rev: 1}))
	r.toTheEnd()
	r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -", "c 1000 created NORMAL -")
	if dead := r.dead(); made != 3 || len(dead) != 2 || dead[0].ErrorClass != "panic" || *dead[1].SourceOffset != 3 {
		t.Errorf("%d decoders were made, dead letters %+v", made, dead)
	}
}

// TestUnreadableOffsets are one dead letter each, under an id that any replay gives again. They end a group of expansions, and
// say nothing where state is rebuilt.
func TestUnreadableOffsets(t *testing.T) {
	for size := range 4 {
		for _, lose := range []bool{false, true} {
			f := memlog.Faults{MaxRecords: size, Unreadable: func(r *schemas.Record) bool {
				return r.Topic == topics.RawPages && strings.Contains(string(r.Value), "lost")
			}}
			if lose {
				f.Commit = failAt(2, memlog.Kept)
			}
			r := newRig(t, f)
			r.add(page(item{ID: "lost0"}), sheet{body: page(item{ID: "a", Rev: 1}), number: 1}, expansion(2, "f", "", child{ID: "k"}),
				page(item{ID: "lost3"}), sheet{body: page(item{ID: "f", Rev: 1, Forward: true, Text: "x"}), number: 2}, page(item{ID: "lost5"}))
			r.toTheEnd(func() { r.dir = t.TempDir() })
			if got := r.forwards(); got != "a NONE NONE; f CONTAINER COMPLETE() 1 x NONE; f/k CHILD NONE" {
				t.Errorf("%d records a batch, state lost %v: %s", size, lose, got)
			}
			var got []string
			for _, d := range r.dead() {
				got = append(got, fmt.Sprint(*d.SourceOffset))
				want := schemas.DeadLetterID(schemas.StageDecode, "", fmt.Sprintf("/0/%d", *d.SourceOffset), "", "unreadable")
				if d.ID != want || d.Stage != schemas.StageDecode || !strings.Contains(d.ErrorMessage, fmt.Sprintf("offsets %d to %d cannot be read", *d.SourceOffset, *d.SourceOffset)) {
					t.Errorf("dead letter %+v", d)
				}
			}
			if fmt.Sprint(got) != "[0 3 5]" {
				t.Errorf("%d records a batch, state lost %v: dead letters of offsets %q", size, lose, got)
			}
			if n := r.log.Own(topics.RawPages, 0).Committed(); n != 6 {
				t.Errorf("committed %d", n)
			}
		}
	}
}

// TestOneMessageInTwoConversations: the first that shows it in a partition has it. In the other it is a dead letter, its
// children too, and links to it are out of scope; so one record has one row of versions, in any state.
func TestOneMessageInTwoConversations(t *testing.T) {
	for _, lose := range []bool{false, true} {
		r := newRig(t, memlog.Faults{})
		steps := []any{
			page(item{ID: "m", Rev: 1, Text: "here"}, item{ID: "r", Rev: 1, Parent: "m"}),
			sheet{body: page(item{ID: "m", Rev: 2, Text: "there"}, item{ID: "s", Rev: 1, Parent: "m"}), conversation: "oc2"},
			page(item{ID: "m", Rev: 3, Text: "here again"}),
			sheet{body: page(item{ID: "m", Rev: 4, Text: "there"}), conversation: "oc2"},
			expansion(20, "f", "", child{ID: "k"}), sheet{body: page(item{ID: "f", Rev: 1, Forward: true}), number: 20},
			func() sheet {
				x := expansion(21, "f", "", child{ID: "k"}, child{ID: "l"})
				x.conversation = "oc2"
				return x
			}(),
			sheet{body: page(item{ID: "f", Rev: 2, Forward: true}), number: 21, conversation: "oc2"},
		}
		for _, s := range steps {
			r.add(s)
			if r.toTheEnd(); lose {
				r.dir = t.TempDir()
			}
		}
		r.rises(fmt.Sprint("state lost: ", lose))
		if got := r.forwards(); got != "m NONE here again NONE; r NONE RESOLVED; s NONE OUT_OF_SCOPE; f CONTAINER COMPLETE() 1 NONE; f/k CHILD NONE" {
			t.Errorf("state lost %v: %s", lose, got)
		}
		var got []string
		for _, d := range r.dead() {
			got = append(got, fmt.Sprint(d.ErrorClass, d.Stage, *d.RecordID, d.ConversationKey))
		}
		dead := func(id string) string {
			return "two_conversations" + schemas.StageNormalize + "feishu/cli_1/" + id + "feishu/cli_1/oc2"
		}
		if want := []string{dead("m"), dead("m"), dead("f"), dead("f/k"), dead("f/l")}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("state lost %v: dead letters %q, want %q", lose, got, want)
		}
	}
}
