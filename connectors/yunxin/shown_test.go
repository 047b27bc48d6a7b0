package yunxin_test

import (
	"strings"
	"testing"

	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// TestShownListsItemsAndLines of whole and of broken pages, and of files but for their headers.
func TestShownListsItemsAndLines(t *testing.T) {
	for name, tt := range map[string]struct {
		page schemas.Page
		want string
	}{
		"list":      {schemas.Page{Type: schemas.YunxinMessagesList, Code: "200", Body: []byte(`{"code":200,"data":{"items":[{},7]}}`)}, "/data/items/0 /data/items/1"},
		"broken":    {schemas.Page{Type: schemas.YunxinMessagesList, Body: []byte(`{"data":{"items":[{"a":nope},{"cut`)}, "/data/items/0 /data/items/1"},
		"batch":     {schemas.Page{Type: schemas.YunxinMessagesBatch, Body: []byte(`{"code":200,"data":{"success_list":[{}],"failed_list":[{}]}}`)}, "/data/success_list/0"},
		"error":     {schemas.Page{Type: schemas.YunxinMessagesBatch, Code: "414", Body: []byte(`{"data":{"success_list":[{}]}}`)}, ""},
		"file":      {schemas.Page{Type: schemas.YunxinMergedFile, Code: "0", Body: []byte("\uFEFF" + `{"version":0,"message_count":2}` + "\r\n\n" + `{"11":"a"}` + "\nbroken\n")}, "/lines/2 /lines/3"},
		"no header": {schemas.Page{Type: schemas.YunxinMergedFile, Body: []byte(`{"11":"a"}` + "\n" + `{"11":"b"}`)}, "/lines/0 /lines/1"},
		"no file":   {schemas.Page{Type: schemas.YunxinMergedFile, Body: []byte("<html>\n</html>\n")}, ""},
		"given up":  {schemas.Page{Type: schemas.YunxinMergedFile, Error: "host_not_allowed", Body: []byte(`{"11":"a"}`)}, ""},
	} {
		var got []string
		for item := range yunxin.Shown(&tt.page) {
			got = append(got, item.Pointer)
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: %q, want %q", name, g, tt.want)
		}
	}
}
