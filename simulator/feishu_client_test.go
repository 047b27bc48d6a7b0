package simulator_test

import (
	"context"
	"net/http/httptest"
	"reflect"
	"sort"
	"strconv"
	"testing"

	lark "github.com/larksuite/oapi-sdk-go/v3"
	larkcore "github.com/larksuite/oapi-sdk-go/v3/core"
	larkim "github.com/larksuite/oapi-sdk-go/v3/service/im/v1"

	"chatlake/simulator"
)

// world makes a world whose app is the test's own: the vendor's client keeps one cache of tokens, by app, for the whole
// process.
func world(t testing.TB, o simulator.Options) *simulator.World {
	t.Helper()
	o.AppID = "cli_" + t.Name()
	w, err := simulator.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// vendor starts a server and the vendor's own client for it.
func vendor(t *testing.T, w *simulator.World, c simulator.FeishuConfig) (*lark.Client, *simulator.Feishu) {
	t.Helper()
	api := simulator.NewFeishu(w, c)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	id, secret, _ := w.App()
	return lark.NewClient(id, secret, lark.WithOpenBaseUrl(server.URL), lark.WithHttpClient(server.Client()),
		lark.WithLogLevel(larkcore.LogLevelError)), api
}

// read lists a container to its end and returns the items.
func read(t *testing.T, client *lark.Client, kind, id string) []*larkim.Message {
	t.Helper()
	var items []*larkim.Message
	token := ""
	for {
		builder := larkim.NewListMessageReqBuilder().ContainerIdType(kind).ContainerId(id).PageSize(50)
		if token != "" {
			builder = builder.PageToken(token)
		}
		resp, err := client.Im.V1.Message.List(context.Background(), builder.Build())
		if err != nil {
			t.Fatalf("list %s %s: %v", kind, id, err)
		}
		if !resp.Success() {
			t.Fatalf("list %s %s: code %d %s", kind, id, resp.Code, resp.Msg)
		}
		items = append(items, resp.Data.Items...)
		if !*resp.Data.HasMore {
			if resp.Data.PageToken != nil {
				t.Errorf("list %s %s: page token without has_more", kind, id)
			}
			return items
		}
		token = *resp.Data.PageToken
	}
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// compare holds an item against the truth, field by field.
func compare(t *testing.T, got *larkim.Message, want simulator.Message) {
	t.Helper()
	content := want.Content
	if want.State == simulator.Recalled {
		content = "This message was recalled"
	}
	root := ""
	if want.RootTold {
		root = want.RootID
	}
	sender := simulator.Sender{}
	if got.Sender != nil {
		sender = simulator.Sender{ID: deref(got.Sender.Id), IDType: deref(got.Sender.IdType), Type: deref(got.Sender.SenderType),
			TenantKey: deref(got.Sender.TenantKey), Name: want.Sender.Name}
	}
	pairs := map[string][2]any{
		"message_id":  {deref(got.MessageId), want.ID},
		"chat_id":     {deref(got.ChatId), want.ChatID},
		"msg_type":    {deref(got.MsgType), want.Type},
		"create_time": {deref(got.CreateTime), strconv.FormatInt(want.CreatedAt, 10)},
		"update_time": {deref(got.UpdateTime), strconv.FormatInt(want.UpdatedAt, 10)},
		"deleted":     {deref(got.Deleted), want.State == simulator.Recalled},
		"updated":     {deref(got.Updated), want.Edited},
		"parent_id":   {deref(got.ParentId), want.ParentID},
		"root_id":     {deref(got.RootId), root},
		"thread_id":   {deref(got.ThreadId), want.ThreadID},
		"content":     {deref(got.Body.Content), content},
		"sender":      {sender, want.Sender},
	}
	for field, pair := range pairs {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("message %s: %s is %v, want %v", want.ID, field, pair[0], pair[1])
		}
	}
	var mentions []simulator.Mention
	for _, m := range got.Mentions {
		mentions = append(mentions, simulator.Mention{Key: *m.Key, ID: *m.Id, Name: *m.Name, TenantKey: *m.TenantKey})
	}
	if want.State == simulator.Normal && len(mentions)+len(want.Mentions) > 0 && !reflect.DeepEqual(mentions, want.Mentions) {
		t.Errorf("message %s: mentions are %v, want %v", want.ID, mentions, want.Mentions)
	}
}

func compareAll(t *testing.T, what string, got []*larkim.Message, want []simulator.Message) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d items, want %d", what, len(got), len(want))
	}
	for i := range got {
		compare(t, got[i], want[i])
	}
}

