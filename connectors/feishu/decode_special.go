package feishu

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxVariables is the most placeholders of a system message that are filled in; each is looked up among all fields.
const maxVariables = 1000

// special reads the types that hold no more than a line or two of text and some ids.
func (d *reader) special(c decode.JSON) {
	switch d.M.ContentKind {
	case schemas.ContentChatCard:
		d.attributes(c, "attributes.chat_id")
		d.mustHave("attributes.chat_id", c.Get("chat_id"))
		d.line(c.Get("name"))
	case schemas.ContentContactCard:
		d.attributes(c, "attributes.user_id")
		d.mustHave("attributes.user_id", c.Get("user_id"))
		d.line(c.Get("name"))
	case schemas.ContentLocation:
		d.textLine(c, "name")
		if address := c.Get("address"); d.peek(address) != d.peek(c.Get("name")) {
			d.line(address)
		}
		d.attributes(c, "attributes.latitude", "attributes.longitude")
	case schemas.ContentCall:
		d.textLine(c, "topic")
		d.attributes(c, "attributes.start_time")
	case schemas.ContentTask:
		d.task(c)
		d.attributes(c, "attributes.due_time", "attributes.task_id")
	case schemas.ContentVote:
		d.textLine(c, "topic")
		options := c.Get("options")
		d.mustHave("text", options)
		for i := range d.count(options) {
			d.line(options.At(i))
		}
		d.attributes(c, "attributes.status")
	case schemas.ContentRedPacket:
		d.line(c.Get("title"))
		d.textLine(c, "text")
	case schemas.ContentCalendar:
		d.textLine(c, "summary")
		d.attributes(c, "attributes.end_time", "attributes.open_calendar_id", "attributes.open_event_id", "attributes.start_time")
	}
}

// task reads the summary of a task: a post, also one within a string, or a line.
func (d *reader) task(c decode.JSON) {
	summary := c.Get("summary")
	if s := d.peek(summary); strings.HasPrefix(strings.TrimSpace(s), "{") {
		if inner, err := d.parseNested(s); err == nil && isPost(inner) {
			summary = inner
		}
	}
	if summary.Kind() == decode.Object {
		d.post(summary)
	} else {
		d.textLine(c, "summary")
	}
}

// textLine adds the line of text that a type is sure to have.
func (d *reader) textLine(c decode.JSON, key string) {
	v := c.Get(key)
	d.mustHave("text", v)
	d.line(v)
}

// mustHave notes that a value which every message of a type has is not there.
func (d *reader) mustHave(field string, v decode.JSON) {
	if !v.Told() {
		d.Issue(field, schemas.IssueNulled, "is absent")
	}
}

// word gives a string or number of the content as text, in the parser's memory.
func (d *reader) word(v decode.JSON) (s string, ok bool) {
	switch v.Kind() {
	case decode.String:
		s, _ = v.Str()
		return d.Valid(s, "text"), true
	case decode.Number:
		d.textIssue(schemas.IssueCoerced, "holds a number in place of a string")
		return string(v.AppendRaw(nil)), true
	case decode.Absent, decode.Null:
		return "", false
	default:
		d.textIssue(schemas.IssueNulled, "holds "+v.Kind().String()+" in place of a string")
		return "", false
	}
}

// line adds a line of text, nothing for an empty one.
func (d *reader) line(v decode.JSON) {
	if s, _ := d.word(v); s != "" {
		d.Text.Line()
		d.say(s)
	}
}

// attributes keeps fields of the content, strings or numbers, under their own names: those of the attributes that are given.
func (d *reader) attributes(c decode.JSON, attributes ...string) {
	for _, attribute := range attributes {
		key := strings.TrimPrefix(attribute, "attributes.")
		v := c.Get(key)
		switch v.Kind() {
		case decode.Number:
			d.Attribute(key, string(v.AppendRaw(nil)))
		case decode.Absent, decode.Null:
		default:
			if s := d.Str(v, attribute); s != "" {
				d.Attribute(key, s)
			}
		}
	}
}

// system fills a template such as "{from_user} invited {to_chatters} to this chat." from the fields of its own
// content. A placeholder without a field stays as it is.
func (d *reader) system(c decode.JSON) {
	template, ok := d.word(c.Get("template"))
	if !ok {
		d.Issue("text", schemas.IssueNulled, "template is not told")
		return
	}
	d.notice(template)
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
func (d *reader) variable(v decode.JSON) {
	switch v.Kind() {
	case decode.Array:
		for i := range v.Len() {
			if i > 0 {
				d.Text.Add(", ")
			}
			d.variable(v.At(i))
			if d.Text.Full() {
				return
			}
		}
	case decode.Object:
		d.ownText(v)
	case decode.Number:
		d.Text.Add(string(v.AppendRaw(nil)))
	default:
		s, _ := d.word(v)
		d.Text.Add(s)
	}
}

// ownText adds the text of an object: its own, that of a language, or the name of whom it is about.
func (d *reader) ownText(v decode.JSON) {
	for _, text := range [...]decode.JSON{v.Get("text"), localized(v.Get("i18n_text")), v.Get("content"), v.Get("name")} {
		if says(text) {
			if text.Kind() == decode.Object {
				d.element(text)
				return
			}
			s, _ := d.word(text)
			d.say(s)
			return
		}
	}
	if !v.Get("text").Told() {
		d.textIssue(schemas.IssueNulled, "holds an object without text")
	}
}
