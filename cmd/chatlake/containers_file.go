package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"chatlake/schemas"
)

// wish is a container to add, as it is told on the command line or in a line of a file.
type wish struct {
	Platform     string `json:"platform"`
	Kind         string `json:"kind"`
	ID           string `json:"id"`
	Conversation string `json:"conversation,omitempty"`
	From         string `json:"from,omitempty"`
	To           string `json:"to,omitempty"`
}

// maxID is far above any id of a platform, in bytes; a longer one is something else.
const maxID = 256

// container checks the wish and makes the container that it stands for, without an epoch.
func (w wish) container(tenant string) (*schemas.Container, error) {
	switch w.Platform {
	case schemas.Feishu:
	case schemas.Yunxin:
		return nil, errors.New("platform yunxin is not in this version")
	case "":
		return nil, errors.New("platform is missing: feishu")
	default:
		return nil, fmt.Errorf("platform %q is unknown: feishu is there", w.Platform)
	}
	if err := checkID("id", w.ID); err != nil {
		return nil, err
	}
	conversation := w.ID
	switch w.Kind {
	case schemas.KindChat:
		if w.Conversation != "" && w.Conversation != w.ID {
			return nil, fmt.Errorf("chat %q is its own conversation, not %q", w.ID, w.Conversation)
		}
	case schemas.KindThread:
		if err := checkID("conversation (the thread's chat)", w.Conversation); err != nil {
			return nil, err
		}
		conversation = w.Conversation
	case "":
		return nil, errors.New("kind is missing: chat or thread")
	default:
		return nil, fmt.Errorf("kind %q cannot be added for platform %s: chat or thread can", w.Kind, w.Platform)
	}
	c := &schemas.Container{
		Key: string(schemas.NewContainerKey(w.Platform, tenant, w.Kind, w.ID)), Platform: w.Platform, TenantID: tenant,
		Kind: w.Kind, ID: w.ID, ConversationID: conversation, Mode: "backfill", Cause: schemas.CauseUser,
	}
	return c, w.window(c)
}

// window reads the bounds of time.
func (w wish) window(c *schemas.Container) (err error) {
	if c.WindowStart, err = parseBound("from", w.From); err != nil {
		return err
	}
	if c.WindowEnd, err = parseBound("to", w.To); err != nil {
		return err
	}
	if c.WindowStart != nil && c.WindowEnd != nil && *c.WindowStart >= *c.WindowEnd {
		return fmt.Errorf("from %s is not before to %s", w.From, w.To)
	}
	return nil
}

func checkID(what, id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%s is missing", what)
	case !utf8.ValidString(id):
		return fmt.Errorf("%s %q is not UTF-8", what, id)
	case strings.ContainsFunc(id, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("%s %q holds a blank or a control character", what, id)
	case len(id) > maxID:
		return fmt.Errorf("%s of %d bytes is longer than %d", what, len(id), maxID)
	}
	return nil
}

// parseBound reads a UTC date, which means its first moment, or an RFC 3339 time.
func parseBound(name, s string) (*schemas.Millis, error) {
	if s == "" {
		return nil, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t, err = time.Parse(time.RFC3339, s)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %q is neither a date such as 2024-01-31 nor a time such as 2024-01-31T09:30:00Z", name, s)
	}
	if y := t.UTC().Year(); y < 2000 || y > 2100 {
		return nil, fmt.Errorf("%s %q is not between the years 2000 and 2100", name, s)
	}
	m := schemas.MillisOf(t)
	return &m, nil
}

// prefixes begin the ids of Feishu (https://open.feishu.cn/document/server-docs/im-v1/message/list).
var prefixes = map[string]string{schemas.KindChat: "oc_", schemas.KindThread: "omt_"}

// unusual says what is odd about a container's ids, "" where nothing is. The platform has the last word.
func unusual(c *schemas.Container) string {
	if p := prefixes[c.Kind]; !strings.HasPrefix(c.ID, p) {
		return fmt.Sprintf("the id of %s %q does not begin with %s", c.Kind, c.ID, p)
	}
	if p := prefixes[schemas.KindChat]; !strings.HasPrefix(c.ConversationID, p) {
		return fmt.Sprintf("the conversation %q of %s %q does not begin with %s", c.ConversationID, c.Kind, c.ID, p)
	}
	return ""
}

// maxLine is the longest line of a file of containers, in bytes.
const maxLine = 1 << 20

// readWishes reads JSON lines; empty ones do not count. An error names the file and the line.
func readWishes(path string, stdin io.Reader) (lines []int, wishes []wish, err error) {
	in, name := stdin, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, nil, usagef("--file: %w", err)
		}
		defer func() { _ = f.Close() }() // it was only read
		in, name = f, path
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
		w, err := parseWish(line)
		if err != nil {
			return nil, nil, usagef("%s line %d: %w; nothing was added", name, n, err)
		}
		lines, wishes = append(lines, n), append(wishes, w)
	}
	if err := scan.Err(); err != nil {
		return nil, nil, usagef("%s line %d: %w; nothing was added", name, n+1, err)
	}
	return lines, wishes, nil
}

func parseWish(line []byte) (w wish, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return w, fmt.Errorf("not a container as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return w, errors.New("not a container as JSON: something follows it")
	}
	return w, nil
}
