package yunxin_test

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
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

var updateDecoded = flag.Bool("update-decoded", false, "write the golden files of decoding anew")

const rawTenant = "45c6af3c98409b18a84451215d0bdd6e"

// rawPage is a page of a conversation.
func rawPage(kind, conversation string, body []byte) *schemas.Page {
	p := &schemas.Page{
		Container:    schemas.NewContainerKey(schemas.Yunxin, rawTenant, schemas.KindConversation, conversation),
		Conversation: schemas.NewConversationKey(schemas.Yunxin, rawTenant, conversation),
		Type:         kind, ContentType: "application/json", Time: time.UnixMilli(1_722_250_000_000), Epoch: 1, Number: 1,
		Request: "GET /im/v2/conversations/alice%7C2%7C42/messages", HTTPStatus: 200, Code: "200", AppID: rawTenant, Body: body,
	}
	if kind == schemas.YunxinMessagesBatch {
		p.Container = schemas.MessagesContainerKey(schemas.Yunxin, rawTenant, conversation, []string{"1"})
	}
	return p
}

// historyPage is a page of team 42's history.
func historyPage(body []byte) *schemas.Page {
	return rawPage(schemas.YunxinMessagesList, "team:42", body)
}

// historyOf is a page of team 42's history with these items.
func historyOf(items ...string) *schemas.Page {
	return historyPage([]byte(`{"code":200,"msg":"success","data":{"has_more":false,"items":[` + strings.Join(items, ",") + `]}}`))
}

// batchPage is the answer to a look-up of some messages of team 42.
func batchPage(body string, asked ...string) *schemas.Page {
	p := rawPage(schemas.YunxinMessagesBatch, "team:42", []byte(body))
	p.Request = `POST /im/v2/conversations/alice%7C2%7C42/batch_messages {"messages":[`
	for i, id := range asked {
		if i > 0 {
			p.Request += ","
		}
		p.Request += `{"message_server_id":` + id + `,"create_time":1722247467123}`
	}
	p.Request += `]}`
	return p
}

// filePage is the file of a merged forward.
func filePage(subject, url, body string) *schemas.Page {
	p := rawPage(schemas.YunxinMergedFile, "team:42", []byte(body))
	p.ContentType, p.Code, p.Subject, p.Request = "text/plain", "0", subject, url
	return p
}

// textItem is a text message of team 42 with further fields, each starting with a comma.
func textItem(id, fields string) string {
	return `{"message_server_id":` + id + `,"conversation_type":2,"sender_id":"alice","team_id":42,"message_type":0,` +
		`"create_time":1722247467123,"message_client_id":"c` + id + `","text":"hello"` + fields + `}`
}

// itemOf is a message of team 42 of another type, with further fields.
func itemOf(id, kind, fields string) string {
	return `{"message_server_id":` + id + `,"sender_id":"alice","team_id":42,"message_type":` + kind + `,"create_time":1722247467123` + fields + `}`
}

func decodeFixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "decode", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodePages(pages ...*schemas.Page) *connectors.Decoded {
	group := make([]schemas.Page, len(pages))
	for i := range pages {
		group[i] = *pages[i]
	}
	out := &connectors.Decoded{}
	yunxin.NewDecoder().Decode(group, out)
	return out
}

// oneMessage decodes a page that is to give one message and nothing else.
func oneMessage(t *testing.T, page *schemas.Page) *schemas.Message {
	t.Helper()
	out := decodePages(page)
	if len(out.Readings) != 1 || len(out.Failed) != 0 {
		t.Fatalf("got %d readings, %d failed %v", len(out.Readings), len(out.Failed), out.Failed)
	}
	writable(t, &out.Readings[0])
	return &out.Readings[0].Message
}

// writable finishes a reading as the pipeline does and proves that it can be written and read again.
func writable(t testing.TB, r *connectors.Reading) {
	t.Helper()
	m := r.Message
	m.Version, m.Change = 1, schemas.ChangeCreated
	m.Provenance.PageID, m.Provenance.SourceAPI, m.Provenance.RawTopic = "p", schemas.YunxinMessagesList, "im.raw.pages"
	m.Provenance.NormalizerVersion = "chatlake/test"
	b, err := schemas.MessageSchema.Append(nil, 1, &m)
	if err != nil {
		t.Fatalf("message %q: %v", m.MessageID, err)
	}
	if m.Forward.Depth == 0 && m.RecordID != string(schemas.NewRecordID(schemas.Yunxin, m.TenantID, m.MessageID)) {
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

func hasIssue(m *schemas.Message, field, action string) bool {
	for _, i := range m.Issues {
		if i.Field == field && i.Action == action {
			return true
		}
	}
	return false
}

// goldenLines gives what pages decode to, without what is the same everywhere, a line for each message, answer and failure.
func goldenLines(t *testing.T, out *connectors.Decoded) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	write := func(v any) {
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for i := range out.Readings {
		r := &out.Readings[i]
		writable(t, r)
		text, err := json.Marshal(&r.Message)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		m["page"], m["thread_by_root"], m["other_conversation"] = float64(r.Page), r.ThreadByRoot, r.OtherConversation
		write(condensed(m))
	}
	for _, a := range out.Answers {
		write(a)
	}
	for _, f := range out.Failed {
		write(f)
	}
	return b.Bytes()
}

// condensed leaves out nulls, empty lists and the fields that are the same in each message of a page.
func condensed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == "text" && e == "" {
				continue // an empty text is one
			}
			e = condensed(e)
			switch k {
			case "version", "change", "platform", "tenant_id", "app_id", "conversation_id", "conversation_kind", "event_date", "source_revision":
				e = nil
			}
			if e == nil {
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
			v[i] = condensed(v[i])
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
		return strings.ReplaceAll(v, rawTenant, "…")
	case float64:
		if v == 0 {
			return nil
		}
	}
	return v
}

// forwardPages are a page with merged forwards and what was fetched of them.
func forwardPages(t testing.TB) []*schemas.Page {
	gone := filePage("158844553334358101", "https://nos.example/gone.txt", "<html>")
	gone.Code, gone.HTTPStatus = "404", 404
	return []*schemas.Page{
		filePage("158844553334358100", "https://nos.example/merged.txt", string(decodeFixture(t, "forward.txt"))),
		filePage("158844553334358100", "https://nos.example/inner.txt", string(decodeFixture(t, "inner.txt"))),
		gone, historyPage(decodeFixture(t, "forward.json")),
	}
}

func TestDecodedGolden(t *testing.T) {
	for _, name := range []string{"types", "notices", "threads"} {
		t.Run(name, func(t *testing.T) { compareGolden(t, name, decodePages(historyPage(decodeFixture(t, name+".json")))) })
	}
	t.Run("batch", func(t *testing.T) {
		compareGolden(t, "batch", decodePages(batchPage(string(decodeFixture(t, "batch.json")), "1", "2")))
	})
	t.Run("forward", func(t *testing.T) { compareGolden(t, "forward", decodePages(forwardPages(t)...)) })
}

func compareGolden(t *testing.T, name string, out *connectors.Decoded) {
	t.Helper()
	got := goldenLines(t, out)
	file := filepath.Join("testdata", "decode", "golden", name+".json")
	if *updateDecoded {
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
