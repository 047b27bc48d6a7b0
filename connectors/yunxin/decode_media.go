package yunxin

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// media adds the attachments of a message that is one, or several.
func (r *reader) media(kind string, f *fields, a decode.JSON) {
	if a.Kind() != decode.Array {
		if a = r.object(f, a); a.Told() || decode.Blank(f.attachment) {
			r.file(kind, a)
		}
		return
	}
	switch n := a.Len(); {
	case n == 0:
		r.Issue("attachments", schemas.IssueNulled, "attachment is an empty list")
	case n > decode.MaxParts:
		r.Issue("attachments", schemas.IssueTruncated, "are more than 10000")
	}
	for i := range min(a.Len(), decode.MaxParts) {
		r.file(kind, a.At(i))
	}
}

// file adds an attachment with what is known of it. Durations are in milliseconds; sizes may be quoted, endings may have a
// leading dot. The keys that begin with attachment are those of messages within a message.
func (r *reader) file(kind string, a decode.JSON) {
	if a.Kind() != decode.Object {
		r.Issue("attachments", schemas.IssueNulled, "attachment is not told")
		return
	}
	e := schemas.Attachment{AttachmentNo: int64(len(r.M.Attachments) + 1), Kind: kind}
	e.URL = r.Optional(r.Str(r.pick(a, "url", "attachmentUrl"), "attachments.url"))
	if e.URL == nil {
		r.Issue("attachments.url", schemas.IssueNulled, "is not told")
	}
	name := r.Str(r.pick(a, "name", "attachmentName"), "attachments.name")
	e.Name = r.Optional(name)
	e.MD5 = r.Optional(r.Str(r.pick(a, "md5"), "attachments.md5"))
	ending := strings.TrimPrefix(r.Str(r.pick(a, "ext", "attachmentExt"), "attachments.attributes"), ".")
	mime := ""
	if ending != "" {
		e.Attributes.Set("ext", ending)
		mime = decode.MediaType("." + ending)
	}
	if mime == "" {
		mime = decode.MediaType(name)
	}
	e.MimeType = r.Optional(mime)
	e.SizeBytes = r.Size(r.pick(a, "size", "attachmentSize"), "attachments.size_bytes")
	e.DurationMs = r.Size(r.pick(a, "duration", "dur", "attachmentDuration"), "attachments.duration_ms")
	e.Width = r.Size(r.pick(a, "width", "w", "attachmentWidth"), "attachments.width")
	e.Height = r.Size(r.pick(a, "height", "h", "attachmentHeight"), "attachments.height")
	r.M.Attachments = append(r.M.Attachments, e)
}

// enclosed adds the file that a custom message of an app points to: a URL with what only a file has.
func (r *reader) enclosed(a decode.JSON) {
	url, _ := a.Get("url").Str()
	if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
		return
	}
	if pick(a, "md5", "size", "ext", "dur", "duration", "w", "width").Told() {
		r.file(fileKind(a), a)
	}
}

// fileKind tells what a file is that no message type describes: by its ending, else by its measures.
func fileKind(a decode.JSON) string {
	ext, _ := a.Get("ext").Str()
	name, _ := a.Get("name").Str()
	mime := decode.MediaType("." + strings.TrimPrefix(ext, "."))
	if mime == "" {
		mime = decode.MediaType(name)
	}
	sized, lasting := pick(a, "w", "width").Told(), pick(a, "dur", "duration").Told()
	switch kind, _, _ := strings.Cut(mime, "/"); {
	case kind == "image" || kind == "audio" || kind == "video":
		return kind
	case mime != "":
	case sized && lasting:
		return "video"
	case sized:
		return "image"
	case lasting:
		return "audio"
	}
	return "file"
}

// call reads the record of a call: whether it came about, and who talked for how many seconds.
func (r *reader) call(a decode.JSON) {
	if inner := r.open(a.Get("data")); inner.Kind() == decode.Object {
		a = inner // of older clients' notices
	}
	r.row(r.pick(a, "text"))
	kind := r.pick(a, "calltype", "netcallType", "type", "attachmentType")
	switch n, _ := kind.Int(); n {
	case 1:
		r.M.Attributes.Set("call_type", "audio")
	case 2:
		r.M.Attributes.Set("call_type", "video")
	default:
		r.attribute("call_type", kind)
	}
	status, channel := r.pick(a, "status", "attachmentStatus"), r.pick(a, "channelId", "channel")
	durations := r.pick(a, "durations", "duration", "attachmentDurations")
	r.attribute("call_status", status)
	r.attribute("call_channel_id", channel)
	r.attribute("call_durations", durations)
	if !kind.Told() && !status.Told() && !channel.Told() && !durations.Told() && r.Text.Len() == 0 && a.Told() && !isEmpty(a) {
		r.Issue("attributes.call_type", schemas.IssueUnknownType, "record of a call is in a form that is not known")
	}
}

// Types of what a robot answers, as an old product of the vendor did.
const (
	robotText     = 1
	robotImage    = 2
	robotTemplate = 11
)

// robot reads {"robotAccid":…,"robotMsg":{"message":[{"type":"01","content":…}]}}, the answer of a robot, whose message may
// be {"match":[{"question":…,"answer":…}]}, or the question to one, whose words are the text.
func (r *reader) robot(a decode.JSON) {
	answer := r.open(a.Get("robotMsg"))
	if answer.Told() {
		r.attribute("robot_id", r.pick(a, "robotAccid"))
	}
	message := r.open(answer.Get("message"))
	for i := range min(message.Len(), decode.MaxParts) {
		r.robotPart(message.At(i))
	}
	match := r.open(message.Get("match"))
	for i := range min(match.Len(), decode.MaxParts) {
		r.row(match.At(i).Get("answer"))
	}
	if answer.Told() && r.Text.Len() == 0 && len(r.M.Attachments) == 0 {
		r.Issue("text", schemas.IssueNulled, "answer of a robot in a form that is not known")
	}
}

func (r *reader) robotPart(part decode.JSON) {
	content := part.Get("content")
	switch n, _ := r.Number(part.Get("type"), "attachments.kind"); n {
	case robotImage:
		if picture := r.openObject(content); picture.Told() {
			r.file("image", picture)
			return
		}
		url := r.Optional(r.Str(content, "attachments.url"))
		r.M.Attachments = append(r.M.Attachments, schemas.Attachment{AttachmentNo: int64(len(r.M.Attachments) + 1), Kind: "image", URL: url})
	case robotText:
		r.row(content)
	case robotTemplate:
		r.row(content)
		r.Issue("text", schemas.IssueCoerced, "is a template of a robot")
	default:
		r.row(content)
		r.Issue("text", schemas.IssueUnknownType, "part of a robot's answer is not known")
	}
}
