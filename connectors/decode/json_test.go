package decode_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"chatlake/connectors/decode"
)

func parse(t testing.TB, s string) decode.JSON {
	t.Helper()
	var p decode.Parser
	v, err := p.ParseString(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func TestKinds(t *testing.T) {
	root := parse(t, `{"o":{},"a":[1,"x"],"s":"é\n","n":1.50,"t":true,"f":false,"z":null,"s":"second"}`)
	for key, want := range map[string]decode.Kind{
		"o": decode.Object, "a": decode.Array, "s": decode.String, "n": decode.Number,
		"t": decode.Bool, "f": decode.Bool, "z": decode.Null, "none": decode.Absent,
	} {
		v := root.Get(key)
		if v.Kind() != want || v.Told() != (want != decode.Null && want != decode.Absent) {
			t.Errorf("%s is %s, want %s", key, v.Kind(), want)
		}
	}
	if s, ok := root.Get("s").Str(); !ok || s != "é\n" {
		t.Errorf("of two equal keys the first counts: got %q", s)
	}
	if b, ok := root.Get("t").Bool(); !ok || !b {
		t.Error("true is not true")
	}
	if got := string(root.Get("n").AppendRaw([]byte("n="))); got != "n=1.50" {
		t.Errorf("raw number %q", got)
	}
	if root.Get("a").Len() != 2 || root.Get("a").At(2).Told() || root.Get("a").At(-1).Told() {
		t.Error("elements of an array")
	}
	var keys []string
	for key := range root.Fields() {
		if keys = append(keys, key); len(keys) == 3 {
			break
		}
	}
	if strings.Join(keys, "") != "oas" {
		t.Errorf("fields %v", keys)
	}
}

// Asking the wrong kind of value, or one that is not there, gives nothing and never panics.
func TestWrongKinds(t *testing.T) {
	root := parse(t, `[{"a":1},"s",2,true,null,[]]`)
	values := []decode.JSON{{}, root}
	for i := range root.Len() {
		values = append(values, root.At(i))
	}
	for _, v := range values {
		if v.Get("x").Told() || v.Get("x").Get("y").Told() || v.At(99).Told() {
			t.Errorf("%s holds what it does not", v.Kind())
		}
		_, isString := v.Str()
		_, isBool := v.Bool()
		if isString != (v.Kind() == decode.String) || isBool != (v.Kind() == decode.Bool) || (v.Len() > 0) != (v.Kind() == decode.Array && len(v.AppendRaw(nil)) > 2) {
			t.Errorf("%s answers for another kind", v.Kind())
		}
		for range v.Fields() {
			if v.Kind() != decode.Object {
				t.Errorf("%s has fields", v.Kind())
			}
		}
	}
}

func TestInt(t *testing.T) {
	for in, want := range map[string]int64{
		`0`: 0, `-7`: -7, `"12"`: 12, `9007199254740993`: 9007199254740993, `"9007199254740993"`: 9007199254740993,
		`9223372036854775807`: 9223372036854775807, `-9223372036854775808`: -9223372036854775808,
	} {
		if n, ok := parse(t, in).Int(); !ok || n != want {
			t.Errorf("%s gives %d %v, want %d", in, n, ok, want)
		}
	}
	for _, in := range []string{`1.5`, `1e3`, `9223372036854775808`, `"1x"`, `""`, `" 1"`, `true`, `null`, `[]`, `{}`, `NaN`, `-`} {
		if n, ok := parse(t, in).Int(); ok {
			t.Errorf("%s gives %d", in, n)
		}
	}
}

func TestNotJSON(t *testing.T) {
	var p decode.Parser
	long := strings.Repeat(" ", 100_000)
	deep := strings.Repeat("[", decode.MaxDepth+1) + strings.Repeat("]", decode.MaxDepth+1)
	many := "[" + strings.Repeat("0,", decode.MaxValues) + "0]"
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"empty": {"", nil}, "html": {"<html>", nil}, "tail": {"{} x", nil}, "cut short": {`{"a":[1,2`, decode.ErrBrackets}, "deep": {deep, decode.ErrDepth},
		"long, deep": {long + deep, decode.ErrDepth}, "long, many": {many, decode.ErrValues},
		"long, open string": {long + `["a`, decode.ErrString}, "long, word": {long + strings.Repeat("[", 200) + "trouble", decode.ErrLiteral},
		"long, open": {long + "[[]", decode.ErrBrackets}, "long, closed": {long + "[]]", decode.ErrBrackets},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := p.ParseString(c.text)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if len(err.Error()) > 200 || strings.Contains(err.Error(), "trouble") {
				t.Errorf("the error quotes the text: %.200s", err)
			}
		})
	}
	if v, err := p.Parse([]byte(long + `{"a":"\\\"]","b":[true,false,null,-1.5e3]}`)); err != nil || v.Get("b").Len() != 4 {
		t.Errorf("a good text after bad ones: %v", err)
	}
}

