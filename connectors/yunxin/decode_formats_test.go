package yunxin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// formatRow is a row of the tables in docs/formats/yunxin.md.
type formatRow struct {
	fragments []string // of the fixture
	becomes   []string
	fixture   string
	line      int
}

// formatRows reads the tables that have a column of fixtures.
func formatRows(t *testing.T) []formatRow {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats", "yunxin.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []formatRow
	in := false
	for i, line := range strings.Split(string(text), "\n") {
		cells := tableCells(line)
		switch {
		case len(cells) == 0:
			in = false
		case slices.Contains(cells, "fixture"):
			in = true
		case in && !strings.HasPrefix(cells[0], "---"):
			row := formatRow{line: i + 1}
			if len(cells) == 4 {
				row.fragments, row.becomes, row.fixture = codeSpans(cells[0]), codeSpans(cells[2]), cells[3]
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// tableCells cuts a line of a table at its bars, none where it is no such line.
func tableCells(line string) []string {
	if !strings.HasPrefix(line, "|") {
		return nil
	}
	const bar = "\x00"
	cells := strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, bar), "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(strings.ReplaceAll(cells[i], bar, "|"))
	}
	return cells
}

var codeSpan = regexp.MustCompile("`([^`]*)`")

func codeSpans(cell string) []string {
	var spans []string
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		spans = append(spans, m[1])
	}
	return spans
}

// formatFixtures gives the fixtures as they were written, and what they decode to, by the ids of clients.
func formatFixtures(t *testing.T) (raw map[string]string, decoded map[string]map[string]any) {
	t.Helper()
	page, file := decodeFixture(t, "formats.json"), decodeFixture(t, "formats.txt")
	raw, decoded = map[string]string{}, map[string]map[string]any{}
	items, whole := decode.SplitArray(page, 10_000, "data", "items")
	if !whole {
		t.Fatal("formats.json has no items")
	}
	_, lines, _ := bytes.Cut(file, []byte("\n"))
	container := ""
	var p decode.Parser
	for key, texts := range map[string][][]byte{"message_client_id": items, "11": bytes.Split(lines, []byte("\n"))} {
		for _, text := range texts {
			v, err := p.Parse(text)
			id := v.Get(key).Word()
			if err != nil || id == "" || raw[id] != "" {
				t.Fatalf("fixture %q: %v, or named twice", text, err)
			}
			raw[id] = string(text)
			if id == "merged" {
				container = v.Get("message_server_id").Word()
			}
		}
	}
	raw["inline-child"] = raw["c-inline"]
	out := decodePages(filePage(container, "https://nos.example/formats.txt", string(file)), historyPage(page))
	if len(out.Failed) > 0 {
		t.Fatalf("failed %+v", out.Failed)
	}
	for i := range out.Readings {
		writable(t, &out.Readings[i])
		m := &out.Readings[i].Message
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var fields map[string]any
		if err := d.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		decoded[*m.ClientMessageID] = fields
	}
	return raw, decoded
}

// check gives what is wrong with a row.
func (row *formatRow) check(raw string, m map[string]any) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if row.fixture == "" || raw == "" || m == nil {
		return []string{fmt.Sprintf("fixture %q does not exist", row.fixture)}
	}
	if len(row.fragments) == 0 {
		fault("names no fragment of its fixture")
	}
	for _, f := range row.fragments {
		if !strings.Contains(raw, f) {
			fault("fixture %s does not contain %s", row.fixture, f)
		}
	}
	var issues, want []string
	if list, ok := m["issues"].([]any); ok {
		for _, i := range list {
			issue := i.(map[string]any)
			issues = append(issues, fmt.Sprintf("issue %v %v", issue["field"], issue["action"]))
		}
	}
	named := map[string]bool{}
	for _, b := range row.becomes {
		if strings.HasPrefix(b, "issue ") {
			want = append(want, b)
			continue
		}
		path, value, _ := strings.Cut(b, "=")
		named[path] = true
		if got := valueAt(m, path); got != value && (got != "null" || value != "none") {
			fault("%s is %s, not %s", path, got, value)
		}
	}
	if !named["text"] || !named["content_kind"] {
		fault("names no text or no content_kind")
	}
	if !slices.Equal(issues, want) {
		fault("issues are %q, not %q", issues, want)
	}
	return faults
}

// valueAt writes the value at a path of a record as the tables do.
func valueAt(v any, path string) string {
	for key := range strings.SplitSeq(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return "none"
			}
			v = at[i]
		default:
			return "none"
		}
	}
	switch v := v.(type) {
	case nil:
		return "null"
	case []any:
		if len(v) == 0 {
			return "none"
		}
	case string:
		return escapeControls(strings.ReplaceAll(v, "\n", `\n`))
	}
	return fmt.Sprint(v)
}

