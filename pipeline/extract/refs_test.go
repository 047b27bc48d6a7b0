package extract_test

import (
	"sync"
	"testing"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestRefsThatBringNothing: what a user asked for by id and is not to be had becomes a dead letter with its record_id, in
// the transaction of the page that tells it; what a look-up asked for does not.
func TestRefsThatBringNothing(t *testing.T) {
	for cause, want := range map[string]int{schemas.CauseUser: 2, schemas.CauseLookup: 0} {
		t.Run(cause, func(t *testing.T) {
			r := newRig(t, 1, memlog.Faults{})
			r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) {
				p.Missing = []connectors.Failed{
					{RecordID: "feishu/cli_1/7", Class: "107404", Message: "no such message", Pointer: "/data/failed_list/0"},
					{RecordID: "feishu/cli_1/8", Class: "unaccounted", Message: "the answer does not name it"},
				}
			}
			c := chat("oc_1")
			c.Cause = cause
			r.add(c)
			r.toTheEnd()
			r.check()
			dead := r.log.Records(topics.DeadLetters, 0)
			if len(dead) != want {
				t.Fatalf("%d dead letters, want %d", len(dead), want)
			}
			if want == 0 {
				return
			}
			d := decoded[schemas.DeadLetter](t, schemas.DeadLetterSchema, &dead[0])
			page := r.log.Records(topics.RawPages, 0)[0]
			p, err := schemas.ParsePage(&page)
			if err != nil {
				t.Fatal(err)
			}
			if *d.RecordID != "feishu/cli_1/7" || d.ErrorClass != "107404" || *d.PageID != p.ID || *d.ItemPointer != "/data/failed_list/0" ||
				d.Stage != schemas.StageExtract || *d.ContainerKey != c.Key || dead[0].Key != string(p.Conversation) {
				t.Errorf("dead letter %+v under key %s", d, dead[0].Key)
			}
		})
	}
}

// TestLookupsAreReadInTheSpellingOfTheirConversation: the normalizer knows canonical ids alone.
func TestLookupsAreReadInTheSpellingOfTheirConversation(t *testing.T) {
	r := newRig(t, 1, memlog.Faults{})
	var mu sync.Mutex
	asked := map[string]string{}
	r.book.edit = func(c *schemas.Container, _ int64, _ *connectors.Page) {
		mu.Lock()
		defer mu.Unlock()
		asked[c.Key] = c.ID
	}
	spelled := chat("team:42")
	spelled.Kind, spelled.ID = schemas.KindConversation, "alice|2|42"
	spelled.Key = string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindConversation, "team:42"))
	var look, other schemas.Container
	for c, id := range map[*schemas.Container]string{&look: "team:42", &other: "team:43"} {
		*c = schemas.Lookups(schemas.Yunxin, tenant, id, []schemas.MessageRef{{MessageID: "7"}})[0]
		c.Platform, c.RequestedAt = schemas.Feishu, spelled.RequestedAt
		c.Key = string(schemas.MessagesContainerKey(schemas.Feishu, tenant, id, []string{"7"}))
	}
	r.add(look, spelled, other)
	r.toTheEnd()
	for key, want := range map[string]string{spelled.Key: "alice|2|42", look.Key: "alice|2|42", other.Key: "team:43"} {
		if asked[key] != want {
			t.Errorf("%s was asked for as %q, want %q", key, asked[key], want)
		}
	}
}
