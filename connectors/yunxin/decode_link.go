package yunxin

import (
	"strings"

	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// reasonConflict is a parent link's reason where thread_config and a quote in the extension name two messages.
const reasonConflict = "quote_differs"

// named is a message that another one names.
type named struct {
	server, client, sender string
	created                schemas.Millis
}

func (n *named) told() bool { return n.server != "" || n.client != "" }

// differs reports whether two names are surely of two messages.
func (n *named) differs(o *named) bool {
	if n.server != "" && o.server != "" {
		return n.server != o.server
	}
	return n.client != "" && o.client != "" && n.client != o.client
}

// links reads what the message answers, and reports whether a thread is told by its root.
//
// thread_config is there on replies only: thread_reply is the message that was answered, thread_root the first of the
// chain (https://doc.yunxin.163.com/messaging-enhanced/guide/DYzMDAyMjg). Of both the server id may be missing. A quote of
// older UIKits stands in the extension and names a parent alone; where both are told thread_config stands.
func (r *reader) links(f *fields, quote *named) (byRoot bool) {
	m, before := r.M, r.used
	f.config(r)
	parent, root := r.named(&f.parent, "parent"), r.named(&f.root, "root")
	r.used = before
	r.nameless(&f.parent, &parent, "parent")
	r.nameless(&f.root, &root, "root")
	byRoot = root.told()
	if byRoot {
		m.ThreadID = r.Optional(root.server)
	}
	reason := ""
	switch {
	case !parent.told():
		parent = *quote
	case quote.told() && parent.differs(quote):
		reason = reasonConflict
	case parent.server == "" && parent.client == quote.client:
		parent.server = quote.server // by which it can be looked up
	}
	m.Parent, m.Root = r.link(&parent), r.link(&root)
	if m.Parent.Status == schemas.LinkPending {
		m.Parent.Reason = r.Optional(reason)
		if !root.told() {
			m.Root.Status = schemas.LinkPending // its id follows from the parent's root
		}
	}
	return byRoot && m.Root.Status == schemas.LinkPending
}

// config reads thread_config.
func (f *fields) config(r *reader) {
	if !f.thread.Told() {
		return
	}
	thread := r.openObject(f.thread)
	if !thread.Told() {
		r.Issue("parent", schemas.IssueNulled, "thread_config is "+f.thread.Kind().String()+", not an object")
		return
	}
	reply, root := thread.Get("thread_reply"), thread.Get("thread_root")
	if !reply.Told() && !root.Told() && !isEmpty(thread) {
		r.Issue("parent", schemas.IssueNulled, "thread_config is in a form that is not known")
	}
	f.parent, f.root = r.refOf(reply, "parent"), r.refOf(root, "root")
}

func (r *reader) refOf(of decode.JSON, field string) ref {
	v := r.openObject(of)
	n := ref{
		sender: v.Get("sender_id"), created: v.Get("create_time"), serverID: v.Get("message_server_id"), clientID: v.Get("message_client_id"),
	}
	switch {
	case !v.Told() && !decode.Blank(of):
		r.Issue(field, schemas.IssueNulled, "is "+of.Kind().String()+", not an object")
	case n == ref{} && v.Told() && !isEmpty(v):
		r.Issue(field, schemas.IssueNulled, "is in a form that is not known")
	}
	return n
}

// nameless notes a message of which sender or time are told, but no id.
func (r *reader) nameless(v *ref, n *named, field string) {
	if n.told() {
		return
	}
	if ms, ok := v.created.Int(); !decode.Blank(v.sender) || ok && ms != 0 {
		r.Issue(field, schemas.IssueNulled, "names no message")
	}
}

func (r *reader) named(v *ref, field string) named {
	n := named{server: r.serverID(v.serverID, field), client: r.ID(v.clientID, field)}
	if !n.told() {
		return named{}
	}
	n.sender = r.ID(v.sender, field)
	created := v.created
	if ms, ok := created.Int(); ok && ms == 0 {
		created = decode.JSON{}
	}
	n.created, _ = r.Time(created, field, schemas.IssueNulled)
	return n
}

// link makes a link that is to be resolved, none where a message names nothing or itself. Its own client id may be another
// message's, too: one that was sent again. Which one it stands for is not to be seen here.
func (r *reader) link(n *named) schemas.Link {
	m := r.M
	if !n.told() || n.server != "" && n.server == m.MessageID {
		return schemas.Link{Status: schemas.LinkNone}
	}
	l := schemas.Link{
		Status: schemas.LinkPending, MessageID: r.Optional(n.server), ClientMessageID: r.Optional(n.client), SenderID: r.Optional(n.sender),
	}
	if n.created != 0 {
		l.CreatedAt = r.Millis(n.created)
	}
	return l
}

// Words of the extension, which UIKits write.
const (
	quoteKey   = "yxReplyMsg"
	mentionKey = "yxAitMsg"
	nickKey    = "mergedMessageNickKey"   // in a merged file: the sender's name
	avatarKey  = "mergedMessageAvatarKey" // in a merged file: the URL of the sender's picture
	everyone   = "ait_all"
)

// extension keeps what the sender's app added to the message, and reads what UIKits are known to put there: the message
// that is quoted, who is mentioned, and in merged files who sent it. It need not be JSON, and each part of it may be encoded
// once more.
func (r *reader) extension(v decode.JSON) (quote named) {
	if !v.Told() {
		return named{}
	}
	r.attribute("extension", v)
	before := r.used
	defer func() { r.used = before }()
	if s, isText := v.Str(); isText {
		if !strings.Contains(s, "yx") && !strings.Contains(s, "mergedMessage") && !strings.Contains(s, `\u00`) {
			return named{}
		}
		if v = r.open(v); v.Kind() != decode.Object {
			r.lost(s)
			return named{}
		}
	}
	if name := r.Str(v.Get(nickKey), "sender.name"); name != "" {
		r.M.Sender.Name = r.String(name)
	}
	r.attribute("sender_avatar", v.Get(avatarKey))
	r.mentions(v.Get(mentionKey))
	return r.quote(v.Get(quoteKey))
}

// lost says which of its parts an extension names that cannot be read.
func (r *reader) lost(s string) {
	if strings.Contains(s, mentionKey) {
		r.Issue("mentions", schemas.IssueNulled, "extension is no JSON object")
	}
	if strings.Contains(s, quoteKey) {
		r.Issue("parent", schemas.IssueNulled, "extension is no JSON object")
	}
}

// quote reads {"idServer":…,"idClient":…,"from":…,"time":…}, or the same in the words of newer clients.
func (r *reader) quote(v decode.JSON) named {
	q := r.openObject(v)
	if !q.Told() {
		if !decode.Blank(v) {
			r.Issue("parent", schemas.IssueNulled, "quote is "+v.Kind().String()+", not an object")
		}
		return named{}
	}
	n := r.named(&ref{
		sender: pick(q, "from", "senderId"), created: pick(q, "time", "createTime"),
		serverID: pick(q, "idServer", "messageServerId"), clientID: pick(q, "idClient", "messageClientId"),
	}, "parent")
	if !n.told() && !isEmpty(q) {
		r.Issue("parent", schemas.IssueNulled, "quote names no message")
	}
	return n
}

// mentions reads {"<accid>":{"text":"@Ann ","segments":[…]}}. The text of the message names them already.
func (r *reader) mentions(v decode.JSON) {
	m := r.openObject(v)
	if !m.Told() && !decode.Blank(v) {
		r.Issue("mentions", schemas.IssueNulled, "are "+v.Kind().String()+", not an object")
	}
	for key, e := range m.Fields() {
		if len(r.M.Mentions) >= decode.MaxParts {
			r.Issue("mentions", schemas.IssueTruncated, "are more than 10000")
			return
		}
		before := r.used
		r.mention(key, e)
		r.used = before
	}
}

func (r *reader) mention(key string, e decode.JSON) {
	words := e
	if in := r.openObject(e); in.Told() {
		words = in.Get("text")
	}
	m := schemas.Mention{IsAll: key == everyone, Placeholder: strings.TrimSpace(r.Str(words, "mentions.placeholder"))}
	m.Name = r.Optional(strings.TrimPrefix(m.Placeholder, "@"))
	if !m.IsAll {
		m.ID = r.Optional(r.Keep(r.Bounded(r.Valid(key, "mentions.id"), "mentions.id")))
		m.IDType = r.String(accid)
	}
	r.M.Mentions = append(r.M.Mentions, m)
}
