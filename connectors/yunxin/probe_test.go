package yunxin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// answering gives a call that fails in one way, where class is not 0, and notes what it is asked.
func answering(asked *[]string, class connectors.Class, code string) connectors.Call {
	return func(_ context.Context, r connectors.Request) (*connectors.Response, error) {
		*asked = append(*asked, r.Line())
		if class == 0 {
			return &connectors.Response{}, nil
		}
		return nil, &connectors.Error{Class: class, Code: code, Message: "m"}
	}
}

// TestTakenTellsTheSignatureFromTheRequest: any answer about a conversation that nobody has says that the app is known.
func TestTakenTellsTheSignatureFromTheRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		class, want connectors.Class
		code        string
	}{
		"fine":             {0, 0, ""},
		"no such account":  {connectors.ClassContainer, 0, "102404"},
		"doubted":          {connectors.ClassUnavailable, connectors.ClassFatal, "403"},
		"doubted, request": {connectors.ClassUnavailable, connectors.ClassFatal, "414"},
		"down":             {connectors.ClassUnavailable, connectors.ClassUnavailable, "timeout"},
		"not this address": {connectors.ClassFatal, connectors.ClassFatal, "101303"},
	} {
		for _, taken := range []func(context.Context, connectors.Call, string) error{yunxin.Taken, yunxin.BatchTaken} {
			var asked []string
			err := taken(t.Context(), answering(&asked, tc.class, tc.code), "v2.1")
			var e *connectors.Error
			if len(asked) != 1 || !strings.Contains(asked[0], "/im/v2.1/conversations/chatlake-asks-for-nobody%7C1%7C") {
				t.Errorf("%s: asks %v", name, asked)
			}
			if errors.As(err, &e) != (tc.want != 0) || tc.want != 0 && e.Class != tc.want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestProbeMakesOneCall(t *testing.T) {
	at := schemas.Millis(1700000000000)
	refs := []schemas.MessageRef{{MessageID: "5"}, {MessageID: "7", CreatedAt: &at}}
	for name, tc := range map[string]struct {
		of      schemas.Container
		class   connectors.Class
		code    string
		request string // "": none
		refused bool
	}{
		"conversation":    {schemas.Container{Kind: schemas.KindConversation, ID: "a|1|b"}, 0, "", "a%7C1%7Cb/messages?begin_time=0&end_time=1&limit=1", false},
		"canonical":       {schemas.Container{Kind: schemas.KindConversation, ID: "p2p:a:b"}, 0, "", "a%7C1%7Cb/messages?", false},
		"no member":       {schemas.Container{Kind: schemas.KindConversation, ID: "a|2|4"}, connectors.ClassContainer, "109404", "a%7C2%7C4/", true},
		"team of nobody":  {schemas.Container{Kind: schemas.KindConversation, ID: "team:4"}, 0, "bad_conversation_id", "", true},
		"messages":        {schemas.Container{Kind: schemas.KindMessages, ID: "a|1|b", Refs: refs}, 0, "", `{"messages":[{"message_server_id":7,"create_time":1700000000000}]}`, false},
		"gone message":    {schemas.Container{Kind: schemas.KindMessages, ID: "a|1|b", Refs: refs}, connectors.ClassItem, "107404", "batch_messages", false},
		"refused account": {schemas.Container{Kind: schemas.KindMessages, ID: "a|1|b"}, connectors.ClassContainer, "422", "batch_messages", true},
	} {
		var asked []string
		err := yunxin.Probe(t.Context(), answering(&asked, tc.class, tc.code), "", &tc.of)
		var e *connectors.Error
		if errors.As(err, &e) != tc.refused || tc.refused && e.Code != tc.code {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(asked, "\n"); tc.request == "" && got != "" || !strings.Contains(got, tc.request) || len(asked) > 1 {
			t.Errorf("%s: asks %q", name, got)
		}
	}
}
