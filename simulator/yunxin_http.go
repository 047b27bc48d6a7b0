package simulator

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// APIs of Yunxin that are served, v2 and v2.1 alike. Merged files have no quota.
const (
	APIHistory    API = "im.v2.messages.list"
	APIBatch      API = "im.v2.messages.batch"
	APIMergedFile API = "merged.file"
)

// Defaults of YunxinConfig.
const (
	defaultMaxBatch = 100
	defaultBlock    = time.Minute
	maxRequestBody  = 1 << 20
)

// YunxinConfig is how a world is served. Its zero value: no quota, no faults, and what the vendor's pages say where they
// say it.
type YunxinConfig struct {
	// Limits are per API; an API over them answers 416 for as long as Block says (0: a minute, negative: not at all).
	Limits Limits
	Block  time.Duration
	// MaxBatch is how many ids batch_messages takes; 0: 100.
	MaxBatch int
	// AuthCode is what bad credentials give: 414 (0) with words about them, or 403.
	AuthCode int
	// BeginExclusive and EndExclusive leave an end of a time window out of it.
	BeginExclusive, EndExclusive bool
	// DescendingIsNewestFirst gives descending the sense of its name. The vendor's page says the contrary: true is the
	// oldest first.
	DescendingIsNewestFirst bool
	// Jumbled shows the items of a page in no order.
	Jumbled bool
	// MembersOnly has batch_messages refuse an owner who is not in the team, as history does.
	MembersOnly bool
	// FileOrigin is where Files is reached, as http://127.0.0.1:9491; "": the origin of each request serves files too.
	FileOrigin    string
	PageTokenLife time.Duration // as in FeishuConfig
	Latency       time.Duration // of every answer
	Now           func() time.Time
	Faults        []Fault
	// Record keeps an Exchange for every call, RecordBodies its body too.
	Record, RecordBodies bool
}

// Yunxin is Yunxin's HTTP API over a world. It is an http.Handler for any number of connections.
type Yunxin struct {
	*front
	world  *YunxinWorld
	config YunxinConfig
	// Under front.mu:
	nonces, traces        seen
	blocked               map[API]time.Time // until when
	strangers, duplicates int
}

// NewYunxin serves a world. Several servers of one world share its messages, but no quota.
func NewYunxin(w *YunxinWorld, c YunxinConfig) *Yunxin {
	if c.MaxBatch == 0 {
		c.MaxBatch = defaultMaxBatch
	}
	if c.Block == 0 {
		c.Block = defaultBlock
	}
	y := &Yunxin{front: newFront(c.Now, c.Faults), world: w, config: c, blocked: map[API]time.Time{}}
	y.latency, y.tokenLife, y.keep, y.bodies, y.fine = c.Latency, c.PageTokenLife, c.Record, c.RecordBodies, codeOK
	return y
}

// ServeHTTP answers one call.
func (y *Yunxin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	y.serve(w, r, y.config.FileOrigin == "")
}

// Files serves merged files and nothing else, for an origin of their own.
func (y *Yunxin) Files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/merged/") {
			http.NotFound(w, r)
			return
		}
		y.serve(w, r, true)
	})
}

func (y *Yunxin) serve(w http.ResponseWriter, r *http.Request, files bool) {
	c := y.begin(r, files)
	defer y.leave()
	if y.linger(c, r) {
		y.send(w, c, y.answer(c, r))
	}
}

// begin tells what a request asks for and counts it.
func (y *Yunxin) begin(r *http.Request, files bool) *call {
	c := &call{line: r.Method + " " + target(r), pageToken: r.URL.Query().Get("page_token"), at: y.clock(), logID: r.Header.Get(headerTraceID)}
	c.api, c.container = routeYunxin(r.URL.EscapedPath(), files)
	if c.api == APIBatch {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRequestBody))
		if err == nil {
			c.body, c.line = body, c.line+" "+string(body)
			c.ids = askedIDs(body)
		}
	}
	if id, ok := parseYunxinID(c.container); ok {
		c.chat = id.canonical()
	}
	c.query = r.URL.RawQuery
	y.enter(c)
	return c
}

