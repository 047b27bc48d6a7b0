package yunxin_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Whatever a platform answers, reading neither panics nor runs for ever, and what it shows is handed on as it was sent.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		fineBody, badParameter, `<html>`, `{"code":200,"data":{"has_more":true,"next_token":"t","items":[` + posted{id: 1, ms: day}.String() + `,null,7]}}`,
		`{"code":200,"data":{"success_list":[` + merge(1, "https://none.test/a") + `],"failed_list":[{"message_server_id":"2","error_code":"107404"}]}}`,
		`{"code":200,"data":{"has_more":1,"items":[{"message_server_id":4291065454174142469,"create_time":"1700000000000"}]}}`,
		`{"code":500}`, `{"code":200,"data":{"success_list":null,"failed_list":{}}}`, `{"code":4711}`, `{"code":416`, `{"code":416}`,
		`{"code":200,"data":{"has_more":true,"items":[{"create_time":9223372036854775807},{"create_time":-9223372036854775808}]}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		synctest.Test(t, func(t *testing.T) { readBody(t, body) }) // a throttled API is left alone for a minute
	})
}

func readBody(t *testing.T, body []byte) {
	api := newFake(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	cfg := api.config()
	cfg.FileHosts = []string{"127.0.0.1"} // which is never asked
	c := list("alice|1|bob", "1", "2", "3")
	for _, kind := range []string{schemas.KindConversation, schemas.KindMessages} {
		c.Kind = kind
		pages, err := readAll(t, sourceOf(cfg), c, connectors.Position{})
		if err == nil && (len(pages) == 0 || len(pages) > 60) {
			t.Errorf("%s: %d pages", kind, len(pages))
		}
		for _, p := range pages {
			if p.HTTPStatus == 200 && string(p.Body) != string(body) {
				t.Errorf("%s: body %q, sent %q", kind, p.Body, body)
			}
		}
	}
}
