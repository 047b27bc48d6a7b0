package feishu_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// loss is a message of which something was once lost without a word. issue is the reason of one that is due, "" for none.
type loss struct{ name, msgType, content, text, ids, keys, issue string }

const (
	noticeOfCard = "请升级至最新版本客户端，以查看内容"
	severalNames = "one name is that of several people"
	leftOut      = "the platform shows a notice in place of the content"
	likeNotice   = "reads like the platform's notice in place of the content"
)

// inMarkdown gives a card of one element in Markdown.
func inMarkdown(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return `{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":` + string(text) + `}]}}`
}

// TestSeveralPeople holds that each of several ids is a mention, however they are separated and quoted.
func TestSeveralPeople(t *testing.T) {
	const text, ids = "@ou_a @ou_b x", "ou_a ou_b"
	checkLosses(t, []loss{
		{"comma", "interactive", inMarkdown("<at ids=ou_a,ou_b></at> x"), text, ids, "", ""},
		{"comma and blank", "interactive", inMarkdown("<at ids=ou_a, ou_b></at> x"), text, ids, "", ""},
		{"blank and comma", "interactive", inMarkdown("<at ids=ou_a ,ou_b></at> x"), text, ids, "", ""},
		{"semicolon", "interactive", inMarkdown("<at ids=ou_a;ou_b></at> x"), text, ids, "", ""},
		{"bar", "interactive", inMarkdown("<at ids='ou_a|ou_b'></at> x"), text, ids, "", ""},
		{"blank", "interactive", inMarkdown("<at ids='ou_a ou_b'></at> x"), text, ids, "", ""},
		{"full width", "interactive", inMarkdown("<at ids='ou_a，ou_b'></at> x"), text, ids, "", ""},
		{"array", "interactive", inMarkdown(`<at ids=["ou_a","ou_b"]></at> x`), text, ids, "", ""},
		{"emails", "interactive", inMarkdown("<at emails=a@x.test,b@x.test></at> x"), "@a@x.test @b@x.test x", "a@x.test b@x.test", "", ""},
		{"quoted by entities", "interactive", inMarkdown("<at id=&quot;ou_a&quot;></at> x"), "@ou_a x", "ou_a", "", ""},
		{"quoted by escapes", "interactive", inMarkdown(`<at id=\"ou_a\"></at> x`), "@ou_a x", "ou_a", "", ""},
		{"other attributes", "interactive", inMarkdown("<person id = 'ou_a' show_name=true style=x></person> x"), "@ou_a x", "ou_a", "", ""},
		{"chosen", "interactive", `{"elements":[{"tag":"multi_select_person","selected_values":["ou_a","ou_b"]}]}`, "@ou_a @ou_b", ids, "", ""},
		{"chosen alone", "interactive", `{"elements":[{"tag":"select_person","initial_option":"ou_a"}]}`, "@ou_a", "ou_a", "", ""},
		{"element of a post", "post", `{"content":[[{"tag":"at","user_ids":["ou_a","ou_b"]},{"tag":"text","text":" x"}]]}`, text, ids, "", ""},
		{"a separator alone", "interactive", inMarkdown("<at ids=','>Ann</at> x"), "@Ann x", "", "", ""},
		{"one name", "interactive", inMarkdown("<at ids=ou_a,ou_b>Ann, Bea</at> x"), text, ids, "", severalNames},
	})
}

// TestNoticeAnywhere holds that the platform's notice never passes as text without an issue.
func TestNoticeAnywhere(t *testing.T) {
	checkLosses(t, []loss{
		{"text", "text", `{"text":"` + noticeOfCard + `"}`, noticeOfCard, "", "", likeNotice},
		{"escaped text", "text", `{"text":"` + noticeOfCard + `\n"}`, noticeOfCard + "\n", "", "", likeNotice},
		{"title", "interactive", `{"title":"` + noticeOfCard + `","elements":[[{"tag":"img","image_key":"img_1"}]]}`, "", "", "img_1", leftOut},
		{"link", "interactive", `{"title":null,"elements":[[{"tag":"a","text":"` + noticeOfCard + `"}]]}`, "", "", "", leftOut},
		{"string", "interactive", `{"title":null,"elements":[["` + noticeOfCard + `"]]}`, "", "", "", leftOut},
		{"Taiwan", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"請升級至最新版本用戶端，以檢視內容"}]]}`, "", "", "", leftOut},
		{"Korean", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"최신 버전으로 업데이트하여 내용을 확인하세요"}]]}`, "", "", "", leftOut},
		{"system", "system", `{"template":"` + noticeOfCard + `"}`, noticeOfCard, "", "", likeNotice},
		{"English without a version", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"Update Lark to view this message"}]]}`, "", "", "", leftOut},
		{"client", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"Please upgrade your client to view the content."}]]}`, "", "", "", leftOut},
		{"English by a sender", "text", `{"text":"Update Feishu to view this message"}`, "Update Feishu to view this message", "", "", likeNotice},
		{"two elements", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"请升级至最新版本"},{"tag":"text","text":"客户端，以查看内容"}]]}`,
			noticeOfCard, "", "", likeNotice},
		{"two elements within a word", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"请升级至最"}],[{"tag":"text","text":"新版本客户端，以查看内容"}]]}`,
			"请升级至最\n新版本客户端，以查看内容", "", "", likeNotice},
		{"two elements in English", "interactive", `{"title":null,"elements":[[{"tag":"text","text":"Update Lark to"}],[{"tag":"a","text":"view this message"}]]}`,
			"Update Lark to\nview this message", "", "", likeNotice},
		{"about updates", "interactive", `{"title":"Update of the client","elements":[[{"tag":"text","text":"press to view the new details"}]]}`,
			"Update of the client\npress to view the new details", "", "", ""},
		{"about versions", "text", `{"text":"our client has a new version to test today"}`, "our client has a new version to test today", "", "", ""},
	})
}

