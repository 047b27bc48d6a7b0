package yunxin_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

func TestDecodedPlace(t *testing.T) {
	for _, c := range []struct{ conversation, kind string }{
		{"p2p:alice:bob", schemas.ConversationP2P}, {"team:42", schemas.ConversationGroup}, {"super:42", schemas.ConversationSuperGroup},
		{"what:42", schemas.ConversationUnknown},
	} {
		page := rawPage(schemas.YunxinMessagesList, c.conversation, []byte(`{"code":200,"data":{"items":[{"message_server_id":5,"sender_id":"alice","message_type":0,"create_time":1722247467123,"text":"x"}]}}`))
		out := decodePages(page)
		if len(out.Readings) != 1 {
			t.Fatalf("%s: got %+v", c.conversation, out)
		}
		writable(t, &out.Readings[0])
		m := &out.Readings[0].Message
		if m.ConversationID != c.conversation || m.ConversationKind != c.kind || m.RecordID != "yunxin/"+rawTenant+"/5" || m.AppID != rawTenant ||
			m.Provenance.ItemPointer != "/data/items/0" || m.SourceRevision != 1_722_247_467_123 || m.EventDate != "2024-07-29" {
			t.Errorf("%s: got %+v", c.conversation, m)
		}
		if want := strings.TrimPrefix(c.kind, schemas.ConversationUnknown); out.ConversationKind != want || out.Readings[0].Source != connectors.FromList {
			t.Errorf("%s: kind %q, rank %d", c.conversation, out.ConversationKind, out.Readings[0].Source)
		}
	}
	if out := decodePages(batchPage(`{"code":200,"data":{"success_list":[`+textItem("5", "")+`]}}`, "5")); out.Readings[0].Source != connectors.FromOther {
		t.Errorf("a looked-up message has rank %d", out.Readings[0].Source)
	}
}

// The receiver is kept where the conversation does not tell it.
func TestReceivers(t *testing.T) {
	for _, c := range []struct{ conversation, sender, receiver, want string }{
		{"p2p:alice:bob", "alice", "bob", ""}, {"p2p:alice:bob", "bob", "alice", ""}, {"p2p:alice:bob", "robot", "bob", "bob"}, {"team:42", "alice", "42", "42"},
	} {
		out := decodePages(rawPage(schemas.YunxinMessagesList, c.conversation, []byte(`{"code":200,"data":{"items":[{"message_server_id":5,"sender_id":"`+c.sender+`","receiver_id":"`+c.receiver+`"}]}}`)))
		if len(out.Readings) != 1 || out.Readings[0].Message.Attributes.Get("receiver_id") != c.want || out.Readings[0].Message.Sender.ID != c.sender {
			t.Errorf("%+v: got %+v", c, out.Readings)
		}
	}
}

func TestOtherConversation(t *testing.T) {
	for _, c := range []struct {
		conversation, fields string
		other                bool
	}{
		{"team:42", `"team_id":42`, false}, {"team:42", `"team_id":"42","conversation_type":"2"`, false}, {"team:42", `"team_id":43`, true},
		{"team:42", `"conversation_type":2,"receiver_id":"42"`, false}, {"team:42", `"conversation_type":1,"receiver_id":"bob"`, true},
		{"team:42", `"x":1`, false}, {"super:42", `"team_id":42,"conversation_type":3`, false},
		{"p2p:alice:bob", `"sender_id":"alice","receiver_id":"Bob"`, false}, {"p2p:alice:bob", `"sender_id":"robot","receiver_id":"alice"`, false},
		{"p2p:alice:bob", `"sender_id":"alice","receiver_id":"carol"`, true}, {"p2p:alice:bob", `"team_id":42`, true},
		{"p2p:alice:bob", `"team_id":0,"sender_id":"bob"`, false}, {"p2p:alice:alice", `"receiver_id":"alice"`, false},
	} {
		out := decodePages(rawPage(schemas.YunxinMessagesList, c.conversation, []byte(`{"code":200,"data":{"items":[{"message_server_id":5,`+c.fields+`}]}}`)))
		if len(out.Readings) != 1 || out.Readings[0].OtherConversation != c.other {
			t.Errorf("%s with %s: got %+v, want other %v", c.conversation, c.fields, out.Readings, c.other)
		}
	}
}

