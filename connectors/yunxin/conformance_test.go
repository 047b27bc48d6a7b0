package yunxin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"sync/atomic"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// scripted is a conversation of several pages, with merged forwards, quotes and what no page should hold. Its items are
// shaped after the vendor's page on listing messages.
func scripted(address string) []posted {
	all := spread(330, map[int]int{98: 5})
	field := func(i int, extra string) {
		all[i].extra = `,"receiver_id":"bob","message_client_id":"c` + fmt.Sprint(i) + `","conversation_type":1` + extra
	}
	for i := range all {
		field(i, "")
	}
	field(3, `,"thread_config":{"thread_root":{"message_server_id":"4291065454174142469","create_time":1700000000000},"thread_reply":{"message_server_id":4291065454174142470,"create_time":1700000000001}}`)
	field(5, `,"modify_time":1700000009000,"modify_account_id":"alice"`)
	field(7, `,"sender_client_type":"32","extension":"{\"yxReplyMsg\":{\"idServer\":\"4291065454174142469\",\"time\":1700000000000}}"`)
	for _, i := range []int{9, 250} {
		all[i].kind = 100
		field(i, fmt.Sprintf(`,"attachment":{"type":101,"data":{"url":"%s/%d.txt?Signature=signed-with"}}`, address, i))
	}
	all[11].kind = 1
	field(11, `,"attachment":{"url":"https://files.test/a.jpg","w":1,"h":2,"size":"91680","ext":".jpg"}`)
	all[13].kind = 99
	return all
}

func TestConformance(t *testing.T) {
	var ids []string
	for _, m := range scripted("") {
		ids = append(ids, fmt.Sprint(m.id))
	}
	conformance.Run(t, conformance.Platform{
		Start:      func(t *testing.T) conformance.Running { return startScripted(t) },
		NewDecoder: func() connectors.Decoder { return yunxin.NewDecoder() },
		Containers: []*schemas.Container{keyed(conversation("alice|1|bob")), keyed(list("bob|1|alice", ids[:230]...))},
		Failing: []*schemas.Container{
			keyed(conversation("alice|1|circle")), keyed(conversation("alice|1|refused")), keyed(conversation("alice|1|stale")),
		},
		Secrets: []string{appSecret, "signed-with"},
	})
}

// keyed gives a container the key that containers are written under.
func keyed(c *schemas.Container) *schemas.Container {
	c.ConversationID, _ = yunxin.Canonical(c.ID)
	c.Key = string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ConversationID))
	if c.Kind == schemas.KindMessages {
		c.Key += "!0011223344556677"
	}
	return c
}

// endless answers for conversations that have no end: their messages share a millisecond, so that only tokens lead on.
func endless(r *http.Request) string {
	who, token := path.Base(path.Dir(r.URL.Path)), r.URL.Query().Get("page_token")
	page := func(id int, token string) string {
		return fmt.Sprintf(`{"code":200,"data":{"has_more":true,"next_token":%q,"items":[%s]}}`, token, posted{id: int64(id), ms: day})
	}
	switch who {
	case "alice|1|circle":
		return page(1+len(token), map[string]string{"": "A", "A": "BB", "BB": "A"}[token])
	case "alice|1|refused":
		if token != "" {
			return `{"code":414,"msg":"bad param","data":{}}`
		}
		return page(1, "A")
	case "alice|1|stale":
		n, _ := strconv.Atoi(token)
		return page(1, strconv.Itoa(n+1))
	}
	return ""
}

func startScripted(t *testing.T) conformance.Running {
	var hanging atomic.Int64
	var silent atomic.Bool
	var f *fakeAPI
	h := newFileHost(t, func(w http.ResponseWriter, _ *http.Request) {
		body := lines()
		f.mu.Lock()
		f.bodies = append(f.bodies, []byte(body))
		f.mu.Unlock()
		io.WriteString(w, body)
	})
	c := &chat{messages: scripted("http://files.test")}
	byID := &store{does: map[string]string{fmt.Sprint(c.messages[20].id): "107404", fmt.Sprint(c.messages[30].id): "omit"}}
	f = newFake(func(w http.ResponseWriter, r *http.Request) {
		if silent.Load() {
			hanging.Add(1)
			defer hanging.Add(-1)
			hang(w, r)
			return
		}
		// The file's host has another port each time, and pages are to be the same.
		if r.Method == http.MethodGet {
			if body := endless(r); body != "" {
				f.send(w, body)
				return
			}
			f.send(w, c.page(r))
			return
		}
		f.send(w, byID.answer(r))
	})
	cfg := f.config()
	cfg.FileHosts = []string{"http://files.test"}
	cfg.Transport = &http.Transport{Proxy: http.ProxyURL(mustParse(t, h.URL))}
	t.Cleanup(cfg.Transport.CloseIdleConnections)
	return conformance.Running{
		Source: sourceOf(cfg), Hang: func() { silent.Store(true) }, Hanging: func() int { return int(hanging.Load()) },
		Served: func() [][]byte {
			f.mu.Lock()
			defer f.mu.Unlock()
			return append([][]byte(nil), f.bodies...)
		},
	}
}

func mustParse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
