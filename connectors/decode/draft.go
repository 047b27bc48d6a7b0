package decode

import (
	"chatlake/schemas"
)

// Limits of single values, in bytes, and of lists. The platforms' own are far lower; without any, one hostile item could
// make a record that no topic takes.
const (
	MaxID     = 1 << 10
	MaxField  = 64 << 10
	MaxParts  = 10_000 // mentions or attachments
	maxIssues = 64
)

// The span of times that count as told, 2000-01-01 up to 2100-01-01.
const (
	MinTime schemas.Millis = 946_684_800_000
	MaxTime schemas.Millis = 4_102_444_800_000
)

// Draft is a message that is being decoded: it reads values of the platform's JSON into memory that outlasts the
// Parser's, and notes every repair as an issue of the message. It is used for one message after the other and is not safe
// for concurrent use.
type Draft struct {
	Memory
	M     *schemas.Message
	Clean bool // no string in the text needs repair, see Inspect
	Plain bool // no text that Parse reads has an escape of a UTF-16 unit, see HasUnits; false where that is not known
	Text  Text // of the message
	raw   []byte
}

// Begin starts on a message.
func (d *Draft) Begin(m *schemas.Message) {
	d.M = m
	d.Text.Reset()
	if cap(d.raw) > blockBytes {
		d.raw = nil
	}
}

// Issue notes a repair; of very many, only the first.
func (d *Draft) Issue(field, action, reason string) {
	switch n := len(d.M.Issues); {
	case n < maxIssues-1:
		d.M.AddIssue(field, action, reason)
	case n == maxIssues-1:
		d.M.AddIssue("issues", schemas.IssueTruncated, "there are more")
	}
}

// Attribute sets an attribute of the message.
func (d *Draft) Attribute(key, value string) {
	if d.M.Attributes == nil {
		d.M.Attributes = d.Attributes()
	}
	d.M.Attributes.Set(key, value)
}

// Str reads a string, kept, valid UTF-8 and of a bearable length. What is none is "", with an issue where it is not
// plainly absent.
func (d *Draft) Str(v JSON, field string) string {
	if s, ok := v.Str(); ok {
		return d.Keep(d.Bounded(d.Valid(s, field), field))
	}
	switch v.Kind() {
	case Absent, Null:
		return ""
	case Number:
		d.Issue(field, schemas.IssueCoerced, "is a number, not a string")
		return d.Digits(v, field)
	default:
		d.Issue(field, schemas.IssueNulled, "is "+v.Kind().String()+", not a string")
		return ""
	}
}

// Digits reads a value that may be a string or a number, as text.
func (d *Draft) Digits(v JSON, field string) string {
	if v.Kind() != Number {
		return d.Str(v, field)
	}
	d.raw = v.AppendRaw(d.raw[:0]) // plain ASCII
	if len(d.raw) > MaxField {
		d.Issue(field, schemas.IssueTruncated, "is longer than 64 KiB")
		d.raw = d.raw[:MaxField]
	}
	return d.KeepBytes(d.raw)
}

// ID reads the id of another message or of a thread; one that is too long to be one counts as not told.
func (d *Draft) ID(v JSON, field string) string {
	s := d.Str(v, field)
	if len(s) > MaxID {
		d.Issue(field, schemas.IssueNulled, "is too long to be an id")
		return ""
	}
	return s
}

// Bounded cuts s at MaxField.
func (d *Draft) Bounded(s, field string) string {
	if len(s) <= MaxField {
		return s
	}
	d.Issue(field, schemas.IssueTruncated, "is longer than 64 KiB")
	return Shorten(s, MaxField)
}

// Blank reports whether v tells nothing: platforms send "" as well as null or no field.
func Blank(v JSON) bool {
	if s, text := v.Str(); text {
		return s == ""
	}
	return !v.Told()
}

// Flag reads a boolean. Words and numbers that plainly mean one are taken for it.
func (d *Draft) Flag(v JSON, field string) bool {
	if b, ok := v.Bool(); ok || !v.Told() {
		return b
	}
	d.raw = v.AppendRaw(d.raw[:0])
	switch string(d.raw) {
	case `"true"`, `"1"`, `1`:
		d.Issue(field, schemas.IssueCoerced, "is "+v.Kind().String()+", not a boolean")
		return true
	case `"false"`, `"0"`, `0`:
		d.Issue(field, schemas.IssueCoerced, "is "+v.Kind().String()+", not a boolean")
		return false
	}
	d.Issue(field, schemas.IssueDefaulted, "is "+v.Kind().String()+", not a boolean")
	return false
}

// EndText makes what was gathered the message's text. empty says that "" is a text, too.
func (d *Draft) EndText(empty bool) {
	if d.Text.cut {
		d.Issue("text", schemas.IssueTruncated, "is longer than 1 MiB")
	}
	if len(d.Text.b) > 0 || empty {
		d.M.Text = d.String(d.KeepBytes(d.Text.b))
	}
}

// Content keeps a message's content as the platform sent it, up to schemas.MaxContent.
func (d *Draft) Content(s string) {
	s = d.Valid(s, "content_json")
	if len(s) > schemas.MaxContent {
		d.Issue("content_json", schemas.IssueTruncated, "is longer than 8 MiB")
		return
	}
	d.M.ContentJSON = d.String(d.Keep(s))
}

// ContentBytes is Content for bytes, which are copied once.
func (d *Draft) ContentBytes(b []byte) {
	if !d.Clean || len(b) > schemas.MaxContent {
		d.Content(string(b))
		return
	}
	d.M.ContentJSON = d.String(d.KeepBytes(b))
}
