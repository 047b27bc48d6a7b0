package feishu_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	tenant = "736588c9260f175e"
	chatID = "oc_5ad11d72b830411d72b836c20"
)

// listPage is a page of a chat's messages.
func listPage(body []byte) *schemas.Page {
	return &schemas.Page{
		Container:    schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, chatID),
		Conversation: schemas.NewConversationKey(schemas.Feishu, tenant, chatID),
		Type:         schemas.FeishuMessagesList, ContentType: "application/json", Time: time.UnixMilli(1_700_001_000_000),
		Epoch: 1, Number: 1, Request: "GET /open-apis/im/v1/messages", HTTPStatus: 200, Code: "0", AppID: "cli_1", Body: body,
	}
}

// getPage is the answer to a look-up of one message.
func getPage(body []byte, id string) *schemas.Page {
	p := listPage(body)
	p.Type, p.Subject, p.Final = schemas.FeishuMessagesGet, id, true
	p.Container = schemas.MessageContainerKey(schemas.Feishu, tenant, chatID, id)
	return p
}

// itemsPage is a page of a chat with the given items.
func itemsPage(items ...string) *schemas.Page {
	return listPage([]byte(`{"code":0,"msg":"success","data":{"has_more":false,"items":[` + strings.Join(items, ",") + `]}}`))
}

// textItem is a text message with further fields, each starting with a comma.
func textItem(id, fields string) string {
	return `{"message_id":"` + id + `","msg_type":"text","create_time":"1700000000000","update_time":"1700000000000",` +
		`"chat_id":"` + chatID + `","sender":{"id":"ou_1","id_type":"open_id","sender_type":"user","tenant_key":"t"},` +
		`"body":{"content":"{\"text\":\"hello\"}"}` + fields + `}`
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// expansion is the answer about a merged forward that a list page shows.
func expansion(id string, items ...string) *schemas.Page {
	p := itemsPage(items...)
	p.Type, p.Subject = schemas.FeishuMessagesGet, id
	return p
}

func decodeAll(pages ...*schemas.Page) *connectors.Decoded {
	out := &connectors.Decoded{}
	var all []schemas.Page
	for _, p := range pages {
		all = append(all, *p)
	}
	feishu.NewDecoder().Decode(all, out)
	return out
}

// only decodes a page that is to give one message and nothing else.
func only(t *testing.T, page *schemas.Page) *schemas.Message {
	t.Helper()
	out := decodeAll(page)
	if len(out.Readings) != 1 || len(out.Failed) != 0 {
		t.Fatalf("got %d readings, %d failed %v", len(out.Readings), len(out.Failed), out.Failed)
	}
	encode(t, &out.Readings[0])
	return &out.Readings[0].Message
}

// encode finishes a reading as the pipeline does and proves that it can be written and read again.
func encode(t testing.TB, r *connectors.Reading) {
	t.Helper()
	m := r.Message
	m.Version, m.Change = 1, schemas.ChangeCreated
	m.Provenance.PageID, m.Provenance.SourceAPI, m.Provenance.RawTopic = "p", schemas.FeishuMessagesList, "im.raw.pages"
	m.Provenance.NormalizerVersion = "chatlake/test"
	b, err := schemas.MessageSchema.Append(nil, 1, &m)
	if err != nil {
		t.Fatalf("message %q: %v", m.MessageID, err)
	}
	want := string(schemas.NewRecordID(schemas.Feishu, m.TenantID, m.MessageID))
	if f := m.Forward; f.ParentRecordID != nil {
		want = *f.ParentRecordID + "/" + schemas.Part(m.MessageID)
	}
	if again, numbered := strings.CutPrefix(m.RecordID, want+"#"); m.RecordID != want && (m.Forward.Path == nil || !numbered || again < "1") {
		t.Fatalf("record id %q does not follow from %q and %q", m.RecordID, m.TenantID, m.MessageID)
	}
	_, body, err := schemas.Frame(b)
	if err != nil {
		t.Fatal(err)
	}
	var back schemas.Message
	if err := schemas.MessageSchema.Decode(body, &back); err != nil {
		t.Fatalf("message %q: %v", m.MessageID, err)
	}
}

// goldenOf gives what a page decodes to, without what is the same everywhere, a line for each message and failure.
func goldenOf(t *testing.T, out *connectors.Decoded) []byte {
	t.Helper()
	var lines []any
	for i := range out.Readings {
		r := &out.Readings[i]
		encode(t, r)
		b, err := json.Marshal(&r.Message)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		if r.OtherConversation {
			m["other_conversation"] = true
		}
		if r.Message.Forward.Path == nil {
			for _, k := range []string{"record_id", "occurred_at", "event_date"} {
				delete(m, k) // follow from message_id and created_at
			}
		}
		lines = append(lines, plain(m))
	}
	for _, a := range out.Answers {
		lines = append(lines, a)
	}
	for _, f := range out.Failed {
		lines = append(lines, f)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, m := range lines {
		if err := e.Encode(m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// plain leaves out nulls, empty lists and the fields that are the same in each message of a page.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == "text" && e == "" {
				continue // an empty text is one
			}
			e = plain(e)
			if e == nil || k == "version" || k == "change" || k == "platform" || k == "tenant_id" && e == tenant || k == "app_id" ||
				k == "conversation_id" || k == "conversation_kind" {
				delete(v, k)
			} else {
				v[k] = e
			}
		}
		if v["role"] == schemas.ForwardNone || len(v) == 0 || len(v) == 1 && v["status"] == schemas.LinkNone {
			return nil
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		if len(v) == 0 {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	case string:
		if v == "" || v == "1970-01-01T00:00:00.000Z" {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"types", "posts", "cards", "states", "oddities"} {
		t.Run(name, func(t *testing.T) { compare(t, name, decodeAll(listPage(fixture(t, name+".json")))) })
	}
	t.Run("forward", func(t *testing.T) { compare(t, "forward", decodeAll(getPage(fixture(t, "forward.json"), "om_0004"))) })
	t.Run("single", func(t *testing.T) { compare(t, "single", decodeAll(getPage(fixture(t, "single.json"), "om_0001"))) })
}

func compare(t *testing.T, name string, out *connectors.Decoded) {
	t.Helper()
	got := goldenOf(t, out)
	file := filepath.Join("testdata", "golden", name+".json")
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s decodes to\n%s\nwant\n%s", name, got, want)
	}
}
