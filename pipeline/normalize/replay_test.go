package normalize_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// story is a sequence of raw records in which everything happens: messages that are edited, recalled and read again,
// pages that are broken in every way, and kinds that become known.
func story(t *testing.T, pages int) []schemas.Record {
	chance := rand.New(rand.NewPCG(7, 7))
	r := newRig(t, memlog.Faults{})
	var out []schemas.Record
	for range pages {
		b := body{}
		for range 1 + chance.IntN(5) {
			it := item{ID: fmt.Sprint(chance.IntN(12)), Rev: 1000 + chance.Int64N(5), Text: fmt.Sprint(chance.IntN(3)), Source: connectors.SourceRank(chance.IntN(3))}
			switch chance.IntN(8) {
			case 0:
				it.State, it.Text = schemas.MessageRecalled, ""
			case 1:
				it.Invalid = true
			case 2:
				it.Edited = it.Rev
			case 3:
				it.Elsewhere = true
			}
			entangle(chance, &it)
			b.Items = append(b.Items, it)
		}
		switch chance.IntN(10) {
		case 0:
			b.Kind = []string{schemas.ConversationGroup, schemas.ConversationP2P}[chance.IntN(2)]
		case 1:
			b.Panic = true
		case 2:
			b.Failed = []string{"feishu/cli_1/1"}
		}
		rec := r.raw(around(chance, r, b, &out))
		switch chance.IntN(12) {
		case 0:
			rec.Headers = nil
		case 1:
			rec = r.raw([]byte("{"))
		case 2:
			if len(out) > 0 {
				rec = out[chance.IntN(len(out))] // the very same page again
			}
		}
		out = append(out, rec)
	}
	return out
}

// entangle lets an item be linked to others.
func entangle(chance *rand.Rand, it *item) {
	other := func() string { return fmt.Sprint(chance.IntN(24)) } // some of which nobody ever shows
	switch chance.IntN(8) {
	case 0, 1, 2:
		it.Parent = other()
	case 3:
		it.Root, it.ThreadByRoot = other(), true
		it.Thread = it.Root
	case 4:
		it.ParentClient = "c" + fmt.Sprint(chance.IntN(3))
	case 5:
		it.Parent, it.RootClient, it.ThreadByRoot = other(), "c"+fmt.Sprint(chance.IntN(3)), true
	case 6:
		it.Thread = "omt"
	}
	it.At = chance.Int64N(3)
	if it.From = fmt.Sprint("u", chance.IntN(3)); chance.IntN(3) == 0 {
		it.Client = "c" + fmt.Sprint(chance.IntN(3))
	}
}

// around puts a body on a page of one kind or another, after expansions that are its own or another's.
func around(chance *rand.Rand, r *rig, b body, out *[]schemas.Record) sheet {
	sh := sheet{body: b, final: chance.IntN(2) == 0}
	if chance.IntN(5) == 0 {
		b.Items[0].Forward = true
	}
	switch id := fmt.Sprint(chance.IntN(16)); chance.IntN(8) {
	case 0:
		return lookedUp(id, b)
	case 1:
		sh = lookedUp(id, body{})
		sh.err = "timeout"
	case 2:
		sh.Answers = []answer{{id, []string{schemas.LinkDeleted, schemas.LinkForbidden, schemas.LinkMissing}[chance.IntN(3)], "why"}}
	case 3:
		sh.number = r.next + 10
		for i := range 1 + chance.IntN(2) {
			x := expansion(sh.number, b.Items[0].ID, "", child{ID: "k1", Text: fmt.Sprint(chance.IntN(2))}, child{ID: "k2", Parent: "k1"})
			if chance.IntN(4) == 0 {
				x.number = 1000 + r.next // it stands alone
			}
			x.request = fmt.Sprint("GET /", i)
			*out = append(*out, r.raw(x))
		}
	}
	return sh
}

// tale runs a normalizer over a story and gives what it wrote. between is called after each session that failed.
type tale struct {
	faults  memlog.Faults
	between func(r *rig)
}

func (c tale) tell(t *testing.T, records []schemas.Record) *rig {
	t.Helper()
	r := newRig(t, c.faults)
	r.log.Append(records...)
	r.toTheEnd(func() {
		if c.between != nil {
			c.between(r)
		}
	})
	return r
}

// same expects two logs to hold the same records in the same order, byte by byte.
func same(t *testing.T, want, got *rig, what string) {
	t.Helper()
	for _, topic := range []string{topics.Messages, topics.DeadLetters, topics.Containers} {
		a, b := want.log.Records(topic, 0), got.log.Records(topic, 0)
		if len(a) != len(b) {
			t.Errorf("%s: %d records of %s, want %d", what, len(b), topic, len(a))
			return
		}
		for i := range a {
			if a[i].Key != b[i].Key || !a[i].Time.Equal(b[i].Time) || !bytes.Equal(a[i].Value, b[i].Value) {
				t.Errorf("%s: record %d of %s differs: key %q, want %q", what, i, topic, b[i].Key, a[i].Key)
				return
			}
		}
	}
}

