package normalize_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// asked are the messages that were asked for, in order.
func (r *rig) asked() []string {
	r.t.Helper()
	var all []string
	for _, c := range published[schemas.Container](r, topics.Containers) {
		if c.Kind != schemas.KindMessage || c.Cause != schemas.CauseLookup || c.ConversationID != "oc" || c.Epoch != 1 ||
			c.Key != string(schemas.MessageContainerKey(schemas.Feishu, tenant, "oc", c.ID)) {
			r.t.Errorf("container %+v", c)
		}
		all = append(all, c.ID)
	}
	return all
}

func (r *rig) expectAsked(want ...string) {
	r.t.Helper()
	if got := r.asked(); !slices.Equal(got, want) {
		r.t.Errorf("asked for %q, want %q", got, want)
	}
}

// stand tells how the links of a message stand in its last version.
func (r *rig) stand(id string) string {
	r.t.Helper()
	out := "absent"
	for _, m := range r.messages() {
		if m.MessageID == id {
			tell := func(l *schemas.Link) string {
				s := l.Status
				if l.Reason != nil {
					s += "(" + *l.Reason + ")"
				}
				return strings.TrimSuffix(s+" "+str(l.MessageID), " ")
			}
			out = tell(&m.Parent) + ", " + tell(&m.Root)
		}
	}
	return out
}

func (r *rig) stands(id, want string) {
	r.t.Helper()
	if got := r.stand(id); got != want {
		r.t.Errorf("%s: %s, want %s", id, got, want)
	}
}

func reply(id, parent string) item { return item{ID: id, Rev: 1, Parent: parent} }

// TestAskedAtTheEndOnly: targets that no page shows, each once for good, of the container that comes to its end and of the
// messages above.
func TestAskedAtTheEndOnly(t *testing.T) {
	r := newRig(t, memlog.Faults{MaxRecords: 1})
	other := func(b body, final bool) sheet {
		return sheet{body: b, kind: schemas.KindThread, key: "feishu/cli_1/thread/omt", final: final}
	}
	for _, step := range []struct {
		page any
		want []string // asked for in this step
	}{
		{page(reply("d", "c"), reply("late", "shown")), nil},
		{page(item{ID: "shown", Rev: 1}, reply("self", "self"), item{ID: "x", Rev: 1, ParentClient: "cl", RootClient: "cl2"}), nil},
		{other(page(reply("t", "d")), true), []string{"c"}},                            // above its message, though the chat goes on
		{final(item{ID: "y", Rev: 1, Root: "b"}, reply("z", "a")), []string{"a", "b"}}, // c was asked for
		{final(reply("y2", "b"), reply("d", "c")), nil},
		{lookedUp("c", page(reply("c", "c2"))), []string{"c2"}},
		{lookedUp("c2", body{Answers: []answer{{"c2", schemas.LinkDeleted, "deleted"}}}), nil},
		{lookedUp("a", page(item{ID: "a", Rev: 1, Parent: "far", Elsewhere: true})), nil}, // it names no targets
		{final(reply("w", "a"), reply("v", "c2"), reply("d", "c")), nil},
	} {
		before := len(r.asked())
		r.add(step.page)
		r.toTheEnd()
		if got := r.asked()[before:]; !slices.Equal(got, step.want) {
			t.Errorf("%+v: asked for %q, want %q", step.page, got, step.want)
		}
	}
	for id, want := range map[string]string{
		"late": "RESOLVED shown, RESOLVED shown", "self": "NONE, NONE", "x": "PENDING, PENDING", "t": "RESOLVED d, DELETED(deleted) c2",
		"d": "RESOLVED c, DELETED(deleted) c2", "c": "DELETED(deleted) c2, DELETED(deleted) c2", "y": "NONE, PENDING b", "y2": "PENDING b, PENDING",
		"z": "OUT_OF_SCOPE(other_conversation) a, OUT_OF_SCOPE(other_conversation) a", "a": "absent", "c2": "absent", "far": "absent",
	} {
		r.stands(id, want)
	}
}