func TestValid(t *testing.T) {
	for in, want := range map[string]string{"": "", "é": "é", "a\xffb": "a\uFFFDb", "\xe4\xbd": "\uFFFD", "\xed\xa0\x80": "\uFFFD"} {
		if got, repaired := decode.Valid(in); got != want || repaired != (got != in) {
			t.Errorf("%q gives %q, %v", in, got, repaired)
		}
	}
}

func TestSplitArray(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  string // elements joined by |
		whole bool
	}{
		{`{"data":{"items":[1, {"a":[1,2]} ,"x,]"]}}`, `1|{"a":[1,2]} |"x,]"`, true},
		{` { "x" : {"items":[9]} , "data" : {"more":[[]],"items" : [ ] } }`, "", true},
		{`{"data":{"items":[{"a":tru},{"b":1 2},nul]}}`, `{"a":tru}|{"b":1 2}|nul`, true},
		{`{"data":{"items":[{"a":"\"}\\"},2]`, `{"a":"\"}\\"}|2`, true},
		{`{"data":{"items":[1,2`, `1|2`, false},
		{`{"data":{"items":[1,"2`, `1|"2`, false},
		{`{"data":{"items":{}}}`, "", false},
		{`{"data":[]}`, "", false},
		{`{"data"`, "", false},
		{`<html>`, "", false},
		{``, "", false},
	} {
		elements, whole := decode.SplitArray([]byte(c.text), 10, "data", "items")
		var got []string
		for _, e := range elements {
			got = append(got, string(e))
		}
		if strings.Join(got, "|") != c.want || whole != c.whole {
			t.Errorf("%s gives %q %v, want %q %v", c.text, got, whole, c.want, c.whole)
		}
	}
	if elements, whole := decode.SplitArray([]byte(`[1,2,3,4]`), 3); len(elements) != 3 || whole {
		t.Errorf("more than the limit: %d elements, whole %v", len(elements), whole)
	}
}

// Whatever encoding/json takes as JSON is read, and split, the same way.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x",true,null,{"b":-1.5e3}]}`, `[[],{},""]`, `"\ud83d\ude00\n"`, `{"data":{"items":[1,{"a":"]"}]}}`, `nul`, `[1,`} {
		f.Add(s)
	}
	var p decode.Parser
	f.Fuzz(func(t *testing.T, s string) {
		v, err := p.ParseString(s)
		if err == nil {
			_ = v.AppendRaw(nil)
			for key, field := range v.Fields() {
				_ = v.Get(key).Kind() == field.Kind()
			}
		}
		var want []json.RawMessage
		if json.Unmarshal([]byte(s), &want) != nil || want == nil {
			decode.SplitArray([]byte(s), 100, "data", "items")
			return
		}
		if err != nil && strings.Count(s, "[")+strings.Count(s, "{") < decode.MaxDepth {
			t.Fatalf("%q is JSON: %v", s, err)
		}
		if err == nil && v.Len() != len(want) {
			t.Fatalf("%q has %d elements, got %d", s, len(want), v.Len())
		}
		elements, whole := decode.SplitArray([]byte(s), len(want)+1)
		if !whole || len(elements) != len(want) {
			t.Fatalf("%q splits into %q, whole %v", s, elements, whole)
		}
	})
}
