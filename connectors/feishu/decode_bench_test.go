package feishu_test

import (
	"fmt"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// textPage is a page of 50 text messages as the API gives them, one in five with a mention.
func textPage() []byte {
	var items []string
	for i := range 50 {
		text, mentions := `Let us look at the numbers of last week, and then decide what goes into the next release.`, ""
		if i%5 == 0 {
			text = `@_user_1 ` + text + ` Fine?`
			mentions = `,"mentions":[{"key":"@_user_1","id":"ou_155184d1e73cbfb8973e5a9e698e74f2","id_type":"open_id","name":"Tom","tenant_key":"736588c9260f175e"}]`
		}
		items = append(items, fmt.Sprintf(`{"body":{"content":"{\"text\":\"%s\"}"},"chat_id":"%s","create_time":"%d","deleted":false,`+
			`"message_id":"om_x100b54e6dc132645203929%05d","message_position":"%d","msg_type":"text","sender":{"id":"ou_155184d1e73cbfb8973e5a9e698e74f2",`+
			`"id_type":"open_id","sender_type":"user","tenant_key":"736588c9260f175e","sender_name":"Ann Lee"},"update_time":"%d","updated":false%s}`,
			text, chatID, 1_700_000_000_000+i, i, i, 1_700_000_000_000+i, mentions))
	}
	return itemsPage(items...).Body
}

func BenchmarkDecode(b *testing.B) {
	page := listPage(textPage())
	d := feishu.NewDecoder()
	var out connectors.Decoded
	b.ReportAllocs()
	b.SetBytes(int64(len(page.Body)))
	for b.Loop() {
		d.Decode([]schemas.Page{*page}, &out)
	}
	if len(out.Readings) != 50 || len(out.Failed) != 0 {
		b.Fatalf("%d readings, %d failed", len(out.Readings), len(out.Failed))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50, "ns/message")
}