// TestTenDeep follows a chain by look-ups alone: the eleventh is not asked for, until a page shows a message that is nearer.
// The replies tell their root too, which is shown: what is above must be found all the same.
func TestTenDeep(t *testing.T) {
	for _, root := range []string{"", "top"} {
		r := newRig(t, memlog.Faults{MaxRecords: 1})
		step := func(i int) item {
			return item{ID: fmt.Sprint("m", i), Rev: 1, Parent: fmt.Sprint("m", i+1), Root: root}
		}
		r.add(final(item{ID: "top", Rev: 1}, step(0)))
		var want []string
		for i := 1; i <= 10; i++ {
			r.toTheEnd()
			want = append(want, fmt.Sprint("m", i))
			r.expectAsked(want...)
			r.add(lookedUp(fmt.Sprint("m", i), page(step(i))))
		}
		r.toTheEnd()
		r.expectAsked(want...)
		deep, near := "MISSING(depth) m11, MISSING(depth) m11", "PENDING m11, PENDING"
		if root != "" {
			deep, near = "MISSING(depth) m11, RESOLVED top", "PENDING m11, RESOLVED top"
		}
		r.stands("m10", deep)
		if root == "" {
			r.stands("m0", "RESOLVED m1, MISSING(depth) m11")
		}
		r.add(lookedUp("m5", page(step(5)))) // a look-up brings nothing nearer
		r.toTheEnd()
		r.stands("m10", deep)
		r.add(page(step(5)))
		r.toTheEnd()
		r.stands("m10", near)
		r.expectAsked(want...)
		r.add(final())
		r.toTheEnd()
		r.expectAsked(append(want, "m11")...)
		r.add(lookedUp("m11", page(item{ID: "m11", Rev: 1})))
		r.toTheEnd()
		if root == "" {
			r.stands("m0", "RESOLVED m1, RESOLVED m11")
		}
	}
}

// TestLookupsThatGiveNothing: given up or cancelled, refused, of another conversation, and answers that come after others.
func TestLookupsThatGiveNothing(t *testing.T) {
	failed := func(why string, epoch int64) sheet {
		sh := lookedUp("p", body{})
		sh.err, sh.epoch, sh.value = why, epoch, []byte{}
		return sh
	}
	says := func(status, reason string) sheet {
		return lookedUp("p", body{Answers: []answer{{"p", status, reason}}})
	}
	for name, c := range map[string]struct {
		pages []sheet
		want  string
	}{
		"given up":               {[]sheet{failed("timeout", 1)}, "MISSING(timeout) p"},
		"cancelled, then shown":  {[]sheet{failed("cancelled", 1), lookedUp("p", page(item{ID: "p", Rev: 1}))}, "RESOLVED p"},
		"given up, then deleted": {[]sheet{failed("timeout", 1), says(schemas.LinkDeleted, "230110")}, "DELETED(230110) p"},
		"deleted, then given up": {[]sheet{says(schemas.LinkDeleted, "230110"), failed("timeout", 2)}, "DELETED(230110) p"},
		"two that miss":          {[]sheet{failed("timeout", 1), says(schemas.LinkMissing, "unaccounted")}, "MISSING(timeout) p"},
		"the other way round":    {[]sheet{says(schemas.LinkMissing, "unaccounted"), failed("timeout", 2)}, "MISSING(timeout) p"},
		"answered and given up":  {[]sheet{{body: says(schemas.LinkMissing, "unaccounted").body, key: failed("", 1).key, err: "timeout", final: true, number: 1}}, "MISSING(unaccounted) p"},
		"forbidden over missing": {[]sheet{failed("timeout", 1), says(schemas.LinkForbidden, "230002")}, "FORBIDDEN(230002) p"},
		"elsewhere over deleted": {[]sheet{says(schemas.LinkDeleted, "230110"), lookedUp("p", page(item{ID: "p", Rev: 1, Elsewhere: true}))}, "OUT_OF_SCOPE(other_conversation) p"},
		"deleted after resolved": {[]sheet{lookedUp("p", page(item{ID: "p", Rev: 1})), says(schemas.LinkDeleted, "230110")}, "RESOLVED p"},
	} {
		for _, late := range []bool{false, true} { // what asks for it may come after all answers, in a replay of another order
			r := newRig(t, memlog.Faults{MaxRecords: 1})
			if !late {
				r.add(final(reply("a", "p")))
			}
			for _, sh := range c.pages {
				r.add(sh)
			}
			if late {
				r.add(final(reply("a", "p")))
			}
			r.toTheEnd()
			if got := r.stand("a"); got != c.want+", "+c.want {
				t.Errorf("%s, asked for late %v: %s, want %s twice", name, late, got, c.want)
			}
			for _, d := range r.dead() {
				t.Errorf("%s: dead letter %+v", name, d)
			}
			shown := strings.HasPrefix(c.want, schemas.LinkResolved)
			if got := r.stand("p"); (got == "absent") == shown {
				t.Errorf("%s: p is %s", name, got)
			}
		}
	}
}

