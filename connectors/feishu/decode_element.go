package feishu

import (
	"html"
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// element adds one element of a post or card, see
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content for posts and
// https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-components/component-json-v2-overview for
// cards. One with a tag that is not known gives the text that it has, with an issue.
func (d *reader) element(e decode.JSON) {
	switch e.Kind() {
	case decode.Object:
	case decode.Array:
		d.textIssue(schemas.IssueCoerced, "holds an array in place of an element")
		for i := range d.count(e) {
			d.element(e.At(i))
		}
		return
	default:
		if s, _ := d.word(e); !d.notice(s) {
			d.say(s)
		}
		return
	}
	tag := d.peek(e.Get("tag"))
	if d.internal {
		e = property(e)
	}
	switch tag {
	case "text", "plain_text", "code_block", "code_span":
		d.words(e, false)
	case "md", "lark_md", "markdown", "markdown_v1":
		d.words(e, true)
	case "a", "link":
		d.hyperlink(e)
	case "at", "person", "person_v1", "avatar":
		d.person(e)
	case "at_all":
		d.atKey(everyone, "")
	case "person_list":
		d.persons(e.Get("persons"))
	case "text_tag", "number_tag":
		d.words(e, false)
	case "emotion", "emoji":
		d.emotion(e)
	case "hr":
		d.Text.Add("---")
	case "br":
		d.Text.Add("\n")
	default:
		d.media(e, tag)
	}
}

// media adds an element that is a picture, a sound, a file or a drawing, or a block.
func (d *reader) media(e decode.JSON, tag string) {
	switch tag {
	case "img", "image":
		var f imageFields
		f.read(e)
		d.optional(f.title)
		d.image(&f)
		d.optional(f.alt)
		d.restOf(e, f.others, isImageField, lenient)
	case "media", "video":
		d.video(e)
		d.rest(e, isDecoration, lenient)
	case "audio", "audio_player":
		d.duration(d.attach("audio", e.Get("file_key")), e)
		d.rest(e, isDecoration, lenient)
	case "file":
		d.name(d.attach("file", e.Get("file_key")), e)
		d.rest(e, isDecoration, lenient)
	case "table":
		d.table(e)
	case "chart":
		d.chart(e)
	case "standard_icon", "custom_icon":
	default:
		d.block(e, tag)
	}
}

// words adds a piece of text: "text" in posts, "content" in cards, else that of a language.
func (d *reader) words(e decode.JSON, markdown bool) {
	v, present, beside := ownContent(e)
	d.wordsOf(e, v, present, markdown)
	if beside && !d.internal { // the platform's internal form has the same twice
		d.rest(e, isTextField, lenient)
	}
}

// wordsOf is words for an element whose text has been found.
func (d *reader) wordsOf(e, v decode.JSON, present, markdown bool) {
	switch v.Kind() {
	case decode.Object:
		if v.Get("tag").Told() {
			d.element(v)
		} else {
			d.words(v, markdown)
		}
		return
	case decode.Array:
		for i := range d.count(v) {
			d.element(v.At(i))
		}
		return
	}
	if !present {
		d.textIssue(schemas.IssueNulled, "an element holds no text")
	}
	s, _ := d.word(v)
	if strings.IndexByte(s, '&') >= 0 {
		if escaped, _ := e.Get("un_escape").Flag(); escaped {
			s = html.UnescapeString(s)
		}
	}
	switch {
	case d.notice(s):
	case markdown:
		d.markdown(s)
	default:
		d.say(s)
	}
}

// isTextField reports whether a field of a piece of text holds no further elements.
func isTextField(key string) bool {
	switch key {
	case "text", "content", "style", "href", "i18n", "i18n_content", "i18nContent":
		return true
	}
	return isDecoration(key)
}

// ownContent gives the text of an element, the first that is not empty, whether there is any, and whether there may be
// elements beside it.
func ownContent(e decode.JSON) (v decode.JSON, present, beside bool) {
	var text, content decode.JSON
	others := false
	for key, v := range e.Fields() {
		switch key {
		case "text":
			keepFirst(&text, v)
		case "content":
			keepFirst(&content, v)
		default:
			others = others || key != "tag"
			beside = beside || v.Kind() >= decode.Array && !isTextField(key)
		}
	}
	switch {
	case says(text):
		return text, true, beside
	case says(content):
		return content, true, beside
	case !others:
		return v, text.Told() || content.Told(), false
	}
	for _, key := range [...]string{"i18n_content", "i18n", "i18nContent", "elements", "contents"} {
		v = e.Get(key)
		if key[0] == 'i' {
			v = localized(v)
		}
		if says(v) {
			return v, true, false
		}
	}
	return decode.JSON{}, text.Told() || content.Told(), beside
}

// says reports whether a value is there and not empty.
func says(v decode.JSON) bool {
	if s, ok := v.Str(); ok {
		return s != ""
	}
	return v.Told() && (v.Kind() != decode.Array || v.Len() > 0)
}

// hyperlink adds the text of a link, else its address.
func (d *reader) hyperlink(e decode.JSON) {
	if !e.Get("text").Told() && !e.Get("content").Told() {
		d.textIssue(schemas.IssueNulled, "an element holds no text")
	}
	for _, key := range [...]string{"text", "content", "href", "url"} {
		if v := e.Get(key); says(v) {
			if v.Kind() == decode.Object {
				d.words(v, false)
				return
			}
			if s, _ := d.word(v); !d.notice(s) {
				d.say(s)
			}
			return
		}
	}
}

func (d *reader) emotion(e decode.JSON) {
	v := e.Get("emoji_type")
	if !v.Told() {
		v = e.Get("key")
	}
	if !v.Told() {
		d.textIssue(schemas.IssueNulled, "an element holds no text")
	}
	if s, _ := d.word(v); s != "" {
		d.Text.Add("[" + s + "]")
	}
}

// person adds an element that names somebody: by a placeholder of mentions, the word for everybody, an id or several.
func (d *reader) person(e decode.JSON) {
	var f personFields
	f.read(e)
	d.whoIs(&f)
	if !d.internal {
		d.restOf(e, f.others, isPersonField, lenient)
	}
}

// whoIs is person for an element whose fields have been read.
func (d *reader) whoIs(f *personFields) {
	name, _ := d.word(f.userName)
	if name == "" {
		name, _ = d.word(f.name)
	}
	for _, v := range f.ids {
		if !says(v) {
			continue
		}
		if v.Len() == 1 {
			v = v.At(0)
		}
		if v.Kind() == decode.Array {
			if name != "" {
				d.textIssue(schemas.IssueNulled, "one name is that of several people")
			}
			d.persons(v)
			return
		}
		s, _ := d.word(v)
		d.named(s, name)
		return
	}
	if name == "" {
		d.textIssue(schemas.IssueNulled, "an element names nobody")
	}
	d.atKey("", name)
}

// persons adds a list of people: ids, or objects with them. A single one may take its place.
func (d *reader) persons(v decode.JSON) {
	switch v.Kind() {
	case decode.Array:
		for i := range v.Len() {
			if i > 0 {
				d.Text.Add(" ")
			}
			d.persons(v.At(i))
			if d.Text.Full() {
				return
			}
		}
	case decode.Object:
		d.person(v)
	case decode.Absent, decode.Null:
		d.textIssue(schemas.IssueNulled, "an element names nobody")
	default:
		s, _ := d.word(v)
		d.named(s, "")
	}
}

// chart adds what is written above a chart. Its data are the drawing.
func (d *reader) chart(e decode.JSON) {
	spec := e.Get("chart_spec")
	if !spec.Told() {
		spec = e.Get("chartSpec")
	}
	if spec.Kind() == decode.String {
		if inner, err := d.parseNested(d.peek(spec)); err == nil {
			spec = inner
		}
	}
	if spec.Kind() != decode.Object {
		d.textIssue(schemas.IssueNulled, "a chart holds "+spec.Kind().String()+" in place of an object")
	}
	for _, title := range [...]decode.JSON{e.Get("title"), spec.Get("title")} {
		d.chartTitle(title)
	}
	if !d.internal {
		d.rest(e, isChartField, lenient)
	}
}

func isChartField(key string) bool {
	return key == "chart_spec" || key == "chartSpec" || key == "title" || isDecoration(key)
}

func (d *reader) chartTitle(v decode.JSON) {
	switch v.Kind() {
	case decode.Object:
		for _, key := range [...]string{"text", "subtext", "content"} {
			if t := v.Get(key); says(t) {
				d.Text.Line()
				d.variable(t)
			}
		}
	case decode.Array:
		for i := range d.count(v) {
			d.chartTitle(v.At(i))
		}
	default:
		d.line(v)
	}
}
