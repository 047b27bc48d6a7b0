package feishu

import (
	"encoding/json"
	"hash/maphash"

	"chatlake/connectors"
	"chatlake/schemas"
)

// mark is what a Cursor of this source holds, as JSON. The zero value is the beginning.
//
// A page token's life and what it binds are not documented, so it never stands alone: what is needed to go on without it
// stands beside it.
type mark struct {
	Token string `json:"t,omitempty"`
	// Start is the start_time in force since a refused token, Unix seconds, 0: the container's own.
	Start int64 `json:"s,omitempty"`
	// Last is the creation time of the last message shown, and Unordered says that one came after a younger one: then
	// the watermark does not tell that all before it was seen.
	Last      schemas.Millis `json:"l,omitempty"`
	Unordered bool           `json:"u,omitempty"`
	// Done says that nothing is left.
	Done bool `json:"d,omitempty"`
}

func (m mark) cursor() connectors.Cursor {
	if m == (mark{}) {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "" // a struct of strings, numbers and booleans always marshals
	}
	return connectors.Cursor(b)
}

// markOf reads a cursor. One that this source did not write is as good as none: reading starts anew, and what overlaps
// is recognised.
func markOf(c connectors.Cursor) mark {
	var m mark
	if c == "" || json.Unmarshal([]byte(c), &m) != nil {
		return mark{}
	}
	return m
}

// The most that is done without progress, and the reasons of containers that end for it.
const (
	maxStale   = 50 // pages in a row that show no id which the page before did not show
	maxRefused = 3  // page tokens refused in a row, each before the page that the one before had led to was passed

	reasonRepeated = "token_repeated"
	reasonStale    = "no_progress"
	reasonMissing  = "token_missing"
	reasonRefused  = "token_refused"
	reasonTooLong  = "token_too_long"

	maxToken = 8 << 10 // bytes; tokens seen are some 100. It goes into an address, a header and a checkpoint.
)

var tokenSeed = maphash.MakeSeed()

// guard notices a listing that runs in circles. It looks at what has happened since the last start or resumption.
type guard struct {
	tokens map[uint64]struct{} // hashes: a container may have many thousand pages
	before map[string]struct{} // ids of the page before
	stale  int
}

func newGuard(token string) *guard {
	g := &guard{tokens: make(map[uint64]struct{})}
	if token != "" {
		g.repeated(token)
	}
	return g
}

// repeated reports whether token was seen before, and remembers it.
func (g *guard) repeated(token string) bool {
	h := maphash.String(tokenSeed, token)
	_, seen := g.tokens[h]
	g.tokens[h] = struct{}{}
	return seen
}

// check looks at a page that says that there is more, and gives the reason why it must not be followed, or nil.
func (g *guard) check(l *listing) *connectors.Failure {
	ids, fresh := make(map[string]struct{}, len(l.items)), false
	for i := range l.items {
		id := l.items[i].id
		if id == "" {
			continue
		}
		ids[id] = struct{}{}
		if _, old := g.before[id]; !old {
			fresh = true
		}
	}
	g.before = ids
	g.stale++
	if fresh {
		g.stale = 0
	}
	switch {
	case l.token == "":
		return &connectors.Failure{Code: reasonMissing, Message: "the platform says that there is more but gives no page token"}
	case len(l.token) > maxToken:
		return &connectors.Failure{Code: reasonTooLong, Message: "the platform gives a page token that is too long to be one"}
	case g.repeated(l.token):
		return &connectors.Failure{Code: reasonRepeated, Message: "the platform gives a page token that it gave before"}
	case g.stale >= maxStale:
		return &connectors.Failure{Code: reasonStale, Message: "50 pages in a row showed nothing new"}
	}
	return nil
}
