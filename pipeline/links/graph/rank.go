package graph

// Rank orders the readings of one record. The first in order wins: by state, then the highest time of its own, then the
// better source, then the page that was read last.
type Rank struct {
	State   State
	Highest int64  // highest create, edit and recall time of the reading, in milliseconds
	Source  uint8  // 0 chat or conversation list, 1 thread list, 2 any other call
	Time    int64  // ce_time of the page, in milliseconds
	Page    uint64 // the first 16 hex digits of the page's id
	Place   uint32 // in the page
}

// State is that of a message; a higher one is never undone.
type State uint8

// States of a message.
const (
	StateNormal State = iota
	StateRecalled
	StateDeleted
)

// Before reports whether r wins over o.
func (r Rank) Before(o Rank) bool {
	switch {
	case r.State != o.State:
		return r.State > o.State
	case r.Highest != o.Highest:
		return r.Highest > o.Highest
	case r.Source != o.Source:
		return r.Source < o.Source
	case r.Time != o.Time:
		return r.Time > o.Time
	case r.Page != o.Page:
		return r.Page < o.Page
	}
	return r.Place < o.Place
}