// TestBesideElements holds that what a card or post has in two places is read in both.
func TestBesideElements(t *testing.T) {
	const header = `"header":{"title":{"tag":"plain_text","content":"H"}}`
	checkLosses(t, []loss{
		{"content", "interactive", `{"title":"T","elements":[[{"tag":"text","text":"a"}]],"content":[[{"tag":"text","text":"b"}]]}`,
			"T\na\nb", "", "", "a card holds content beside its elements"},
		{"elements", "interactive", `{"schema":"2.0","body":{"elements":[{"tag":"markdown","content":"a"}]},"elements":[{"tag":"markdown","content":"b"}]}`,
			"a\nb", "", "", "a card holds two lists of elements"},
		{"body as an array", "interactive", `{"schema":"2.0",` + header + `,"body":[{"tag":"markdown","content":"a"}]}`,
			"H\na", "", "", "body is an array, not an object"},
		{"body as a string", "interactive", `{"schema":"2.0",` + header + `,"body":"a"}`, "H\na", "", "", "body is a string, not an object"},
		{"files", "interactive", `{"title":"T","content":[[{"tag":"text","text":"a"}]],"files":[{"file_key":"file_1"}]}`, "T\na", "", "file_1", ""},
		{"data as a string", "interactive", `{` + header + `,"data":"{\"template_id\":\"t\",\"template_variable\":{\"a\":\"said\"}}"}`,
			"H\nsaid", "", "", "the card is a template, which holds its elements; only its variables are present"},
		{"data beside no elements", "interactive", `{` + header + `,"data":{"template_id":"t","template_variable":{"a":"said"}},"elements":[]}`,
			"H\nsaid", "", "", "the card is a template, which holds its elements; only its variables are present"},
		{"user_dsl within", "interactive", `{"title":"T","user_dsl":"{\"user_dsl\":{\"elements\":[{\"tag\":\"markdown\",\"content\":\"deep\"}]}}"}`,
			"deep", "", "", ""},
		{"header in languages", "interactive", `{"header":{},"i18n_header":{"en_us":{"title":{"tag":"plain_text","content":"H"}}},"elements":[{"tag":"hr"}]}`,
			"H\n---", "", "", ""},
		{"content_v2 of pictures", "post", `{"title":"","content_v2":[[{"tag":"img","image_key":"img_1"}]],"content":[[{"tag":"img","image_key":"img_1"}],[{"tag":"text","text":"a"}]]}`,
			"a", "", "img_1", ""},
		{"array beside a language", "post", `{"zh_cn":{"title":"T","content":[[{"tag":"text","text":"a"}]]},"extra":[[{"tag":"text","text":"b"}]]}`,
			"T\na\nb", "", "", "elements are in a field that is not known"},
		{"caption", "post", `{"content":[[{"tag":"img","image_key":"img_1","text":{"tag":"plain_text","content":"a"}}]]}`,
			"a", "", "img_1", "elements are in a field that is not known"},
		{"content_v2 of blanks", "post", `{"title":"","content_v2":[[{"tag":"text","text":" "}]],"content":[[{"tag":"text","text":"a"}]]}`,
			" \na", "", "", ""},
		{"elements of a text", "interactive", `{"elements":[{"tag":"markdown","content":"a","elements":[{"tag":"plain_text","content":"b"}]}]}`,
			"a\nb", "", "", "elements are in a field that is not known"},
		{"title of a sound", "interactive", `{"elements":[{"tag":"audio","file_key":"file_1","title":{"tag":"plain_text","content":"a"}}]}`,
			"a", "", "file_1", "elements are in a field that is not known"},
		{"date in digits", "interactive", `{"elements":[{"tag":"table","columns":[{"name":"d","display_name":"D","data_type":"date"}],"rows":[{"d":"1699341315000"}]}]}`,
			"D\n2023-11-07T07:15:15Z", "", "", ""},
		{"flag in a string", "post", `{"content":[[{"tag":"text","text":"&lt;b&gt;","un_escape":"true"}]]}`, "<b>", "", "", ""},
	})
}

