package feishu

import (
	"chatlake/connectors"
	"chatlake/schemas"
)

// Limits of single values, in bytes, and of lists. The platform's own are far lower; without any, one hostile item
// could make a record that no topic takes.
const (
	maxID     = 1 << 10
	maxField  = 64 << 10
	maxParts  = 10_000 // mentions or attachments
	maxIssues = 64
)

// The span of times that count as told, 2000-01-01 up to 2100-01-01.
const (
	minTime schemas.Millis = 946_684_800_000
	maxTime schemas.Millis = 4_102_444_800_000
)

// Words of item fields.
const (
	openID         = "open_id"
	senderSystem   = "system"
	syncIsChatCopy = 1 // sync_to_chat_info.type: this message is the copy in the chat of a reply in a thread
)

// decodeItem reads one item of data.items into m, a zero message, but for what depends on the place where it stands:
// record_id, occurred_at, event_date, and of forward all that a child has. An item that is no message is told by a
// class and why.
//
// Fields are those of https://open.feishu.cn/document/server-docs/im-v1/message/list; message_position,
// thread_message_position, sender.sender_name and sync_to_chat_info are in the vendor's client libraries only.
func (d *Decoder) decodeItem(item connectors.JSON, m *schemas.Message) (class, message string) {
	if item.Kind() != connectors.Object {
		return classBadItem, "item is " + item.Kind().String() + ", not an object"
	}
	d.m = m
	var f fields
	f.read(item)
	m.MessageID = d.str(f.messageID, "message_id")
	switch {
	case m.MessageID == "":
		return classMissingID, "item has no message_id"
	case len(m.MessageID) > maxID:
		return classMissingID, "message_id is too long to be one"
	}
	m.Platform, m.TenantID, m.AppID = schemas.Feishu, d.at.tenant, d.at.app
	m.ConversationID, m.ConversationKind = d.at.conversation, schemas.ConversationUnknown
	m.MessageType = d.kindWord(f.msgType)
	recalled := d.times(&f)
	d.sender(f.sender)
	d.relations(&f)
	m.Forward = schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable}
	if m.MessageType == typeMergeForward && !recalled {
		m.Forward = schemas.Forward{Role: schemas.ForwardContainer, Expansion: "UNKNOWN"}
	}
	d.contents(&f, recalled)
	return "", ""
}

// fields are the fields of an item. They are gathered in one pass, because to look up each by its name, and most are
// not there, costs as much as the rest of decoding.
type fields struct {
	messageID, msgType, createTime, updateTime, deleted, updated, sender, body, mentions connectors.JSON
	position, threadPosition, threadID, sync, parentID, rootID                           connectors.JSON
}

func (f *fields) read(item connectors.JSON) {
	for key, v := range item.Fields() {
		if at := f.at(key); at != nil && at.Kind() == connectors.Absent {
			*at = v
		}
	}
}

func (f *fields) at(key string) *connectors.JSON {
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
	}
	return nil
}

// times reads when the message was sent, edited and recalled, and reports whether it was recalled.
//
// update_time is the edit's or the recall's time, or repeats create_time where there was neither.
func (d *Decoder) times(f *fields) (recalled bool) {
	m := d.m
	created, told := d.time(f.createTime, "created_at", schemas.IssueDefaulted)
	updated, changed := d.time(f.updateTime, "updated_at", schemas.IssueNulled)
	recalled = d.flag(f.deleted, "state")
	m.IsEdited = d.flag(f.updated, "is_edited")
	m.CreatedAt = created
	m.SourceRevision = int64(max(created, updated))
	m.State = schemas.MessageNormal
	later := changed && told && updated > created
	if changed && m.IsEdited || later && !recalled {
		m.UpdatedAt = d.mem.times.put(updated)
	}
	if recalled {
		m.State = schemas.MessageRecalled
		if later {
			m.RecalledAt = d.mem.times.put(updated)
		}
	}
	return recalled
}

// sender reads who sent the message. An anonymous one may have no id, and a system message no sender at all.
func (d *Decoder) sender(v connectors.JSON) {
	s := &d.m.Sender
	if v.Kind() == connectors.Object {
		s.ID = d.str(v.Get("id"), "sender.id")
		s.IDType = d.str(v.Get("id_type"), "sender.id_type")
		s.Kind = d.str(v.Get("sender_type"), "sender.kind")
		s.TenantID = d.mem.optional(d.str(v.Get("tenant_key"), "sender.tenant_id"))
		s.Name = d.mem.optional(d.str(v.Get("sender_name"), "sender.name"))
	} else if v.Told() {
		d.issue("sender", schemas.IssueDefaulted, "is "+v.Kind().String()+", not an object")
	} else if d.m.MessageType != typeSystem {
		d.issue("sender", schemas.IssueDefaulted, "is not told")
	}
	if s.Kind == "" && d.m.MessageType == typeSystem {
		s.Kind = senderSystem
	}
}

