package schemas_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/schemas"
)

// field is one field of a record as the tests write it down: "name type", "name type=default". string? is
// ["null","string"] with default null; ts is long/timestamp-millis; []X an array of X; {} a map of strings.
type field struct{ name, kind, def string }

func fields(spec string) []field {
	var out []field
	for line := range strings.Lines(spec) {
		decl, def, _ := strings.Cut(strings.TrimSpace(line), "=")
		if decl == "" {
			continue
		}
		name, kind, _ := strings.Cut(decl, " ")
		if strings.HasSuffix(kind, "?") {
			def = "null"
		}
		out = append(out, field{name, kind, def})
	}
	return out
}

// records is the contract of the record formats.
var records = map[string][]field{
	"Container": fields(`
		key string
		platform string
		tenant_id string
		kind string
		id string
		conversation_id string
		window_start ts?
		window_end ts?
		mode string="backfill"
		epoch long=1
		refs []MessageRef=[]
		cancelled boolean=false
		cause string=""
		requested_at ts
		resume boolean=false`),
	"MessageRef": fields(`
		message_id string
		created_at ts?`),
	"Checkpoint": fields(`
		container_key string
		epoch long
		state string="UNKNOWN"
		cursor string?
		watermark ts?
		pages long=0
		items long=0
		calls long=0
		last_page_id string?
		error_code string?
		error_message string?
		updated_at ts`),
	"Message": fields(`
		record_id string
		version long
		source_revision long
		change string
		platform string
		tenant_id string
		app_id string
		conversation_id string
		conversation_kind string="UNKNOWN"
		message_id string
		client_message_id string?
		message_type string
		message_subtype string?
		content_kind string
		created_at ts
		occurred_at ts
		event_date string
		updated_at ts?
		recalled_at ts?
		state string="UNKNOWN"
		is_edited boolean=false
		sender Sender
		text string?
		content_json string?
		mentions []Mention=[]
		attachments []Attachment=[]
		conversation_seq long?
		thread_seq long?
		copy_of_message_id string?
		thread_id string?
		is_thread_root boolean=false
		parent Link
		root Link
		forward Forward
		provenance Provenance
		issues []Issue=[]
		attributes {}={}`),
	"Sender": fields(`
		id string=""
		id_type string=""
		kind string=""
		tenant_id string?
		name string?
		client_type string?`),
	"Mention": fields(`
		placeholder string=""
		id string?
		id_type string?
		name string?
		tenant_id string?
		is_all boolean=false
		attributes {}={}`),
	"Attachment": fields(`
		attachment_no long
		kind string
		file_key string?
		name string?
		url string?
		md5 string?
		mime_type string?
		size_bytes long?
		duration_ms long?
		width long?
		height long?
		attributes {}={}`),
	"Link": fields(`
		status string="UNKNOWN"
		reason string?
		message_id string?
		record_id string?
		client_message_id string?
		sender_id string?
		created_at ts?`),
	"Forward": fields(`
		role string="UNKNOWN"
		container_record_id string?
		parent_record_id string?
		parent_message_id string?
		ancestor_ids []string=[]
		path string?
		depth long=0
		child_no long?
		child_count long?
		descendant_count long?
		expansion string="UNKNOWN"
		expansion_reason string?`),
	"Provenance": fields(`
		page_id string
		source_api string
		raw_topic string
		raw_partition long
		raw_offset long
		item_pointer string
		connector_version string
		normalizer_version string
		extracted_at ts
		normalized_at ts`),
	"Issue": fields(`
		field string
		action string
		reason string
		attributes {}={}`),
	"DeadLetter": fields(`
		id string
		stage string
		error_class string
		error_message string
		retryable boolean
		conversation_key string
		container_key string?
		page_id string?
		item_pointer string?
		record_id string?
		source_topic string?
		source_partition long?
		source_offset long?
		body bytes?
		body_truncated boolean=false
		failed_at ts`),
}

// reserved are words that SQL engines refuse as a column's name without quotes.
var reserved = []string{"position", "value", "timestamp", "date", "user", "offset", "partition", "count", "comment"}

// lint walks a schema's text and gathers what is not allowed; found are the records that it defines.
type lint struct {
	found  map[string][]field
	faults []string
}

func (l *lint) fault(at, format string, args ...any) {
	l.faults = append(l.faults, at+": "+fmt.Sprintf(format, args...))
}

func (l *lint) record(at string, n map[string]any) string {
	name, _ := n["name"].(string)
	if n["namespace"] != "chatlake.v1" {
		l.fault(at, "namespace %v", n["namespace"])
	}
	if doc, _ := n["doc"].(string); len(doc) < 8 {
		l.fault(at, "record %s has no doc", name)
	}
	if _, twice := l.found[name]; twice {
		l.fault(at, "record %s is defined twice or holds itself", name)
	}
	l.found[name] = nil
	list, _ := n["fields"].([]any)
	var out []field
	for _, e := range list {
		f, _ := e.(map[string]any)
		fieldName, _ := f["name"].(string)
		where := at + "/" + fieldName
		if doc, _ := f["doc"].(string); len(doc) < 8 {
			l.fault(where, "no doc")
		}
		for k := range f {
			if !slices.Contains([]string{"name", "type", "default", "doc"}, k) {
				l.fault(where, "has %q", k)
			}
		}
		got := field{fieldName, l.kind(where, f["type"]), ""}
		if d, ok := f["default"]; ok {
			b, _ := json.Marshal(d)
			got.def = string(b)
		}
		if strings.HasSuffix(got.kind, "?") && got.def != "null" {
			l.fault(where, "nullable without default null")
		}
		out = append(out, got)
	}
	l.found[name] = out
	return name
}

