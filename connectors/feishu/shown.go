package feishu

import (
	"iter"
	"strconv"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Shown lists the message objects that a page shows, by the brackets of its body alone: what a Decoder makes of them can be
// compared with it. A page that holds a platform error, was given up or has no body shows none.
func Shown(page *schemas.Page) iter.Seq[connectors.Item] {
	return func(yield func(connectors.Item) bool) {
		if page.Error != "" || page.Code != "0" && page.Code != "" || len(page.Body) == 0 {
			return
		}
		single := page.Type == schemas.FeishuMessagesGet
		if !single && page.Type != schemas.FeishuMessagesList {
			return
		}
		var one decode.Parser
		elements, _ := decode.SplitArray(page.Body, maxPageItems, "data", "items")
		for i, raw := range elements {
			item := connectors.Item{Pointer: "/data/items/" + strconv.Itoa(i)}
			if single {
				placeItem(&item, &one, raw, page)
			}
			if !yield(item) {
				return
			}
		}
	}
}

// placeItem says where an item of an answer about one message belongs. One that cannot be read belongs nowhere.
func placeItem(item *connectors.Item, parser *decode.Parser, raw []byte, page *schemas.Page) {
	v, err := parser.Parse(raw)
	if err != nil {
		return
	}
	id, _ := v.Get("message_id").Str()
	upper, _ := v.Get("upper_message_id").Str()
	item.ID, item.Within = string([]byte(id)), string([]byte(upper)) // the parser's memory is used again
	item.Own = page.Expansion() && id != "" && id == page.Subject
}