// relations reads what ties the message to others: its places in chat and thread, parent and root.
//
// parent_id and root_id stand for the message answered and the first of its reply tree; in a thread both are the
// thread's first message. A message never links to itself.
func (d *Decoder) relations(f *fields) {
	m := d.m
	m.ConversationSeq = d.whole(f.position, "conversation_seq")
	m.ThreadSeq = d.whole(f.threadPosition, "thread_seq")
	m.ThreadID = d.mem.optional(d.id(f.threadID, "thread_id"))
	if sync := f.sync; sync.Kind() == connectors.Object {
		if kind, _ := sync.Get("type").Int(); kind == syncIsChatCopy {
			m.CopyOfMessageID = d.mem.optional(d.id(sync.Get("related_message_id"), "copy_of_message_id"))
		}
	}
	parent, root := d.id(f.parentID, "parent"), d.id(f.rootID, "root")
	first := root == m.MessageID
	if parent == m.MessageID {
		parent = ""
	}
	if first {
		root = ""
	}
	m.IsThreadRoot = m.ThreadID != nil && (first || root == "" && parent == "")
	m.Parent, m.Root = d.link(parent), d.link(root)
	if parent != "" && root == "" {
		m.Root.Status = schemas.LinkPending // its id follows from the parent's root
	}
}

func (d *Decoder) link(id string) schemas.Link {
	if id == "" {
		return schemas.Link{Status: schemas.LinkNone}
	}
	return schemas.Link{Status: schemas.LinkPending, MessageID: d.mem.strings.put(id)}
}

// issue notes a repair to the message in hand.
func (d *Decoder) issue(field, action, reason string) {
	switch n := len(d.m.Issues); {
	case n < maxIssues-1:
		d.m.AddIssue(field, action, reason)
	case n == maxIssues-1:
		d.m.AddIssue("issues", schemas.IssueTruncated, "there are more")
	}
}

// str reads a string, kept, valid UTF-8 and of a bearable length. What is none is "", with an issue where it is not
// plainly absent.
func (d *Decoder) str(v connectors.JSON, field string) string {
	if s, ok := v.Str(); ok {
		return d.mem.keep(d.bounded(d.valid(s, field), field))
	}
	switch v.Kind() {
	case connectors.Absent, connectors.Null:
		return ""
	case connectors.Number:
		d.issue(field, schemas.IssueCoerced, "is a number, not a string")
		d.raw = v.AppendRaw(d.raw[:0])
		return d.mem.keep(d.bounded(d.valid(string(d.raw), field), field))
	default:
		d.issue(field, schemas.IssueNulled, "is "+v.Kind().String()+", not a string")
		return ""
	}
}

// id reads the id of another message or of a thread; one that is too long to be one counts as not told.
func (d *Decoder) id(v connectors.JSON, field string) string {
	s := d.str(v, field)
	if len(s) > maxID {
		d.issue(field, schemas.IssueNulled, "is too long to be an id")
		return ""
	}
	return s
}

// valid repairs invalid UTF-8.
func (d *Decoder) valid(s, field string) string {
	if d.clean {
		return s
	}
	s, repaired := connectors.Valid(s)
	if repaired {
		d.issue(field, schemas.IssueCoerced, "is not valid UTF-8")
	}
	return s
}

// bounded cuts s at maxField.
func (d *Decoder) bounded(s, field string) string {
	if len(s) <= maxField {
		return s
	}
	d.issue(field, schemas.IssueTruncated, "is longer than 64 KiB")
	return shorten(s, maxField)
}

// absent reports whether v tells nothing: the platform sends "" as well as null or no field.
func absent(v connectors.JSON) bool {
	if s, text := v.Str(); text {
		return s == ""
	}
	return !v.Told()
}

// time reads an instant in milliseconds, told as a number or as digits. action says what becomes of the field where
// there is a value that is none, which then counts as not told; a field that is DEFAULTED must be there.
func (d *Decoder) time(v connectors.JSON, field, action string) (t schemas.Millis, told bool) {
	if absent(v) {
		if action == schemas.IssueDefaulted {
			d.issue(field, action, "is not told")
		}
		return 0, false
	}
	n, ok := v.Int()
	t = schemas.Millis(n)
	switch {
	case !ok:
		d.issue(field, action, "is not a whole number of milliseconds")
	case t < minTime || t >= maxTime:
		d.issue(field, action, "is not between 2000 and 2100")
	default:
		return t, true
	}
	return 0, false
}

// whole reads a whole number, told as a number or as digits.
func (d *Decoder) whole(v connectors.JSON, field string) *int64 {
	if absent(v) {
		return nil
	}
	n, ok := v.Int()
	if !ok {
		d.issue(field, schemas.IssueNulled, "is not a whole number")
		return nil
	}
	return d.mem.ints.put(n)
}

// flag reads a boolean. Words and numbers that plainly mean one are taken for it.
func (d *Decoder) flag(v connectors.JSON, field string) bool {
	if b, ok := v.Bool(); ok || !v.Told() {
		return b
	}
	d.raw = v.AppendRaw(d.raw[:0])
	switch string(d.raw) {
	case `"true"`, `"1"`, `1`:
		d.issue(field, schemas.IssueCoerced, "is "+v.Kind().String()+", not a boolean")
		return true
	case `"false"`, `"0"`, `0`:
		d.issue(field, schemas.IssueCoerced, "is "+v.Kind().String()+", not a boolean")
		return false
	}
	d.issue(field, schemas.IssueDefaulted, "is "+v.Kind().String()+", not a boolean")
	return false
}
