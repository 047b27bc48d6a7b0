package schemas_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"chatlake/schemas"
)

func TestJSON(t *testing.T) {
	for _, s := range samples() {
		b, err := json.Marshal(s.full)
		if err != nil {
			t.Fatal(err)
		}
		got := s.fresh()
		if err := json.Unmarshal(b, got); err != nil || !reflect.DeepEqual(settled(got), settled(s.full)) {
			t.Errorf("%s: %s is read as %+v, %v", s.schema.Name, b, got, err)
		}
	}
	b, err := json.Marshal(attributes("b", "2", "a", `"<1>"`))
	if want := `{"a":"\"\u003c1\u003e\"","b":"2"}`; err != nil || string(b) != want {
		t.Errorf("attributes are %s, %v", b, err)
	}
	if b, err := json.Marshal(schemas.Attributes(nil)); err != nil || string(b) != "{}" {
		t.Errorf("no attributes are %s, %v", b, err)
	}
	if b, err := json.Marshal(at); err != nil || string(b) != `"2023-11-14T22:13:20.123Z"` {
		t.Errorf("a time is %s, %v", b, err)
	}
	for _, bad := range []string{`"yesterday"`, `5`, `{}`} {
		if err := json.Unmarshal([]byte(bad), new(schemas.Millis)); err == nil {
			t.Errorf("%s is read as a time", bad)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), new(schemas.Attributes)); err == nil {
		t.Error("a number is read as an attribute")
	}
}

func TestAttributes(t *testing.T) {
	a := attributes("b", "2", "a", "1", "c", "3", "b", "two")
	if want := (schemas.Attributes{{Key: "a", Value: "1"}, {Key: "b", Value: "two"}, {Key: "c", Value: "3"}}); !reflect.DeepEqual(a, want) {
		t.Errorf("set to %v", a)
	}
	if a.Get("b") != "two" || a.Get("d") != "" {
		t.Errorf("b is %q, d is %q", a.Get("b"), a.Get("d"))
	}
}
