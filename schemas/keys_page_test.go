package schemas_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"chatlake/schemas"
)

// section gives the lines of a page of docs/formats between <!-- name --> and <!-- /name -->.
func section(t *testing.T, page, name string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/formats/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begun := strings.Cut(string(text), "<!-- "+name+" -->\n")
	body, _, ended := strings.Cut(rest, "<!-- /"+name+" -->")
	if !begun || !ended {
		t.Fatalf("%s has no section %s", page, name)
	}
	return strings.Split(strings.TrimSpace(body), "\n")
}

// rows gives the cells of the table in a section, without its head.
func rows(t *testing.T, page, name string) [][]string {
	t.Helper()
	var all [][]string
	for _, line := range section(t, page, name)[2:] {
		cells := strings.Split(strings.Trim(line, "| "), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, cells)
	}
	if len(all) == 0 {
		t.Fatalf("section %s of %s has no rows", name, page)
	}
	return all
}

var codeSpan = regexp.MustCompile("`([^`]*)`")

// code gives the texts in backquotes.
func code(cell string) []string {
	var all []string
	for _, m := range codeSpan.FindAllStringSubmatch(cell, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestKeysPage(t *testing.T) {
	for _, row := range rows(t, "keys.md", "escapes") {
		in, err := strconv.Unquote(`"` + code(row[0])[0] + `"`)
		if err != nil {
			t.Fatalf("%s: %v", row[0], err)
		}
		if got, want := schemas.Part(in), code(row[1])[0]; got != want {
			t.Errorf("%s is escaped as %s, the page says %s", row[0], got, want)
		}
	}
	for _, row := range rows(t, "keys.md", "keys") {
		if got, want := keyOf(t, row[0], code(row[1])), code(row[2])[0]; got != want {
			t.Errorf("%s %s is %s, the page says %s", row[0], row[1], got, want)
		}
	}
}

func keyOf(t *testing.T, what string, p []string) string {
	t.Helper()
	switch what {
	case "conversation":
		return string(schemas.NewConversationKey(p[0], p[1], p[2]))
	case "container":
		return string(schemas.NewContainerKey(p[0], p[1], p[2], p[3]))
	case "message container":
		return string(schemas.MessageContainerKey(p[0], p[1], p[2], p[3]))
	case "messages container":
		return string(schemas.MessagesContainerKey(p[0], p[1], p[2], p[3:]))
	case "record":
		return string(schemas.NewRecordID(p[0], p[1], p[2]))
	}
	t.Fatalf("the page has a key of an unknown sort: %s", what)
	return ""
}

func TestKeysPagePartitions(t *testing.T) {
	for _, row := range rows(t, "keys.md", "partitions") {
		key := schemas.ConversationKey(code(row[0])[0])
		hash, err := strconv.ParseUint(row[1], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		const all = math.MaxInt32
		if got := schemas.Partition(key, all); int64(got) != int64(hash&0x7fffffff)%all {
			t.Errorf("%s: another hash than the page's %d", key, hash)
		}
		for i, n := range []int{12, 50} {
			if got := fmt.Sprint(schemas.Partition(key, n)); got != row[2+i] {
				t.Errorf("%s is in partition %s of %d, the page says %s", key, got, n, row[2+i])
			}
		}
	}
}

var shellWord = regexp.MustCompile(`'([^']*)'|(\S+)`)

// TestKeysPageDigests computes the commands of the page and holds the page ids and the dead letter's id to the code's.
func TestKeysPageDigests(t *testing.T) {
	lines := section(t, "keys.md", "digests")
	lines = lines[1 : len(lines)-1] // without the fence
	var known []string
	for i := 0; i+1 < len(lines); i += 2 {
		command, piped := strings.CutSuffix(lines[i], " | sha256sum")
		command, prints := strings.CutPrefix(command, `$ printf '%s\0' `)
		if !piped || !prints {
			t.Fatalf("%s is not such a command", lines[i])
		}
		var parts []string
		for _, m := range shellWord.FindAllStringSubmatch(command, -1) {
			parts = append(parts, m[1]+m[2])
		}
		if got := sha(parts...); got != lines[i+1] {
			t.Errorf("%s gives %s", lines[i], got)
		}
		known = append(known, lines[i+1])
	}
	const container = "feishu/cli_a1b2/chat/oc_7d1f"
	list := "GET /open-apis/im/v1/messages?container_id_type=chat&container_id=oc_7d1f&page_token=t2"
	page := schemas.PageID(container, 1, 2, list, "")
	want := []string{
		page, schemas.PageID(container, 1, 2, "GET /open-apis/im/v1/messages/om_42?with_sender_name=true", "om_42"),
		schemas.DeadLetterID("decode", page, "/data/items/3", "", "bad_item"), sha("1001", "9007199254740993"),
	}
	if strings.Join(known, " ") != strings.Join(want, " ") {
		t.Errorf("the page has the digests %v, not %v", known, want)
	}
}
