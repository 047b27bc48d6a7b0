package yunxin

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Values of message_type.
const (
	typeText         = 0
	typeImage        = 1
	typeAudio        = 2
	typeVideo        = 3
	typeLocation     = 4
	typeNotification = 5
	typeFile         = 6
	typeCallNotice   = 7
	typeTip          = 10
	typeRobot        = 11
	typeCall         = 12
	typeCustom       = 100
)

// kindOf gives the common word for a message_type, "" for one that nobody has described.
func kindOf(messageType int) string {
	switch messageType {
	case typeText:
		return schemas.ContentText
	case typeImage:
		return schemas.ContentImage
	case typeAudio:
		return schemas.ContentAudio
	case typeVideo:
		return schemas.ContentVideo
	case typeLocation:
		return schemas.ContentLocation
	case typeNotification:
		return schemas.ContentNotification
	case typeFile:
		return schemas.ContentFile
	case typeCallNotice, typeCall:
		return schemas.ContentCall
	case typeTip:
		return schemas.ContentTip
	case typeRobot, typeCustom:
		return schemas.ContentCustom
	}
	return ""
}

// contents reads text and attachment. Which keys an attachment has depends on who wrote it: the wire form says w, h, dur,
// title, the object form of newer clients width, height, duration, address; both are read, the object form first.
func (r *reader) contents(f *fields) {
	before := r.used
	kind := r.typeWord(f.kind)
	subtype := r.subtype(f.subtype)
	r.M.MessageSubtype = r.Optional(subtype)
	a := r.attachment(f)
	switch kind {
	case typeText:
		r.text(f.text, a)
	case typeTip:
		r.tip(f, a)
	case typeCustom:
		r.custom(r.object(f, a), f.text, subtype)
	default:
		r.described(kind, f, a)
	}
	r.used = before
}

// described reads a message of a type whose attachment says all, text being a note beside it.
func (r *reader) described(kind int, f *fields, a decode.JSON) {
	switch kind {
	case typeImage:
		r.media("image", f, a)
	case typeAudio:
		r.media("audio", f, a)
	case typeVideo:
		r.media("video", f, a)
	case typeFile:
		r.media("file", f, a)
	case typeLocation:
		r.location(r.object(f, a))
	case typeNotification:
		r.notice(r.object(f, a))
	case typeCall, typeCallNotice:
		r.call(r.object(f, a))
	case typeRobot:
		r.robot(r.object(f, a))
	default:
		if r.says(f.text); r.Text.Len() == 0 {
			r.spoken(r.object(f, a), 0)
		}
	}
	switch {
	case kindOf(kind) == "":
	case r.Text.Len() > 0:
		r.beside(f.text, f.preview, r.pick(a, "text"), r.pick(a, "address", "title", "attachmentAddress"))
	default:
		if r.says(f.text); r.Text.Len() == 0 {
			r.row(a.Get("msg"))
		}
	}
	r.EndText(false)
}

// beside adds the text beside what an attachment said, which no other field of the record holds. Clients write the same
// there as a preview, too: that is left out.
func (r *reader) beside(text decode.JSON, said ...decode.JSON) {
	for _, v := range said {
		if a, ok := v.Str(); ok {
			if b, _ := text.Str(); a == b {
				return
			}
		}
	}
	if v, isText := text.Str(); !isText || strings.TrimSpace(v) != "" {
		r.says(text)
	}
}

// location reads a place: its name is the text.
func (r *reader) location(a decode.JSON) {
	name := r.pick(a, "address", "title", "attachmentAddress")
	latitude := r.pick(a, "latitude", "lat", "attachmentLatitude")
	longitude := r.pick(a, "longitude", "lng", "attachmentLongitude")
	r.row(name)
	r.attribute("latitude", latitude)
	r.attribute("longitude", longitude)
	if !name.Told() && !latitude.Told() && !longitude.Told() && a.Told() && !isEmpty(a) {
		r.Issue("text", schemas.IssueNulled, "place is in a form that is not known")
	}
}

// subtype reads sub_type, a number that is set where it is above 0.
func (r *reader) subtype(v decode.JSON) string {
	s := r.numeral(v, "message_subtype")
	if s == "0" {
		return ""
	}
	if len(s) > decode.MaxID {
		r.Issue("message_subtype", schemas.IssueNulled, "is too long to be a type")
		return ""
	}
	return s
}

// text reads the text of a text message; an empty one is one. The first server API kept it in the attachment.
func (r *reader) text(v, a decode.JSON) {
	said := r.says(v)
	if r.Text.Len() == 0 && !isEmpty(a) {
		said = r.spoken(a, 0) || said
	}
	if !said && !v.Told() {
		r.Issue("text", schemas.IssueNulled, "is not told")
	}
	r.EndText(said)
}

