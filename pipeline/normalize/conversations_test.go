package normalize_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// conversations is a story of three that share their messages.
func conversations(t *testing.T, seed uint64, pages int) []schemas.Record {
	chance := rand.New(rand.NewPCG(seed, 70))
	r := newRig(t, memlog.Faults{})
	var out []schemas.Record
	for range pages {
		talk := []string{"oc", "oc2", "oc3"}[chance.IntN(3)]
		b := body{}
		for range 1 + chance.IntN(4) {
			it := item{ID: fmt.Sprint(chance.IntN(8)), Rev: 1000 + chance.Int64N(5), Text: fmt.Sprint(chance.IntN(3)), Source: connectors.SourceRank(chance.IntN(3))}
			if chance.IntN(8) == 0 {
				it.Invalid = true
			}
			if chance.IntN(8) == 0 {
				it.State, it.Text = schemas.MessageRecalled, ""
			}
			if chance.IntN(10) == 0 {
				it.Elsewhere = true
			}
			entangle(chance, &it)
			b.Items = append(b.Items, it)
		}
		if chance.IntN(3) == 0 {
			b.Items[0].Forward = true
		}
		before := len(out)
		sh := around(chance, r, b, &out)
		for i := before; i < len(out); i++ {
			p, err := schemas.ParsePage(&out[i])
			if err != nil {
				t.Fatal(err)
			}
			p.Conversation = schemas.NewConversationKey(schemas.Feishu, tenant, talk)
			p.Container = schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, talk)
			out[i] = p.Record(topics.RawPages, 1)
		}
		if sh.key == "" {
			sh.conversation = talk
		}
		out = append(out, r.raw(sh))
		if chance.IntN(10) == 0 {
			out = append(out, out[chance.IntN(len(out))])
		}
	}
	return out
}

// TestConversationsThatShareMessages: three conversations show the same messages and forwards, some of whose expansions stand
// alone. Batches, crashes, lost state and limits of topics change no byte.
func TestConversationsThatShareMessages(t *testing.T) {
	for round := range rounds(t, 3) {
		seed := uint64(13 + round)
		records := conversations(t, seed, 18)
		for _, limit := range []int{0, 850} {
			var limits map[string]int
			if limit > 0 {
				limits = limited(limit)
			}
			name := fmt.Sprintf("seed %d, limit %d", seed, limit)
			want := tale{faults: memlog.Faults{Limits: limits}}.tell(t, records)
			want.rises(name)
			chance := rand.New(rand.NewPCG(seed, 3))
			for range 4 {
				c := tale{memlog.Faults{Limits: limits, MaxRecords: 1 + chance.IntN(3), Commit: func(int) memlog.Outcome {
					return []memlog.Outcome{memlog.Done, memlog.Done, memlog.Done, memlog.Outcome(1 + chance.IntN(3))}[chance.IntN(4)]
				}}, func(r *rig) {
					if chance.IntN(2) == 0 {
						r.dir = t.TempDir()
					}
				}}
				same(t, want, c.tell(t, records), name)
			}
		}
	}
}
