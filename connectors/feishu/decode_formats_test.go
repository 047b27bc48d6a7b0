package feishu_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/schemas"
)

// formatsPage is the list of what Feishu's messages hold.
const formatsPage = "../../docs/formats/feishu.md"

// format is one message and what it is to become.
type format struct {
	Key      string                     `json:"key"`
	MsgType  string                     `json:"msg_type"`
	Content  json.RawMessage            `json:"content,omitempty"`
	Text     *string                    `json:"text,omitempty"` // content that is no JSON value, or is spelled in a way of its own
	Bytes    []byte                     `json:"content_base64,omitempty"`
	Mentions json.RawMessage            `json:"mentions,omitempty"`
	Item     map[string]json.RawMessage `json:"item,omitempty"` // further fields of the item
	Want     *became                    `json:"want"`
}

// became is what a message became.
type became struct {
	Text        *string           `json:"text"`
	Created     string            `json:"created_at,omitempty"`
	Mentions    []mentioned       `json:"mentions,omitempty"`
	Attachments []attached        `json:"attachments,omitempty"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	Issues      []repaired        `json:"issues,omitempty"`
}

type mentioned struct {
	ID          *string `json:"id,omitempty"`
	IDType      *string `json:"id_type,omitempty"`
	Name        *string `json:"name,omitempty"`
	Placeholder string  `json:"placeholder,omitempty"`
	All         bool    `json:"is_all,omitempty"`
}

type attached struct {
	Kind string  `json:"kind"`
	Key  *string `json:"file_key,omitempty"`
	Name *string `json:"name,omitempty"`
}

type repaired struct{ Field, Action, Reason string }

// content gives the text of body.content.
func (f *format) content(t testing.TB) string {
	t.Helper()
	switch {
	case f.Text != nil:
		return *f.Text
	case f.Bytes != nil:
		return string(f.Bytes)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, f.Content); err != nil {
		t.Fatalf("%s: %v", f.Key, err)
	}
	return b.String()
}

// item gives the message as an item of a list.
func (f *format) item(t testing.TB) string {
	t.Helper()
	fields := map[string]string{
		"message_id": `"om_1"`, "msg_type": strconv.Quote(f.MsgType), "create_time": `"1700000000000"`,
		"sender": `{"id":"ou_1","id_type":"open_id","sender_type":"user"}`, "body": `{"content":` + quoted(f.content(t)) + `}`,
	}
	if f.Mentions != nil {
		fields["mentions"] = string(f.Mentions)
	}
	for key, v := range f.Item {
		fields[key] = string(v)
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString(`,"` + key + `":` + fields[key])
	}
	return `{` + b.String()[1:] + `}`
}

// becameOf gives what a message became.
func becameOf(m *schemas.Message, withTime bool) *became {
	b := &became{Text: m.Text}
	if withTime && m.CreatedAt != 0 {
		b.Created = m.CreatedAt.String()
	}
	for i := range m.Mentions {
		e := &m.Mentions[i]
		b.Mentions = append(b.Mentions, mentioned{e.ID, e.IDType, e.Name, e.Placeholder, e.IsAll})
	}
	for i := range m.Attachments {
		a := &m.Attachments[i]
		b.Attachments = append(b.Attachments, attached{a.Kind, a.FileKey, a.Name})
	}
	for _, a := range m.Attributes {
		if b.Attributes == nil {
			b.Attributes = map[string]string{}
		}
		b.Attributes[a.Key] = a.Value
	}
	for _, i := range m.Issues {
		b.Issues = append(b.Issues, repaired{i.Field, i.Action, i.Reason})
	}
	return b
}

// formats reads the fixtures by file and key; with -update it writes what they become first.
func formats(t testing.TB) map[string]format {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "formats", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, files)
	}
	all := map[string]format{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var list []format
		if err := json.Unmarshal(b, &list); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for i := range list {
			if _, twice := all[name+"/"+list[i].Key]; twice {
				t.Fatalf("%s has %s twice", file, list[i].Key)
			}
			if *update {
				list[i].Want = becameOf(decodeFormat(t, &list[i]), list[i].Item != nil)
			}
			all[name+"/"+list[i].Key] = list[i]
		}
		if *update {
			writeFormats(t, file, list)
		}
	}
	return all
}

func writeFormats(t testing.TB, file string, list []format) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(list); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func decodeFormat(t testing.TB, f *format) *schemas.Message {
	t.Helper()
	out := decodeAll(itemsPage(f.item(t)))
	if len(out.Readings) != 1 || len(out.Failed) != 0 {
		t.Fatalf("%s: %d readings, failed %v", f.Key, len(out.Readings), out.Failed)
	}
	encode(t, &out.Readings[0])
	return &out.Readings[0].Message
}

// formatRow is a row of the page.
type formatRow struct{ what, written, source, becomes, fixture string }

var formatCell = regexp.MustCompile(`(?:[^|\\]|\\.)+`)

// formatRows reads the rows of the page's tables that have five cells.
func formatRows(t testing.TB) []formatRow {
	t.Helper()
	b, err := os.ReadFile(formatsPage)
	if err != nil {
		t.Fatal(err)
	}
	var rows []formatRow
	for line := range strings.Lines(string(b)) {
		cells := formatCell.FindAllString(strings.TrimSpace(line), -1)
		if !strings.HasPrefix(line, "| ") || len(cells) != 5 || strings.HasPrefix(line, "| what ") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], `\|`, "|"))
		}
		rows = append(rows, formatRow{cells[0], uncode(cells[1]), cells[2], uncode(cells[3]), cells[4]})
	}
	return rows
}

// uncode takes the marks of code off a cell.
func uncode(s string) string {
	if inner, ok := strings.CutPrefix(s, "`` "); ok {
		return strings.TrimSuffix(inner, " ``")
	}
	return strings.Trim(s, "`")
}

