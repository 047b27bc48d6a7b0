package simulator

import (
	"encoding/binary"
	"encoding/hex"
)

// chance is a source of choices that depend on nothing but a seed and what is asked, so that the order of asking does
// not matter and a world comes out the same on any machine.
type chance uint64

// with narrows a chance to one subject.
func (c chance) with(name string, n int) chance {
	h := uint64(c) ^ 0xcbf29ce484222325
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return chance(scramble(h + uint64(n)*0x9e3779b97f4a7c15))
}

// scramble is the finalizer of splitmix64.
func scramble(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// below gives a number in [0, n).
func (c chance) below(n int) int {
	if n <= 0 {
		return 0
	}
	return int(scramble(uint64(c)+0x9e3779b97f4a7c15) % uint64(n))
}

// hex gives n hexadecimal digits, at most 32.
func (c chance) hex(n int) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], scramble(uint64(c)+1))
	binary.BigEndian.PutUint64(b[8:], scramble(uint64(c)+2))
	return hex.EncodeToString(b[:])[:n]
}
