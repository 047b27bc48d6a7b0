package schemas_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"chatlake/schemas"
)

const recordsPage = "../docs/formats/records.md"

// TestRecordsPage holds the tables of the page to the registered schemas; -update writes them.
func TestRecordsPage(t *testing.T) {
	const begin, end = "<!-- records -->\n", "<!-- /records -->\n"
	text, err := os.ReadFile(recordsPage)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, begun := strings.Cut(string(text), begin)
	got, foot, ended := strings.Cut(rest, end)
	if !begun || !ended {
		t.Fatalf("%s has no section of records", recordsPage)
	}
	var want strings.Builder
	for _, s := range schemas.Schemas() {
		var tree map[string]any
		if err := json.Unmarshal([]byte(s.Text), &tree); err != nil {
			t.Fatal(err)
		}
		recordTable(&want, tree)
	}
	if *update {
		if err := os.WriteFile(recordsPage, []byte(head+begin+want.String()+end+foot), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want.String() {
		t.Errorf("%s is not what the schemas say; go test ./schemas -run TestRecordsPage -update writes it", recordsPage)
	}
}

// recordTable writes the table of a record, then those of the records that it defines.
func recordTable(b *strings.Builder, record map[string]any) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| field | type | default | meaning |\n|---|---|---|---|\n", record["name"], record["doc"])
	var inner []map[string]any
	for _, e := range record["fields"].([]any) {
		f := e.(map[string]any)
		def := ""
		if d, ok := f["default"]; ok {
			text, _ := json.Marshal(d)
			def = "`" + string(text) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f["name"], typeName(f["type"], &inner), def, strings.ReplaceAll(f["doc"].(string), "|", `\|`))
	}
	for _, r := range inner {
		recordTable(b, r)
	}
}

// typeName spells a type in words and gathers the records that it defines.
func typeName(n any, inner *[]map[string]any) string {
	switch n := n.(type) {
	case string:
		return n
	case []any:
		return typeName(n[1], inner) + " or null"
	case map[string]any:
		switch n["type"] {
		case "record":
			*inner = append(*inner, n)
			return n["name"].(string)
		case "array":
			return "array of " + typeName(n["items"], inner)
		case "map":
			return "map of string"
		case "long":
			return n["logicalType"].(string)
		}
	}
	panic(fmt.Sprintf("type %v is not in the page's words", n))
}
