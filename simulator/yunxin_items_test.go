package simulator_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"chatlake/simulator"
)

// yunxinRef is a message as another one names it.
type yunxinRef struct {
	Sender   string          `json:"sender_id"`
	Receiver string          `json:"receiver_id"`
	At       int64           `json:"create_time"`
	Server   json.RawMessage `json:"message_server_id"`
	Client   string          `json:"message_client_id"`
}

// yunxinItem is an item as the API tells it.
type yunxinItem struct {
	ID               json.RawMessage `json:"message_server_id"`
	ConversationType *int            `json:"conversation_type"`
	Sender           string          `json:"sender_id"`
	Receiver         string          `json:"receiver_id"`
	Team             int64           `json:"team_id"`
	Type             int             `json:"message_type"`
	SubType          int             `json:"sub_type"`
	At               int64           `json:"create_time"`
	ClientID         string          `json:"message_client_id"`
	ClientType       json.RawMessage `json:"sender_client_type"`
	Text             string          `json:"text"`
	Attachment       json.RawMessage `json:"attachment"`
	Extension        string          `json:"extension"`
	EditedAt         int64           `json:"modify_time"`
	EditedBy         string          `json:"modify_account_id"`
	Thread           *struct {
		Root  yunxinRef `json:"thread_root"`
		Reply yunxinRef `json:"thread_reply"`
	} `json:"thread_config"`
}

// legacyQuote is what the extension may tell.
type legacyQuote struct {
	Reply *struct {
		Client string          `json:"idClient"`
		Server json.RawMessage `json:"idServer"`
		From   string          `json:"from"`
		Time   int64           `json:"time"`
	} `json:"yxReplyMsg"`
	At map[string]json.RawMessage `json:"yxAitMsg"`
}

// absent tells an id that is none.
func plainID(raw json.RawMessage) string {
	id := strings.Trim(string(raw), `"`)
	if id == "0" || id == "null" {
		return ""
	}
	return id
}

func TestItemsTellTheTruthInContradictoryWays(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 15})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	ways := map[string]int{}
	for _, c := range w.Conversations() {
		truth := map[string]simulator.YunxinMessage{}
		for _, m := range w.Messages(c.ID, true) {
			truth[m.ID] = m
		}
		for _, raw := range k.read(c.APIID, "include_no_sense_msg", "true") {
			var item yunxinItem
			if err := json.Unmarshal(raw, &item); err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			m, known := truth[plainID(item.ID)]
			if !known {
				t.Fatalf("item %s is not in the truth", raw)
			}
			compareYunxin(t, c, item, m)
			note(ways, item)
			checkQuote(t, ways, item, m)
		}
	}
	for _, way := range []string{"id string", "id number", "client type string", "client type number", "no conversation type", "attachment string", "attachment object",
		"attachment {}", "attachment null", "attachment absent", "width", "w", "duration", "dur", "size string", "dotted ext", "plain ext", "text as JSON", "JSON typed",
		"extension no JSON", "mention", "thread string", "thread number", `thread ""`, "thread 0", "thread null", "thread absent", "legacy string", "legacy number", "legacy none",
		"raw", "ope", "type 99"} {
		if ways[way] == 0 {
			t.Errorf("no item has %s: %v", way, ways)
		}
	}
}

func compareYunxin(t *testing.T, c simulator.YunxinConversation, item yunxinItem, m simulator.YunxinMessage) {
	t.Helper()
	type fields struct {
		sender, receiver, client, editedBy string
		team, at, editedAt                 int64
		messageType, subType               int
		clientType                         string
	}
	got := fields{item.Sender, item.Receiver, item.ClientID, item.EditedBy, item.Team, item.At, item.EditedAt, item.Type, item.SubType, plainID(item.ClientType)}
	want := fields{m.Sender, m.Receiver, m.ClientID, m.EditedBy, c.TeamID, m.CreatedAt, m.EditedAt, m.Type, m.SubType, strconv.Itoa(m.ClientType)}
	if got != want || item.ConversationType != nil && *item.ConversationType != c.Type {
		t.Errorf("message %s is %+v, want %+v", m.ID, got, want)
	}
	attachment := item.Attachment
	var text string
	if json.Unmarshal(attachment, &text) == nil && text != "" {
		attachment = json.RawMessage(text)
	}
	if string(attachment) == "null" {
		attachment = nil
	}
	if m.Forward == nil && string(attachment) != m.Content {
		t.Errorf("message %s: attachment %s, want %s", m.ID, attachment, m.Content)
	}
	var wrapped map[string]string
	text = item.Text
	if json.Unmarshal([]byte(text), &wrapped) == nil && len(wrapped) == 1 && wrapped["msg"] != "" {
		text = wrapped["msg"]
	}
	if (m.Type == 0 || m.Type == 10) && text != m.Text {
		t.Errorf("message %s: text %q, want %q", m.ID, text, m.Text)
	}
}

