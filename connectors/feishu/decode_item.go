package feishu

import (
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Words of item fields.
const (
	openID         = "open_id"
	senderSystem   = "system"
	syncIsChatCopy = 1 // sync_to_chat_info.type: this message is the copy in the chat of a reply in a thread
)

// decodeItem reads one item of data.items into m, a zero message, but for what depends on the place where it stands:
// record_id, occurred_at, event_date, and of forward all that a child has. It gives the chat that the item names, in the
// parser's memory. An item that is no message is told by a class and why.
//
// Fields are those of https://open.feishu.cn/document/server-docs/im-v1/message/list; message_position,
// thread_message_position, sender.sender_name and sync_to_chat_info are in the vendor's client libraries only.
func (d *reader) decodeItem(item decode.JSON, m *schemas.Message) (chat, class, message string) {
	if item.Kind() != decode.Object {
		return "", classBadItem, "item is " + item.Kind().String() + ", not an object"
	}
	d.Begin(m)
	var f fields
	f.read(item)
	m.MessageID = d.Str(f.messageID, "message_id")
	switch {
	case m.MessageID == "":
		return "", classMissingID, "item has no message_id"
	case len(m.MessageID) > decode.MaxID:
		return "", classMissingID, "message_id is too long to be one"
	}
	d.decodeFields(&f)
	return d.peek(f.chatID), "", ""
}

// decodeChild is decodeItem for an item that stands in a merged forward, which may lack an id. upper is the id of what it
// stands in, as told.
func (d *reader) decodeChild(item decode.JSON, m *schemas.Message) (upper, class, message string) {
	if item.Kind() != decode.Object {
		return "", classBadItem, "item is " + item.Kind().String() + ", not an object"
	}
	d.Begin(m)
	var f fields
	f.read(item)
	if m.MessageID = d.ID(f.messageID, "message_id"); decode.Blank(f.messageID) {
		d.Issue("message_id", schemas.IssueDefaulted, "is not told")
	}
	d.decodeFields(&f)
	return d.ID(f.upper, "forward.parent_message_id"), "", ""
}

// decodeFields reads all but the message's id.
func (d *reader) decodeFields(f *fields) {
	m := d.M
	m.Platform, m.TenantID, m.AppID = schemas.Feishu, d.at.Tenant, d.at.App
	m.ConversationID, m.ConversationKind = d.at.Conversation, schemas.ConversationUnknown
	m.MessageType = d.kindWord(f.msgType)
	recalled := d.times(f)
	d.sender(f.sender)
	d.relations(f)
	m.Forward = schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable}
	if m.MessageType == typeMergeForward && !recalled {
		m.Forward = schemas.Forward{Role: schemas.ForwardContainer, Expansion: "UNKNOWN"}
	}
	d.contents(f, recalled)
}

// fields are the fields of an item. They are gathered in one pass, because to look up each by its name, and most are
// not there, costs as much as the rest of decoding.
type fields struct {
	messageID, msgType, createTime, updateTime, deleted, updated, sender, body, mentions decode.JSON
	position, threadPosition, threadID, sync, parentID, rootID, upper, chatID            decode.JSON
}

func (f *fields) read(item decode.JSON) {
	for key, v := range item.Fields() {
		if at := f.at(key); at != nil && at.Kind() == decode.Absent {
			*at = v
		}
	}
}

func (f *fields) at(key string) *decode.JSON {
	switch key {
	case "message_id":
		return &f.messageID
	case "msg_type":
		return &f.msgType
	case "create_time":
		return &f.createTime
	case "update_time":
		return &f.updateTime
	case "deleted":
		return &f.deleted
	case "updated":
		return &f.updated
	case "sender":
		return &f.sender
	case "body":
		return &f.body
	case "mentions":
		return &f.mentions
	case "message_position":
		return &f.position
	case "thread_message_position":
		return &f.threadPosition
	case "thread_id":
		return &f.threadID
	case "sync_to_chat_info":
		return &f.sync
	case "parent_id":
		return &f.parentID
	case "root_id":
		return &f.rootID
	case "upper_message_id":
		return &f.upper
	case "chat_id":
		return &f.chatID
	}
	return nil
}

// times reads when the message was sent, edited and recalled, and reports whether it was recalled.
//
// update_time is the edit's or the recall's time, or repeats create_time where there was neither.
func (d *reader) times(f *fields) (recalled bool) {
	m := d.M
	created, told := d.Time(f.createTime, "created_at", schemas.IssueDefaulted)
	updated, changed := d.Time(f.updateTime, "updated_at", schemas.IssueNulled)
	recalled = d.Flag(f.deleted, "state")
	m.IsEdited = d.Flag(f.updated, "is_edited")
	m.CreatedAt = created
	m.SourceRevision = int64(max(created, updated))
	m.State = schemas.MessageNormal
	later := changed && told && updated > created
	if changed && m.IsEdited || later && !recalled {
		m.UpdatedAt = d.Millis(updated)
	}
	if recalled {
		m.State = schemas.MessageRecalled
		if later {
			m.RecalledAt = d.Millis(updated)
		}
	}
	return recalled
}

// sender reads who sent the message. An anonymous one may have no id, and a system message no sender at all.
func (d *reader) sender(v decode.JSON) {
	s := &d.M.Sender
	if v.Kind() == decode.Object {
		s.ID = d.Str(v.Get("id"), "sender.id")
		s.IDType = d.Str(v.Get("id_type"), "sender.id_type")
		s.Kind = d.Str(v.Get("sender_type"), "sender.kind")
		s.TenantID = d.Optional(d.Str(v.Get("tenant_key"), "sender.tenant_id"))
		s.Name = d.Optional(d.Str(v.Get("sender_name"), "sender.name"))
	} else if v.Told() {
		d.Issue("sender", schemas.IssueDefaulted, "is "+v.Kind().String()+", not an object")
	} else if d.M.MessageType != typeSystem {
		d.Issue("sender", schemas.IssueDefaulted, "is not told")
	}
	if s.Kind == "" && d.M.MessageType == typeSystem {
		s.Kind = senderSystem
	}
}

// relations reads what ties the message to others: its places in chat and thread, parent and root.
//
// parent_id and root_id stand for the message answered and the first of its reply tree; in a thread both are the
// thread's first message. A message never links to itself.
func (d *reader) relations(f *fields) {
	m := d.M
	m.ConversationSeq = d.Whole(f.position, "conversation_seq")
	m.ThreadSeq = d.Whole(f.threadPosition, "thread_seq")
	m.ThreadID = d.Optional(d.ID(f.threadID, "thread_id"))
	if sync := f.sync; sync.Kind() == decode.Object {
		if kind, _ := sync.Get("type").Int(); kind == syncIsChatCopy {
			m.CopyOfMessageID = d.Optional(d.ID(sync.Get("related_message_id"), "copy_of_message_id"))
		}
	}
	parent, root := d.ID(f.parentID, "parent"), d.ID(f.rootID, "root")
	first := root != "" && root == m.MessageID
	if parent == m.MessageID {
		parent = ""
	}
	if first {
		root = ""
	}
	m.IsThreadRoot = m.ThreadID != nil && m.CopyOfMessageID == nil && (first || root == "" && parent == "")
	m.Parent, m.Root = d.link(parent), d.link(root)
	if parent != "" && root == "" {
		m.Root.Status = schemas.LinkPending // its id follows from the parent's root
	}
}

func (d *reader) link(id string) schemas.Link {
	if id == "" {
		return schemas.Link{Status: schemas.LinkNone}
	}
	return schemas.Link{Status: schemas.LinkPending, MessageID: d.String(id)}
}
