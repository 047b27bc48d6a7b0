package decode

import (
	"bytes"
	"unicode/utf8"

	"chatlake/schemas"
)

// Text gathers a message's text, at most schemas.MaxText bytes of it.
type Text struct {
	b     []byte
	lines int  // line breaks due before what comes next
	cut   bool // something was left out
}

// Reset empties it.
func (t *Text) Reset() {
	if cap(t.b) > blockBytes {
		t.b = nil
	}
	t.b, t.lines, t.cut = t.b[:0], 0, false
}

// Len gives how many bytes were gathered.
func (t *Text) Len() int { return len(t.b) }

// Says reports whether anything but blanks was gathered from byte from on.
func (t *Text) Says(from int) bool { return len(bytes.TrimSpace(t.b[from:])) > 0 }

// Full reports whether something was left out, as all that follows will be.
func (t *Text) Full() bool { return t.cut }

// Line begins a line, unless one has begun. Breaks before the first text and after the last are left out.
func (t *Text) Line() { t.lines = max(t.lines, 1) }

// Due gives how many line breaks are due before what comes next, for a line that may turn out to be none.
func (t *Text) Due() int { return t.lines }

// SetDue says how many line breaks are due.
func (t *Text) SetDue(n int) { t.lines = n }

// Add appends s to the line.
func (t *Text) Add(s string) {
	if s == "" || t.cut {
		return
	}
	if len(t.b) > 0 {
		for ; t.lines > 0 && len(t.b) < schemas.MaxText; t.lines-- {
			t.b = append(t.b, '\n')
		}
	}
	t.lines = 0
	if room := schemas.MaxText - len(t.b); len(s) > room {
		t.cut = true
		s = Shorten(s, room)
	}
	t.b = append(t.b, s...)
}

// Shorten cuts s to at most n bytes, between two characters.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
