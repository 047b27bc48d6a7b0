package feishu

import (
	"slices"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxPageItems is the most of items that a page may have; the API gives 50 at most in a list, and a merged forward
// with its children some thousands.
const maxPageItems = 100_000

// Classes of what could not be decoded.
const (
	classUnreadable = "unreadable" // the page is not the platform's envelope
	classBadKey     = "bad_key"    // the page's keys do not name a tenant and a conversation
	classBadItem    = "bad_item"   // an item is no object
	classMissingID  = "missing_id" // an item has no usable message_id
	classUnplaced   = "unplaced"   // children of a merged forward that no page shows
)

// Decoder reads Feishu's response bodies, as
// https://open.feishu.cn/document/server-docs/im-v1/message/list and
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content describe them.
//
// It reuses its parsers and buffers and is not safe for concurrent use: each partition has one. The messages that it
// gives share no memory with the page's body and none with what a later Decode gives, so that a copied Message may be
// kept, at the price of the blocks that it shares with its neighbours, some 80 KiB; only the slices Readings and Failed
// of a Decoded that is passed in again are used again.
type Decoder struct{ r reader }

// reader is what a Decoder works with.
type reader struct {
	decode.Draft
	envelope decode.Parser    // the page
	one      decode.Parser    // single items of a page that is not JSON as a whole
	content  decode.Parser    // body.content
	nested   [2]decode.Parser // texts that body.content holds as strings, one in another
	pointers decode.Pointers
	dates    decode.Dates
	record   []byte // scratch for record ids

	forwards forwards

	page     *schemas.Page
	no       int // of page, among those that are decoded together
	at       decode.Scope
	rank     connectors.SourceRank // of the page
	full     bool                  // it has more attachments than are kept
	level    int                   // of the parsers of nested that are in use
	before   half                  // the element before this one of what the platform wrote
	ours     bool                  // the platform wrote the elements: a notice among them is none of the sender's words
	internal bool                  // its card is in the platform's internal form
	byKey    map[string]int        // its mentions, where they are many
}

var _ connectors.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder of feishu.im.v1 pages: messages.list, messages.get and chats.get.
func NewDecoder() *Decoder {
	return &Decoder{reader{pointers: decode.Pointers{List: "/data/items"}}}
}

// Decode replaces what out holds by what pages say, see connectors.Decoder.
//
// A page that holds a platform error, was given up or has no body shows no messages; what it says of the message that
// it is about is an Answer, or the reason why a merged forward is not expanded. Children of merged forwards come last.
func (d *Decoder) Decode(pages []schemas.Page, out *connectors.Decoded) { d.r.group(pages, out) }

func (d *reader) group(pages []schemas.Page, out *connectors.Decoded) {
	out.Readings, out.Answers, out.Failed, out.ConversationKind = out.Readings[:0], out.Answers[:0], out.Failed[:0], ""
	for i := range pages {
		readings, failed := len(out.Readings), len(out.Failed)
		d.no = i
		refused := d.decode(&pages[i], out)
		for n := readings; n < len(out.Readings); n++ {
			out.Readings[n].Page = i
		}
		for n := failed; n < len(out.Failed); n++ {
			out.Failed[n].Page = i
		}
		d.settle(&pages[i], refused, out)
	}
	d.expand(pages, out)
}

// decode reads one page. refused is why it shows nothing: the platform's code, or a word.
func (d *reader) decode(page *schemas.Page, out *connectors.Decoded) (refused string) {
	switch {
	case page.Error != "":
		return page.Error
	case page.Code != "0" && page.Code != "":
		return page.Code
	case len(page.Body) == 0:
		return reasonEmpty
	}
	at, ok := decode.ScopeOf(schemas.Feishu, page)
	if !ok {
		failPage(out, classBadKey, "container and conversation of the page are no keys of "+schemas.Feishu)
		return classBadKey
	}
	d.page, d.at, d.rank = page, at, rankOf(page, at.Kind)
	d.Inspect(page.Body)
	d.Plain = !decode.HasUnits(page.Body)
	switch page.Type {
	case schemas.FeishuMessagesList, schemas.FeishuMessagesGet:
		refused = d.messages(out)
	case schemas.FeishuChatsGet:
		d.chat(out)
	default:
		failPage(out, classUnreadable, "type of page is not known to "+schemas.Feishu)
	}
	d.page, d.M = nil, nil
	return refused
}

func failPage(out *connectors.Decoded, class, message string) {
	out.Failed = append(out.Failed, connectors.Failed{Class: class, Message: message})
}

// rankOf is how a page's messages rank among others.
func rankOf(page *schemas.Page, kind string) connectors.SourceRank {
	switch {
	case page.Type != schemas.FeishuMessagesList:
		return connectors.FromOther
	case kind == schemas.KindThread:
		return connectors.FromThread
	}
	return connectors.FromList
}

// messages decodes a page of messages. refused is the code of a body that holds an error, or a word for one that cannot
// be read.
func (d *reader) messages(out *connectors.Decoded) (refused string) {
	var s items
	root, err := d.ParseBytes(&d.envelope, d.page.Body)
	data := root.Get("data")
	s.whole = data.Get("items")
	code, _ := root.Get("code").Int()
	wrong := ""
	switch {
	case err != nil:
		// Not JSON as a whole: its items are read one by one, so that a broken one does not take the others with it.
		var ok bool
		if s.parts, ok = decode.SplitArray(d.page.Body, maxPageItems, "data", "items"); !ok || len(s.parts) == 0 {
			wrong = "body is " + err.Error()
		}
	case root.Kind() != decode.Object:
		wrong = "body is " + root.Kind().String() + ", not an object"
	case code != 0:
		return strconv.FormatInt(code, 10)
	case data.Told() && data.Kind() != decode.Object:
		wrong = "data is " + data.Kind().String() + ", not an object"
	case s.whole.Told() && s.whole.Kind() != decode.Array:
		wrong = "data.items is " + s.whole.Kind().String() + ", not an array"
	case s.whole.Len() > maxPageItems:
		wrong = "data.items has more than " + strconv.Itoa(maxPageItems) + " items"
	}
	if wrong != "" {
		failPage(out, classUnreadable, wrong)
		return classUnreadable
	}
	if d.page.Type == schemas.FeishuMessagesGet {
		d.single(&s, out)
		return ""
	}
	for i := range s.len() {
		if item, ok := d.item(&s, i, out); ok {
			d.reading(out, item, i)
		}
	}
	return ""
}

// items are those of a page.
type items struct {
	whole decode.JSON
	parts [][]byte // their texts, where the page is not JSON as a whole
}

func (s *items) len() int { return max(s.whole.Len(), len(s.parts)) }

// peekItem gives item i, valid until the next is asked for.
func (d *reader) peekItem(s *items, i int) (decode.JSON, error) {
	if s.parts == nil {
		return s.whole.At(i), nil
	}
	return d.ParseBytes(&d.one, s.parts[i])
}

// item is peekItem; one that cannot be read has failed.
func (d *reader) item(s *items, i int, out *connectors.Decoded) (decode.JSON, bool) {
	item, err := d.peekItem(s, i)
	if err != nil {
		d.failItem(out, i, classBadItem, "item is "+err.Error())
	}
	return item, err == nil
}

func (d *reader) failItem(out *connectors.Decoded, i int, class, message string) {
	out.Failed = append(out.Failed, connectors.Failed{Pointer: d.pointers.At(i), Class: class, Message: message})
}

// reading decodes item i of the page.
func (d *reader) reading(out *connectors.Decoded, item decode.JSON, i int) {
	n := len(out.Readings)
	out.Readings = slices.Grow(out.Readings, 1)[:n+1]
	r := &out.Readings[n]
	*r = connectors.Reading{} // an element that is used again may not keep the slices of its last message
	chat, class, message := d.decodeItem(item, &r.Message)
	if class != "" {
		out.Readings = out.Readings[:n]
		d.failItem(out, i, class, message)
		return
	}
	m := &r.Message
	d.record = appendPart(append(d.record[:0], d.at.RecordPrefix...), m.MessageID)
	m.RecordID = d.KeepBytes(d.record)
	m.OccurredAt = m.CreatedAt
	m.EventDate = d.dates.Of(m.OccurredAt)
	m.Provenance.ItemPointer = d.pointers.At(i)
	if m.ThreadID == nil && d.at.Kind == schemas.KindThread && d.page.Type == schemas.FeishuMessagesList {
		m.ThreadID = d.Optional(d.at.ID)
	}
	r.Source = d.rank
	if chat != "" && chat != d.at.Conversation {
		chat, _ = decode.Valid(chat)
		if r.OtherConversation = chat != d.at.Conversation; r.OtherConversation {
			r.Elsewhere = d.Keep(chat)
		}
	}
}

// appendPart appends schemas.Part(s).
func appendPart(dst []byte, s string) []byte { return append(dst, schemas.Part(s)...) }

// chat reads what a chat is, see https://open.feishu.cn/document/server-docs/group/chat/get-2. A thread-form group and
// a topic group are one kind. The vendor's page shows words with stray blanks.
func (d *reader) chat(out *connectors.Decoded) {
	root, err := d.ParseBytes(&d.envelope, d.page.Body)
	if err != nil {
		failPage(out, classUnreadable, "body is "+err.Error())
		return
	}
	if root.Kind() != decode.Object {
		failPage(out, classUnreadable, "body is "+root.Kind().String()+", not an object")
		return
	}
	if code, ok := root.Get("code").Int(); ok && code != 0 {
		return
	}
	mode := strings.TrimSpace(d.peek(root.Get("data").Get("chat_mode")))
	form := strings.TrimSpace(d.peek(root.Get("data").Get("group_message_type")))
	switch {
	case mode == "p2p":
		out.ConversationKind = schemas.ConversationP2P
	case mode == "topic" || form == "thread":
		out.ConversationKind = schemas.ConversationTopicGroup
	case mode == "group":
		out.ConversationKind = schemas.ConversationGroup
	case mode != "":
		out.ConversationKind = schemas.ConversationUnknown
	}
}

// peek gives a string in the parser's memory, "" where it is none.
func (d *reader) peek(v decode.JSON) string {
	s, _ := v.Str()
	return s
}
