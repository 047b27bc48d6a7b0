package feishu

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/decode"
)

// ChatsListAPI names the endpoint that lists the bot's chats, in errors and budgets. Its answers are no pages: they belong
// to no conversation.
const ChatsListAPI = "feishu.im.v1.chats.list"

// chatsQuery asks for as many chats as the API gives at once. By creation, because an order by activity can skip chats
// that become active while it is read.
const chatsQuery = "page_size=100&sort_type=ByCreateTimeAsc"

// maxName is the most of a chat's name that is kept, in bytes.
const maxName = 1 << 10

// Chat is a chat that the bot is in.
type Chat struct {
	ID     string // oc_…
	Name   string // may be empty
	Status string // normal, dissolved or dissolved_save, "" where it is not told; dissolved chats can often still be read
}

// Chats gives the chats that the bot is in, each once, the oldest first; chats with a single person are not among them,
// for the platform lists none (https://open.feishu.cn/document/server-docs/group/chat/list). An error ends the
// sequence; what came before it stands. Errors are *connectors.Error, or ctx's: also where page tokens run in circles,
// and, after all others were given, where a chat has no id that a container could be named by.
func Chats(ctx context.Context, call connectors.Call) iter.Seq2[Chat, error] {
	return func(yield func(Chat, error) bool) {
		token, unnamed := "", 0
		seen, guard := make(map[string]bool), memory{}
		for {
			page, err := chatsAt(ctx, call, token)
			if err != nil {
				yield(Chat{}, err)
				return
			}
			for _, c := range page.chats {
				switch {
				case !usableID(c.ID):
					unnamed++
				case !seen[c.ID]:
					seen[c.ID] = true
					if !yield(c, nil) {
						return
					}
				}
			}
			if !page.more {
				break
			}
			if failed := guard.follow(&page.listing); failed != nil {
				yield(Chat{}, chatsError(failed.Code, failed.Message))
				return
			}
			token = page.token
		}
		if unnamed > 0 {
			yield(Chat{}, chatsError(classMissingID, strconv.Itoa(unnamed)+" chats have no usable chat_id and were left out"))
		}
	}
}

func chatsError(code, message string) *connectors.Error {
	return &connectors.Error{Class: connectors.ClassContainer, API: ChatsListAPI, Code: code, Message: message}
}

// chatsPage is one answer: the chats, and what is needed to go on.
type chatsPage struct {
	listing
	chats []Chat
}

func chatsAt(ctx context.Context, call connectors.Call, token string) (chatsPage, error) {
	query := chatsQuery
	if token != "" {
		query += "&page_token=" + url.QueryEscape(token)
	}
	resp, err := call(ctx, connectors.Request{API: ChatsListAPI, Method: http.MethodGet, Path: chatsPath, Query: query})
	if err != nil {
		return chatsPage{}, err
	}
	page, ok := readChats(resp.Body)
	if !ok {
		return page, api.NoPaging(resp, resp.Calls, "chats")
	}
	return page, nil
}

// readChats reads a body whose code is 0. It reports false where the body does not say whether there is more.
func readChats(body []byte) (page chatsPage, ok bool) {
	p := decode.Borrow()
	defer p.Return()
	v, err := p.Parse(body)
	data := v.Get("data")
	if err != nil || !page.paging(data) {
		return page, false
	}
	items := data.Get("items")
	if items.Told() && items.Kind() != decode.Array {
		return page, false
	}
	for i := range items.Len() {
		item := items.At(i)
		name, _ := decode.Valid(item.Get("name").Word())
		status, _ := decode.Valid(item.Get("chat_status").Word())
		c := Chat{ID: item.Get("chat_id").Word(), Name: decode.Shorten(name, maxName), Status: decode.Shorten(status, maxName)}
		page.chats = append(page.chats, c)
		page.items = append(page.items, entry{id: c.ID})
	}
	return page, true
}