// Ids beyond 2^53 are exact, as numbers and as strings; what is no id is an item that is set aside.
func TestDecodedIDs(t *testing.T) {
	for told, want := range map[string]string{
		`158844553334358018`: "158844553334358018", `"4291065454174142469"`: "4291065454174142469", `18446744073709551615`: "18446744073709551615",
		`167595237`: "167595237", `"007"`: "7",
		`""`: "", `0`: "", `"0"`: "", `null`: "", `-5`: "", `1e3`: "", `1.5`: "", `"abc"`: "", `{}`: "", `true`: "", `184467440737095516150`: "", `"१"`: "",
	} {
		out := decodePages(historyOf(textItem("7", ""), itemOf(told, "0", `,"text":"x"`), `{"sender_id":"x"}`))
		if want != "" {
			if len(out.Readings) != 2 || out.Readings[1].Message.MessageID != want || out.Readings[1].Message.RecordID != "yunxin/"+rawTenant+"/"+want {
				t.Errorf("%s: got %+v", told, out)
			}
			continue
		}
		if len(out.Readings) != 1 || len(out.Failed) != 2 || out.Failed[0].Class != "missing_id" || out.Failed[0].Pointer != "/data/items/1" {
			t.Errorf("%s: got %d readings, failed %+v", told, len(out.Readings), out.Failed)
		}
	}
}

func TestDecodedTimes(t *testing.T) {
	m := oneMessage(t, historyOf(textItem("1", `,"modify_time":"1722247467999"`)))
	if !m.IsEdited || m.UpdatedAt == nil || *m.UpdatedAt != 1_722_247_467_999 || m.SourceRevision != 1_722_247_467_999 || m.RecalledAt != nil {
		t.Errorf("edited: %+v", m)
	}
	m = oneMessage(t, historyOf(textItem("1", `,"modify_time":0,"modify_account_id":""`)))
	if m.IsEdited || m.UpdatedAt != nil || len(m.Issues) != 0 {
		t.Errorf("not edited: %+v", m)
	}
	m = oneMessage(t, historyOf(textItem("1", `,"modify_time":1,"modify_account_id":"bob"`)))
	if !m.IsEdited || m.UpdatedAt != nil || !hasIssue(m, "updated_at", schemas.IssueNulled) || m.Attributes.Get("modify_account_id") != "bob" {
		t.Errorf("edited out of time: %+v", m)
	}
	for _, c := range []struct {
		ms   string
		told bool
	}{{"946684799999", false}, {"946684800000", true}, {"4102444799999", true}, {"4102444800000", false}, {`"soon"`, false}, {"null", false}} {
		m := oneMessage(t, historyOf(`{"message_server_id":1,"sender_id":"a","message_type":0,"text":"","create_time":`+c.ms+`}`))
		if told := m.CreatedAt != 0; told != c.told || told == hasIssue(m, "created_at", schemas.IssueDefaulted) {
			t.Errorf("%s: created at %d, issues %v", c.ms, m.CreatedAt, m.Issues)
		}
	}
}

