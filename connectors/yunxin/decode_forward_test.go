package yunxin_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// mergedItem is a merged forward of team 42 with a file.
func mergedItem(id, url, sum string) string {
	return itemOf(id, "100", fmt.Sprintf(`,"text":"[brief]","attachment":{"type":101,"data":{"url":%q,"md5":%q,"abstracts":[{"senderNick":"Bob","content":"hi"}]}}`, url, sum))
}

// mergedLine is a line that is a merged forward itself.
func mergedLine(id, url, sum string) string {
	return fmt.Sprintf(`{"0":1,"1":"42","2":"bob","7":1700000000000,"8":100,"10":"{\"type\":101,\"data\":{\"url\":\"%s\",\"md5\":\"%s\"}}","12":%s}`, url, sum, id)
}

func textLine(id, fields string) string {
	return `{"0":1,"1":"42","2":"bob","7":1700000000000,"8":0,"9":"a line","12":` + id + fields + `}`
}

// fileOf is a merged file with a header that counts its lines.
func fileOf(lines ...string) string {
	return fmt.Sprintf(`{"version":1,"terminal":1,"sdk_version":"1","message_count":%d}`, len(lines)) + "\n" + strings.Join(lines, "\n")
}

func sumOf(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

const mergedURL = "https://nos.example/m.txt"

// merged decodes a page with one merged forward and the files that it leads to, by URL.
func merged(t *testing.T, sum string, files map[string]string) *connectors.Decoded {
	t.Helper()
	var pages []*schemas.Page
	for url, body := range files {
		pages = append(pages, filePage("900", url, body))
	}
	out := decodePages(append(pages, historyOf(mergedItem("900", mergedURL, sum)))...)
	for i := range out.Readings {
		writable(t, &out.Readings[i])
	}
	if len(out.Readings) == 0 || out.Readings[0].Message.MessageID != "900" {
		t.Fatalf("got %+v", out)
	}
	return out
}

// layout tells the rows of a forward in short: path, last part of the record id, expansion and its reason.
func layout(out *connectors.Decoded) []string {
	var rows []string
	for i := range out.Readings {
		m := &out.Readings[i].Message
		row := orEmpty(m.Forward.Path) + " " + m.RecordID[strings.LastIndexByte(m.RecordID, '/')+1:]
		if m.Forward.Expansion != schemas.ExpansionNotApplicable {
			row += " " + m.Forward.Expansion
		}
		if reason := orEmpty(m.Forward.ExpansionReason); reason != "" {
			row += " " + reason
		}
		rows = append(rows, strings.TrimSpace(row))
	}
	return rows
}

func TestMergedFiles(t *testing.T) {
	two := fileOf(textLine("1", ""), textLine("2", ""))
	crlf := strings.ReplaceAll(two, "\n", "\r\n") + "\r\n\r\n"
	whole := []string{"900 COMPLETE", "00001 1", "00002 2"}
	for name, c := range map[string]struct {
		sum, body string
		want      []string
	}{
		"plain":                 {"", two, whole},
		"md5":                   {strings.ToUpper(sumOf(two)), two, whole},
		"crlf":                  {sumOf(crlf), crlf, whole},
		"empty lines":           {"", strings.ReplaceAll(two, "\n", "\n\n \n"), whole},
		"byte order mark":       {"", "\uFEFF" + two, whole},
		"no count":              {"", strings.Replace(two, `,"message_count":2`, "", 1), whole},
		"count as a string":     {"", strings.Replace(two, `:2}`, `:"2"}`, 1), whole},
		"wrong md5":             {sumOf("x"), two, []string{"900 FAILED md5"}},
		"md5 that is none":      {"x", two, []string{"900 FAILED md5"}},
		"more than counted":     {"", strings.Replace(two, `:2}`, `:1}`, 1), []string{"900 PARTIAL count", "00001 1", "00002 2"}},
		"fewer than counted":    {"", strings.Replace(two, `:2}`, `:9}`, 1), []string{"900 PARTIAL count", "00001 1", "00002 2"}},
		"a broken line":         {"", strings.Replace(two, textLine("1", ""), `{"12":1,`, 1), []string{"900 PARTIAL bad_line", "00001 @00001", "00002 2"}},
		"a line that is a word": {"", strings.Replace(two, textLine("1", ""), `null`, 1), []string{"900 PARTIAL bad_line", "00001 @00001", "00002 2"}},
		"cut short":             {"", two[:len(two)-5], []string{"900 PARTIAL bad_line", "00001 1", "00002 @00002"}},
		"no header":             {"", textLine("1", "") + "\n" + textLine("2", ""), []string{"900 PARTIAL no_header", "00001 1", "00002 2"}},
		"html":                  {"", "<html>\n<body>", []string{"900 FAILED unreadable"}},
		"empty":                 {"", "", []string{"900 FAILED empty"}},
		"blank":                 {"", " \n\n", []string{"900 FAILED empty"}},
		"no messages":           {"", fileOf() + "\n", []string{"900 COMPLETE"}},
		"without ids":           {"", fileOf(textLine("0", `,"11":"k/1"`), textLine(`""`, ""), textLine("null", `,"11":"k/1"`)), []string{"900 COMPLETE", "00001 k%2F1", "00002 @00002", "00003 k%2F1#2"}},
		"twice":                 {"", fileOf(textLine("1", ""), textLine(`"1"`, ""), textLine("1", "")), []string{"900 COMPLETE", "00001 1", "00002 1#2", "00003 1#3"}},
	} {
		out := merged(t, c.sum, map[string]string{mergedURL: c.body})
		if got := layout(out); !slices.Equal(got, c.want) || len(out.Failed) != 0 {
			t.Errorf("%s: got %q, failed %+v, want %q", name, got, out.Failed, c.want)
		}
		m := &out.Readings[0].Message
		if orEmpty(m.Text) != "[brief]\nBob: hi" || m.ContentKind != schemas.ContentMergeForward || out.Readings[0].Page != 1 {
			t.Errorf("%s: got %+v", name, m)
		}
		if f := &m.Forward; f.Expansion == schemas.ExpansionFailed && (f.ChildCount != nil || f.DescendantCount != nil) ||
			f.Expansion != schemas.ExpansionFailed && (*f.ChildCount != int64(len(c.want)-1) || *f.DescendantCount != *f.ChildCount) {
			t.Errorf("%s: counts %+v", name, f)
		}
	}
}

// A line that cannot be read keeps its place, and says so.
func TestBrokenLineKeepsPlace(t *testing.T) {
	long := `{"9":"` + strings.Repeat("x", schemas.MaxContent) + `","12":5}`
	out := merged(t, "", map[string]string{mergedURL: fileOf(textLine("1", ""), long, "{", textLine("2", ""))})
	if got := layout(out); !slices.Equal(got, []string{"900 PARTIAL bad_line", "00001 1", "00002 @00002", "00003 @00003", "00004 2"}) {
		t.Fatalf("got %q", got)
	}
	for i, pointer := range map[int]string{2: "/lines/2", 3: "/lines/3"} {
		m := &out.Readings[i].Message
		if !hasIssue(m, "content_json", schemas.IssueNulled) || m.Provenance.ItemPointer != pointer || m.ContentKind != schemas.ContentUnknown || m.Text != nil || m.Forward.Role != schemas.ForwardChild {
			t.Errorf("got %+v", m)
		}
	}
	if m := &out.Readings[4].Message; m.Provenance.ItemPointer != "/lines/4" || len(m.Issues) != 0 {
		t.Errorf("the line after them: %+v", m)
	}
}

// What was not fetched, and why, stands at the message; its previews are its text.
func TestMergedFileNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *schemas.Page)
		want   string
	}{
		"404":         {func(p *schemas.Page) { p.Code, p.HTTPStatus, p.Body = "404", 404, []byte("gone") }, "900 FAILED 404"},
		"expired":     {func(p *schemas.Page) { p.Code, p.HTTPStatus, p.Body = "403", 403, []byte("<Error/>") }, "900 FAILED 403"},
		"host":        {func(p *schemas.Page) { p.Error, p.Code, p.HTTPStatus, p.Body = "host_not_allowed", "", 0, nil }, "900 FAILED host_not_allowed"},
		"large":       {func(p *schemas.Page) { p.Error, p.Body = "too_large", []byte(fileOf(textLine("1", ""))) }, "900 FAILED too_large"},
		"no body":     {func(p *schemas.Page) { p.Body = nil }, "900 FAILED empty"},
		"other":       {func(p *schemas.Page) { p.Request = "https://nos.example/other.txt" }, "900 UNKNOWN"},
		"another one": {func(p *schemas.Page) { p.Subject = "901" }, "900 UNKNOWN"},
	} {
		page := filePage("900", mergedURL, fileOf(textLine("1", "")))
		c.change(page)
		out := decodePages(page, historyOf(mergedItem("900", mergedURL, "")))
		if got := layout(out); !slices.Equal(got, []string{c.want}) || orEmpty(out.Readings[0].Message.Text) != "[brief]\nBob: hi" {
			t.Errorf("%s: got %q, %q", name, got, orEmpty(out.Readings[0].Message.Text))
		}
		writable(t, &out.Readings[0])
	}
	for attachment, want := range map[string]string{
		`{"type":101,"data":{"sessionId":"alice|1|bob"}}`: "900 FAILED no_url", `{"type":101,"abstracts":[{"content":"x"}]}`: "900 FAILED no_url",
		`{"type":101,"data":{"url":7}}`: "900 UNKNOWN", `{"type":101,"data":{}}`: "900", `{"type":101}`: "900",
		`{"type":101,"data":{"url":"file:///etc/passwd"}}`: "900 UNKNOWN",
	} {
		if got := layout(decodePages(historyOf(itemOf("900", "100", `,"attachment":`+attachment)))); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: got %q, want %q", attachment, got, want)
		}
	}
}

