package normalize_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// second is the next version of the decoder: it reads other texts, tells no root, leaves some messages out and finds others.
type second struct{ decoder }

const mark = " (second)"

func (d second) Decode(p []schemas.Page, out *connectors.Decoded) {
	d.decoder.Decode(p, out)
	readings := out.Readings
	out.Readings = nil
	for _, r := range readings {
		m := &r.Message
		if m.MessageID == "7" {
			continue
		}
		if m.Text != nil {
			text := *m.Text + mark
			m.Text = &text
		}
		if m.Root = (schemas.Link{Status: schemas.LinkNone}); m.MessageID == "3" {
			m.Parent = schemas.Link{Status: schemas.LinkPending, MessageID: some("9")}
		}
		out.Readings = append(out.Readings, r)
		if m.MessageID == "4" && m.Forward.Role == schemas.ForwardNone {
			r.Message.RecordID, r.Message.MessageID = m.RecordID+"+", "4+"
			out.Readings = append(out.Readings, r)
		}
	}
}

// use lets the next session decode by one version or the other, and tell so in its provenance.
func (r *rig) use(version string) {
	r.conf.Version = version
	r.conf.Decoders = map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder {
		if version == "second" {
			return second{}
		}
		return decoder{}
	}}
}

// TestAnotherDecoderGoesOnInPlace: pages after the committed offset follow its rules, and nothing older is published again,
// whatever becomes of the index; a message that is only relinked keeps what was published of it.
func TestAnotherDecoderGoesOnInPlace(t *testing.T) {
	for _, lose := range []bool{false, true} {
		r := newRig(t, memlog.Faults{})
		r.use("first")
		r.add(page(item{ID: "a", Text: "x", Rev: 1, Parent: "p"}, item{ID: "b", Text: "y", Rev: 1}, item{ID: "7", Text: "z", Rev: 1}))
		r.toTheEnd()
		r.use("second")
		if lose {
			r.dir = t.TempDir()
		}
		r.toTheEnd()
		r.expect("a 1000 created NORMAL x", "b 1000 created NORMAL y", "7 1000 created NORMAL z")
		r.add(page(item{ID: "p", Text: "p", Rev: 1}), page(item{ID: "b", Text: "y", Rev: 1}), page(item{ID: "7", Text: "z", Rev: 1}))
		r.toTheEnd()
		r.expect("a 1000 created NORMAL x", "b 1000 created NORMAL y", "7 1000 created NORMAL z",
			"p 1000 created NORMAL p"+mark, "a 1001 relinked NORMAL x", "b 1001 relinked NORMAL y"+mark)
		r.rises(fmt.Sprint("index lost: ", lose))
	}
}

// TestUpgradeAtEveryCommit: the second version takes over after a commit with every outcome, with the index that the first
// left, with none, or with an older one.
func TestUpgradeAtEveryCommit(t *testing.T) {
	records := story(t, 16)
	first := newRig(t, memlog.Faults{MaxRecords: 1})
	first.use("first")
	first.log.Append(records...)
	first.toTheEnd()
	commits := first.log.Attempts()
	for k := 1; k <= commits; k++ {
		for i, state := range []string{"kept", "lost", "older"} {
			outcome := memlog.Refused + memlog.Outcome((k+i)%3)
			name := fmt.Sprintf("commit %d, outcome %d, index %s", k, outcome, state)
			from, r := upgrade(t, records, memlog.Faults{MaxRecords: 1, Commit: failAt(k, outcome)}, state)
			r.rises(name)
			r.follows(name, from, first)
			if state != "lost" {
				continue
			}
			// From here on the second version is alone: no crash shows, whatever it leaves.
			again := k + 1 + k%3
			_, lost := upgrade(t, records, memlog.Faults{MaxRecords: 1, Commit: func(n int) memlog.Outcome {
				if n == again {
					return memlog.Kept
				}
				return failAt(k, outcome)(n)
			}}, state)
			same(t, r, lost, name+", and a second crash")
		}
	}
}

