package simulator

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Action is what a fault does to a call.
type Action string

// Actions that every platform knows. Those on pages touch lists of messages only.
const (
	Reset           Action = "reset"             // the connection is reset before a byte of the answer
	Hang            Action = "hang"              // never answers, until the client goes away
	Cut             Action = "cut"               // the body ends halfway, after a Content-Length for all of it
	HTML            Action = "html"              // a gateway's page under HTTP 502
	Answer          Action = "answer"            // Status and Code, or Body; see Fault
	Throttle        Action = "throttle"          // as if the quota were used up; Feishu: to wait for Delay
	Slow            Action = "slow"              // answers after Delay
	RevokeToken     Action = "revoke token"      // Feishu: all tokens given out become invalid before this call
	SkewClock       Action = "skew clock"        // the server's clock, in Date and for credentials, is ahead by Delay
	RefusePageToken Action = "refuse page token" // 230001 or 414 where the call bears a page token
	RepeatPageToken Action = "repeat page token" // the next page is this page
	CyclePageTokens Action = "cycle page tokens" // the third page leads back to the second
	NoPageToken     Action = "no page token"     // has_more true and no page token
	EmptyPage       Action = "empty page"        // no items and has_more true, with a token of its own
	LastPageToken   Action = "last page token"   // a page token with has_more false
	BigPage         Action = "big page"          // the body is padded to at least Bytes
	BigItem         Action = "big item"          // of a page, the item of Message is padded to at least Bytes
	BreakItem       Action = "break item"        // item Item is broken as Broken says; look-ups of messages too
)

// Actions on Yunxin's batch_messages.
const (
	FailItems   Action = "fail items"   // Message, or all that was found where "", stands in failed_list with Code (0: 107404)
	DropItem    Action = "drop item"    // Message, or item Item where "", stands in neither list
	RepeatItem  Action = "repeat item"  // item Item stands twice
	StrangeItem Action = "strange item" // one more item, which nobody asked for
	NoLists     Action = "no lists"     // data is {}
	NullLists   Action = "null lists"   // both lists are null
)

// Broken is a way in which an item is not as documented.
type Broken string

// Ways to break an item.
const (
	NullItem          Broken = "null"                // null
	WrongTypes        Broken = "wrong types"         // of all that is not an id: strings for objects, lists for strings
	NoMessageID       Broken = "no message id"       //
	BrokenContent     Broken = "broken content"      // content or attachment is cut JSON
	InvalidUTF8       Broken = "invalid utf-8"       // bytes that are no UTF-8 within the text
	UnknownType       Broken = "unknown type"        // a message type that nobody knows
	AbsurdTimes       Broken = "absurd times"        // create_time of the year 292278994, the time of change no number
	NumbersForStrings Broken = "numbers for strings" // times and ids as JSON numbers where strings belong, and the other way round
)

// Fault is a rule: the calls that it fits and what becomes of them. Zero fields fit every call. Of several rules that
// fit, all act, in order.
type Fault struct {
	API       API
	Container string // id of the chat or thread listed, of the chat or message asked for; Yunxin: conversation id of the path, file
	Chat      string // id of the chat that it belongs to; Yunxin: p2p:…, team:… or super:…
	MsgType   string // of the message asked for; Feishu only
	Message   string // Yunxin: id among those that a batch asks for; BigItem: whose item it is
	Query     string // part of the request's query, such as page_token=

	// From is the first fitting call that it acts on, from 1 (0: 1); Every is the step from there (0: 1); Times is how
	// often it acts (0: without end). Each counts every container apart.
	From, Every, Times int
	Each               bool

	Action Action
	// Status, Code and Msg are the answer of Answer; Body replaces its envelope and ContentType says what it is.
	// Status 0 is 400, or 200 where Code is 0 and always for Yunxin; a status from 500 on without Code and Body has a
	// plain text.
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

// subject is what a call is about, as far as faults choose by it.
type subject struct {
	api       API
	container string   // id that the call is about
	chat      string   // that this belongs to
	msgType   string   // of the message asked for
	ids       []string // that a batch asks for
	query     string
}

func (r *rule) fits(s *subject) bool {
	return (r.API == "" || r.API == s.api) && (r.Container == "" || r.Container == s.container) &&
		(r.Chat == "" || r.Chat == s.chat) && (r.MsgType == "" || r.MsgType == s.msgType) &&
		(r.Message == "" || r.Action == BigItem || slices.Contains(s.ids, r.Message)) && strings.Contains(s.query, r.Query)
}

// fire counts a call that the rule fits and tells whether it acts.
func (r *rule) fire(s *subject) bool {
	key := ""
	if r.Each {
		key = s.container
	}
	r.calls[key]++
	from, every := max(1, r.From), max(1, r.Every)
	if n := r.calls[key]; n < from || (n-from)%every != 0 || r.Times > 0 && r.fired[key] >= r.Times {
		return false
	}
	r.fired[key]++
	return true
}

// unwrapped is what an Answer fault says without the platform's envelope, nil where it has one.
func (r *rule) unwrapped(status int) *answer {
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
	return nil
}
