package normalize_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/links"
	"chatlake/pipeline/memlog"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
)

const tenant = "cli_1"

var topics = schemas.NewTopics("im", "")

var schemaIDs = map[string]int{topics.Messages: 3, topics.DeadLetters: 4}

// body is a page of the made-up platform.
type body struct {
	Kind   string   `json:",omitempty"`
	Panic  bool     `json:",omitempty"`
	Items  []item   `json:",omitempty"`
	Failed []string `json:",omitempty"` // record ids
}

// item is one message of it.
type item struct {
	ID, Text, State, Sender string `json:",omitempty"`
	Rev, Edited             int64  `json:",omitempty"`
	Source                  connectors.SourceRank
	Invalid, Elsewhere      bool `json:",omitempty"`
}

// decoder reads it.
type decoder struct{}

func (decoder) Decode(p []schemas.Page, out *connectors.Decoded) {
	*out = connectors.Decoded{Readings: out.Readings[:0]}
	var b body
	if err := json.Unmarshal(p[len(p)-1].Body, &b); err != nil {
		out.Failed = append(out.Failed, connectors.Failed{Class: "malformed", Message: "no JSON"})
		return
	}
	out.ConversationKind = b.Kind
	for i := range b.Items {
		out.Readings = append(out.Readings, b.Items[i].reading(i))
	}
	for i, id := range b.Failed {
		out.Failed = append(out.Failed, connectors.Failed{Pointer: fmt.Sprintf("/items/%d", 100+i), RecordID: id, Class: "bad_item", Message: "bad \xff item"})
	}
	if b.Panic {
		panic("a fault of the decoder")
	}
}

func (it *item) reading(place int) connectors.Reading {
	at := schemas.Millis(1_700_000_000_000)
	m := schemas.Message{
		RecordID: string(schemas.NewRecordID(schemas.Feishu, tenant, it.ID)), SourceRevision: it.Rev, Platform: schemas.Feishu, TenantID: tenant,
		ConversationID: "oc", MessageID: it.ID, MessageType: "text", ContentKind: schemas.ContentText,
		CreatedAt: at, OccurredAt: at, EventDate: at.Date(), State: schemas.MessageNormal,
		Parent: schemas.Link{Status: schemas.LinkNone}, Root: schemas.Link{Status: schemas.LinkNone},
		Forward:    schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable},
		Provenance: schemas.Provenance{ItemPointer: "/items/" + strconv.Itoa(place)},
	}
	if it.State != "" {
		m.State = it.State
	}
	if it.Text != "" {
		m.Text = &it.Text
	}
	if it.Sender != "" {
		m.Sender.Name = &it.Sender
	}
	if it.Edited != 0 {
		e := schemas.Millis(it.Edited)
		m.UpdatedAt, m.IsEdited = &e, true
	}
	if it.Invalid {
		m.ContentKind = ""
	}
	return connectors.Reading{Message: m, Source: it.Source, OtherConversation: it.Elsewhere}
}

// rig is a log with raw pages, and the settings of a normalizer of it.
type rig struct {
	t     testing.TB
	log   *memlog.Log
	total int
	dir   string
	conf  normalize.Config
	stats *normalize.Stats // of the session that ran last
	next  int64            // number of the next page
}

// fixed is when everything happens in tests that compare bytes.
var fixed = time.UnixMilli(1_750_000_000_000).UTC()

func newRig(t testing.TB, f memlog.Faults) *rig {
	const partitions = 1
	return &rig{t: t, log: memlog.New(partitions, f), total: partitions, dir: t.TempDir(), conf: normalize.Config{
		Topics: topics, IDs: schemaIDs, Once: true, Version: "chatlake/test", Logger: slog.New(slog.DiscardHandler),
		Decoders: map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { return decoder{} }},
		Now:      func() time.Time { return fixed },
	}}
}

// raw makes a raw page; each is a second after the one before.
func (r *rig) raw(value any) schemas.Record {
	r.t.Helper()
	b, ok := value.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(value); err != nil {
			r.t.Fatal(err)
		}
	}
	r.next++
	p := schemas.Page{
		Container: schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, "oc"), Type: schemas.FeishuMessagesList,
		Conversation: schemas.NewConversationKey(schemas.Feishu, tenant, "oc"), ContentType: "application/json",
		Time: fixed.Add(time.Duration(r.next) * time.Second), Epoch: 1, Number: r.next, Request: "GET /" + strconv.FormatInt(r.next, 10),
		HTTPStatus: 200, Code: "0", AppID: "app", ConnectorVersion: "chatlake/test", Body: b,
	}
	return p.Record(topics.RawPages, r.total)
}

func (r *rig) add(values ...any) {
	r.t.Helper()
	for _, v := range values {
		rec, ok := v.(schemas.Record)
		if !ok {
			rec = r.raw(v)
		}
		r.log.Append(rec)
	}
}

func page(items ...item) body { return body{Items: items} }

// session runs a new process for one ownership of partition 0.
func (r *rig) session(ctx context.Context) error {
	r.t.Helper()
	ix, err := links.Open(r.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := ix.Close(); err != nil {
			r.t.Error(err)
		}
	}()
	r.conf.Index = ix
	n := normalize.New(r.conf)
	r.stats = n.Stats()
	return n.Partition(ctx, r.log.Own(topics.RawPages, 0))
}

// toTheEnd runs process after process, as many as it takes; between is called after each that failed.
func (r *rig) toTheEnd(between ...func()) (sessions int) {
	r.t.Helper()
	for n := 1; n < 1000; n++ {
		err := r.session(r.t.Context())
		if err == nil {
			return n
		}
		if !errors.Is(err, memlog.ErrFault) {
			r.t.Fatalf("session %d: %v", n, err)
		}
		for _, f := range between {
			f()
		}
	}
	r.t.Fatal("a thousand sessions were not enough")
	return 0
}

// messages are all versions that were published, in order.
func (r *rig) messages() []schemas.Message { return published[schemas.Message](r, topics.Messages) }

func (r *rig) dead() []schemas.DeadLetter {
	return published[schemas.DeadLetter](r, topics.DeadLetters)
}

func published[T any](r *rig, topic string) []T {
	r.t.Helper()
	for _, v := range r.log.Violations() {
		r.t.Error(v)
	}
	var all []T
	for _, rec := range r.log.Records(topic, 0) {
		var v T
		id, body, err := schemas.Frame(rec.Value)
		if err == nil && id != schemaIDs[topic] {
			err = fmt.Errorf("schema id %d", id)
		}
		if err == nil {
			err = topics.Schemas()[topic].Decode(body, &v)
		}
		if err != nil {
			r.t.Fatalf("%s offset %d: %v", topic, rec.Offset, err)
		}
		all = append(all, v)
	}
	return all
}

// told is a version in one line.
func told(m *schemas.Message) string {
	text := "-"
	if m.Text != nil {
		text = *m.Text
	}
	return fmt.Sprintf("%s %d %s %s %s", m.MessageID, m.Version, m.Change, m.State, text)
}

func (r *rig) expect(want ...string) {
	r.t.Helper()
	all := r.messages()
	got := make([]string, len(all))
	for i := range all {
		got[i] = told(&all[i])
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		r.t.Errorf("published\n%q, want\n%q", got, want)
	}
}
