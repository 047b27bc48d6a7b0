package overview

import (
	"math"
	"sort"
	"time"
)

// Lag counts what of a partition's pages a normalizer has not committed. It is fed with pages in order, and knows the rest by
// how many pages stood among the offsets so far: offsets are taken by markers of transactions, too.
type Lag struct {
	next, stable, committed int64
	offsets                 []int64 // of pages, from committed up to next
	times                   []int64 // of these, Unix milliseconds
	seen, covered           int64   // pages, and the offsets among which they were
	started                 bool
}

// maxPending is the most pages that are remembered of a partition; 16 bytes each.
const maxPending = 1 << 20

// Move takes the log's first offset, its last stable one and the group's, -1 for none, and gives the offset to read from. Reading on
// helps until Done.
func (l *Lag) Move(start, stable, committed int64) (from int64) {
	at := max(start, committed)
	if !l.started || stable < l.stable || at < l.committed { // the first time, or another log
		*l = Lag{next: at, started: true}
	}
	l.stable, l.committed = stable, at
	n := sort.Search(len(l.offsets), func(i int) bool { return l.offsets[i] >= at })
	l.offsets, l.times = l.offsets[n:], l.times[n:]
	l.next = max(l.next, at)
	return l.next
}

// Page takes the next page.
func (l *Lag) Page(offset int64, at time.Time) {
	if offset < l.committed || offset >= l.stable {
		return
	}
	l.seen++
	l.offsets, l.times = append(l.offsets, offset), append(l.times, at.UnixMilli())
}

// Read says that all pages before an offset were taken.
func (l *Lag) Read(next int64) {
	next = min(next, l.stable)
	if next > l.next {
		l.covered += next - l.next
		l.next = next
	}
}

// Done reports whether reading on would tell nothing more, or more than can be remembered.
func (l *Lag) Done() bool { return l.next >= l.stable || len(l.offsets) >= maxPending }

// Pages is how many pages are not committed: exact where all was read, else an estimate.
func (l *Lag) Pages() int64 {
	n := int64(len(l.offsets))
	if left := l.stable - l.next; left > 0 {
		share := 1.0
		if l.covered > 0 {
			share = float64(l.seen) / float64(l.covered)
		}
		n += int64(math.Round(share * float64(left)))
	}
	return n
}

// Oldest is the time of the oldest page that is not committed; false where none is.
func (l *Lag) Oldest() (time.Time, bool) {
	if len(l.times) == 0 {
		return time.Time{}, false
	}
	return time.UnixMilli(l.times[0]), true
}