// A text is taken out of {"msg":…} only where that is all; what was told is kept.
func TestTextUnwrapped(t *testing.T) {
	for told, want := range map[string]string{
		`{\"msg\":\"hi\"}`: "hi", ` {\"msg\": \"hi\"} `: "hi", `{\"msg\":\"\"}`: "",
		`{\"msg\":1}`: `{"msg":1}`, `{\"msg\":\"a\",\"x\":1}`: `{"msg":"a","x":1}`, `{\"msg\":\"a\",\"msg\":\"b\"}`: `{"msg":"a","msg":"b"}`,
		`{\"Msg\":\"a\"}`: `{"Msg":"a"}`, `{msg}`: `{msg}`, `{}`: `{}`, ``: "", `{\"msg\":\"{\\\"msg\\\":\\\"x\\\"}\"}`: `{"msg":"x"}`,
	} {
		m := oneMessage(t, historyOf(strings.Replace(textItem("1", ""), `"hello"`, `"`+told+`"`, 1)))
		raw := strings.NewReplacer(`\\\"`, `\"`, `\"`, `"`).Replace(told)
		if m.Text == nil || *m.Text != want {
			t.Errorf("%s gives %v, want %q", told, m.Text, want)
		} else if kept := m.Attributes.Get("raw_text"); (raw != want) != (kept != "") || kept != "" && kept != raw {
			t.Errorf("%s gives %q and keeps %q", told, *m.Text, kept)
		}
	}
	m := oneMessage(t, historyOf(itemOf("1", "0", "")))
	if m.Text != nil || !hasIssue(m, "text", schemas.IssueNulled) {
		t.Errorf("no text: %v, issues %v", m.Text, m.Issues)
	}
}

