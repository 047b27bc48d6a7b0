package simulator

import (
	"encoding/json"
	"strconv"
	"strings"
)

// The shape of an item follows https://open.feishu.cn/document/server-docs/im-v1/message/list and, for positions,
// sync_to_chat_info and sender_name, which that page leaves out, the vendor's Node SDK.

type wireSender struct {
	ID         string `json:"id"`
	IDType     string `json:"id_type"`
	SenderType string `json:"sender_type"`
	TenantKey  string `json:"tenant_key"`
	SenderName string `json:"sender_name,omitempty"`
}

type wireBody struct {
	Content *string `json:"content,omitempty"`
}

type wireMention struct {
	Key       string `json:"key"`
	ID        string `json:"id"`
	IDType    string `json:"id_type"`
	Name      string `json:"name"`
	TenantKey string `json:"tenant_key"`
}

// wireSync says that a message stands both in a thread and in the chat: type 1 is the copy in the chat, 2 the original.
type wireSync struct {
	Type             int    `json:"type"`
	RelatedMessageID string `json:"related_message_id"`
	ThreadID         string `json:"thread_id,omitempty"`
}

type wireItem struct {
	MessageID      string          `json:"message_id"`
	RootID         string          `json:"root_id,omitempty"`
	ParentID       string          `json:"parent_id,omitempty"`
	ThreadID       string          `json:"thread_id,omitempty"`
	MsgType        string          `json:"msg_type"`
	CreateTime     string          `json:"create_time"`
	UpdateTime     string          `json:"update_time"`
	Deleted        bool            `json:"deleted"`
	Updated        bool            `json:"updated"`
	ChatID         string          `json:"chat_id"`
	Sender         *wireSender     `json:"sender,omitempty"`
	Body           *wireBody       `json:"body,omitempty"`
	Mentions       []wireMention   `json:"mentions,omitempty"`
	UpperMessageID string          `json:"upper_message_id,omitempty"`
	Position       json.RawMessage `json:"message_position,omitempty"`
	ThreadPosition json.RawMessage `json:"thread_message_position,omitempty"`
	SyncToChatInfo *wireSync       `json:"sync_to_chat_info,omitempty"`
}

// view is how a request wants items.
type view struct {
	names  bool   // with_sender_name=true
	cards  bool   // card_msg_content_type=user_card_content
	single bool   // by id: the content of a recalled message is left out
	idType string // open_id, union_id, user_id
}

const recalledContent = "This message was recalled"

// userID is a person's id in the kind asked for; the three kinds of one person share their digits here.
func (v view) userID(openID string) string {
	switch {
	case v.idType == "union_id" && strings.HasPrefix(openID, "ou_"):
		return "on_" + openID[3:]
	case v.idType == "user_id" && strings.HasPrefix(openID, "ou_"):
		return openID[3:11]
	}
	return openID
}

// item renders a message; upper is its upper_message_id. Its chat decides whether positions are strings or numbers:
// both have been seen.
func (w *World) item(m *Message, upper string, v view) json.RawMessage {
	i := wireItem{MessageID: m.ID, ParentID: m.ParentID, ThreadID: m.ThreadID, MsgType: m.Type,
		CreateTime: strconv.FormatInt(m.CreatedAt, 10), UpdateTime: strconv.FormatInt(m.UpdatedAt, 10),
		Deleted: m.State == Recalled, Updated: m.Edited, ChatID: m.ChatID, UpperMessageID: upper, Body: &wireBody{}}
	if m.RootTold {
		i.RootID = m.RootID
	}
	content := m.Content
	if v.cards && m.Card != "" {
		content = m.Card
	}
	switch {
	case m.State != Recalled:
		i.Body.Content = &content
		for _, mention := range m.Mentions {
			i.Mentions = append(i.Mentions, wireMention{mention.Key, v.userID(mention.ID), v.kind(), mention.Name, mention.TenantKey})
		}
	case !v.single:
		content = recalledContent
		i.Body.Content = &content
	}
	i.Sender = v.sender(m.Sender)
	numbers := false
	if room := w.rooms[m.ChatID]; room != nil {
		numbers = room.index%4 == 1
	}
	i.Position, i.ThreadPosition = position(m.Position, numbers), position(m.ThreadPosition, numbers)
	if m.CopyOf != "" {
		i.SyncToChatInfo = &wireSync{Type: 1, RelatedMessageID: m.CopyOf, ThreadID: w.threadOf(m.CopyOf)}
	} else if m.CopiedTo != "" {
		i.SyncToChatInfo = &wireSync{Type: 2, RelatedMessageID: m.CopiedTo}
	}
	encoded, err := json.Marshal(i)
	if err != nil {
		return json.RawMessage("null")
	}
	return encoded
}

func (v view) kind() string {
	if v.idType == "" {
		return "open_id"
	}
	return v.idType
}

// sender is absent where nobody is told.
func (v view) sender(s Sender) *wireSender {
	if s == (Sender{}) {
		return nil
	}
	w := &wireSender{ID: v.userID(s.ID), IDType: s.IDType, SenderType: s.Type, TenantKey: s.TenantKey}
	if s.IDType == "open_id" {
		w.IDType = v.kind()
	}
	if v.names {
		w.SenderName = s.Name
	}
	return w
}

func position(p int64, number bool) json.RawMessage {
	switch {
	case p < 0:
		return nil
	case number:
		return strconv.AppendInt(nil, p, 10)
	}
	return json.RawMessage(`"` + strconv.FormatInt(p, 10) + `"`)
}

func (w *World) threadOf(id string) string {
	if m := w.byID[id]; m != nil {
		return m.ThreadID
	}
	return ""
}
