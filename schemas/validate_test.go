package schemas_test

import (
	"reflect"
	"strings"
	"testing"

	"chatlake/schemas"
)

func TestSamplesAreValid(t *testing.T) {
	for _, s := range samples() {
		for _, v := range []schemas.Validator{s.full, s.minimal} {
			if err := v.Validate(); err != nil {
				t.Errorf("%s: %v", s.schema.Name, err)
			}
		}
	}
}

// closed are the closed lists of words, by the path of their field.
var closed = map[string][]string{
	"container.kind":            {"chat", "thread", "message", "conversation", "messages"},
	"container.mode":            {"backfill", "follow"},
	"checkpoint.state":          {"UNKNOWN", "PENDING", "RUNNING", "WAITING", "COMPLETE", "FAILED", "CANCELLED"},
	"deadletter.stage":          {"extract", "decode", "normalize", "encode"},
	"message.conversation_kind": {"UNKNOWN", "P2P", "GROUP", "TOPIC_GROUP", "SUPER_GROUP"},
	"message.state":             {"UNKNOWN", "NORMAL", "RECALLED", "DELETED"},
	"message.parent.status":     {"UNKNOWN", "NONE", "RESOLVED", "PENDING", "MISSING", "DELETED", "FORBIDDEN", "OUT_OF_SCOPE"},
	"message.root.status":       {"UNKNOWN", "NONE", "RESOLVED", "PENDING", "MISSING", "DELETED", "FORBIDDEN", "OUT_OF_SCOPE"},
	"message.forward.role":      {"UNKNOWN", "NONE", "CONTAINER", "CHILD", "CHILD_CONTAINER"},
	"message.forward.expansion": {"UNKNOWN", "NOT_APPLICABLE", "COMPLETE", "PARTIAL", "FAILED"},

	"message.attachments[0].kind": {"image", "file", "audio", "video", "sticker", "folder"},
}

func TestClosedWords(t *testing.T) {
	tried := 0
	for _, s := range samples() {
		eachLeaf(reflect.ValueOf(s.full).Elem(), s.schema.Name, func(path string, leaf reflect.Value) {
			words, ok := closed[path]
			if !ok {
				return
			}
			tried++
			was := leaf.String()
			for _, word := range words {
				leaf.SetString(word)
				err := s.full.Validate()
				if err != nil && !strings.Contains(err.Error(), "is recalled or deleted and has content") {
					t.Errorf("%s %s: %v", path, word, err)
				}
			}
			for _, word := range []string{"", strings.ToLower(words[0]) + "x", " " + words[0], words[0] + "\x00"} {
				leaf.SetString(word)
				if err := s.full.Validate(); err == nil || !strings.Contains(err.Error(), "not one of "+strings.Join(words, ", ")) {
					t.Errorf("%s %q: %v", path, word, err)
				}
			}
			leaf.SetString(was)
		})
	}
	if tried != len(closed) {
		t.Errorf("%d lists tried of %d", tried, len(closed))
	}
}

// TestInvalidUTF8 puts a broken byte into each string of each record.
func TestInvalidUTF8(t *testing.T) {
	for _, s := range samples() {
		eachLeaf(reflect.ValueOf(s.full).Elem(), s.schema.Name, func(path string, leaf reflect.Value) {
			was := leaf.Interface()
			switch {
			case leaf.Kind() == reflect.String:
				leaf.SetString("\xc3(")
			case leaf.Type() == reflect.TypeFor[*string]():
				leaf.Set(reflect.ValueOf(ptr("ok\xff")))
			default:
				return
			}
			if s.full.Validate() == nil {
				t.Errorf("%s takes invalid UTF-8", path)
			}
			leaf.Set(reflect.ValueOf(was))
		})
	}
}

