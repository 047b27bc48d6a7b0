package yunxin

import (
	"bytes"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Conversation types of the server API.
const (
	sceneP2P   = 1
	sceneTeam  = 2
	sceneSuper = 3
)

// accid is the kind of all account ids.
const accid = "accid"

// fields are the fields of one message, whatever the vocabulary that it is told in: a message of the server API, a line of
// a merged file, or a message within a message. They are gathered in one pass, because to look up each by its name, and
// most are not there, costs as much as the rest of decoding.
type fields struct {
	serverID, clientID, sender, senderName, avatar, receiver, team, scene, kind, subtype, created, client decode.JSON
	text, attachment, extension, modified, modifier, thread, targets, inclusive, visible                  decode.JSON
	lineScene, preview, device, resent, callback, push, robot, ai, stream                                 decode.JSON
	parent, root                                                                                          ref

	at     int  // place of the item in its page, -1 where its attachment is not to be cut out of that
	inline bool // attachment is the whole item, whose keys are those of both
	rare   bool // it has other keys than those of every message
}

// ref names another message.
type ref struct{ sender, created, serverID, clientID decode.JSON }

// vocabulary is the words that a message is told in.
type vocabulary uint8

// Vocabularies: of the server API, of the lines of merged files, and of messages within messages.
const (
	apiWords vocabulary = iota
	lineTags
	inlineWords
)

// read gathers the fields of an item. Of two equal keys the first counts.
func (f *fields) read(item decode.JSON, words vocabulary) {
	f.at = -1
	for key, v := range item.Fields() {
		var at *decode.JSON
		switch words { // a function value in place of this would cost each message an allocation
		case apiWords:
			at = f.apiKey(key)
		case lineTags:
			at = f.lineTag(key)
		case inlineWords:
			at = f.inlineKey(key)
		}
		if at != nil && at.Kind() == decode.Absent {
			*at = v
		}
	}
}

// apiKey tells what a key of the server API's message object means.
func (f *fields) apiKey(key string) *decode.JSON {
	switch key {
	case "message_server_id":
		return &f.serverID
	case "message_client_id":
		return &f.clientID
	case "sender_id":
		return &f.sender
	case "receiver_id":
		return &f.receiver
	case "team_id":
		return &f.team
	case "conversation_type":
		return &f.scene
	case "message_type":
		return &f.kind
	case "sub_type":
		return &f.subtype
	case "create_time":
		return &f.created
	case "sender_client_type":
		return &f.client
	case "text":
		return &f.text
	case "attachment":
		return &f.attachment
	case "extension":
		return &f.extension
	}
	return f.rareKey(key)
}

func (f *fields) rareKey(key string) *decode.JSON {
	f.rare = true
	switch key {
	case "modify_time":
		return &f.modified
	case "modify_account_id":
		return &f.modifier
	case "thread_config":
		return &f.thread
	case "receiver_account_ids":
		return &f.targets
	case "inclusive":
		return &f.inclusive
	case "new_member_visible":
		return &f.visible
	}
	return f.sentKey(key)
}

// sentKey tells what keys mean that requests to send a message have, and clients know, but that no page on reading names.
func (f *fields) sentKey(key string) *decode.JSON {
	switch key {
	case "callback_extension":
		return &f.callback
	case "push_config":
		return &f.push
	case "robot_config":
		return &f.robot
	case "ai_config":
		return &f.ai
	case "stream_config":
		return &f.stream
	}
	return nil
}

// message reads all of a message but its id and what depends on the place where it stands: record_id, occurred_at,
// event_date, forward and provenance.
func (r *reader) message(f *fields, reading *connectors.Reading) {
	m := &reading.Message
	m.Platform, m.TenantID, m.AppID = schemas.Yunxin, r.at.Tenant, r.at.App
	m.ConversationID, m.ConversationKind = r.at.Conversation, r.at.kind
	m.ClientMessageID = r.Optional(r.ID(f.clientID, "client_message_id"))
	m.State = schemas.MessageNormal
	r.times(f)
	r.sender(f)
	if f.rare {
		r.rare(f)
	}
	quote := r.extension(f.extension)
	reading.ThreadByRoot = r.links(f, &quote)
	r.fwd = nil
	r.contents(f)
}

// rare keeps what few messages have.
func (r *reader) rare(f *fields) {
	r.attribute("modify_account_id", f.modifier)
	r.attribute("receiver_account_ids", f.targets)
	r.attribute("inclusive", f.inclusive)
	r.attribute("new_member_visible", f.visible)
	r.attribute("callback_extension", f.callback)
	r.attribute("push_config", f.push)
	r.attribute("robot_config", f.robot)
	r.attribute("ai_config", f.ai)
	r.attribute("stream_config", f.stream)
	r.attribute("device_id", f.device)
	r.attribute("resend_flag", f.resent)
}

// times reads when the message was sent and edited. modify_time is there on edited messages only.
func (r *reader) times(f *fields) {
	m := r.M
	m.CreatedAt, _ = r.Time(f.created, "created_at", schemas.IssueDefaulted)
	m.SourceRevision = int64(m.CreatedAt)
	modified := f.modified
	if n, ok := modified.Int(); ok && n == 0 {
		modified = decode.JSON{} // 0 is how some clients write that there is none
	}
	if t, told := r.Time(modified, "updated_at", schemas.IssueNulled); told {
		m.UpdatedAt, m.IsEdited = r.Millis(t), true
		m.SourceRevision = max(m.SourceRevision, int64(t))
	}
	m.IsEdited = m.IsEdited || !decode.Blank(f.modifier)
}

func (r *reader) sender(f *fields) {
	s := &r.M.Sender
	s.ID = r.Digits(f.sender, "sender.id")
	if s.ID == "" {
		r.Issue("sender.id", schemas.IssueDefaulted, "is not told")
	} else {
		s.IDType, s.Kind = accid, "user"
	}
	s.Name = r.Optional(r.Str(f.senderName, "sender.name"))
	s.ClientType = r.Optional(r.Digits(f.client, "sender.client_type"))
	r.attribute("sender_avatar", f.avatar)
}

// serverID reads a message's 64-bit id, exactly, from a number or digits. The platform tells none as "", 0 or null, too.
func (r *reader) serverID(v decode.JSON, field string) string {
	if decode.Blank(v) {
		return ""
	}
	if id := r.digits(v); len(id) > 0 {
		if s, _ := v.Str(); len(s) > len(strings.TrimSpace(s)) {
			r.Issue(field, schemas.IssueCoerced, "has blanks around it")
		}
		return r.KeepBytes(id)
	}
	if n, ok := v.Int(); !ok || n != 0 {
		r.Issue(field, schemas.IssueNulled, "is no 64-bit id")
	}
	return ""
}

// digits gives a positive whole number, present as one or as digits with blanks around them, without leading zeros and in
// memory that is used again; empty for all else, an exponent too: who writes one has lost digits of an id.
func (r *reader) digits(v decode.JSON) []byte {
	r.buf = r.buf[:0]
	if s, ok := v.Str(); ok && len(s) <= decode.MaxID {
		r.buf = append(r.buf, strings.TrimSpace(s)...)
	} else if v.Kind() == decode.Number {
		r.buf = v.AppendRaw(r.buf)
	}
	id := bytes.TrimLeft(r.buf, "0")
	if len(id) > len("18446744073709551615") {
		return nil
	}
	for _, c := range id {
		if c < '0' || c > '9' {
			return nil
		}
	}
	return id
}

// attribute keeps a value that no join needs; one that is not told is left out.
func (r *reader) attribute(key string, v decode.JSON) {
	switch v.Kind() {
	case decode.Absent, decode.Null:
	case decode.String, decode.Number:
		if s := r.Digits(v, "attributes."+key); s != "" {
			r.M.Attributes.Set(key, s)
		}
	default:
		r.buf = v.AppendRaw(r.buf[:0])
		r.M.Attributes.Set(key, r.Keep(r.Bounded(r.Valid(string(r.buf), "attributes."+key), "attributes."+key)))
	}
}

// numeral reads a number as its digits, and any other string as it is.
func (r *reader) numeral(v decode.JSON, field string) string {
	word := r.Digits(v, field)
	for _, c := range []byte(word) {
		if c < '0' || c > '9' {
			if n, ok := r.Number(v, field); ok {
				return strconv.FormatInt(n, 10)
			}
			break
		}
	}
	return word
}

// typeWord reads message_type, and gives its number, -1 where it is none.
func (r *reader) typeWord(v decode.JSON) int {
	word := r.numeral(v, "message_type")
	if len(word) > decode.MaxID {
		r.Issue("message_type", schemas.IssueTruncated, "is too long to be a type")
		word = decode.Shorten(word, decode.MaxID)
	}
	r.M.MessageType = word
	n, err := strconv.Atoi(word)
	if err != nil {
		n = -1
	}
	r.M.ContentKind = kindOf(n)
	if r.M.ContentKind == "" {
		r.M.ContentKind = schemas.ContentUnknown
		if word == "" {
			r.Issue("message_type", schemas.IssueDefaulted, "message_type is not told")
		} else {
			r.Issue("message_type", schemas.IssueUnknownType, "message_type is not known")
		}
	}
	return n
}
