package feishu

import (
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// languages is the order in which translations are tried; then comes whichever stands first.
var languages = [...]string{"zh_cn", "en_us", "ja_jp"}

// localized gives one value of an object with a value for each language, the first that is not empty. What is no object is
// taken for the value itself.
func localized(v decode.JSON) decode.JSON {
	if v.Kind() != decode.Object {
		return v
	}
	for _, lang := range languages {
		if t := v.Get(lang); says(t) {
			return t
		}
	}
	for _, t := range v.Fields() {
		if says(t) {
			return t
		}
	}
	return decode.JSON{}
}

// isLanguage reports whether a key names a language: zh_cn, en-US.
func isLanguage(key string) bool {
	return len(key) == len("zh_cn") && (key[2] == '_' || key[2] == '-')
}

// translation gives the post of one language: of those that hold anything the first in the order of languages.
func translation(c decode.JSON, language func(key string) bool) decode.JSON {
	var first decode.JSON
	for _, lang := range languages {
		t := c.Get(lang)
		if hasRows(t) {
			return t
		}
		if !first.Told() && t.Kind() == decode.Object {
			first = t
		}
	}
	for key, t := range c.Fields() {
		if !language(key) {
			continue
		}
		if hasRows(t) {
			return t
		}
		if !first.Told() && t.Kind() == decode.Object {
			first = t
		}
	}
	return first
}

// hasRows reports whether a post, or a card in the form of one, has a body.
func hasRows(c decode.JSON) bool {
	var f cardFields
	f.read(c)
	return f.contentV2.Len() > 0 || f.content.Len() > 0 || f.list().Len() > 0
}

// isPost reports whether an object is a post, and not one for each language.
func isPost(c decode.JSON) bool {
	for _, key := range [...]string{"content", "content_v2", "title", "files", "elements"} {
		if c.Get(key).Told() {
			return true
		}
	}
	return false
}

// postFields are the fields of a post, gathered in one pass.
type postFields struct {
	title, content, contentV2, elements, files decode.JSON
	others                                     bool // it has fields that are not known
}

func (p *postFields) read(c decode.JSON) {
	for key, v := range c.Fields() {
		at := &p.title
		switch key {
		case "title":
		case "content":
			at = &p.content
		case "content_v2":
			at = &p.contentV2
		case "elements":
			at = &p.elements
		case "files":
			at = &p.files
		default:
			p.others = true
			continue
		}
		if at.Kind() == decode.Absent { // of two equal keys the first counts
			*at = v
		}
	}
}

// some reports whether it has any of the fields of a post.
func (p *postFields) some() bool {
	return p.title.Told() || p.content.Told() || p.contentV2.Told() || p.elements.Told() || p.files.Told()
}

// post flattens rich text: the title, then line by line. Received posts are {"title","content":[[…]]}; sent ones are
// wrapped by language, those sent as Markdown have content_v2, and posts of newer clients may hold files beside or
// instead of content.
func (d *reader) post(c decode.JSON) {
	var p postFields
	var outer decode.JSON
	if p.read(c); p.others && !p.content.Told() {
		if wrapped := c.Get("post"); wrapped.Kind() == decode.Object {
			c, p = wrapped, postFields{}
			p.read(c)
		}
	}
	if !p.some() {
		t := translation(c, func(string) bool { return true })
		if p = (postFields{}); !isPost(t) {
			d.textIssue(schemas.IssueNulled, "the post holds neither title nor content")
			d.rest(c, isPostField, lenient)
			return
		}
		outer = c
		c = t
		p.read(c)
	}
	d.optional(p.title)
	d.rows(p.contentV2, p.content, p.elements)
	if p.files.Told() {
		d.files(p.files)
	}
	if p.others {
		d.rest(c, isPostField, decode.String)
	}
	for _, v := range outer.Fields() { // objects are its translations
		if v.Kind() == decode.Array && mayHoldElement(v) {
			d.textIssue(schemas.IssueUnknownType, "elements are in a field that is not known")
			d.part(v)
		}
	}
}

// files adds the files of a post.
func (d *reader) files(files decode.JSON) {
	for i := range d.count(files) {
		file := files.At(i)
		kind := "file"
		if d.Flag(file.Get("is_folder"), "attachments.kind") {
			kind = "folder"
		}
		d.name(d.attach(kind, file.Get("file_key")), file)
	}
}

func isPostField(key string) bool {
	switch key {
	case "content", "content_v2", "elements", "files", "title":
		return true
	}
	return false
}

// rows adds the lines of a post: of the first body that has text, and the pictures of those before it. content_v2 goes before content, and elements, which is
// the word of a card, comes last.
func (d *reader) rows(bodies ...decode.JSON) {
	before := len(d.M.Attachments)
	for _, v := range bodies {
		switch v.Kind() {
		case decode.Absent, decode.Null:
			continue
		case decode.String:
			d.textIssue(schemas.IssueCoerced, "holds a string in place of an array")
			d.line(v)
			continue
		}
		size := d.Text.Len()
		shown := len(d.M.Attachments)
		for i := range d.count(v) {
			d.row(v.At(i))
		}
		d.once(before, shown)
		if d.Text.Says(size) {
			return
		}
	}
}

// once takes out attachments from number shown on that are among those from number before on: a body of nothing but
// pictures is read together with the next, which may show the same.
func (d *reader) once(before, shown int) {
	if shown == before {
		return
	}
	keys := map[string]bool{}
	for i := range d.M.Attachments[before:shown] {
		if key := d.M.Attachments[before+i].FileKey; key != nil {
			keys[*key] = true
		}
	}
	kept := d.M.Attachments[:shown]
	for _, a := range d.M.Attachments[shown:] {
		if a.FileKey != nil && keys[*a.FileKey] {
			continue
		}
		a.AttachmentNo = int64(len(kept) + 1)
		kept = append(kept, a)
	}
	d.M.Attachments = kept
}

// count gives the number of elements of an array; what is there and no array is an issue.
func (d *reader) count(v decode.JSON) int {
	if kind := v.Kind(); kind > decode.Null && kind != decode.Array {
		d.textIssue(schemas.IssueNulled, "holds "+kind.String()+" in place of an array")
	}
	return v.Len()
}

// row adds one line of elements. A line of nothing but pictures is no line of text, an empty one is.
func (d *reader) row(row decode.JSON) {
	if row.Kind() != decode.Array { // one element in place of a line of them
		d.Text.Line()
		d.element(row)
		return
	}
	due, size, attached := d.Text.Due(), d.Text.Len(), len(d.M.Attachments)
	d.Text.SetDue(due + 1)
	for i := range d.count(row) {
		d.element(row.At(i))
	}
	if d.Text.Len() == size && len(d.M.Attachments) > attached {
		d.Text.SetDue(due)
	}
}