// upgrade tells a story by two versions: the second takes over where a commit of the first fails, and loses its index at
// each later failure. from is the raw offset that it went on from.
func upgrade(t *testing.T, records []schemas.Record, f memlog.Faults, state string) (from int64, r *rig) {
	t.Helper()
	r = newRig(t, f)
	r.use("first")
	older, half := t.TempDir(), len(records)/4
	if state == "older" {
		r.log.Append(records[:half]...)
		if r.session(t.Context()) == nil {
			copyDir(t, older, r.dir)
		}
		records = records[half:]
	}
	r.log.Append(records...)
	r.toTheEnd(func() {
		if r.conf.Version == "second" || state == "lost" {
			r.dir = t.TempDir()
		} else if state == "older" {
			r.dir = older
		}
		if r.conf.Version == "first" {
			from = max(r.log.Own(topics.RawPages, 0).Committed(), 0)
		}
		r.use("second")
	})
	return from, r
}

// follows expects what each version published to be its own: all before an offset is as the first alone publishes it, and
// nothing that the second decoded is of an older page.
func (r *rig) follows(name string, from int64, first *rig) {
	r.t.Helper()
	alone := first.messages()
	n := 0
	for i, m := range r.messages() {
		if m.Provenance.NormalizerVersion == "first" {
			if i != n || i >= len(alone) || told(&m) != told(&alone[i]) {
				r.t.Errorf("%s: message %d is %s", name, i, told(&m))
				return
			}
			n++
			continue
		}
		if seconds := m.Text != nil && strings.HasSuffix(*m.Text, mark); seconds && m.Provenance.RawOffset < from {
			r.t.Errorf("%s: %s of offset %d was published again, after offset %d", name, told(&m), m.Provenance.RawOffset, from)
		} else if m.Text != nil && !seconds && m.Provenance.RawOffset >= from {
			r.t.Errorf("%s: %s of offset %d is not by the second version, after offset %d", name, told(&m), m.Provenance.RawOffset, from)
		}
	}
}

// TestRollingUpgrade: a partition moves between workers of both versions, each with an index of its own that gets stale
// meanwhile. Versions rise, and where both decode alike the moves do not show at all.
func TestRollingUpgrade(t *testing.T) {
	records := story(t, 30)
	want := tale{}.tell(t, records)
	for seed := range uint64(12) {
		for _, mixed := range []bool{true, false} {
			chance := rand.New(rand.NewPCG(seed, 3))
			r := newRig(t, memlog.Faults{MaxRecords: 1 + chance.IntN(3)})
			dirs := map[string]string{"first": t.TempDir(), "second": t.TempDir()}
			for left := records; len(left) > 0; {
				n := min(1+chance.IntN(8), len(left))
				r.log.Append(left[:n]...)
				left = left[n:]
				worker := []string{"first", "second"}[chance.IntN(2)]
				if r.dir = dirs[worker]; mixed {
					r.use(worker)
				}
				if err := r.session(context.WithoutCancel(t.Context())); err != nil {
					t.Fatal(err)
				}
			}
			r.rises(fmt.Sprint("seed ", seed))
			if !mixed {
				same(t, want, r, fmt.Sprint("seed ", seed))
			}
		}
	}
}

// TestMessagesOfAnOlderSchema: what was published may have been written with another id of the schema.
func TestMessagesOfAnOlderSchema(t *testing.T) {
	defer func(old int) { schemaIDs[topics.Messages] = old }(schemaIDs[topics.Messages])
	r := newRig(t, memlog.Faults{})
	r.add(page(item{ID: "a", Text: "x", Rev: 1, Parent: "p"}))
	r.toTheEnd()
	r.conf.IDs = map[string]int{topics.Messages: 30, topics.DeadLetters: 4, topics.Containers: 5}
	r.dir = t.TempDir()
	r.add(page(item{ID: "a", Text: "x", Rev: 1, Parent: "p"}), page(item{ID: "p", Rev: 1}))
	if err := r.session(t.Context()); err == nil || !strings.Contains(err.Error(), "schema id 3") {
		t.Errorf("without a registry: %v", err)
	}
	r.conf.Texts = func(_ context.Context, id int) (string, error) {
		if id != 3 {
			return "", fmt.Errorf("no schema %d", id)
		}
		return schemas.MessageSchema.Text, nil
	}
	r.toTheEnd()
	var got []string
	for _, rec := range r.log.Records(topics.Messages, 0) {
		id, body, err := schemas.Frame(rec.Value)
		var m schemas.Message
		if err == nil {
			err = schemas.MessageSchema.Decode(body, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(id, " ", told(&m)))
	}
	if fmt.Sprint(got) != "[3 a 1000 created NORMAL x 30 p 1000 created NORMAL - 30 a 1001 relinked NORMAL x]" {
		t.Errorf("%q", got)
	}
}
