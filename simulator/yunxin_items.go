package simulator

import (
	"encoding/json"
	"strconv"
)

// The shape of a message follows the pages of batch_messages and of history, v2 and v2.1, with the ways in which the
// vendor's own samples contradict them.

type yunxinItem struct {
	MessageServerID    json.RawMessage   `json:"message_server_id"`
	ConversationType   int               `json:"conversation_type,omitempty"`
	SenderID           string            `json:"sender_id"`
	MessageType        int               `json:"message_type"`
	CreateTime         int64             `json:"create_time"`
	MessageClientID    string            `json:"message_client_id,omitempty"`
	SenderClientType   json.RawMessage   `json:"sender_client_type,omitempty"`
	Text               string            `json:"text,omitempty"`
	Attachment         json.RawMessage   `json:"attachment,omitempty"`
	Extension          string            `json:"extension,omitempty"`
	TeamID             int64             `json:"team_id,omitempty"`
	ReceiverID         string            `json:"receiver_id,omitempty"`
	SubType            int               `json:"sub_type,omitempty"`
	ModifyAccountID    string            `json:"modify_account_id,omitempty"`
	ModifyTime         int64             `json:"modify_time,omitempty"`
	ThreadConfig       *yunxinThread     `json:"thread_config,omitempty"`
	ReceiverAccountIDs []string          `json:"receiver_account_ids,omitempty"`
	Inclusive          *bool             `json:"inclusive,omitempty"`
	NewMemberVisible   *bool             `json:"new_member_visible,omitempty"`
	Tomorrow           map[string]string `json:"field_of_tomorrow,omitempty"`
}

type yunxinThread struct {
	Root  yunxinRef `json:"thread_root"`
	Reply yunxinRef `json:"thread_reply"`
}

type yunxinRef struct {
	SenderID        string          `json:"sender_id"`
	ReceiverID      string          `json:"receiver_id"`
	CreateTime      int64           `json:"create_time"`
	MessageServerID json.RawMessage `json:"message_server_id,omitempty"`
	MessageClientID string          `json:"message_client_id,omitempty"`
}

// yunxinReply is yxReplyMsg of the UIKit before it had threads.
type yunxinReply struct {
	IDClient   string          `json:"idClient,omitempty"`
	Scene      string          `json:"scene"`
	From       string          `json:"from"`
	To         string          `json:"to"`
	ReceiverID string          `json:"receiverId"`
	IDServer   json.RawMessage `json:"idServer,omitempty"`
	Time       int64           `json:"time"`
}

// wireID writes an id in one of the ways that have been seen; an absent one as well. nil: no such field.
func wireID(id string, form int) json.RawMessage {
	if id == "" {
		return []json.RawMessage{json.RawMessage(`""`), json.RawMessage("0"), json.RawMessage("null"), nil}[form%4]
	}
	if form%2 == 0 {
		return json.RawMessage(id)
	}
	return json.RawMessage(`"` + id + `"`)
}

// receiver is how a reference names where it belongs: a team by its number as a string.
func (t *talk) receiver(m *YunxinMessage) string {
	switch {
	case t.Type != YunxinP2P:
		return strconv.FormatInt(t.TeamID, 10)
	case m != nil:
		return m.Receiver
	}
	return t.Other
}

func (t *talk) wireRef(r *ref) yunxinRef {
	told := r.told("", "")
	return yunxinRef{SenderID: told.SenderID, ReceiverID: t.receiver(r.target), CreateTime: told.CreatedAt,
		MessageServerID: wireID(told.MessageID, r.form), MessageClientID: told.ClientID}
}

// reply writes a quote of the extension. Its id is a string but for one in five.
func (t *talk) reply(r *ref) yunxinReply {
	told, form := r.told("", ""), r.form
	if told.MessageID != "" {
		form = min(r.form%5, 1)
	}
	return yunxinReply{IDClient: told.ClientID, Scene: []string{"", "p2p", "team", "superTeam"}[t.Type], From: told.SenderID,
		To: t.receiver(r.target), ReceiverID: t.receiver(r.target), IDServer: wireID(told.MessageID, form), Time: told.CreatedAt}
}

// extension is the sender's free string of a message, with what else belongs into it.
func (t *talk) extension(m *YunxinMessage, more map[string]any) string {
	if m.told != nil && m.told.legacy != nil {
		more["yxReplyMsg"] = t.reply(m.told.legacy)
	}
	if m.body.mentions != nil {
		more["yxAitMsg"] = m.body.mentions
	}
	if len(more) == 0 {
		return m.body.extension
	}
	return contentJSON(more)
}

// yunxinView is how a request wants items.
type yunxinView struct {
	newer  bool   // v2.1
	origin string // of merged files
}

// item renders a message. Some ids and numbers are strings, and some fields are missing, as has been seen.
func (w *YunxinWorld) item(t *talk, m *YunxinMessage, v yunxinView) json.RawMessage {
	c := w.seed.with("wire "+m.ConversationID, int(m.number))
	i := yunxinItem{MessageServerID: json.RawMessage(m.ID), SenderID: m.Sender, MessageType: m.Type, CreateTime: m.CreatedAt,
		MessageClientID: m.ClientID, Text: m.body.text, Extension: t.extension(m, map[string]any{}), ReceiverID: m.Receiver,
		ModifyAccountID: m.EditedBy, ModifyTime: m.EditedAt}
	if t.index%5 == 4 {
		i.MessageServerID = wireID(m.ID, 1)
	}
	if c.with("type", 0).below(4) > 0 {
		i.ConversationType = t.Type
	}
	if t.Type != YunxinP2P {
		i.TeamID = t.TeamID
	}
	i.SenderClientType = wireID(strconv.Itoa(m.ClientType), c.with("client", 0).below(3)/2)
	i.Attachment = w.wireAttachment(m, v.origin, c)
	if m.told != nil && m.told.root != nil {
		i.ThreadConfig = &yunxinThread{Root: t.wireRef(m.told.root), Reply: t.wireRef(m.told.parent)}
	}
	if m.Type == typeCustom || v.newer {
		i.SubType = m.SubType
	}
	if v.newer {
		i.newer(t, c)
	}
	return json.RawMessage(contentJSON(i))
}

// newer adds what only v2.1 tells, and a field that nobody knows yet.
func (i *yunxinItem) newer(t *talk, c chance) {
	yes, no := true, false
	if t.Type == YunxinTeam && c.with("targeted", 0).below(60) == 0 {
		i.ReceiverAccountIDs, i.Inclusive, i.NewMemberVisible = []string{t.Owner}, &yes, &no
	}
	if c.with("tomorrow", 0).below(50) == 0 {
		i.Tomorrow = map[string]string{"a": "b"}
	}
}

// wireAttachment is the attachment as the API tells it: mostly an object, now and then JSON in a string; null and absent
// where there is none.
func (w *YunxinWorld) wireAttachment(m *YunxinMessage, origin string, c chance) json.RawMessage {
	attachment := m.body.attachment()
	if m.file != nil {
		attachment = w.envelope(m.file, origin)
	}
	switch {
	case attachment == "" && c.with("null", 0).below(9) == 0:
		return json.RawMessage("null")
	case attachment == "":
		return nil
	case m.body.quoted:
		return json.RawMessage(contentJSON(attachment))
	}
	return json.RawMessage(attachment)
}
