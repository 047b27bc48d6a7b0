package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"sort"
	"time"
)

// Usage is what one API was used for.
type Usage struct {
	Calls     int // all
	Throttled int // over the quota, or said to be
	Failed    int // answered with another code than 0, throttling apart, or not answered
	// Peaks of calls let through: in a second and a minute of the clock, and in any 60 seconds of the clock.
	PeakSecond, PeakMinute, PeakSliding int
	First, Last                         time.Time
}

// Report is what was served so far.
type Report struct {
	Calls        int
	APIs         map[API]Usage
	Wrong        int // requests that were themselves at fault: parameters, credentials, paths
	PeakInFlight int
	TokensIssued int
	Faults       map[Action]int // how often each acted
	// Distinct messages that a whole answer has shown: by chat lists, by thread lists, by either, by GET (children of
	// merged forwards left out), and children of merged forwards.
	InChats, InThreads, InLists, ByID, Children int
	Broken                                      []string // ids of messages whose item a fault broke, in order, with repeats
}

// Exchange is one call as it was answered.
type Exchange struct {
	API       API
	Container string
	Request   string // method, path and query as received
	Status    int    // 0: no answer
	Code      int    // of the body; -1: it has none
	LogID     string
	At        time.Time
	Whole     bool // everything was sent
	SHA256    string
	Length    int
	Body      []byte // where bodies are recorded
}

const (
	shownInChat = 1 << iota
	shownInThread
	shownByID
	shownAsChild
)

// record counts an answer just before its last byte is sent; whole is false where less goes out.
func (f *Feishu) record(c *call, a *answer, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.report.APIs[c.api]
	u.Calls++
	switch {
	case a.limited:
		u.Throttled++
	case !whole || a.code != 0 || a.status != http.StatusOK:
		u.Failed++
	}
	if u.First.IsZero() {
		u.First = c.at
	}
	u.Last = c.at
	f.report.APIs[c.api] = u
	if a.wrong {
		f.report.Wrong++
	}
	if whole {
		f.mark(a)
		f.report.Broken = append(f.report.Broken, c.broken...)
	}
	if !f.config.Record && !f.config.RecordBodies {
		return
	}
	sum := sha256.Sum256(a.body)
	e := Exchange{API: c.api, Container: c.container, Request: c.line, Status: a.status, Code: a.code, LogID: c.logID, At: c.at,
		Whole: whole, SHA256: hex.EncodeToString(sum[:]), Length: len(a.body)}
	if f.config.RecordBodies {
		e.Body = a.body
	}
	f.exchanges = append(f.exchanges, e)
}

// mark remembers what an answer has shown.
func (f *Feishu) mark(a *answer) {
	bit := map[string]uint8{"chat": shownInChat, "thread": shownInThread, "message": shownByID}[a.kind]
	for i, m := range a.served {
		switch {
		case m == nil:
		case bit == shownByID && i > 0:
			f.shown[m] |= shownAsChild
		default:
			f.shown[m] |= bit
		}
	}
}

// Report sums up what was served so far.
func (f *Feishu) Report() Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.report
	r.TokensIssued = f.tokens.issued
	r.APIs, r.Faults = map[API]Usage{}, map[Action]int{}
	for api, u := range f.report.APIs {
		u.PeakSecond, u.PeakMinute, u.PeakSliding = peaks(f.seconds[api])
		r.APIs[api] = u
	}
	for action, n := range f.report.Faults {
		r.Faults[action] = n
	}
	r.Broken = append([]string(nil), f.report.Broken...)
	count := func(shown bool, n *int) {
		if shown {
			*n++
		}
	}
	for _, bits := range f.shown {
		count(bits&shownInChat != 0, &r.InChats)
		count(bits&shownInThread != 0, &r.InThreads)
		count(bits&(shownInChat|shownInThread) != 0, &r.InLists)
		count(bits&shownByID != 0, &r.ByID)
		count(bits&shownAsChild != 0, &r.Children)
	}
	return r
}

// Shown lists the ids of messages that whole answers of lists of chats and threads have shown, sorted.
func (f *Feishu) Shown() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for m, bits := range f.shown {
		if bits&(shownInChat|shownInThread) != 0 {
			ids = append(ids, m.ID)
		}
	}
	sort.Strings(ids)
	return ids
}

// Exchanges lists the calls so far in the order of their answers, where recording is on.
func (f *Feishu) Exchanges() []Exchange {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Exchange(nil), f.exchanges...)
}

// peaks finds the fullest second, clock minute and 60 seconds.
func peaks(seconds map[int64]int) (second, minute, sliding int) {
	minutes := map[int64]int{}
	var order []int64
	for s, n := range seconds {
		second = max(second, n)
		minutes[s/60] += n
		order = append(order, s)
	}
	for _, n := range minutes {
		minute = max(minute, n)
	}
	sort.Slice(order, func(i, j int) bool { return order[i] < order[j] })
	sum, from := 0, 0
	for _, s := range order {
		sum += seconds[s]
		for order[from] <= s-60 {
			sum -= seconds[order[from]]
			from++
		}
		sliding = max(sliding, sum)
	}
	return second, minute, sliding
}