// note counts the ways in which an item is told.
func note(ways map[string]int, item yunxinItem) {
	form := func(what string, raw json.RawMessage) {
		switch {
		case len(raw) == 0:
			ways[what+" absent"]++
		case raw[0] == '{' && len(raw) > 2:
			ways[what+" object"]++
		case raw[0] == '"' && len(raw) > 2:
			ways[what+" string"]++
		case raw[0] >= '1' && raw[0] <= '9':
			ways[what+" number"]++
		default:
			ways[what+" "+string(raw)]++
		}
	}
	form("id", item.ID)
	form("client type", item.ClientType)
	form("attachment", item.Attachment)
	if item.Thread != nil {
		form("thread", item.Thread.Root.Server)
		form("thread", item.Thread.Reply.Server)
	}
	for way, has := range map[string]bool{
		"no conversation type": item.ConversationType == nil,
		"width":                strings.Contains(string(item.Attachment), `"width":640`),
		"w":                    strings.Contains(string(item.Attachment), `"w":640`),
		"duration":             strings.Contains(string(item.Attachment), `"duration":`),
		"dur":                  strings.Contains(string(item.Attachment), `"dur":`),
		"size string":          strings.Contains(string(item.Attachment), `"size":"`),
		"dotted ext":           strings.Contains(string(item.Attachment), `"ext":".`),
		"plain ext":            strings.Contains(string(item.Attachment), `"ext":"jpg"`),
		"text as JSON":         strings.HasPrefix(item.Text, `{"msg":`) && strings.HasSuffix(item.Text, `"}`) && !strings.Contains(item.Text, `,"to":`),
		"JSON typed":           strings.HasSuffix(item.Text, `,"to":"all"}`),
		"extension no JSON":    item.Extension != "" && !json.Valid([]byte(item.Extension)),
		"raw":                  strings.Contains(string(item.Attachment), `"raw":`),
		"ope":                  item.Type == 5 && strings.Contains(string(item.Attachment), `"ope":`),
		"type 99":              item.Type == 99,
	} {
		if has {
			ways[way]++
		}
	}
}

// checkQuote holds what an item tells of links against what a reader should make of them.
func checkQuote(t *testing.T, ways map[string]int, item yunxinItem, m simulator.YunxinMessage) {
	t.Helper()
	var legacy legacyQuote
	if json.Unmarshal([]byte(item.Extension), &legacy) == nil && legacy.At != nil {
		ways["mention"]++
		for _, mention := range m.Mentions {
			if legacy.At[mention.ID] == nil || !strings.HasPrefix(m.Text, "@"+mention.Name+" ") {
				t.Errorf("message %s: mention %+v is not in %q and %s", m.ID, mention, m.Text, item.Extension)
			}
		}
	}
	told, client := "", ""
	quote := ""
	if legacy.Reply != nil {
		quote, told, client = simulator.QuoteLegacy, plainID(legacy.Reply.Server), legacy.Reply.Client
		way := "legacy none"
		if told != "" {
			way = map[bool]string{true: "legacy string", false: "legacy number"}[legacy.Reply.Server[0] == '"']
		}
		ways[way]++
	}
	if item.Thread != nil {
		native := plainID(item.Thread.Reply.Server)
		switch {
		case legacy.Reply == nil:
			quote = simulator.QuoteNative
		case told == native:
			quote = simulator.QuoteBoth
		default:
			quote = simulator.QuoteConflict
		}
		told, client = native, item.Thread.Reply.Client
		if root := plainID(item.Thread.Root.Server); root != "" && root != m.ThreadID {
			t.Errorf("message %s: thread %q, told root %q", m.ID, m.ThreadID, root)
		}
	}
	p := m.Parent
	if quote != m.Quote || p.Status != "NONE" && told == "" && client == "" || p.Status != "RESOLVED" && (p.MessageID != told || p.ClientID != client) ||
		p.Status == "RESOLVED" && told != "" && p.MessageID != told || (p.Status == "NONE") != (quote == "") || p.Status == "PENDING" && told != "" {
		t.Errorf("message %s: quote %q of %q, %q; truth %q, %+v", m.ID, quote, told, client, m.Quote, p)
	}
}

