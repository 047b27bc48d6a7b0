package worker

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"chatlake/connectors/api"
)

// told is what an extractor puts beside the offsets that it commits, for operators: what its process asked of the platforms in
// the minute before.
type told struct {
	Process string         `json:"process"` // chosen at random: several partitions tell of one process
	At      int64          `json:"at"`      // Unix milliseconds
	Calls   map[string]int `json:"calls"`   // let through in the minute before, by API
	Waiting map[string]int `json:"waiting"` // that wait for their turn, by API
}

// teller gives what an extractor tells.
type teller struct {
	process string
	pacer   *api.Pacer
}

func newTeller(pacer *api.Pacer) *teller {
	return &teller{process: rand.Text()[:12], pacer: pacer}
}

func (t *teller) tell() json.RawMessage {
	say := told{Process: t.process, At: time.Now().UnixMilli(), Calls: map[string]int{}, Waiting: map[string]int{}}
	for _, b := range t.pacer.Snapshot() {
		say.Calls[b.API] = b.Recent
		if b.Waiting > 0 {
			say.Waiting[b.API] = b.Waiting
		}
	}
	text, err := json.Marshal(say)
	if err != nil {
		return nil
	}
	return text
}

// CallsLastMinute adds up what extractors told beside their offsets: calls of the last minute, by API. What was told more than a
// minute ago is over, and counts as 0. It is nil where nobody has told anything.
func CallsLastMinute(all []json.RawMessage, now time.Time) map[string]int {
	newest := map[string]told{}
	for _, text := range all {
		var t told
		if json.Unmarshal(text, &t) != nil || t.Process == "" {
			continue
		}
		if t.At > newest[t.Process].At {
			newest[t.Process] = t
		}
	}
	if len(newest) == 0 {
		return nil
	}
	sum := map[string]int{}
	for _, t := range newest {
		fresh := now.Sub(time.UnixMilli(t.At)) <= time.Minute
		for api, n := range t.Calls {
			if !fresh {
				n = 0
			}
			sum[api] += max(0, n)
		}
	}
	return sum
}
