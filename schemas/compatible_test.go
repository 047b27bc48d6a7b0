package schemas_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"reflect"
	"testing"

	"chatlake/schemas"
)

// evolving is small, and has each kind of thing that may change.
const evolving = `{"type":"record","name":"R","namespace":"chatlake.v1","doc":"A record.","fields":[
 {"name":"id","type":"string","doc":"Its id."},
 {"name":"n","type":"int","doc":"A number."},
 {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"},"doc":"A time."},
 {"name":"opt","type":["null","string"],"default":null,"doc":"Perhaps."},
 {"name":"word","type":"string","default":"A","doc":"A word."},
 {"name":"attrs","type":{"type":"map","values":"string"},"default":{},"doc":"More."},
 {"name":"list","type":{"type":"array","items":{"type":"record","name":"Item","doc":"An item.","fields":[
   {"name":"a","type":"string","doc":"A."},{"name":"b","type":["null","long"],"default":null,"doc":"B."}]}},"default":[],"doc":"Items."},
 {"name":"one","type":{"type":"record","name":"One","doc":"One.","fields":[{"name":"x","type":"string","default":"","doc":"X."}]},"doc":"One."},
 {"name":"again","type":"One","doc":"Another one."}]}`

// inItem is the record that is the items of list.
func inItem(top map[string]any) map[string]any {
	return fieldOf(top, "list")["type"].(map[string]any)["items"].(map[string]any)
}

func inOne(top map[string]any) map[string]any { return fieldOf(top, "one")["type"].(map[string]any) }

func set(field, key string, value any) func(map[string]any) {
	return func(top map[string]any) {
		if f := fieldOf(top, field); value == nil {
			delete(f, key)
		} else {
			f[key] = value
		}
	}
}

func TestCompatible(t *testing.T) {
	for what, change := range map[string]func(map[string]any){
		"nothing":                   func(map[string]any) {},
		"doc of a field":            set("id", "doc", "Other words."),
		"no doc":                    set("id", "doc", nil),
		"doc of the record":         func(top map[string]any) { top["doc"] = "Other words." },
		"doc of a nested field":     func(top map[string]any) { fieldOf(inItem(top), "a")["doc"] = "Other words." },
		"nullable field added":      with("n", `{"name":"new","type":["null","long"],"default":null}`),
		"field with default added":  with("id", `{"name":"new","type":"string","default":"x"}`),
		"record with default added": with("n", `{"name":"new","type":{"type":"record","name":"N","fields":[{"name":"a","type":"string"}]},"default":{"a":""}}`),
		"array with default added":  with("n", `{"name":"new","type":{"type":"array","items":"string"},"default":[]}`),
		"known record with default": with("again", `{"name":"new","type":"One","default":{"x":""}}`),
		"fields added one by one, too": func(top map[string]any) {
			with("n", `{"name":"p","type":"long","default":1}`)(top)
			with("n", `{"name":"q","type":"long","default":2}`)(top)
		},
	} {
		if err := schemas.Compatible(evolving, edit(t, evolving, change)); err != nil {
			t.Errorf("%s is refused: %v", what, err)
		}
	}
}

