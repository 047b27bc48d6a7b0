package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
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

// Traffic is what a platform was used for so far.
type Traffic struct {
	Calls        int
	APIs         map[API]Usage
	Wrong        int // requests that were themselves at fault: parameters, credentials, paths
	PeakInFlight int
	Faults       map[Action]int // how often each acted
	Broken       []string       // ids of messages whose item a fault broke, in order, with repeats
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

// record counts an answer just before its last byte is sent; whole is false where less goes out.
func (f *front) record(c *call, a *answer, whole bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.traffic.APIs[c.api]
	u.Calls++
	switch {
	case a.limited:
		u.Throttled++
	case !whole || a.code != f.fine || a.status != http.StatusOK:
		u.Failed++
	}
	if u.First.IsZero() {
		u.First = c.at
	}
	u.Last = c.at
	f.traffic.APIs[c.api] = u
	if a.wrong {
		f.traffic.Wrong++
	}
	if whole {
		for _, s := range a.shows {
			f.shown[s.id] |= s.how
		}
		f.traffic.Broken = append(f.traffic.Broken, c.broken...)
	}
	if !f.keep && !f.bodies {
		return
	}
	sum := sha256.Sum256(a.body)
	e := Exchange{API: c.api, Container: c.container, Request: c.line, Status: a.status, Code: a.code, LogID: c.logID, At: c.at,
		Whole: whole, SHA256: hex.EncodeToString(sum[:]), Length: len(a.body)}
	if f.bodies {
		e.Body = a.body
	}
	f.exchanges = append(f.exchanges, e)
}

// sum copies the traffic so far and finds its peaks. f.mu is held.
func (f *front) sum() Traffic {
	t := f.traffic
	t.APIs, t.Faults, t.Broken = map[API]Usage{}, maps.Clone(f.traffic.Faults), slices.Clone(f.traffic.Broken)
	for api, u := range f.traffic.APIs {
		u.PeakSecond, u.PeakMinute, u.PeakSliding = peaks(f.seconds[api])
		t.APIs[api] = u
	}
	return t
}

// count tells how many messages were shown in any of some ways. f.mu is held.
func (f *front) count(how uint8) int {
	n := 0
	for _, bits := range f.shown {
		if bits&how != 0 {
			n++
		}
	}
	return n
}

// ids lists what was shown in any of some ways, sorted.
func (f *front) ids(how uint8) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for id, bits := range f.shown {
		if bits&how != 0 {
			ids = append(ids, id)
		}
	}
	sort.Strings(ids)
	return ids
}

// Exchanges lists the calls so far in the order of their answers, where recording is on.
func (f *front) Exchanges() []Exchange {
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