// TestFieldsThatSay holds that fields which only some clients and apps write are read, too.
func TestFieldsThatSay(t *testing.T) {
	const unknown = "elements are in a field that is not known"
	checkLosses(t, []loss{
		{"caption of an image", "image", `{"image_key":"img_1","text":"a"}`, "a", "", "img_1", ""},
		{"name of a chat", "share_chat", `{"chat_id":"oc_1","name":"Ops"}`, "Ops", "", "", ""},
		{"name of a person", "share_user", `{"user_id":"ou_a","name":"Ann"}`, "Ann", "", "", ""},
		{"address", "location", `{"name":"Office","address":"Some Road 1","longitude":"1","latitude":"2"}`, "Office\nSome Road 1", "", "", ""},
		{"address in the name", "location", `{"name":"Office","address":"Office"}`, "Office", "", "", ""},
		{"title of a red packet", "hongbao", `{"title":"Luck","text":"a"}`, "Luck\na", "", "", ""},
		{"languages of a header", "interactive", `{"header":{"i18n":{"en_us":"H"}},"elements":[{"tag":"hr"}]}`, "H\n---", "", "", ""},
		{"languages beside a title", "interactive", `{"header":{"title":{"tag":"plain_text","content":"T"},"i18n":{"en_us":"H"}},"elements":[{"tag":"hr"}]}`, "T\n---", "", "", ""},
		{"beside a person", "interactive", `{"elements":[{"tag":"person","user_id":"ou_a","extra":{"tag":"plain_text","content":"a"}}]}`, "@ou_a\na", "ou_a", "", unknown},
		{"beside a chart", "interactive", `{"elements":[{"tag":"chart","chart_spec":{"title":{"text":"C"}},"elements":[{"tag":"plain_text","content":"a"}]}]}`, "C\na", "", "", unknown},
		{"beside a card's id", "interactive", `{"data":{"card_id":"7","elements":[{"tag":"markdown","content":"a"}]}}`, "a", "", "", unknown},
		{"summary in a string", "todo", `{"task_id":"1","summary":"{\"title\":\"T\",\"content\":[[{\"tag\":\"text\",\"text\":\"a\"}]]}"}`, "T\na", "", "", ""},
		{"summary like JSON", "todo", `{"task_id":"1","summary":"{a}"}`, "{a}", "", "", ""},
	})
}

// TestCodeInMarkdown holds that in code tags and pictures stay, and placeholders are replaced.
func TestCodeInMarkdown(t *testing.T) {
	checkLosses(t, []loss{
		{"tag", "interactive", inMarkdown("`<at id=ou_a></at>`"), "`<at id=ou_a></at>`", "", "", ""},
		{"picture", "interactive", inMarkdown("```\n![a](img_1)\n```"), "```\n![a](img_1)\n```", "", "", ""},
		{"everybody", "interactive", inMarkdown("`@_all`"), "`@all`", "", "", ""},
	})
	content := inMarkdown("`@_user_1` <b>")
	got := becameOf(decodeFormat(t, &format{
		Key: "code", MsgType: "interactive", Text: &content, Mentions: json.RawMessage(`[{"key":"@_user_1","id":"ou_a","id_type":"open_id","name":"Ann"}]`),
	}), false)
	if got.Text == nil || *got.Text != "`@Ann` <b>" || len(got.Issues) > 0 {
		t.Errorf("text %v, issues %+v, want the name in the code", got.Text, got.Issues)
	}
}

func checkLosses(t *testing.T, losses []loss) {
	t.Helper()
	for _, l := range losses {
		t.Run(l.name, func(t *testing.T) {
			got := becameOf(decodeFormat(t, &format{Key: l.name, MsgType: l.msgType, Text: &l.content}), false)
			text := ""
			if got.Text != nil {
				text = *got.Text
			}
			var ids, keys []string
			for _, m := range got.Mentions {
				if m.ID != nil {
					ids = append(ids, *m.ID)
				}
			}
			for _, a := range got.Attachments {
				if a.Key != nil {
					keys = append(keys, *a.Key)
				}
			}
			if text != l.text || strings.Join(ids, " ") != l.ids || strings.Join(keys, " ") != l.keys {
				t.Errorf("text %q, mentions %q, attachments %q, want %q, %q, %q", text, ids, keys, l.text, l.ids, l.keys)
			}
			due := l.issue == ""
			for _, i := range got.Issues {
				due = due || i.Reason == l.issue
			}
			if !due || l.issue == "" && len(got.Issues) > 0 {
				t.Errorf("issues %+v, want %q", got.Issues, l.issue)
			}
		})
	}
}
