package api_test

import (
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

var testHost = api.Host{Base: "https://a.test/x/", Agent: "chatlake/1", Setting: "A_BASE_URL", Fine: 200, ListAPI: "list", NextPage: "next"}

func TestNewRequest(t *testing.T) {
	r := connectors.Request{API: "list", Method: "POST", Path: "/p", Query: "a=b"}
	req, e := testHost.NewRequest(t.Context(), &r, []byte("{}"))
	if e != nil || req.URL.String() != "https://a.test/x/p?a=b" || req.Header.Get("User-Agent") != "chatlake/1" || req.Header.Get("Content-Type") == "" || req.ContentLength != 2 {
		t.Errorf("%+v, %v", req, e)
	}
	bad := api.Host{Base: ":", Setting: "A_BASE_URL"}
	if _, e := bad.NewRequest(t.Context(), &r, nil); e == nil || e.Class != connectors.ClassFatal || !strings.HasPrefix(e.Message, "A_BASE_URL") {
		t.Errorf("%v", e)
	}
}

func TestOpen(t *testing.T) {
	deep := `{"code":200,"data":{"has_more":true,"next":"n","items":` + strings.Repeat("[", 400) + strings.Repeat("]", 400) + `}}`
	for _, c := range []struct {
		name, api  string
		reply      api.Reply
		code       string // in the response
		refused    string
		past       string
		strange    bool
		bodyIsGone bool
	}{
		{"fine", "list", api.Reply{Status: 200, Body: []byte(`{"code":200}`)}, "200", "", "", false, false},
		{"a refusal", "list", api.Reply{Status: 400, Body: []byte(`{"code":414,"msg":"x"}`)}, "414", "", "", false, false},
		{"html", "list", api.Reply{Status: 200, Body: []byte(`<html>`)}, "", "", "", true, false},
		{"no code", "list", api.Reply{Status: 200, Body: []byte(`{"data":{}}`)}, "", "", "", true, false},
		{"cut short", "list", api.Reply{Status: 200, Body: []byte(`{"code":200,"data":{`)}, "", "", "", true, false},
		{"too complex", "list", api.Reply{Status: 200, Body: []byte(deep)}, "", "too_complex", "n", false, false},
		{"too complex, no list", "get", api.Reply{Status: 200, Body: []byte(deep)}, "", "too_complex", "", false, false},
		{"too large", "list", api.Reply{Status: 200, TooLarge: true, Body: []byte(deep[:60])}, "", "too_large", "n", false, true},
		{"too large, and not its code", "list", api.Reply{Status: 200, TooLarge: true, Body: []byte(`{"code":1,` + deep[12:60])}, "", "too_large", "", false, true},
		{"a large page of somebody else", "list", api.Reply{Status: 200, TooLarge: true, Body: []byte(`<html>`)}, "", "", "", true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := &connectors.Response{Body: c.reply.Body}
			e, refused, strange := testHost.Open(&connectors.Request{API: c.api}, &c.reply, resp)
			defer e.Close()
			if strange != c.strange || resp.Code != c.code || resp.Error != c.refused || (resp.Body == nil) != c.bodyIsGone {
				t.Errorf("strange %t, response %+v", strange, resp)
			}
			if (refused != nil) != (c.refused != "") {
				t.Fatalf("refused: %v", refused)
			}
			if refused == nil {
				return
			}
			token, failed := api.TokenPast(refused)
			if refused.Class != connectors.ClassItem || refused.Code != c.refused || token != c.past || (failed == nil) != (c.past != "") {
				t.Errorf("%+v leads to %q, %+v", refused, token, failed)
			}
		})
	}
}

func TestOfStatus(t *testing.T) {
	for status, want := range map[int]struct {
		class connectors.Class
		word  string
	}{
		200: {0, ""}, 204: {0, ""}, 429: {connectors.ClassThrottled, "too many"}, 302: {connectors.ClassUnavailable, "A_BASE_URL"},
		500: {connectors.ClassUnavailable, "500"}, 404: {connectors.ClassUnavailable, "404"},
	} {
		if v := api.OfStatus(status, "A_BASE_URL"); v.Class != want.class || !strings.Contains(v.Means, want.word) {
			t.Errorf("%d: %+v", status, v)
		}
	}
}

func TestIsBase(t *testing.T) {
	for s, want := range map[string]bool{
		"https://a.test": true, "http://127.0.0.1:1/x": true, "": false, "a.test": false, "ftp://a.test": false, "https://u:p@a.test": false,
		"https://a.test?x=1": false, "https://a.test#x": false, "https://": false, "::": false,
	} {
		if api.IsBase(s) != want {
			t.Errorf("%q", s)
		}
	}
}
