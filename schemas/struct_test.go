package schemas_test

import (
	"reflect"
	"strings"
	"testing"

	"chatlake/schemas"
)

// goKind is the form that a schema's type has in a Go struct.
func goKind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[schemas.Millis]():
		return "ts"
	case t == reflect.TypeFor[schemas.Attributes]():
		return "{}"
	case t == reflect.TypeFor[[]byte]():
		return "bytes"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return goKind(t.Elem()) + "?"
	case reflect.Slice:
		return "[]" + goKind(t.Elem())
	case reflect.Struct:
		return t.Name()
	case reflect.Int64:
		return "long"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	}
	return "unsupported " + t.String()
}

func TestStructsMatchSchemas(t *testing.T) {
	var pending []reflect.Type
	for _, s := range samples() {
		pending = append(pending, reflect.TypeOf(s.full).Elem())
	}
	checked := map[string]bool{}
	for len(pending) > 0 {
		typ := pending[0]
		pending = pending[1:]
		checked[typ.Name()] = true
		want := records[typ.Name()]
		if typ.NumField() != len(want) {
			t.Errorf("%s has %d fields, its schema %d", typ.Name(), typ.NumField(), len(want))
			continue
		}
		for i, w := range want {
			f := typ.Field(i)
			if f.Tag.Get("avro") != w.name || goKind(f.Type) != w.kind {
				t.Errorf("%s.%s is %q %s, its schema has %q %s", typ.Name(), f.Name, f.Tag.Get("avro"), goKind(f.Type), w.name, w.kind)
			}
			if json := strings.TrimSuffix(f.Tag.Get("json"), ",omitempty"); json != w.name {
				t.Errorf("%s.%s is %q in JSON, not %q", typ.Name(), f.Name, json, w.name)
			}
			inner := f.Type
			for inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[schemas.Attribute]() {
				pending = append(pending, inner)
			}
		}
	}
	if len(checked) != len(records) {
		t.Errorf("structs of %d records checked, there are %d", len(checked), len(records))
	}
}
