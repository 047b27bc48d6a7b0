package feishu_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

func TestHeaderGivesPlace(t *testing.T) {
	const odd = "oc/1%!#"
	body := itemsPage(textItem("om_1", "")).Body
	page := listPage(body)
	page.Container = schemas.NewContainerKey(schemas.Feishu, "t/1", schemas.KindChat, odd)
	page.Conversation = schemas.NewConversationKey(schemas.Feishu, "t/1", odd)
	out := decodeAll(page)
	if len(out.Readings) != 1 {
		t.Fatalf("got %+v", out)
	}
	m := &out.Readings[0].Message
	if m.TenantID != "t/1" || m.ConversationID != odd || m.RecordID != "feishu/t%2F1/om_1" || m.AppID != "cli_1" ||
		m.Platform != schemas.Feishu || m.Provenance.ItemPointer != "/data/items/0" {
		t.Errorf("got %+v", m)
	}
	if m.CreatedAt != 1_700_000_000_000 || m.OccurredAt != m.CreatedAt || m.EventDate != "2023-11-14" {
		t.Errorf("times %v %v %s", m.CreatedAt, m.OccurredAt, m.EventDate)
	}
	if !out.Readings[0].OtherConversation {
		t.Error("the item tells another chat and is not marked")
	}
}

func TestSourceRank(t *testing.T) {
	item := textItem("om_1", `,"thread_id":"omt_1"`)
	thread := itemsPage(item)
	thread.Container = schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindThread, "omt_1")
	for _, c := range []struct {
		page *schemas.Page
		want connectors.SourceRank
	}{{itemsPage(item), connectors.FromList}, {thread, connectors.FromThread}, {getPage(itemsPage(item).Body, "om_1"), connectors.FromOther}} {
		out := decodeAll(c.page)
		if len(out.Readings) != 1 || out.Readings[0].Source != c.want || out.Readings[0].OtherConversation {
			t.Errorf("%s of %s: got %+v, want rank %d", c.page.Type, c.page.Container, out, c.want)
		}
	}
}

func TestThreadListTellsThread(t *testing.T) {
	page := itemsPage(textItem("om_1", ""))
	page.Container = schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindThread, "omt_1")
	m := only(t, page)
	if m.ThreadID == nil || *m.ThreadID != "omt_1" || m.IsThreadRoot {
		t.Errorf("thread %v, root %v", m.ThreadID, m.IsThreadRoot)
	}
}

