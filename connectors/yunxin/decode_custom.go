package yunxin

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Inner types of custom messages, conventions of the vendor's UIKit (https://github.com/netease-kit/nim-uikit-android,
// ChatMessageType) and of its older demo apps (https://github.com/netease-kit/NIM_Android_Demo, CustomAttachmentType). Apps
// number their own as they like, so that a number counts only with the fields that go with it.
const (
	innerSnapshot      = "2" // a picture that is to be seen once
	innerChartlet      = "3"
	innerPacket        = "5"
	innerPacketOpened  = "6"
	innerForwardBefore = "15"
	innerForward       = "101"
	innerRich          = "102"
	innerSticker       = "1001"
)

// payloadKeys are the keys under which clients hide the payload of a custom message.
var payloadKeys = [...]string{"raw", "payload", "content", "data", "attach", "attachment", "mergedPayload", "mergedForwardData"}

// custom reads {"type":…,"data":{…}}, whose type and fields say what it is.
func (r *reader) custom(a, text decode.JSON, subtype string) {
	kind, payload := payloadOf(a, func(v decode.JSON, _ int) decode.JSON { return r.openObject(v) })
	inner := typeOf(kind)
	if subtype == "" {
		subtype = r.subtype(kind)
		r.M.MessageSubtype = r.Optional(subtype)
	}
	if isForward(inner, payload) {
		r.M.ContentKind = schemas.ContentMergeForward
		r.forwarded(payload, text)
		return
	}
	if inner == "" {
		inner = subtype
	}
	has := func(keys ...string) bool { return pick(payload, keys...).Told() }
	title, body := payload.Get("title"), payload.Get("body")
	switch {
	case inner == innerRich && (title.Told() || body.Told()):
		r.M.ContentKind = schemas.ContentRichText
		r.row(title)
		r.row(body)
		if r.Text.Len() == 0 {
			r.says(text)
		} else {
			r.beside(text, title, body)
		}
		r.EndText(title.Kind() == decode.String || body.Kind() == decode.String)
		return
	case (inner == innerSticker || inner == innerChartlet) && has("chartlet", "catalog"):
		r.M.ContentKind = schemas.ContentSticker
		r.sticker(payload)
	case (inner == innerPacket || inner == innerPacketOpened) && has("redPacketId"):
		r.M.ContentKind = schemas.ContentRedPacket
	case inner == innerSnapshot && has("url") && has("md5", "size"):
		r.file("image", payload)
	default:
		r.enclosed(payload)
	}
	if r.says(text); r.Text.Len() == 0 {
		r.spoken(payload, 0)
	}
	if r.Text.Len() == 0 && hasText(payload) {
		r.Issue("text", schemas.IssueNulled, "a field of text is in a form that is not known")
	}
	r.EndText(false)
}

// hasText reports whether a payload of which no text was read has a field of text, itself or in an object within it.
func hasText(payload decode.JSON) bool {
	if !decode.Blank(payload.Get("text")) {
		return true
	}
	for _, v := range payload.Fields() {
		if v.Kind() == decode.Object && !decode.Blank(v.Get("text")) {
			return true
		}
	}
	return false
}

// openObject is open for what is to be an object.
func (r *reader) openObject(v decode.JSON) decode.JSON {
	if v.Kind() == decode.Object {
		return v
	}
	before := r.used
	inner := r.open(v)
	if inner.Kind() != decode.Object {
		r.used = before
		return decode.JSON{}
	}
	return inner
}

func (r *reader) sticker(payload decode.JSON) {
	e := schemas.Attachment{AttachmentNo: 1, Kind: "sticker", FileKey: r.Optional(r.Str(payload.Get("chartlet"), "attachments.file_key"))}
	if catalog := r.Str(payload.Get("catalog"), "attachments.attributes"); catalog != "" {
		e.Attributes.Set("catalog", catalog)
	}
	r.M.Attachments = append(r.M.Attachments, e)
}

// typeOf gives the word of a type, which may be a number, also with blanks around it or zeros after a point.
func typeOf(v decode.JSON) string {
	word := v.Word()
	if v.Kind() == decode.Number && word == "" {
		word = string(v.AppendRaw(nil))
	}
	word = strings.TrimSpace(word)
	if whole, zeros, _ := strings.Cut(word, "."); strings.Trim(zeros, "0") == "" {
		return whole
	}
	return word
}

// isForward reports whether a payload is that of a merged forward: what its type says counts only with what a merged forward
// has.
func isForward(inner string, payload decode.JSON) bool {
	within, url := payload.Get("messages"), payload.Get("url").Told()
	named := pick(payload, "abstracts", "messageAbstract", "sessionId", "sessionID").Told()
	switch inner {
	case "":
		return within.Kind() == decode.Array || url && named
	case innerForward:
		return within.Told() || url || named
	case innerForwardBefore:
		return url && named
	}
	return false
}

