package normalize_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
)

// mallory is somebody who is to be left out, and secret is what must not be found then.
const (
	mallory = "ou_d5f3a7c0b1e94482"
	secret  = "the wumpus is in room nine"
)

// without lets the rig leave out conversations and senders.
func (r *rig) without(conversations, senders []string) *rig {
	r.conf.Without = normalize.NewWithout(conversations, senders)
	return r
}

// noTrace expects that no byte of what was written names any of these.
func (r *rig) noTrace(words ...string) {
	r.t.Helper()
	for _, topic := range []string{topics.Messages, topics.DeadLetters, topics.Containers} {
		for _, rec := range r.log.Records(topic, 0) {
			for _, w := range words {
				if bytes.Contains(rec.Value, []byte(w)) || bytes.Contains([]byte(rec.Key), []byte(w)) {
					r.t.Errorf("%s offset %d names %q: %q", topic, rec.Offset, w, rec.Value)
				}
			}
		}
	}
}

// newest gives the last version of each message, by its record id without platform and tenant.
func (r *rig) newest() map[string]schemas.Message {
	all := map[string]schemas.Message{}
	for _, m := range r.messages() {
		all[m.RecordID[len("feishu/cli_1/"):]] = m
	}
	return all
}

func linkWords(l *schemas.Link) string {
	word := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	return fmt.Sprintf("%s %s %s %s", l.Status, word(l.Reason), word(l.MessageID), word(l.SenderID))
}

// TestErasedSender: nothing of a sender is published, links to the messages and the roots derived from them say so, whatever
// the order of pages, and what others said of the sender loses id and name.
func TestErasedSender(t *testing.T) {
	talk := [][]item{
		{{ID: "a", From: "ou_ann", Text: "hello", Rev: 1}},
		{{ID: "b", From: mallory, Text: secret, Rev: 2, Parent: "a", Client: "cb"}},
		{{ID: "c", From: "ou_ann", Text: "what?", Rev: 3, Parent: "b", LinkFrom: mallory}},
		{{ID: "d", From: "ou_bob", Text: "indeed", Rev: 4, Parent: "c"}},
		{{ID: "e", From: "ou_bob", Text: "by client id", Rev: 5, ParentClient: "cb"}},
		{{ID: "f", From: "ou_bob", Text: "ask @Mallory M. or " + mallory, Rev: 6, Names: mallory, Content: `{"who":"` + mallory + `"}`}},
		{{ID: "b", Rev: 7, State: schemas.MessageRecalled}}, // the shell no longer tells who sent it
	}
	for order, pages := range map[string][]int{"as written": {0, 1, 2, 3, 4, 5, 6}, "newest first": {5, 4, 3, 2, 1, 0, 6}, "twice": {0, 1, 2, 3, 4, 5, 5, 2, 1, 6}} {
		t.Run(order, func(t *testing.T) {
			r := newRig(t, memlog.Faults{}).without(nil, []string{mallory})
			for _, i := range pages {
				r.add(page(talk[i]...))
			}
			r.toTheEnd()
			r.noTrace(mallory, secret, "Mallory")
			all := r.newest()
			if _, there := all["b"]; there || len(all) != 5 {
				t.Errorf("%d records: %v", len(all), all)
			}
			for id, want := range map[string][2]string{
				"a": {"NONE - - -", "NONE - - -"},
				"c": {"DELETED erased b -", "DELETED erased b -"},
				"d": {"RESOLVED - c ou_ann", "DELETED erased b -"},
				"e": {"DELETED erased - -", "DELETED erased - -"},
			} {
				m := all[id]
				if got := [2]string{linkWords(&m.Parent), linkWords(&m.Root)}; got != want {
					t.Errorf("%s: parent and root %q, want %q", id, got, want)
				}
			}
			f := all["f"]
			if f.Text == nil || *f.Text != "ask @erased or erased" || f.ContentJSON != nil || len(f.Mentions) != 1 || f.Mentions[0].ID != nil || len(f.Issues) != 3 {
				t.Errorf("what was said of the sender: %+v", f)
			}
			if f.Version != 6000 {
				t.Errorf("%d: reading it again is a new version", f.Version)
			}
		})
	}
}

