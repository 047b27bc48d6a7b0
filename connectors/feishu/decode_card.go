package feishu

import (
	"strings"

	"chatlake/connectors"
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
func (d *reader) card(c connectors.JSON) {
	if raw := c.Get("json_card"); raw.Told() {
		d.M.Attributes.Set("card_mode", cardRaw)
		d.textIssue(schemas.IssueUnknownType, "card is in the platform's internal form")
		d.internal = true
		d.within(raw, "json_card", d.internalCard)
		return
	}
	if dsl := c.Get("user_dsl"); dsl.Told() && d.within(dsl, "user_dsl", d.cardBody) {
		return
	}
	if data := c.Get("data"); data.Kind() == connectors.Object && !cardElements(c).Told() {
		d.reference(data)
		return
	}
	d.cardBody(c)
}

// within reads a card that is in a field of another, as a text or as an object, and reports whether it said anything.
func (d *reader) within(v connectors.JSON, field string, read func(connectors.JSON)) bool {
	if v.Kind() == connectors.String {
		inner, err := d.parseNested(d.peek(v))
		if err != nil {
			d.textIssue(schemas.IssueNulled, field+" is "+err.Error())
			return false
		}
		v = inner
	}
	if v.Kind() != connectors.Object {
		d.textIssue(schemas.IssueNulled, field+" is "+v.Kind().String()+", not an object")
		return false
	}
	size, attached := d.Text.Len(), len(d.M.Attachments)
	read(v)
	return d.Text.Len() > size || len(d.M.Attachments) > attached
}

// reference reads a card that names what it is made from: a template with variables, or an entity.
func (d *reader) reference(data connectors.JSON) {
	if data.Get("card_id").Told() {
		d.M.Attributes.Set("card_mode", cardEntity)
		d.attributes(data, "card_id")
		d.textIssue(schemas.IssueNulled, "the card is an entity, which holds its elements")
		return
	}
	if !data.Get("template_id").Told() {
		d.textIssue(schemas.IssueUnknownType, "card is in a form that is not known")
		d.inner(data)
		return
	}
	d.M.Attributes.Set("card_mode", cardTemplate)
	d.attributes(data, "template_id", "template_version_name")
	d.textIssue(schemas.IssueNulled, "the card is a template, which holds its elements; only its variables are present")
	for _, v := range data.Get("template_variable").Fields() {
		d.templateVariable(v)
	}
}

// templateVariable adds what a variable of a template says: each text on a line of its own. A picture's is its key.
func (d *reader) templateVariable(v connectors.JSON) {
	switch v.Kind() {
	case connectors.Array:
		for i := range d.count(v) {
			d.templateVariable(v.At(i))
		}
	case connectors.Object:
		if v.Get("tag").Told() {
			d.inner(v)
			return
		}
		for _, e := range v.Fields() {
			d.templateVariable(e)
		}
	case connectors.String:
		s, _ := d.word(v)
		if strings.HasPrefix(s, imageKey) && len(s) < maxKey && strings.IndexByte(s, ' ') < 0 {
			d.attachKey("image", s)
			return
		}
		d.Text.Line()
		d.markdown(s)
	case connectors.Number:
		d.Text.Line()
		d.Text.Add(string(v.AppendRaw(nil)))
	}
}

// cardElements gives the elements of a card: the first list that is not empty, else the first value.
func cardElements(c connectors.JSON) connectors.JSON {
	body := c.Get("body")
	first := body.Get("elements")
	if first.Len() > 0 {
		return first
	}
	if v := c.Get("elements"); v.Len() > 0 {
		return v
	} else if !first.Told() {
		first = v
	}
	for _, in := range [...]connectors.JSON{c, body} {
		if v := localized(in.Get("i18n_elements")); v.Len() > 0 || !first.Told() && v.Told() {
			return v
		}
	}
	return first
}

// cardBody reads a card as its app built it, the platform's simplified form of it, or one in the form of a post.
func (d *reader) cardBody(c connectors.JSON) {
	if elements := cardElements(c); !elements.Told() && !isPost(c) && !c.Get("header").Told() && !c.Get("i18n_header").Told() {
		if t := translation(c, isLanguage); isPost(t) {
			d.rest(c, func(key string) bool { return isLanguage(key) || isCardField(key) }, lenient)
			c = t
		}
	}
	elements, title, header := cardElements(c), c.Get("title"), c.Get("header")
	if !header.Told() {
		header = localized(c.Get("i18n_header"))
	}
	asPost := elements.Len() == 0 && (c.Get("content").Told() || c.Get("content_v2").Told())
	d.cardForm(c.Get("schema"), asPost || elements.At(0).Kind() == connectors.Array || !header.Told() && title.Told())
	d.piece(title)
	d.header(header)
	if asPost {
		d.rows(c.Get("content_v2"), c.Get("content"))
	} else {
		for i := range d.count(elements) {
			d.row(elements.At(i))
		}
	}
	strict := lenient
	if !elements.Told() {
		strict = connectors.Array
	}
	d.rest(c.Get("body"), isBodyField, strict)
	if strict = lenient; d.ours {
		strict = connectors.String
	}
	d.rest(c, isCardField, strict)
	if d.Text.Len() == 0 && len(d.M.Attachments) == 0 {
		d.optional(c.Get("config").Get("summary")) // the line that a list of chats shows
	}
}

// cardForm notes schema and form of a card. A schema is in what an app built alone.
func (d *reader) cardForm(schema connectors.JSON, simplified bool) {
	version, mode := d.Str(schema, "attributes.card_schema"), cardUser
	switch {
	case version == "" && simplified:
		mode = cardFlattened
	case version == "":
		version = "1.0"
	}
	d.M.Attributes.Set("card_mode", mode)
	if version != "" {
		d.M.Attributes.Set("card_schema", version)
	}
	d.ours = mode == cardFlattened
}

// internalCard reads the text of a card in the platform's internal form, which wraps each element's fields in
// property.
func (d *reader) internalCard(c connectors.JSON) {
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
func property(e connectors.JSON) connectors.JSON {
	if p := e.Get("property"); p.Kind() == connectors.Object {
		return p
	}
	return e
}

// header adds title, subtitle and tags, the tags on one line.
func (d *reader) header(h connectors.JSON) {
	if h.Told() && h.Kind() != connectors.Object {
		d.piece(h)
		return
	}
	d.piece(h.Get("title"))
	d.piece(h.Get("subtitle"))
	tags := h.Get("text_tag_list")
	if tags.Len() == 0 {
		if t := localized(h.Get("i18n_text_tag_list")); t.Told() {
			tags = t
		}
	}
	if tags.Kind() != connectors.Array {
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
	if h.Kind() == connectors.Object && !h.Get("title").Told() {
		strict = connectors.Array
	}
	d.rest(h, isHeaderField, strict)
}

// piece adds a line of text that may be a string or an object of text.
func (d *reader) piece(v connectors.JSON) {
	if v.Told() {
		d.Text.Line()
		d.element(v)
	}
}

// optional is piece for what may be empty: then no line begins.
func (d *reader) optional(v connectors.JSON) {
	if !v.Told() {
		return
	}
	due, size := d.Text.Due(), d.Text.Len()
	d.Text.Line()
	if v.Kind() == connectors.Object && !v.Get("tag").Told() {
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
const lenient = connectors.Object + 1

// rest reads what an object holds beside the fields that are known: elements in a field of another name would be lost
// without a word. Other values of the kind strict or above are worth an issue, too: where the known fields said nothing, and
// in what the platform alone writes. An app may write any field into a card.
func (d *reader) rest(c connectors.JSON, known func(key string) bool, strict connectors.Kind) {
	for key, v := range c.Fields() {
		switch {
		case known(key):
		case v.Kind() >= connectors.Array && mayHoldElement(v):
			d.textIssue(schemas.IssueUnknownType, "elements are in a field that is not known")
			d.inner(v)
		case v.Kind() >= strict && says(v):
			d.textIssue(schemas.IssueUnknownType, "a field is not known")
		}
	}
}

func mayHoldElement(v connectors.JSON) bool {
	probes := maxProbe
	return holdsElement(v, &probes)
}

// holdsElement reports whether an element is among a value and what is in it, of which no more than probes values are
// looked at.
func holdsElement(v connectors.JSON, probes *int) bool {
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
		if e.Kind() >= connectors.Array && holdsElement(e, probes) {
			return true
		}
	}
	return false
}

func isCardField(key string) bool {
	switch key {
	case "body", "card_link", "config", "content", "content_v2", "data", "elements", "fallback", "files", "header", "i18n_elements",
		"i18n_header", "schema", "title", "type", "user_dsl":
		return true
	}
	return false
}

func isBodyField(key string) bool {
	return key == "elements" || key == "i18n_elements" || isDecoration(key)
}

func isHeaderField(key string) bool {
	switch key {
	case "title", "subtitle", "text_tag_list", "i18n_text_tag_list", "i18n":
		return true
	}
	return isDecoration(key)
}
