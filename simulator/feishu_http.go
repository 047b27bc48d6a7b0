package simulator

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// API is one API of Feishu; each has a quota of its own.
type API string

// APIs that are served.
const (
	APIToken    API = "auth.v3.tenant_access_token.internal"
	APIChats    API = "im.v1.chats.list"
	APIChat     API = "im.v1.chats.get"
	APIMessages API = "im.v1.messages.list"
	APIMessage  API = "im.v1.messages.get"
	apiUnknown  API = "unknown"
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
	world  *World
	config FeishuConfig

	mu        sync.Mutex
	tokens    tokens
	meters    map[API]*meter
	faults    []*rule
	epoch     uint16               // of page tokens
	places    map[string]time.Time // page tokens given out, where they expire
	shown     map[*Message]uint8
	report    Report
	seconds   map[API]map[int64]int
	flying    int
	exchanges []Exchange
}

// NewFeishu serves a world. Several servers of one world share its messages, but no quota and no tokens.
func NewFeishu(w *World, c FeishuConfig) *Feishu {
	if c.TokenLife == 0 {
		c.TokenLife = 2 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	f := &Feishu{world: w, config: c, meters: map[API]*meter{}, faults: rules(c.Faults), places: map[string]time.Time{},
		shown: map[*Message]uint8{}, seconds: map[API]map[int64]int{},
		report: Report{APIs: map[API]Usage{}, Faults: map[Action]int{}}}
	f.tokens.expiry = map[string]time.Time{}
	return f
}

func (f *Feishu) now() time.Time { return f.config.Now() }

// call is one request while it is answered.
type call struct {
	api       API
	container string // id that the call is about
	chat      string // that this belongs to
	msgType   string
	pageToken string
	place     pageToken // that it asks for
	line      string
	number    int
	at        time.Time
	faults    []*rule
	skew      time.Duration
	broken    []string // ids of messages whose item was broken
	logID     string
}

// has tells whether a fault acts on the call.
func (c *call) has(a Action) bool {
	for _, r := range c.faults {
		if r.Action == a {
			return true
		}
	}
	return false
}

// ServeHTTP answers one call. The order is the platform's: quota, credentials, parameters, rights.
func (f *Feishu) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := f.begin(r)
	defer f.leave()
	delay := f.config.Latency
	for _, fault := range c.faults {
		switch fault.Action {
		case Slow:
			delay += fault.Delay
		case SkewClock:
			c.skew += fault.Delay
		case Hang:
			f.record(c, &answer{}, false)
			<-r.Context().Done()
			return
		}
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			f.record(c, &answer{}, false)
			return
		}
	}
	f.send(w, c, f.answer(c, r))
}

// begin tells what a request asks for and counts it.
func (f *Feishu) begin(r *http.Request) *call {
	c := &call{line: r.Method + " " + r.URL.RequestURI(), pageToken: r.URL.Query().Get("page_token"), at: f.now()}
	c.api, c.container = route(r)
	f.world.locate(c)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Calls++
	c.number = f.report.Calls
	c.logID = c.at.UTC().Format("20060102150405") + strings.ToUpper(f.world.seed.with("log", c.number).hex(20))
	f.flying++
	f.report.PeakInFlight = max(f.report.PeakInFlight, f.flying)
	c.faults = f.fire(c)
	return c
}

func (f *Feishu) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying--
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
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.meters[c.api]
	if m == nil {
		m = &meter{}
		f.meters[c.api] = m
	}
	now := f.now()
	if ok, limit, wait := m.admit(now, f.config.Limits); !ok {
		return throttled(f.config.Limits, limit, wait)
	}
	if f.seconds[c.api] == nil {
		f.seconds[c.api] = map[int64]int{}
	}
	f.seconds[c.api][now.Unix()]++
	return nil
}

// openPlace reads the page token of a call.
func (f *Feishu) openPlace(c *call, query string) (pageToken, *answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.pageToken == "" {
		return pageToken{epoch: f.epoch}, nil
	}
	place, err := openPageToken(c.pageToken, query)
	given, known := f.places[c.pageToken]
	expired := f.config.PageTokenLife > 0 && (!known || f.now().Sub(given) > f.config.PageTokenLife)
	if err != nil || place.epoch != f.epoch || expired || c.has(RefusePageToken) {
		return pageToken{}, refuseParameter("invalid page_token")
	}
	return place, nil
}

// keepPlace remembers when a page token was given out first, where that matters.
func (f *Feishu) keepPlace(token string) {
	if token == "" || f.config.PageTokenLife <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.places[token]; !known {
		f.places[token] = f.now()
	}
}

// RefusePageTokens makes every page token given out so far invalid (230001).
func (f *Feishu) RefusePageTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
}

// send writes an answer, or less than that where a fault says so.
func (f *Feishu) send(w http.ResponseWriter, c *call, a *answer) {
	if c.has(Reset) {
		f.record(c, &answer{}, false)
		reset(w)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	for name, values := range a.header {
		header[name] = values
	}
	header.Set("X-Tt-Logid", c.logID)
	header.Set("X-Request-Id", c.logID)
	if c.skew != 0 {
		header.Set("Date", f.now().Add(c.skew).UTC().Format(http.TimeFormat))
	}
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if c.has(Cut) {
		a.body = a.body[:len(a.body)/2]
		_, _ = w.Write(a.body)
		f.record(c, a, false)
		if flusher, ok := w.(http.Flusher); ok {
			flusher.Flush()
		}
		panic(http.ErrAbortHandler) // the documented way to break off an answer
	}
	// Recorded before the last byte goes out: whoever has the whole answer finds it in the report.
	f.record(c, a, true)
	_, _ = w.Write(a.body)
}

// reset drops the connection so that the client sees a reset and not an end.
func reset(w http.ResponseWriter) {
	if hijacker, ok := w.(http.Hijacker); ok {
		if conn, _, err := hijacker.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
