package feishu

import (
	"chatlake/connectors/decode"
)

// The fields of an object are gathered in one pass: to look up each by its name, and most are not there, costs more than all
// else that is done with a small one. Of two equal keys the first counts.

// keepFirst sets a field unless it is set.
func keepFirst(field *decode.JSON, v decode.JSON) {
	if field.Kind() == decode.Absent {
		*field = v
	}
}

// cardFields are the fields of a card.
type cardFields struct {
	jsonCard, userDSL, data, schema, title, header, i18nHeader, body, elements, i18nElements decode.JSON
	content, contentV2, files, config                                                        decode.JSON

	others decode.Kind // the highest kind among fields that are not known
}

func (f *cardFields) read(c decode.JSON) {
	for key, v := range c.Fields() {
		if field := f.field(key); field != nil {
			keepFirst(field, v)
		} else if v.Kind() > f.others && !isCardField(key) {
			f.others = v.Kind()
		}
	}
	f.others = max(f.others, f.jsonCard.Kind()) // known in place of a card, not in it
}

func (f *cardFields) field(key string) *decode.JSON {
	switch key {
	case "json_card":
		return &f.jsonCard
	case "user_dsl":
		return &f.userDSL
	case "data":
		return &f.data
	case "schema":
		return &f.schema
	case "title":
		return &f.title
	case "header":
		return &f.header
	case "i18n_header":
		return &f.i18nHeader
	case "body":
		return &f.body
	case "elements":
		return &f.elements
	case "i18n_elements":
		return &f.i18nElements
	case "content":
		return &f.content
	case "content_v2":
		return &f.contentV2
	case "files":
		return &f.files
	case "config":
		return &f.config
	}
	return nil
}

func isCardField(key string) bool {
	switch key {
	case "body", "card_link", "config", "content", "content_v2", "data", "elements", "fallback", "files", "header", "i18n_elements",
		"i18n_header", "schema", "title", "type", "user_dsl":
		return true
	}
	return false
}

// list gives the elements of a card: the first list that is not empty, else the first value.
func (f *cardFields) list() decode.JSON {
	first := f.body.Get("elements")
	if first.Len() > 0 {
		return first
	}
	if f.elements.Len() > 0 {
		return f.elements
	} else if !first.Told() {
		first = f.elements
	}
	for _, v := range [...]decode.JSON{f.i18nElements, f.body.Get("i18n_elements")} {
		if v = localized(v); v.Len() > 0 || !first.Told() && v.Told() {
			return v
		}
	}
	return first
}

// isPost reports whether it has any of the fields of a post.
func (f *cardFields) isPost() bool {
	return f.title.Told() || f.content.Told() || f.contentV2.Told() || f.elements.Told() || f.files.Told()
}

// headerFields are the fields of a card's header.
type headerFields struct {
	title, subtitle, i18n, tags, i18nTags decode.JSON

	others decode.Kind // the highest kind among fields that are not known
}

func (f *headerFields) read(h decode.JSON) {
	for key, v := range h.Fields() {
		switch key {
		case "title":
			keepFirst(&f.title, v)
		case "subtitle":
			keepFirst(&f.subtitle, v)
		case "text_tag_list":
			keepFirst(&f.tags, v)
		case "i18n":
			keepFirst(&f.i18n, v)
		case "i18n_text_tag_list":
			keepFirst(&f.i18nTags, v)
		default:
			if v.Kind() > f.others && !isHeaderField(key) {
				f.others = v.Kind()
			}
		}
	}
}

func isHeaderField(key string) bool {
	switch key {
	case "title", "subtitle", "text_tag_list", "i18n_text_tag_list", "i18n":
		return true
	}
	return isDecoration(key)
}

// imageFields are the fields of an element that is a picture.
type imageFields struct {
	imageKey, imgKey, imageID, i18nKey, width, height, title, alt decode.JSON

	others decode.Kind // the highest kind among fields that are not known
}

func (f *imageFields) read(e decode.JSON) {
	for key, v := range e.Fields() {
		if field := f.field(key); field != nil {
			keepFirst(field, v)
		}
		if v.Kind() > f.others && !isImageField(key) {
			f.others = v.Kind()
		}
	}
}

func isImageField(key string) bool {
	var f imageFields
	return f.field(key) != nil || isDecoration(key)
}

func (f *imageFields) field(key string) *decode.JSON {
	switch key {
	case "image_key":
		return &f.imageKey
	case "img_key":
		return &f.imgKey
	case "imageID":
		return &f.imageID
	case "i18n_img_key":
		return &f.i18nKey
	case "width":
		return &f.width
	case "height":
		return &f.height
	case "title":
		return &f.title
	case "alt":
		return &f.alt
	}
	return nil
}

// key gives the picture's key: that of the first field that is present.
func (f *imageFields) key() decode.JSON {
	key := f.imageKey
	for _, v := range [...]decode.JSON{f.imgKey, f.imageID, f.i18nKey} {
		if key.Told() {
			break
		}
		key = v
	}
	if key.Kind() == decode.Object {
		return localized(key)
	}
	return key
}

// personKeys is how many fields personKey knows.
const personKeys = 7

// personKey gives the place, in the order of reading, of a field that names somebody or several by ids; -1 for any other.
func personKey(key string) int {
	switch key {
	case "user_id":
		return 0
	case "id":
		return 1
	case "ids":
		return 2
	case "user_ids":
		return 3
	case "open_id":
		return 4
	case "userID":
		return 5
	case "email":
		return 6
	}
	return -1
}

// personFields are the fields of an element that names somebody.
type personFields struct {
	userName, name decode.JSON
	ids            [personKeys]decode.JSON

	others decode.Kind // the highest kind among fields that are not known
}

func (f *personFields) read(e decode.JSON) {
	for key, v := range e.Fields() {
		switch i := personKey(key); {
		case i >= 0:
			keepFirst(&f.ids[i], v)
		case key == "user_name":
			keepFirst(&f.userName, v)
		case key == "name":
			keepFirst(&f.name, v)
		case v.Kind() > f.others && !isDecoration(key):
			f.others = v.Kind()
		}
	}
}

func isPersonField(key string) bool {
	return personKey(key) >= 0 || key == "user_name" || key == "name" || isDecoration(key)
}