func (l *lint) kind(at string, n any) string {
	switch t := n.(type) {
	case string:
		done := l.found[t] != nil // a record that is still open would be a recursion
		if !done && !slices.Contains([]string{"string", "long", "boolean", "bytes"}, t) {
			l.fault(at, "type %s", t)
		}
		return t
	case []any:
		if len(t) != 2 || t[0] != "null" {
			l.fault(at, "union %v is not null and one type", t)
			return "?"
		}
		branch := l.kind(at, t[1])
		if !slices.Contains([]string{"string", "long", "boolean", "bytes", "ts"}, branch) {
			l.fault(at, "union with %s, which is no primitive", branch)
		}
		return branch + "?"
	case map[string]any:
		return l.complex(at, t)
	}
	l.fault(at, "type %v", n)
	return ""
}

func (l *lint) complex(at string, t map[string]any) string {
	switch t["type"] {
	case "record":
		return l.record(at, t)
	case "array":
		items := l.kind(at, t["items"])
		if strings.HasSuffix(items, "?") {
			l.fault(at, "array of nullable items")
		}
		return "[]" + items
	case "map":
		if t["values"] != "string" {
			l.fault(at, "map of %v", t["values"])
		}
		return "{}"
	case "long":
		if t["logicalType"] != "timestamp-millis" || len(t) != 2 {
			l.fault(at, "long as %v", t)
		}
		return "ts"
	}
	l.fault(at, "type %v", t["type"])
	return ""
}

func lintText(text string) *lint {
	l := &lint{found: map[string][]field{}}
	var tree map[string]any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		l.fault("", "%v", err)
		return l
	}
	if tree["type"] != "record" {
		l.fault("", "type %v", tree["type"])
	}
	l.record("", tree)
	return l
}

func TestSchemasAreTheContract(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range schemas.Schemas() {
		l := lintText(s.Text)
		for _, f := range l.faults {
			t.Errorf("%s%s", s.Name, f)
		}
		for name, got := range l.found {
			seen[name] = true
			if want := records[name]; !slices.Equal(got, want) {
				t.Errorf("%s: record %s is\n%v, not\n%v", s.Name, name, got, want)
			}
		}
	}
	for name := range records {
		if !seen[name] {
			t.Errorf("no schema defines %s", name)
		}
	}
}

func TestNoReservedWords(t *testing.T) {
	for name, list := range lintText(schemas.MessageSchema.Text).found {
		for _, f := range list {
			if slices.Contains(reserved, strings.ToLower(f.name)) {
				t.Errorf("%s.%s is a word that SQL reserves", name, f.name)
			}
		}
	}
}

func TestLintRefuses(t *testing.T) {
	for what, kind := range map[string]string{
		"int": `"int"`, "float": `"float"`, "double": `"double"`, "another long": `{"type":"long","logicalType":"timestamp-micros"}`,
		"fixed": `{"type":"fixed","name":"F","size":4}`, "enum": `{"type":"enum","name":"E","symbols":["A"]}`,
		"null last": `["string","null"]`, "three branches": `["null","string","long"]`, "null array": `["null",{"type":"array","items":"string"}]`,
		"null map": `["null",{"type":"map","values":"string"}]`, "recursion": `{"type":"array","items":"R"}`, "map of longs": `{"type":"map","values":"long"}`,
		"null items": `{"type":"array","items":["null","string"]}`, "no default null": `["null","string"]`,
		"null record": `["null",{"type":"record","name":"N","namespace":"chatlake.v1","doc":"A long doc.","fields":[]}]`,
	} {
		text := `{"type":"record","name":"R","namespace":"chatlake.v1","doc":"A long doc.","fields":[{"name":"f","doc":"A long doc.","type":` + kind + `}]}`
		if l := lintText(text); len(l.faults) == 0 {
			t.Errorf("%s passes", what)
		}
	}
	for what, text := range map[string]string{
		"field without doc":  `{"type":"record","name":"R","namespace":"chatlake.v1","doc":"A long doc.","fields":[{"name":"f","type":"string"}]}`,
		"record without doc": `{"type":"record","name":"R","namespace":"chatlake.v1","fields":[]}`,
		"namespace":          `{"type":"record","name":"R","namespace":"x","doc":"A long doc.","fields":[]}`,
	} {
		if l := lintText(text); len(l.faults) == 0 {
			t.Errorf("%s passes", what)
		}
	}
}
