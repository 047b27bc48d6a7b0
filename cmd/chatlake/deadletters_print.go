package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// printLetter shows a dead letter to people.
func (t *tool) printLetter(s *shownLetter, z *timezone) error {
	var b bytes.Buffer
	d := s.DeadLetter
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-13s %s\n", name, clean(cut(text, maxShownLine)))
		}
	}
	row("id", d.ID)
	row("failed at", z.full(d.FailedAt))
	row("stage", d.Stage)
	row("class", d.ErrorClass)
	row("error", d.ErrorMessage)
	row("retryable", map[bool]string{true: "yes", false: "no"}[d.Retryable])
	row("conversation", d.ConversationKey)
	row("container", value(d.ContainerKey))
	row("page", value(d.PageID))
	row("item", value(d.ItemPointer))
	row("record", value(d.RecordID))
	if r := s.Raw; r != nil {
		row("raw", fmt.Sprintf("%s/%d offset %d", r.Topic, r.Partition, r.Offset))
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			row("", "  "+name+": "+r.Headers[name])
		}
	}
	b.WriteString(s.bodyText())
	_, err := t.out.Write(b.Bytes())
	return err
}

// bodyText shows the body, laid out where it is JSON, no more of it than people read.
func (s *shownLetter) bodyText() string {
	if s.From == nil {
		return "\nno body: neither the dead letter nor a raw record that is still there holds one\n"
	}
	var size int
	var text string
	if s.Body != nil {
		size, text = len(*s.Body), layOut(*s.Body)
	} else {
		size, text = len(*s.Base64), hex.Dump((*s.Base64)[:min(len(*s.Base64), maxShownBytes)])
	}
	what := map[string]string{bodyOwn: "the dead letter's own", bodyItem: "the item of the raw record", bodyRecord: "the raw record, whole"}[*s.From]
	if s.DeadLetter.BodyTruncated && *s.From == bodyOwn {
		what += ", cut when it was kept"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nbody (%s, %d bytes):\n", what, size)
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range lines {
		if i == maxShownLines {
			b.WriteString("… cut here: --output json shows all\n")
			break
		}
		b.WriteString(clean(cut(line, maxShownLine)) + "\n")
	}
	return b.String()
}

// What people are shown of a body.
const (
	maxShownLines = 200
	maxShownLine  = 400 // characters
	maxShownBytes = 1024
	maxIndent     = 20 // levels
)

// layOut puts each member and element of JSON on a line of its own, as far as maxShownLines and a bit. It takes what is no
// JSON too, and makes lines out of whatever looks like it.
func layOut(s string) string {
	if first := strings.TrimLeft(s, " \t\r\n"); !strings.HasPrefix(first, "{") && !strings.HasPrefix(first, "[") {
		return s
	}
	l := layout{}
	for i := 0; i < len(s) && l.lines <= maxShownLines+1; {
		r, size := utf8.DecodeRuneInString(s[i:])
		l.take(r, s[i+size:])
		i += size
	}
	return l.b.String()
}

// layout is a laid out beginning of JSON.
type layout struct {
	b               strings.Builder
	lines, depth    int
	quoted, escaped bool
	empty           bool // the bracket that was just opened is closed at once
}

func (l *layout) take(r rune, rest string) {
	switch {
	case l.quoted:
		l.b.WriteRune(r)
		l.quoted = r != '"' || l.escaped
		l.escaped = r == '\\' && !l.escaped
	case r == '"':
		l.b.WriteRune(r)
		l.quoted = true
	case r == '{' || r == '[':
		l.b.WriteRune(r)
		next := strings.TrimLeft(rest, " \t\r\n")
		l.depth++
		if l.empty = strings.HasPrefix(next, "}") || strings.HasPrefix(next, "]"); !l.empty {
			l.line()
		}
	case r == '}' || r == ']':
		l.depth = max(0, l.depth-1)
		if !l.empty {
			l.line()
		}
		l.empty = false
		l.b.WriteRune(r)
	case r == ',':
		l.b.WriteRune(r)
		l.line()
	case r == ':':
		l.b.WriteString(": ")
	case r == ' ' || r == '\t' || r == '\r' || r == '\n':
	default:
		l.b.WriteRune(r)
	}
}

func (l *layout) line() {
	l.lines++
	l.b.WriteString("\n" + strings.Repeat("  ", min(l.depth, maxIndent)))
}
