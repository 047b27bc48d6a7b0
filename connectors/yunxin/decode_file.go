package yunxin

import (
	"bytes"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxLine is the longest line of a merged file, in bytes, that is read.
const maxLine = schemas.MaxContent

// lines reads a merged file: a header, and a line for each message, a JSON object each
// (https://github.com/netease-kit/nim-uikit-android, MessageHelper). Empty lines are none.
func (r *reader) lines(f *file, above []string) decode.Opened {
	no, clean, here := r.no, r.Clean, r.here
	defer func() { r.no, r.Clean, r.here = no, clean, here }()
	r.no, r.Clean = f.no, f.clean
	body := bytes.TrimPrefix(f.page.Body, []byte("\uFEFF"))
	in := decode.Opened{Expansion: schemas.ExpansionComplete}
	partial := func(reason string) {
		if in.Reason == "" {
			in.Expansion, in.Reason = schemas.ExpansionPartial, reason
		}
	}
	children := make([]decode.Child, 0, min(bytes.Count(body, []byte{'\n'}), 128)) // what UIKits write at most
	want, header := int64(-1), false
	for n := 0; len(body) > 0; n++ {
		var line []byte
		if line, body = cutLine(body); len(line) == 0 {
			continue
		}
		if !header {
			header = true
			var isHeader, ok bool
			if want, isHeader, ok = r.header(line); !ok {
				return failed(reasonUnreadable)
			} else if isHeader {
				continue
			}
			partial(reasonNoHeader)
		}
		if r.rows == 0 {
			partial(decode.ReasonTooMany)
			break
		}
		r.rows--
		children = append(children, decode.Child{})
		r.here = linePointer(n)
		if !r.fileLine(&children[len(children)-1], line, above) {
			partial(reasonBadLine)
		}
	}
	if !header {
		return failed(reasonEmpty)
	}
	if want >= 0 && want != int64(len(children)) {
		partial(reasonCount)
	}
	in.Children = each(children)
	return in
}

// cutLine cuts the first line off a text. Blanks around it, such as the first half of CRLF, do not belong to it.
func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSpace(line), rest
}

// header reads the first line of a file, and gives the number of messages that it tells, -1 for none. A file that begins
// with a message has no header; ok is false where it begins with neither.
func (r *reader) header(line []byte) (count int64, isHeader, ok bool) {
	v, err := r.ParseBytes(&r.line, line[:min(len(line), maxLine)])
	if err != nil || v.Kind() != decode.Object {
		return -1, false, false
	}
	n, told := v.Get("message_count").Int()
	if !told {
		n = -1
	}
	return n, told || !isLine(v), true
}

// isLine reports whether an object has any of the tags that say who wrote a message, when, and what.
func isLine(v decode.JSON) bool {
	for _, tag := range [...]string{"2", "7", "8", "9", "10", "11", "12"} {
		if v.Get(tag).Told() {
			return true
		}
	}
	return false
}

// fileLine decodes a line of a file, and reports whether it is a message.
func (r *reader) fileLine(c *decode.Child, line []byte, above []string) bool {
	if len(line) > maxLine {
		r.broken(c, "line is longer than 8 MiB")
		return false
	}
	item, err := r.ParseBytes(&r.line, line)
	if err != nil {
		r.broken(c, "line is "+err.Error())
		return false
	}
	if item.Kind() != decode.Object {
		r.broken(c, "line is "+item.Kind().String()+", not an object")
		return false
	}
	var f fields
	f.read(item, lineTags)
	f.unswap()
	r.child(c, &f)
	if fw := r.fwd; fw != nil {
		c.Open = func() decode.Opened { return r.inside(fw, above) }
	}
	return true
}

// lineTag tells what a tag of a merged file's line means.
func (f *fields) lineTag(key string) *decode.JSON {
	switch key {
	case "0":
		return &f.lineScene
	case "1":
		return &f.receiver
	case "2":
		return &f.sender
	case "4":
		return &f.client
	case "5":
		f.rare = true
		return &f.device
	case "6":
		return &f.senderName
	case "7":
		return &f.created
	case "8":
		return &f.kind
	case "9":
		return &f.text
	case "10":
		return &f.attachment
	case "11":
		return &f.clientID
	case "12":
		return &f.serverID
	case "13":
		f.rare = true
		return &f.resent
	case "15":
		return &f.extension
	case "41":
		return &f.subtype
	case "62":
		return &f.modified
	case "63":
		f.rare = true
		return &f.modifier
	}
	return f.replyTag(key)
}

// replyTag tells what the tags of replies mean: 29 to 33 of the message that is answered, 34 to 38 of its thread's root.
func (f *fields) replyTag(key string) *decode.JSON {
	switch key {
	case "29":
		return &f.parent.sender
	case "31":
		return &f.parent.created
	case "32":
		return &f.parent.serverID
	case "33":
		return &f.parent.clientID
	case "34":
		return &f.root.sender
	case "36":
		return &f.root.created
	case "37":
		return &f.root.serverID
	case "38":
		return &f.root.clientID
	}
	return nil
}

// unswap mends what one client writes: the root's two ids in each other's place.
func (f *fields) unswap() {
	if !likeID(f.root.serverID) && !decode.Blank(f.root.serverID) && likeID(f.root.clientID) {
		f.root.serverID, f.root.clientID = f.root.clientID, f.root.serverID
	}
}

// likeID reports whether a value looks like a server id.
func likeID(v decode.JSON) bool {
	n, ok := v.Int()
	return ok && n > 0
}
