package simulator

import (
	"net/http"
	"strings"
	"time"
)

// APIs of Feishu that are served.
const (
	APIToken    API = "auth.v3.tenant_access_token.internal"
	APIChats    API = "im.v1.chats.list"
	APIChat     API = "im.v1.chats.get"
	APIMessages API = "im.v1.messages.list"
	APIMessage  API = "im.v1.messages.get"
)

// FeishuConfig is how a world is served. Its zero value: no quota, tokens that live two hours, no faults.
type FeishuConfig struct {
	Limits    Limits
	TokenLife time.Duration // 0: 2 h
	// PageTokenLife is how long a page token is good after it was given out; 0: for ever, also by another server of
	// the same world.
	PageTokenLife time.Duration
	Latency       time.Duration // of every answer
	Now           func() time.Time
	Faults        []Fault
	// Record keeps an Exchange for every call, RecordBodies its body too.
	Record, RecordBodies bool
}

// Feishu is Feishu's HTTP API over a world. It is an http.Handler for any number of connections.
type Feishu struct {
	*front
	world  *World
	config FeishuConfig
	tokens tokens // under front.mu
}

// NewFeishu serves a world. Several servers of one world share its messages, but no quota and no tokens.
func NewFeishu(w *World, c FeishuConfig) *Feishu {
	if c.TokenLife == 0 {
		c.TokenLife = 2 * time.Hour
	}
	f := &Feishu{front: newFront(c.Now, c.Faults), world: w, config: c, tokens: tokens{expiry: map[string]time.Time{}}}
	f.latency, f.tokenLife, f.keep, f.bodies = c.Latency, c.PageTokenLife, c.Record, c.RecordBodies
	return f
}

// ServeHTTP answers one call. The order is the platform's: quota, credentials, parameters, rights.
func (f *Feishu) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := f.begin(r)
	defer f.leave()
	if !f.linger(c, r) {
		return
	}
	a := f.answer(c, r)
	w.Header().Set("X-Tt-Logid", c.logID)
	w.Header().Set("X-Request-Id", c.logID)
	f.send(w, c, a)
}

// begin tells what a request asks for and counts it.
func (f *Feishu) begin(r *http.Request) *call {
	c := &call{line: r.Method + " " + r.URL.RequestURI(), pageToken: r.URL.Query().Get("page_token"), at: f.clock()}
	c.api, c.container = route(r)
	c.query = r.URL.RawQuery
	f.world.locate(c)
	f.enter(c)
	c.logID = c.at.UTC().Format("20060102150405") + strings.ToUpper(f.world.seed.with("log", c.number).hex(20))
	return c
}

// locate fills in chat and type of what a call is about.
func (w *World) locate(c *call) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.rooms[c.container] != nil {
		c.chat = c.container
	} else if t := w.threads[c.container]; t != nil {
		c.chat = t.chat.ID
	} else if m := w.byID[c.container]; m != nil {
		c.chat, c.msgType = m.ChatID, m.Type
	} else if m := w.byID[w.nested[c.container]]; m != nil {
		c.chat, c.msgType = m.ChatID, m.Type
	}
}

// route tells the API and the id that a request is about.
func route(r *http.Request) (API, string) {
	path := r.URL.Path
	switch {
	case path == "/open-apis/auth/v3/tenant_access_token/internal":
		return APIToken, ""
	case path == "/open-apis/im/v1/chats":
		return APIChats, ""
	case path == "/open-apis/im/v1/messages":
		return APIMessages, r.URL.Query().Get("container_id")
	}
	for prefix, api := range map[string]API{"/open-apis/im/v1/chats/": APIChat, "/open-apis/im/v1/messages/": APIMessage} {
		if id, ok := strings.CutPrefix(path, prefix); ok && id != "" && !strings.Contains(id, "/") {
			return api, id
		}
	}
	return apiUnknown, ""
}

func (f *Feishu) answer(c *call, r *http.Request) *answer {
	if a := f.meter(c); a != nil {
		return a
	}
	if a := f.replace(c); a != nil {
		return a
	}
	method := http.MethodGet
	if c.api == APIToken {
		method = http.MethodPost
	}
	switch {
	case c.api == apiUnknown:
		a := refuse(codeNoSuchPath, "")
		a.status = http.StatusNotFound
		return wrong(a)
	case r.Method != method:
		a := refuse(codeNoSuchMethod, "")
		a.status = http.StatusMethodNotAllowed
		return wrong(a)
	case c.api == APIToken:
		return f.token(c, r)
	}
	if a := f.authorize(c, r); a != nil {
		return a
	}
	switch c.api {
	case APIChats:
		return f.listChats(c, r)
	case APIChat:
		return f.getChat(c, r)
	case APIMessages:
		return f.list(c, r)
	}
	return f.get(c, r)
}

// meter takes the call out of the quota; the token API has none.
func (f *Feishu) meter(c *call) *answer {
	if c.api == APIToken || c.api == apiUnknown {
		return nil
	}
	if ok, limit, wait := f.admit(c.api, f.config.Limits); !ok {
		return throttled(f.config.Limits, limit, wait)
	}
	return nil
}