// content_json is the attachment byte for byte, a string attachment what the string holds.
func TestContentVerbatim(t *testing.T) {
	for _, c := range []struct{ attachment, want string }{
		{`{}`, `{}`}, {`{ "url" : "\u4f60\/x", "n": 1.50e1 ,"l":[ ] }`, `{ "url" : "\u4f60\/x", "n": 1.50e1 ,"l":[ ] }`},
		{`"{ \"a\": 1}"`, `{ "a": 1}`}, {`"plain"`, `plain`}, {`[1, 2]`, `[1, 2]`}, {`7`, `7`}, {`null`, ""}, {`""`, ""},
		{`{"attachment":{"x":"}]"},"y":"\\"}`, `{"attachment":{"x":"}]"},"y":"\\"}`},
	} {
		m := secondMessage(t, historyOf(textItem("1", ""), itemOf("2", "100", `, "attachment" : `+c.attachment+` `)))
		if got := orEmpty(m.ContentJSON); got != c.want || (m.ContentJSON == nil) != (c.want == "") {
			t.Errorf("%s is kept as %q", c.attachment, got)
		}
	}
	m := oneMessage(t, historyOf(itemOf("2", "100", `,"attachmen\u0074":{ "a" : 1}`)))
	if orEmpty(m.ContentJSON) != `{"a":1}` {
		t.Errorf("under a key with escapes: %q", orEmpty(m.ContentJSON))
	}
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func TestSubtypes(t *testing.T) {
	for _, c := range []struct{ fields, subtype, kind string }{
		{`,"attachment":{"type":102,"data":{"title":"a","body":"b"}}`, "102", schemas.ContentRichText},
		{`,"sub_type":9,"attachment":{"type":102,"data":{"title":"a","body":"b"}}`, "9", schemas.ContentRichText},
		{`,"sub_type":"0","attachment":{"type":"1001","data":{"chartlet":"a"}}`, "1001", schemas.ContentSticker},
		{`,"attachment":{"type":101,"data":{"url":"https://nos.example/a"}}`, "101", schemas.ContentMergeForward},
		{`,"attachment":{"raw":"{\"type\":101,\"data\":{\"url\":\"https://nos.example/a\"}}"}`, "101", schemas.ContentMergeForward},
		{`,"attachment":{"payload":"{\"content\":{\"attach\":{\"type\":101,\"url\":\"https://nos.example/a\"}}}"}`, "101", schemas.ContentMergeForward},
		{`,"sub_type":3,"attachment":{"type":"custom"}`, "3", schemas.ContentCustom}, {`,"attachment":{}`, "", schemas.ContentCustom}, {``, "", schemas.ContentCustom},
		{`,"attachment":{"type":{"x":1}}`, "", schemas.ContentCustom},
	} {
		m := oneMessage(t, historyOf(itemOf("2", "100", c.fields)))
		if orEmpty(m.MessageSubtype) != c.subtype || m.ContentKind != c.kind {
			t.Errorf("%s: subtype %q, kind %s; want %q, %s", c.fields, orEmpty(m.MessageSubtype), m.ContentKind, c.subtype, c.kind)
		}
	}
	if m := oneMessage(t, historyOf(itemOf("2", "1", `,"sub_type":5,"attachment":{"url":"u","type":101}`))); orEmpty(m.MessageSubtype) != "5" || m.ContentKind != schemas.ContentImage {
		t.Errorf("got %+v", m)
	}
}

// Answers that are no messages give neither readings nor failures.
func TestDecodedAnswersWithoutMessages(t *testing.T) {
	good := historyOf(textItem("1", "")).Body
	for name, change := range map[string]func(p *schemas.Page){
		"code in the header": func(p *schemas.Page) { p.Code = "414" },
		"code in the body":   func(p *schemas.Page) { p.Body = []byte(`{"code":416,"msg":"x","data":{"items":[{}]}}`) },
		"given up":           func(p *schemas.Page) { p.Error = "too_large" },
		"no body":            func(p *schemas.Page) { p.Body, p.Code, p.HTTPStatus = nil, "", 0 },
		"no data":            func(p *schemas.Page) { p.Body = []byte(`{"code":200,"msg":"success"}`) },
		"empty data":         func(p *schemas.Page) { p.Body = []byte(`{"code":200,"data":{}}`) },
		"null items":         func(p *schemas.Page) { p.Body = []byte(`{"code":200,"data":{"has_more":false,"items":null}}`) },
	} {
		page := historyPage(good)
		change(page)
		if out := decodePages(page); len(out.Readings)+len(out.Failed)+len(out.Answers) != 0 {
			t.Errorf("%s: got %+v", name, out)
		}
	}
	if out := decodePages(filePage("1", "https://nos.example/a", "{}")); len(out.Readings)+len(out.Failed)+len(out.Answers) != 0 {
		t.Errorf("a file without its message: got %+v", out)
	}
}

func TestDecodedUnreadablePages(t *testing.T) {
	body := historyOf(textItem("1", "")).Body
	odd := historyPage(body)
	odd.Container = "yunxin/t"
	tenants := historyPage(body)
	tenants.Conversation = "yunxin/other/team:42"
	feishu := historyPage(body)
	feishu.Type = schemas.FeishuMessagesList
	for name, page := range map[string]*schemas.Page{
		"html": historyPage([]byte("<html>")), "cut short": historyPage(body[:120]), "a string": historyPage([]byte(`"hello"`)),
		"data no object": historyPage([]byte(`{"code":200,"data":[]}`)), "items no array": historyPage([]byte(`{"code":200,"data":{"items":{}}}`)),
		"too many": historyPage([]byte(`{"code":200,"data":{"items":[` + strings.Repeat("1,", 100_000) + `1]}}`)),
		"keys":     odd, "two tenants": tenants, "type": feishu,
	} {
		out := decodePages(page)
		if len(out.Readings) != 0 || len(out.Failed) != 1 || out.Failed[0].Class == "" || out.Failed[0].Message == "" || strings.Contains(out.Failed[0].Message, "hello") {
			t.Errorf("%s: got %d readings, failed %+v", name, len(out.Readings), out.Failed)
		}
	}
}

// One item that is not JSON, or nested too deep, does not take the others with it.
func TestDecodedBrokenItem(t *testing.T) {
	for name, broken := range map[string]string{
		"literal": `{"message_server_id":2,"x":tru}`, "comma": `{"message_server_id":2 "x":1}`, "word": `nul`,
		"deep": `{"message_server_id":2,"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
	} {
		out := decodePages(historyOf(textItem("1", ""), broken, itemOf("3", "1", `,"attachment":{"url":"u" }`)))
		if len(out.Readings) != 2 || len(out.Failed) != 1 || out.Failed[0].Pointer != "/data/items/1" || out.Failed[0].Class != "bad_item" {
			t.Fatalf("%s: %d readings, failed %+v", name, len(out.Readings), out.Failed)
		}
		if m := &out.Readings[1].Message; m.MessageID != "3" || orEmpty(m.ContentJSON) != `{"url":"u" }` || m.Provenance.ItemPointer != "/data/items/2" {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	out := decodePages(batchPage(`{"code":200,"data":{"success_list":[`+textItem("1", "")+`,{x}],"failed_list":[{"message_server_id":9,"error_code":107404}]}}`, "1", "2", "9"))
	if len(out.Readings) != 1 || len(out.Failed) != 1 || len(out.Answers) != 1 || out.Answers[0].MessageID != "9" {
		t.Errorf("a batch: got %+v", out)
	}
	for _, item := range []string{"null", "3", `"x"`, "[]"} {
		if out := decodePages(historyOf(item, textItem("1", ""))); len(out.Readings) != 1 || len(out.Failed) != 1 || out.Failed[0].Class != "bad_item" {
			t.Errorf("%s: got %+v", item, out)
		}
	}
}

func TestDecodedInvalidUTF8(t *testing.T) {
	m := oneMessage(t, historyOf("{\"message_server_id\":1,\"message_client_id\":\"c\xff\",\"message_type\":1,\"create_time\":1722247467123,\"sender_id\":\"\xc3(\","+
		"\"text\":\"a\xf0\x9f b\",\"attachment\":{\"name\":\"\xe4\",\"url\":\"u\"},\"extension\":\"{\\\"yxAitMsg\\\":{\\\"\xff\\\":{}}}\"}"))
	if orEmpty(m.ClientMessageID) != "c\uFFFD" || m.Sender.ID != "\uFFFD(" || orEmpty(m.Text) != "a\uFFFD b" || orEmpty(m.Attachments[0].Name) != "\uFFFD" || orEmpty(m.Mentions[0].ID) != "\uFFFD" {
		t.Errorf("got %+v", m)
	}
	for _, field := range []string{"client_message_id", "sender.id", "text", "content_json", "attachments.name", "mentions.id"} {
		if !hasIssue(m, field, schemas.IssueCoerced) {
			t.Errorf("no issue for %s in %+v", field, m.Issues)
		}
	}
}

func TestDecodedLongValues(t *testing.T) {
	long := strings.Repeat("é", schemas.MaxText) // two bytes each
	m := oneMessage(t, historyOf(strings.Replace(textItem("1", ""), "hello", "a"+long, 1)))
	if len(*m.Text) != schemas.MaxText-1 || !utf8.ValidString(*m.Text) || !hasIssue(m, "text", schemas.IssueTruncated) {
		t.Errorf("text of %d bytes, issues %v", len(*m.Text), m.Issues)
	}
	m = oneMessage(t, historyOf(itemOf("1", "100", `,"attachment":{"x":"`+strings.Repeat("x", schemas.MaxContent)+`"}`)))
	if m.ContentJSON != nil || !hasIssue(m, "content_json", schemas.IssueTruncated) {
		t.Errorf("content of %d bytes, issues %v", len(orEmpty(m.ContentJSON)), m.Issues)
	}
	m = oneMessage(t, historyOf(textItem("1", `,"extension":"`+long[:100_000]+`","message_client_id":"x","thread_config":{"thread_reply":{"message_client_id":"`+strings.Repeat("t", 5000)+`"}}`)))
	if len(m.Attributes.Get("extension")) != 64<<10 || m.Parent.Status != schemas.LinkNone || !hasIssue(m, "parent", schemas.IssueNulled) {
		t.Errorf("issues %v, parent %+v", m.Issues, m.Parent)
	}
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, `\"a%d\":{\"text\":5},`, i)
	}
	m = oneMessage(t, historyOf(textItem("1", `,"extension":"{\"yxAitMsg\":{`+many.String()+`\"z\":1}}"`)))
	if len(m.Mentions) != decode.MaxParts || len(m.Issues) != 64 {
		t.Errorf("%d mentions, %d issues", len(m.Mentions), len(m.Issues))
	}
}

// A message that is kept stays as it is when its decoder, its page's body and its Decoded are used again.
func TestDecodedMessageStays(t *testing.T) {
	d := yunxin.NewDecoder()
	var out connectors.Decoded
	var kept, want []schemas.Message
	collect := func(to []schemas.Message, from *connectors.Decoded) []schemas.Message {
		for i := range from.Readings {
			to = append(to, from.Readings[i].Message)
		}
		return to
	}
	groups := func() [][]*schemas.Page {
		return [][]*schemas.Page{
			{historyPage(decodeFixture(t, "types.json"))}, {historyPage(decodeFixture(t, "notices.json"))},
			{historyPage(decodeFixture(t, "threads.json"))}, forwardPages(t),
		}
	}
	for _, g := range groups() {
		pages := make([]schemas.Page, len(g))
		for i := range g {
			pages[i] = *g[i]
		}
		d.Decode(pages, &out)
		kept = collect(kept, &out)
		for i := range g {
			clear(g[i].Body)
		}
	}
	for _, g := range groups() {
		want = collect(want, decodePages(g...))
	}
	for range 20 {
		d.Decode([]schemas.Page{*textPage()}, &out)
	}
	if len(kept) < 60 || !reflect.DeepEqual(kept, want) {
		t.Errorf("%d kept messages changed, or differ from those of a fresh decoder", len(kept))
	}
}

// A page of 20 MB goes through; its memory is not held.
func TestDecodedBigPage(t *testing.T) {
	var items []string
	for i := range 40 {
		items = append(items, strings.Replace(textItem(fmt.Sprint(i+1), ""), "hello", strings.Repeat("x", 500_000), 1))
	}
	out := decodePages(historyOf(items...))
	if len(out.Readings) != 40 || len(out.Failed) != 0 || len(*out.Readings[39].Message.Text) != 500_000 {
		t.Fatalf("%d readings, %d failed", len(out.Readings), len(out.Failed))
	}
}

// textPage is a page of 50 text messages as the API gives them, one in five a reply.
func textPage() *schemas.Page {
	var items []string
	for i := range 50 {
		thread := ""
		if i%5 == 4 {
			thread = fmt.Sprintf(`,"thread_config":{"thread_root":{"sender_id":"alice","receiver_id":"42","create_time":1722247000000,"message_server_id":"158844553334358018",`+
				`"message_client_id":"9d4f"},"thread_reply":{"sender_id":"bob","receiver_id":"42","create_time":1722247100000,"message_server_id":%d,"message_client_id":"8c3e"}}`, 158_844_553_334_358_018+i)
		}
		items = append(items, fmt.Sprintf(`{"message_server_id":%d,"conversation_type":2,"sender_id":"member%d","team_id":42,"message_type":0,"create_time":%d,`+
			`"message_client_id":"0f3b9a2e-7c51-4b7e-9c55-%012d","sender_client_type":16,"text":"Let us look at the numbers of last week, and then decide what goes into the next release.","attachment":{}%s}`,
			158_844_553_334_358_100+i, i%7, 1_722_247_467_000+i, i, thread))
	}
	return historyOf(items...)
}

// Decoding allocates per page, not per message.
func TestDecodedAllocations(t *testing.T) {
	pages := []schemas.Page{*textPage()}
	d := yunxin.NewDecoder()
	var out connectors.Decoded
	d.Decode(pages, &out)
	if n := testing.AllocsPerRun(50, func() { d.Decode(pages, &out) }); n > 25 {
		t.Errorf("a page of 50 messages takes %v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	pages := []schemas.Page{*textPage()}
	d := yunxin.NewDecoder()
	var out connectors.Decoded
	b.ReportAllocs()
	b.SetBytes(int64(len(pages[0].Body)))
	for b.Loop() {
		d.Decode(pages, &out)
	}
	if len(out.Readings) != 50 || slices.ContainsFunc(out.Readings, func(r connectors.Reading) bool { return len(r.Message.Issues) > 0 }) {
		b.Fatalf("%d readings", len(out.Readings))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/message")
}

// secondMessage is the second of a page's two messages.
func secondMessage(t *testing.T, page *schemas.Page) *schemas.Message {
	t.Helper()
	out := decodePages(page)
	if len(out.Readings) != 2 || len(out.Failed) != 0 {
		t.Fatalf("got %d readings, failed %v", len(out.Readings), out.Failed)
	}
	writable(t, &out.Readings[1])
	return &out.Readings[1].Message
}