var formatClaim = regexp.MustCompile(`^(text|mention|attachment|attribute|issue|created) ("(?:[^"\\]|\\.)*")(?:; |$)`)

// TestFormats holds the page to the fixtures and to the decoder.
func TestFormats(t *testing.T) {
	all, rows := formats(t), formatRows(t)
	used, from := map[string]bool{}, map[string]int{}
	for _, row := range rows {
		t.Run(row.fixture, func(t *testing.T) {
			f, ok := all[row.fixture]
			if !ok {
				t.Fatalf("%s has no fixture", row.what)
			}
			if used[row.fixture] {
				t.Error("two rows have this fixture")
			}
			used[row.fixture] = true
			if row.source == "" {
				t.Error("the row has no source")
			}
			checkWritten(t, &f, row.written)
			m := decodeFormat(t, &f)
			if got := becameOf(m, f.Item != nil); !reflect.DeepEqual(got, f.Want) {
				gotten, _ := json.Marshal(got)
				wanted, _ := json.Marshal(f.Want)
				t.Errorf("%s becomes\n%s\nwant\n%s", row.what, gotten, wanted)
			}
			checkBecomes(t, m, row.becomes)
		})
		from[sourceOf(row.source)]++
	}
	for key := range all {
		if !used[key] {
			t.Errorf("fixture %s is in no row of %s", key, formatsPage)
		}
	}
	checkCounts(t, from, len(rows))
}

// checkWritten fails where a fixture does not contain what its row is about.
func checkWritten(t *testing.T, f *format, written string) {
	t.Helper()
	content := f.content(t)
	item, err := json.Marshal(f.Item)
	if err != nil {
		t.Fatal(err)
	}
	if written == "" || !strings.Contains(content, written) && !strings.Contains(string(item), written) && !strings.Contains(strconv.Quote(content), written) {
		t.Errorf("the fixture does not contain %s", written)
	}
}

