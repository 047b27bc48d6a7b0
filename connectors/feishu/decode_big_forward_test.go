package feishu_test

import (
	"fmt"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// shape makes the items of a merged forward M of n descendants.
type shape struct {
	name string
	item func(i int) string
}

var shapes = []shape{
	{"flat", func(i int) string { return part(fmt.Sprintf("c%05d", i), "M", "") }},
	{"answering each other", func(i int) string {
		return part(fmt.Sprintf("c%05d", i), "M", fmt.Sprintf(`,"parent_id":"c%05d"`, i+1))
	}},
	{"in groups of fifty", func(i int) string {
		if i%50 == 0 {
			return nest(fmt.Sprintf("c%05d", i), "M", "")
		}
		return part(fmt.Sprintf("c%05d", i), fmt.Sprintf("c%05d", i-i%50), "")
	}},
	{"one within the other", func(i int) string {
		return nest(fmt.Sprintf("c%05d", i), strings.Replace(fmt.Sprintf("c%05d", i-1), "c-0001", "M", 1), "")
	}},
	{"in a circle", func(i int) string { return nest(fmt.Sprintf("c%05d", i), fmt.Sprintf("c%05d", (i+1)%10_000), "") }},
	{"the same again and again", func(int) string { return nest("c", "M", "") }},
}

func bigForward(s shape, n int) []schemas.Page {
	m := nest("M", "", "")
	items := []string{m}
	for i := range n {
		items = append(items, s.item(i))
	}
	return []schemas.Page{*expansion("M", items...), *itemsPage(m)}
}

func TestForwardOfTenThousand(t *testing.T) {
	want := map[string]struct {
		rows      int
		expansion string
		reason    string
		last      string
	}{
		"flat":                     {10_000, schemas.ExpansionComplete, "", "M/c09999"},
		"answering each other":     {10_000, schemas.ExpansionComplete, "", "M/c09999"},
		"in groups of fifty":       {10_000, schemas.ExpansionComplete, "", "M/c09950/c09999"},
		"one within the other":     {10, schemas.ExpansionPartial, "nested", "M/c00000/c00001/c00002/c00003/c00004/c00005/c00006/c00007/c00008/c00009"},
		"in a circle":              {10, schemas.ExpansionPartial, "cycle", "M/c00000/c09999/c09998/c09997/c09996/c09995/c09994/c09993/c09992/c09991"},
		"the same again and again": {10_000, schemas.ExpansionPartial, "nested", "M/c#10000"},
	}
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			var out connectors.Decoded
			feishu.NewDecoder().Decode(bigForward(s, 10_000), &out)
			w := want[s.name]
			f := &out.Readings[0].Message.Forward
			if len(out.Readings) != w.rows+2 || len(out.Failed) != 0 || f.Expansion != w.expansion || (w.reason != "" && *f.ExpansionReason != w.reason) || *f.DescendantCount != int64(w.rows) {
				t.Fatalf("%d readings, %d failed, %+v", len(out.Readings), len(out.Failed), f)
			}
			last := &out.Readings[len(out.Readings)-1].Message
			if got := strings.TrimPrefix(last.RecordID, "feishu/"+tenant+"/"); got != w.last {
				t.Errorf("the last is %s, want %s", got, w.last)
			}
			if s.name != "answering each other" {
				return
			}
			for i := range out.Readings[2:] {
				m := &out.Readings[2+i].Message
				if m.Root.Status != schemas.LinkOutOfScope || *m.Root.MessageID != "c10000" {
					t.Fatalf("%s has the root %+v", m.RecordID, m.Root)
				}
			}
		})
	}
}

