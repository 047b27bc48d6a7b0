// Package overview tells where the reading of containers has come to: a row for each, what they add up to by conversation and
// by platform, and how long the rest will take. It works on folded records and knows no broker and no printing.
package overview

import (
	"cmp"
	"slices"

	"chatlake/schemas"
)

// StateFollowing is the state of a container that is read again and again.
const StateFollowing = "FOLLOWING"

// States are those that a container can be in, in the order of its life.
var States = []string{
	schemas.StatePending, schemas.StateRunning, schemas.StateWaiting,
	schemas.StateComplete, StateFollowing, schemas.StateFailed, schemas.StateCancelled,
}

// ModeBackfill is how a container is read that names no mode.
const ModeBackfill = "backfill"

// Row is one container as it is in force. What is not known is nil.
type Row struct {
	Key            string          `json:"key"`
	Platform       string          `json:"platform"`
	TenantID       string          `json:"tenant_id"`
	Kind           string          `json:"kind"`
	ID             string          `json:"id"`
	ConversationID string          `json:"conversation_id"`
	Name           *string         `json:"name"`
	Mode           string          `json:"mode"`
	Cause          string          `json:"cause"`
	Epoch          int64           `json:"epoch"`
	State          string          `json:"state"`
	Pages          int64           `json:"pages"`
	Items          int64           `json:"items"`
	Calls          int64           `json:"calls"`
	Watermark      *schemas.Millis `json:"watermark"`
	CaughtUpAt     *schemas.Millis `json:"caught_up_at"`
	DueAt          *schemas.Millis `json:"due_at"`
	FinalOwed      bool            `json:"final_owed"`
	ErrorCode      *string         `json:"error_code"`
	ErrorMessage   *string         `json:"error_message"`
	UpdatedAt      *schemas.Millis `json:"updated_at"` // nil: no checkpoint of this epoch
	WindowStart    *schemas.Millis `json:"window_start"`
	WindowEnd      *schemas.Millis `json:"window_end"`
	Refs           int             `json:"refs"` // messages that it asks for by id
}

// NewRow gives the row of a container. cp is its newest checkpoint, nil where there is none.
func NewRow(c *schemas.Container, cp *schemas.Checkpoint) Row {
	r := Row{
		Key: c.Key, Platform: c.Platform, TenantID: c.TenantID, Kind: c.Kind, ID: c.ID, ConversationID: c.ConversationID,
		Mode: cmp.Or(c.Mode, ModeBackfill), Cause: c.Cause, Epoch: c.Epoch, State: schemas.StatePending,
		WindowStart: c.WindowStart, WindowEnd: c.WindowEnd, Refs: len(c.Refs),
	}
	if cp != nil && cp.Epoch >= c.Epoch {
		updated := cp.UpdatedAt
		r.Epoch, r.State, r.Pages, r.Items, r.Calls = cp.Epoch, cp.State, cp.Pages, cp.Items, cp.Calls
		r.Watermark, r.ErrorCode, r.ErrorMessage, r.UpdatedAt = cp.Watermark, cp.ErrorCode, cp.ErrorMessage, &updated
	}
	// Nothing more is read of what was cancelled, even before its checkpoint says so; a failure that was cancelled is dismissed.
	if c.Cancelled && c.Epoch == r.Epoch && r.State != schemas.StateComplete {
		r.State = schemas.StateCancelled
	}
	return r
}

// Ended reports whether nothing more will be read of the container in its epoch.
func (r *Row) Ended() bool {
	return r.State == schemas.StateComplete || r.State == schemas.StateFailed || r.State == schemas.StateCancelled
}

// ConversationKey is the key of the row's conversation.
func (r *Row) ConversationKey() string {
	return string(schemas.NewConversationKey(r.Platform, r.TenantID, r.ConversationID))
}

// Count counts states, those without a container too.
func Count(rows []Row) map[string]int {
	n := NoStates()
	for i := range rows {
		n[rows[i].State]++
	}
	return n
}

// NoStates has every state with 0.
func NoStates() map[string]int {
	n := make(map[string]int, len(States))
	for _, s := range States {
		n[s] = 0
	}
	return n
}

// Orders are what rows can be sorted by; the first is the usual one.
var Orders = []string{"key", "activity", "state", "pages"}

// Sort puts rows in one of Orders: activity is the newest checkpoint first, pages the most first, state the order of States. What
// is equal in that goes by key.
func Sort(rows []Row, order string) {
	slices.SortFunc(rows, func(a, b Row) int {
		var n int
		switch order {
		case "activity":
			n = cmp.Compare(millis(b.UpdatedAt), millis(a.UpdatedAt))
		case "pages":
			n = cmp.Compare(b.Pages, a.Pages)
		case "state":
			n = cmp.Compare(rank(a.State), rank(b.State))
		}
		return cmp.Or(n, cmp.Compare(a.Key, b.Key))
	})
}

// rank is a state's place in States, behind all where it is another version's.
func rank(state string) int {
	if i := slices.Index(States, state); i >= 0 {
		return i
	}
	return len(States)
}

func millis(m *schemas.Millis) schemas.Millis {
	if m == nil {
		return 0
	}
	return *m
}

// later gives the later of two times; nil is before all.
func later(a, b *schemas.Millis) *schemas.Millis {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}
