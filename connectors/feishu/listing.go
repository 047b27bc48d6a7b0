package feishu

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Times that a message may have; others count as not told.
const (
	earliest schemas.Millis = 946_684_800_000   // 2000-01-01
	latest   schemas.Millis = 4_102_444_800_000 // 2100-01-01
)

// maxKeyID is the longest id that is taken into a path or a key, in bytes. Ids seen are some 40.
const maxKeyID = 256

// listing is what reading on needs of a list or get response; what messages say is for the decoder.
type listing struct {
	items []entry
	token string
	more  bool
}

// entry is one item. An item that is no object, or lacks a field, gives zero fields: it is counted and passed on.
type entry struct {
	id, chat, thread, upper string
	created                 schemas.Millis
	forward                 bool // a merged forward that is not recalled
}

// readListing reads a body whose code is 0. It reports false where the body does not say whether there is more.
func readListing(body []byte) (l listing, ok bool) {
	p := parsers.Get().(*connectors.Parser)
	defer parsers.Put(p)
	v, err := p.Parse(body)
	data := v.Get("data")
	if err != nil || !l.paging(data) {
		return listing{}, false
	}
	items := data.Get("items")
	l.items = make([]entry, items.Len())
	for i := range l.items {
		l.items[i] = entryOf(items.At(i))
	}
	return l, true
}

// paging reads whether there is more and the token that leads there. It reports false where data does not say.
func (l *listing) paging(data connectors.JSON) (ok bool) {
	more := data.Get("has_more")
	if l.more, ok = flagOf(more); !ok || data.Kind() != connectors.Object {
		return false
	}
	l.token = textOf(data.Get("page_token"))
	return l.token == "" || more.Told() // taken as the end, the rest would be lost without a word
}

func entryOf(v connectors.JSON) entry {
	e := entry{
		id: textOf(v.Get("message_id")), chat: textOf(v.Get("chat_id")), thread: textOf(v.Get("thread_id")),
		upper: textOf(v.Get("upper_message_id")),
	}
	if ms, ok := v.Get("create_time").Int(); ok && schemas.Millis(ms) >= earliest && schemas.Millis(ms) < latest {
		e.created = schemas.Millis(ms)
	}
	if kind, _ := v.Get("msg_type").Str(); kind == typeMergeForward {
		recalled, _ := flagOf(v.Get("deleted"))
		e.forward = !recalled
	}
	return e
}

// textOf gives a string in memory of its own, or the text of a whole number.
func textOf(v connectors.JSON) string {
	if s, ok := v.Str(); ok {
		return strings.Clone(s)
	}
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// flagOf reads a boolean that may be absent, which is false, or be sent as a string or a number.
func flagOf(v connectors.JSON) (flag, ok bool) {
	if !v.Told() {
		return false, true
	}
	if b, ok := v.Bool(); ok {
		return b, true
	}
	switch textOf(v) {
	case "true", "1":
		return true, true
	case "false", "0", "":
		return false, v.Kind() == connectors.String || v.Kind() == connectors.Number
	}
	return false, false
}

// usableID reports whether an id that a page shows may stand in a path and a key.
func usableID(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= maxKeyID && utf8.ValidString(id)
}

// here reports whether an item belongs to the conversation that is read, as far as it tells.
func (e *entry) here(c *schemas.Container) bool {
	return e.chat == "" || c.ConversationID == "" || e.chat == c.ConversationID
}