// A file is found by its URL whatever signs it.
func TestMergedFileBySignedURL(t *testing.T) {
	for told, page := range map[string]string{
		mergedURL + "?Expires=1&Signature=x":   mergedURL,
		mergedURL + "?any=thing#part":          mergedURL,
		"https://user:pass@nos.example/m.txt":  mergedURL,
		mergedURL + "?v=2&x-nos-signature=abc": mergedURL + "?v=2",
	} {
		out := decodePages(filePage("900", page, fileOf(textLine("1", ""))), historyOf(mergedItem("900", told, "")))
		if got := layout(out); !slices.Equal(got, []string{"900 COMPLETE", "00001 1"}) {
			t.Errorf("%s by %s: got %q", told, page, got)
		}
	}
}

func TestNestedFiles(t *testing.T) {
	const b, c, d = "https://nos.example/b", "https://nos.example/c", "https://nos.example/d"
	deep := map[string]string{
		mergedURL: fileOf(textLine("1", ""), mergedLine("2", b, "")), b: fileOf(mergedLine("3", c, ""), textLine("4", "")),
		c: fileOf(mergedLine("5", d, sumOf(fileOf(textLine("6", ""))))), d: fileOf(textLine("6", "")),
	}
	out := merged(t, "", deep)
	want := []string{
		"900 COMPLETE", "00001 1", "00002 2 COMPLETE", "00002.00001 3 COMPLETE", "00002.00001.00001 5 COMPLETE", "00002.00001.00001.00001 6", "00002.00002 4",
	}
	if got := layout(out); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	if f := &out.Readings[0].Message.Forward; *f.ChildCount != 2 || *f.DescendantCount != 6 || f.Role != schemas.ForwardContainer {
		t.Errorf("outermost %+v", f)
	}
	inner := &out.Readings[5].Message
	f := &inner.Forward
	if inner.RecordID != out.Readings[0].Message.RecordID+"/2/3/5/6" || !slices.Equal(f.AncestorIDs, []string{"900", "2", "3", "5"}) || f.Depth != 4 ||
		*f.ParentMessageID != "5" || *f.ContainerRecordID != out.Readings[0].Message.RecordID || inner.ConversationID != "team:42" ||
		inner.OccurredAt != 1_722_247_467_123 || inner.EventDate != "2024-07-29" || inner.CreatedAt != 1_700_000_000_000 || out.Readings[5].Source != connectors.FromOther {
		t.Errorf("got %+v", inner)
	}

	delete(deep, d)
	if got := layout(merged(t, "", deep)); !slices.Contains(got, "00002.00001.00001 5 FAILED not_fetched") || got[0] != "900 PARTIAL nested" {
		t.Errorf("without the innermost: %q", got)
	}
	deep[c] = fileOf(mergedLine("5", b, ""))
	if got := layout(merged(t, "", deep)); !slices.Contains(got, "00002.00001.00001 5 PARTIAL cycle") || got[0] != "900 PARTIAL nested" {
		t.Errorf("in a circle: %q", got)
	}
}

