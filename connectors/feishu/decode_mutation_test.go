package feishu_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/schemas"
)

// mutations change one value of a JSON text. Each gives the value that takes its place.
var mutations = []struct {
	name   string
	change func(v any) any
}{
	{"null", func(any) any { return nil }},
	{"false", func(any) any { return false }},
	{"number", func(any) any { return 7.5 }},
	{"string", func(any) any { return "odd" }},
	{"empty string", func(any) any { return "" }},
	{"object", func(any) any { return map[string]any{} }},
	{"array", func(any) any { return []any{} }},
	{"in an array", func(v any) any { return []any{v} }},
	{"in an object", func(v any) any { return map[string]any{"inner": v} }},
	{"twice", func(v any) any { return []any{v, v} }},
	{"deep", func(v any) any {
		for range 40 {
			v = []any{map[string]any{"inner": v}}
		}
		return v
	}},
}

// mutants calls f with each text that one change makes of v: mutations of each value in it, and each field removed, renamed,
// and present a second time, before and after the first.
func mutants(v any, f func(name string, text []byte)) {
	root := []any{v}
	var walk func(path string, at any)
	emit := func(name string) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(root[0]); err != nil {
			panic(err)
		}
		f(name, bytes.TrimSpace(b.Bytes()))
	}
	replace := func(path string, old any, set func(v any)) {
		for _, m := range mutations {
			set(m.change(old))
			emit(path + " " + m.name)
		}
		set(old)
		walk(path, old)
	}
	walk = func(path string, at any) {
		switch at := at.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(at)) {
				old := at[key]
				delete(at, key)
				emit(path + "/" + key + " removed")
				at[key+"_v9"] = old
				emit(path + "/" + key + " renamed")
				delete(at, key+"_v9")
				replace(path+"/"+key, old, func(v any) { at[key] = v })
			}
		case []any:
			for i, old := range at {
				replace(path+"/"+strconv.Itoa(i), old, func(v any) { at[i] = v })
			}
		}
	}
	replace("", v, func(v any) { root[0] = v })
}

// TestMutatedContent decodes every fixture of the list with one thing changed. No page is lost and no neighbour changes; text
// that becomes null, and words that are still there but are no longer in the text, leave an issue; nothing grows beyond bounds.
func TestMutatedContent(t *testing.T) {
	runs := 0
	for key, f := range formats(t) {
		if f.Content == nil {
			continue
		}
		var content any
		if err := json.Unmarshal(f.Content, &content); err != nil {
			t.Fatal(err)
		}
		before := decodeFormat(t, &f)
		words := wordsOf(before)
		mutants(content, func(name string, text []byte) {
			runs++
			mutant := f
			mutant.Content = text
			checkMutant(t, key+name, &mutant, words)
		})
	}
	if runs < 20_000 {
		t.Errorf("only %d mutations", runs)
	}
	t.Logf("%d mutations", runs)
}

// optional are fields that need not be there: renamed, they look like any other field that says nothing.
var optional = []string{
	"/speech_to_text renamed", "/user_name renamed", "/placeholder renamed", "/default_value renamed", "/chart_spec/title/text renamed",
	"/subtext renamed", "/display_name renamed", "/divider_text/text renamed",
}

// checkMutant decodes a changed message beside another one.
func checkMutant(t *testing.T, name string, f *format, words []string) {
	t.Helper()
	out := decodeAll(itemsPage(f.item(t), textItem("om_2", "")))
	if len(out.Readings) != 2 || len(out.Failed) != 0 {
		t.Fatalf("%s: %d readings, failed %v", name, len(out.Readings), out.Failed)
	}
	m, next := &out.Readings[0].Message, &out.Readings[1].Message
	if next.Text == nil || *next.Text != "hello" || len(next.Issues) != 0 {
		t.Fatalf("%s: changes the message after it: %+v", name, next)
	}
	encode(t, &out.Readings[0])
	if len(m.Issues) > 64 || len(m.Attachments) > 10_000 || len(m.Mentions) > 10_000 {
		t.Fatalf("%s: %d issues, %d attachments, %d mentions", name, len(m.Issues), len(m.Attachments), len(m.Mentions))
	}
	if len(m.Issues) > 0 || slices.ContainsFunc(optional, func(field string) bool { return strings.HasSuffix(name, field) }) {
		return
	}
	if f.MsgType == "system" && (m.Text == nil || strings.Contains(*m.Text, "{") || strings.HasSuffix(name, "/template string")) {
		return // what no placeholder names is not said; a placeholder without a value shows that one is missing
	}
	if m.Text == nil && len(words) > 0 && len(m.Attachments) == 0 && !strings.HasSuffix(name, " empty string") {
		t.Errorf("%s: text is null without an issue: %s", name, f.Content)
		return
	}
	values := valuesOf(t, f.Content)
	for _, w := range words {
		if text := everything(m); !strings.Contains(text, w) && strings.Contains(values, w) {
			t.Errorf("%s: %q is no longer in the text %q, without an issue: %s", name, w, text, f.Content)
			return
		}
	}
}

// everything gives all that a message says by text and attributes.
func everything(m *schemas.Message) string {
	var b strings.Builder
	if m.Text != nil {
		b.WriteString(*m.Text)
	}
	for _, a := range m.Attributes {
		fmt.Fprintf(&b, "\n%s", a.Value)
	}
	for i := range m.Attachments {
		if name := m.Attachments[i].Name; name != nil {
			b.WriteString("\n" + *name)
		}
	}
	return b.String()
}

// valuesOf gives all strings of a JSON text that are values.
func valuesOf(t *testing.T, text []byte) string {
	t.Helper()
	var b strings.Builder
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, e := range v {
				if key != "tag" && key != "href" {
					walk(e)
				}
			}
		case []any:
			for _, e := range v {
				walk(e)
			}
		case string:
			b.WriteString(v + "\n")
		}
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	walk(v)
	return b.String()
}

// wordsOf gives the words of a message's text that a content can hold as they are.
func wordsOf(m *schemas.Message) []string {
	if m.Text == nil {
		return nil
	}
	words := strings.FieldsFunc(*m.Text, func(r rune) bool { return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') })
	return slices.DeleteFunc(words, func(w string) bool { return len(w) < 3 })
}

// TestMutatedItems does the same to the fields of items: each is a message or a failure that says why.
func TestMutatedItems(t *testing.T) {
	runs := 0
	for _, name := range []string{"types", "posts", "cards", "states"} {
		var page struct{ Data struct{ Items []any } }
		if err := json.Unmarshal(fixture(t, name+".json"), &page); err != nil {
			t.Fatal(err)
		}
		for i, item := range page.Data.Items {
			mutants(item, func(change string, text []byte) {
				runs++
				out := decodeAll(itemsPage(string(text), textItem("om_2", "")))
				if len(out.Readings)+len(out.Failed) != 2 {
					t.Fatalf("%s %d %s: %d readings, failed %v", name, i, change, len(out.Readings), out.Failed)
				}
				next := &out.Readings[len(out.Readings)-1].Message
				if next.MessageID != "om_2" || next.Text == nil || *next.Text != "hello" || len(next.Issues) != 0 {
					t.Fatalf("%s %d %s: changes the message after it: %+v", name, i, change, next)
				}
				for r := range out.Readings {
					encode(t, &out.Readings[r])
				}
			})
		}
	}
	if runs < 5_000 {
		t.Errorf("only %d mutations", runs)
	}
	t.Logf("%d mutations", runs)
}
