package schemas_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hamba/avro/v2"

	"chatlake/schemas"
)

// edit changes the parsed text of a schema.
func edit(t testing.TB, text string, change func(top map[string]any)) string {
	t.Helper()
	var top map[string]any
	if err := json.Unmarshal([]byte(text), &top); err != nil {
		t.Fatal(err)
	}
	change(top)
	b, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fieldOf(top map[string]any, name string) map[string]any {
	for _, f := range top["fields"].([]any) {
		if f.(map[string]any)["name"] == name {
			return f.(map[string]any)
		}
	}
	return nil
}

func without(name string) func(map[string]any) {
	return func(top map[string]any) {
		top["fields"] = slices.DeleteFunc(top["fields"].([]any), func(f any) bool { return f.(map[string]any)["name"] == name })
	}
}

// with adds a field, given as JSON, in front of another.
func with(before, field string) func(map[string]any) {
	return func(top map[string]any) {
		list := top["fields"].([]any)
		i := slices.IndexFunc(list, func(f any) bool { return f.(map[string]any)["name"] == before })
		var f any
		if err := json.Unmarshal([]byte(field), &f); err != nil {
			panic(err)
		}
		top["fields"] = slices.Insert(list, i, f)
	}
}

// written encodes a record with a schema of any version, as a writer of that version would.
func written(t testing.TB, text string, id byte, record map[string]any) []byte {
	t.Helper()
	s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := avro.Marshal(s, record)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{0, 0, 0, 0, id}, b...)
}

func fixed(texts ...string) schemas.Lookup {
	return func(_ context.Context, id int) (string, error) { return texts[id], nil }
}

// single gives m at most one attribute everywhere, so that a writer with Go maps keeps their order too.
func single(m *schemas.Message) *schemas.Message {
	m.Attributes, m.Mentions[0].Attributes = attributes("a", "1"), attributes("b", "2")
	return m
}

// TestOlderWriter reads what a writer wrote that did not know a field yet: for each field of each record that has a default.
func TestOlderWriter(t *testing.T) {
	tried := 0
	for _, s := range samples() {
		for _, f := range records[reflect.TypeOf(s.full).Elem().Name()] {
			if f.def == "" {
				continue
			}
			tried++
			if m, ok := s.full.(*schemas.Message); ok {
				single(m)
			}
			older := edit(t, s.schema.Text, without(f.name))
			record := tree(reflect.ValueOf(s.full).Elem()).(map[string]any)
			delete(record, f.name)
			got := s.fresh()
			if err := schemas.NewDecoder(s.schema, fixed(older)).Decode(t.Context(), written(t, older, 0, record), got); err != nil {
				t.Errorf("%s before %s: %v", s.schema.Name, f.name, err)
				continue
			}
			want := tree(reflect.ValueOf(s.full).Elem()).(map[string]any)
			want[f.name] = defaultOf(t, f)
			if have := tree(reflect.ValueOf(got).Elem()); !reflect.DeepEqual(have, any(want)) {
				t.Errorf("%s before %s is read as\n%v, not\n%v", s.schema.Name, f.name, have, want)
			}
		}
	}
	if tried < 30 {
		t.Errorf("only %d fields tried", tried)
	}
}

func defaultOf(t *testing.T, f field) any {
	var v any
	if err := json.Unmarshal([]byte(f.def), &v); err != nil {
		t.Fatalf("default of %s: %v", f.name, err)
	}
	if n, ok := v.(float64); ok {
		return int64(n)
	}
	return v
}