// Answers that are no messages give neither readings nor failures.
func TestDefinitiveAnswers(t *testing.T) {
	good := itemsPage(textItem("om_1", "")).Body
	for name, change := range map[string]func(p *schemas.Page){
		"code in the header": func(p *schemas.Page) { p.Code, p.HTTPStatus = "230110", 400 },
		"code in the body":   func(p *schemas.Page) { p.Body = []byte(`{"code":230110,"msg":"deleted","data":{"items":[{}]}}`) },
		"given up":           func(p *schemas.Page) { p.Error = "too_large" },
		"broken, given up":   func(p *schemas.Page) { p.Error, p.Body = "unreadable", []byte("<html>") },
		"no body":            func(p *schemas.Page) { p.Body, p.Code, p.HTTPStatus = nil, "", 0 },
		"no data":            func(p *schemas.Page) { p.Body = []byte(`{"code":0,"msg":"success"}`) },
		"null items":         func(p *schemas.Page) { p.Body = []byte(`{"code":0,"data":{"has_more":false,"items":null}}`) },
		"empty items":        func(p *schemas.Page) { p.Body = []byte(`{"code":0,"data":{"items":[]}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			page := listPage(good)
			change(page)
			if out := decodeAll(page); len(out.Readings)+len(out.Failed) != 0 {
				t.Errorf("got %+v", out)
			}
		})
	}
}

func TestUnreadablePages(t *testing.T) {
	for name, page := range map[string]*schemas.Page{
		"html":            listPage([]byte("<html>bad gateway</html>")),
		"cut short":       listPage(itemsPage(textItem("om_1", "")).Body[:100]),
		"a string":        listPage([]byte(`"hello"`)),
		"NaN":             listPage([]byte(`NaN`)),
		"data no object":  listPage([]byte(`{"code":0,"data":[]}`)),
		"items no array":  listPage([]byte(`{"code":0,"data":{"items":{}}}`)),
		"too many items":  listPage([]byte(`{"code":0,"data":{"items":[` + strings.Repeat("1,", 100_000) + `1]}}`)),
		"too many values": listPage([]byte(`{"code":0,"data":{"items":[[` + strings.Repeat("1,", decode.MaxValues) + `1]],"x":}}`)),
	} {
		t.Run(name, func(t *testing.T) {
			out := decodeAll(page)
			if len(out.Readings) != 0 || len(out.Failed) != 1 {
				t.Fatalf("%d readings, %d failed", len(out.Readings), len(out.Failed))
			}
			f := out.Failed[0]
			if f.Class == "" || f.Message == "" || strings.Contains(f.Message, "hello") {
				t.Errorf("got %+v", f)
			}
		})
	}
}

func TestKeysThatAreNone(t *testing.T) {
	body := itemsPage(textItem("om_1", "")).Body
	for name, change := range map[string]func(p *schemas.Page){
		"container":      func(p *schemas.Page) { p.Container = "feishu/t" },
		"conversation":   func(p *schemas.Page) { p.Conversation = "x" },
		"other platform": func(p *schemas.Page) { p.Container, p.Conversation = "yunxin/t/chat/c", "yunxin/t/c" },
		"two tenants":    func(p *schemas.Page) { p.Conversation = "feishu/other/" + chatID },
		"type":           func(p *schemas.Page) { p.Type = schemas.YunxinMessagesList },
	} {
		t.Run(name, func(t *testing.T) {
			page := listPage(body)
			change(page)
			if out := decodeAll(page); len(out.Readings) != 0 || len(out.Failed) != 1 || out.Failed[0].Class == "" {
				t.Errorf("got %+v", out)
			}
		})
	}
}

// One item that is not JSON, or nested too deep, does not take the others with it.
func TestBrokenItemAmongOthers(t *testing.T) {
	for name, broken := range map[string]string{
		"literal": `{"message_id":"om_2","deleted":tru}`,
		"comma":   `{"message_id":"om_2" "deleted":true}`,
		"deep":    `{"message_id":"om_2","x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`,
		"word":    `nul`,
	} {
		t.Run(name, func(t *testing.T) {
			out := decodeAll(itemsPage(textItem("om_1", ""), broken, textItem("om_3", `,"mentions":[]`)))
			if len(out.Readings) != 2 || len(out.Failed) != 1 {
				t.Fatalf("%d readings, failed %+v", len(out.Readings), out.Failed)
			}
			if f := out.Failed[0]; f.Pointer != "/data/items/1" || f.Class != "bad_item" {
				t.Errorf("got %+v", f)
			}
			if m := &out.Readings[1].Message; m.MessageID != "om_3" || m.Text == nil || *m.Text != "hello" || m.Provenance.ItemPointer != "/data/items/2" {
				t.Errorf("got %+v", m)
			}
		})
	}
}

// An answer that shows another message than was asked for, and none that unfolds, shows that message.
func TestLookupShowsAnotherMessage(t *testing.T) {
	out := decodeAll(getPage(itemsPage(textItem("om_2", ""), textItem("om_3", `,"upper_message_id":"om_9"`)).Body, "om_1"))
	if len(out.Readings) != 1 || out.Readings[0].Message.MessageID != "om_2" || len(out.Failed) != 1 || out.Failed[0].Class != "unplaced" {
		t.Errorf("got %+v", out)
	}
}

func TestChatKind(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{`{"chat_mode":"p2p"}`, schemas.ConversationP2P},
		{`{"chat_mode":"p2p","group_message_type":"thread"}`, schemas.ConversationP2P},
		{`{"chat_mode":"topic"}`, schemas.ConversationTopicGroup},
		{`{"chat_mode":"group","group_message_type":" thread"}`, schemas.ConversationTopicGroup},
		{`{"chat_mode":" group ","group_message_type":"chat"}`, schemas.ConversationGroup},
		{`{"chat_mode":"galaxy"}`, schemas.ConversationUnknown},
		{`{"name":"only a name"}`, ""},
		{`null`, ""},
		{`{"chat_mode":1}`, ""},
	} {
		page := listPage([]byte(`{"code":0,"msg":"success","data":` + c.data + `}`))
		page.Type = schemas.FeishuChatsGet
		if out := decodeAll(page); out.ConversationKind != c.want || len(out.Readings)+len(out.Failed) != 0 {
			t.Errorf("%s: got %+v, want %q", c.data, out, c.want)
		}
	}
	page := listPage(fixture(t, "chat_group.json"))
	page.Type = schemas.FeishuChatsGet
	if out := decodeAll(page); out.ConversationKind != schemas.ConversationGroup {
		t.Errorf("got %q", out.ConversationKind)
	}
	page.Body = []byte(`[]`)
	if out := decodeAll(page); len(out.Failed) != 1 {
		t.Errorf("an array: got %+v", out)
	}
	page.Body, page.Code = []byte(`{"code":232006,"msg":"invalid chat"}`), "232006"
	if out := decodeAll(page); out.ConversationKind != "" || len(out.Failed) != 0 {
		t.Errorf("an error: got %+v", out)
	}
}

// Escaped and plain bodies say the same.
func TestEscapes(t *testing.T) {
	plain := only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":"1700000000000","sender":{"id":"a"},"body":{"content":"{\"text\":\"你好 😀 / <b>\"}"}}`))
	escaped := only(t, itemsPage(`{"message_id":"om_1","msg\u005ftype":"text","create_time":"1700000000000","sender":{"id":"\u0061"},`+
		`"body":{"content":"{\"text\":\"\u4f60\u597d \ud83d\ude00 \/ \u003cb\u003e\"}"}}`))
	if !reflect.DeepEqual(plain, escaped) {
		t.Errorf("plain %+v\nescaped %+v", plain, escaped)
	}
	if *plain.Text != "你好 😀 / <b>" || *plain.ContentJSON != `{"text":"你好 😀 / <b>"}` {
		t.Errorf("text %q, content %q", *plain.Text, *plain.ContentJSON)
	}
	double := only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":1,"body":{"content":"{\"text\":\"\\u4f60 \\ud83d\\ude00\"}"}}`))
	if *double.Text != "你 😀" || *double.ContentJSON != `{"text":"\u4f60 \ud83d\ude00"}` {
		t.Errorf("text %q, content %q", *double.Text, *double.ContentJSON)
	}
}

