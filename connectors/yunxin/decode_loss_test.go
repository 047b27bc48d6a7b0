package yunxin_test

import (
	"strconv"
	"testing"

	"chatlake/schemas"
)

// TestTextBesideAttachment holds that what stands in text is in the record, whatever the attachment says: no other field has it.
func TestTextBesideAttachment(t *testing.T) {
	for name, c := range map[string]struct{ item, want string }{
		"place":        {`"message_type":4,"text":"meet here","attachment":{"title":"Some Road 1","lat":1,"lng":2}`, "Some Road 1\nmeet here"},
		"call":         {`"message_type":12,"text":"call me back","attachment":{"type":1,"text":"a call","status":1}`, "a call\ncall me back"},
		"notification": {`"message_type":5,"text":"welcome","attachment":{"ope":0,"accids":["bob"]}`, "alice invited bob to the group\nwelcome"},
		"robot":        {`"message_type":11,"text":"rain?","attachment":{"robotAccid":"sky","robotMsg":{"message":[{"type":"01","content":"no"}]}}`, "no\nrain?"},
		"rich text":    {`"message_type":100,"text":"of Monday","attachment":{"type":102,"data":{"title":"Minutes","body":"first"}}`, "Minutes\nfirst\nof Monday"},
		"the same":     {`"message_type":4,"text":"Some Road 1","attachment":{"title":"Some Road 1","lat":1,"lng":2}`, "Some Road 1"},
		"blanks":       {`"message_type":4,"text":" ","attachment":{"title":"Some Road 1","lat":1,"lng":2}`, "Some Road 1"},
		"unmuted":      {`"message_type":5,"attachment":{"ope":10,"accids":["bob"],"mute":"0 "}`, "alice unmuted bob"},
		"no accounts":  {`"message_type":5,"attachment":{"ope":0,"accids":[],"accid":"bob"}`, "alice invited bob to the group"},
	} {
		t.Run(name, func(t *testing.T) {
			page := `{"code":200,"data":{"items":[{"message_server_id":"1","message_client_id":"c","conversation_type":2,"team_id":42,` +
				`"sender_id":"alice","create_time":1722247467123,` + c.item + `}]}}`
			out := decodePages(historyPage([]byte(page)))
			if len(out.Readings) != 1 || len(out.Failed) > 0 {
				t.Fatalf("%d readings, failed %+v", len(out.Readings), out.Failed)
			}
			m := &out.Readings[0].Message
			if m.Text == nil || *m.Text != c.want || hasNulled(m) {
				t.Errorf("text %v, issues %+v, want %q", m.Text, m.Issues, c.want)
			}
		})
	}
}