// Below depth 10 nothing is laid out.
func TestForwardsTooDeep(t *testing.T) {
	files := map[string]string{mergedURL: fileOf(mergedLine("1", "https://nos.example/1", ""))}
	for i := 1; i < 14; i++ {
		files[fmt.Sprintf("https://nos.example/%d", i)] = fileOf(mergedLine(fmt.Sprint(i+1), fmt.Sprintf("https://nos.example/%d", i+1), ""))
	}
	got := layout(merged(t, "", files))
	if len(got) != 11 || !strings.HasSuffix(got[10], " 10 PARTIAL depth") || got[0] != "900 PARTIAL nested" {
		t.Errorf("got %d rows: %q", len(got), got)
	}
	inline := `{"messageType":0,"text":"x"}`
	for range 14 {
		inline = `{"messageType":100,"mergedPayload":{"messages":[` + inline + `]}}`
	}
	got = layout(decodePages(historyOf(itemOf("900", "100", `,"attachment":`+inline))))
	if len(got) != 11 || !strings.HasSuffix(got[10], "PARTIAL depth") {
		t.Errorf("inline: got %d rows: %q", len(got), got)
	}
}

// Links among the messages of a forward resolve in it, all others lead out of it; a thread is named by its root.
func TestLinksWithinForward(t *testing.T) {
	out := merged(t, "", map[string]string{mergedURL: fileOf(
		textLine("1", `,"11":"k1"`), textLine("2", `,"11":"k2","32":1,"33":"k1","37":1,"38":"k1"`), textLine("3", `,"32":2,"33":"k2","37":"k1","38":"1"`),
		textLine("4", `,"15":"{\"yxReplyMsg\":{\"idServer\":\"3\",\"from\":\"bob\"}}"`), textLine("5", `,"33":"k2","38":"k1"`),
		textLine("6", `,"32":77,"33":"z","29":"dan","31":1690000000000,"37":78`),
		textLine("7", `,"32":7,"37":7`), textLine("8", `,"32":0,"33":"","37":"","38":""`), textLine("9", `,"15":"{\"yxReplyMsg\":{\"idServer\":55}}"`),
	)})
	rows := out.Readings[1:]
	type ends struct{ parent, parentID, root, rootID, thread string }
	for i, want := range []ends{
		{"NONE", "", "NONE", "", "1"}, {"RESOLVED", "1", "RESOLVED", "1", "1"}, {"RESOLVED", "2", "RESOLVED", "1", "1"}, {"RESOLVED", "3", "RESOLVED", "1", ""},
		{"RESOLVED", "2", "RESOLVED", "1", "1"}, {"OUT_OF_SCOPE", "77", "OUT_OF_SCOPE", "78", "78"}, {"NONE", "", "NONE", "", "7"}, {"NONE", "", "NONE", "", ""},
		{"OUT_OF_SCOPE", "55", "OUT_OF_SCOPE", "55", ""},
	} {
		m := &rows[i].Message
		got := ends{m.Parent.Status, orEmpty(m.Parent.MessageID), m.Root.Status, orEmpty(m.Root.MessageID), orEmpty(m.ThreadID)}
		if got != want || m.IsThreadRoot != (i == 0) || rows[i].ThreadByRoot {
			t.Errorf("line %d: got %+v, root of a thread %v, want %+v", i+1, got, m.IsThreadRoot, want)
		}
	}
	if p := &rows[1].Message.Parent; *p.RecordID != rows[0].Message.RecordID || *p.SenderID != "bob" || *p.CreatedAt != 1_700_000_000_000 {
		t.Errorf("got %+v", p)
	}
	if p := &rows[5].Message.Parent; *p.SenderID != "dan" || *p.ClientMessageID != "z" || *p.CreatedAt != 1_690_000_000_000 || p.RecordID != nil {
		t.Errorf("got %+v", p)
	}
}