func TestInvalidUTF8(t *testing.T) {
	m := only(t, itemsPage("{\"message_id\":\"om_\xff\",\"msg_type\":\"text\",\"create_time\":\"1700000000000\",\"sender\":{\"id\":\"\xc3(\"},"+
		"\"body\":{\"content\":\"{\\\"text\\\":\\\"a\xf0\x9f b\\\"}\"},\"mentions\":[{\"key\":\"@_user_1\",\"name\":\"\xe4\"}]}"))
	if m.MessageID != "om_\uFFFD" || m.Sender.ID != "\uFFFD(" || *m.Text != "a\uFFFD b" || *m.Mentions[0].Name != "\uFFFD" {
		t.Errorf("got %q %q %q %q", m.MessageID, m.Sender.ID, *m.Text, *m.Mentions[0].Name)
	}
	for _, field := range []string{"message_id", "sender.id", "content_json", "mentions.name"} {
		if !hasIssue(m, field, schemas.IssueCoerced) {
			t.Errorf("no issue for %s in %+v", field, m.Issues)
		}
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

func TestIDsBeyondDoubles(t *testing.T) {
	m := only(t, itemsPage(textItem("om_1", `,"message_position":9007199254740993,"thread_message_position":"9223372036854775807"`)))
	if m.ConversationSeq == nil || *m.ConversationSeq != 9007199254740993 || m.ThreadSeq == nil || *m.ThreadSeq != 9223372036854775807 {
		t.Errorf("seqs %v %v", m.ConversationSeq, m.ThreadSeq)
	}
	m = only(t, itemsPage(textItem("om_1", `,"message_position":9223372036854775808,"thread_message_position":1.5`)))
	if m.ConversationSeq != nil || m.ThreadSeq != nil || !hasIssue(m, "conversation_seq", schemas.IssueNulled) || !hasIssue(m, "thread_seq", schemas.IssueNulled) {
		t.Errorf("seqs %v %v, issues %v", m.ConversationSeq, m.ThreadSeq, m.Issues)
	}
}

func TestTimesAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		ms   int64
		told bool
	}{{946_684_799_999, false}, {946_684_800_000, true}, {4_102_444_799_999, true}, {4_102_444_800_000, false}} {
		m := only(t, itemsPage(fmt.Sprintf(`{"message_id":"om_1","msg_type":"text","create_time":"%d","body":{"content":"{\"text\":\"\"}"}}`, c.ms)))
		if told := m.CreatedAt == schemas.Millis(c.ms); told != c.told || !told && (m.CreatedAt != 0 || !hasIssue(m, "created_at", schemas.IssueDefaulted)) {
			t.Errorf("%d: created at %d, issues %v", c.ms, m.CreatedAt, m.Issues)
		}
	}
}