// What one page can be made to become is bounded, and the page's own messages go through.
func TestForwardBeyondBounds(t *testing.T) {
	var pages []schemas.Page
	var containers []string
	for i := range 2 {
		id := fmt.Sprintf("M%d", i)
		m := nest(id, "", "")
		items := []string{m}
		for n := range 60_000 {
			items = append(items, fmt.Sprintf(`{"message_id":"c%d","upper_message_id":"%s"}`, n, id))
		}
		containers = append(containers, m)
		pages = append(pages, *expansion(id, items...))
	}
	pages = append(pages, *itemsPage(append(containers, textItem("om_1", ""))...))
	var out connectors.Decoded
	feishu.NewDecoder().Decode(pages, &out)
	rows := map[string]int{}
	var last *schemas.Forward
	for i := range out.Readings {
		if m := &out.Readings[i].Message; m.Forward.Path != nil {
			rows[*m.Forward.ParentMessageID]++
		} else if m.MessageID == "M1" {
			last = &m.Forward
		}
	}
	if rows["M0"] != 60_000 || rows["M1"] != 40_000 || last.Expansion != schemas.ExpansionPartial || *last.ExpansionReason != decode.ReasonTooMany {
		t.Errorf("rows %v, the last is %+v", rows, last)
	}
	if m := &out.Readings[4].Message; m.MessageID != "om_1" {
		t.Errorf("the page's own message: %+v", m)
	}
}

// A child has its own times and sender, and its place and time of appearance from the container.
func TestFieldsOfAChild(t *testing.T) {
	m := strings.Replace(nest("M", "", ""), "1650000000000", "1700000000123", 1)
	child := part("a", "N", `,"create_time":"1500000000000","update_time":"1500000009000","updated":true,"thread_id":"omt_9","message_position":"7"`)
	list := itemsPage(m)
	expanded := expansion("M", nest("M", "", ""), nest("N", "M", ""), child) // the list's reading of M goes first
	expanded.AppID = "cli_2"
	out := decodeAll(expanded, list)
	r := &out.Readings[len(out.Readings)-1]
	c := &r.Message
	if r.Page != 0 || r.Source != connectors.FromOther || r.OtherConversation || c.Provenance.ItemPointer != "/data/items/2" || c.AppID != "cli_2" {
		t.Errorf("reading %+v", r)
	}
	if c.ConversationID != chatID || c.CreatedAt != 1500000000000 || c.OccurredAt != 1700000000123 || c.EventDate != "2023-11-14" || *c.UpdatedAt != 1500000009000 ||
		c.SourceRevision != 1500000009000 || *c.ThreadID != "omt_9" || *c.ConversationSeq != 7 || *c.Text != "a" || c.Sender.ID != "ou_a" || c.Platform != schemas.Feishu || c.TenantID != tenant {
		t.Errorf("child %+v", c)
	}
	f := &c.Forward
	record := "feishu/" + tenant + "/M"
	if *f.ContainerRecordID != record || *f.ParentRecordID != record+"/N" || *f.ParentMessageID != "N" || strings.Join(f.AncestorIDs, " ") != "M N" ||
		*f.Path != "00001.00001" || f.Depth != 2 || *f.ChildNo != 1 || f.ChildCount != nil || f.DescendantCount != nil || f.ExpansionReason != nil {
		t.Errorf("forward %+v", f)
	}
	link := decodeAll(expansion("M", m, part("a", "M", `,"create_time":"1500000000000"`), part("b", "M", `,"parent_id":"a"`)), list)
	l := &link.Readings[3].Message.Parent
	if *l.MessageID != "a" || *l.RecordID != record+"/a" || *l.SenderID != "ou_a" || *l.CreatedAt != 1500000000000 || l.Reason != nil || l.ClientMessageID != nil {
		t.Errorf("link %+v", l)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, s := range shapes[:3] {
		for _, n := range []int{1_000, 10_000, 40_000} {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(s.name, " ", "_"), n), func(b *testing.B) {
				pages := bigForward(s, n)
				d := feishu.NewDecoder()
				var out connectors.Decoded
				b.ReportAllocs()
				b.SetBytes(int64(len(pages[0].Body)))
				for b.Loop() {
					d.Decode(pages, &out)
				}
				if len(out.Readings) != n+2 {
					b.Fatalf("%d readings", len(out.Readings))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
			})
		}
	}
}
