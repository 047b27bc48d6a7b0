package normalize_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// limited is a log whose topics of messages, dead letters and containers take values up to a number of bytes.
func limited(n int) map[string]int {
	return map[string]int{topics.Messages: n, topics.DeadLetters: n, topics.Containers: n}
}

// cuts tells the issues of a message that was too large.
func cuts(m *schemas.Message) string {
	var out []string
	for _, i := range m.Issues {
		if i.Reason == "too_large" {
			out = append(out, fmt.Sprintf("%s %s %s of %s", i.Action, i.Field, i.Attributes.Get("limit"), i.Attributes.Get("size")))
		}
	}
	return strings.Join(out, ", ")
}

// TestTooLargeIsCut: one message of a page does not fit. It is cut, and said so; all else is as without a limit, and in
// its place.
func TestTooLargeIsCut(t *testing.T) {
	text, content := strings.Repeat("Zeit ", 200), strings.Repeat("x", 8000)
	for name, c := range map[string]struct {
		item           item
		text           int // bytes that are left, -1: null
		content        bool
		mentions, urls int
		issues, dead   string
	}{
		"content":            {item{Text: text, Content: content}, 1000, false, 0, 0, "NULLED content_json 4096 of 8000", ""},
		"text":               {item{Text: strings.Repeat("ä", 4000), Content: "{}"}, 3374, true, 0, 0, "TRUNCATED text 4096 of 8000", ""},
		"both":               {item{Text: strings.Repeat("x", 8000), Content: content}, 3375, false, 0, 0, "NULLED content_json 4096 of 8000, TRUNCATED text 4096 of 8000", ""},
		"mentions":           {item{Text: text, Mentions: 500}, 1000, false, 62, 0, "TRUNCATED mentions 4096 of 18890", ""},
		"URLs":               {item{Text: text, Files: 40}, 1000, false, 0, 0, "NULLED attachments.url 4096 of 4560", ""},
		"fits":               {item{Text: text, Content: "{}", Mentions: 3}, 1000, true, 3, 0, "", ""},
		"what cannot be cut": {item{Text: text, CopyOf: content}, 0, false, 0, 0, "", "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(limits map[string]int) *rig {
				it := c.item
				it.ID, it.Rev = "big", 1
				r := newRig(t, memlog.Faults{Limits: limits})
				r.add(page(item{ID: "before", Rev: 1, Parent: "p"}), page(item{ID: "a", Rev: 1}, it, item{ID: "z", Rev: 1}), final(item{ID: "after", Rev: 1, Parent: "a"}))
				r.toTheEnd()
				return r
			}
			r, whole := run(limited(4096)), run(nil)
			var big *schemas.Message
			var got, want []string
			for _, m := range r.messages() {
				if m.MessageID == "big" {
					big = &m
				} else {
					got = append(got, told(&m))
				}
			}
			for _, m := range whole.messages() {
				if m.MessageID != "big" {
					want = append(want, told(&m))
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) || len(r.asked()) != len(whole.asked()) {
				t.Errorf("all else is %q, want %q", got, want)
			}
			dead := ""
			for _, d := range r.dead() {
				if dead += d.ErrorClass; d.Stage != schemas.StageEncode || *d.RecordID != "feishu/cli_1/big" || d.Retryable {
					t.Errorf("dead letter %+v", d)
				}
			}
			if (big == nil) != (c.dead != "") || dead != c.dead {
				t.Fatalf("message %v, dead letters %q", big, dead)
			}
			if big == nil {
				return
			}
			left := -1
			if big.Text != nil {
				if left = len(*big.Text); !strings.HasPrefix(c.item.Text, *big.Text) {
					t.Errorf("text %q", *big.Text)
				}
			}
			urls := 0
			for _, a := range big.Attachments {
				if a.URL != nil {
					urls++
				}
			}
			if left != c.text || (big.ContentJSON != nil) != c.content || len(big.Mentions) != c.mentions || urls != c.urls || len(big.Attachments) != c.item.Files || cuts(big) != c.issues {
				t.Errorf("%d bytes of text, content %v, %d mentions, %d of %d attachments with URLs, issues %q", left, big.ContentJSON != nil, len(big.Mentions), urls, len(big.Attachments), cuts(big))
			}
		})
	}
}

// heavy is a story of messages of all sizes, read again, edited, and linked to what comes later.
func heavy(t *testing.T, seed uint64, pages int) []schemas.Record {
	chance := rand.New(rand.NewPCG(seed, 5))
	r := newRig(t, memlog.Faults{})
	var out []schemas.Record
	for range pages {
		b := body{}
		for range 1 + chance.IntN(4) {
			id := fmt.Sprint(chance.IntN(9))
			it := item{ID: id, Rev: 1000 + chance.Int64N(3), Text: strings.Repeat(id+" ", 1<<chance.IntN(12)), Parent: fmt.Sprint(chance.IntN(14))}
			switch chance.IntN(6) {
			case 0, 1:
				it.Content = strings.Repeat("c", 1<<chance.IntN(14))
			case 2:
				it.Mentions, it.Files = 1<<chance.IntN(7), 1<<chance.IntN(6)
			case 3:
				it.CopyOf = strings.Repeat("o", 1<<chance.IntN(13))
			case 4:
				it.Edited = it.Rev
			}
			b.Items = append(b.Items, it)
		}
		if chance.IntN(6) == 0 {
			b.Failed = []string{"feishu/cli_1/" + strings.Repeat("f", 1<<chance.IntN(12))}
		}
		out = append(out, r.raw(sheet{body: b, final: chance.IntN(3) == 0}))
	}
	return append(out, out...) // and all of it again
}