// checkBecomes fails where a message lacks what its row says.
func checkBecomes(t *testing.T, m *schemas.Message, becomes string) {
	t.Helper()
	if becomes == "nothing" {
		if m.Text != nil || len(m.Mentions)+len(m.Attachments)+len(m.Issues) > 0 {
			t.Errorf("becomes something: %+v", becameOf(m, false))
		}
		return
	}
	if !strings.Contains(becomes, "issue ") && len(m.Issues) > 0 {
		t.Errorf("has issues %v, of which the row does not speak", m.Issues)
	}
	if !strings.Contains(becomes, "text ") && !strings.Contains(becomes, "created ") && m.Text != nil {
		t.Errorf("has text %q, of which the row does not speak", *m.Text)
	}
	for becomes != "" {
		claim := formatClaim.FindStringSubmatch(becomes)
		if claim == nil {
			t.Fatalf("cannot read %q", becomes)
		}
		becomes = becomes[len(claim[0]):]
		value, err := strconv.Unquote(claim[2])
		if err != nil {
			t.Fatalf("%s: %v", claim[2], err)
		}
		if !holds(m, claim[1], value) {
			t.Errorf("lacks %s %s", claim[1], claim[2])
		}
	}
}

func holds(m *schemas.Message, what, value string) bool {
	is := func(p *string) bool { return p != nil && *p == value }
	switch what {
	case "text":
		return m.Text != nil && strings.Contains(*m.Text, value)
	case "mention":
		return slices.ContainsFunc(m.Mentions, func(e schemas.Mention) bool { return is(e.ID) || e.IsAll && value == "all" })
	case "attachment":
		kind, key, _ := strings.Cut(value, " ")
		return slices.ContainsFunc(m.Attachments, func(a schemas.Attachment) bool {
			return a.Kind == kind && (key == "" && a.FileKey == nil || a.FileKey != nil && *a.FileKey == key)
		})
	case "attribute":
		key, v, _ := strings.Cut(value, "=")
		return m.Attributes.Get(key) == v
	case "issue":
		return slices.ContainsFunc(m.Issues, func(i schemas.Issue) bool { return i.Action == value })
	case "created":
		return value == "" && m.CreatedAt == 0 || m.CreatedAt.String() == value
	}
	return false
}

// sourceOf groups the sources as the page counts them.
func sourceOf(source string) string {
	for group, begins := range map[string][]string{
		"vendor page": {"received content", "D ", "lark-docs"}, "vendor code": {"CLI", "OCL", "GO", "cli#"}, "rule of ours": {"rule"},
	} {
		for _, b := range begins {
			if strings.HasPrefix(source, b) {
				return group
			}
		}
	}
	return "public report or client"
}

func checkCounts(t *testing.T, from map[string]int, rows int) {
	t.Helper()
	page, err := os.ReadFile(formatsPage)
	if err != nil {
		t.Fatal(err)
	}
	from["all"] = rows
	for group, n := range from {
		if line := "| " + strconv.Itoa(n) + " | " + group + " |"; !strings.Contains(string(page), line) {
			t.Errorf("%s does not count %s", formatsPage, line)
		}
	}
}

var quotedWord = regexp.MustCompile(`"([a-z_0-9]+)"`)

// TestFormatsNameWhatTheDecoderKnows fails where the decoder knows a type or a tag of which the page has no row.
func TestFormatsNameWhatTheDecoderKnows(t *testing.T) {
	var named strings.Builder
	for _, row := range formatRows(t) {
		named.WriteString(row.what + "\n" + row.fixture + "\n")
	}
	for file, functions := range map[string][]string{
		"decode_content.go": {"func kindOf("}, "decode_element.go": {"func (d *reader) element(", "func (d *reader) media("},
		"decode_block.go": {"func isBlock("}, "decode_markdown.go": {"func (w *markdownWalk) tag("},
	} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range functions {
			_, body, ok := strings.Cut(string(b), function)
			body, _, whole := strings.Cut(body, "\n}\n")
			words := 0
			for line := range strings.Lines(body) {
				if strings.Contains(line, "d.") {
					continue
				}
				for _, word := range quotedWord.FindAllStringSubmatch(line, -1) {
					words++
					if !strings.Contains(named.String(), word[1]) {
						t.Errorf("%s knows %s, the page does not", file, word[1])
					}
				}
			}
			if !ok || !whole || words < 3 {
				t.Errorf("%s: %d words found in %q", file, words, function)
			}
		}
	}
}