func TestVendorClientReadsTheWholeWorld(t *testing.T) {
	w := world(t, simulator.Options{Chats: 8})
	client, api := vendor(t, w, simulator.FeishuConfig{})
	distinct := map[string]bool{}
	inChats, inThreads := 0, 0
	for _, chat := range w.Chats() {
		want := w.Messages(chat.ID)
		compareAll(t, "chat "+chat.ID, read(t, client, "chat", chat.ID), want)
		inChats += len(want)
		for _, m := range want {
			distinct[m.ID] = true
		}
		for _, thread := range w.Threads(chat.ID) {
			if thread.Code != 0 {
				continue
			}
			want := w.Thread(thread.ID)
			compareAll(t, "thread "+thread.ID, read(t, client, "thread", thread.ID), want)
			inThreads += len(want)
			for _, m := range want {
				distinct[m.ID] = true
			}
		}
	}
	r := api.Report()
	if r.InChats != inChats || r.InThreads != inThreads || r.InLists != len(distinct) {
		t.Errorf("report says %d in chats, %d in threads, %d in all; want %d, %d, %d", r.InChats, r.InThreads, r.InLists,
			inChats, inThreads, len(distinct))
	}
	shown := api.Shown()
	sort.Strings(shown)
	for i, id := range shown {
		if !distinct[id] || i > 0 && shown[i-1] == id {
			t.Fatalf("%s is said to be shown and was not, or twice", id)
		}
	}
	if r.Wrong != 0 || r.APIs[simulator.APIMessages].Failed != 0 || r.TokensIssued != 1 {
		t.Errorf("wrong %d, failed %d, tokens %d; want 0, 0, 1", r.Wrong, r.APIs[simulator.APIMessages].Failed, r.TokensIssued)
	}
}

func TestVendorClientListsAndGetsChats(t *testing.T) {
	w := world(t, simulator.Options{Chats: 12})
	client, _ := vendor(t, w, simulator.FeishuConfig{})
	var listed []string
	token := ""
	for {
		builder := larkim.NewListChatReqBuilder().PageSize(5).SortType("ByCreateTimeAsc")
		if token != "" {
			builder = builder.PageToken(token)
		}
		resp, err := client.Im.V1.Chat.List(context.Background(), builder.Build())
		if err != nil || !resp.Success() {
			t.Fatalf("list chats: %v %+v", err, resp)
		}
		for _, item := range resp.Data.Items {
			listed = append(listed, *item.ChatId+" "+*item.Name)
		}
		if !*resp.Data.HasMore {
			break
		}
		token = *resp.Data.PageToken
	}
	var want []string
	for _, chat := range w.Chats() {
		resp, err := client.Im.V1.Chat.Get(context.Background(), larkim.NewGetChatReqBuilder().ChatId(chat.ID).Build())
		if err != nil || !resp.Success() {
			t.Fatalf("get chat %s: %v %+v", chat.ID, err, resp)
		}
		got := [4]string{*resp.Data.Name, *resp.Data.ChatMode, deref(resp.Data.GroupMessageType), deref(resp.Data.OwnerId)}
		if got != [4]string{chat.Name, chat.Mode, chat.GroupMessageType, chat.OwnerID} {
			t.Errorf("chat %s is %q, want %+v", chat.ID, got, chat)
		}
		if chat.Mode != simulator.ModeP2P {
			want = append(want, chat.ID+" "+chat.Name)
		}
	}
	if len(want) != 11 || !reflect.DeepEqual(listed, want) {
		t.Errorf("listed %d chats %q, want %q", len(listed), listed, want)
	}
}

