package simulator_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/simulator"
)

func yunxinWorld(t testing.TB, o simulator.YunxinOptions) *simulator.YunxinWorld {
	t.Helper()
	w, err := simulator.NewYunxinWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// yunxinCaller speaks HTTP to a simulated Yunxin, with fresh credentials for every call.
type yunxinCaller struct {
	t     *testing.T
	w     *simulator.YunxinWorld
	api   *simulator.Yunxin
	base  string
	http  *http.Client
	at    *clock
	calls int
}

func newYunxinCaller(t *testing.T, w *simulator.YunxinWorld, c simulator.YunxinConfig) *yunxinCaller {
	t.Helper()
	k := &yunxinCaller{t: t, w: w, at: newClock()}
	c.Now = k.at.now
	k.api = simulator.NewYunxin(w, c)
	server := httptest.NewServer(k.api)
	t.Cleanup(server.Close)
	k.base, k.http = server.URL, server.Client()
	k.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return k
}

// yunxinReply is one answer, read whole. Numbers stay exact.
type yunxinReply struct {
	status int
	header http.Header
	body   []byte
	Code   int    `json:"code"`
	Msg    string `json:"msg"`
	Data   struct {
		HasMore   bool              `json:"has_more"`
		NextToken string            `json:"next_token"`
		Items     []json.RawMessage `json:"items"`
		Success   []json.RawMessage `json:"success_list"`
		Failed    []struct {
			ID   json.RawMessage `json:"message_server_id"`
			At   int64           `json:"create_time"`
			Code int             `json:"error_code"`
			Msg  string          `json:"error_msg"`
		} `json:"failed_list"`
	} `json:"data"`
}

func (p *yunxinReply) want(t *testing.T, status, code int) {
	t.Helper()
	if p.status != status || p.Code != code {
		t.Fatalf("HTTP %d, code %d, want %d, %d: %.300s", p.status, p.Code, status, code, p.body)
	}
}

// sign sets the credentials of one attempt.
func (k *yunxinCaller) sign(r *http.Request) {
	k.calls++
	key, secret := k.w.App()
	nonce, at := fmt.Sprintf("nonce-%04d", k.calls), strconv.FormatInt(k.at.now().Unix(), 10)
	sum := sha1.Sum([]byte(secret + nonce + at))
	for name, value := range map[string]string{"AppKey": key, "Nonce": nonce, "CurTime": at, "CheckSum": hex.EncodeToString(sum[:]),
		"X-custom-traceid": fmt.Sprintf("trace-%04d", k.calls)} {
		r.Header.Set(name, value)
	}
}

func (k *yunxinCaller) request(method, path, body string) *http.Request {
	k.t.Helper()
	r, err := http.NewRequest(method, k.base+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	k.sign(r)
	return r
}

func (k *yunxinCaller) try(r *http.Request) (*yunxinReply, error) {
	resp, err := k.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	p := &yunxinReply{status: resp.StatusCode, header: resp.Header, body: body}
	if strings.Contains(resp.Header.Get("Content-Type"), "json") {
		// Broken items leave the envelope whole; a body that is no JSON leaves the reply without a code.
		_ = json.Unmarshal(body, p)
	}
	return p, nil
}

func (k *yunxinCaller) send(r *http.Request) *yunxinReply {
	k.t.Helper()
	p, err := k.try(r)
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

const allTime = "2000000000000"

// historyPath asks for a page; parameters are name and value in turn and replace those that are given for all.
func historyPath(version, id string, parameters ...string) string {
	q := url.Values{"begin_time": {"0"}, "end_time": {allTime}, "limit": {"100"}, "descending": {"true"}}
	for i := 0; i < len(parameters); i += 2 {
		if parameters[i+1] == "" {
			q.Del(parameters[i])
			continue
		}
		q.Set(parameters[i], parameters[i+1])
	}
	return "/im/" + version + "/conversations/" + url.PathEscape(id) + "/messages?" + q.Encode()
}

func (k *yunxinCaller) page(id string, parameters ...string) *yunxinReply {
	k.t.Helper()
	return k.send(k.request(http.MethodGet, historyPath("v2.1", id, parameters...), ""))
}

// read pages through a conversation to its end.
func (k *yunxinCaller) read(id string, parameters ...string) []json.RawMessage {
	k.t.Helper()
	var items []json.RawMessage
	for token := ""; ; {
		p := k.page(id, append([]string{"page_token", token}, parameters...)...)
		p.want(k.t, 200, 200)
		items = append(items, p.Data.Items...)
		if !p.Data.HasMore {
			return items
		}
		token = p.Data.NextToken
	}
}

// asked is a message as a batch asks for it.
type asked struct {
	id string
	at int64
}

func batchBody(messages ...asked) string {
	var all []string
	for _, m := range messages {
		all = append(all, fmt.Sprintf(`{"message_server_id":%s,"create_time":%d}`, m.id, m.at))
	}
	return `{"messages":[` + strings.Join(all, ",") + `]}`
}

func (k *yunxinCaller) batch(id string, messages ...asked) *yunxinReply {
	k.t.Helper()
	return k.send(k.request(http.MethodPost, "/im/v2.1/conversations/"+url.PathEscape(id)+"/batch_messages", batchBody(messages...)))
}

// serverID reads the id of an item, number or string.
func serverID(t *testing.T, item json.RawMessage) string {
	t.Helper()
	var m struct {
		ID json.RawMessage `json:"message_server_id"`
	}
	if err := json.Unmarshal(item, &m); err != nil {
		t.Fatalf("item %.200s: %v", item, err)
	}
	return strings.Trim(string(m.ID), `"`)
}

func serverIDs(t *testing.T, items []json.RawMessage) []string {
	t.Helper()
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = serverID(t, item)
	}
	return ids
}

func truthIDs(messages []simulator.YunxinMessage) []string {
	ids := make([]string, len(messages))
	for i, m := range messages {
		ids[i] = m.ID
	}
	return ids
}

func TestCheckSumVectorOfTheVendorsFormulaIsAccepted(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1, AppSecret: "test-secret"})
	api := simulator.NewYunxin(w, simulator.YunxinConfig{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	key, _ := w.App()
	r := httptest.NewRequest(http.MethodGet, historyPath("v2", w.Conversations()[0].APIID), nil)
	for name, value := range map[string]string{"AppKey": key, "Nonce": "nonce-0001", "CurTime": "1700000000",
		"CheckSum": "385a17e9427d10548558886b81b08b540b6a4c6e"} {
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	if api.ServeHTTP(answer, r); answer.Code != 200 || !strings.HasPrefix(answer.Body.String(), `{"code":200,"msg":"success","data":{"has_more":`) {
		t.Errorf("HTTP %d: %.200s", answer.Code, answer.Body)
	}
}
