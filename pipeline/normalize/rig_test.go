package normalize_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/memlog"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
)

const tenant = "cli_1"

var topics = schemas.NewTopics("im", "")

var schemaIDs = map[string]int{topics.Messages: 3, topics.DeadLetters: 4, topics.Containers: 5}

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
		Topics: topics, IDs: schemaIDs, Once: true, Lookups: true, Version: "chatlake/test", Logger: slog.New(slog.DiscardHandler),
		Decoders: map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { return decoder{} }},
		Now:      func() time.Time { return fixed },
	}}
}

// raw makes a raw page of a sheet, a body or bytes; each is a second after the one before.
func (r *rig) raw(value any) schemas.Record {
	r.t.Helper()
	sh, ok := value.(sheet)
	if !ok {
		sh = sheet{value: value}
	}
	if sh.value == nil {
		sh.value = sh.body
	}
	b, ok := sh.value.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(sh.value); err != nil {
			r.t.Fatal(err)
		}
	}
	r.next++
	p := sh.page(r.next)
	p.Body = b
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

// session runs a new process for one ownership of partition 0.
func (r *rig) session(ctx context.Context) error {
	r.t.Helper()
	ix, err := store.Open(r.dir, slog.New(slog.DiscardHandler))
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
