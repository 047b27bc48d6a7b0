package yunxin

import (
	"bytes"
	"iter"
	"strconv"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Shown lists the message objects that a page shows, or the lines of a merged file but for its header, by brackets and line
// ends alone: what a Decoder makes of them can be compared with it. A page that holds a platform error, was given up or has
// no body shows none, nor does a file that begins with neither a header nor a message.
func Shown(page *schemas.Page) iter.Seq[connectors.Item] {
	return func(yield func(connectors.Item) bool) {
		if page.Error != "" || !fine(page.Code) || len(page.Body) == 0 {
			return
		}
		var list string
		switch page.Type {
		case schemas.YunxinMessagesList:
			list = "items"
		case schemas.YunxinMessagesBatch:
			list = "success_list"
		case schemas.YunxinMergedFile:
			shownLines(page.Body, yield)
			return
		default:
			return
		}
		elements, _ := decode.SplitArray(page.Body, maxPageItems, "data", list)
		for i := range elements {
			if !yield(connectors.Item{Pointer: "/data/" + list + "/" + strconv.Itoa(i)}) {
				return
			}
		}
	}
}

func shownLines(body []byte, yield func(connectors.Item) bool) {
	body = bytes.TrimPrefix(body, []byte("\uFEFF"))
	first := true
	for n := 0; len(body) > 0; n++ {
		var line []byte
		if line, body = cutLine(body); len(line) == 0 {
			continue
		}
		if first {
			first = false
			if _, isHeader, ok := new(reader).header(line); !ok {
				return
			} else if isHeader {
				continue
			}
		}
		if !yield(connectors.Item{Pointer: linePointer(n)}) {
			return
		}
	}
}
