package links

import (
	"encoding/binary"
	"errors"
)

// Rank orders the readings of one record. The first in order stands: what says DELETED before RECALLED before NORMAL, then
// the highest time of its own, then the better source, then the page that was read last.
type Rank struct {
	State   uint8  // 2 DELETED, 1 RECALLED, 0 NORMAL
	Highest int64  // highest create, edit and recall time of the reading, in milliseconds
	Source  uint8  // 0 chat or conversation list, 1 thread list, 2 any other call
	Time    int64  // ce_time of the page, in milliseconds
	Page    uint64 // the first 16 hex digits of the page's id
	Place   uint32 // in the page
}

// Before reports whether r stands before o.
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

// Entry is what is known of one record.
type Entry struct {
	Version  int64 // published last
	Revision int64 // highest time in any reading so far
	Edited   int64 // edit time published last, 0: none
	Digest   uint64
	Rank     Rank // of the reading that stands
}

const entrySize = 8*7 + 1 + 1 + 4

func (e *Entry) append(b []byte) []byte {
	for _, n := range [...]uint64{
		uint64(e.Version), uint64(e.Revision), uint64(e.Edited), e.Digest,
		uint64(e.Rank.Highest), uint64(e.Rank.Time), e.Rank.Page,
	} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(append(b, e.Rank.State, e.Rank.Source), e.Rank.Place)
}

func parseEntry(b []byte) (Entry, error) {
	if len(b) != entrySize {
		return Entry{}, errors.New("value has a wrong length")
	}
	u := func(i int) uint64 { return binary.BigEndian.Uint64(b[8*i:]) }
	return Entry{
		Version: int64(u(0)), Revision: int64(u(1)), Edited: int64(u(2)), Digest: u(3),
		Rank: Rank{
			Highest: int64(u(4)), Time: int64(u(5)), Page: u(6),
			State: b[56], Source: b[57], Place: binary.BigEndian.Uint32(b[58:]),
		},
	}, nil
}
