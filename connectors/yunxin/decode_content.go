package yunxin

import (
	"strings"

	"chatlake/connectors"
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
	kind := r.typeWord(f.kind)
	subtype := r.subtype(f.subtype)
	r.M.MessageSubtype = r.Optional(subtype)
	a := r.attachment(f)
	switch kind {
	case typeText:
		r.text(f.text)
		return
	case typeImage:
		r.file("image", a)
	case typeAudio:
		r.file("audio", a)
	case typeVideo:
		r.file("video", a)
	case typeFile:
		r.file("file", a)
	case typeLocation:
		r.row(pick(a, "address", "title", "attachmentAddress"))
		r.attribute("latitude", pick(a, "latitude", "lat", "attachmentLatitude"))
		r.attribute("longitude", pick(a, "longitude", "lng", "attachmentLongitude"))
	case typeNotification:
		r.notice(a)
	case typeCall, typeCallNotice:
		r.call(a)
	case typeCustom:
		r.custom(a, f.text, subtype)
		return
	}
	if r.Text.Len() == 0 {
		r.says(f.text)
		if r.Text.Len() == 0 {
			r.row(a.Get("msg"))
		}
	}
	r.EndText(false)
}

// subtype reads sub_type, a number that is told where it is above 0.
func (r *reader) subtype(v connectors.JSON) string {
	s := r.Digits(v, "message_subtype")
	if s == "0" {
		return ""
	}
	if len(s) > connectors.MaxID {
		r.Issue("message_subtype", schemas.IssueNulled, "is too long to be a type")
		return ""
	}
	return s
}

// text reads the text of a text message; an empty one is one.
func (r *reader) text(v connectors.JSON) {
	if !v.Told() {
		r.Issue("text", schemas.IssueNulled, "is not told")
		return
	}
	r.says(v)
	r.EndText(true)
}

// says adds a text, or the inside of one that is {"msg":"…"}: so the first server API sends them. What somebody typed
// may look alike, so the text as it was told is kept.
func (r *reader) says(v connectors.JSON) {
	s, ok := r.word(v)
	if !ok {
		return
	}
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "{") && strings.HasSuffix(t, "}") {
		if inner, err := r.small.ParseString(t); err == nil {
			if msg, ok := single(inner, "msg").Str(); ok {
				r.M.Attributes.Set("raw_text", r.Keep(r.Bounded(s, "attributes.raw_text")))
				s = r.Valid(msg, "text")
			}
		}
	}
	r.Text.Line()
	r.Text.Add(s)
}

// single gives the value of an object's only key, absent where that is another one or has neighbours.
func single(v connectors.JSON, key string) connectors.JSON {
	var only connectors.JSON
	n := 0
	for k, e := range v.Fields() {
		if n++; k == key {
			only = e
		}
	}
	if n != 1 {
		return connectors.JSON{}
	}
	return only
}

// pick gives the first of some fields that tells anything.
func pick(v connectors.JSON, keys ...string) connectors.JSON {
	for _, key := range keys {
		if e := v.Get(key); !connectors.Blank(e) {
			return e
		}
	}
	return connectors.JSON{}
}

// word gives a string or number as text, in the parser's memory.
func (r *reader) word(v connectors.JSON) (s string, ok bool) {
	switch v.Kind() {
	case connectors.String:
		s, _ = v.Str()
		return r.Valid(s, "text"), true
	case connectors.Number:
		r.Issue("text", schemas.IssueCoerced, "holds a number in place of a string")
		return string(v.AppendRaw(nil)), true
	case connectors.Absent, connectors.Null:
		return "", false
	default:
		r.Issue("text", schemas.IssueNulled, "holds "+v.Kind().String()+" in place of a string")
		return "", false
	}
}

// row adds a line of text, nothing for an empty one.
func (r *reader) row(v connectors.JSON) {
	if s, _ := r.word(v); s != "" {
		r.Text.Line()
		r.Text.Add(s)
	}
}

