package decode_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// readString reads {"s":…} by the rule for strings, from a body that holds the text as it is and from one in whose string
// it is nested.
func readString(t *testing.T, quoted string) (s string, m *schemas.Message) {
	t.Helper()
	var d decode.Draft
	var p decode.Parser
	m = &schemas.Message{}
	d.Begin(m)
	body := []byte(`{"s":` + quoted + `}`)
	d.Inspect(body)
	d.Plain = !decode.HasUnits(body)
	v, err := d.ParseBytes(&p, body)
	if err != nil {
		t.Fatalf("%q: %v", quoted, err)
	}
	s = d.Str(v.Get("s"), "f")

	var outer, inner decode.Parser
	nested := &schemas.Message{}
	d.Begin(nested)
	body = []byte(`{"x":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(body)) + `"}`)
	d.Inspect(body)
	d.Plain = !decode.HasUnits(body)
	if v, err = d.ParseBytes(&outer, body); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	text, _ := v.Get("x").Str()
	if v, err = d.Parse(&inner, text); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	if again := d.Str(v.Get("s"), "f"); again != s || len(nested.Issues) != len(m.Issues) {
		t.Errorf("%s: %q with issues %v, nested %q with %v", quoted, s, m.Issues, again, nested.Issues)
	}
	return s, m
}

// Each half of a surrogate pair and each NUL becomes U+FFFD with an issue; what is a text stays as it is.
func TestDraftRepairsStrings(t *testing.T) {
	for quoted, want := range map[string]string{
		`"cut \ud83d here"`: "cut \uFFFD here", `"\ude00\ud83d"`: "\uFFFD\uFFFD", `"\ud83d\ud83d\ude00"`: "\uFFFD😀",
		`"\ud83d\u0041"`: "\uFFFDA", `"\ud83d"`: "\uFFFD", `"\uD83D\\"`: "\uFFFD\\", `"a\u0000b"`: "a\uFFFDb", "\"a\x00b\"": "a\uFFFDb",
		"\"a\xf0\x9f b\xff\xfe\"": "a\uFFFD b\uFFFD", "\"\xed\xa0\xbd\xed\xb8\x80\"": "\uFFFD\uFFFD", `"\ud83d\ude00\udfff"`: "😀\uFFFD",
	} {
		if s, m := readString(t, quoted); s != want || issueOf(t, m) != schemas.IssueCoerced {
			t.Errorf("%s gives %q, issues %v; want %q", quoted, s, m.Issues, want)
		}
	}
	marks := "e" + strings.Repeat("\u0301", decode.MaxField/2-1)
	for quoted, want := range map[string]string{
		`"whole \ud83d\ude00 pair"`: "whole 😀 pair", `"\\ud83d"`: `\ud83d`, `"\uD83D\uDE00"`: "😀", `"\\\ud83d\ude00"`: `\😀`,
		`"\u202egnp.\u202c\u2066"`: "\u202egnp.\u202c\u2066", `"` + marks + `"`: marks, `"\uFFFD"`: "\uFFFD", "\"\x01\x1b\"": "\x01\x1b",
		`"\u00"`: `\u00`, `"\ud83"`: `\ud83`,
	} {
		if s, m := readString(t, quoted); s != want || len(m.Issues) > 0 {
			t.Errorf("%.40s gives %.40q, issues %v; want %.40q", quoted, s, m.Issues, want)
		}
	}
}

// A million combining marks are cut between two characters.
func TestDraftCutsCombiningMarks(t *testing.T) {
	var d decode.Draft
	m := &schemas.Message{}
	d.Begin(m)
	d.Text.Add("e")
	for range 1_000_000 {
		d.Text.Add("\u0301")
	}
	d.EndText(false)
	if len(*m.Text) > schemas.MaxText || len(*m.Text) < schemas.MaxText-1 || !utf8.ValidString(*m.Text) || len(m.Issues) != 1 || m.Issues[0].Action != schemas.IssueTruncated {
		t.Errorf("%d bytes, issues %v", len(*m.Text), m.Issues)
	}
}

func TestDraftReadsNumbers(t *testing.T) {
	for _, c := range []struct {
		value  string
		want   int64
		issue  string
		isNone bool
	}{
		{value: `12`, want: 12}, {value: `"12"`, want: 12}, {value: `" 12\t"`, want: 12, issue: "COERCED"}, {value: `12.0`, want: 12, issue: "COERCED"},
		{value: `"12.50"`, want: 13, issue: "COERCED"}, {value: `-12.5`, isNone: true, issue: "NULLED"}, {value: `-0.4`, want: 0, issue: "COERCED"}, {value: `1.2e1`, want: 12, issue: "COERCED"},
		{value: `9007199254740993.0`, want: 9_007_199_254_740_993, issue: "COERCED"}, {value: `1.58844553334358018E17`, want: 158_844_553_334_358_018, issue: "COERCED"},
		{value: `5e-1`, want: 1, issue: "COERCED"}, {value: `0.04`, want: 0, issue: "COERCED"}, {value: `9223372036854775807.9`, want: 9_223_372_036_854_775_807, issue: "COERCED"},
		{value: `""`, isNone: true}, {value: `" "`, isNone: true}, {value: `null`, isNone: true}, {value: `"1e400"`, isNone: true, issue: "NULLED"},
		{value: `99999999999999999999`, isNone: true, issue: "NULLED"}, {value: `"0x1F"`, isNone: true, issue: "NULLED"}, {value: `"inf"`, isNone: true, issue: "NULLED"},
		{value: `"1_000"`, isNone: true, issue: "NULLED"}, {value: `"1."`, isNone: true, issue: "NULLED"}, {value: `".5"`, isNone: true, issue: "NULLED"},
		{value: `"-"`, isNone: true, issue: "NULLED"}, {value: `true`, isNone: true, issue: "NULLED"}, {value: `{}`, isNone: true, issue: "NULLED"},
		{value: `"` + strings.Repeat("1", 5000) + `"`, isNone: true, issue: "NULLED"}, {value: `0.` + strings.Repeat("1", 5000), isNone: true, issue: "NULLED"},
	} {
		d, m := draftOf(true)
		got := d.Size(valueOf(t, c.value), "f")
		if (got == nil) != c.isNone || got != nil && *got != c.want || issueOf(t, m) != c.issue {
			t.Errorf("%.40s: got %v, issues %v; want %d %s", c.value, got, m.Issues, c.want, c.issue)
		}
	}
}

// An instant is read from every spelling that names one instant between 2000 and 2100 alone.
func TestDraftReadsInstants(t *testing.T) {
	const at = 1_722_247_467_123
	for value, want := range map[string]schemas.Millis{
		`1722247467123`: at, `"1722247467123"`: at, `" 1722247467123 "`: at, `1722247467123.0`: at, `"1.722247467123e12"`: at, `1722247467.123`: at,
		`"1722247467"`: at - 123, `1722247467`: at - 123, `946684800`: 946_684_800_000, `4102444799.999`: 4_102_444_799_999,
		`946684799`: 0, `4102444800`: 0, `946684799999`: 0, `"soon"`: 0, `1722247467123000`: 0, `[1722247467123]`: 0,
	} {
		d, m := draftOf(true)
		got, ok := d.Time(valueOf(t, value), "f", schemas.IssueNulled)
		plain := strings.Trim(value, `"`) == "1722247467123"
		if got != want || ok != (want != 0) || (issueOf(t, m) == "") != plain {
			t.Errorf("%s: got %d, %v, issues %v; want %d", value, got, ok, m.Issues, want)
		}
	}
}

// An escape is found wherever it is in a body, and nothing else is taken for one.
func TestUnitsOfABodyAreFound(t *testing.T) {
	for size := range 70 {
		for _, rest := range []string{"x", "u", `\`, `\"`, "\x80", "\xff", "]t", `\t`, "[u", "\xdc\xf5", "u\\"} {
			plain := []byte(strings.Repeat(rest, 70)[:size])
			if got, want := decode.HasUnits(plain), bytes.Contains(plain, []byte(`\u`)); got != want {
				t.Fatalf("%q: got %v, want %v", plain, got, want)
			}
			for at := 0; at+2 <= size; at++ {
				b := bytes.Clone(plain)
				copy(b[at:], `\u`)
				if !decode.HasUnits(b) {
					t.Fatalf("%q: the escape at %d is not found", b, at)
				}
			}
		}
	}
}
