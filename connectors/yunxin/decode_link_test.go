package yunxin_test

import (
	"testing"

	"chatlake/schemas"
)

// A link to the message itself is none. By a client id alone it may be to another one, which was sent again under this id.
func TestDecodedLinkToItself(t *testing.T) {
	for extra, want := range map[string]string{
		`"message_server_id":1`:                               schemas.LinkNone,
		`"message_server_id":"1","message_client_id":"other"`: schemas.LinkNone,
		`"message_server_id":2,"message_client_id":"x"`:       schemas.LinkPending,
		`"message_client_id":"x"`:                             schemas.LinkPending,
	} {
		m := oneMessage(t, historyOf(textItem("1", `,"message_client_id":"x","thread_config":{"thread_reply":{`+extra+`}}`)))
		if m.Parent.Status != want || m.Root.Status != want {
			t.Errorf("%s: parent %+v, root %+v, want %s", extra, m.Parent, m.Root, want)
		}
	}
}