// A message that a page shows twice has its forward once.
func TestForwardShownTwice(t *testing.T) {
	item := mergedItem("900", mergedURL, "")
	out := decodePages(filePage("900", mergedURL, fileOf(textLine("1", ""))), historyOf(item, item))
	if got := layout(out); !slices.Equal(got, []string{"900 COMPLETE", "00001 1", "900 COMPLETE"}) {
		t.Errorf("got %q", got)
	}
}

// A broken item beside it does not change what a merged forward gives, and neither does a look-up in place of a list.
func TestForwardBesideBrokenItem(t *testing.T) {
	file := filePage("900", mergedURL, fileOf(textLine("1", "")))
	out := decodePages(file, historyOf(`{x}`, mergedItem("900", mergedURL, ""), textItem("2", "")))
	if got := layout(out); !slices.Equal(got, []string{"900 COMPLETE", "00001 1", "2"}) || len(out.Failed) != 1 || out.Failed[0].Page != 1 {
		t.Errorf("got %q, failed %+v", got, out.Failed)
	}
	out = decodePages(file, batchPage(`{"code":200,"data":{"success_list":[`+mergedItem("900", mergedURL, "")+`]}}`, "900"))
	if got := layout(out); !slices.Equal(got, []string{"900 COMPLETE", "00001 1"}) || out.Readings[0].Message.Provenance.ItemPointer != "/data/success_list/0" {
		t.Errorf("a look-up: got %q", got)
	}
	out = decodePages(file, historyOf(strings.Replace(mergedItem("900", mergedURL, ""), `"team_id":42`, `"team_id":43`, 1)))
	if got := layout(out); !slices.Equal(got, []string{"900 UNKNOWN"}) {
		t.Errorf("of another conversation: got %q", got)
	}
}

