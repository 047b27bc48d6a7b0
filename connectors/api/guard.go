package api

import (
	"hash/maphash"
	"slices"
)

var guardSeed = maphash.MakeSeed()

// Guard notices a listing that runs in circles: a page token seen before, or pages in a row that show no id which the page
// before did not show. It is a value that a source keeps in Position.Memory: its methods give the guard of the next page
// and leave their receiver alone, so that a position may be read from again. It holds hashes only, 8 bytes a page.
type Guard struct {
	tokens []uint64 // followed so far, never changed in place
	before []uint64 // ids of the page before
	stale  int
}

// Token takes in a page token that is to be followed, and reports whether it was seen before.
func (g Guard) Token(token string) (next Guard, seen bool) {
	h := maphash.String(guardSeed, token)
	if slices.Contains(g.tokens, h) {
		return g, true
	}
	tokens := make([]uint64, 0, len(g.tokens)+1)
	g.tokens = append(append(tokens, g.tokens...), h)
	return g, false
}

// WithoutTokens forgets the page tokens: those of another window may repeat.
func (g Guard) WithoutTokens() Guard {
	g.tokens = nil
	return g
}

// Page takes in the ids that a page shows, "" is none, and tells how many pages in a row have now shown nothing new.
func (g Guard) Page(ids []string) (next Guard, stale int) {
	hashes, fresh := make([]uint64, 0, len(ids)), false
	for _, id := range ids {
		if id == "" {
			continue
		}
		h := maphash.String(guardSeed, id)
		hashes = append(hashes, h)
		fresh = fresh || !slices.Contains(g.before, h)
	}
	g.before = hashes
	g.stale++
	if fresh {
		g.stale = 0
	}
	return g, g.stale
}
