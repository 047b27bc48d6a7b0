package normalize

// arena is memory for the values of one transaction, used again for the next.
type arena struct {
	chunk      []byte // the one being filled
	used, free [][]byte
}

const chunkSize = 1 << 20

// room gives a chunk to append one value to; what the value makes of it becomes the chunk. A value that does not fit makes
// the chunk grow, and what was written before keeps the old one alive.
func (a *arena) room() []byte {
	if cap(a.chunk)-len(a.chunk) < 4096 {
		if a.chunk != nil {
			a.used = append(a.used, a.chunk)
		}
		if n := len(a.free); n > 0 {
			a.chunk, a.free = a.free[n-1], a.free[:n-1]
		} else {
			a.chunk = make([]byte, 0, chunkSize)
		}
	}
	return a.chunk
}

// reset takes all memory back; no value of the last transaction may be used any more. What grew beyond a chunk for one
// large value is let go.
func (a *arena) reset() {
	for _, c := range append(a.used, a.chunk) {
		if c != nil && cap(c) <= 2*chunkSize {
			a.free = append(a.free, c[:0])
		}
	}
	clear(a.used)
	a.chunk, a.used = nil, a.used[:0]
}
