package feishu

import (
	"errors"
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Words of msg_type, see
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content.
const (
	typeText         = "text"
	typeSystem       = "system"
	typeMergeForward = "merge_forward"
)

// kindOf gives the common word for a msg_type, "" for one that nobody has described. card and video are older words
// for interactive and media.
func kindOf(msgType string) string {
	switch msgType {
	case typeText:
		return schemas.ContentText
	case "post":
		return schemas.ContentRichText
	case "image":
		return schemas.ContentImage
	case "file":
		return schemas.ContentFile
	case "folder":
		return schemas.ContentFolder
	case "audio":
		return schemas.ContentAudio
	case "media", "video":
		return schemas.ContentVideo
	case "sticker":
		return schemas.ContentSticker
	case "interactive", "card":
		return schemas.ContentCard
	case "share_chat":
		return schemas.ContentChatCard
	case "share_user":
		return schemas.ContentContactCard
	case typeSystem:
		return schemas.ContentSystem
	case "location":
		return schemas.ContentLocation
	case "video_chat":
		return schemas.ContentCall
	case "todo":
		return schemas.ContentTask
	case "vote":
		return schemas.ContentVote
	case "hongbao":
		return schemas.ContentRedPacket
	case "share_calendar_event", "calendar", "general_calendar":
		return schemas.ContentCalendar
	case typeMergeForward:
		return schemas.ContentMergeForward
	}
	return ""
}

// kindWord reads msg_type and sets content_kind by it.
func (d *reader) kindWord(v decode.JSON) string {
	word := d.Str(v, "message_type")
	if len(word) > decode.MaxID {
		d.Issue("message_type", schemas.IssueTruncated, "is too long to be a type")
		word = decode.Shorten(word, decode.MaxID)
	}
	d.M.ContentKind = kindOf(word)
	if d.M.ContentKind == "" {
		d.M.ContentKind = schemas.ContentUnknown
		if word == "" {
			d.Issue("message_type", schemas.IssueDefaulted, "msg_type is not told")
		} else {
			d.Issue("message_type", schemas.IssueUnknownType, "msg_type is not known")
		}
	}
	return word
}

// contents reads body.content and mentions. A recalled message has none: what the platform sends in their place is a
// notice.
func (d *reader) contents(f *fields, recalled bool) {
	if recalled {
		return
	}
	d.full, d.ours, d.internal, d.level = false, false, false, 0
	d.before = half{}
	d.mentions(f.mentions)
	s, ok := d.body(f.body)
	if !ok || d.M.MessageType == typeMergeForward || d.M.ContentKind == schemas.ContentUnknown {
		return // A forward's content is a placeholder in three shapes, JSON or not.
	}
	if d.M.ContentKind == schemas.ContentText {
		if text, ok := plainText(s); ok {
			d.setText(text)
			return
		}
	}
	root, err := d.Parse(&d.content, s)
	if err == nil && root.Kind() == decode.String {
		if inner, err := d.parseNested(d.peek(root)); err == nil && inner.Kind() == decode.Object {
			d.Issue("content_json", schemas.IssueCoerced, "is JSON within a string")
			root = inner
		}
	}
	switch {
	case err != nil:
		d.Issue("content_json", schemas.IssueNulled, "is not JSON, text is null")
	case root.Kind() != decode.Object:
		d.Issue("content_json", schemas.IssueNulled, "is "+root.Kind().String()+", not an object, text is null")
	default:
		d.decodeContent(root)
	}
}

// errNested says that texts are nested too deep to be read.
var errNested = errors.New("a text within two others")

// parseNested parses a text that is a string of the content. What it gives is valid until the next message.
func (d *reader) parseNested(s string) (decode.JSON, error) {
	if d.level == len(d.nested) {
		return decode.JSON{}, errNested
	}
	d.level++
	return d.Parse(&d.nested[d.level-1], s)
}

// body reads body.content, a string that mostly holds JSON, and keeps it verbatim.
func (d *reader) body(v decode.JSON) (content string, ok bool) {
	c := v.Get("content")
	s, isString := c.Str()
	switch {
	case isString:
		s = d.Valid(s, "content_json")
	case c.Told():
		d.Issue("content_json", schemas.IssueCoerced, "is "+c.Kind().String()+", not a string")
		s = d.Valid(string(c.AppendRaw(nil)), "content_json")
	default:
		d.Issue("content_json", schemas.IssueNulled, "body.content is not told")
		return "", false
	}
	if len(s) > schemas.MaxContent {
		d.Issue("content_json", schemas.IssueTruncated, "is longer than 8 MiB")
		return s, true
	}
	s = d.Keep(s)
	d.M.ContentJSON = d.String(s)
	return s, true
}

// plainText gives the text of a content that is {"text":"…"} and nothing else, with nothing escaped: most of all
// messages.
func plainText(content string) (text string, ok bool) {
	const head, tail = `{"text":"`, `"}`
	if len(content) < len(head)+len(tail) || !strings.HasPrefix(content, head) || !strings.HasSuffix(content, tail) {
		return "", false
	}
	text = content[len(head) : len(content)-len(tail)]
	return text, strings.IndexByte(text, '"') < 0 && strings.IndexByte(text, '\\') < 0
}

// setText sets the text of a text message: content as kept, so that nothing is copied where nothing is replaced.
func (d *reader) setText(text string) {
	d.notice(text)
	if strings.Contains(text, "@_") {
		d.replaceMentions(text)
		d.EndText(true)
		return
	}
	if len(text) > schemas.MaxText {
		d.Issue("text", schemas.IssueTruncated, "is longer than 1 MiB")
		text = decode.Shorten(text, schemas.MaxText)
	}
	if d.M.ContentJSON == nil { // too long to be kept: text stands in the parser's memory
		text = d.Keep(text)
	}
	d.M.Text = d.String(text)
}

// decodeContent reads the content of every type but merge_forward and unknown ones.
func (d *reader) decodeContent(c decode.JSON) {
	switch d.M.ContentKind {
	case schemas.ContentText:
		d.textContent(c)
		return
	case schemas.ContentRichText:
		d.post(c)
	case schemas.ContentCard:
		d.card(c)
	case schemas.ContentImage:
		d.attach("image", c.Get("image_key"))
		d.optional(c.Get("text"))
	case schemas.ContentSticker:
		d.attach("sticker", c.Get("file_key"))
	case schemas.ContentFile:
		d.fileName(d.attach("file", c.Get("file_key")), c)
	case schemas.ContentFolder:
		d.fileName(d.attach("folder", c.Get("file_key")), c)
	case schemas.ContentAudio:
		d.duration(d.attach("audio", c.Get("file_key")), c)
		d.line(c.Get("speech_to_text"))
	case schemas.ContentVideo:
		d.video(c)
	case schemas.ContentSystem:
		d.system(c)
	default:
		d.special(c)
	}
	d.EndText(false)
	d.account()
}

// account sees to it that a message whose text is null for no reason that was given has an issue. One that is a picture
// says it by its attachment.
func (d *reader) account() {
	switch d.M.ContentKind {
	case schemas.ContentRichText, schemas.ContentCard, schemas.ContentSystem, schemas.ContentTask:
	default:
		return
	}
	if d.M.Text != nil || len(d.M.Attachments) > 0 {
		return
	}
	for i := range d.M.Issues {
		if field := d.M.Issues[i].Field; field == "text" || field == "content_json" {
			return
		}
	}
	d.textIssue(schemas.IssueNulled, "the content holds no text")
}

// textIssue notes what happened to the text.
func (d *reader) textIssue(action, reason string) {
	for i := range d.M.Issues {
		if old := &d.M.Issues[i]; old.Field == "text" && old.Action == action && old.Reason == reason {
			return
		}
	}
	d.Issue("text", action, reason)
}

// textContent reads {"text":"…"}; an empty text is one.
func (d *reader) textContent(c decode.JSON) {
	v := c.Get("text")
	if !v.Told() {
		d.Issue("text", schemas.IssueNulled, "is not told")
		return
	}
	if s, ok := d.word(v); ok {
		d.notice(s)
		d.replaceMentions(s)
		d.EndText(true)
	}
}
