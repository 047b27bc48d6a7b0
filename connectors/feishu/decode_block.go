package feishu

import (
	"math/bits"
	"slices"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// partCount is how many fields partOf knows.
const partCount = 23

// partOf gives the place, in the order of reading, of a field that elements of cards hold their text and other elements in;
// -1 for any other.
func partOf(key string) int {
	switch key {
	case "header":
		return 0
	case "title":
		return 1
	case "subtitle":
		return 2
	case "text_tag_list":
		return 3
	case "label":
		return 4
	case "text":
		return 5
	case "content":
		return 6
	case "fields":
		return 7
	case "placeholder":
		return 8
	case "default_value":
		return 9
	case "initial_date":
		return 10
	case "initial_time":
		return 11
	case "initial_datetime":
		return 12
	case "elements":
		return 13
	case "columns":
		return 14
	case "actions":
		return 15
	case "options":
		return 16
	case "extra":
		return 17
	case "img_list":
		return 18
	case "imgList":
		return 19
	case "items":
		return 20
	case "contents":
		return 21
	case "persons":
		return 22
	}
	return -1
}

// isDecoration reports whether a field holds elements that are no part of what a card says: icons, and what opens only
// when somebody points at or presses the element.
func isDecoration(key string) bool {
	switch key {
	case "action", "background", "behaviors", "confirm", "disabled_tips", "disabledTips", "fallback", "hover_tips", "hoverTips", "icon", "tag",
		"ud_icon", "value":
		return true
	}
	return false
}

// isBlock reports whether a tag is that of an element that holds others, or of a control.
func isBlock(tag string) bool {
	switch tag {
	case "", "action", "actions", "blockquote", "button", "checker", "collapsible_panel", "column", "column_set", "date_picker", "div",
		"fallback_text", "form", "heading", "img_combination", "input", "interactive_container", "list", "multi_select_person",
		"multi_select_static", "note", "option", "overflow", "picker_datetime", "picker_time", "repeat", "select_img", "select_person",
		"select_static":
		return true
	}
	return false
}

// block adds an element that holds others: div, note, action, column_set, form, button and so on.
func (d *reader) block(e decode.JSON, tag string) {
	if !isBlock(tag) {
		d.textIssue(schemas.IssueUnknownType, "an element has a tag that is not known")
	}
	var parts [partCount]decode.JSON
	var present uint32 // a bit for each of parts
	silent, others := true, decode.Absent
	for key, v := range e.Fields() {
		switch i := partOf(key); {
		case i >= 0 && parts[i].Kind() == decode.Absent:
			parts[i], silent = v, silent && !v.Told()
			present |= 1 << i
		case key == "img_key" && v.Told():
			silent = false
			var f imageFields
			f.read(e)
			d.image(&f)
			d.optional(f.alt)
		case key == "i18n_content" && !says(e.Get("content")):
			if t := localized(v); t.Told() {
				d.inner(t)
			}
		case v.Kind() > others && key != "tag" && !isBlockField(key):
			others = v.Kind()
		}
	}
	for ; present != 0; present &= present - 1 {
		d.part(parts[bits.TrailingZeros32(present)])
	}
	if tag == "select_person" || tag == "multi_select_person" {
		d.chosen(e)
	}
	d.restOf(e, others, isBlockField, d.strictness(tag, silent))
}

// chosen adds the people that a control is preset to.
func (d *reader) chosen(e decode.JSON) {
	for _, key := range [...]string{"initial_option", "selected_values"} {
		if v := e.Get(key); says(v) {
			d.Text.Line()
			d.persons(v)
		}
	}
}

// part adds what a field of a block holds.
func (d *reader) part(v decode.JSON) {
	switch v.Kind() {
	case decode.Absent, decode.Null:
	case decode.Array:
		for i := range d.count(v) {
			d.inner(v.At(i))
		}
	case decode.String:
		d.Text.Line()
		s, _ := d.word(v)
		if !d.notice(s) {
			d.markdown(s)
		}
	default:
		d.inner(v)
	}
}

// strictness gives how rest is to look at what a block holds beside its parts. silent says that it has none.
func (d *reader) strictness(tag string, silent bool) decode.Kind {
	switch {
	case silent && tag == "":
		return decode.String
	case silent || d.ours:
		return decode.Array
	}
	return lenient
}

func isBlockField(key string) bool {
	return partOf(key) >= 0 || isDecoration(key) || key == "alt" || key == "i18n_content" || key == "img_key" || key == "initial_option" || key == "selected_values"
}

// inner adds an element within a block. Pieces of text of one block stand on lines of their own.
func (d *reader) inner(v decode.JSON) {
	d.Text.Line()
	if v.Kind() == decode.Array {
		for i := range d.count(v) {
			d.element(v.At(i))
		}
		return
	}
	d.element(v)
}

// maxColumns is the most columns of a table that are read; each is looked up in every row.
const maxColumns = 100

// table adds a table line by line, cells apart by " | ", in the order of its columns.
func (d *reader) table(e decode.JSON) {
	columns, rows := e.Get("columns"), e.Get("rows")
	width := min(columns.Len(), maxColumns)
	if columns.Len() > maxColumns {
		d.textIssue(schemas.IssueTruncated, "a table has more than 100 columns")
	}
	if columns.Kind() != decode.Array || rows.Kind() != decode.Array {
		d.textIssue(schemas.IssueNulled, "a table holds no columns or no rows")
	}
	d.Text.Line()
	var found [maxColumns]bool
	for i := range width {
		d.separate(i)
		d.columnName(columns.At(i))
	}
	for i := range rows.Len() {
		d.Text.Line()
		if width == 0 {
			d.looseRow(rows.At(i))
		}
		for n := range width {
			column := columns.At(n)
			d.separate(n)
			cell := rows.At(i).Get(d.peek(column.Get("name")))
			found[n] = found[n] || cell.Kind() != decode.Absent
			d.cell(cell, d.peek(column.Get("data_type")))
		}
		if d.Text.Full() {
			return
		}
	}
	if rows.Len() > 0 && slices.Contains(found[:width], false) {
		d.textIssue(schemas.IssueNulled, "a column of a table has no cells")
	}
	d.rest(e, isTableField, lenient)
}

func isTableField(key string) bool {
	return key == "columns" || key == "rows" || key == "header_style" || isDecoration(key)
}

// looseRow adds a row whose columns are not known, in its own order.
func (d *reader) looseRow(row decode.JSON) {
	n := 0
	for _, v := range row.Fields() {
		d.separate(n)
		d.cell(v, "")
		n++
	}
}

func (d *reader) separate(i int) {
	if i > 0 {
		d.Text.Add(" | ")
	}
}

func (d *reader) columnName(column decode.JSON) {
	v := column.Get("display_name")
	if !v.Told() {
		v = column.Get("displayName")
	}
	if !v.Told() && !column.Get("name").Told() {
		d.textIssue(schemas.IssueNulled, "a column of a table has no name")
	}
	d.variable(v)
}

// cell adds a cell by the type of its column: people as @name, an instant as a person can read it, Markdown and text.
func (d *reader) cell(v decode.JSON, dataType string) {
	if data := v.Get("data"); data.Told() {
		v = data
	}
	switch s, text := v.Str(); {
	case dataType == "persons" && v.Told():
		d.persons(v)
	case dataType == "date" && isInstant(v):
		ms, _ := v.Int()
		d.Text.Add(instantText(ms))
	case text:
		d.markdown(d.Valid(s, "text"))
	case v.Get("tag").Told():
		d.element(v)
	default:
		d.variable(v)
	}
}

// isInstant reports whether a value is an instant in milliseconds, as a number or as digits.
func isInstant(v decode.JSON) bool {
	ms, ok := v.Int()
	at := schemas.Millis(ms)
	return ok && at >= decode.MinTime && at < decode.MaxTime
}
