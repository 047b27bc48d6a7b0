package feishu

import (
	"strings"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Words of msg_type, see
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content.
const (
	typeText         = "text"
	typeSystem       = "system"
	typeMergeForward = "merge_forward"
)

// maxVariables is the most placeholders of a system message that are filled in; each is looked up among all fields.
const maxVariables = 1000

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
func (d *reader) kindWord(v connectors.JSON) string {
	word := d.Str(v, "message_type")
	if len(word) > connectors.MaxID {
		d.Issue("message_type", schemas.IssueTruncated, "is too long to be a type")
		word = connectors.Shorten(word, connectors.MaxID)
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
	d.full = false
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
	root, err := d.content.ParseString(s)
	switch {
	case err != nil:
		d.Issue("content_json", schemas.IssueNulled, "is not JSON, text is null")
	case root.Kind() != connectors.Object:
		d.Issue("content_json", schemas.IssueNulled, "is "+root.Kind().String()+", not an object, text is null")
	default:
		d.decodeContent(root)
	}
}

// body reads body.content, a string that mostly holds JSON, and keeps it verbatim.
func (d *reader) body(v connectors.JSON) (content string, ok bool) {
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
	if strings.Contains(text, "@_") {
		d.replaceMentions(text)
		d.EndText(true)
		return
	}
	if len(text) > schemas.MaxText {
		d.Issue("text", schemas.IssueTruncated, "is longer than 1 MiB")
		text = connectors.Shorten(text, schemas.MaxText)
	}
	if d.M.ContentJSON == nil { // too long to be kept: text stands in the parser's memory
		text = d.Keep(text)
	}
	d.M.Text = d.String(text)
}

// decodeContent reads the content of every type but merge_forward and unknown ones.
func (d *reader) decodeContent(c connectors.JSON) {
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
	case schemas.ContentSticker:
		d.attach("sticker", c.Get("file_key"))
	case schemas.ContentFile:
		d.name(d.attach("file", c.Get("file_key")), c)
	case schemas.ContentFolder:
		d.name(d.attach("folder", c.Get("file_key")), c)
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
}

// textContent reads {"text":"…"}; an empty text is one.
func (d *reader) textContent(c connectors.JSON) {
	v := c.Get("text")
	if !v.Told() {
		d.Issue("text", schemas.IssueNulled, "is not told")
		return
	}
	if s, ok := d.word(v); ok {
		d.replaceMentions(s)
		d.EndText(true)
	}
}

// special reads the types that hold no more than a line or two of text and some ids.
func (d *reader) special(c connectors.JSON) {
	switch d.M.ContentKind {
	case schemas.ContentChatCard:
		d.attributes(c, "chat_id")
	case schemas.ContentContactCard:
		d.attributes(c, "user_id")
	case schemas.ContentLocation:
		d.line(c.Get("name"))
		d.attributes(c, "latitude", "longitude")
	case schemas.ContentCall:
		d.line(c.Get("topic"))
		d.attributes(c, "start_time")
	case schemas.ContentTask:
		if summary := c.Get("summary"); summary.Kind() == connectors.Object {
			d.post(summary)
		} else {
			d.line(summary)
		}
		d.attributes(c, "due_time", "task_id")
	case schemas.ContentVote:
		d.line(c.Get("topic"))
		for option := range d.list(c.Get("options")) {
			d.line(option)
		}
		d.attributes(c, "status")
	case schemas.ContentRedPacket:
		d.line(c.Get("text"))
	case schemas.ContentCalendar:
		d.line(c.Get("summary"))
		d.attributes(c, "end_time", "open_calendar_id", "open_event_id", "start_time")
	}
}

// word gives a string or number of the content as text, in the parser's memory.
func (d *reader) word(v connectors.JSON) (s string, ok bool) {
	switch v.Kind() {
	case connectors.String:
		s, _ = v.Str()
		return d.Valid(s, "text"), true
	case connectors.Number:
		d.Issue("text", schemas.IssueCoerced, "holds a number in place of a string")
		return string(v.AppendRaw(nil)), true
	case connectors.Absent, connectors.Null:
		return "", false
	default:
		d.Issue("text", schemas.IssueNulled, "holds "+v.Kind().String()+" in place of a string")
		return "", false
	}
}

// line adds a line of text, nothing for an empty one.
func (d *reader) line(v connectors.JSON) {
	if s, _ := d.word(v); s != "" {
		d.Text.Line()
		d.Text.Add(s)
	}
}

// attributes keeps fields of the content, strings or numbers, under their own names.
func (d *reader) attributes(c connectors.JSON, keys ...string) {
	for _, key := range keys {
		v := c.Get(key)
		switch v.Kind() {
		case connectors.Number:
			d.M.Attributes.Set(key, string(v.AppendRaw(nil)))
		case connectors.Absent, connectors.Null:
		default:
			if s := d.Str(v, "attributes."+key); s != "" {
				d.M.Attributes.Set(key, s)
			}
		}
	}
}

// system fills a template such as "{from_user} invited {to_chatters} to this chat." from the fields of its own
// content. A placeholder without a field stays as it is.
func (d *reader) system(c connectors.JSON) {
	template, ok := d.word(c.Get("template"))
	if !ok {
		d.Issue("text", schemas.IssueNulled, "template is not told")
		return
	}
	for n := 0; template != "" && n < maxVariables && !d.Text.Full(); n++ {
		open := strings.IndexByte(template, '{')
		end := -1
		if open >= 0 {
			end = strings.IndexByte(template[open:], '}')
		}
		if end < 0 {
			break
		}
		end += open
		d.Text.Add(template[:open])
		if v := c.Get(template[open+1 : end]); !v.Told() || template[open+1:end] == "template" {
			d.Text.Add(template[open : end+1])
		} else {
			d.variable(v)
		}
		template = template[end+1:]
	}
	d.Text.Add(template)
}

// variable adds the value of a placeholder: a string, a list of them, or an object with text of its own.
func (d *reader) variable(v connectors.JSON) {
	switch v.Kind() {
	case connectors.Array:
		for i := range v.Len() {
			if i > 0 {
				d.Text.Add(", ")
			}
			d.variable(v.At(i))
			if d.Text.Full() {
				return
			}
		}
	case connectors.Object:
		text := v.Get("text")
		if !text.Told() {
			text = localized(v.Get("i18n_text"))
		}
		s, _ := d.word(text)
		d.Text.Add(s)
	case connectors.Number:
		d.Text.Add(string(v.AppendRaw(nil)))
	default:
		s, _ := d.word(v)
		d.Text.Add(s)
	}
}
