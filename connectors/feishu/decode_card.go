package feishu

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Forms in which the platform gives a card, kept as the attribute card_mode. Which one it is depends on the
// card_msg_content_type of the request, and on how the card was sent.
const (
	cardFlattened = "flattened"         // rows of simplified elements, lossy
	cardUser      = "user_card_content" // as its app built it
	cardRaw       = "raw_card_content"  // the platform's internal form, not documented
	cardTemplate  = "template"          // a template's id and its variables, without elements
	cardEntity    = "entity"            // a card's id, without elements
)

// card gathers title and text of a card, see
// https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-structure for schema 2.0 and
// https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-structure for the older one, which names no
// schema. docs/formats/feishu.md lists the forms and elements.
func (d *reader) card(c decode.JSON) {
	var f cardFields
	f.read(c)
	if f.jsonCard.Told() {
		d.Attribute("card_mode", cardRaw)
		d.textIssue(schemas.IssueUnknownType, "card is in the platform's internal form")
		d.internal = true
		d.within(f.jsonCard, "json_card", d.internalCard)
		return
	}
	if f.userDSL.Told() && d.within(f.userDSL, "user_dsl", d.cardBody) {
		return
	}
	if f.data.Told() && f.list().Len() == 0 && f.content.Len() == 0 && f.contentV2.Len() == 0 {
		d.header(f.header)
		d.within(f.data, "data", d.reference)
		return
	}
	d.cardParts(c, &f)
}

// within reads a card that is in a field of another, as a text or as an object, and reports whether it said anything.
func (d *reader) within(v decode.JSON, field string, read func(decode.JSON)) bool {
	if v.Kind() == decode.String {
		inner, err := d.parseNested(d.peek(v))
		if err != nil {
			d.textIssue(schemas.IssueNulled, field+" is "+err.Error())
			return false
		}
		v = inner
	}
	if v.Kind() != decode.Object {
		d.textIssue(schemas.IssueNulled, field+" is "+v.Kind().String()+", not an object")
		return false
	}
	size, attached := d.Text.Len(), len(d.M.Attachments)
	read(v)
	return d.Text.Len() > size || len(d.M.Attachments) > attached
}

// reference reads a card that names what it is made from: a template with variables, or an entity.
func (d *reader) reference(data decode.JSON) {
	if data.Get("card_id").Told() {
		d.Attribute("card_mode", cardEntity)
		d.attributes(data, "attributes.card_id")
		d.textIssue(schemas.IssueNulled, "the card is an entity, which holds its elements")
		d.rest(data, isDecoration, lenient)
		return
	}
	if !data.Get("template_id").Told() {
		d.textIssue(schemas.IssueUnknownType, "card is in a form that is not known")
		d.inner(data)
		return
	}
	d.Attribute("card_mode", cardTemplate)
	d.attributes(data, "attributes.template_id", "attributes.template_version_name")
	d.textIssue(schemas.IssueNulled, "the card is a template, which holds its elements; only its variables are present")
	for _, v := range data.Get("template_variable").Fields() {
		d.templateVariable(v)
	}
}

// templateVariable adds what a variable of a template says: each text on a line of its own. A picture's is its key.
func (d *reader) templateVariable(v decode.JSON) {
	switch v.Kind() {
	case decode.Array:
		for i := range d.count(v) {
			d.templateVariable(v.At(i))
		}
	case decode.Object:
		if v.Get("tag").Told() {
			d.inner(v)
			return
		}
		for _, e := range v.Fields() {
			d.templateVariable(e)
		}
	case decode.String:
		s, _ := d.word(v)
		if strings.HasPrefix(s, imageKey) && len(s) < maxKey && strings.IndexByte(s, ' ') < 0 {
			d.attachKey("image", s)
			return
		}
		d.Text.Line()
		d.markdown(s)
	case decode.Number:
		d.Text.Line()
		d.Text.Add(string(v.AppendRaw(nil)))
	}
}

