package simulator

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// API is one API of a platform; each has a quota of its own.
type API string

const apiUnknown API = "unknown"

// front is what every simulated platform does around the answering of a call: it counts, lets faults act on the
// connection, meters, and remembers what was shown.
type front struct {
	clock        func() time.Time
	latency      time.Duration
	tokenLife    time.Duration // of page tokens, 0: for ever
	keep, bodies bool          // exchanges
	fine         int           // code of success

	mu        sync.Mutex
	rules     []*rule
	meters    map[API]*meter
	epoch     uint16               // of page tokens
	places    map[string]time.Time // page tokens given out, when
	shown     map[string]uint8     // by message id
	traffic   Traffic
	seconds   map[API]map[int64]int
	flying    int
	exchanges []Exchange
}

func newFront(clock func() time.Time, faults []Fault) *front {
	if clock == nil {
		clock = time.Now
	}
	return &front{clock: clock, rules: rules(faults), meters: map[API]*meter{}, places: map[string]time.Time{},
		shown: map[string]uint8{}, seconds: map[API]map[int64]int{}, traffic: Traffic{APIs: map[API]Usage{}, Faults: map[Action]int{}}}
}

// call is one request while it is answered.
type call struct {
	subject
	pageToken string
	place     pageToken // that it asks for
	line      string
	body      []byte // of the request, where it has been read
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

// answer is a response before it is sent.
type answer struct {
	status  int
	code    int
	header  http.Header
	body    []byte
	shows   []showing // for the report
	wrong   bool      // the request itself was at fault
	limited bool
}

// showing is one message that an answer shows, and how.
type showing struct {
	id  string
	how uint8
}

// show notes messages that the answer shows; "" stands for one that a fault broke.
func (a *answer) show(ids []string, how uint8) {
	for _, id := range ids {
		if id != "" {
			a.shows = append(a.shows, showing{id, how})
		}
	}
}

func wrong(a *answer) *answer {
	a.wrong = true
	return a
}

func plain(status int, contentType string, body []byte) *answer {
	a := &answer{status: status, code: -1, header: http.Header{}, body: body}
	a.header.Set("Content-Type", contentType)
	return a
}

// gatewayPage is what stands between the platform and the world says when it has no answer.
func gatewayPage() *answer {
	return plain(http.StatusBadGateway, "text/html", []byte("<html><head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>\n"))
}

// enter counts a call and finds the faults that act on it.
func (f *front) enter(c *call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.traffic.Calls++
	c.number = f.traffic.Calls
	f.flying++
	f.traffic.PeakInFlight = max(f.traffic.PeakInFlight, f.flying)
	for _, r := range f.rules {
		if r.fits(&c.subject) && r.fire(&c.subject) {
			f.traffic.Faults[r.Action]++
			c.faults = append(c.faults, r)
		}
	}
}

func (f *front) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying--
}

// linger waits as long as latency and faults say; false: the client has gone and there is nothing to answer.
func (f *front) linger(c *call, r *http.Request) bool {
	delay := f.latency
	for _, fault := range c.faults {
		switch fault.Action {
		case Slow:
			delay += fault.Delay
		case SkewClock:
			c.skew += fault.Delay
		case Hang:
			f.record(c, &answer{}, false)
			<-r.Context().Done()
			return false
		}
	}
	if delay <= 0 {
		return true
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		f.record(c, &answer{}, false)
		return false
	}
}

// send writes an answer, or less than that where a fault says so.
func (f *front) send(w http.ResponseWriter, c *call, a *answer) {
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
	if c.skew != 0 {
		header.Set("Date", f.clock().Add(c.skew).UTC().Format(http.TimeFormat))
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

// SetFaults replaces all faults; their counting starts anew. Without arguments the API is well again.
func (f *front) SetFaults(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = rules(faults)
}

// AddFaults adds faults to those in force.
func (f *front) AddFaults(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, rules(faults)...)
}

// RefusePageTokens makes every page token given out so far invalid.
func (f *front) RefusePageTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch++
}

// openPlace reads the page token of a call; false: it is refused.
func (f *front) openPlace(c *call, query string) (pageToken, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.pageToken == "" {
		return pageToken{epoch: f.epoch}, true
	}
	place, err := openPageToken(c.pageToken, query)
	given, known := f.places[c.pageToken]
	expired := f.tokenLife > 0 && (!known || f.clock().Sub(given) > f.tokenLife)
	if err != nil || place.epoch != f.epoch || expired || c.has(RefusePageToken) {
		return pageToken{}, false
	}
	return place, true
}

// keepPlace remembers when a page token was given out first, where that matters.
func (f *front) keepPlace(token string) {
	if token == "" || f.tokenLife <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.places[token]; !known {
		f.places[token] = f.clock()
	}
}
