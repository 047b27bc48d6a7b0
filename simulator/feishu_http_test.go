package simulator_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/simulator"
)

// clock is a clock that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// caller speaks HTTP to a simulator.
type caller struct {
	t     *testing.T
	w     *simulator.World
	api   *simulator.Feishu
	base  string
	http  *http.Client
	token string
}

func newCaller(t *testing.T, w *simulator.World, c simulator.FeishuConfig) *caller {
	t.Helper()
	api := simulator.NewFeishu(w, c)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	k := &caller{t: t, w: w, api: api, base: server.URL, http: server.Client()}
	k.refresh()
	return k
}

// reply is one answer, read whole.
type reply struct {
	status int
	header http.Header
	body   []byte
	Code   int    `json:"code"`
	Msg    string `json:"msg"`
	Token  string `json:"tenant_access_token"`
	Expire int    `json:"expire"`
	Data   struct {
		HasMore   bool              `json:"has_more"`
		PageToken string            `json:"page_token"`
		Items     []json.RawMessage `json:"items"`
	} `json:"data"`
	Error struct {
		FieldViolations []struct {
			Field string `json:"field"`
		} `json:"field_violations"`
	} `json:"error"`
}

func (k *caller) send(r *http.Request) (*reply, error) {
	resp, err := k.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	p := &reply{status: resp.StatusCode, header: resp.Header, body: body}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		// Broken items leave the envelope whole; a body that is no JSON leaves the reply without a code.
		_ = json.Unmarshal(body, p)
	}
	return p, nil
}

