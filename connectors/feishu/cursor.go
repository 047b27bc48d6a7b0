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
	Finished  bool           `json:"d,omitempty"` // nothing is left
}

// Done implements api.Mark.
func (m *mark) Done() bool { return m.Finished }

// Finish implements api.Mark.
func (m *mark) Finish() { m.Token, m.Finished = "", true }

// Cursor implements api.Mark.
func (m *mark) Cursor() connectors.Cursor {
	if *m == (mark{}) {
		return ""
	}
	b, err := json.Marshal(m)
	if err != nil {
		return "" // a struct of strings, numbers and booleans always marshals
	}
	return connectors.Cursor(b)
}

// markOf reads a cursor. One that this source did not write says nothing: reading starts from the beginning, and what overlaps
// is recognised.
func markOf(c connectors.Cursor) mark {
	var m mark
	if c != "" && json.Unmarshal([]byte(c), &m) != nil {
		return mark{Unordered: true} // the watermark is not to be relied on
	}
	return m
}

// restart is where to go on without the page token: a chat whose messages came in ascending order from its watermark, all
// else from the start. Threads know no times.
func (m mark) restart(kind string, watermark schemas.Millis) mark {
	next := mark{Unordered: m.Unordered}
	if kind == schemas.KindChat && !m.Unordered {
		next.Start = floorSeconds(watermark)
	}
	return next
}

// memory is what a walk keeps in Position.Memory.
type memory struct {
	api.Trail
	refused resumption
}

// memoryOf takes up the memory of a position; without one counting begins with its page token.
func memoryOf(from connectors.Position, m mark) memory {
	if kept, ok := from.Memory.(memory); ok {
		return kept
	}
	var fresh memory
	if m.Token != "" {
		fresh.Guard, _ = fresh.Guard.Token(m.Token)
	}
	return fresh
}

// follow looks at a page that says that there is more, and gives the reason why it must not be followed, or nil.
func (m *memory) follow(l *listing) *connectors.Failure {
	ids := make([]string, len(l.items))
	for i := range l.items {
		ids[i] = l.items[i].id
	}
	stale := m.Page(ids)
	if failed := m.Token(l.token, ""); failed != nil {
		return failed
	}
	return stale
}
