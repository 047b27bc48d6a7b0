package simulator

import (
	"net/http"
	"time"
)

// Action is what a fault does to a call.
type Action string

// Actions. Those on pages touch lists of messages only.
const (
	Reset           Action = "reset"             // the connection is reset before a byte of the answer
	Hang            Action = "hang"              // never answers, until the client goes away
	Cut             Action = "cut"               // the body ends halfway, after a Content-Length for all of it
	HTML            Action = "html"              // a gateway's page under HTTP 502
	Answer          Action = "answer"            // Status and Code, or Body; see Fault
	Throttle        Action = "throttle"          // as if the quota were used up, to wait for Delay
	Slow            Action = "slow"              // answers after Delay
	RevokeToken     Action = "revoke token"      // all tokens given out become invalid before this call
	SkewClock       Action = "skew clock"        // the server's clock, in Date and for tokens, is ahead by Delay
	RefusePageToken Action = "refuse page token" // 230001 where the call bears a page token
	RepeatPageToken Action = "repeat page token" // the next page is this page
	CyclePageTokens Action = "cycle page tokens" // the third page leads back to the second
	NoPageToken     Action = "no page token"     // has_more true and no page token
	EmptyPage       Action = "empty page"        // no items and has_more true, with a token of its own
	LastPageToken   Action = "last page token"   // a page token with has_more false
	BigPage         Action = "big page"          // the body is padded to at least Bytes
	BreakItem       Action = "break item"        // item Item is broken as Broken says; GET of a message too
)

// Broken is a way in which an item is not as documented.
type Broken string

// Ways to break an item.
const (
	NullItem          Broken = "null"                // null
	WrongTypes        Broken = "wrong types"         // body a string, sender a list, deleted a string
	NoMessageID       Broken = "no message id"       //
	BrokenContent     Broken = "broken content"      // content is cut JSON
	InvalidUTF8       Broken = "invalid utf-8"       // bytes that are no UTF-8 within content
	UnknownType       Broken = "unknown type"        // msg_type that nobody knows
	AbsurdTimes       Broken = "absurd times"        // create_time of the year 292278994, update_time not a number
	NumbersForStrings Broken = "numbers for strings" // create_time, update_time and message_id as JSON numbers
)

// Fault is a rule: the calls that it fits and what becomes of them. Zero fields fit every call. Of several rules that
// fit, all act, in order.
type Fault struct {
	API       API
	Container string // id of the chat or thread listed, of the chat or message asked for
	Chat      string // id of the chat that it belongs to
	MsgType   string // of the message asked for

	// From is the first fitting call that it acts on, from 1 (0: 1); Every is the step from there (0: 1); Times is how
	// often it acts (0: without end). Each counts every container apart.
	From, Every, Times int
	Each               bool

	Action Action
	// Status, Code and Msg are the answer of Answer; Body replaces its envelope and ContentType says what it is.
	// Status 0 is 400, or 200 where Code is 0; a status from 500 on without Code and Body has a plain text.
	Status, Code int
	Msg          string
	Body         []byte
	ContentType  string
	Delay        time.Duration
	Bytes        int
	Item         int
	Broken       Broken
}

// rule is a fault with what it remembers.
type rule struct {
	Fault
	calls, fired map[string]int
	tokens       map[string][]string // by container, the first two page tokens given out
}

func rules(faults []Fault) []*rule {
	var rs []*rule
	for _, fault := range faults {
		rs = append(rs, &rule{Fault: fault, calls: map[string]int{}, fired: map[string]int{}, tokens: map[string][]string{}})
	}
	return rs
}

// SetFaults replaces all faults; their counting starts anew. Without arguments the API is well again.
func (f *Feishu) SetFaults(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = rules(faults)
}

// AddFaults adds faults to those in force.
func (f *Feishu) AddFaults(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, rules(faults)...)
}

func (r *rule) fits(c *call) bool {
	return (r.API == "" || r.API == c.api) && (r.Container == "" || r.Container == c.container) &&
		(r.Chat == "" || r.Chat == c.chat) && (r.MsgType == "" || r.MsgType == c.msgType)
}

// fire counts a call and tells which faults act on it. f.mu is held.
func (f *Feishu) fire(c *call) []*rule {
	var acting []*rule
	for _, r := range f.faults {
		if !r.fits(c) {
			continue
		}
		key := ""
		if r.Each {
			key = c.container
		}
		r.calls[key]++
		from, every := max(1, r.From), max(1, r.Every)
		if n := r.calls[key]; n < from || (n-from)%every != 0 || r.Times > 0 && r.fired[key] >= r.Times {
			continue
		}
		r.fired[key]++
		f.report.Faults[r.Action]++
		acting = append(acting, r)
	}
	return acting
}

// replace is the answer of a fault that keeps the call from the API, nil where there is none.
func (f *Feishu) replace(c *call) *answer {
	for _, r := range c.faults {
		switch r.Action {
		case RevokeToken:
			f.RevokeTokens()
		case Throttle:
			return throttled(f.config.Limits, max(1, f.config.Limits.PerMinute), r.Delay)
		case HTML:
			return plain(http.StatusBadGateway, "text/html", []byte("<html><head><title>502 Bad Gateway</title></head>\n<body>nginx</body></html>\n"))
		case Answer:
			return r.answer()
		}
	}
	return nil
}

func plain(status int, contentType string, body []byte) *answer {
	a := &answer{status: status, code: -1, header: http.Header{}, body: body}
	a.header.Set("Content-Type", contentType)
	return a
}

func (r *rule) answer() *answer {
	status := r.Status
	if status == 0 && r.Code == 0 {
		status = http.StatusOK
	} else if status == 0 {
		status = http.StatusBadRequest
	}
	contentType := r.ContentType
	if contentType == "" {
		contentType = "application/json; charset=utf-8"
	}
	switch {
	case r.Body != nil:
		return plain(status, contentType, r.Body)
	case status >= http.StatusInternalServerError && r.Code == 0:
		return plain(status, "text/plain", []byte("upstream connect error or disconnect/reset before headers"))
	}
	msg := r.Msg
	if msg == "" {
		msg = messageOf(r.Code)
	}
	return answerJSON(status, r.Code, envelope{Code: r.Code, Msg: msg})
}