func failAt(k int, outcome memlog.Outcome) func(int) memlog.Outcome {
	return func(n int) memlog.Outcome {
		if n == k {
			return outcome
		}
		return memlog.Done
	}
}

// TestBordersDoNotShow tells one story with other batches, other transactions, restarts at every commit, and state that
// is kept, lost or of an earlier time.
func TestBordersDoNotShow(t *testing.T) {
	const pages = 25
	records := story(t, pages)
	want := tale{}.tell(t, records)
	m, d, c := len(want.messages()), len(want.dead()), len(want.log.Records(topics.Containers, 0))
	if m < 15 || d < 5 || c < 4 || want.log.Attempts() != 1 {
		t.Fatalf("the story is too thin: %d messages, %d dead letters, %d look-ups, %d transactions", m, d, c, want.log.Attempts())
	}
	t.Logf("%d records: %d messages, %d dead letters, %d look-ups", len(records), m, d, c)
	commits := 0
	for _, size := range []int{1, 2, 3, 7, 24} {
		got := tale{faults: memlog.Faults{MaxRecords: size}}.tell(t, records)
		same(t, want, got, fmt.Sprintf("%d records a batch", size))
		// What holds nothing but expansions waits for their page.
		n := (len(records) + size - 1) / size
		if got.log.Attempts() > n || size > 6 && got.log.Attempts() != n {
			t.Errorf("%d transactions for batches of %d of %d", got.log.Attempts(), size, len(records))
		}
		if size == 1 {
			commits = got.log.Attempts()
		}
	}
	for what, between := range map[string]func(*rig){
		"kept": nil,
		"lost": func(r *rig) { r.dir = t.TempDir() },
	} {
		for k := 1; k <= commits; k++ {
			outcome := []memlog.Outcome{memlog.Refused, memlog.Aborted, memlog.Kept}[k%3]
			c := tale{memlog.Faults{MaxRecords: 1, Commit: failAt(k, outcome)}, between}
			same(t, want, c.tell(t, records), fmt.Sprintf("state %s after commit %d (outcome %d)", what, k, outcome))
		}
	}
}

// TestStateOfAnEarlierTime goes on with what the state was some commits before.
func TestStateOfAnEarlierTime(t *testing.T) {
	records := story(t, 30)
	want := tale{}.tell(t, records)
	for _, back := range []int{3, 11, 19} {
		past := t.TempDir()
		c := tale{memlog.Faults{MaxRecords: 1, Commit: func(n int) memlog.Outcome {
			if n == back || n == back+8 {
				return memlog.Kept
			}
			return memlog.Done
		}}, func(r *rig) {
			if r.log.Attempts() == back {
				copyDir(t, past, r.dir)
			} else {
				r.dir = past
			}
		}}
		got := c.tell(t, records)
		same(t, want, got, fmt.Sprintf("state of commit %d", back))
		all := got.log.History()
		if n := all[back+7].Next - all[back-2].Next; n < 9 || got.stats.Rebuilt.Load() != n {
			t.Errorf("%d pages were read again, want %d", got.stats.Rebuilt.Load(), n)
		}
	}
}

func copyDir(t *testing.T, to, from string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryFaultOfACommitLeavesEachPageOnce is the same for faults at every commit at once: half of all fail.
func TestEveryFaultOfACommitLeavesEachPageOnce(t *testing.T) {
	records := story(t, 15)
	want := tale{}.tell(t, records)
	for outcome := memlog.Refused; outcome <= memlog.Kept; outcome++ {
		c := tale{faults: memlog.Faults{MaxRecords: 2, Commit: func(n int) memlog.Outcome {
			return []memlog.Outcome{memlog.Done, outcome}[n%2]
		}}}
		same(t, want, c.tell(t, records), fmt.Sprintf("outcome %d of every other commit", outcome))
	}
}

// TestReplayToAnotherOutput normalizes from the beginning under another group.
func TestReplayToAnotherOutput(t *testing.T) {
	records := story(t, 20)
	want := tale{}.tell(t, records)
	r := newRig(t, memlog.Faults{})
	r.log.Append(records...)
	for range 2 {
		r.dir = t.TempDir()
		r.log.SetCommitted(topics.RawPages, 0, -1)
		r.log.Drop(topics.Messages)
		r.log.Drop(topics.DeadLetters)
		r.log.Drop(topics.Containers)
		r.toTheEnd()
		same(t, want, r, "replay")
	}
}
