package worker

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// TestActivity: the newest word of each process, once, and nothing that is older than a minute.
func TestActivity(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	raw := func(texts ...string) (all []json.RawMessage) {
		for _, s := range texts {
			all = append(all, json.RawMessage(s))
		}
		return all
	}
	for name, tt := range map[string]struct {
		told []json.RawMessage
		want map[string]int
	}{
		"nobody":     {raw("", "null", `{"calls":{"a":1}}`, `[]`), nil},
		"two of one": {raw(`{"process":"p","at":990000,"calls":{"a":5}}`, `{"process":"p","at":995000,"calls":{"a":7}}`), map[string]int{"a": 7}},
		"two":        {raw(`{"process":"p","at":990000,"calls":{"a":5}}`, `{"process":"q","at":995000,"calls":{"a":7,"b":1}}`), map[string]int{"a": 12, "b": 1}},
		"long ago":   {raw(`{"process":"p","at":939999,"calls":{"a":5}}`), map[string]int{"a": 0}},
	} {
		if got := Activity(tt.told, now).Calls; !maps.Equal(got, tt.want) || (got == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// TestWhatIsToldIsRead: calls that were let through are in what the next commit tells.
func TestWhatIsToldIsRead(t *testing.T) {
	pacer := api.NewPacer(map[string]connectors.Quota{"a": {PerMinute: 1000}})
	for range 3 {
		if err := pacer.Wait(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
	}
	text := newTeller(pacer).tell()
	if got := Activity([]json.RawMessage{text}, time.Now()); got.Calls["a"] != 3 || got.Pace["a"] != 18 {
		t.Errorf("%s: %v", text, got)
	}
}