// A forward of 10,000 messages goes through; a few small files that name each other many times stay within bounds.
func TestForwardsThatGrow(t *testing.T) {
	lines := make([]string, 10_000)
	for i := range lines {
		lines[i] = textLine(fmt.Sprint(i+1), fmt.Sprintf(`,"32":%d`, i))
	}
	out := merged(t, "", map[string]string{mergedURL: fileOf(lines...)})
	last := &out.Readings[len(out.Readings)-1].Message
	if len(out.Readings) != 10_001 || *out.Readings[0].Message.Forward.DescendantCount != 10_000 || *last.Forward.Path != "10000" || orEmpty(last.Root.MessageID) != "1" {
		t.Errorf("%d rows, last %+v", len(out.Readings), last)
	}

	const b, c = "https://nos.example/b", "https://nos.example/c"
	for i := range lines {
		lines[i] = mergedLine(fmt.Sprint(i+1), b, "")
	}
	page := historyOf(mergedItem("900", mergedURL, ""))
	leaf := fileOf(slices.Repeat([]string{textLine("1", "")}, 1000)...)
	out = decodePages(filePage("900", mergedURL, fileOf(lines...)), filePage("900", b, fileOf(slices.Repeat([]string{mergedLine("7", c, "")}, 100)...)), filePage("900", c, leaf), page)
	if n := len(out.Readings); n > 100_001 || n < 10_000 || out.Readings[0].Message.Forward.Expansion != schemas.ExpansionPartial {
		t.Errorf("%d rows, %+v", n, out.Readings[0].Message.Forward)
	}
	heavy := fileOf(textLine("1", `,"10":"`+strings.Repeat("x", 4<<20)+`"`))
	out = decodePages(filePage("900", mergedURL, fileOf(lines...)), filePage("900", b, heavy), page)
	size := 0
	for i := range out.Readings {
		size += len(orEmpty(out.Readings[i].Message.ContentJSON))
	}
	if size > 48<<20 || size < 16<<20 || orEmpty(out.Readings[len(out.Readings)-1].Message.Forward.ExpansionReason) != "too_many" {
		t.Errorf("%d bytes of content in %d rows", size, len(out.Readings))
	}
}