// payloadOf takes a custom attachment out of what it is wrapped in: {"type":…,"data":{…}} or the same without data, within
// objects or strings. kind is absent where no type is told. opened gives what a string holds; values of different levels
// stand at the same time.
func payloadOf(a decode.JSON, opened func(v decode.JSON, level int) decode.JSON) (kind, payload decode.JSON) {
	v := a
	for level := range maxWraps {
		if kind = v.Get("type"); kind.Told() {
			if inner := opened(v.Get("data"), level); inner.Kind() == decode.Object {
				return kind, inner
			}
			return kind, v
		}
		if v.Get("url").Told() || v.Get("messages").Told() {
			break
		}
		next := decode.JSON{}
		for _, key := range payloadKeys {
			if next = opened(v.Get(key), level); next.Kind() == decode.Object {
				break
			}
		}
		if next.Kind() != decode.Object {
			break
		}
		v = next
	}
	return decode.JSON{}, v
}

// forwarded is what a merged forward tells of its contents.
type forwarded struct {
	url    string // of its file, as its page tells it, "" where none is told
	md5    string // of the file, lower-case hex, "" where none is told
	inline bool   // there is no file, its messages are these
	within []decode.Child
	nested []*forwarded // what each of within forwards, nil where it is no merged forward
	locked bool         // the sender's app encrypted or compressed the file
	why    string       // it is not whole, "" where it is
}

// forwarded reads the payload of a merged forward. Its text is its brief and previews of the first messages, whatever
// becomes of its file.
func (r *reader) forwarded(p, text decode.JSON) {
	r.says(text)
	if r.Text.Len() == 0 {
		r.row(p.Get("title"))
	}
	r.previews(p)
	r.EndText(false)
	r.attribute("source_conversation", pick(p, "sessionId", "sessionID"))
	r.attribute("source_name", p.Get("sessionName"))
	r.attribute("forward_depth", pick(p, "depth", "nestedLevel"))
	fw := &forwarded{}
	encrypted, _ := p.Get("encrypted").Flag()
	compressed, _ := p.Get("compressed").Flag()
	fw.locked = encrypted || compressed
	if messages := p.Get("messages"); messages.Kind() == decode.Array && !p.Get("url").Told() {
		r.inline(fw, messages)
	} else {
		if url := r.Str(p.Get("url"), "content_json"); url != "" {
			fw.url = fileRequest(url)
		}
		fw.md5 = strings.ToLower(strings.TrimSpace(r.Digits(p.Get("md5"), "content_json")))
	}
	r.fwd = fw
}

// previews adds a line for each of the first messages.
func (r *reader) previews(p decode.JSON) {
	given := pick(p, "abstracts", "previewList", "messageAbstract")
	list := r.openOr(given)
	if given.Told() && list.Kind() != decode.Array {
		r.Issue("text", schemas.IssueNulled, "previews are "+given.Kind().String()+", not an array")
	}
	for i := range min(list.Len(), decode.MaxParts) {
		e := list.At(i)
		if e.Kind() != decode.Object {
			r.row(e)
			continue
		}
		who, _ := r.word(pick(e, "senderNick", "sender", "userAccId"))
		what, _ := r.word(pick(e, "content", "message"))
		if who != "" && what != "" {
			who += ": "
		}
		if who == "" && what == "" && !isEmpty(e) {
			r.Issue("text", schemas.IssueNulled, "a preview is in a form that is not known")
		}
		r.Text.Line()
		r.Text.Add(who)
		r.Text.Add(what)
	}
}

// inline reads messages that stand within the message that forwards them, as an older client sends them.
func (r *reader) inline(fw *forwarded, messages decode.JSON) {
	fw.inline = true
	if r.levels >= decode.MaxForwardDepth {
		return // too deep for a row
	}
	outer := r.M
	r.levels++
	n := min(messages.Len(), r.rows)
	r.rows -= n
	if n < messages.Len() {
		fw.why = decode.ReasonTooMany
	}
	fw.within, fw.nested = make([]decode.Child, n), make([]*forwarded, n)
	for i := range fw.within {
		item := messages.At(i)
		if item.Kind() != decode.Object {
			r.broken(&fw.within[i], "message is "+item.Kind().String()+", not an object")
			fw.why = reasonBadLine
			continue
		}
		var f fields
		f.read(item, inlineWords)
		f.attachment, f.inline = item, true
		if decode.Blank(f.text) {
			f.text = f.preview
		}
		r.child(&fw.within[i], &f)
		fw.nested[i] = r.fwd
	}
	r.levels--
	r.M = outer
}

// inlineKey tells what a key of an older client's message within a message means.
func (f *fields) inlineKey(key string) *decode.JSON {
	switch key {
	case "messageId":
		return &f.clientID
	case "senderId":
		return &f.sender
	case "senderName":
		return &f.senderName
	case "senderAvatar":
		return &f.avatar
	case "createTime":
		return &f.created
	case "messageType":
		return &f.kind
	case "text":
		return &f.text
	case "preview":
		return &f.preview
	}
	return nil
}