// cardBody reads a card as its app built it, the platform's simplified form of it, or one in the form of a post.
func (d *reader) cardBody(c decode.JSON) {
	var f cardFields
	f.read(c)
	if f.userDSL.Told() && d.within(f.userDSL, "user_dsl", d.cardBody) {
		return
	}
	d.cardParts(c, &f)
}

// cardParts is cardBody for a card whose fields have been read.
func (d *reader) cardParts(c decode.JSON, f *cardFields) {
	elements := f.list()
	if !elements.Told() && !f.isPost() && !f.header.Told() && !f.i18nHeader.Told() {
		if t := translation(c, isLanguage); isPost(t) {
			d.rest(c, func(key string) bool { return isLanguage(key) || isCardField(key) }, lenient)
			c, *f = t, cardFields{}
			f.read(c)
			elements = f.list()
		}
	}
	header := f.header
	if !header.Told() {
		header = localized(f.i18nHeader)
	}
	asPost := elements.Len() == 0 && (f.content.Told() || f.contentV2.Told())
	d.cardForm(f.schema, asPost || elements.At(0).Kind() == decode.Array || !header.Told() && f.title.Told())
	d.piece(f.title)
	size := d.Text.Len()
	if d.header(header); d.Text.Len() == size && f.header.Told() {
		d.header(localized(f.i18nHeader))
	}
	if asPost {
		d.rows(f.contentV2, f.content)
	} else {
		for i := range d.count(elements) {
			d.row(elements.At(i))
		}
		d.beside(f, elements)
	}
	if f.files.Told() {
		d.files(f.files)
	}
	strict := lenient
	if !elements.Told() {
		strict = decode.Array
	}
	d.rest(f.body, isBodyField, strict)
	if strict = lenient; d.ours {
		strict = decode.String
	}
	d.restOf(c, f.others, isCardField, strict)
	if d.Text.Len() == 0 && len(d.M.Attachments) == 0 {
		d.optional(f.config.Get("summary")) // the line that a list of chats shows
	}
}

// beside reads what a card holds beside its elements in places where others have theirs.
func (d *reader) beside(f *cardFields, elements decode.JSON) {
	if elements.Len() > 0 && f.body.Get("elements").Len() > 0 && f.elements.Len() > 0 {
		d.textIssue(schemas.IssueUnknownType, "a card holds two lists of elements")
		d.rows(f.elements)
	}
	if f.contentV2.Len() > 0 || f.content.Len() > 0 {
		d.textIssue(schemas.IssueUnknownType, "a card holds content beside its elements")
		d.rows(f.contentV2, f.content)
	}
	switch f.body.Kind() {
	case decode.Absent, decode.Null, decode.Object:
	default:
		d.textIssue(schemas.IssueCoerced, "body is "+f.body.Kind().String()+", not an object")
		d.piece(f.body)
	}
}

// cardForm notes schema and form of a card. A schema is in what an app built alone.
func (d *reader) cardForm(schema decode.JSON, simplified bool) {
	version, mode := d.Str(schema, "attributes.card_schema"), cardUser
	switch {
	case version == "" && simplified:
		mode = cardFlattened
	case version == "":
		version = "1.0"
	}
	d.Attribute("card_mode", mode)
	if version != "" {
		d.Attribute("card_schema", version)
	}
	d.ours = mode == cardFlattened
}

// internalCard reads the text of a card in the platform's internal form, which wraps each element's fields in
// property.
func (d *reader) internalCard(c decode.JSON) {
	d.header(property(c.Get("header")))
	body := property(c.Get("body"))
	elements := body.Get("elements")
	if !elements.Told() {
		elements = c.Get("elements")
	}
	for i := range d.count(elements) {
		d.row(elements.At(i))
	}
	d.optional(c.Get("footer"))
}