func TestLongValues(t *testing.T) {
	long := strings.Repeat("é", schemas.MaxText) // two bytes each
	m := only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":"1700000000000","body":{"content":"{\"text\":\"a`+long+`\"}"}}`))
	if len(*m.Text) != schemas.MaxText-1 || !utf8.ValidString(*m.Text) || !hasIssue(m, "text", schemas.IssueTruncated) {
		t.Errorf("text of %d bytes, issues %v", len(*m.Text), m.Issues)
	}
	if len(*m.ContentJSON) != 2*schemas.MaxText+12 {
		t.Errorf("content of %d bytes", len(*m.ContentJSON))
	}

	huge := strings.Repeat("x", schemas.MaxContent)
	for _, escape := range []string{"", `\\n`} {
		m = only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":"1700000000000","body":{"content":"{\"text\":\"`+huge+escape+`\"}"}}`))
		if m.ContentJSON != nil || len(*m.Text) != schemas.MaxText || !hasIssue(m, "content_json", schemas.IssueTruncated) || !hasIssue(m, "text", schemas.IssueTruncated) {
			t.Errorf("content kept %v, text of %d bytes, issues %v", m.ContentJSON != nil, len(*m.Text), m.Issues)
		}
	}

	m = only(t, itemsPage(textItem("om_1", `,"thread_id":"`+strings.Repeat("t", 5000)+`","mentions":[{"key":"k","name":"`+long[:100_000]+`"}]`)))
	if m.ThreadID != nil || len(*m.Mentions[0].Name) != 64<<10 || !hasIssue(m, "thread_id", schemas.IssueNulled) || !hasIssue(m, "mentions.name", schemas.IssueTruncated) {
		t.Errorf("issues %v", m.Issues)
	}

	out := decodeAll(itemsPage(textItem(strings.Repeat("m", 5000), "")))
	if len(out.Failed) != 1 || out.Failed[0].Class != "missing_id" {
		t.Errorf("a message_id of 5000 bytes: %+v", out.Failed)
	}
}

// What a hostile item repeats or multiplies stays within bounds.
func TestAmplification(t *testing.T) {
	name := strings.Repeat("n", 60_000)
	text := strings.Repeat(`@_user_1`, 10_000)
	m := only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":"1700000000000","body":{"content":"{\"text\":\"`+text+`\"}"},`+
		`"mentions":[{"key":"@_user_1","id":"ou","name":"`+name+`"}]}`))
	if len(*m.Text) != schemas.MaxText || !hasIssue(m, "text", schemas.IssueTruncated) {
		t.Errorf("text of %d bytes, issues %v", len(*m.Text), m.Issues)
	}

	template := strings.Repeat(`{a}`, 50_000)
	m = only(t, itemsPage(`{"message_id":"om_1","msg_type":"system","create_time":"1700000000000","body":{"content":"{\"template\":\"`+template+`\",\"a\":\"`+name+`\"}"}}`))
	if len(*m.Text) != schemas.MaxText || !hasIssue(m, "text", schemas.IssueTruncated) {
		t.Errorf("text of %d bytes, issues %v", len(*m.Text), m.Issues)
	}

	images := strings.Repeat(`{\"tag\":\"img\",\"image_key\":5},`, 20_000)
	m = only(t, itemsPage(`{"message_id":"om_1","msg_type":"post","create_time":"1700000000000","body":{"content":"{\"content\":[[`+images+`{}]]}"},`+
		`"mentions":[`+strings.Repeat(`{"key":5},`, 20_000)+`{}]}`))
	if len(m.Attachments) != 10_000 || len(m.Mentions) != 10_000 || len(m.Issues) != 64 || m.Issues[63].Field != "issues" {
		t.Errorf("%d attachments, %d mentions, %d issues", len(m.Attachments), len(m.Mentions), len(m.Issues))
	}
}

