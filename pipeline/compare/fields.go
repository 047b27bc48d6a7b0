package compare

import (
	"encoding/json"
	"reflect"
	"strings"

	"chatlake/schemas"
)

// difference is one field that two messages do not share.
type difference struct {
	field      string
	old, fresh any
}

// apart are the fields that are no difference between two outputs.
var apart = map[string]bool{"provenance": true, "version": true, "change": true}

// differences lists the fields in which two messages differ. What lies within a record has a dotted path; lists and maps are
// one field.
func differences(a, b *schemas.Message) []difference {
	return walk(nil, "", reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
}

func walk(out []difference, path string, a, b reflect.Value) []difference {
	t := a.Type()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name = path + name; apart[name] {
			continue
		}
		x, y := a.Field(i), b.Field(i)
		switch {
		case x.Kind() == reflect.Struct:
			out = walk(out, name+".", x, y)
		case x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0: // none is none
		case !reflect.DeepEqual(x.Interface(), y.Interface()):
			out = append(out, difference{name, shown(x), shown(y)})
		}
	}
	return out
}

// maxShown is the most of a value that a sample shows, in bytes of JSON.
const maxShown = 1 << 10

// shown is a value as a sample shows it: one that is long is cut, as text.
func shown(v reflect.Value) any {
	b, err := json.Marshal(v.Interface())
	if err != nil || len(b) <= maxShown {
		return v.Interface()
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	text := string(b)
	if v.Kind() == reflect.String {
		text = v.String()
	}
	return strings.ToValidUTF8(text[:min(len(text), maxShown)], "") + "…"
}
