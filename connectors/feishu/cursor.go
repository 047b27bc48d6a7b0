package feishu

import (
	"encoding/json"

	"chatlake/connectors"
	"chatlake/connectors/api"
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

// memory is what a walk keeps in Position.Memory: what it has seen since the last start or resumption. It is a value that
// no later page changes, so that a page may be read again from the position before it.
type memory struct {
	guard   api.Guard
	refused resumption
	size    api.PageSize
}

// memoryOf takes up the memory of a position; without one counting begins with its page token.
func memoryOf(from connectors.Position, m mark) memory {
	if kept, ok := from.Memory.(memory); ok {
		return kept
	}
	var fresh memory
	if m.Token != "" {
		fresh.guard, _ = fresh.guard.Token(m.Token)
	}
	return fresh
}

// follow looks at a page that says that there is more, and gives the reason why it must not be followed, or nil.
func (m *memory) follow(l *listing) (failed *connectors.Failure) {
	ids := make([]string, len(l.items))
	for i := range l.items {
		ids[i] = l.items[i].id
	}
	var stale int
	m.guard, stale = m.guard.Page(ids)
	switch {
	case l.token == "":
		return &connectors.Failure{Code: reasonMissing, Message: "the platform says that there is more but gives no page token"}
	case len(l.token) > maxToken:
		return &connectors.Failure{Code: reasonTooLong, Message: "the platform gives a page token that is too long to be one"}
	}
	var seen bool
	switch m.guard, seen = m.guard.Token(l.token); {
	case seen:
		return &connectors.Failure{Code: reasonRepeated, Message: "the platform gives a page token that it gave before"}
	case stale >= maxStale:
		return &connectors.Failure{Code: reasonStale, Message: "50 pages in a row showed nothing new"}
	}
	return nil
}