// TestChainsCostThreeVersions: a chain of 40 read newest first, where each message has to wait for the one above it and the
// end of the chain, and oldest first.
func TestChainsCostThreeVersions(t *testing.T) {
	const n = 40
	for name, c := range map[string]struct {
		at   func(i int) int
		want func(i int) int // versions of the message at place i of the chain
	}{
		"newest first": {func(i int) int { return n - 1 - i }, func(i int) int { return min(3, i+1) }},
		"oldest first": {func(i int) int { return i }, func(int) int { return 1 }},
	} {
		r := newRig(t, memlog.Faults{MaxRecords: 1})
		for i := range n {
			k := c.at(i)
			it := item{ID: fmt.Sprint("m", k), Rev: 1}
			if k > 0 {
				it.Parent = fmt.Sprint("m", k-1)
			}
			r.add(page(it))
		}
		r.toTheEnd()
		got := map[string]int{}
		for _, m := range r.messages() {
			got[m.MessageID]++
		}
		for i := range n {
			id := fmt.Sprint("m", i)
			// the second has no chain above its parent: it settles in one step
			if want := c.want(i); got[id] != want {
				t.Errorf("%s: %s has %d versions, want %d", name, id, got[id], want)
			}
			if i > 0 {
				r.stands(id, fmt.Sprintf("RESOLVED m%d, RESOLVED m0", i-1))
			}
		}
	}
}

// TestPublishedDoesNotHangOnLookups: with and without asking, the same bytes.
func TestPublishedDoesNotHangOnLookups(t *testing.T) {
	records := story(t, 40)
	want := tale{}.tell(t, records)
	got := newRig(t, memlog.Faults{MaxRecords: 2})
	got.conf.Lookups = false
	got.log.Append(records...)
	got.toTheEnd()
	if n := len(got.log.Records(topics.Containers, 0)); n != 0 || len(want.log.Records(topics.Containers, 0)) == 0 {
		t.Errorf("%d containers without look-ups, %d with", n, len(want.log.Records(topics.Containers, 0)))
	}
	got.log.Append(want.log.Records(topics.Containers, 0)...) // the one thing that may differ
	same(t, want, got, "no look-ups")
}

// TestLookupOfManyIsGivenUp: one container of Yunxin asks for all, sorted, with what links tell of their times; its end
// without an answer leaves those missing that nothing else has answered. What it asks for outlives the process.
func TestLookupOfManyIsGivenUp(t *testing.T) {
	for _, lose := range []bool{false, true} {
		r := newRig(t, memlog.Faults{})
		r.conf.Decoders[schemas.Yunxin] = r.conf.Decoders[schemas.Feishu]
		talk := "yunxin/cli_1/conversation/oc"
		q := reply("b", "q")
		q.LinkAt = 7
		r.add(sheet{body: page(q, reply("a", "p"), reply("c", "x")), key: talk, final: true})
		r.toTheEnd()
		all := published[schemas.Container](r, topics.Containers)
		at := day + 7
		want := []schemas.MessageRef{{MessageID: "p"}, {MessageID: "q", CreatedAt: &at}, {MessageID: "x"}}
		if len(all) != 1 || all[0].Kind != schemas.KindMessages || fmt.Sprint(refs(all[0].Refs)) != fmt.Sprint(refs(want)) {
			t.Fatalf("containers %+v", all)
		}
		if lose {
			r.dir = t.TempDir()
		}
		r.add(sheet{body: page(item{ID: "x", Rev: 1, Parent: "x2", Source: 2}), key: all[0].Key, number: 1},
			sheet{value: []byte{}, key: all[0].Key, number: 2, final: true, err: "timeout"})
		r.toTheEnd()
		r.stands("a", "MISSING(timeout) p, MISSING(timeout) p")
		r.stands("b", "MISSING(timeout) q, MISSING(timeout) q")
		r.stands("c", "RESOLVED x, PENDING")
		if again := published[schemas.Container](r, topics.Containers); len(again) != 2 || again[1].Refs[0].MessageID != "x2" {
			t.Errorf("containers %+v", again)
		}
	}
}

func refs(all []schemas.MessageRef) (out []string) {
	for _, ref := range all {
		out = append(out, fmt.Sprint(ref.MessageID, " ", ms(ref.CreatedAt)))
	}
	return out
}

// TestRootsInARingFollowTheirSender: in a ring each has the one that links to it as its root, which no link leads to.
func TestRootsInARingFollowTheirSender(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	last := reply("m3", "m1")
	r.add(page(reply("m1", "m2"), reply("m2", "m3"), last))
	last.From, last.Rev = "u", 2
	r.add(page(last))
	r.toTheEnd()
	for id, root := range map[string]string{"m1": "m3", "m2": "m1", "m3": "m2"} {
		if got := r.stand(id); !strings.HasSuffix(got, ", RESOLVED "+root) {
			t.Errorf("%s: %s, want the root %s", id, got, root)
		}
	}
	for _, m := range r.messages() {
		if m.MessageID == "m1" && m.Version > 1000 && str(m.Root.SenderID) != "u" {
			t.Errorf("m1's root was sent by %q", str(m.Root.SenderID))
		}
	}
	if all := r.messages(); len(all) != 6 { // three, m3 itself, m2 (its parent) and m1 (its root)
		t.Errorf("%d versions, want 6", len(all))
	}
}
