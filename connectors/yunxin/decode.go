package yunxin

import (
	"slices"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxPageItems is the most items that a page may have; the API gives 100 at most.
const maxPageItems = 100_000

// Classes of what could not be decoded.
const (
	classUnreadable = "unreadable" // the page is not the platform's envelope
	classBadKey     = "bad_key"    // the page's keys do not name an app and a conversation
	classBadItem    = "bad_item"   // an item is no object
	classMissingID  = "missing_id" // an item has no usable message_server_id
)

// Decoder reads Yunxin's response bodies: pages of a conversation's history
// (https://doc.yunxin.163.com/messaging2/server-apis/jcwNDA0Nzg), answers to batch_messages
// (https://doc.yunxin.163.com/messaging2/server-apis/jczMzMzMjg) and the files of merged forwards, which are a convention
// of the vendor's UIKit (https://github.com/netease-kit/nim-uikit-android).
//
// It reuses its parsers and buffers and is not safe for concurrent use: each partition has one. The messages that it
// gives share no memory with the page's body and none with what a later Decode gives, so that a copied Message may be
// kept, at the price of the blocks that it shares with its neighbours, some 80 KiB; only the slices of a Decoded that is
// passed in again are used again.
type Decoder struct{ r reader }

var _ connectors.Decoder = (*Decoder)(nil)

// NewDecoder returns a decoder of yunxin.im.v2.messages.list, yunxin.im.v2.messages.batch and yunxin.merged.file pages.
func NewDecoder() *Decoder {
	return &Decoder{reader{listed: decode.Pointers{List: "/data/items"}, batched: decode.Pointers{List: "/data/success_list"}}}
}

// Decode replaces what out holds by what pages say, see connectors.Decoder.
//
// The files of merged forwards are found by their subject and URL. A file whose message no page of the group shows gives
// nothing, and a merged forward whose file is not in the group has an expansion that is UNKNOWN.
func (d *Decoder) Decode(pages []schemas.Page, out *connectors.Decoded) {
	out.Readings, out.Answers, out.Failed, out.ConversationKind = out.Readings[:0], out.Answers[:0], out.Failed[:0], ""
	d.r.index(pages)
	for i := range pages {
		d.r.decode(i, &pages[i], out)
	}
	d.r.release()
}

// reader is what a Decoder works with.
type reader struct {
	decode.Draft
	envelope decode.Parser            // the page
	line     decode.Parser            // a single item, or a line of a file
	nested   [maxNested]decode.Parser // strings that hold JSON, see open
	used     int                      // how many of nested are being read
	most     int                      // how many were at the same time
	small    decode.Parser            // the request of a page
	expander decode.Expander
	listed   decode.Pointers // of a history
	batched  decode.Pointers // of messages asked for by id
	dates    decode.Dates
	record   []byte // scratch for record ids
	buf      []byte // scratch for raw values

	files  map[string]*file // by subject and URL
	budget int64            // bytes of files that may still be laid out, see maxRepeated
	rows   int              // lines that may still be laid out

	expanded map[string]schemas.Forward // what was laid out already, by the keys of files

	no     int // of the page in its group
	page   *schemas.Page
	at     scope
	list   string           // name of the array of messages in data
	items  *decode.Pointers // of its elements
	raws   [][]byte         // its elements as they were sent, once they were asked for
	here   string           // pointer of the current item or line
	fwd    *forwarded       // what the current message forwards, nil where it is no merged forward
	raw    decode.JSON      // what the current attachment keeps under raw beside other keys
	levels int              // of messages within messages that are being read
}

// scope is what a page's keys say of its messages. Its Conversation is canonical: p2p:a:b, team:1 or super:2.
type scope struct {
	decode.Scope
	kind        string // a ConversationKind
	left, right string // the two accounts of a p2p conversation, or the team's id
	rank        connectors.SourceRank
}

func (r *reader) decode(no int, page *schemas.Page, out *connectors.Decoded) {
	list, items := "", &r.listed
	switch page.Type {
	case schemas.YunxinMessagesList:
		list = "items"
	case schemas.YunxinMessagesBatch:
		list, items = "success_list", &r.batched
	case schemas.YunxinMergedFile:
		return
	}
	at, ok := scopeOf(page)
	switch {
	case !ok:
		fail(out, no, "", classBadKey, "container and conversation of the page are no keys of "+schemas.Yunxin)
		return
	case list == "":
		fail(out, no, "", classUnreadable, "type of page is not known to "+schemas.Yunxin)
		return
	}
	if at.kind != schemas.ConversationUnknown {
		out.ConversationKind = at.kind
	}
	r.no, r.page, r.at, r.list, r.items, r.raws = no, page, at, list, items, nil
	r.Inspect(page.Body)
	if page.Error == "" && fine(page.Code) && len(page.Body) > 0 {
		r.messages(out)
	} else if page.Type == schemas.YunxinMessagesBatch {
		r.refused(out, page.Code)
	}
}

// release lets go of the pages.
func (r *reader) release() {
	r.page, r.raws, r.M, r.fwd, r.raw = nil, nil, nil, nil, decode.JSON{}
	clear(r.files)
	clear(r.expanded)
	if r.most > keptNested {
		clear(r.nested[keptNested:r.most])
		r.most = 0
	}
	if cap(r.buf) > 64<<10 {
		r.buf = nil
	}
}

// fine reports whether a code is that of a call that went well, or says nothing.
func fine(code string) bool { return code == "" || code == "0" || code == "200" }

func fail(out *connectors.Decoded, page int, pointer, class, message string) {
	out.Failed = append(out.Failed, connectors.Failed{Page: page, Pointer: pointer, Class: class, Message: message})
}

// scopeOf reads a page's keys.
func scopeOf(page *schemas.Page) (p scope, ok bool) {
	if p.Scope, ok = decode.ScopeOf(schemas.Yunxin, page); !ok {
		return p, false
	}
	p.rank = connectors.FromOther
	if page.Type == schemas.YunxinMessagesList {
		p.rank = connectors.FromList
	}
	kind, rest, _ := strings.Cut(p.Conversation, ":")
	switch kind {
	case "p2p":
		p.kind = schemas.ConversationP2P
		p.left, p.right, _ = strings.Cut(rest, ":") // no account has a colon
	case "team":
		p.kind, p.left = schemas.ConversationGroup, rest
	case "super":
		p.kind, p.left = schemas.ConversationSuperGroup, rest
	default:
		p.kind = schemas.ConversationUnknown
	}
	return p, true
}

// messages decodes a list or batch page.
func (r *reader) messages(out *connectors.Decoded) {
	r.used = 0
	root, err := r.ParseBytes(&r.envelope, r.page.Body)
	if err != nil {
		r.salvage(out, err)
		return
	}
	if root.Kind() != decode.Object {
		fail(out, r.no, "", classUnreadable, "body is "+root.Kind().String()+", not an object")
		return
	}
	if code, ok := root.Get("code").Int(); ok && code != 0 && code != 200 {
		if r.page.Type == schemas.YunxinMessagesBatch {
			r.refused(out, strconv.FormatInt(code, 10))
		}
		return
	}
	data := r.openOr(root.Get("data"))
	items := r.openOr(data.Get(r.list))
	switch {
	case data.Told() && data.Kind() != decode.Object:
		fail(out, r.no, "", classUnreadable, "data is "+data.Kind().String()+", not an object")
		return
	case items.Told() && items.Kind() != decode.Array:
		fail(out, r.no, "", classUnreadable, "data."+r.list+" is "+items.Kind().String()+", not an array")
		return
	case items.Len() > maxPageItems:
		fail(out, r.no, "", classUnreadable, "data."+r.list+" has more than "+strconv.Itoa(maxPageItems)+" items")
		return
	}
	if r.page.Type == schemas.YunxinMessagesList && items.Kind() == decode.Absent && (holds(data) || !data.Told() && holds(root)) {
		fail(out, r.no, "", classUnreadable, "data has no "+r.list+", but something else")
		return
	}
	first := len(out.Readings)
	before := r.used
	for i := range items.Len() {
		r.reading(out, items.At(i), i)
		r.used = before
	}
	if r.page.Type == schemas.YunxinMessagesBatch {
		r.answers(out, r.openOr(data.Get("failed_list")), out.Readings[first:])
	}
}

// holds reports whether some field of an object is a list or an object that is not empty: what an answer without messages
// has not.
func holds(v decode.JSON) bool {
	for _, e := range v.Fields() {
		if e.Len() > 0 || e.Kind() == decode.Object && !isEmpty(e) {
			return true
		}
	}
	return false
}

// salvage decodes, one by one, the items of a page that is not JSON as a whole, so that one broken item does not take
// the others with it.
func (r *reader) salvage(out *connectors.Decoded, whole error) {
	items, ok := decode.SplitArray(r.page.Body, maxPageItems, "data", r.list)
	if !ok || len(items) == 0 {
		fail(out, r.no, "", classUnreadable, "body is "+whole.Error())
		return
	}
	r.raws = items
	first := len(out.Readings)
	for i, b := range items {
		// The lines of a file that the item names are read by the same parser, when the item is done with.
		item, err := r.ParseBytes(&r.line, b)
		if err != nil {
			fail(out, r.no, r.items.At(i), classBadItem, "item is "+err.Error())
			continue
		}
		r.used = 0
		r.reading(out, item, i)
	}
	if failed, found := decode.Field(r.page.Body, "data", "failed_list"); found && r.page.Type == schemas.YunxinMessagesBatch {
		if v, err := r.ParseBytes(&r.line, failed); err == nil {
			r.answers(out, v, out.Readings[first:])
		}
	}
}

// reading decodes item i of the page, and what stands in it where it is a merged forward.
func (r *reader) reading(out *connectors.Decoded, item decode.JSON, i int) {
	if item.Kind() != decode.Object {
		item = r.openOr(item)
	}
	if item.Kind() != decode.Object {
		fail(out, r.no, r.items.At(i), classBadItem, "item is "+item.Kind().String()+", not an object")
		return
	}
	n := len(out.Readings)
	out.Readings = slices.Grow(out.Readings, 1)[:n+1]
	reading := &out.Readings[n]
	*reading = connectors.Reading{Page: r.no, Source: r.at.rank} // an element that is used again may not keep the slices of its last message
	m := &reading.Message
	r.Begin(m)
	var f fields
	f.read(item, apiWords)
	m.MessageID = r.serverID(f.serverID, "message_id")
	if m.MessageID == "" {
		out.Readings = out.Readings[:n]
		fail(out, r.no, r.items.At(i), classMissingID, "item has no message_server_id")
		return
	}
	f.at, r.here = i, r.items.At(i)
	r.message(&f, reading)
	r.record = append(append(r.record[:0], r.at.RecordPrefix...), m.MessageID...)
	m.RecordID = r.KeepBytes(r.record)
	m.OccurredAt = m.CreatedAt
	m.EventDate = r.dates.Of(m.OccurredAt)
	m.Provenance.ItemPointer = r.here
	m.Forward = schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable}
	if receiver, _ := f.receiver.Str(); !r.between(m.Sender.ID, receiver) {
		r.attribute("receiver_id", f.receiver)
	}
	reading.OtherConversation = r.elsewhere(&f)
	if r.fwd != nil {
		r.expand(out, n)
	}
}