func TestManyMentions(t *testing.T) {
	var text, mentions, want strings.Builder
	for i := 1; i <= 120; i++ {
		fmt.Fprintf(&text, "@_user_%d,", i)
		fmt.Fprintf(&mentions, `{"key":"@_user_%d","id":"ou_%d","id_type":"open_id","name":"N%d"},`, i, i, i)
		fmt.Fprintf(&want, "@N%d,", i)
	}
	m := only(t, itemsPage(`{"message_id":"om_1","msg_type":"text","create_time":"1700000000000","body":{"content":"{\"text\":\"`+text.String()+
		`@_all\"}"},"mentions":[`+strings.TrimSuffix(mentions.String(), ",")+`]}`))
	if *m.Text != want.String()+"@all" || len(m.Mentions) != 121 || !m.Mentions[120].IsAll {
		t.Errorf("text %q, %d mentions", *m.Text, len(m.Mentions))
	}
}

// A message that is kept stays as it is when its decoder, its page's body and its Decoded are used again.
func TestKeptMessageStays(t *testing.T) {
	d := feishu.NewDecoder()
	var out connectors.Decoded
	var kept, want []schemas.Message
	for _, name := range []string{"types", "posts", "cards", "states", "oddities"} {
		body := fixture(t, name+".json")
		d.Decode([]schemas.Page{*listPage(body)}, &out)
		for i := range out.Readings {
			kept = append(kept, out.Readings[i].Message)
		}
		for i := range decodeAll(listPage(fixture(t, name+".json"))).Readings {
			want = append(want, decodeAll(listPage(fixture(t, name+".json"))).Readings[i].Message)
		}
		clear(body)
	}
	for range 20 {
		d.Decode([]schemas.Page{*listPage(textPage())}, &out)
	}
	if len(kept) < 80 || !reflect.DeepEqual(kept, want) {
		t.Errorf("%d kept messages changed, or differ from those of a fresh decoder", len(kept))
	}
}

// A page of 20 MB goes through; its memory is not held.
func TestBigPage(t *testing.T) {
	var items []string
	for i := range 40 {
		items = append(items, fmt.Sprintf(`{"message_id":"om_%d","msg_type":"text","create_time":"1700000000000","body":{"content":"{\"text\":\"%s\"}"}}`,
			i, strings.Repeat("x", 500_000)))
	}
	d := feishu.NewDecoder()
	var out connectors.Decoded
	d.Decode([]schemas.Page{*itemsPage(items...)}, &out)
	if len(out.Readings) != 40 || len(out.Failed) != 0 || len(*out.Readings[39].Message.Text) != 500_000 {
		t.Fatalf("%d readings, %d failed", len(out.Readings), len(out.Failed))
	}
	d.Decode([]schemas.Page{*itemsPage(textItem("om_1", ""))}, &out)
	if len(out.Readings) != 1 || *out.Readings[0].Message.Text != "hello" {
		t.Errorf("after it: %+v", out)
	}
}

// Decoding allocates per page, not per message.
func TestAllocations(t *testing.T) {
	page := listPage(textPage())
	d := feishu.NewDecoder()
	var out connectors.Decoded
	d.Decode([]schemas.Page{*page}, &out)
	if n := testing.AllocsPerRun(50, func() { d.Decode([]schemas.Page{*page}, &out) }); n > 25 {
		t.Errorf("a page of 50 messages takes %v allocations", n)
	}
}
