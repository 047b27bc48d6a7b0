package simulator

import (
	"net/http"
	"strconv"
)

// wireChat is an item of https://open.feishu.cn/document/server-docs/group/chat/list and, with the fields from ChatMode
// on, the answer of https://open.feishu.cn/document/server-docs/group/chat/get-2
type wireChat struct {
	ChatID           string `json:"chat_id,omitempty"`
	Avatar           string `json:"avatar"`
	Name             string `json:"name"`
	Description      string `json:"description"`
	OwnerID          string `json:"owner_id,omitempty"`
	OwnerIDType      string `json:"owner_id_type,omitempty"`
	External         bool   `json:"external"`
	TenantKey        string `json:"tenant_key"`
	ChatStatus       string `json:"chat_status"`
	ChatMode         string `json:"chat_mode,omitempty"`
	GroupMessageType string `json:"group_message_type,omitempty"`
	ChatType         string `json:"chat_type,omitempty"`
	ChatTag          string `json:"chat_tag,omitempty"`
	UserCount        string `json:"user_count,omitempty"`
	BotCount         string `json:"bot_count,omitempty"`
}

func (w *World) wireChat(room *chatRoom, v view) wireChat {
	c := wireChat{ChatID: room.ID, Avatar: "https://files.example.com/avatar/" + room.ID[3:11] + ".png", Name: room.Name,
		Description: room.Description, TenantKey: w.options.TenantKey, ChatStatus: "normal"}
	if room.OwnerID != "" {
		c.OwnerID, c.OwnerIDType = v.userID(room.OwnerID), v.kind()
	}
	return c
}

// listChats serves GET /open-apis/im/v1/chats: the chats that the bot is in, p2p left out.
func (f *Feishu) listChats(c *call, r *http.Request) *answer {
	q := r.URL.Query()
	size, refused := pageSize(q, 100)
	if refused != nil {
		return refused
	}
	sort := q.Get("sort_type")
	if sort == "" {
		sort = "ByCreateTimeAsc"
	}
	if sort != "ByCreateTimeAsc" && sort != "ByActiveTimeDesc" {
		return refuseField("sort_type", sort, "sort_type is optional, optional values: [ByCreateTimeAsc,ByActiveTimeDesc]")
	}
	place, ok := f.openPlace(c, "chats|"+sort)
	if !ok {
		return wrong(refuse(codeChatsParameter, "invalid page_token"))
	}
	f.world.mu.RLock()
	defer f.world.mu.RUnlock()
	rooms, n := f.world.chats, len(f.world.chats)
	items, next, more := []wireChat{}, int(place.index), false
	for ; next < n; next++ {
		room := rooms[next]
		if sort == "ByActiveTimeDesc" {
			room = rooms[n-1-next] // the newest chats of the corpus are the ones active last
		}
		if room.Mode == ModeP2P {
			continue
		}
		if more = len(items) == size; more {
			break
		}
		items = append(items, f.world.wireChat(room, view{idType: q.Get("user_id_type")}))
	}
	token := ""
	if more {
		token = pageToken{epoch: place.epoch, index: uint32(next)}.seal("chats|" + sort)
	}
	f.keepPlace(token)
	return answerJSON(http.StatusOK, 0, envelope{Msg: "success", Data: struct {
		Items     []wireChat `json:"items"`
		PageToken string     `json:"page_token"`
		HasMore   bool       `json:"has_more"`
	}{items, token, more}})
}

// getChat serves GET /open-apis/im/v1/chats/:chat_id. Of a chat that the bot is not in it tells little.
func (f *Feishu) getChat(c *call, r *http.Request) *answer {
	f.world.mu.RLock()
	defer f.world.mu.RUnlock()
	room := f.world.rooms[c.container]
	if room == nil {
		return refuse(codeChatInvalid, "")
	}
	item := f.world.wireChat(room, view{idType: r.URL.Query().Get("user_id_type")})
	item.ChatID = ""
	item.UserCount, item.BotCount = strconv.Itoa(room.People), "1"
	if !room.foreign {
		item.ChatMode, item.GroupMessageType = room.Mode, room.GroupMessageType
		if room.Mode != ModeP2P {
			item.ChatType, item.ChatTag = "private", "inner"
		}
	}
	return answerJSON(http.StatusOK, 0, envelope{Msg: "success", Data: item})
}
