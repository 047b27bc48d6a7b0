package feishu

import (
	"slices"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Forms in which the platform gives a card, kept as the attribute card_mode. Which one it is depends on the
// card_msg_content_type of the request.
const (
	cardFlattened = "flattened"         // rows of simplified elements, lossy
	cardUser      = "user_card_content" // as its app built it
	cardRaw       = "raw_card_content"  // the platform's internal form, not documented
)

// card gathers title and text of a card, see
// https://open.feishu.cn/document/uAjLw4CM/ukzMukzMukzM/feishu-cards/card-json-v2-structure for schema 2.0 and
// https://open.feishu.cn/document/common-capabilities/message-card/message-cards-content/card-structure/card-content
// for the older one, which names no schema.
func (d *reader) card(c connectors.JSON) {
	if c.Get("json_card").Told() {
		d.M.Attributes.Set("card_mode", cardRaw)
		d.Issue("text", schemas.IssueUnknownType, "card is in the platform's internal form")
		return
	}
	elements := c.Get("body").Get("elements")
	if !elements.Told() {
		elements = c.Get("elements")
	}
	if !elements.Told() {
		elements = localized(c.Get("i18n_elements"))
	}
	schema := d.Str(c.Get("schema"), "attributes.card_schema")
	mode := cardUser
	if schema == "" && (elements.At(0).Kind() == connectors.Array || !c.Get("header").Told() && c.Get("title").Told()) {
		mode = cardFlattened
	} else if schema == "" {
		schema = "1.0"
	}
	d.M.Attributes.Set("card_mode", mode)
	if schema != "" {
		d.M.Attributes.Set("card_schema", schema)
	}
	d.piece(c.Get("title"))
	header := c.Get("header")
	if !header.Told() {
		header = localized(c.Get("i18n_header"))
	}
	d.piece(header.Get("title"))
	d.piece(header.Get("subtitle"))
	for e := range d.list(elements) {
		d.row(e)
	}
}

// piece adds a line of text that may be a string or an object of text.
func (d *reader) piece(v connectors.JSON) {
	if v.Told() {
		d.Text.Line()
		d.element(v)
	}
}

// parts is what elements of cards hold their text and other elements in, in the order of reading.
var parts = [...]string{
	"header", "title", "subtitle", "text", "content", "label", "fields", "placeholder", "elements", "columns", "actions",
	"options", "extra", "img_list",
}

// block adds an element that holds others: div, note, action, column_set, form, button and so on. One that holds
// nothing that is known here, and is none of the plain controls, is an issue.
func (d *reader) block(e connectors.JSON, tag string) {
	if tag == "table" {
		d.table(e)
		return
	}
	if key := e.Get("img_key"); key.Told() {
		d.image(e, "img_key")
	}
	found := false
	for _, part := range parts {
		v := e.Get(part)
		switch v.Kind() {
		case connectors.Array:
			found = true
			for x := range d.list(v) {
				d.inner(x)
			}
		case connectors.Object, connectors.String:
			found = true
			d.inner(v)
		}
	}
	if !found && tag != "" && !slices.Contains(controls[:], tag) {
		d.Issue("text", schemas.IssueUnknownType, "an element has a tag that is not known")
	}
}

// controls are elements without text of their own.
var controls = [...]string{
	"audio_player", "chart", "column", "date_picker", "img_combination", "input", "overflow", "person", "person_list",
	"picker_datetime", "picker_time", "select_person", "select_static", "multi_select_static", "multi_select_person",
	"select_img", "checker", "div", "note", "action", "button", "column_set", "form", "interactive_container",
	"collapsible_panel",
}

// inner adds an element within a block. Pieces of text of one block stand on lines of their own.
func (d *reader) inner(v connectors.JSON) {
	d.Text.Line()
	if v.Kind() == connectors.Array {
		for e := range d.list(v) {
			d.element(e)
		}
		return
	}
	d.element(v)
}

// maxColumns is the most columns of a table that are read; each is looked up in every row.
const maxColumns = 100

// table adds a table line by line, cells apart by " | ", in the order of its columns.
func (d *reader) table(e connectors.JSON) {
	columns := e.Get("columns")
	width := min(columns.Len(), maxColumns)
	d.Text.Line()
	for i := range width {
		d.cell(i, columns.At(i).Get("display_name"))
	}
	for row := range d.list(e.Get("rows")) {
		d.Text.Line()
		for i := range width {
			d.cell(i, row.Get(d.peek(columns.At(i).Get("name"))))
		}
		if d.Text.Full() {
			return
		}
	}
}

func (d *reader) cell(i int, v connectors.JSON) {
	if i > 0 {
		d.Text.Add(" | ")
	}
	d.variable(v)
}