// What v2.1 adds is not in v2, and all of v2 is in v2.1.
func TestVersionsOfTheAPIDiffer(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 5})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	added := map[string]int{}
	for _, c := range w.Conversations() {
		older := k.send(k.request(http.MethodGet, historyPath("v2", c.APIID), "")).Data.Items
		newer := k.send(k.request(http.MethodGet, historyPath("v2.1", c.APIID), "")).Data.Items
		for i := range older {
			var one, two map[string]json.RawMessage
			if json.Unmarshal(older[i], &one) != nil || json.Unmarshal(newer[i], &two) != nil {
				t.Fatalf("items %s and %s", older[i], newer[i])
			}
			for field, value := range one {
				if string(two[field]) != string(value) {
					t.Errorf("%s of v2 is %s, of v2.1 %s", field, value, two[field])
				}
			}
			for field := range two {
				if _, old := one[field]; !old {
					added[field]++
				}
			}
		}
	}
	for _, field := range []string{"receiver_account_ids", "inclusive", "new_member_visible", "field_of_tomorrow", "sub_type"} {
		if added[field] == 0 {
			t.Errorf("v2.1 adds no %s: %v", field, added)
		}
	}
	if len(added) != 5 {
		t.Errorf("v2.1 adds %v", added)
	}
}

// Following what items tell with batch_messages finds what the truth says is found so.
func TestLookingUpFindsWhatIsHidden(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 12, Mix: simulator.YunxinMix{Missing: 60}})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	total := 0
	for _, c := range w.Conversations() {
		seen, found := map[string]bool{}, map[string]bool{}
		level := k.read(c.APIID)
		for _, id := range serverIDs(t, level) {
			seen[id] = true
		}
		for range 10 {
			var next []json.RawMessage
			for _, target := range targets(t, level, seen) {
				next = append(next, k.batch(c.APIID, target).Data.Success...)
			}
			for _, id := range serverIDs(t, next) {
				found[id] = true
			}
			level = next
		}
		want := w.LookedUp(c.ID)
		for _, m := range want {
			if !found[m.ID] {
				t.Errorf("message %s is not found by following links", m.ID)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: %d found, want %d", c.ID, len(found), len(want))
		}
		total += len(want)
	}
	if total < 50 {
		t.Errorf("only %d messages are found by looking up", total)
	}
}

// targets lists what items name by server id and nobody has seen or asked for.
func targets(t *testing.T, items []json.RawMessage, seen map[string]bool) []asked {
	t.Helper()
	var out []asked
	add := func(id string, at int64) {
		if id != "" && !seen[id] {
			seen[id] = true
			out = append(out, asked{id, at})
		}
	}
	for _, raw := range items {
		var item yunxinItem
		if err := json.Unmarshal(raw, &item); err != nil {
			t.Fatal(err)
		}
		var legacy legacyQuote
		if item.Thread != nil {
			add(plainID(item.Thread.Reply.Server), item.Thread.Reply.At)
			add(plainID(item.Thread.Root.Server), item.Thread.Root.At)
		} else if json.Unmarshal([]byte(item.Extension), &legacy) == nil && legacy.Reply != nil {
			add(plainID(legacy.Reply.Server), legacy.Reply.Time)
		}
	}
	return out
}