// tip reads the line that an app shows between messages: its text, else what its attachment says, which may be plain text.
func (r *reader) tip(f *fields, a decode.JSON) {
	r.says(f.text)
	if r.Text.Len() == 0 {
		if !a.Told() {
			a = f.attachment
		}
		r.spoken(a, 0)
	}
	if r.Text.Len() == 0 {
		r.Issue("text", schemas.IssueNulled, "is neither in text nor in the attachment")
	}
	r.EndText(false)
}

// says adds a text, or the inside of one that is {"msg":"…"}: so the first server API sends them, and some encode that once
// more. What somebody typed may look alike, so the text as it was sent is kept. It reports whether there is a text.
func (r *reader) says(v decode.JSON) bool {
	if v.Kind() == decode.Object {
		if msg := single(v, "msg"); msg.Kind() == decode.String {
			r.Issue("text", schemas.IssueCoerced, "is an object with the text in msg")
			v = msg
		}
	}
	s, ok := r.word(v)
	if !ok {
		return false
	}
	if t := strings.TrimSpace(s); wrapped(t, '{', '}') || wrapped(t, '"', '"') {
		s = r.unwrapped(v, s)
	}
	r.Text.Line()
	r.Text.Add(s)
	return true
}

// unwrapped gives the text of {"msg":"…"}, s itself where v is anything else.
func (r *reader) unwrapped(v decode.JSON, s string) string {
	before := r.used
	msg, isText := single(r.open(v), "msg").Str()
	r.used = before // what was read is valid until the next string is opened
	if !isText {
		return s
	}
	r.M.Attributes.Set("raw_text", r.Keep(r.Bounded(s, "attributes.raw_text")))
	return r.Valid(msg, "text")
}

// wrapped reports whether a text begins and ends with two bytes.
func wrapped(s string, first, last byte) bool {
	return len(s) > 1 && s[0] == first && s[len(s)-1] == last
}

// word gives a string or number as text, in the parser's memory.
func (r *reader) word(v decode.JSON) (s string, ok bool) {
	switch v.Kind() {
	case decode.String:
		s, _ = v.Str()
		return r.Valid(s, "text"), true
	case decode.Number:
		r.Issue("text", schemas.IssueCoerced, "holds a number in place of a string")
		return string(v.AppendRaw(nil)), true
	case decode.Absent, decode.Null:
		return "", false
	default:
		r.Issue("text", schemas.IssueNulled, "holds "+v.Kind().String()+" in place of a string")
		return "", false
	}
}

// row adds a line of text, nothing for an empty one.
func (r *reader) row(v decode.JSON) {
	if s, _ := r.word(v); s != "" {
		r.Text.Line()
		r.Text.Add(s)
	}
}

// attachment keeps the attachment as the message's content and gives it without what it is wrapped in: an object or an array,
// absent where there is none. Some senders write it as a string.
func (r *reader) attachment(f *fields) decode.JSON {
	v := f.attachment
	r.raw = decode.JSON{}
	if decode.Blank(v) {
		return decode.JSON{}
	}
	if f.inline {
		return v // the content of the message that it stands in holds it
	}
	if s, isText := v.Str(); isText {
		r.Content(s)
	} else if isEmpty(v) {
		r.M.ContentJSON = r.String("{}") // what most texts have
		return v
	} else if raw := r.verbatim(f.at); raw != nil {
		r.ContentBytes(raw)
	} else {
		r.buf = v.AppendRaw(r.buf[:0])
		r.ContentBytes(r.buf)
	}
	a := r.open(v)
	if raw := r.open(a.Get("raw")); raw.Told() {
		if alone(a, "raw") {
			return raw
		}
		r.raw = raw // beside what the client made of it
	}
	return a
}

// object gives an attachment that is to be an object, absent where it is not.
func (r *reader) object(f *fields, a decode.JSON) decode.JSON {
	if a.Kind() == decode.Object || decode.Blank(f.attachment) {
		return a
	}
	r.Issue("attachments", schemas.IssueNulled, "attachment is no JSON object")
	return decode.JSON{}
}

// alone reports whether all other fields of an object are blank.
func alone(v decode.JSON, key string) bool {
	for k, e := range v.Fields() {
		if k != key && !decode.Blank(e) {
			return false
		}
	}
	return true
}

// isEmpty reports whether v is an object that tells nothing.
func isEmpty(v decode.JSON) bool {
	for range v.Fields() {
		return false
	}
	return v.Kind() == decode.Object
}