func (k *caller) askToken(id, secret string) *reply {
	k.t.Helper()
	body := fmt.Sprintf(`{"app_id":%q,"app_secret":%q}`, id, secret)
	r, err := http.NewRequest(http.MethodPost, k.base+"/open-apis/auth/v3/tenant_access_token/internal", strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	p, err := k.send(r)
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

func (k *caller) refresh() *reply {
	k.t.Helper()
	id, secret, _ := k.w.App()
	p := k.askToken(id, secret)
	if p.Code != 0 || !strings.HasPrefix(p.Token, "t-") {
		k.t.Fatalf("token: %d %s", p.status, p.body)
	}
	k.token = p.Token
	return p
}

// try asks for a path and its parameters, given as name, value, name, value.
func (k *caller) try(path string, parameters ...string) (*reply, error) {
	k.t.Helper()
	q := url.Values{}
	for i := 0; i+1 < len(parameters); i += 2 {
		if parameters[i+1] != "" {
			q.Set(parameters[i], parameters[i+1])
		}
	}
	r, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, k.base+path+"?"+q.Encode(), nil)
	if err != nil {
		k.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+k.token)
	return k.send(r)
}

func (k *caller) get(path string, parameters ...string) *reply {
	k.t.Helper()
	p, err := k.try(path, parameters...)
	if err != nil {
		k.t.Fatalf("%s %v: %v", path, parameters, err)
	}
	return p
}

const messages = "/open-apis/im/v1/messages"

func (k *caller) page(kind, id, token string, more ...string) *reply {
	k.t.Helper()
	return k.get(messages, append([]string{"container_id_type", kind, "container_id", id, "page_size", "50", "page_token", token}, more...)...)
}

func (p *reply) want(t *testing.T, status, code int) {
	t.Helper()
	if p.status != status || p.Code != code {
		t.Errorf("HTTP %d, code %d, want %d, %d: %.200s", p.status, p.Code, status, code, p.body)
	}
}

// ids reads message ids; "" where an item has none.
func (p *reply) ids(t *testing.T) []string {
	t.Helper()
	var ids []string
	for _, item := range p.Data.Items {
		var m struct {
			ID string `json:"message_id"`
		}
		if err := json.Unmarshal(item, &m); err != nil {
			t.Fatalf("item %s: %v", item, err)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

func TestBodiesAreStableAndRecorded(t *testing.T) {
	w := world(t, simulator.Options{Chats: 2})
	k := newCaller(t, w, simulator.FeishuConfig{RecordBodies: true})
	chat := w.Chats()[0].ID
	first, second := k.page("chat", chat, ""), k.page("chat", chat, "")
	other := newCaller(t, world(t, simulator.Options{Chats: 2}), simulator.FeishuConfig{})
	if string(first.body) != string(second.body) || string(other.page("chat", chat, "").body) != string(first.body) {
		t.Error("the same request gives other bytes")
	}
	if first.header.Get("X-Tt-Logid") == "" || first.header.Get("X-Tt-Logid") == second.header.Get("X-Tt-Logid") {
		t.Error("X-Tt-Logid is absent, or that of another call")
	}
	exchanges := k.api.Exchanges()
	if len(exchanges) != 3 {
		t.Fatalf("%d exchanges, want 3", len(exchanges))
	}
	sum := sha256.Sum256(first.body)
	e := exchanges[1]
	if e.API != simulator.APIMessages || e.Container != chat || e.SHA256 != hex.EncodeToString(sum[:]) || string(e.Body) != string(first.body) ||
		e.Length != len(first.body) || !e.Whole || e.Status != 200 || e.Code != 0 || e.LogID != first.header.Get("X-Tt-Logid") ||
		!strings.HasPrefix(e.Request, "GET "+messages+"?") {
		t.Errorf("exchange is %+.200v", e)
	}
	m := w.Messages(chat)[0]
	if err := w.Edit(textOf(w, chat), "other words"); err != nil {
		t.Fatal(err)
	}
	if string(k.page("chat", chat, "").body) == string(first.body) && m.Type != "" {
		t.Error("an edit does not show")
	}
}

// textOf finds a text on the first page of a chat.
func textOf(w *simulator.World, chat string) string {
	for _, m := range w.Messages(chat)[:50] {
		if m.Type == "text" && m.State == simulator.Normal {
			return m.ID
		}
	}
	return ""
}

func TestListInBothDirectionsAndWindows(t *testing.T) {
	w := world(t, simulator.Options{Chats: 4})
	k := newCaller(t, w, simulator.FeishuConfig{})
	for _, chat := range w.Chats() {
		var want, roots, within []string
		all := w.Messages(chat.ID)
		from, to := all[len(all)/4].CreatedAt/1000, all[len(all)/2].CreatedAt/1000
		for _, m := range all {
			want = append(want, m.ID)
			if m.ThreadID == "" || m.ThreadRoot {
				roots = append(roots, m.ID)
			}
			if second := m.CreatedAt / 1000; second >= from && second <= to {
				within = append(within, m.ID)
			}
		}
		k.walk(chat.ID, want)
		k.walk(chat.ID, reversed(want), "sort_type", "ByCreateTimeDesc")
		k.walk(chat.ID, roots, "only_thread_root_messages", "true")
		k.walk(chat.ID, within, "start_time", fmt.Sprint(from), "end_time", fmt.Sprint(to))
		if chat.Flat() == (len(roots) == len(want)) {
			t.Errorf("chat %s (%s): %d of %d are roots", chat.ID, chat.Mode, len(roots), len(want))
		}
	}
}

func reversed(ids []string) []string {
	var back []string
	for i := len(ids) - 1; i >= 0; i-- {
		back = append(back, ids[i])
	}
	return back
}

// walk reads a chat to its end and compares ids.
func (k *caller) walk(chat string, want []string, parameters ...string) {
	k.t.Helper()
	var got []string
	for token := ""; ; {
		p := k.page("chat", chat, token, parameters...)
		p.want(k.t, 200, 0)
		got = append(got, p.ids(k.t)...)
		if len(p.Data.Items) != 50 && p.Data.HasMore || (p.Data.PageToken != "") != p.Data.HasMore {
			k.t.Errorf("%d items, has_more %v, token %q", len(p.Data.Items), p.Data.HasMore, p.Data.PageToken)
		}
		if !p.Data.HasMore {
			break
		}
		token = p.Data.PageToken
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		k.t.Errorf("chat %s %v: %d messages, want %d in order", chat, parameters, len(got), len(want))
	}
}

func TestParametersAreChecked(t *testing.T) {
	w := world(t, simulator.Options{Chats: 4})
	k := newCaller(t, w, simulator.FeishuConfig{})
	chat := w.Chats()[0].ID
	thread := w.Threads(chat)[0].ID
	good := map[string]string{"container_id_type": "chat", "container_id": chat}
	for _, c := range []struct {
		change string
		code   int
	}{
		{"container_id_type=", 99992402}, {"container_id=", 99992402}, {"container_id_type=room", 230001}, {"page_size=0", 99992402},
		{"page_size=51", 99992402}, {"page_size=many", 99992402}, {"sort_type=Sideways", 99992402}, {"page_token=nonsense", 230001},
		{"start_time=yesterday", 230001}, {"container_id=oc_unknown", 230001}, {"start_time=20&end_time=10", 230001},
		{"container_id_type=thread&container_id=omt_unknown", 230019}, {"container_id_type=thread&container_id=" + chat, 230001},
		{"container_id_type=thread&start_time=1&container_id=" + thread, 230001},
	} {
		parameters := map[string]string{}
		for name, value := range good {
			parameters[name] = value
		}
		for _, pair := range strings.Split(c.change, "&") {
			name, value, _ := strings.Cut(pair, "=")
			parameters[name] = value
		}
		var flat []string
		for name, value := range parameters {
			flat = append(flat, name, value)
		}
		p := k.get(messages, flat...)
		if p.want(t, 400, c.code); c.code == 99992402 && len(p.Error.FieldViolations) != 1 {
			t.Errorf("%s: no field violation in %s", c.change, p.body)
		}
	}
	k.get("/open-apis/im/v1/chats", "page_size", "101").want(t, 400, 99992402)
	k.get("/open-apis/im/v1/chats", "page_token", "nonsense").want(t, 400, 232001)
	k.get("/open-apis/im/v1/chats/oc_unknown").want(t, 400, 232006)
	k.get(messages+"/om_unknown").want(t, 400, 99992354)
	k.get(messages+"/"+thread).want(t, 400, 99992354)
	k.get(messages+"/"+textOf(w, chat), "user_id_type", "nickname").want(t, 400, 99992402)
	k.get("/open-apis/im/v1/pigeons").want(t, 404, 99991201)
	if r := k.api.Report(); r.Wrong < 14 {
		t.Errorf("report counts %d wrong requests", r.Wrong)
	}
	p := k.get(messages, "container_id_type", "chat", "container_id", chat)
	if p.want(t, 200, 0); len(p.Data.Items) != 20 {
		t.Errorf("%d items without page_size, want 20", len(p.Data.Items))
	}
}

func TestItemsFollowTheRequest(t *testing.T) {
	w := world(t, simulator.Options{Chats: 8, Mix: simulator.Mix{Cards: 50}})
	k := newCaller(t, w, simulator.FeishuConfig{})
	card, mention, copied := simulator.Message{}, simulator.Message{}, simulator.Message{}
	for _, chat := range w.Chats() {
		for _, m := range w.Messages(chat.ID) {
			switch {
			case m.State != simulator.Normal:
			case m.Type == "interactive":
				card = m
			case len(m.Mentions) > 0 && m.Sender.Type == "user":
				mention = m
			}
			if m.CopyOf != "" {
				copied = m
			}
		}
	}
	content := func(p *reply) string {
		var item struct {
			Body struct{ Content string }
		}
		if err := json.Unmarshal(p.Data.Items[0], &item); err != nil {
			t.Fatal(err)
		}
		return item.Body.Content
	}
	if got := content(k.get(messages + "/" + card.ID)); got != card.Content {
		t.Errorf("card is %s, want %s", got, card.Content)
	}
	if got := content(k.get(messages+"/"+card.ID, "card_msg_content_type", "user_card_content")); got != card.Card {
		t.Errorf("card is %s, want %s", got, card.Card)
	}
	named := string(k.get(messages+"/"+mention.ID, "with_sender_name", "true", "user_id_type", "union_id").body)
	if !strings.Contains(named, `"sender_name":`) || !strings.Contains(named, `"id":"on_`+mention.Sender.ID[3:]) ||
		!strings.Contains(named, `"id_type":"union_id"`) || strings.Contains(named, `"ou_`) {
		t.Errorf("with name and union ids: %s", named)
	}
	if plain := string(k.get(messages + "/" + mention.ID).body); strings.Contains(plain, "sender_name") {
		t.Errorf("sender name without asking: %s", plain)
	}
	if got := string(k.get(messages + "/" + copied.ID).body); !strings.Contains(got, `"sync_to_chat_info":{"type":1,"related_message_id":"`+copied.CopyOf) {
		t.Errorf("copy is %s", got)
	}
	if got := string(k.get(messages + "/" + copied.CopyOf).body); !strings.Contains(got, `"sync_to_chat_info":{"type":2,"related_message_id":"`+copied.ID) {
		t.Errorf("original is %s", got)
	}
}

func TestThreadsEndWithTheirRoots(t *testing.T) {
	w := world(t, simulator.Options{Chats: 3})
	k := newCaller(t, w, simulator.FeishuConfig{})
	seen := map[int]int{}
	for _, chat := range w.Chats() {
		for _, thread := range w.Threads(chat.ID) {
			seen[thread.Code]++
			if p := k.page("thread", thread.ID, ""); p.Code != thread.Code {
				t.Errorf("thread %s: code %d, want %d", thread.ID, p.Code, thread.Code)
			}
		}
	}
	thread := w.Threads(w.Chats()[0].ID)[1]
	if err := w.Delete(thread.RootID); err != nil {
		t.Fatal(err)
	}
	k.page("thread", thread.ID, "").want(t, 400, 230110)
	if seen[0] == 0 || seen[230073] != 1 {
		t.Errorf("codes of threads: %v", seen)
	}
}

func TestTokens(t *testing.T) {
	w, at := world(t, simulator.Options{Chats: 1}), newClock()
	k := newCaller(t, w, simulator.FeishuConfig{Now: at.now})
	chat := w.Chats()[0].ID
	id, secret, _ := w.App()
	k.askToken(id, "wrong").want(t, 400, 10014)
	k.askToken("cli_other", secret).want(t, 400, 10003)
	k.askToken("", "").want(t, 400, 10003)
	first := k.token
	at.add(89 * time.Minute)
	if p := k.refresh(); p.Token != first || p.Expire != 31*60 {
		t.Errorf("with 31 minutes left: token %q, expire %d, want %q, 1860", p.Token, p.Expire, first)
	}
	at.add(2 * time.Minute)
	if p := k.refresh(); p.Token == first || p.Expire != 7200 {
		t.Errorf("with 29 minutes left: token %q, expire %d, want another, 7200", p.Token, p.Expire)
	}
	second := k.token
	k.token = first
	k.page("chat", chat, "").want(t, 200, 0)
	at.add(29 * time.Minute)
	k.page("chat", chat, "").want(t, 400, 99991663)
	k.token = second
	k.page("chat", chat, "").want(t, 200, 0)
	k.api.RevokeTokens()
	k.page("chat", chat, "").want(t, 400, 99991663)
	if k.refresh(); k.token == second {
		t.Error("a revoked token was given out again")
	}
	k.page("chat", chat, "").want(t, 200, 0)
	k.token = "Bearer t-twice"
	k.page("chat", chat, "").want(t, 400, 99991671)
	r, err := http.NewRequest(http.MethodGet, k.base+messages, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := k.send(r); err != nil || p.Code != 99991661 {
		t.Errorf("without a token: %v %+v", err, p)
	}
}

func TestPageTokensAreBoundAndExpire(t *testing.T) {
	w, at := world(t, simulator.Options{Chats: 2}), newClock()
	k := newCaller(t, w, simulator.FeishuConfig{Now: at.now, PageTokenLife: time.Hour})
	chats := w.Chats()
	token := k.page("chat", chats[0].ID, "").Data.PageToken
	k.page("chat", chats[0].ID, token).want(t, 200, 0)
	k.page("chat", chats[1].ID, token).want(t, 400, 230001)
	k.page("chat", chats[0].ID, token, "sort_type", "ByCreateTimeDesc").want(t, 400, 230001)
	k.page("chat", chats[0].ID, token[:20]+"AAAA"+token[24:]).want(t, 400, 230001)
	at.add(61 * time.Minute)
	k.page("chat", chats[0].ID, token).want(t, 400, 230001)
	steady := newCaller(t, w, simulator.FeishuConfig{})
	steady.page("chat", chats[0].ID, token).want(t, 200, 0)
	steady.api.RefusePageTokens()
	steady.page("chat", chats[0].ID, token).want(t, 400, 230001)
	fresh := steady.page("chat", chats[0].ID, "").Data.PageToken
	steady.page("chat", chats[0].ID, fresh).want(t, 200, 0)
}