// TestRequired empties each string of the minimal records that must not be empty.
func TestRequired(t *testing.T) {
	required := map[string]int{"container": 7, "checkpoint": 2, "message": 17, "deadletter": 4}
	for _, s := range samples() {
		refused := 0
		eachLeaf(reflect.ValueOf(s.minimal).Elem(), s.schema.Name, func(path string, leaf reflect.Value) {
			if leaf.Kind() != reflect.String || leaf.String() == "" {
				return
			}
			was := leaf.String()
			leaf.SetString("")
			if err := s.minimal.Validate(); err == nil {
				t.Errorf("%s may be empty", path)
			} else {
				refused++
			}
			leaf.SetString(was)
		})
		if refused < required[s.schema.Name] {
			t.Errorf("%s requires %d strings, not %d", s.schema.Name, refused, required[s.schema.Name])
		}
	}
}

func TestLimits(t *testing.T) {
	long := func(n int) *string { return ptr(strings.Repeat("x", n)) }
	fits := fullMessage()
	fits.Text, fits.ContentJSON = long(schemas.MaxText), long(schemas.MaxContent)
	if err := fits.Validate(); err != nil {
		t.Error(err)
	}
	messages := map[string]func(m *schemas.Message){
		"text is longer":               func(m *schemas.Message) { m.Text = long(schemas.MaxText + 1) },
		"content_json is longer":       func(m *schemas.Message) { m.ContentJSON = long(schemas.MaxContent + 1) },
		"version is 0":                 func(m *schemas.Message) { m.Version = 0 },
		"event_date is \"2023-11-15\"": func(m *schemas.Message) { m.EventDate = "2023-11-15" },
		"mentions has more":            func(m *schemas.Message) { m.Mentions = make([]schemas.Mention, 1<<17+1) },
		"attachments has more": func(m *schemas.Message) {
			m.Attachments = make([]schemas.Attachment, 1<<17+1)
			for i := range m.Attachments {
				m.Attachments[i].Kind = "file"
			}
		},
		"ancestor_ids has more": func(m *schemas.Message) { m.Forward.AncestorIDs = make([]string, 1<<17+1) },
		"issues has more": func(m *schemas.Message) {
			m.Issues = make([]schemas.Issue, 1<<17+1)
		},
		"attributes is not in the order": func(m *schemas.Message) { m.Attributes[0], m.Attributes[1] = m.Attributes[1], m.Attributes[0] },
		"mentions/attributes is not in the order": func(m *schemas.Message) {
			m.Mentions[0].Attributes = schemas.Attributes{{Key: "a"}, {Key: "a"}}
		},
		"attributes is longer": func(m *schemas.Message) { m.Attributes.Set("k", *long(16<<20 + 1)) },
	}
	for want, change := range messages {
		m := fullMessage()
		change(m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	for want, v := range map[string]schemas.Validator{
		"epoch is 0":     &schemas.Container{Key: "k", Platform: "p", TenantID: "t", Kind: "chat", ID: "i", ConversationID: "c", Mode: "backfill"},
		"is negative":    &schemas.Checkpoint{ContainerKey: "k", Epoch: 1, State: "UNKNOWN", Items: -1},
		"epoch is -1":    &schemas.Checkpoint{ContainerKey: "k", Epoch: -1, State: "UNKNOWN"},
		"body is longer": &schemas.DeadLetter{ID: "i", Stage: "encode", ErrorClass: "c", ConversationKey: "k", Body: ptr(make([]byte, 1<<20+1))},
	} {
		if err := v.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

func TestRecalledHasNoContent(t *testing.T) {
	for _, state := range []string{schemas.MessageRecalled, schemas.MessageDeleted} {
		m := minimalMessage()
		m.State = state
		if err := m.Validate(); err != nil {
			t.Errorf("%s: %v", state, err)
		}
		for what, change := range map[string]func(m *schemas.Message){
			"text":        func(m *schemas.Message) { m.Text = ptr("") },
			"content":     func(m *schemas.Message) { m.ContentJSON = ptr("{}") },
			"mentions":    func(m *schemas.Message) { m.Mentions = make([]schemas.Mention, 1) },
			"attachments": func(m *schemas.Message) { m.Attachments = []schemas.Attachment{{Kind: "file"}} },
		} {
			m := minimalMessage()
			m.State = state
			change(m)
			if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "has content") {
				t.Errorf("%s with %s: %v", state, what, err)
			}
		}
	}
}
