package yunxin

import (
	"strconv"

	"chatlake/connectors/api"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// entry is one message of a response, as far as reading on needs it; what it says is for the decoder. One that is no object,
// or lacks a field, has zero fields: it is counted and passed on.
type entry struct {
	id      string // decimal
	created schemas.Millis
	files   []string // URLs of its merged files
}

// listing is one page of a history.
type listing struct {
	items []entry
	token string
	more  bool
}

// readListing reads a body whose code is 200. It reports false where the body does not say whether there is more.
func readListing(body []byte) (l listing, ok bool) {
	p := decode.Borrow()
	defer p.Return()
	v, err := p.Parse(body)
	data := v.Get("data")
	if err != nil {
		return listing{}, false
	}
	if l.token, l.more, ok = api.Paging(data, "next_token"); !ok {
		return listing{}, false
	}
	l.items = entriesOf(data.Get("items"))
	return l, true
}

func entriesOf(list decode.JSON) []entry {
	items := make([]entry, list.Len())
	for i := range items {
		v := list.At(i)
		items[i] = entry{id: v.Get("message_server_id").Word(), files: mergedFiles(v.Get("message_type"), v.Get("attachment"))}
		if ms, ok := v.Get("create_time").Int(); ok && ms > 0 {
			items[i].created = schemas.Millis(ms)
		}
	}
	return items
}

// filesOf gives the merged files that messages point to.
func filesOf(items []entry) []fileRef {
	var refs []fileRef
	for i := range items {
		for _, address := range items[i].files {
			if items[i].id != "" {
				refs = append(refs, fileRef{items[i].id, address})
			}
		}
	}
	return refs
}

// answers is what a batch response says of the messages that were asked for.
type answers struct {
	items []entry         // what it shows
	shown map[string]bool // their ids
	// failed are codes by id, and places where they stand.
	failed map[string]int64
	places map[string]string
}

// readBatch reads a body whose code is 200. A list that is absent, null or none is empty.
func readBatch(body []byte) answers {
	p := decode.Borrow()
	defer p.Return()
	v, _ := p.Parse(body) // the call has parsed it before
	data := v.Get("data")
	a := answers{
		items: entriesOf(data.Get("success_list")), shown: map[string]bool{}, failed: map[string]int64{}, places: map[string]string{},
	}
	for i := range a.items {
		a.shown[a.items[i].id] = true
	}
	list := data.Get("failed_list")
	for i := range list.Len() {
		item := list.At(i)
		id := item.Get("message_server_id").Word()
		code, ok := item.Get("error_code").Int()
		if id == "" || !ok || a.places[id] != "" {
			continue
		}
		a.failed[id], a.places[id] = code, "/data/failed_list/"+strconv.Itoa(i)
	}
	return a
}

// isID reports whether s is an id of a message: a 64-bit number above 0 in its only spelling.
func isID(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n > 0 && strconv.FormatInt(n, 10) == s
}