// target is what the request line names, as it came.
func target(r *http.Request) string {
	if r.RequestURI == "" {
		return r.URL.RequestURI()
	}
	return r.RequestURI
}

// routeYunxin tells the API and what a request is about: a conversation id, unescaped once, or the path of a file.
func routeYunxin(path string, files bool) (API, string) {
	if name, ok := strings.CutPrefix(path, "/merged/"); ok && files {
		return APIMergedFile, name
	}
	for _, version := range []string{"/im/v2/", "/im/v2.1/"} {
		rest, ok := strings.CutPrefix(path, version+"conversations/")
		if !ok {
			continue
		}
		escaped, call, _ := strings.Cut(rest, "/")
		id, err := url.PathUnescape(escaped)
		api := map[string]API{"messages": APIHistory, "batch_messages": APIBatch}[call]
		if err == nil && id != "" && api != "" {
			return api, id
		}
	}
	return apiUnknown, ""
}

// answer does what the platform does, in its order: credentials, quota, parameters, rights.
func (y *Yunxin) answer(c *call, r *http.Request) *answer {
	path, _, _ := strings.Cut(target(r), "?")
	switch {
	case c.api == apiUnknown:
		return wrong(gatewayRefusal(http.StatusNotFound))
	case strings.Contains(path, "|"):
		return wrong(gatewayRefusal(http.StatusBadRequest)) // a server's parser takes no bare |
	case (c.api == APIBatch) != (r.Method == http.MethodPost) || c.api != APIBatch && r.Method != http.MethodGet:
		return wrong(gatewayRefusal(http.StatusMethodNotAllowed))
	case c.api == APIMergedFile:
		return y.file(c, r)
	}
	if a := y.authorize(c, r); a != nil {
		return a
	}
	if a := y.meter(c); a != nil {
		return a
	}
	if a := y.replace(c); a != nil {
		return a
	}
	v := yunxinView{newer: strings.HasPrefix(r.URL.Path, "/im/v2.1/"), origin: y.origin(r)}
	if c.api == APIHistory {
		return y.history(c, r.URL.Query(), v)
	}
	return y.batch(c, r, v)
}

func gatewayRefusal(status int) *answer {
	return plain(status, "text/html", []byte("<html><head><title>"+http.StatusText(status)+"</title></head></html>\n"))
}

// origin is where the files of this world are reached.
func (y *Yunxin) origin(r *http.Request) string {
	if y.config.FileOrigin != "" {
		return y.config.FileOrigin
	}
	return "http://" + r.Host
}

func (y *Yunxin) file(c *call, r *http.Request) *answer {
	if a := y.replace(c); a != nil {
		return a
	}
	a := y.world.serveFile(c.container, r.URL.RawQuery, y.origin(r))
	if a.status == http.StatusOK {
		a.code = codeOK
		a.show([]string{r.URL.Path}, shownFile)
	}
	return a
}

// meter takes the call out of the quota of its API. Once that is used up, the API is blocked for a while, also for calls
// that it would allow.
func (y *Yunxin) meter(c *call) *answer {
	y.mu.Lock()
	shut := y.clock().Before(y.blocked[c.api])
	y.mu.Unlock()
	if !shut && !c.has(Throttle) {
		if ok, _, _ := y.admit(c.api, y.config.Limits); ok {
			return nil
		}
	}
	if !shut && y.config.Block > 0 {
		y.mu.Lock()
		y.blocked[c.api] = y.clock().Add(y.config.Block)
		y.mu.Unlock()
	}
	a := refuseYunxin(codeTooMany, "")
	a.limited = true
	return a
}

// replace is the answer of a fault that keeps the call from the API, nil where there is none.
func (y *Yunxin) replace(c *call) *answer {
	for _, r := range c.faults {
		switch r.Action {
		case HTML:
			return gatewayPage()
		case Answer:
			status := r.Status
			if status == 0 {
				status = http.StatusOK
			}
			if a := r.unwrapped(status); a != nil {
				return a
			}
			return yunxinAnswer(status, r.Code, r.Msg, nil)
		}
	}
	return nil
}
