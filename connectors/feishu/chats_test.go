package feishu_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
)

// chatsAPI serves lists of chats by page token, and remembers the queries.
func chatsAPI(t *testing.T, pages map[string]string) *fakeAPI {
	var f *fakeAPI
	f = newFake(t, func(w http.ResponseWriter, r *http.Request) {
		body, status := pages[r.URL.Query().Get("page_token")], 200
		if strings.Contains(body, `"code":2`) {
			status = 400
		}
		f.send(w, status, body)
	})
	return f
}

func chatsPage(token string, more bool, items ...string) string {
	return fmt.Sprintf(`{"code":0,"msg":"ok","data":{"items":[%s],"page_token":%q,"has_more":%t}}`, strings.Join(items, ","), token, more)
}

func chat(id, name, status string) string {
	return fmt.Sprintf(`{"chat_id":%q,"name":%q,"chat_status":%q,"owner_id":"ou_1"}`, id, name, status)
}

// listed gives the chats in short, and the error that ended them.
func listed(ctx context.Context, f *fakeAPI) (got []string, err error) {
	for c, e := range feishu.Chats(ctx, f.call()) {
		if e != nil {
			return got, e
		}
		got = append(got, c.ID+" "+c.Name+" "+c.Status)
	}
	return got, nil
}

func TestChatsAreListedToTheEnd(t *testing.T) {
	f := chatsAPI(t, map[string]string{
		"":    chatsPage("a/b", true, chat("oc_1", "one", "normal"), chat("oc_2", "", "dissolved"), chat("oc_3", "three", "dissolved_save")),
		"a/b": chatsPage("c", true),
		"c":   chatsPage("d", true, chat("oc_3", "three", "dissolved_save"), `{"chat_id":"oc_4"}`),
		// The vendor's samples show a page token on the last page: has_more alone counts.
		"d": chatsPage("e", false, "{\"chat_id\":\"oc_5\",\"name\":\"five\xff\",\"chat_status\":\"normal\"}"),
	})
	got, err := listed(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "chats", got, []string{"oc_1 one normal", "oc_2  dissolved", "oc_3 three dissolved_save", "oc_4  ", "oc_5 five\uFFFD normal"})
	const path = "GET /open-apis/im/v1/chats?page_size=100&sort_type=ByCreateTimeAsc"
	same(t, "asked", f.requests(), []string{path, path + "&page_token=a%2Fb", path + "&page_token=c", path + "&page_token=d"})
}

func TestChatsThatDoNotEnd(t *testing.T) {
	circle := map[string]string{"": chatsPage("a", true, chat("oc_1", "", "")), "a": chatsPage("b", true, chat("oc_2", "", "")), "b": chatsPage("a", true, chat("oc_3", "", ""))}
	empty := map[string]string{"": chatsPage("p1", true, chat("oc_1", "", ""))}
	for i := range 60 {
		empty[fmt.Sprintf("p%d", i+1)] = chatsPage(fmt.Sprintf("p%d", i+2), true)
	}
	for name, c := range map[string]struct {
		pages map[string]string
		chats int
		code  string
		class connectors.Class
	}{
		"tokens in a circle":      {circle, 3, "token_repeated", connectors.ClassContainer},
		"empty pages without end": {empty, 1, "no_progress", connectors.ClassContainer},
		"more without a token":    {map[string]string{"": chatsPage("", true, chat("oc_1", "", ""))}, 1, "token_missing", connectors.ClassContainer},
		"a chat without an id":    {map[string]string{"": chatsPage("", false, `{"name":"x"}`, `null`, chat("..", "", ""), chat("oc_1", "", ""))}, 1, "missing_id", connectors.ClassContainer},
		"no word of more":         {map[string]string{"": `{"code":0,"data":{"items":[],"page_token":"x"}}`}, 0, "unreadable", connectors.ClassUnavailable},
		"no data":                 {map[string]string{"": `{"code":0}`}, 0, "unreadable", connectors.ClassUnavailable},
		"items that are none":     {map[string]string{"": `{"code":0,"data":{"items":{},"has_more":false}}`}, 0, "unreadable", connectors.ClassUnavailable},
		"no bot":                  {map[string]string{"": `{"code":232025,"msg":"bot"}`}, 0, "232025", connectors.ClassFatal},
		"a token that is refused": {map[string]string{"": chatsPage("a", true, chat("oc_1", "", "")), "a": `{"code":232001,"msg":"page_token"}`}, 1, "232001", connectors.ClassContainer},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listed(t.Context(), chatsAPI(t, c.pages))
			var e *connectors.Error
			if len(got) != c.chats || !errors.As(err, &e) || e.Code != c.code || e.Class != c.class || e.API != feishu.ChatsListAPI {
				t.Errorf("%d chats %v, %v; want %d and code %s", len(got), got, err, c.chats, c.code)
			}
		})
	}
}

func TestChatsStop(t *testing.T) {
	f := chatsAPI(t, map[string]string{"": chatsPage("a", true, chat("oc_1", "", ""), chat("oc_2", "", ""))})
	for c, err := range feishu.Chats(t.Context(), f.call()) {
		if c.ID != "oc_1" || err != nil {
			t.Errorf("%+v, %v", c, err)
		}
		break
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d calls after one chat was taken", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := listed(ctx, f); len(got) != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", got, err)
	}
}
