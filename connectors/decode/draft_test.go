package decode_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// draftOf is a draft of a fresh message.
func draftOf(clean bool) (*decode.Draft, *schemas.Message) {
	d, m := &decode.Draft{Clean: clean}, &schemas.Message{}
	d.Begin(m)
	return d, m
}

func valueOf(t *testing.T, text string) decode.JSON {
	t.Helper()
	if text == "" {
		return decode.JSON{}
	}
	v, err := new(decode.Parser).ParseString(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// issueOf is the action of a draft's only issue, "" where it has none.
func issueOf(t *testing.T, m *schemas.Message) string {
	t.Helper()
	switch len(m.Issues) {
	case 0:
		return ""
	case 1:
		if m.Issues[0].Field != "f" || m.Issues[0].Reason == "" {
			t.Errorf("issue %+v", m.Issues[0])
		}
		return m.Issues[0].Action
	}
	t.Errorf("issues %+v", m.Issues)
	return "many"
}

func TestDraftStrings(t *testing.T) {
	long := `"` + strings.Repeat("é", decode.MaxField) + `"`
	for _, c := range []struct{ told, str, strIssue, digits, digitsIssue, id, idIssue string }{
		{`"a"`, "a", "", "a", "", "a", ""}, {``, "", "", "", "", "", ""}, {`null`, "", "", "", "", "", ""}, {`""`, "", "", "", "", "", ""},
		{`12345678901234567890`, "12345678901234567890", "COERCED", "12345678901234567890", "", "12345678901234567890", "COERCED"},
		{`true`, "", "NULLED", "", "NULLED", "", "NULLED"}, {`[1]`, "", "NULLED", "", "NULLED", "", "NULLED"},
		{"\"\xff\"", "\uFFFD", "COERCED", "\uFFFD", "COERCED", "\uFFFD", "COERCED"},
		{`"` + strings.Repeat("x", 2000) + `"`, strings.Repeat("x", 2000), "", strings.Repeat("x", 2000), "", "", "NULLED"},
	} {
		v := valueOf(t, c.told)
		for _, read := range []struct {
			read        func(d *decode.Draft) string
			want, issue string
		}{
			{func(d *decode.Draft) string { return d.Str(v, "f") }, c.str, c.strIssue},
			{func(d *decode.Draft) string { return d.Digits(v, "f") }, c.digits, c.digitsIssue},
			{func(d *decode.Draft) string { return d.ID(v, "f") }, c.id, c.idIssue},
		} {
			d, m := draftOf(false)
			if got := read.read(d); got != read.want || issueOf(t, m) != read.issue {
				t.Errorf("%.40s: got %.40q, issues %v; want %.40q, %s", c.told, got, m.Issues, read.want, read.issue)
			}
		}
	}
	d, m := draftOf(true)
	if s := d.Str(valueOf(t, long), "f"); len(s) != decode.MaxField || !utf8.ValidString(s) || issueOf(t, m) != schemas.IssueTruncated {
		t.Errorf("%d bytes, issues %v", len(s), m.Issues)
	}
	d, m = draftOf(true)
	if s := d.Digits(valueOf(t, strings.Repeat("9", decode.MaxField+1)), "f"); len(s) != decode.MaxField || issueOf(t, m) != schemas.IssueTruncated {
		t.Errorf("%d digits, issues %v", len(s), m.Issues)
	}
}

func TestDraftNumbers(t *testing.T) {
	for _, c := range []struct {
		told         string
		whole, size  int64 // -9: none
		wIssue, sIss string
	}{
		{`5`, 5, 5, "", ""}, {`"9007199254740993"`, 9007199254740993, 9007199254740993, "", ""}, {`-5`, -5, -9, "", "NULLED"},
		{`1.5`, -9, 2, "NULLED", "COERCED"}, {`"x"`, -9, -9, "NULLED", "NULLED"}, {``, -9, -9, "", ""}, {`""`, -9, -9, "", ""}, {`null`, -9, -9, "", ""},
	} {
		v := valueOf(t, c.told)
		for _, read := range []struct {
			read  func(d *decode.Draft) *int64
			want  int64
			issue string
		}{
			{func(d *decode.Draft) *int64 { return d.Whole(v, "f") }, c.whole, c.wIssue},
			{func(d *decode.Draft) *int64 { return d.Size(v, "f") }, c.size, c.sIss},
		} {
			d, m := draftOf(true)
			got := read.read(d)
			if (got == nil) != (read.want == -9) || got != nil && *got != read.want || issueOf(t, m) != read.issue {
				t.Errorf("%s: got %v, issues %v", c.told, got, m.Issues)
			}
		}
	}
}

func TestDraftTimesAndFlags(t *testing.T) {
	for _, c := range []struct {
		told  string
		want  schemas.Millis
		issue string
	}{
		{`1700000000000`, 1_700_000_000_000, ""}, {`"1700000000000"`, 1_700_000_000_000, ""}, {`946684799999`, 0, "NULLED"},
		{`946684800000`, 946_684_800_000, ""}, {`4102444800000`, 0, "NULLED"}, {`"soon"`, 0, "NULLED"}, {``, 0, ""}, {`0`, 0, "NULLED"},
	} {
		d, m := draftOf(true)
		got, told := d.Time(valueOf(t, c.told), "f", schemas.IssueNulled)
		if got != c.want || told != (c.want != 0) || issueOf(t, m) != c.issue {
			t.Errorf("%s: got %d %v, issues %v", c.told, got, told, m.Issues)
		}
	}
	d, m := draftOf(true)
	if _, told := d.Time(decode.JSON{}, "f", schemas.IssueDefaulted); told || issueOf(t, m) != schemas.IssueDefaulted {
		t.Errorf("a time that must be there: %v", m.Issues)
	}
	for told, want := range map[string]struct {
		flag  bool
		issue string
	}{
		`true`: {true, ""}, `false`: {false, ""}, ``: {false, ""}, `null`: {false, ""}, `"true"`: {true, "COERCED"}, `1`: {true, "COERCED"},
		`"0"`: {false, "COERCED"}, `"maybe"`: {false, "DEFAULTED"}, `{}`: {false, "DEFAULTED"},
	} {
		d, m := draftOf(true)
		if got := d.Flag(valueOf(t, told), "f"); got != want.flag || issueOf(t, m) != want.issue {
			t.Errorf("%s: got %v, issues %v", told, got, m.Issues)
		}
	}
}

func TestDraftText(t *testing.T) {
	d, m := draftOf(true)
	d.Text.Line()
	d.Text.Add("a")
	d.Text.Line()
	d.Text.Line()
	d.Text.Add("")
	d.Text.Add("b")
	d.Text.Add("c")
	d.Text.Line()
	if d.EndText(false); m.Text == nil || *m.Text != "a\nbc" {
		t.Errorf("got %v", m.Text)
	}
	var none schemas.Message
	d.Begin(&none)
	if d.EndText(false); none.Text != nil {
		t.Errorf("no text is %q", *none.Text)
	}
	if d.EndText(true); none.Text == nil || *none.Text != "" {
		t.Errorf("an empty text is %v", none.Text)
	}
	d.Text.Add(strings.Repeat("é", schemas.MaxText))
	d.Text.Add("x")
	if d.EndText(false); len(*none.Text) != schemas.MaxText || !d.Text.Full() || !utf8.ValidString(*none.Text) || len(none.Issues) != 1 {
		t.Errorf("%d bytes, issues %v", len(*none.Text), none.Issues)
	}
	if *m.Text != "a\nbc" {
		t.Errorf("the text before is now %q", *m.Text)
	}
	d.Content(strings.Repeat("x", schemas.MaxContent+1))
	if none.ContentJSON != nil || len(none.Issues) != 2 {
		t.Errorf("issues %v", none.Issues)
	}
	for range 100 {
		d.Issue("f", schemas.IssueNulled, "x")
	}
	if n := len(none.Issues); n != 64 || none.Issues[n-1].Field != "issues" {
		t.Errorf("%d issues", n)
	}
}

func TestMediaType(t *testing.T) {
	for name, want := range map[string]string{
		"a.PDF": "application/pdf", "x.y.jpg": "image/jpeg", ".aac": "audio/aac", "a.amr": "audio/AMR", "a.mp4": "video/mp4", "pdf": "", "a.": "", "a.unheardof": "", "": "",
	} {
		if got := decode.MediaType(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestField(t *testing.T) {
	for _, c := range []struct {
		text string
		path []string
		want string
		ok   bool
	}{
		{`{"a":{ "b" : [1, "}"] , "c":2}}`, []string{"a", "b"}, `[1, "}"]`, true}, {`{"a":1}`, []string{"b"}, "", false},
		{`{"x":"\"a\":3","a": {"y":1} }`, []string{"a"}, `{"y":1}`, true}, {`{"a":1,"a":2}`, []string{"a"}, "1", true},
		{`[1]`, []string{"a"}, "", false}, {`{"a":"un`, []string{"a"}, `"un`, true}, {``, []string{"a"}, "", false}, {`{"\u0061":1}`, []string{"a"}, "", false},
	} {
		if got, ok := decode.Field([]byte(c.text), c.path...); string(got) != c.want || ok != c.ok {
			t.Errorf("%s %v: got %q %v, want %q", c.text, c.path, got, ok, c.want)
		}
	}
}