// elsewhere reports whether an item names another conversation than its page's. Of a p2p message the receiver decides:
// what a robot or the platform itself sends comes from neither of the two.
func (r *reader) elsewhere(f *fields) bool {
	team := r.digits(f.team)
	receiver, _ := f.receiver.Str()
	switch r.at.kind {
	case schemas.ConversationP2P:
		receiver = strings.ToLower(receiver)
		return len(team) > 0 || receiver != "" && receiver != r.at.left && receiver != r.at.right
	case schemas.ConversationGroup, schemas.ConversationSuperGroup:
		scene, _ := f.scene.Int()
		return len(team) > 0 && string(team) != r.at.left || len(team) == 0 && receiver != "" && scene == sceneP2P
	}
	return false
}

// between reports whether two accounts are those of the p2p conversation, which tells them already.
func (r *reader) between(a, b string) bool {
	return r.at.kind == schemas.ConversationP2P && (a == r.at.left && b == r.at.right || a == r.at.right && b == r.at.left)
}

// verbatim gives the text of the attachment of item i as it was sent, nil where it cannot be cut out.
func (r *reader) verbatim(i int) []byte {
	if r.raws == nil {
		if r.raws, _ = decode.SplitArray(r.page.Body, maxPageItems, "data", r.list); r.raws == nil {
			r.raws = [][]byte{}
		}
	}
	if i < 0 || i >= len(r.raws) {
		return nil
	}
	raw, _ := decode.Field(r.raws[i], "attachment")
	return raw
}
