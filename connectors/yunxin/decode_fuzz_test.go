package yunxin_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// checkPages holds for any pages: each reading can be written, which refuses invalid UTF-8 and words off the lists; of a
// page that is JSON each item is a reading or a failure; the rows of a forward are those that its counts tell.
func checkPages(t *testing.T, pages []schemas.Page, out *connectors.Decoded) {
	t.Helper()
	pointers, records := map[string]bool{}, map[string]bool{}
	for i := range out.Readings {
		r := &out.Readings[i]
		writable(t, r)
		f := &r.Message.Forward
		if r.Page < 0 || r.Page >= len(pages) {
			t.Fatalf("reading %d is of page %d", i, r.Page)
		}
		if f.Depth == 0 {
			pointers[r.Message.Provenance.ItemPointer] = true
			clear(records)
		} else if records[r.Message.RecordID] || r.ThreadByRoot || f.Depth > decode.MaxForwardDepth {
			t.Fatalf("row %s: twice in one forward, or %+v", r.Message.RecordID, f)
		}
		records[r.Message.RecordID] = true
		if f.DescendantCount != nil {
			checkCount(t, out.Readings[i:], *f.DescendantCount)
		}
	}
	for _, f := range out.Failed {
		if f.Class == "" || f.Message == "" || !utf8.ValidString(f.Message) {
			t.Fatalf("failed %+v", f)
		}
		pointers[f.Pointer] = true
	}
	for _, a := range out.Answers {
		if a.MessageID == "" || a.Reason == "" || a.Status != schemas.LinkMissing && a.Status != schemas.LinkForbidden {
			t.Fatalf("answer %+v", a)
		}
	}
	page := &pages[len(pages)-1]
	var p decode.Parser
	root, err := p.Parse(page.Body)
	if code, told := root.Get("code").Int(); err != nil || page.Type != schemas.YunxinMessagesList || told && code != 0 && code != 200 {
		return
	}
	if items := root.Get("data").Get("items"); items.Kind() == decode.Array && items.Len() != len(pointers) {
		t.Fatalf("%d items give %d pointers of readings and failures", items.Len(), len(pointers))
	}
}

// checkCount checks that the rows of a forward follow it. A message that is shown twice has them once.
func checkCount(t *testing.T, rows []connectors.Reading, want int64) {
	t.Helper()
	depth, n := rows[0].Message.Forward.Depth, int64(0)
	for i := 1; i < len(rows) && rows[i].Message.Forward.Depth > depth; i++ {
		n++
	}
	if n != want && (depth > 0 || n > 0) {
		t.Fatalf("%s tells of %d messages below it, %d follow", rows[0].Message.RecordID, want, n)
	}
}

// FuzzDecode decodes any body as a page of each type, by a decoder that has seen others and by a fresh one.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"types.json", "notices.json", "threads.json", "forward.json", "batch.json"} {
		for kind := range uint8(2) {
			f.Add(decodeFixture(f, name), kind)
		}
	}
	f.Add([]byte(`{"code":200,"data":{"items":[{"message_server_id":1,"x":tru},{"message_server_id":2}]}}`), uint8(0))
	f.Add([]byte(strings.Repeat("[", 1000)), uint8(0))
	used := yunxin.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, body []byte, kind uint8) {
		page := historyPage(body)
		if kind%2 == 1 {
			page = batchPage(string(body), "1", "2")
		}
		pages := []schemas.Page{*page}
		used.Decode(pages, &out)
		checkPages(t, pages, &out)
		fresh := decodePages(page)
		if len(fresh.Readings) != len(out.Readings) || len(fresh.Failed) != len(out.Failed) || len(fresh.Answers) != len(out.Answers) {
			t.Fatalf("a used decoder gives %d readings, %d failed; a fresh one %d, %d", len(out.Readings), len(out.Failed), len(fresh.Readings), len(fresh.Failed))
		}
	})
}

// FuzzItem decodes anything as an item between two others, which come out whatever it is.
func FuzzItem(f *testing.F) {
	for _, item := range mutationItems(f) {
		f.Add(item)
	}
	used := yunxin.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, item string) {
		page := historyOf(textItem("777001", ""), item, textItem("777002", ""))
		pages := []schemas.Page{*page}
		used.Decode(pages, &out)
		checkPages(t, pages, &out)
		var p decode.Parser
		if v, err := p.Parse(page.Body); err != nil || v.Get("data").Get("items").Len() != 3 {
			return // it ends the list, or has commas of its own
		}
		neighbours := 0
		for i := range out.Readings {
			m := &out.Readings[i].Message
			if strings.HasPrefix(m.MessageID, "77700") && orEmpty(m.Text) == "hello" {
				neighbours++
			}
			if m.ContentKind == schemas.ContentText && m.Text == nil && len(m.Issues) == 0 {
				t.Fatalf("%s: text is lost without an issue", item)
			}
		}
		if neighbours < 2 || len(out.Readings)+len(out.Failed) < 3 {
			t.Fatalf("%s: %d readings, failed %+v", item, len(out.Readings), out.Failed)
		}
	})
}

// FuzzMergedFile decodes any two bodies as the files of a merged forward, the first of which may name the second and itself.
func FuzzMergedFile(f *testing.F) {
	f.Add(decodeFixture(f, "forward.txt"), decodeFixture(f, "inner.txt"))
	f.Add([]byte(fileOf(mergedLine("1", mergedURL, ""), mergedLine("2", "https://nos.example/inner.txt", ""))), []byte("\r\n{\n"))
	used := yunxin.NewDecoder()
	var out connectors.Decoded
	f.Fuzz(func(t *testing.T, a, b []byte) {
		pages := []schemas.Page{
			*filePage("900", mergedURL, string(a)), *filePage("900", "https://nos.example/inner.txt", string(b)), *historyOf(mergedItem("900", mergedURL, "")),
		}
		used.Decode(pages, &out)
		checkPages(t, pages, &out)
		if len(out.Failed) != 0 || len(out.Readings) == 0 || out.Readings[0].Message.Forward.Expansion == "UNKNOWN" {
			t.Fatalf("failed %+v, %d readings", out.Failed, len(out.Readings))
		}
	})
}

// FuzzCustom decodes any attachment of any type, as an object and as a string.
func FuzzCustom(f *testing.F) {
	var p decode.Parser
	for _, name := range []string{"types.json", "notices.json", "forward.json"} {
		root, err := p.Parse(decodeFixture(f, name))
		if err != nil {
			f.Fatal(err)
		}
		items := root.Get("data").Get("items")
		for i := range items.Len() {
			kind, _ := items.At(i).Get("message_type").Int()
			f.Add(uint8(kind), string(items.At(i).Get("attachment").AppendRaw(nil)))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, attachment string) {
		var p decode.Parser
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(attachment) + `"`
		for _, told := range []string{quoted, attachment} {
			page := historyOf(itemOf("1", strconv.Itoa(int(kind)), `,"attachment":`+told))
			if v, err := p.Parse(page.Body); err != nil || v.Get("data").Get("items").Len() != 1 {
				continue
			}
			pages := []schemas.Page{*page}
			out := decodePages(page)
			checkPages(t, pages, out)
			if len(out.Readings) == 0 || len(out.Failed) != 0 {
				t.Fatalf("%d readings, failed %v", len(out.Readings), out.Failed)
			}
		}
	})
}
