package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// maxLine is the longest line of a file of containers or messages, in bytes.
const maxLine = 1 << 20

// lineFile is a file of JSON lines that a flag names; - is standard input.
type lineFile struct {
	flag, path string
	stdin      io.Reader
}

// name is what errors call the file.
func (l lineFile) name() string {
	if l.path == "-" {
		return "standard input"
	}
	return l.path
}

// each calls fn with each line that is not empty. An error names the file and the line; the command has then added nothing.
func (l lineFile) each(fn func(n int, line []byte) error) error {
	in := l.stdin
	if l.path != "-" {
		f, err := os.Open(l.path)
		if err != nil {
			return usagef("%s: %w", l.flag, err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, maxLine)
	n := 0
	for scan.Scan() {
		n++
		line := bytes.TrimSpace(scan.Bytes())
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		if len(line) == 0 {
			continue
		}
		if err := fn(n, line); err != nil {
			return usagef("%s line %d: %w; nothing was added", l.name(), n, err)
		}
	}
	if err := scan.Err(); err != nil {
		return usagef("%s line %d: %w; nothing was added", l.name(), n+1, err)
	}
	return nil
}

// decodeLine reads the one JSON object of a line.
func decodeLine(line []byte, what string, v any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("not %s as JSON: %w", what, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("not %s as JSON: something follows it", what)
	}
	return nil
}

// readWishes reads containers as JSON lines.
func readWishes(f lineFile) (lines []int, wishes []wish, err error) {
	err = f.each(func(n int, line []byte) error {
		var w wish
		if err := decodeLine(line, "a container", &w); err != nil {
			return err
		}
		lines, wishes = append(lines, n), append(wishes, w)
		return nil
	})
	return lines, wishes, err
}

// exact is a number or a string, as it is spelled.
type exact string

// UnmarshalJSON implements json.Unmarshaler.
func (e *exact) UnmarshalJSON(b []byte) error {
	switch c := b[0]; {
	case c == '"':
		return json.Unmarshal(b, (*string)(e))
	case c == '-' || c >= '0' && c <= '9':
		*e = exact(b)
		return nil
	case string(b) == "null":
		return nil
	}
	return fmt.Errorf("%s is neither a number nor a string", cut(string(b), 64))
}

// readRefs reads messages that are to be asked for by id and time, as JSON lines, each once. Both may be numbers or
// strings: as a number of a double an id of 64 bits would name another message.
func readRefs(f lineFile) (refs []schemas.MessageRef, err error) {
	seen := map[string]schemas.Millis{}
	err = f.each(func(_ int, line []byte) error {
		var told struct {
			ID exact `json:"message_id"`
			At exact `json:"created_at"`
		}
		if err := decodeLine(line, "a message's id and time", &told); err != nil {
			return err
		}
		// Numbers have nothing but digits, so what surrounds them changes nothing.
		shown, _ := worker.Cut(string(told.ID))
		created, _ := worker.Cut(string(told.At))
		id, at, err := exactRef(shown, created)
		if err != nil {
			return err
		}
		switch before, again := seen[id]; {
		case again && before != at:
			return fmt.Errorf("message %s stood before with created_at %d", id, before)
		case again:
			return nil
		}
		seen[id] = at
		refs = append(refs, schemas.MessageRef{MessageID: id, CreatedAt: &at})
		return nil
	})
	return refs, err
}

// exactRef checks an id, which is a 64-bit number above 0 in its only spelling, and a time in milliseconds.
func exactRef(id, created string) (string, schemas.Millis, error) {
	switch n, err := strconv.ParseInt(id, 10, 64); {
	case id == "":
		return "", 0, errors.New("message_id is missing")
	case err != nil || n <= 0 || strconv.FormatInt(n, 10) != id:
		return "", 0, fmt.Errorf("message_id %s is not a whole number above 0 of 64 bits", cut(id, 64))
	}
	if created == "" {
		return "", 0, fmt.Errorf("created_at of message %s is missing: the platform finds a message by both", id)
	}
	ms, err := strconv.ParseInt(created, 10, 64)
	if y := time.UnixMilli(ms).UTC().Year(); err != nil || y < firstYear || y > lastYear {
		return "", 0, fmt.Errorf("created_at %s of message %s is not milliseconds since 1970, between the years %d and %d", cut(created, 64), id, firstYear, lastYear)
	}
	return id, schemas.Millis(ms), nil
}
