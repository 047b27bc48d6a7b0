package feishu_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/connectors/decode"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// FuzzDecode holds for any body: no panic; each item of a list is a reading or a failure, in the order of the page; each
// reading can be written, which refuses invalid UTF-8, words off the lists and content of recalled messages; and a
// decoder that has seen other pages says the same as a fresh one.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for kind := range uint8(3) {
			f.Add(b, kind)
		}
	}
	f.Add([]byte(`{"code":0,"data":{"items":[{"message_id":"a","deleted":tru},{"message_id":"b"}]}}`), uint8(0))
	f.Add([]byte(strings.Repeat("[", 1000)), uint8(0))
	used := feishu.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		page := listPage(body)
		switch kind % 3 {
		case 1:
			page = getPage(body, "om_0004")
		case 2:
			page.Type = schemas.FeishuChatsGet
		}
		used.Decode([]schemas.Page{*page}, &out)
		checkDecoded(t, page, &out)
		fresh := decodeAll(page)
		if len(fresh.Readings) != len(out.Readings) || len(fresh.Failed) != len(out.Failed) || fresh.ConversationKind != out.ConversationKind {
			t.Fatalf("a used decoder gives %d readings, %d failed; a fresh one %d, %d", len(out.Readings), len(out.Failed), len(fresh.Readings), len(fresh.Failed))
		}
	})
}

func checkDecoded(t *testing.T, page *schemas.Page, out *connectors.Decoded) {
	t.Helper()
	for i := range out.Readings {
		encode(t, &out.Readings[i])
	}
	pointers := map[string]bool{}
	for _, f := range out.Failed {
		if f.Class == "" || !utf8.ValidString(f.Message) || !utf8.ValidString(f.RecordID) {
			t.Fatalf("failed %+v", f)
		}
		pointers[f.Pointer] = true
	}
	for i := range out.Readings {
		pointers[out.Readings[i].Message.Provenance.ItemPointer] = true
	}
	if len(pointers) != len(out.Readings)+len(out.Failed) && page.Type == schemas.FeishuMessagesList {
		t.Fatalf("%d readings and %d failed share pointers", len(out.Readings), len(out.Failed))
	}
	var p decode.Parser
	root, err := p.Parse(page.Body)
	if code, told := root.Get("code").Int(); err != nil || page.Type != schemas.FeishuMessagesList || told && code != 0 {
		return
	}
	if items := root.Get("data").Get("items"); items.Kind() == decode.Array && items.Len() != len(pointers) {
		t.Fatalf("%d items give %d readings and %d failed", items.Len(), len(out.Readings), len(out.Failed))
	}
}

// FuzzGroup holds for any answers about a merged forward and one within it, and any list that shows it: no panic; what
// comes out agrees with itself and can be written; and a decoder that has seen other pages says the same as a fresh one.
func FuzzGroup(f *testing.F) {
	m, n := nest("M", "", ""), nest("N", "M", "")
	body := func(items ...string) []byte { return itemsPage(items...).Body }
	list := body(m, textItem("om_1", ""))
	f.Add(body(m, n, part("a", "M", `,"parent_id":"b"`), part("b", "M", `,"parent_id":"a"`)), body(n, part("c", "N", ""), nest("M", "N", "")), list)
	f.Add(body(m, nest("N", "O", ""), nest("O", "N", ""), part("a", "gone", "")), body(nest("N", "", "")), list)
	f.Add(body(m, n, n, part("", "M", ""), nest("", "M", ""), part("a", "N", `,"root_id":"M"`)), []byte(`{"code":230110}`), body(m, nest("N", "", "")))
	f.Add(body(nest("M", "", `,"deleted":true`), n), body(n, `null`, `{"x":tru}`), body(textItem("M", "")))
	f.Add(body(part("a", "M", ""), part("a", "M", ""), part("a", "", "")), []byte(`<html>`), []byte(`{"code":0}`))
	used := feishu.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, top, inner, list []byte) {
		first, second := expansion("M"), expansion("N")
		first.Body, second.Body = top, inner
		look := getPage(top, "M")
		for _, pages := range [][]schemas.Page{
			{*first, *second, *listPage(list)}, {*first, *second}, {*second, *first, *listPage(list)}, {*lookupExpansion("M", "N"), *look},
		} {
			used.Decode(pages, &out)
			conformance.Check(t, pages, &out)
			for i := range out.Readings {
				encode(t, &out.Readings[i])
			}
			var fresh connectors.Decoded
			feishu.NewDecoder().Decode(pages, &fresh)
			if len(fresh.Readings) != len(out.Readings) || len(fresh.Failed) != len(out.Failed) || len(fresh.Answers) != len(out.Answers) {
				t.Fatalf("a used decoder says\n%v\na fresh one\n%v", said(t, &out), said(t, &fresh))
			}
		}
	})
}

// FuzzContent holds for any msg_type and content: one reading, which can be written; content as it was sent; and text that is null
// only where the type has none, what it says is an attachment, or an issue says why.
func FuzzContent(f *testing.F) {
	var p decode.Parser
	for _, name := range []string{"types", "posts", "cards", "oddities"} {
		root, err := p.Parse(fixture(f, name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		items := root.Get("data").Get("items")
		for i := range items.Len() {
			kind, _ := items.At(i).Get("msg_type").Str()
			content, _ := items.At(i).Get("body").Get("content").Str()
			f.Add(strings.Clone(kind), strings.Clone(content))
		}
	}
	for _, format := range formats(f) {
		f.Add(format.MsgType, format.content(f))
	}
	d := feishu.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, kind, content string) {
		body := []byte(`{"code":0,"data":{"items":[{"message_id":"om_1","create_time":1700000000000,"mentions":[{"key":"@_user_1","id":"ou_1","name":"Ann"}],"msg_type":`)
		body = append(body, quoted(kind)+`,"body":{"content":`+quoted(content)+`}}]}}`...)
		d.Decode([]schemas.Page{*listPage(body)}, &out)
		if len(out.Readings) != 1 || len(out.Failed) != 0 {
			t.Fatalf("%d readings, failed %v", len(out.Readings), out.Failed)
		}
		checkDecoded(t, listPage(body), &out)
		valid, _ := decode.Valid(content)
		valid = strings.ReplaceAll(valid, "\x00", "\uFFFD")
		if m := &out.Readings[0].Message; m.ContentJSON == nil || *m.ContentJSON != valid {
			t.Fatalf("content %q is not verbatim", content)
		}
		checkNull(t, &out.Readings[0].Message)
	})
}

// checkNull fails where the text of a message is null without a word.
func checkNull(t *testing.T, m *schemas.Message) {
	t.Helper()
	switch m.ContentKind {
	case schemas.ContentText, schemas.ContentRichText, schemas.ContentCard, schemas.ContentSystem:
		if m.Text == nil && len(m.Attachments) == 0 && len(m.Issues) == 0 {
			t.Fatalf("%s: text is null without an issue: %s", m.MessageType, *m.ContentJSON)
		}
	}
}

// quoted writes s as a JSON string, with bytes that are no UTF-8 as they are.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('"')
	return b.String()
}
