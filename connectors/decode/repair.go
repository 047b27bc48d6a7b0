package decode

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"chatlake/schemas"
)

// One rule for the strings of every platform. Half of a surrogate pair, which programs send that cut a text in the middle
// of an emoji, and NUL, which common sinks refuse, become U+FFFD each; a run of other bytes that are not UTF-8 becomes one.
// Each change is an issue COERCED of the field. Everything else is kept: control characters, bidirectional controls, and
// any number of combining marks up to the limit of the field.

const (
	replacement = "\uFFFD"
	nul         = "\x00"
	markBytes   = 3 // of a half in the form that markHalves writes
)

// Inspect starts on a body: it sets Clean, which Parse clears where a text that is nested in the body needs repair. It
// clears Plain.
func (d *Draft) Inspect(body []byte) {
	d.Clean, d.Plain = utf8.Valid(body) && bytes.IndexByte(body, 0) < 0, false
}

// HasUnits reports whether b may hold escapes of UTF-16 units: \u. Without any, a text that is nested in b as a string has
// none either: a backslash before a u is in it only where it is in b.
func HasUnits(b []byte) bool {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
		step  = 16
	)
	i := 0
	for ; i+step < len(b); i += step {
		c := b[i : i+step+1]
		// A byte of x or y is zero where a backslash is and a u follows it. Only then, the terms below have a high bit.
		x := (binary.LittleEndian.Uint64(c) ^ '\\'*ones) | (binary.LittleEndian.Uint64(c[1:]) ^ 'u'*ones)
		y := (binary.LittleEndian.Uint64(c[8:]) ^ '\\'*ones) | (binary.LittleEndian.Uint64(c[9:]) ^ 'u'*ones)
		if ((x-ones)&^x|(y-ones)&^y)&highs != 0 {
			return true
		}
	}
	return bytes.Contains(b[i:], []byte(`\u`))
}

// Parse reads a text by p, see Parser, so that Valid finds what is to be repaired in its strings.
func (d *Draft) Parse(p *Parser, s string) (JSON, error) {
	if d.Plain {
		return p.ParseString(s)
	}
	marked, clean := markHalves(p.marked[:0], s)
	if len(marked) > 0 {
		s = asString(marked)
	}
	if p.marked = marked; cap(marked) > keptSize {
		p.marked = nil
	}
	d.Clean = d.Clean && clean
	return p.ParseString(s)
}

// ParseBytes is Parse for bytes.
func (d *Draft) ParseBytes(p *Parser, b []byte) (JSON, error) { return d.Parse(p, asString(b)) }

// Valid repairs a string by the rule above.
func (d *Draft) Valid(s, field string) string {
	if d.Clean {
		return s
	}
	s, repaired := Valid(s)
	if repaired {
		d.Issue(field, schemas.IssueCoerced, "is not valid UTF-8")
	}
	if strings.Contains(s, nul) {
		d.Issue(field, schemas.IssueCoerced, "contains NUL")
		s = strings.ReplaceAll(s, nul, replacement)
	}
	return s
}

// Valid replaces each half of a surrogate pair, and each run of other bytes that are not UTF-8, by U+FFFD, and reports
// whether there was any.
func Valid(s string) (valid string, repaired bool) {
	if utf8.ValidString(s) {
		return s, false
	}
	var b strings.Builder
	b.Grow(len(s))
	run := false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch half := isHalf(s[i:]); {
		case half:
			n, run = markBytes, false
			b.WriteString(replacement)
		case r != utf8.RuneError || n > 1:
			run = false
			b.WriteString(s[i : i+n])
		case !run:
			run = true
			b.WriteString(replacement)
		}
		i += n
	}
	return b.String(), true
}

// isHalf reports whether s begins with half of a surrogate pair in the three bytes that UTF-8 would give it.
func isHalf(s string) bool {
	return len(s) >= markBytes && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2] >= 0x80 && s[2] <= 0xBF
}

// markHalves looks for escapes that the library reads as they are not meant: halves of surrogate pairs, which it leaves as
// escapes or joins with what follows. They are written to dst as bytes that are not UTF-8. marked is s with the halves
// replaced, empty where there are none; clean reports that neither halves nor NUL were found.
func markHalves(dst []byte, s string) (marked []byte, clean bool) {
	first := firstUnit(s)
	if first < 0 {
		return dst, true
	}
	clean = true
	for i, done := first, 0; ; {
		n := strings.IndexByte(s[i:], '\\')
		if n < 0 || i+n+1 >= len(s) {
			if done > 0 {
				dst = append(dst, s[done:]...)
			}
			return dst, clean
		}
		i += n
		size, half := escape(s[i:])
		if half {
			r, _ := unit(s[i:])
			dst = append(append(dst, s[done:i]...), 0xE0|byte(r>>12), 0x80|byte(r>>6&0x3F), 0x80|byte(r&0x3F))
			done = i + size
		}
		clean = clean && !half && !strings.HasPrefix(s[i:], `\u0000`)
		i += size
	}
}

// firstUnit gives where the first escape of a UTF-16 unit is, -1 where there is none: most texts have none.
func firstUnit(s string) int {
	for i := 0; ; {
		n := strings.IndexByte(s[i:], '\\')
		if n < 0 || i+n+1 >= len(s) {
			return -1
		}
		if i += n; s[i+1] == 'u' {
			return i
		}
		i += 2
	}
}

// escape gives the length of the escape that s begins with, and whether it is half of a surrogate pair.
func escape(s string) (size int, half bool) {
	if s[1] != 'u' {
		return 2, false
	}
	r, ok := unit(s)
	switch {
	case !ok:
		return 2, false
	case !utf16.IsSurrogate(r):
		return 6, false
	}
	if low, ok := unit(s[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
		return 12, false
	}
	return 6, true
}

// unit reads the UTF-16 unit that s begins with as an escape.
func unit(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(n), err == nil
}