func TestIncompatible(t *testing.T) {
	for what, change := range map[string]func(map[string]any){
		"field without default added": with("n", `{"name":"new","type":"string"}`),
		"required field removed":      without("id"),
		"field with default removed":  without("word"),
		"nullable field removed":      without("opt"),
		"field renamed":               set("id", "name", "key"),
		"field renamed by alias":      func(top map[string]any) { f := fieldOf(top, "id"); f["name"], f["aliases"] = "key", []any{"id"} },
		"default changed":             set("word", "default", "B"),
		"default added":               set("id", "default", ""),
		"default removed":             set("word", "default", nil),
		"default of a map changed":    set("attrs", "default", map[string]any{"a": "b"}),
		"default of an array changed": func(top map[string]any) { fieldOf(top, "list")["default"] = []any{map[string]any{"a": ""}} },
		"default of a nested changed": func(top map[string]any) { fieldOf(inOne(top), "x")["default"] = "y" },
		"logical type dropped":        set("at", "type", "long"),
		"logical type changed":        set("at", "type", map[string]any{"type": "long", "logicalType": "timestamp-micros"}),
		"logical type added":          set("n", "type", map[string]any{"type": "int", "logicalType": "date"}),
		"int to long":                 set("n", "type", "long"),
		"string to bytes":             set("id", "type", "bytes"),
		"made nullable": func(top map[string]any) {
			f := fieldOf(top, "id")
			f["type"], f["default"] = []any{"null", "string"}, nil
		},
		"made required": func(top map[string]any) { f := fieldOf(top, "opt"); f["type"], f["default"] = "string", "" },
		"branches swapped": func(top map[string]any) {
			f := fieldOf(top, "opt")
			f["type"], f["default"] = []any{"string", "null"}, ""
		},
		"branch added":           set("opt", "type", []any{"null", "string", "long"}),
		"namespace changed":      func(top map[string]any) { top["namespace"] = "chatlake.v2" },
		"nested namespace given": func(top map[string]any) { inItem(top)["namespace"] = "other" },
		"record renamed":         func(top map[string]any) { top["name"] = "Q" },
		"nested record renamed":  func(top map[string]any) { inItem(top)["name"] = "Thing" },
		"nested field added": func(top map[string]any) {
			with("a", `{"name":"new","type":["null","string"],"default":null}`)(inItem(top))
		},
		"nested field removed":          func(top map[string]any) { without("b")(inItem(top)) },
		"nested type changed":           func(top map[string]any) { fieldOf(inItem(top), "b")["type"] = []any{"null", "double"} },
		"items changed":                 set("list", "type", map[string]any{"type": "array", "items": "string"}),
		"map values changed":            set("attrs", "type", map[string]any{"type": "map", "values": "bytes"}),
		"map to array":                  set("attrs", "type", map[string]any{"type": "array", "items": "string"}),
		"string to enum":                set("word", "type", map[string]any{"type": "enum", "name": "E", "symbols": []any{"A"}}),
		"another record where one was ": set("again", "type", map[string]any{"type": "record", "name": "Two", "fields": []any{}}),
	} {
		newer := edit(t, evolving, change)
		if err := schemas.Compatible(evolving, newer); err == nil {
			t.Errorf("%s passes", what)
		}
	}
	for _, c := range [][2]string{{evolving, "{"}, {"{", evolving}, {evolving, `{"type":"recrd"}`}} {
		if err := schemas.Compatible(c[0], c[1]); err == nil {
			t.Error("a text that is no schema passes")
		}
	}
}

// released gives the texts of a record type that releases registered, oldest first.
func released(t *testing.T, name string) []string {
	t.Helper()
	root := os.DirFS("testdata/released")
	var texts []string
	for v := 1; ; v++ {
		dir := fmt.Sprintf("v%d", v)
		if _, err := fs.Stat(root, dir); err != nil {
			if all, _ := fs.ReadDir(root, "."); len(all) != v-1 {
				t.Fatalf("released versions are not v1 to v%d", len(all))
			}
			return texts
		}
		text, err := fs.ReadFile(root, path.Join(dir, name+".avsc"))
		if err == nil {
			texts = append(texts, string(text))
		} else if !os.IsNotExist(err) || v == 1 {
			t.Fatal(err)
		}
	}
}

// TestReleased holds the current schemas to every released one. The newest released text differs from the current one
// only between releases, and then as a version that may follow it.
func TestReleased(t *testing.T) {
	for _, s := range schemas.Schemas() {
		texts := append(released(t, s.Name), s.Text)
		for i, older := range texts {
			for k, newer := range texts[i:] {
				if err := schemas.Compatible(older, newer); err != nil {
					t.Errorf("%s: version %d after %d: %v", s.Name, i+k+1, i+1, err)
				}
			}
		}
		for i, older := range texts[:len(texts)-1] {
			if l := lintText(older); len(l.faults) > 0 {
				t.Errorf("%s: released version %d: %v", s.Name, i+1, l.faults)
			}
		}
	}
}

// TestReleasedValuesAreRead reads values of every released version with the current struct.
func TestReleasedValuesAreRead(t *testing.T) {
	for _, s := range samples() {
		if m, ok := s.full.(*schemas.Message); ok {
			single(m)
		}
		for i, text := range released(t, s.schema.Name) {
			record := tree(reflect.ValueOf(s.full).Elem()).(map[string]any)
			got := s.fresh()
			d := schemas.NewDecoder(s.schema, fixed(text))
			if err := d.Decode(t.Context(), written(t, text, 0, record), got); err != nil {
				t.Errorf("%s version %d: %v", s.schema.Name, i+1, err)
			} else if err := got.Validate(); err != nil {
				t.Errorf("%s version %d is read as %+v: %v", s.schema.Name, i+1, got, err)
			}
		}
	}
}