// TestFileBeginsWithMessage holds that a file without a header loses no message to it, not even one without ids.
func TestFileBeginsWithMessage(t *testing.T) {
	const url = "https://nos.example/f.txt"
	for name, first := range map[string]string{
		"without ids": `{"2":"bob","7":1722247467123,"8":0,"9":"first"}`,
		"text alone":  `{"9":"first"}`,
		"with an id":  `{"9":"first","11":"a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			page := `{"code":200,"data":{"items":[{"message_server_id":"77","message_client_id":"c","conversation_type":2,"team_id":42,"sender_id":"alice",` +
				`"create_time":1722247467123,"message_type":100,"text":"[h]","attachment":{"type":101,"data":{"sessionId":"s","url":` + strconv.Quote(url) + `}}}]}}`
			out := decodePages(filePage("77", url, first+"\n"+`{"2":"bob","7":1722247467124,"8":0,"9":"second","11":"x"}`), historyPage([]byte(page)))
			if len(out.Readings) != 3 {
				t.Fatalf("%d readings, want the forward and two messages", len(out.Readings))
			}
			for i, want := range []string{"[h]", "first", "second"} {
				if m := &out.Readings[i].Message; m.Text == nil || *m.Text != want {
					t.Errorf("text %d is %v, want %q", i, m.Text, want)
				}
			}
			if f := out.Readings[0].Message.Forward; f.Expansion != schemas.ExpansionPartial {
				t.Errorf("expansion %s, want PARTIAL", f.Expansion)
			}
		})
	}
}

func hasNulled(m *schemas.Message) bool {
	for i := range m.Issues {
		if m.Issues[i].Action != schemas.IssueCoerced {
			return true
		}
	}
	return false
}

// TestForwardTypeSpellings holds that a merged forward is one, and its file is found, however the numbers of its types are spelled.
func TestForwardTypeSpellings(t *testing.T) {
	for _, outer := range []string{`100`, `"100"`, `" 100 "`, `100.0`} {
		for _, inner := range []string{`101`, `"101"`, `" 101 "`, `101.0`, `"101.0"`} {
			item := `{"message_server_id":"77","message_client_id":"c","conversation_type":2,"team_id":42,"sender_id":"alice","create_time":1722247467123,` +
				`"message_type":` + outer + `,"text":"[h]","attachment":{"type":` + inner + `,"data":{"url":"https://nos.example/f.txt"}}}`
			const file = `{"message_count":1}` + "\n" + `{"2":"bob","7":1722247467124,"8":0,"9":"said","11":"x"}`
			out := decodePages(filePage("77", "https://nos.example/f.txt", file), historyPage([]byte(`{"code":200,"data":{"items":[`+item+`]}}`)))
			if len(out.Readings) != 2 || out.Readings[0].Message.ContentKind != schemas.ContentMergeForward {
				t.Errorf("types %s and %s: %d readings, the first a %s", outer, inner, len(out.Readings), out.Readings[0].Message.ContentKind)
			}
		}
	}
}

// TestTipThatIsBroken holds that JSON that cannot be read is not taken for words.
func TestTipThatIsBroken(t *testing.T) {
	out := decodePages(historyPage([]byte(`{"code":200,"data":{"items":[{"message_server_id":"1","message_client_id":"c","conversation_type":2,"team_id":42,` +
		`"sender_id":"alice","create_time":1722247467123,"message_type":10,"attachment":"{\"text\":broken"}]}}`)))
	m := &out.Readings[0].Message
	if m.Text != nil || len(m.Issues) == 0 || m.Issues[0].Field != "text" {
		t.Errorf("text %v, issues %+v, want null and an issue", m.Text, m.Issues)
	}
}

// decodeOne decodes a page of one message with the given fields.
func decodeOne(t *testing.T, fields string) *schemas.Message {
	t.Helper()
	out := decodePages(historyPage([]byte(`{"code":200,"data":{"items":[{"message_server_id":"1","message_client_id":"c","conversation_type":2,"team_id":42,` +
		`"sender_id":"alice","create_time":1722247467123,` + fields + `}]}}`)))
	if len(out.Readings) != 1 || len(out.Failed) > 0 {
		t.Fatalf("%d readings, failed %+v", len(out.Readings), out.Failed)
	}
	return &out.Readings[0].Message
}

// TestCustomTextThatIsNone holds that a custom message whose text cannot be read says so, and one without a text does not.
func TestCustomTextThatIsNone(t *testing.T) {
	for attachment, due := range map[string]bool{
		`{"text":7}`:                                 true,
		`{"type":9,"data":{"text":{"a":"b"}}}`:       true,
		`{"type":9,"data":{"info":{"text":"a"}}}`:    true,
		`{"type":9,"data":{"info":{"score":"a"}}}`:   false,
		`{"type":9,"data":{"text":"","price":"12"}}`: false,
	} {
		m := decodeOne(t, `"message_type":100,"attachment":`+attachment)
		if m.Text != nil || hasIssue(m, "text", schemas.IssueNulled) != due {
			t.Errorf("%s: text %v, issues %+v, want null and an issue: %t", attachment, m.Text, m.Issues, due)
		}
	}
}

// TestReplyWithoutID holds that an answer to a message that is not named is not taken for no answer without a word.
func TestReplyWithoutID(t *testing.T) {
	for config, due := range map[string]bool{
		`{"thread_reply":{"sender_id":"bob","create_time":1722247467000}}`: true,
		`{"thread_reply":{"create_time":1722247467000}}`:                   true,
		`{"thread_reply":{"sender_id":"","create_time":0}}`:                false,
	} {
		m := decodeOne(t, `"message_type":0,"text":"a","thread_config":`+config)
		if m.Parent.Status != schemas.LinkNone || hasIssue(m, "parent", schemas.IssueNulled) != due {
			t.Errorf("%s: parent %+v, issues %+v, want none and an issue: %t", config, m.Parent, m.Issues, due)
		}
	}
}

// TestEscapedKeysOfExtension holds that a key is the same however its letters are written.
func TestEscapedKeysOfExtension(t *testing.T) {
	for _, key := range []string{`yxAitMsg`, `\u0079xAitMsg`, `\u0079\u0078AitMsg`} {
		m := decodeOne(t, `"message_type":0,"text":"@Bo hi","extension":`+strconv.Quote(`{"`+key+`":{"bo":{"text":"@Bo "}}}`))
		if len(m.Mentions) != 1 || m.Mentions[0].ID == nil || *m.Mentions[0].ID != "bo" {
			t.Errorf("%s: mentions %+v, want bo", key, m.Mentions)
		}
	}
}