// escapeControls writes bidirectional controls so that they can be seen.
func escapeControls(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069 {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// The tables say what the decoder does, each row by a fixture, and each fixture is one of a row.
func TestFormats(t *testing.T) {
	raw, decoded := formatFixtures(t)
	rows := formatRows(t)
	used := map[string]bool{}
	for i := range rows {
		row := &rows[i]
		used[row.fixture] = true
		for _, fault := range row.check(raw[row.fixture], decoded[row.fixture]) {
			t.Errorf("yunxin.md:%d: %s", row.line, fault)
		}
	}
	for id := range raw {
		if !used[id] {
			t.Errorf("fixture %s is in no row", id)
		}
	}
	if t.Logf("%d rows, %d fixtures", len(rows), len(raw)); len(rows) < 250 {
		t.Errorf("%d rows", len(rows))
	}
}

// What the decoder knows has a row: message types, and kinds of notification that it says in words.
func TestFormatsAreComplete(t *testing.T) {
	var fragments []string
	for _, row := range formatRows(t) {
		fragments = append(fragments, row.fragments...)
	}
	listed := func(keys []string, n int) bool {
		exact := regexp.MustCompile(`"(` + strings.Join(keys, "|") + `)":` + strconv.Itoa(n) + `\b`)
		return slices.ContainsFunc(fragments, exact.MatchString)
	}
	types, kinds := 0, 0
	for n := range 300 {
		m := oneMessage(t, historyOf(itemOf("1", strconv.Itoa(n), `,"text":"x","attachment":{"url":"u"}`)))
		if m.ContentKind == schemas.ContentUnknown {
			continue
		}
		if types++; !listed([]string{"message_type"}, n) {
			t.Errorf("message type %d has no row", n)
		}
	}
	for n := range 3200 {
		m := oneMessage(t, historyOf(itemOf("1", "5", `,"attachment":{"type":`+strconv.Itoa(n)+`}`)))
		if m.Text == nil {
			continue
		}
		if kinds++; !listed([]string{"ope", "id", "type"}, n) {
			t.Errorf("notification %d has no row", n)
		}
	}
	if types != 12 || kinds != 25 {
		t.Errorf("%d types, %d kinds", types, kinds)
	}
}

// A row that is wrong is found out.
func TestFormatsFindFaults(t *testing.T) {
	raw, decoded := formatFixtures(t)
	good := formatRow{fixture: "ait-one", fragments: []string{"yxAitMsg"}, becomes: []string{"content_kind=TEXT", "text=@Bob look", "mentions.0.id=bob"}}
	if faults := good.check(raw[good.fixture], decoded[good.fixture]); len(faults) > 0 {
		t.Fatalf("faults of a good row: %q", faults)
	}
	for name, change := range map[string]func(r *formatRow){
		"no fixture":      func(r *formatRow) { r.fixture = "" },
		"another fixture": func(r *formatRow) { r.fixture = "not-there" },
		"no fragment":     func(r *formatRow) { r.fragments = nil },
		"fragment":        func(r *formatRow) { r.fragments = []string{"yxReplyMsg"} },
		"value":           func(r *formatRow) { r.becomes = append(r.becomes, "mentions.0.name=Ann") },
		"beyond a list":   func(r *formatRow) { r.becomes = append(r.becomes, "mentions.1.name=Bob") },
		"issue":           func(r *formatRow) { r.becomes = append(r.becomes, "issue text NULLED") },
		"no text":         func(r *formatRow) { r.becomes = []string{"content_kind=TEXT"} },
	} {
		row := good
		row.becomes = slices.Clone(good.becomes)
		change(&row)
		if faults := row.check(raw[row.fixture], decoded[row.fixture]); len(faults) == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
	lost := formatRow{fixture: "tip-nothing", fragments: []string{"flag"}, becomes: []string{"content_kind=TIP", "text=null"}}
	if faults := lost.check(raw[lost.fixture], decoded[lost.fixture]); len(faults) != 1 {
		t.Errorf("a row that hides an issue: %q", faults)
	}
}

// A type 101 of an app that has nothing of a merged forward is a custom message.
func TestCaseAppType101(t *testing.T) {
	var c struct{ Body json.RawMessage }
	if err := json.Unmarshal(decodeFixture(t, filepath.Join("cases", "c23-app-type-101.json")), &c); err != nil {
		t.Fatal(err)
	}
	out := decodePages(historyPage(c.Body))
	if len(out.Readings) != 2 || len(out.Failed) != 0 {
		t.Fatalf("got %d readings, failed %+v", len(out.Readings), out.Failed)
	}
	for i := range out.Readings {
		m := &out.Readings[i].Message
		if m.ContentKind != schemas.ContentCustom || m.Forward.Role != schemas.ForwardNone || m.Forward.Expansion != schemas.ExpansionNotApplicable ||
			orEmpty(m.Text) != "[gift]" || orEmpty(m.MessageSubtype) != "101" || m.ContentJSON == nil || len(m.Issues) != 0 {
			t.Errorf("got %+v", m)
		}
	}
}
