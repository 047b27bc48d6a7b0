package feishu

import (
	"html"
	"iter"

	"chatlake/connectors"
	"chatlake/schemas"
)

// languages is the order in which translations are tried; then comes whichever stands first.
var languages = [...]string{"zh_cn", "en_us", "ja_jp"}

// localized gives one value of an object with a value for each language.
func localized(v connectors.JSON) connectors.JSON {
	for _, lang := range languages {
		if t := v.Get(lang); t.Told() {
			return t
		}
	}
	for _, t := range v.Fields() {
		if t.Told() {
			return t
		}
	}
	return connectors.JSON{}
}

// translation gives the post of one language.
func translation(c connectors.JSON) connectors.JSON {
	if t := localized(c); t.Kind() == connectors.Object {
		return t
	}
	for _, t := range c.Fields() {
		if t.Kind() == connectors.Object {
			return t
		}
	}
	return connectors.JSON{}
}

// post flattens rich text: the title, then line by line. Received posts are {"title","content":[[…]]}; sent ones are
// wrapped by language, and posts of newer clients may hold files beside or instead of content.
func (d *reader) post(c connectors.JSON) {
	if wrapped := c.Get("post"); wrapped.Kind() == connectors.Object && !c.Get("content").Told() {
		c = wrapped
	}
	if !c.Get("content").Told() && !c.Get("title").Told() && !c.Get("files").Told() {
		if c = translation(c); !c.Told() {
			d.Issue("text", schemas.IssueNulled, "the post holds neither title nor content")
			return
		}
	}
	d.line(c.Get("title"))
	for row := range d.list(c.Get("content")) {
		d.row(row)
	}
	for file := range d.list(c.Get("files")) {
		kind := "file"
		if d.Flag(file.Get("is_folder"), "attachments.kind") {
			kind = "folder"
		}
		d.name(d.attach(kind, file.Get("file_key")), file)
	}
}

// list iterates over an array; what is there and no array is an issue.
func (d *reader) list(v connectors.JSON) iter.Seq[connectors.JSON] {
	if v.Told() && v.Kind() != connectors.Array {
		d.Issue("text", schemas.IssueNulled, "holds "+v.Kind().String()+" in place of an array")
	}
	return func(yield func(connectors.JSON) bool) {
		for i := range v.Len() {
			if !yield(v.At(i)) {
				return
			}
		}
	}
}

// row adds one line of elements. A line of nothing but pictures is no line of text, an empty one is.
func (d *reader) row(row connectors.JSON) {
	if row.Kind() != connectors.Array { // one element in place of a line of them
		d.Text.Line()
		d.element(row)
		return
	}
	due, size, attached := d.Text.Due(), d.Text.Len(), len(d.M.Attachments)
	d.Text.SetDue(due + 1)
	for e := range d.list(row) {
		d.element(e)
	}
	if d.Text.Len() == size && len(d.M.Attachments) > attached {
		d.Text.SetDue(due)
	}
}

// element adds one element of a post or card, see
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content. One with a tag that
// is not known gives the text that it has.
func (d *reader) element(e connectors.JSON) {
	if e.Kind() != connectors.Object {
		s, _ := d.word(e)
		d.Text.Add(s)
		return
	}
	switch tag := d.peek(e.Get("tag")); tag {
	case "text", "md", "code_block", "plain_text", "lark_md", "markdown":
		d.run(e)
	case "a":
		if s, _ := d.word(e.Get("text")); s != "" {
			d.Text.Add(s)
		} else {
			s, _ = d.word(e.Get("href"))
			d.Text.Add(s)
		}
	case "at":
		d.person(e)
	case "emotion":
		s, _ := d.word(e.Get("emoji_type"))
		d.Text.Add("[" + s + "]")
	case "hr":
		d.Text.Add("---")
	case "img":
		d.image(e, "image_key", "img_key")
	case "media", "video":
		d.video(e)
	case "audio":
		d.duration(d.attach("audio", e.Get("file_key")), e)
	case "file":
		d.name(d.attach("file", e.Get("file_key")), e)
	default:
		d.block(e, tag)
	}
}

// run adds a piece of text: "text" in posts, "content" in cards.
func (d *reader) run(e connectors.JSON) {
	v := e.Get("text")
	if !v.Told() {
		if v = e.Get("content"); !v.Told() {
			v = localized(e.Get("i18n"))
		}
	}
	if v.Kind() == connectors.Object {
		d.run(v)
		return
	}
	s, _ := d.word(v)
	if escaped, _ := e.Get("un_escape").Bool(); escaped {
		s = html.UnescapeString(s)
	}
	d.Text.Add(s)
}

// person adds an at element. user_id is a placeholder of mentions, or the word for everybody, or an id.
func (d *reader) person(e connectors.JSON) {
	key, _ := d.word(e.Get("user_id"))
	if key == "" {
		key, _ = d.word(e.Get("id"))
	}
	name, _ := d.word(e.Get("user_name"))
	if key == "" {
		if name != "" {
			d.Text.Add("@")
			d.Text.Add(name)
		}
		return
	}
	d.atKey(key, name)
}