func TestVendorClientExpandsMergedForwards(t *testing.T) {
	w := world(t, simulator.Options{Chats: 30})
	client, api := vendor(t, w, simulator.FeishuConfig{})
	forwards, children, deepest := 0, 0, 0
	withheld := map[string]bool{}
	for _, chat := range w.Chats() {
		for _, m := range w.Everything(chat.ID) {
			if m.Type != "merge_forward" || m.State != simulator.Normal {
				continue
			}
			forwards++
			got := get(t, client, m.ID)
			compare(t, got[0], m)
			got = got[1:]
			nested := map[string]bool{}
			for _, child := range m.Children {
				if child.Withheld {
					nested[child.Under] = true
					continue
				}
				if len(got) == 0 {
					t.Fatalf("forward %s: child %s is not there", m.ID, child.ID)
				}
				compareChild(t, got[0], child)
				got = got[1:]
				deepest = max(deepest, child.Depth)
				children++
			}
			if len(got) > 0 {
				t.Errorf("forward %s: %d items too many", m.ID, len(got))
			}
			for id := range nested {
				for _, item := range get(t, client, id)[1:] {
					withheld[*item.MessageId] = true
				}
			}
		}
	}
	if forwards < 50 || children < 4*forwards || deepest != 4 || len(withheld) == 0 {
		t.Errorf("%d forwards with %d children, %d deep, %d withheld: not the mix that is promised", forwards, children, deepest, len(withheld))
	}
	if r := api.Report(); r.Children != children+len(withheld) {
		t.Errorf("report says %d children, want %d", r.Children, children+len(withheld))
	}
}

func compareChild(t *testing.T, got *larkim.Message, child simulator.Child) {
	t.Helper()
	want := child.Message
	if want.State == simulator.Recalled {
		if got.Body.Content != nil {
			t.Errorf("child %s: recalled, and still has content", want.ID)
		}
		recalled := "This message was recalled"
		got.Body.Content = &recalled
	}
	compare(t, got, want)
	if deref(got.UpperMessageId) != child.UpperID {
		t.Errorf("child %s: upper is %q, want %q", want.ID, deref(got.UpperMessageId), child.UpperID)
	}
}

func get(t *testing.T, client *lark.Client, id string) []*larkim.Message {
	t.Helper()
	resp, err := client.Im.V1.Message.Get(context.Background(), larkim.NewGetMessageReqBuilder().MessageId(id).Build())
	if err != nil || !resp.Success() {
		t.Fatalf("get %s: %v %+v", id, err, resp)
	}
	return resp.Data.Items
}

func TestGetTellsWhatBecameOfAParent(t *testing.T) {
	w := world(t, simulator.Options{Chats: 16, Mix: simulator.Mix{Missing: 60}})
	client, _ := vendor(t, w, simulator.FeishuConfig{})
	codes := map[simulator.Fate]int{simulator.FateUnknown: 99992354, simulator.FateDeleted: 230110, simulator.FateForeign: 230002,
		simulator.FateInvisible: 230050, simulator.FateHidden: 0, simulator.FateElsewhere: 0}
	seen := map[simulator.Fate]int{}
	for _, chat := range w.Chats() {
		for _, m := range w.Messages(chat.ID) {
			code, lost := codes[m.ParentFate]
			if !lost {
				continue
			}
			seen[m.ParentFate]++
			resp, err := client.Im.V1.Message.Get(context.Background(), larkim.NewGetMessageReqBuilder().MessageId(m.ParentID).Build())
			if err != nil || resp.Code != code {
				t.Fatalf("%s parent %s: %v, code %d, want %d", m.ParentFate, m.ParentID, err, resp.Code, code)
			}
			if code == 0 && (m.ParentFate == simulator.FateElsewhere) == (*resp.Data.Items[0].ChatId == chat.ID) {
				t.Errorf("%s parent %s is of chat %s", m.ParentFate, m.ParentID, *resp.Data.Items[0].ChatId)
			}
		}
	}
	for fate := range codes {
		if seen[fate] < 10 {
			t.Errorf("only %d parents are %s", seen[fate], fate)
		}
	}
}
