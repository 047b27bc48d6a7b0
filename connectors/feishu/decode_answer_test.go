package feishu_test

import (
	"slices"
	"strings"
	"testing"

	"chatlake/schemas"
)

// lookup is the answer to a look-up of om_1.
func lookup(code, body string) *schemas.Page {
	p := getPage([]byte(body), "om_1")
	if p.Code = code; code != "0" {
		p.HTTPStatus = 400
	}
	return p
}

func TestAnswersOfLookups(t *testing.T) {
	ok := `{"code":0,"data":{"items":[`
	for _, c := range []struct {
		name string
		page *schemas.Page
		want string
	}{
		{"shown", lookup("0", ok+textItem("om_1", "")+`]}}`), "0: om_1 NONE"},
		{"recalled", lookup("0", ok+textItem("om_1", `,"deleted":true`)+`]}}`), "0: om_1 NONE RECALLED"},
		{"deleted", lookup("230110", `{"code":230110,"msg":"deleted"}`), "0: answer om_1 DELETED"},
		{"deleted, told in the body alone", lookup("0", `{"code":230110,"msg":"deleted"}`), "0: answer om_1 DELETED"},
		{"bot not in the chat", lookup("230002", `{"code":230002}`), "0: answer om_1 FORBIDDEN 230002"},
		{"user out of reach", lookup("230013", `{"code":230013}`), "0: answer om_1 FORBIDDEN 230013"},
		{"no permission", lookup("230027", `{"code":230027}`), "0: answer om_1 FORBIDDEN 230027"},
		{"invisible", lookup("230050", `{"code":230050}`), "0: answer om_1 FORBIDDEN 230050"},
		{"thread invisible", lookup("230073", `{"code":230073}`), "0: answer om_1 FORBIDDEN 230073"},
		{"id not existed", lookup("99992354", `{"code":99992354}`), "0: answer om_1 MISSING 99992354"},
		{"not found", lookup("231003", `{"code":231003}`), "0: answer om_1 MISSING 231003"},
		{"recalled without its shell", lookup("230011", `{"code":230011}`), "0: answer om_1 MISSING 230011"},
		{"refused for the request", lookup("230001", `{"code":230001}`), "0: answer om_1 MISSING 230001"},
		{"no items", lookup("0", `{"code":0,"data":{"items":[]}}`), "0: answer om_1 MISSING absent"},
		{"no data", lookup("0", `{"code":0}`), "0: answer om_1 MISSING absent"},
		{"no body", lookup("", ``), "0: answer om_1 MISSING empty"},
		{"unreadable", lookup("0", `<html>`), "0: answer om_1 MISSING unreadable\n0: failed unreadable at \"\" of \"\""},
		{"a broken item", lookup("0", ok+`{"message_id":"om_1","deleted":tru}]}}`), "0: answer om_1 MISSING unreadable\n0: failed bad_item at \"/data/items/0\" of \"\""},
		{"no object", lookup("0", ok+`null]}}`), "0: answer om_1 MISSING unreadable\n0: failed bad_item at \"/data/items/0\" of \"\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := said(t, decodeAll(c.page)); !slices.Equal(got, strings.Split(c.want, "\n")) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), c.want)
			}
		})
	}
}

// A look-up that was given up, refused or cancelled has a last page that may hold neither a body nor a subject.
func TestAnswersOfLookupsGivenUp(t *testing.T) {
	for _, reason := range []string{"too_large", "internal_error", "unknown_code", "cancelled", "superseded", "other_tenant"} {
		bare := getPage(nil, "om/1!")
		bare.Subject, bare.Code, bare.HTTPStatus, bare.Error = "", "", 0, reason
		full := lookup("2200", `{"code":2200,"msg":"internal"}`)
		full.Error = reason
		for id, page := range map[string]*schemas.Page{"om/1!": bare, "om_1": full} {
			if got := said(t, decodeAll(page)); !slices.Equal(got, []string{"0: answer " + id + " MISSING " + reason}) {
				t.Errorf("%s of %s: got %q", reason, id, got)
			}
		}
	}
}

// The answer of another conversation is a reading that makes no row, not an answer.
func TestLookupOfAnotherConversation(t *testing.T) {
	out := decodeAll(lookup("0", `{"code":0,"data":{"items":[`+strings.Replace(textItem("om_1", ""), chatID, "oc_other", 1)+`]}}`))
	if len(out.Answers) != 0 || len(out.Readings) != 1 || !out.Readings[0].OtherConversation {
		t.Errorf("got %+v", out)
	}
}

// Only look-ups, and the expansion of a deleted forward, say something of a message that is not shown.
func TestOtherPagesAnswerNothing(t *testing.T) {
	thread := refused("", "230110", "")
	thread.Type, thread.Final = schemas.FeishuMessagesList, true
	thread.Container = schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindThread, "omt_1")
	chat := refused("", "232006", "")
	chat.Type, chat.Number = schemas.FeishuChatsGet, 0
	m := nest("M", "", "")
	for name, pages := range map[string][]*schemas.Page{
		"thread": {thread}, "chat": {chat}, "an empty list": {itemsPage()},
		"expansion not allowed":   {refused("M", "230002", ""), itemsPage(m)},
		"expansion given up":      {refused("M", "230110", "internal_error"), itemsPage(m)},
		"nested deleted":          {expansion("M", m, nest("N", "M", "")), refused("N", "230110", ""), itemsPage(m)},
		"nested deleted, no page": {expansion("M", m, nest("N", "M", "")), refused("N", "230110", "")},
	} {
		if out := decodeAll(pages...); len(out.Answers) != 0 {
			t.Errorf("%s: got %+v", name, out.Answers)
		}
	}
	out := decodeAll(expansion("M", m, nest("N", "M", "")), refused("N", "230110", ""), itemsPage(m, nest("N", "", "")))
	if len(out.Answers) != 1 || out.Answers[0].MessageID != "N" || out.Answers[0].Page != 1 {
		t.Errorf("a deleted forward that is the chat's own, too: %+v", out.Answers)
	}
}
