package feishu_test

import (
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// TestShownListsWhatTheDecoderNames: of whole and of broken pages, each item is listed, once.
func TestShownListsWhatTheDecoderNames(t *testing.T) {
	const forward = `{"code":0,"data":{"items":[{"message_id":"om_f","msg_type":"merge_forward","chat_id":"oc_1"},{"message_id":"om_1","upper_message_id":"om_f"},{"message_id":"om_2","upper_message_id":"om_1"}]}}`
	for name, tt := range map[string]struct {
		page schemas.Page
		want string // pointer, id, id of what it is within, and whether it is the page's own
	}{
		"list":         {schemas.Page{Type: schemas.FeishuMessagesList, Body: []byte(`{"code":0,"data":{"items":[{"message_id":"om_1"},7,{}]}}`)}, "0 - - ,1 - - ,2 - - "},
		"broken":       {schemas.Page{Type: schemas.FeishuMessagesList, Body: []byte(`{"data":{"items":[{"message_id":"om_1"},{"x":nope},{"cut`)}, "0 - - ,1 - - ,2 - - "},
		"expansion":    {schemas.Page{Type: schemas.FeishuMessagesGet, Container: "feishu/t/chat/oc_1", Number: 1, Subject: "om_f", Body: []byte(forward)}, "0 om_f - own,1 om_1 om_f ,2 om_2 om_1 "},
		"look-up":      {schemas.Page{Type: schemas.FeishuMessagesGet, Container: "feishu/t/message/oc_1!om_f", Number: 1, Final: true, Subject: "om_f", Body: []byte(forward)}, "0 om_f - ,1 om_1 om_f ,2 om_2 om_1 "},
		"error answer": {schemas.Page{Type: schemas.FeishuMessagesList, Code: "230002", Body: []byte(`{"code":230002,"data":{"items":[{}]}}`)}, ""},
		"given up":     {schemas.Page{Type: schemas.FeishuMessagesList, Error: "timeout", Body: []byte(`{"data":{"items":[{}]}}`)}, ""},
		"no body":      {schemas.Page{Type: schemas.FeishuMessagesList}, ""},
		"none":         {schemas.Page{Type: schemas.FeishuMessagesList, Body: []byte(`{"code":0,"data":{"items":[]}}`)}, ""},
		"chat":         {schemas.Page{Type: schemas.FeishuChatsGet, Body: []byte(`{"code":0,"data":{"items":[{}]}}`)}, ""},
	} {
		var got []string
		for item := range feishu.Shown(&tt.page) {
			pointer, ok := strings.CutPrefix(item.Pointer, "/data/items/")
			if !ok {
				t.Errorf("%s: pointer %q", name, item.Pointer)
			}
			got = append(got, strings.Join([]string{pointer, dashed(item.ID), dashed(item.Within), map[bool]string{true: "own"}[item.Own]}, " "))
		}
		if g := strings.Join(got, ","); g != tt.want {
			t.Errorf("%s: %q, want %q", name, g, tt.want)
		}
		named(t, name, feishu.NewDecoder(), &tt.page, slices.Collect(feishu.Shown(&tt.page)))
	}
}

func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// named expects every pointer that a decoder names in a list page to be listed.
func named(t *testing.T, name string, d connectors.Decoder, page *schemas.Page, items []connectors.Item) {
	t.Helper()
	var out connectors.Decoded
	d.Decode([]schemas.Page{*page}, &out)
	for i := range out.Readings {
		pointer := out.Readings[i].Message.Provenance.ItemPointer
		if !slices.ContainsFunc(items, func(item connectors.Item) bool { return item.Pointer == pointer }) {
			t.Errorf("%s: the decoder names %s, which is not listed", name, pointer)
		}
	}
	for i := range out.Failed {
		pointer := out.Failed[i].Pointer
		if pointer != "" && !slices.ContainsFunc(items, func(item connectors.Item) bool { return item.Pointer == pointer }) {
			t.Errorf("%s: the decoder fails at %s, which is not listed", name, pointer)
		}
	}
}
