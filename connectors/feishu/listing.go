package feishu

import (
	"unicode/utf8"

	"chatlake/connectors/api"
	"chatlake/connectors/decode"
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
	p := decode.Borrow()
	defer p.Return()
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
func (l *listing) paging(data decode.JSON) (ok bool) {
	l.token, l.more, ok = api.Paging(data, "page_token")
	return ok
}

func entryOf(v decode.JSON) entry {
	e := entry{
		id: v.Get("message_id").Word(), chat: v.Get("chat_id").Word(), thread: v.Get("thread_id").Word(),
		upper: v.Get("upper_message_id").Word(),
	}
	if ms, ok := v.Get("create_time").Int(); ok && schemas.Millis(ms) >= earliest && schemas.Millis(ms) < latest {
		e.created = schemas.Millis(ms)
	}
	if kind, _ := v.Get("msg_type").Str(); kind == typeMergeForward {
		recalled, _ := v.Get("deleted").Flag()
		e.forward = !recalled
	}
	return e
}

// usableID reports whether an id that a page shows may stand in a path and a key.
func usableID(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= maxKeyID && utf8.ValidString(id)
}

// here reports whether an item belongs to the conversation that is read, as far as it tells.
func (e *entry) here(c *schemas.Container) bool {
	return e.chat == "" || c.ConversationID == "" || e.chat == c.ConversationID
}