// attachment keeps the attachment as the message's content and gives it without what it is wrapped in; absent where there
// is none. Some senders write the object as a string.
func (r *reader) attachment(f *fields) connectors.JSON {
	v := f.attachment
	if connectors.Blank(v) {
		return connectors.JSON{}
	}
	if f.inline {
		return v // the content of the message that it stands in holds it
	}
	if s, isText := v.Str(); isText {
		r.Content(s)
	} else if isEmpty(v) {
		r.M.ContentJSON = r.String("{}") // what most texts have
	} else if raw := r.verbatim(f.at); raw != nil {
		r.ContentBytes(raw)
	} else {
		r.buf = v.AppendRaw(r.buf[:0])
		r.ContentBytes(r.buf)
	}
	a := r.opened(v, 0)
	if raw := single(a, "raw"); raw.Told() {
		a = r.opened(raw, 1)
	}
	if a.Kind() != connectors.Object {
		r.Issue("attachments", schemas.IssueNulled, "attachment is no JSON object")
		return connectors.JSON{}
	}
	return a
}

// isEmpty reports whether v is an object that tells nothing.
func isEmpty(v connectors.JSON) bool {
	for range v.Fields() {
		return false
	}
	return v.Kind() == connectors.Object
}

// opened gives a value, or where it is a string what that holds, absent where that is not JSON. level tells values
// apart that must stand at the same time.
func (r *reader) opened(v connectors.JSON, level int) connectors.JSON {
	s, isText := v.Str()
	switch {
	case !isText:
		return v
	case r.sealed:
		return connectors.JSON{}
	}
	inner, err := r.nested[level].ParseString(s)
	if err != nil {
		return connectors.JSON{}
	}
	return inner
}

// file adds an attachment with what is told of it. Durations are in milliseconds; sizes may be quoted, endings may have a
// leading dot. The keys that begin with attachment are those of messages within a message.
func (r *reader) file(kind string, a connectors.JSON) {
	if a.Kind() != connectors.Object {
		r.Issue("attachments", schemas.IssueNulled, "attachment is not told")
		return
	}
	e := schemas.Attachment{AttachmentNo: int64(len(r.M.Attachments) + 1), Kind: kind}
	e.URL = r.Optional(r.Str(pick(a, "url", "attachmentUrl"), "attachments.url"))
	if e.URL == nil {
		r.Issue("attachments.url", schemas.IssueNulled, "is not told")
	}
	name := r.Str(pick(a, "name", "attachmentName"), "attachments.name")
	e.Name = r.Optional(name)
	e.MD5 = r.Optional(r.Str(a.Get("md5"), "attachments.md5"))
	ending := strings.TrimPrefix(r.Str(pick(a, "ext", "attachmentExt"), "attachments.attributes"), ".")
	mime := ""
	if ending != "" {
		e.Attributes.Set("ext", ending)
		mime = connectors.MediaType("." + ending)
	}
	if mime == "" {
		mime = connectors.MediaType(name)
	}
	e.MimeType = r.Optional(mime)
	e.SizeBytes = r.Size(pick(a, "size", "attachmentSize"), "attachments.size_bytes")
	e.DurationMs = r.Size(pick(a, "duration", "dur", "attachmentDuration"), "attachments.duration_ms")
	e.Width = r.Size(pick(a, "width", "w", "attachmentWidth"), "attachments.width")
	e.Height = r.Size(pick(a, "height", "h", "attachmentHeight"), "attachments.height")
	r.M.Attachments = append(r.M.Attachments, e)
}

// call reads the record of a call: whether it came about, and who talked for how many seconds.
func (r *reader) call(a connectors.JSON) {
	if inner := a.Get("data"); inner.Kind() == connectors.Object {
		a = inner // of older clients' notices
	}
	r.row(a.Get("text"))
	kind := pick(a, "type", "calltype", "attachmentType")
	switch n, _ := kind.Int(); n {
	case 1:
		r.M.Attributes.Set("call_type", "audio")
	case 2:
		r.M.Attributes.Set("call_type", "video")
	default:
		r.attribute("call_type", kind)
	}
	r.attribute("call_status", pick(a, "status", "attachmentStatus"))
	r.attribute("call_channel_id", pick(a, "channelId", "channel"))
	r.attribute("call_durations", pick(a, "durations", "duration", "attachmentDurations"))
}
