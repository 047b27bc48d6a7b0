package feishu

import (
	"html"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Longest pieces of Markdown, in bytes, that are looked through for their end.
const (
	maxTag = 4 << 10 // an HTML tag
	maxAlt = 4 << 10 // the text of a picture
	maxKey = 1 << 10 // the key of a picture
)

// maxOpen is how often code may be opened without an end before marks are taken for text: each is looked for to the end.
const maxOpen = 16

// imageKey is how the keys of pictures begin.
const imageKey = "img_"

// markdown adds Markdown as it was sent, but for what only a client shows: people in at and person tags become @name,
// pictures become attachments and leave their alt text, tags that only colour or link text are left out. In code tags
// and pictures stay as they are; placeholders of mentions are replaced there, too.
//
// The tags are those of https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-components/content-components/rich-text;
// posts know at and pictures alone.
func (d *reader) markdown(s string) {
	if strings.IndexByte(s, '<') < 0 && (strings.IndexByte(s, '!') < 0 || !strings.Contains(s, "![")) {
		d.say(s)
		return
	}
	w := markdownWalk{reader: d, s: s}
	for w.i < len(s) && !d.Text.Full() {
		switch s[w.i] {
		case '\\':
			w.i += 2
		case '`', '~':
			w.code()
		case '!':
			w.replace(w.picture)
		case '<':
			w.replace(w.tag)
		default:
			w.i++
		}
	}
	d.say(s[w.done:])
}

// markdownWalk is a walk through a text in Markdown.
type markdownWalk struct {
	*reader
	s       string
	i, done int // s[done:i] is to be added as it is
	open    int // how often code that was opened had no end
}

// replace adds what f makes of the piece that begins here. f gives the piece's length, 0 where there is nothing to
// replace, and what adds its replacement.
func (w *markdownWalk) replace(f func(s string) (n int, add func())) {
	n, add := f(w.s[w.i:])
	if n == 0 {
		w.i++
		return
	}
	w.say(w.s[w.done:w.i])
	add()
	w.i += n
	w.done = w.i
}

// code steps over code, or over the marks that open none: a single ` closes in its line, “ anywhere, and three or more
// marks, also of ~, where as many follow.
func (w *markdownWalk) code() {
	mark := w.s[w.i]
	n := run(w.s[w.i:], mark)
	w.i += n
	if mark == '~' && n < 3 {
		return
	}
	size := min(n, 3)
	if w.open > maxOpen {
		return
	}
	for i := w.i; i < len(w.s); {
		if w.s[i] == '\n' && size == 1 {
			return
		}
		if w.s[i] != mark {
			i++
			continue
		}
		found := run(w.s[i:], mark)
		i += found
		if found == n || size == 3 && found > n {
			w.i = i
			return
		}
	}
	w.open++
}

// run gives how many bytes mark s begins with.
func run(s string, mark byte) int {
	n := 0
	for n < len(s) && s[n] == mark {
		n++
	}
	return n
}

// picture reads ![alt](img_…).
func (w *markdownWalk) picture(s string) (n int, add func()) {
	if !strings.HasPrefix(s, "![") {
		return 0, nil
	}
	alt, rest, ok := strings.Cut(s[2:min(len(s), 2+maxAlt+maxKey)], "](")
	if !ok || len(alt) > maxAlt || strings.IndexByte(alt, '\n') >= 0 {
		return 0, nil
	}
	inner, _, ok := strings.Cut(rest[:min(len(rest), maxKey)], ")")
	key, _, _ := strings.Cut(strings.TrimSpace(inner), " ") // a title may follow
	if !ok || !strings.HasPrefix(key, imageKey) {
		return 0, nil
	}
	n = len("![](") + len(alt) + len(inner) + len(")")
	if alone := w.s[:w.i]; strings.TrimSpace(alt) == "" && (alone == "" || strings.HasSuffix(alone, "\n")) && strings.HasPrefix(s[n:], "\n") {
		n++ // a line of nothing but a picture is no line of text
	}
	return n, func() {
		d := w.reader
		d.say(alt)
		d.attachKey("image", key)
	}
}

// tag reads a tag that only a client shows.
func (w *markdownWalk) tag(s string) (n int, add func()) {
	t, ok := parseTag(s)
	if !ok {
		return 0, nil
	}
	switch t.name {
	case "at", "person":
		return w.people(t, s)
	case "font", "link", "number_tag", "text_tag":
		return t.size, func() {}
	case "br":
		return t.size, func() { w.Text.Add("\n") }
	case "hr":
		return t.size, func() { w.Text.Add("---") }
	case "local_datetime":
		return w.instant(t)
	}
	return 0, nil
}

// people reads <at id=…>name</at> and <person id=…></person>, of one or several.
func (w *markdownWalk) people(t htmlTag, s string) (n int, add func()) {
	if t.closing {
		return t.size, func() {}
	}
	name := ""
	n = t.size
	rest := s[n:min(len(s), n+maxTag)]
	if end := strings.IndexByte(rest, '<'); end >= 0 && strings.HasPrefix(rest[end:], "</"+t.name+">") {
		name = rest[:end]
		n += end + len("</>") + len(t.name)
	}
	ids := ""
	for _, key := range [...]string{"id", "user_id", "ids", "open_id", "union_id", "email", "emails"} {
		if ids = t.attribute(key); ids != "" {
			break
		}
	}
	name = strings.TrimPrefix(strings.TrimSpace(name), "@")
	if ids == "" && name == "" {
		return 0, nil
	}
	return n, func() { w.named(ids, name) }
}

// isBetweenIDs reports whether a character separates ids or quotes them: no id holds any of these.
func isBetweenIDs(r rune) bool { return strings.ContainsRune(" \t\r\n,;|，；、[]\"'\\", r) }

// named adds @name for each of the ids, however they are separated; name is that of a single one.
func (d *reader) named(ids, name string) {
	if strings.IndexByte(ids, '&') >= 0 {
		ids = html.UnescapeString(ids)
	}
	if strings.IndexFunc(ids, isBetweenIDs) < 0 {
		d.atKey(ids, name)
		return
	}
	all := strings.FieldsFunc(ids, isBetweenIDs)
	switch len(all) {
	case 0:
		d.atKey("", name)
		return
	case 1:
		d.atKey(all[0], name)
		return
	}
	if name != "" {
		d.textIssue(schemas.IssueNulled, "one name is that of several people")
	}
	for i, id := range all {
		if i > 0 {
			d.Text.Add(" ")
		}
		d.atKey(id, "")
	}
}

// instant reads <local_datetime millisecond='…'>, which clients show in their own zone.
func (w *markdownWalk) instant(t htmlTag) (n int, add func()) {
	if t.closing {
		return t.size, func() {}
	}
	ms, err := strconv.ParseInt(strings.TrimSpace(t.attribute("millisecond")), 10, 64)
	if at := schemas.Millis(ms); err != nil || at < decode.MinTime || at >= decode.MaxTime {
		return 0, nil
	}
	return t.size, func() { w.Text.Add(instantText(ms)) }
}

// instantText writes an instant as a person can read it.
func instantText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// htmlTag is one tag of HTML.
type htmlTag struct {
	name       string
	attributes string
	size       int
	closing    bool
}

// parseTag reads the tag that s begins with.
func parseTag(s string) (t htmlTag, ok bool) {
	s = s[:min(len(s), maxTag)]
	i := 1
	if t.closing = len(s) > 1 && s[1] == '/'; t.closing {
		i = 2
	}
	end := i
	for end < len(s) && ('a' <= s[end] && s[end] <= 'z' || s[end] == '_') {
		end++
	}
	t.name = s[i:end]
	if end == len(s) || t.name == "" || strings.IndexByte(" \t\n/>", s[end]) < 0 {
		return t, false
	}
	var quote byte
	for i = end; i < len(s); i++ {
		switch c := s[i]; {
		case c == '<':
			return t, false
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			t.attributes, t.size = strings.TrimSuffix(s[end:i], "/"), i+1
			return t, true
		}
	}
	return t, false
}

// attribute gives the value of an attribute, in quotes or not, with or without blanks around its =.
func (t *htmlTag) attribute(key string) string {
	for s := strings.TrimSpace(t.attributes); s != ""; s = strings.TrimSpace(s) {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return ""
		}
		rest = strings.TrimSpace(rest)
		value, after := rest, ""
		if rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			value, after, _ = strings.Cut(rest[1:], rest[:1])
		} else if end := listEnd(rest); end >= 0 {
			value, after = rest[:end], rest[end:]
		}
		if strings.TrimSpace(name) == key {
			return value
		}
		s = after
	}
	return ""
}

// listEnd gives where a value without quotes ends: at the first blank with no comma beside it, -1 where there is none.
func listEnd(s string) int {
	const blanks = " \t\n"
	for i := 0; ; {
		n := strings.IndexAny(s[i:], blanks)
		if n < 0 {
			return -1
		}
		end := i + n
		i = end + len(s[end:]) - len(strings.TrimLeft(s[end:], blanks))
		if i < len(s) && s[i] != ',' && (end == 0 || s[end-1] != ',') || i == len(s) {
			return end
		}
	}
}
