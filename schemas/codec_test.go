package schemas_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hamba/avro/v2"

	"chatlake/schemas"
)

var update = flag.Bool("update", false, "write the golden values anew")

// settled gives v as a reader has it: arrays that are nil are empty.
func settled(v any) any {
	settle(reflect.ValueOf(v).Elem())
	return v
}

func settle(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			settle(v.Field(i))
		}
	case reflect.Slice:
		if v.IsNil() && v.Type() != reflect.TypeFor[[]byte]() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			settle(v.Index(i))
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, s := range samples() {
		for what, v := range map[string]schemas.Validator{"full": s.full, "minimal": s.minimal} {
			got := s.fresh()
			if err := s.schema.Decode(body(t, s.schema, v), got); err != nil {
				t.Fatalf("%s %s: %v", what, s.schema.Name, err)
			}
			if want := settled(v); !reflect.DeepEqual(any(got), want) {
				t.Errorf("%s %s: read\n%+v, written\n%+v", what, s.schema.Name, got, want)
			}
		}
	}
}

func TestSamplesAreFull(t *testing.T) {
	for _, s := range samples() {
		eachLeaf(reflect.ValueOf(s.full).Elem(), s.schema.Name, func(path string, leaf reflect.Value) {
			if leaf.IsZero() && !strings.Contains(path, "[1]") && !strings.HasSuffix(path, "attributes[1].value") {
				t.Errorf("%s is not set", path)
			}
		})
	}
}

// eachLeaf visits what holds no fields of its own; nil pointers and empty slices are leaves.
func eachLeaf(v reflect.Value, path string, visit func(path string, leaf reflect.Value)) {
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name, ok := v.Type().Field(i).Tag.Lookup("avro")
			if !ok {
				panic("no avro tag on " + v.Type().String())
			}
			eachLeaf(v.Field(i), path+"."+name, visit)
		}
	case v.Kind() == reflect.Slice && v.Len() > 0 && v.Type().Elem().Kind() != reflect.Uint8:
		for i := range v.Len() {
			eachLeaf(v.Index(i), path+"["+string(rune('0'+i))+"]", visit)
		}
	default:
		visit(path, v)
	}
}

func TestGolden(t *testing.T) {
	for _, s := range samples() {
		value, err := s.schema.Append(nil, 7, s.full)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", "golden", s.schema.Name+".hex")
		if *update {
			var lines strings.Builder
			for h := hex.EncodeToString(value); h != ""; {
				n := min(len(h), 120)
				lines.WriteString(h[:n] + "\n")
				h = h[n:]
			}
			if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if !bytes.Equal(value, want) {
			t.Errorf("the wire form of %s changed:\n%x, was\n%x", s.schema.Name, value, want)
		}
		got := s.fresh()
		if err := s.schema.Decode(want[5:], got); err != nil || !reflect.DeepEqual(any(got), settled(s.full)) {
			t.Errorf("%s is read as %+v, %v", file, got, err)
		}
	}
}

func TestSameBytesEachTime(t *testing.T) {
	for _, s := range samples() {
		first := body(t, s.schema, s.full)
		for range 100 {
			if again := body(t, s.schema, s.full); !bytes.Equal(first, again) {
				t.Fatalf("%s: two encodings of one value differ", s.schema.Name)
			}
		}
	}
}

// TestPlainReader reads our bytes as any other program does: with the registered text, in which attributes are a map.
func TestPlainReader(t *testing.T) {
	for _, s := range samples() {
		registered, err := avro.ParseWithCache(s.schema.Text, "", &avro.SchemaCache{})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []schemas.Validator{s.full, s.minimal} {
			var got map[string]any
			if err := avro.Unmarshal(registered, body(t, s.schema, v), &got); err != nil {
				t.Fatalf("%s: %v", s.schema.Name, err)
			}
			if want := tree(reflect.ValueOf(v).Elem()); !reflect.DeepEqual(any(got), want) {
				t.Errorf("%s: a plain reader gets\n%v, not\n%v", s.schema.Name, got, want)
			}
		}
	}
}

// tree is a record as the library's reader without structs gives it.
func tree(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case schemas.Millis:
		return x.Time()
	case []byte:
		return x
	case schemas.Attributes:
		m := map[string]any{}
		for _, e := range x {
			m[e.Key] = e.Value
		}
		return m
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Slice:
		list := []any{}
		for i := range v.Len() {
			list = append(list, tree(v.Index(i)))
		}
		return list
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			m[v.Type().Field(i).Tag.Get("avro")] = tree(v.Field(i))
		}
		return m
	}
	return v.Interface()
}

// TestManyItems covers arrays of more than one block of the library's, and a text that is larger than its buffers.
func TestManyItems(t *testing.T) {
	m := fullMessage()
	m.Text = ptr(strings.Repeat("ä", schemas.MaxText/2))
	m.Mentions = nil
	for i := range 1234 {
		m.Mentions = append(m.Mentions, schemas.Mention{Placeholder: strings.Repeat("x", i%7), Attributes: attributes("i", "1")})
	}
	var got schemas.Message
	if err := schemas.MessageSchema.Decode(body(t, schemas.MessageSchema, m), &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(any(&got), settled(m)) {
		t.Error("a message with many mentions is not read as it was written")
	}
}

func TestAppend(t *testing.T) {
	prefix := []byte("before")
	value, err := schemas.CheckpointSchema.Append(prefix, 0x01020304, fullCheckpoint())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(value, []byte("before\x00\x01\x02\x03\x04")) {
		t.Errorf("framing is %x", value[:len(prefix)+5])
	}

	bad := fullCheckpoint()
	bad.State = "DONE"
	got, err := schemas.CheckpointSchema.Append(prefix, 1, bad)
	if err == nil || !strings.Contains(err.Error(), `state is "DONE"`) || !bytes.Equal(got, prefix) {
		t.Errorf("an invalid checkpoint gives %q, %v", got, err)
	}
	// A value of another type fails in the library; the next one must not suffer from it.
	got, err = schemas.MessageSchema.Append(prefix, 1, fullCheckpoint())
	if err == nil || !bytes.Equal(got, prefix) {
		t.Errorf("a checkpoint as a message gives %q, %v", got, err)
	}
	if _, err := schemas.MessageSchema.Append(nil, 1, fullMessage()); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

func TestFrame(t *testing.T) {
	for _, bad := range [][]byte{nil, {}, {0}, {0, 0, 0, 1}, {1, 0, 0, 0, 1, 2}} {
		if _, _, err := schemas.Frame(bad); !errors.Is(err, schemas.ErrFrame) {
			t.Errorf("%x: %v", bad, err)
		}
	}
	id, b, err := schemas.Frame([]byte{0, 0, 1, 0, 2, 9})
	if id != 65538 || !bytes.Equal(b, []byte{9}) || err != nil {
		t.Errorf("id %d, body %x, %v", id, b, err)
	}
}