// property gives the fields of an element in the platform's internal form.
func property(e decode.JSON) decode.JSON {
	if p := e.Get("property"); p.Kind() == decode.Object {
		return p
	}
	return e
}

// header adds title, subtitle and tags, the tags on one line.
func (d *reader) header(h decode.JSON) {
	if h.Told() && h.Kind() != decode.Object {
		d.piece(h)
		return
	}
	var f headerFields
	f.read(h)
	size := d.Text.Len()
	if d.piece(f.title); d.Text.Len() == size && f.i18n.Told() {
		d.piece(localized(f.i18n))
	}
	d.piece(f.subtitle)
	tags := f.tags
	if tags.Len() == 0 {
		if t := localized(f.i18nTags); t.Told() {
			tags = t
		}
	}
	if tags.Kind() != decode.Array {
		d.optional(tags)
	}
	for i := range tags.Len() {
		if i == 0 {
			d.Text.Line()
		} else {
			d.Text.Add(" ")
		}
		d.element(tags.At(i))
	}
	strict := lenient
	if h.Kind() == decode.Object && !f.title.Told() {
		strict = decode.Array
	}
	d.restOf(h, f.others, isHeaderField, strict)
}

// piece adds a line of text that may be a string or an object of text.
func (d *reader) piece(v decode.JSON) {
	if v.Told() {
		d.Text.Line()
		d.element(v)
	}
}

// optional is piece for what may be empty: then no line begins.
func (d *reader) optional(v decode.JSON) {
	if !v.Told() {
		return
	}
	due, size := d.Text.Due(), d.Text.Len()
	d.Text.Line()
	if v.Kind() == decode.Object && !v.Get("tag").Told() {
		d.words(v, false)
	} else {
		d.element(v)
	}
	if d.Text.Len() == size {
		d.Text.SetDue(due)
	}
}

// maxProbe is the most values within one that are looked at for elements.
const maxProbe = 128

// lenient is a kind above all others, see rest.
const lenient = decode.Object + 1

// rest reads what an object holds beside the fields that are known: elements in a field of another name would be lost
// without a word. Other values of the kind strict or above are worth an issue, too: where the known fields said nothing, and
// in what the platform alone writes. An app may write any field into a card.
func (d *reader) rest(c decode.JSON, known func(key string) bool, strict decode.Kind) {
	for key, v := range c.Fields() {
		switch {
		case known(key):
		case v.Kind() >= decode.Array && mayHoldElement(v):
			d.textIssue(schemas.IssueUnknownType, "elements are in a field that is not known")
			d.inner(v)
		case v.Kind() >= strict && says(v):
			d.textIssue(schemas.IssueUnknownType, "a field is not known")
		}
	}
}

// restOf is rest for an object of which others is the highest kind among the fields that are not known: mostly it says that
// there is nothing to read.
func (d *reader) restOf(c decode.JSON, others decode.Kind, known func(key string) bool, strict decode.Kind) {
	if others >= min(strict, decode.Array) {
		d.rest(c, known, strict)
	}
}

func mayHoldElement(v decode.JSON) bool {
	probes := maxProbe
	return holdsElement(v, &probes)
}

// holdsElement reports whether an element is among a value and what is in it, of which no more than probes values are
// looked at.
func holdsElement(v decode.JSON, probes *int) bool {
	if *probes--; *probes < 0 {
		return false
	}
	for _, key := range [...]string{"tag", "content", "text"} {
		if _, ok := v.Get(key).Str(); ok {
			return true
		}
	}
	for i := 0; i < v.Len() && *probes > 0; i++ {
		if holdsElement(v.At(i), probes) {
			return true
		}
	}
	for _, e := range v.Fields() {
		if *probes <= 0 {
			break
		}
		if e.Kind() >= decode.Array && holdsElement(e, probes) {
			return true
		}
	}
	return false
}

func isBodyField(key string) bool {
	return key == "elements" || key == "i18n_elements" || isDecoration(key)
}