// TestErasedForwards: a forward goes with all that is in it; a snapshot goes by its own sender, with what stands in it, and
// the forward says that it is not whole.
func TestErasedForwards(t *testing.T) {
	r := newRig(t, memlog.Faults{}).without(nil, []string{mallory})
	r.add(
		expansion(7, "fwd", "", child{ID: "k1", From: "ou_ann", Text: "kept", Answers: "k2"}, child{ID: "k2", From: mallory, Text: secret},
			child{ID: "k3", From: "ou_ann", Text: secret + " (within)", Within: "k2"}),
		sheet{body: page(item{ID: "fwd", From: "ou_ann", Text: "Mallory: " + secret, Content: `{"abstract":"` + secret + `"}`, Rev: 1, Forward: true}), number: 7},
		expansion(8, "own", "", child{ID: "k4", From: "ou_ann", Text: secret}),
		sheet{body: page(item{ID: "own", From: mallory, Rev: 1, Forward: true}), number: 8},
	)
	r.toTheEnd()
	r.noTrace(mallory, secret, "Mallory")
	all := r.newest()
	top, kept := all["fwd"], all["fwd/k1"]
	if len(all) != 2 || kept.Text == nil || *kept.Text != "kept" {
		t.Errorf("%d records: %v", len(all), all)
	}
	if linkWords(&kept.Parent) != "DELETED erased k2 -" {
		t.Errorf("the link to a snapshot that is left out: %s", linkWords(&kept.Parent))
	}
	f := top.Forward
	if f.Role != schemas.ForwardContainer || f.Expansion != schemas.ExpansionPartial || f.ExpansionReason == nil || *f.ExpansionReason != "erased" || *f.ChildCount != 3 {
		t.Errorf("the forward: %+v", f)
	}
}

// TestErasedConversation: its pages leave nothing, dead letters neither; a link to a message of it from another conversation
// says so.
func TestErasedConversation(t *testing.T) {
	for _, name := range []string{"oc_wumpus", "feishu/cli_1/oc_wumpus"} {
		r := newRig(t, memlog.Faults{}).without([]string{name}, nil)
		gone := sheet{body: page(item{ID: "x", From: "ou_ann", Text: secret, Rev: 1}), conversation: "oc_wumpus"}
		gone.Failed = []string{"feishu/cli_1/y"}
		broken := r.raw(sheet{body: page(), conversation: "oc_wumpus"})
		broken.Headers = broken.Headers[:3]
		answer := lookedUp("x", page(item{ID: "x", From: "ou_ann", Text: secret, Rev: 1, Elsewhere: true, Talk: "oc_wumpus"}))
		r.add(gone, broken, sheet{value: []byte("{"), conversation: "oc_wumpus"}, page(item{ID: "a", Text: "see x", Rev: 1, Parent: "x"}), answer)
		r.toTheEnd()
		r.noTrace("wumpus")
		all := r.newest()
		a := all["a"]
		if len(all) != 1 || linkWords(&a.Parent) != "DELETED erased x -" {
			t.Errorf("%s: %d records, %s", name, len(all), linkWords(&a.Parent))
		}
		if n := r.stats.Erased.Load(); n != 3 {
			t.Errorf("%s: %d pages and readings were left out, want 3", name, n)
		}
	}
}

// TestErasingShowsNoBorders: what is left out does not depend on batches, crashes and the state.
func TestErasingShowsNoBorders(t *testing.T) {
	records := story(t, 40)
	tell := func(f memlog.Faults, lose bool) *rig {
		r := newRig(t, f).without(nil, []string{"u1", "u2"})
		r.log.Append(records...)
		r.toTheEnd(func() {
			if lose {
				r.dir = t.TempDir()
			}
		})
		return r
	}
	want := tell(memlog.Faults{}, false)
	all := want.messages()
	if len(all) < 10 || slices.ContainsFunc(all, func(m schemas.Message) bool { return m.Sender.ID == "u1" || m.Sender.ID == "u2" }) ||
		!slices.ContainsFunc(all, func(m schemas.Message) bool { return m.Parent.Reason != nil && *m.Parent.Reason == "erased" }) {
		t.Fatalf("the story is too thin, or tells of u1 or u2: %d messages", len(all))
	}
	want.rises("erased")
	for _, size := range []int{1, 3} {
		for _, lose := range []bool{false, true} {
			f := memlog.Faults{MaxRecords: size, Commit: func(n int) memlog.Outcome {
				return []memlog.Outcome{memlog.Done, memlog.Aborted, memlog.Done, memlog.Kept}[n%4]
			}}
			same(t, want, tell(f, lose), fmt.Sprintf("%d records a batch, state lost: %v", size, lose))
		}
	}
}

// TestMarkOfWithout tells one choice from another, in any order of its ids.
func TestMarkOfWithout(t *testing.T) {
	a, b := normalize.NewWithout([]string{"x"}, []string{"y", "z"}), normalize.NewWithout([]string{"x"}, []string{"z", "y"})
	c := normalize.NewWithout([]string{"x", "y"}, []string{"z"})
	if a.Mark() != b.Mark() || a.Mark() == c.Mark() || len(a.Mark()) != 8 || normalize.NewWithout(nil, nil).Mark() != "" {
		t.Errorf("%q %q %q", a.Mark(), b.Mark(), c.Mark())
	}
}
