package yunxin_test

import (
	"encoding/json"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
	"chatlake/simulator"
)

// group gives a page of a container and its expansions as the topic of raw pages holds them.
func group(c *schemas.Container, page *connectors.Page) []schemas.Page {
	var all []schemas.Page
	for _, r := range append(append([]connectors.Response(nil), page.Expansions...), page.Response) {
		all = append(all, schemas.Page{
			Container:    schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ConversationID),
			Conversation: schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID),
			Type:         r.Type, Time: r.Time, Epoch: 1, Number: page.Next.Pages, HTTPStatus: r.HTTPStatus, Code: r.Code, Error: r.Error,
			Subject: r.Subject, Request: r.Request, AppID: c.TenantID, Body: r.Body,
		})
	}
	all[len(all)-1].Final = page.Final
	return all
}

// simulatedApp is a world of a few conversations and a source that reads it.
func simulatedApp(t *testing.T) (*simulator.YunxinWorld, *yunxin.Source) {
	t.Helper()
	w, err := simulator.NewYunxinWorld(simulator.YunxinOptions{
		Seed: 5, Conversations: 4, Messages: 2400, ConversationSize: 600, BigForward: 300,
		Mix: simulator.YunxinMix{Forwards: 40, Others: 80, Customs: 60, Media: 100, Both: 30, Vague: 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(simulator.NewYunxin(w, simulator.YunxinConfig{}))
	t.Cleanup(server.Close)
	key, secret := w.App()
	cfg := yunxin.Config{AppKey: key, AppSecret: secret, BaseURL: server.URL, FileHosts: []string{server.URL}, Client: server.Client()}
	policy := api.Policy{Unit: time.Microsecond}
	return w, yunxin.NewSource(yunxin.SourceConfig{
		Call: api.Retry(yunxin.NewCall(cfg), policy), Fetch: api.Retry(yunxin.NewFetch(cfg), policy), AppKey: key, Unit: time.Microsecond,
	})
}

// Each message that is looked up is shown or answered for.
func TestSimulatedLookUpsAreAnswered(t *testing.T) {
	w, source := simulatedApp(t)
	key, _ := w.App()
	d := yunxin.NewDecoder()
	states := map[simulator.YunxinState]int{}
	for _, conversation := range w.Conversations() {
		c := &schemas.Container{
			Platform: schemas.Yunxin, TenantID: key, Kind: schemas.KindMessages, ID: conversation.APIID, ConversationID: conversation.ID, Epoch: 1, Cause: schemas.CauseLookup,
		}
		all := w.Everything(conversation.ID)
		for i := range all {
			created := schemas.Millis(all[i].CreatedAt)
			c.Refs = append(c.Refs, schemas.MessageRef{MessageID: all[i].ID, CreatedAt: &created})
		}
		said := map[string]string{}
		for page, err := range source.Pages(t.Context(), c, connectors.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			var out connectors.Decoded
			d.Decode(group(c, page), &out)
			for i := range out.Readings {
				if m := &out.Readings[i].Message; m.Forward.Depth == 0 {
					said[m.MessageID] += "shown"
				}
			}
			for _, a := range out.Answers {
				said[a.MessageID] += a.Status + " " + a.Reason
			}
		}
		for i := range all {
			want := map[simulator.YunxinState]string{simulator.YunxinRecalled: "MISSING 107404", simulator.YunxinBlocked: "FORBIDDEN 107451"}[all[i].State]
			if want == "" {
				want = "shown"
			}
			if states[all[i].State]++; said[all[i].ID] != want {
				t.Errorf("%s, %s: said %q, want %q", all[i].ID, all[i].State, said[all[i].ID], want)
			}
		}
	}
	if t.Logf("%v", states); states[simulator.YunxinRecalled] < 5 || states[simulator.YunxinBlocked] < 2 {
		t.Error("too little to show anything")
	}
}

// What a simulated app holds comes out as it was put in: every message of its conversations, with what stands in merged
// forwards.
func TestSimulatedHistoryIsDecodedWhole(t *testing.T) {
	w, source := simulatedApp(t)
	key, _ := w.App()
	d := yunxin.NewDecoder()
	total, rows := 0, 0
	for _, conversation := range w.Conversations() {
		c := &schemas.Container{Platform: schemas.Yunxin, TenantID: key, Kind: schemas.KindConversation, ID: conversation.APIID, ConversationID: conversation.ID, Epoch: 1}
		seen, within := map[string]connectors.Reading{}, map[string][]connectors.Reading{}
		for page, err := range source.Pages(t.Context(), c, connectors.Position{}) {
			if err != nil {
				t.Fatal(err)
			}
			var out connectors.Decoded
			d.Decode(group(c, page), &out)
			if len(out.Failed)+len(out.Answers) > 0 || out.ConversationKind != conversation.Kind {
				t.Fatalf("failed %+v, answers %+v, kind %q", out.Failed, out.Answers, out.ConversationKind)
			}
			added := map[string]bool{}
			for _, r := range out.Readings {
				writable(t, &r)
				outermost := orEmpty(r.Message.Forward.ContainerRecordID)
				if outermost == "" {
					seen[r.Message.MessageID] = r
				} else if len(within[outermost]) == 0 || added[outermost] { // a page shows again what overlaps
					added[outermost] = true
					within[outermost] = append(within[outermost], r)
				}
			}
		}
		for _, want := range w.Messages(conversation.ID, true) {
			got, ok := seen[want.ID]
			if !ok || got.OtherConversation {
				t.Fatalf("%s of %s is not there, or of another conversation", want.ID, conversation.ID)
			}
			checkSimulated(t, &got, &want)
			total++
			rows += checkSimulatedForward(t, &got.Message, want.Forward, within[got.Message.RecordID])
		}
	}
	t.Logf("%d messages, %d within merged forwards", total, rows)
	if total < 2000 || rows < 500 {
		t.Error("too little to show anything")
	}
}

// checkSimulated compares what is told of a message with the truth.
func checkSimulated(t *testing.T, r *connectors.Reading, want *simulator.YunxinMessage) {
	t.Helper()
	m := &r.Message
	subtype := 0
	if want.Type == 100 { // of other types v2.1 alone tells it
		if subtype = want.SubType; subtype == 0 {
			subtype = want.Inner
		}
	}
	if m.MessageType != strconv.Itoa(want.Type) || subtype != 0 && orEmpty(m.MessageSubtype) != strconv.Itoa(subtype) || orEmpty(m.ClientMessageID) != want.ClientID ||
		int64(m.CreatedAt) != want.CreatedAt || m.Sender.ID != want.Sender || want.Kind != "" && m.ContentKind != want.Kind {
		t.Errorf("%s: type %s %q, kind %s, created %d by %s; want %+v", want.ID, m.MessageType, orEmpty(m.MessageSubtype), m.ContentKind, m.CreatedAt, m.Sender.ID, want)
	}
	if m.IsEdited != (want.EditedAt != 0) || m.IsEdited && int64(*m.UpdatedAt) != want.EditedAt {
		t.Errorf("%s: edited %v at %v, want %d", want.ID, m.IsEdited, m.UpdatedAt, want.EditedAt)
	}
	if want.TextExact && orEmpty(m.Text) != want.Text || want.TextNone && m.Text != nil || !want.TextExact && want.Text != "" && m.Text == nil {
		t.Errorf("%s of kind %s: text %q, want %q (exact %v, none %v)", want.ID, m.ContentKind, orEmpty(m.Text), want.Text, want.TextExact, want.TextNone)
	}
	if want.Content != "" && !sameJSON(orEmpty(m.ContentJSON), want.Content) {
		t.Errorf("%s: content %q, want %q", want.ID, orEmpty(m.ContentJSON), want.Content)
	}
	if len(m.Mentions) != len(want.Mentions) || len(m.Attachments) != len(want.Files) {
		t.Errorf("%s: mentions %+v, attachments %+v; want %+v, %+v", want.ID, m.Mentions, m.Attachments, want.Mentions, want.Files)
	}
	for i, f := range want.Files[:min(len(want.Files), len(m.Attachments))] {
		a := &m.Attachments[i]
		got := simulator.YunxinFile{Kind: a.Kind, Key: orEmpty(a.FileKey), Name: orEmpty(a.Name), URL: orEmpty(a.URL), MD5: orEmpty(a.MD5), Extension: a.Attributes.Get("ext"),
			Size: orZero(a.SizeBytes), DurationMS: orZero(a.DurationMs), Width: orZero(a.Width), Height: orZero(a.Height)}
		if got != f {
			t.Errorf("%s: attachment %+v, want %+v", want.ID, got, f)
		}
	}
	checkSimulatedLinks(t, r, want)
}

// checkSimulatedLinks compares links before they are resolved: what they tell is what they are resolved by.
func checkSimulatedLinks(t *testing.T, r *connectors.Reading, want *simulator.YunxinMessage) {
	t.Helper()
	m := &r.Message
	if m.Forward.Depth > 0 {
		for _, l := range []struct {
			got  *schemas.Link
			want simulator.YunxinLink
		}{{&m.Parent, want.Parent}, {&m.Root, want.Root}} {
			if l.want.Status != "" && (l.got.Status != l.want.Status || l.want.MessageID != "" && orEmpty(l.got.MessageID) != l.want.MessageID) {
				t.Errorf("%s: link %+v, want %+v", m.RecordID, l.got, l.want)
			}
		}
		return
	}
	told := want.Parent.Status != "NONE"
	if told != (m.Parent.Status == schemas.LinkPending) || told && m.Parent.MessageID != nil && *m.Parent.MessageID != want.Parent.MessageID ||
		told && m.Parent.MessageID == nil && m.Parent.ClientMessageID == nil {
		t.Errorf("%s: parent %+v, want %+v", want.ID, m.Parent, want.Parent)
	}
	native := want.Quote != "" && want.Quote != simulator.QuoteLegacy
	if r.ThreadByRoot != native || native && m.ThreadID != nil && *m.ThreadID != want.ThreadID || !native && m.ThreadID != nil {
		t.Errorf("%s, told by %q: thread %q, by its root %v, want %q", want.ID, want.Quote, orEmpty(m.ThreadID), r.ThreadByRoot, want.ThreadID)
	}
	if conflict := want.Quote == simulator.QuoteConflict; conflict != (orEmpty(m.Parent.Reason) == "quote_differs") {
		t.Errorf("%s, told by %q: reason %q", want.ID, want.Quote, orEmpty(m.Parent.Reason))
	}
}

// checkSimulatedForward compares what stands in a merged forward, and gives how many messages that are.
func checkSimulatedForward(t *testing.T, m *schemas.Message, want *simulator.YunxinForward, rows []connectors.Reading) int {
	t.Helper()
	if want == nil {
		if m.Forward.Role != schemas.ForwardNone || len(rows) > 0 {
			t.Errorf("%s: %+v with %d rows", m.MessageID, m.Forward, len(rows))
		}
		return 0
	}
	if want.Expansion != "" && m.Forward.Expansion != want.Expansion || len(rows) != len(want.Children) {
		t.Errorf("%s (%s): %s %s with %d rows, want %s with %d", m.MessageID, want.Oddity, m.Forward.Expansion, orEmpty(m.Forward.ExpansionReason), len(rows), want.Expansion, len(want.Children))
		return 0
	}
	for i := range want.Children {
		c, r := &want.Children[i], &rows[i]
		part := schemas.Part(c.ID)
		if part == "" {
			part = schemas.Part(c.ClientID)
		}
		if part == "" || c.Broken {
			part = "@" + c.Path
		}
		if c.Repeat > 1 {
			part += "#" + strconv.Itoa(c.Repeat)
		}
		f := &r.Message.Forward
		if orEmpty(f.Path) != c.Path || f.Depth != int64(c.Depth) || !strings.HasSuffix(r.Message.RecordID, "/"+part) || r.Message.Provenance.ItemPointer != "/lines/"+strconv.Itoa(c.Line) {
			t.Errorf("%s: row %s at %s, %s; want %s at %s, line %d", m.MessageID, r.Message.RecordID, orEmpty(f.Path), r.Message.Provenance.ItemPointer, part, c.Path, c.Line)
		}
		if c.Broken {
			continue
		}
		if orEmpty(r.Message.Sender.Name) != c.SenderName {
			t.Errorf("%s: sent by %q, want %q", r.Message.RecordID, orEmpty(r.Message.Sender.Name), c.SenderName)
		}
		checkSimulated(t, r, &c.YunxinMessage)
	}
	return len(rows)
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return a == b
	}
	return reflect.DeepEqual(x, y)
}

func orZero(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}
