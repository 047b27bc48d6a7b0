package feishu_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
	"chatlake/simulator"
)

// stored gives a page of a container and its expansions as the topic of raw pages holds them.
func stored(c *schemas.Container, page *connectors.Page) []schemas.Page {
	var all []schemas.Page
	for _, r := range append(append([]connectors.Response(nil), page.Expansions...), page.Response) {
		all = append(all, schemas.Page{
			Container:    schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID),
			Conversation: schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID),
			Type:         r.Type, Time: r.Time, Epoch: 1, Number: page.Next.Pages, HTTPStatus: r.HTTPStatus, Code: r.Code, Error: r.Error,
			Subject: r.Subject, Request: r.Request, AppID: "cli_1", Body: r.Body,
		})
	}
	all[len(all)-1].Final = page.Final
	return all
}

// What a simulated tenant holds in merged forwards comes out as it was put in, wherever the platform shows it.
func TestSimulatedForwardsAreDecodedWhole(t *testing.T) {
	w := newWorld(t, simulator.Options{Seed: 11, Chats: 3, Messages: 3000, ChatSize: 1000, BigForward: 1500, Mix: simulator.Mix{Forwards: 60}})
	server := httptest.NewServer(simulator.NewFeishu(w, simulator.FeishuConfig{}))
	defer server.Close()
	call := api.Retry(feishu.NewCall(simulated(w, server.URL, server.Client())), api.Policy{Unit: time.Microsecond})
	source, d := feishu.NewSource(call, appTenant), feishu.NewDecoder()
	forwards, children, nested, withheld := 0, 0, 0, 0
	for _, chat := range w.Chats() {
		c := &schemas.Container{Platform: schemas.Feishu, TenantID: appTenant, Kind: "chat", ID: chat.ID, ConversationID: chat.ID, Epoch: 1}
		rows := map[string][]schemas.Message{} // by outermost container
		seen := map[string]schemas.Message{}
		for page, err := range source.Pages(t.Context(), c, connectors.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			var out connectors.Decoded
			d.Decode(stored(c, page), &out)
			if len(out.Failed)+len(out.Answers) > 0 {
				t.Fatalf("failed %+v, answers %+v", out.Failed, out.Answers)
			}
			for i := range out.Readings {
				m := out.Readings[i].Message
				encode(t, &out.Readings[i])
				if m.Forward.Path == nil {
					seen[m.MessageID] = m
				} else {
					rows[*m.Forward.ContainerRecordID] = append(rows[*m.Forward.ContainerRecordID], m)
				}
			}
		}
		for _, want := range w.Messages(chat.ID) {
			if !want.InChat || want.Type != "merge_forward" {
				continue
			}
			m := seen[want.ID]
			if want.State == simulator.Recalled {
				if m.Forward.Role != schemas.ForwardNone || len(rows[m.RecordID]) > 0 {
					t.Errorf("recalled %s: %+v, %d children", want.ID, m.Forward, len(rows[m.RecordID]))
				}
				continue
			}
			forwards, children = forwards+1, children+len(want.Children)
			n, h := checkChildren(t, &m, rows[m.RecordID], want.Children)
			nested, withheld = nested+n, withheld+h
		}
	}
	t.Logf("%d forwards with %d descendants, %d of them nested containers, %d fetched with these", forwards, children, nested, withheld)
	if forwards < 50 || children < 2000 || nested < 30 || withheld < 5 {
		t.Error("too little to show anything")
	}
}

// checkChildren holds the rows of a forward against the truth about it.
func checkChildren(t *testing.T, m *schemas.Message, rows []schemas.Message, want []simulator.Child) (nested, withheld int) {
	t.Helper()
	if *m.Forward.DescendantCount != int64(len(want)) || len(rows) != len(want) {
		t.Errorf("%s has %d descendants and %d rows, want %d", m.RecordID, *m.Forward.DescendantCount, len(rows), len(want))
		return 0, 0
	}
	truth, records := map[string]simulator.Child{}, map[string]string{m.MessageID: m.RecordID}
	expansion := schemas.ExpansionComplete
	for _, c := range want {
		truth[c.ID] = c
		if c.UpperID != "" && c.UpperID != c.Under {
			expansion = schemas.ExpansionPartial
		}
	}
	if m.Forward.Expansion != expansion {
		t.Errorf("%s is %s, want %s", m.RecordID, m.Forward.Expansion, expansion)
	}
	for i := range rows {
		r := &rows[i]
		c := truth[r.MessageID]
		records[r.MessageID] = r.RecordID
		if *r.Forward.Path != c.Path || r.Forward.Depth != int64(c.Depth) || r.RecordID != records[c.Under]+"/"+c.ID || *r.Forward.ParentMessageID != c.Under {
			t.Errorf("%s stands at %s, want %s under %s", r.RecordID, *r.Forward.Path, c.Path, c.Under)
		}
		if r.ConversationID != m.ConversationID || r.OccurredAt != m.CreatedAt || r.EventDate != m.EventDate || int64(r.CreatedAt) != c.CreatedAt ||
			r.State != string(c.State) || r.Sender.ID != c.Sender.ID || (r.Forward.Role == schemas.ForwardChildContainer) != (c.Type == "merge_forward") {
			t.Errorf("%s is %+v, want %+v", r.RecordID, r, c)
		}
		link := schemas.LinkNone
		switch c.ParentFate {
		case simulator.FateShown:
			link = schemas.LinkResolved
		case simulator.FateElsewhere:
			link = schemas.LinkOutOfScope
		}
		if c.ParentID != "" && (r.Parent.Status != link || *r.Parent.MessageID != c.ParentID || link == schemas.LinkResolved && !strings.HasSuffix(*r.Parent.RecordID, "/"+c.ParentID)) {
			t.Errorf("%s answers %+v, want %s of %s", r.RecordID, r.Parent, link, c.ParentID)
		}
		if r.Forward.Role == schemas.ForwardChildContainer {
			nested++
		}
		if c.Withheld {
			withheld++
		}
	}
	return nested, withheld
}

// The copy of a thread's reply in the chat stands in no thread, whatever it tells.
func TestCopyInTheChatIsNoThreadRoot(t *testing.T) {
	m := only(t, itemsPage(textItem("om_1", `,"thread_id":"omt_1","sync_to_chat_info":{"type":1,"related_message_id":"om_2"}`)))
	if m.IsThreadRoot || m.CopyOfMessageID == nil || *m.CopyOfMessageID != "om_2" {
		t.Errorf("root %t, copy of %v", m.IsThreadRoot, m.CopyOfMessageID)
	}
	for _, other := range []string{`,"thread_id":"omt_1"`, `,"thread_id":"omt_1","sync_to_chat_info":{"type":2,"related_message_id":"om_2"}`} {
		if m := only(t, itemsPage(textItem("om_1", other))); !m.IsThreadRoot {
			t.Errorf("%s: no root", other)
		}
	}
}
