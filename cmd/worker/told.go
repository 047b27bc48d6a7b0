package worker

import (
	"crypto/rand"
	"encoding/json"
	"math"
	"time"

	"chatlake/connectors/api"
	"chatlake/pipeline/overview"
)

// told is what an extractor puts beside the offsets that it commits, for operators: what its process asked of the platforms in
// the minute before.
type told struct {
	Process string         `json:"process"`        // chosen at random: several partitions tell of one process
	At      int64          `json:"at"`             // Unix milliseconds
	Calls   map[string]int `json:"calls"`          // let through in the minute before, by API
	Waiting map[string]int `json:"waiting"`        // that wait for their turn, by API
	Pace    map[string]int `json:"pace,omitempty"` // calls a minute that are let through at present, by API
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
	say := told{Process: t.process, At: time.Now().UnixMilli(), Calls: map[string]int{}, Waiting: map[string]int{}, Pace: map[string]int{}}
	for _, b := range t.pacer.Snapshot() {
		say.Calls[b.API] = b.Recent
		if pace := int(math.Round(b.Pace)); pace > 0 {
			say.Pace[b.API] = pace
		}
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

// Activity adds up what extractors told beside their offsets, by API. What was told more than a minute ago is over, and counts as 0.
// Calls is nil where nobody has told anything.
func Activity(all []json.RawMessage, now time.Time) overview.Activity {
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
		return overview.Activity{}
	}
	sum := overview.Activity{Calls: map[string]int{}, Pace: map[string]int{}}
	for _, t := range newest {
		fresh := now.Sub(time.UnixMilli(t.At)) <= time.Minute
		if t.Pace == nil { // an extractor that does not tell it
			t.Pace = t.Calls
		}
		add(sum.Calls, t.Calls, fresh)
		add(sum.Pace, t.Pace, fresh)
	}
	return sum
}

// add adds numbers to a sum, as 0 where they are not fresh.
func add(sum, n map[string]int, fresh bool) {
	for api, n := range n {
		if !fresh {
			n = 0
		}
		sum[api] += max(0, n)
	}
}