// TestNewerWriter reads what a writer writes that knows fields which we do not.
func TestNewerWriter(t *testing.T) {
	m := single(fullMessage())
	for what, c := range map[string]struct {
		field string
		value any
	}{
		"long":    {`{"name":"new","type":"long","default":0}`, int64(42)},
		"string?": {`{"name":"new","type":["null","string"],"default":null}`, "some text"},
		"map":     {`{"name":"new","type":{"type":"map","values":"string"},"default":{}}`, map[string]any{"k": "v", "l": "w"}},
		"array":   {`{"name":"new","type":{"type":"array","items":"string"},"default":[]}`, []any{"x", "y"}},
		"record": {
			`{"name":"new","type":{"type":"record","name":"New","fields":[{"name":"a","type":"double"},{"name":"b","type":"bytes"}]},"default":{"a":1,"b":""}}`,
			map[string]any{"a": 1.5, "b": []byte("bb")},
		},
		"enum": {`{"name":"new","type":{"type":"enum","name":"E","symbols":["A","B"]},"default":"A"}`, "B"},
	} {
		for _, before := range []string{"record_id", "mentions", "attributes"} {
			newer := edit(t, schemas.MessageSchema.Text, with(before, c.field))
			record := tree(reflect.ValueOf(m).Elem()).(map[string]any)
			record["new"] = c.value
			value := written(t, newer, 0, record)
			d := schemas.NewDecoder(schemas.MessageSchema, fixed(newer))
			var got schemas.Message
			if err := d.Decode(t.Context(), value, &got); err != nil {
				t.Errorf("%s before %s: %v", what, before, err)
			} else if !reflect.DeepEqual(any(&got), settled(m)) {
				t.Errorf("%s before %s: read as\n%+v, not\n%+v", what, before, &got, m)
			}
			if err := d.Decode(t.Context(), value[:len(value)-1], new(schemas.Message)); !errors.Is(err, schemas.ErrTruncated) {
				t.Errorf("%s before %s, cut: %v", what, before, err)
			}
			if err := d.Decode(t.Context(), append(value, 0), new(schemas.Message)); !errors.Is(err, schemas.ErrTrailing) {
				t.Errorf("%s before %s, one byte more: %v", what, before, err)
			}
		}
	}
}

func TestDecoderRefuses(t *testing.T) {
	text := schemas.MessageSchema.Text
	value, err := schemas.MessageSchema.Append(nil, 0, minimalMessage())
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ writer, want string }{
		"another record":  {schemas.CheckpointSchema.Text, "cannot be read as chatlake.v1.Message"},
		"no required":     {edit(t, text, without("record_id")), "cannot be read as chatlake.v1.Message"},
		"no schema":       {`{"type":"recrd"}`, "parse schema"},
		"no JSON":         {`<html>`, "parse schema"},
		"recursive field": {edit(t, text, with("text", `{"name":"new","type":["null","Message"],"default":null}`)), "holds itself"},
	} {
		err := schemas.NewDecoder(schemas.MessageSchema, fixed(c.writer)).Decode(t.Context(), value, new(schemas.Message))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "schema id 0") {
			t.Errorf("%s: %v", what, err)
		}
	}
	d := schemas.NewDecoder(schemas.MessageSchema, fixed(text))
	if err := d.Decode(t.Context(), []byte("{}"), new(schemas.Message)); !errors.Is(err, schemas.ErrFrame) {
		t.Errorf("a value without framing: %v", err)
	}
}

// TestLookup counts calls: one for each id, none kept of one that failed.
func TestLookup(t *testing.T) {
	var calls atomic.Int64
	down := errors.New("registry is down")
	fail := true
	d := schemas.NewDecoder(schemas.CheckpointSchema, func(_ context.Context, id int) (string, error) {
		calls.Add(1)
		if fail {
			return "", down
		}
		return schemas.CheckpointSchema.Text, nil
	})
	value, err := schemas.CheckpointSchema.Append(nil, 5, fullCheckpoint())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Decode(t.Context(), value, new(schemas.Checkpoint)); !errors.Is(err, down) || !strings.Contains(err.Error(), "schema id 5") {
		t.Errorf("%v", err)
	}
	fail = false
	for range 10 {
		var got schemas.Checkpoint
		if err := d.Decode(t.Context(), value, &got); err != nil || !reflect.DeepEqual(&got, fullCheckpoint()) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d look-ups, want one that failed and one more", n)
	}
}

// TestConcurrently is for the race detector: several versions, encoders and decoders at once.
func TestConcurrently(t *testing.T) {
	text := schemas.MessageSchema.Text
	newer := edit(t, text, with("mentions", `{"name":"new","type":"string","default":""}`))
	m := single(fullMessage())
	record := tree(reflect.ValueOf(m).Elem()).(map[string]any)
	record["new"] = "x"
	values := [][]byte{append([]byte{0, 0, 0, 0, 0}, body(t, schemas.MessageSchema, m)...), written(t, newer, 1, record)}
	d := schemas.NewDecoder(schemas.MessageSchema, fixed(text, newer))
	sum := single(fullMessage()).Fingerprint()
	want := settled(single(fullMessage()))
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for g := range errs {
		wg.Go(func() {
			for i := range 50 {
				var got schemas.Message
				if err := d.Decode(t.Context(), values[(g+i)%2], &got); err != nil || !reflect.DeepEqual(any(&got), want) {
					errs[g] = fmt.Errorf("read %+v, %w", got, err)
				}
				if _, err := schemas.MessageSchema.Append(nil, 0, &got); err != nil {
					errs[g] = err
				}
				own := *m
				if own.Fingerprint() != sum {
					errs[g] = errors.New("another fingerprint")
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}