// TestLimitsDoNotShowInReplays: with limits from 1 KiB up, batches, transactions, crashes and lost state change no byte;
// nothing is lost without a word, and reading again publishes no more than without a limit.
func TestLimitsDoNotShowInReplays(t *testing.T) {
	for round := range rounds(t, 2) {
		records := heavy(t, uint64(round), 12)
		free := tale{}.tell(t, records)
		for _, limit := range []int{1 << 10, 2 << 10, 8 << 10, 64 << 10} {
			name := fmt.Sprintf("round %d, limit %d", round, limit)
			want := tale{faults: memlog.Faults{Limits: limited(limit)}}.tell(t, records)
			want.rises(name)
			for _, topic := range []string{topics.Messages, topics.DeadLetters, topics.Containers} {
				for _, rec := range want.log.Records(topic, 0) {
					if len(rec.Value) > limit {
						t.Errorf("%s: %d bytes in %s", name, len(rec.Value), topic)
					}
				}
			}
			if n, m := len(want.messages()), len(free.messages()); n > m || limit == 64<<10 && n != m {
				t.Errorf("%s: %d versions, %d without a limit", name, n, m)
			}
			want.accounted(name, free)
			for size := 1; size <= 3; size++ {
				same(t, want, tale{faults: memlog.Faults{Limits: limited(limit), MaxRecords: size}}.tell(t, records), fmt.Sprint(name, ", batches of ", size))
			}
			for k := 1; k < want.log.Attempts(); k += 5 {
				c := tale{memlog.Faults{Limits: limited(limit), MaxRecords: 2, Commit: failAt(k, memlog.Refused+memlog.Outcome(k%3))}, nil}
				if k%2 == 0 {
					c.between = func(r *rig) { r.dir = t.TempDir() }
				}
				same(t, want, c.tell(t, records), fmt.Sprintf("%s, a crash at commit %d", name, k))
			}
		}
	}
}

// accounted expects each record that another log publishes to be there, whole or cut, or to be dead-lettered.
func (r *rig) accounted(name string, free *rig) {
	r.t.Helper()
	there := map[string]bool{}
	for _, m := range r.messages() {
		there[m.RecordID] = true
	}
	for _, d := range r.dead() {
		if d.RecordID != nil {
			there[*d.RecordID] = true
		}
	}
	for _, m := range free.messages() {
		if !there[m.RecordID] {
			r.t.Errorf("%s: nothing tells of %s", name, m.RecordID)
		}
	}
}

// TestDeadLettersAndLookUpsThatDoNotFit never stop a partition: a dead letter loses what is not its id, a look-up becomes
// one.
func TestDeadLettersAndLookUpsThatDoNotFit(t *testing.T) {
	for _, limit := range []int{20, 200, 400, 1000} {
		r := newRig(t, memlog.Faults{Limits: map[string]int{topics.DeadLetters: limit, topics.Containers: 250}})
		long := strings.Repeat("p", 300)
		r.add(body{Items: []item{{ID: "a", Rev: 1, Parent: long}}, Failed: []string{"feishu/cli_1/" + long}}, final(item{ID: "b", Rev: 1, Parent: "q"}))
		r.toTheEnd()
		r.expect("a 1000 created NORMAL -", "b 1000 created NORMAL -")
		r.expectAsked("q")
		classes, whole := "", 0
		for _, d := range r.dead() {
			if classes += d.ErrorClass + " "; d.RecordID != nil {
				whole++
			}
			if err := d.Validate(); err != nil {
				t.Error(err)
			}
		}
		want := map[int]string{20: "", 200: "bad_item too_large ", 400: "bad_item too_large ", 1000: "bad_item too_large "}[limit]
		if classes != want || (whole > 0) != (limit == 1000) {
			t.Errorf("limit %d: dead letters %q, %d with their record", limit, classes, whole)
		}
		r.add(page(item{ID: "c", Rev: 1}))
		r.toTheEnd()
	}
}

// TestOneLargeMessageCostsOnePage: what was normalized in the same transaction before it is not normalized again for each
// step of the cut.
func TestOneLargeMessageCostsOnePage(t *testing.T) {
	r := newRig(t, memlog.Faults{Limits: limited(4096)})
	for i := range 50 {
		r.add(page(item{ID: fmt.Sprint(i), Rev: 1}))
	}
	var large []item
	for i := range 10 {
		large = append(large, item{ID: fmt.Sprint("l", i), Rev: 1, Text: strings.Repeat("x", 1<<20)})
	}
	r.add(page(large...), page(item{ID: "last", Rev: 1}))
	r.toTheEnd()
	if n := len(r.messages()); n != 61 {
		t.Errorf("%d messages", n)
	}
	if got := r.log.Attempts(); got > 14 {
		t.Errorf("%d commits were tried for ten messages that were too large", got)
	}
}
