package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// outlet is standard output, which may be closed by its reader at any time.
type outlet struct {
	file   *os.File
	mu     sync.Mutex
	closed atomic.Bool
}

func newOutlet(f *os.File) *outlet { return &outlet{file: f} }

// Write writes all of p before anything that another goroutine writes.
func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.file.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		o.closed.Store(true)
	}
	return n, err
}

// gone reports whether the reader has closed the output.
func (o *outlet) gone() bool { return o.closed.Load() }

// terminal reports whether people watch on a terminal that has room for bars.
func (o *outlet) terminal() bool {
	width, height, err := term.GetSize(int(o.file.Fd()))
	return err == nil && width >= 60 && height >= 4
}

// printJSON writes a document on one line, or, indented, for people too.
func printJSON(w io.Writer, v any, indent bool) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err := w.Write(escapeControls(b.Bytes()))
	return err
}

// escapeControls escapes DEL, the C1 controls and the marks of direction, which encoding/json leaves as they are and some
// terminals obey. They stand only within JSON strings.
func escapeControls(b []byte) []byte {
	if bytes.IndexFunc(b, isUpperControl) < 0 {
		return b
	}
	var out bytes.Buffer
	for _, r := range string(b) {
		if isUpperControl(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.Bytes()
}

func isUpperControl(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// clean makes text fit for one line of a terminal: line breaks become ⏎, tabs blanks, and whatever else could steer the
// terminal or turn the direction of what follows becomes �.
func clean(s string) string {
	ok := true
	for _, r := range s {
		if steers(r) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == 0x2028 || r == 0x2029:
			return '⏎'
		case r == '\t':
			return ' '
		case steers(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// steers says which characters are not only shown: controls, separators of lines, and marks of direction that reorder
// what stands around them (https://www.unicode.org/reports/tr9/, explicit formatting).
func steers(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError ||
		r == 0x2028 || r == 0x2029 || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069)
}

// cut shortens text to so many characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// printTable writes rows in columns, the first row being the heading.
func printTable(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 2, 4, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 1 && row[len(row)-1] == "" {
			row = row[:len(row)-1] // else the column before it would be padded
		}
		for i, cell := range row {
			row[i] = clean(cell)
		}
		if _, err := fmt.Fprintln(t, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return t.Flush()
}

// self is how this program was called: a command that is shown for the next step should work as it stands.
func self() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/chatlake"
	}
	return "chatlake"
}
