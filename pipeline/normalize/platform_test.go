package normalize_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// sheet is a page of the made-up platform with all that stands around its body. What is left out is that of a list page of
// the chat "oc", a second after the page before.
type sheet struct {
	body
	value                   any // in place of body
	conversation, kind, key string
	final                   bool
	err, typ, subject       string
	request                 string
	number, epoch           int64
	at                      time.Time
}

func (sh *sheet) page(next int64) schemas.Page {
	talk := cmp.Or(sh.conversation, "oc")
	p := schemas.Page{
		Container:    schemas.NewContainerKey(schemas.Feishu, tenant, cmp.Or(sh.kind, schemas.KindChat), talk),
		Conversation: schemas.NewConversationKey(schemas.Feishu, tenant, talk), ContentType: "application/json",
		Type: cmp.Or(sh.typ, schemas.FeishuMessagesList), Time: sh.at, Epoch: cmp.Or(sh.epoch, 1), Number: cmp.Or(sh.number, next),
		Final: sh.final, Error: sh.err, Subject: sh.subject, Request: cmp.Or(sh.request, "GET /"+strconv.FormatInt(next, 10)),
		HTTPStatus: 200, Code: "0", AppID: "app", ConnectorVersion: "chatlake/test",
	}
	if sh.key != "" {
		p.Container = schemas.ContainerKey(sh.key)
	}
	if strings.HasPrefix(sh.key, schemas.Yunxin+"/") {
		p.Conversation = schemas.NewConversationKey(schemas.Yunxin, tenant, talk)
		p.Type = schemas.PageType(schemas.Yunxin, strings.Split(sh.key, "/")[2])
	}
	if p.Time.IsZero() {
		p.Time = fixed.Add(time.Duration(next) * time.Second)
	}
	if strings.Contains(string(p.Container), "/"+schemas.KindMessage+"/") {
		p.Type = schemas.FeishuMessagesGet
	}
	return p
}

// lookedUp is the page of a look-up of one message.
func lookedUp(id string, b body) sheet {
	key := schemas.MessageContainerKey(schemas.Feishu, tenant, "oc", id)
	return sheet{body: b, key: string(key), final: true, subject: id, number: 1}
}

// final is the last list page of the chat.
func final(items ...item) sheet { return sheet{body: page(items...), final: true} }

func page(items ...item) body { return body{Items: items} }

// body is a page of the made-up platform.
type body struct {
	Kind    string   `json:",omitempty"`
	Panic   bool     `json:",omitempty"`
	Items   []item   `json:",omitempty"`
	Answers []answer `json:",omitempty"`
	Failed  []string `json:",omitempty"` // record ids
}

// answer is what it says of a message that it does not show.
type answer struct{ ID, Status, Reason string }

// item is one message of it.
type item struct {
	ID, Text, State, Sender string `json:",omitempty"` // Sender is a name
	Rev, Edited, Recalled   int64  `json:",omitempty"`
	Source                  connectors.SourceRank
	Invalid, Elsewhere      bool `json:",omitempty"`

	From, Client         string  `json:",omitempty"` // ids of the sender and the client
	At                   int64   `json:",omitempty"` // when it was created, in milliseconds after its day began
	Parent, ParentClient string  `json:",omitempty"`
	Root, RootClient     string  `json:",omitempty"`
	LinkFrom             string  `json:",omitempty"` // the sender of the parent and the root, as told here
	LinkAt               int64   `json:",omitempty"` // when they were created, as told here
	Thread, CopyOf       string  `json:",omitempty"`
	ThreadByRoot         bool    `json:",omitempty"`
	Seq, ThreadSeq       *int64  `json:",omitempty"`
	Forward              bool    `json:",omitempty"` // it is a merged forward; an expansion tells its children
	Children             []child `json:",omitempty"` // in an expansion
	Partial              bool    `json:",omitempty"` // in an expansion
	Content              string  `json:",omitempty"` // content_json
	Names                string  `json:",omitempty"` // id of somebody who is mentioned
	Talk                 string  `json:",omitempty"` // of a message that is Elsewhere
	Mentions, Files      int     `json:",omitempty"` // how many
}

// child is a message in a merged forward of it.
type child struct {
	ID, Text, Parent string `json:",omitempty"` // Parent: a message answered in the same forward
	From             string `json:",omitempty"` // id of the sender, else that of the forward's
	Within           string `json:",omitempty"` // id of the child that it stands in
	Answers          string `json:",omitempty"` // id of the child that it answers, which is there
}

// decoder reads it.
type decoder struct{}

func (decoder) Decode(p []schemas.Page, out *connectors.Decoded) {
	*out = connectors.Decoded{Readings: out.Readings[:0]}
	last := len(p) - 1
	main := !p[last].Expansion()
	expanded := map[string]*opened{}
	for i := range p {
		var b body
		if err := json.Unmarshal(p[i].Body, &b); err != nil {
			if p[i].Error == "" {
				out.Failed = append(out.Failed, connectors.Failed{Page: i, Class: "malformed", Message: "no JSON"})
			}
			b = body{}
		}
		if i == last && main {
			b.read(&p[last], last, expanded, out)
			continue
		}
		if it := b.first(p[i].Subject); it != nil {
			expanded[p[i].Subject] = &opened{page: i, item: it}
		} else {
			expanded[p[i].Subject] = &opened{page: i, item: &item{ID: p[i].Subject}, why: cmp.Or(p[i].Error, "empty")}
		}
		if !main && b.Items != nil { // nobody else shows its message
			b.read(&p[i], i, expanded, out)
		}
	}
}

// opened is an expansion.
type opened struct {
	page int
	item *item
	why  string // it gives nothing
}

func (b *body) first(id string) *item {
	for i := range b.Items {
		if b.Items[i].ID == id {
			return &b.Items[i]
		}
	}
	return nil
}

// read gives what a body says.
func (b *body) read(p *schemas.Page, at int, expanded map[string]*opened, out *connectors.Decoded) {
	out.ConversationKind = b.Kind
	talk := string(p.Conversation[strings.LastIndexByte(string(p.Conversation), '/')+1:])
	for i := range b.Items {
		it := &b.Items[i]
		r := it.reading(i, talk)
		r.Page = at
		if it.Forward && r.Message.State == schemas.MessageNormal {
			out.Readings = it.forward(&r, expanded[it.ID], out.Readings)
			continue
		}
		out.Readings = append(out.Readings, r)
	}
	for _, a := range b.Answers {
		out.Answers = append(out.Answers, connectors.Answer{Page: at, MessageID: a.ID, Status: a.Status, Reason: a.Reason})
	}
	for i, id := range b.Failed {
		out.Failed = append(out.Failed, connectors.Failed{Page: at, Pointer: fmt.Sprintf("/items/%d", 100+i), RecordID: id, Class: "bad_item", Message: "bad \xff item"})
	}
	if b.Panic {
		panic("a fault of the decoder")
	}
}

// day is when all messages are created.
const day = schemas.Millis(1_700_000_000_000)

func (it *item) reading(place int, talk string) connectors.Reading {
	at := day + schemas.Millis(it.At)
	m := schemas.Message{
		RecordID: string(schemas.NewRecordID(schemas.Feishu, tenant, it.ID)), SourceRevision: it.Rev, Platform: schemas.Feishu, TenantID: tenant,
		ConversationID: talk, MessageID: it.ID, MessageType: "text", ContentKind: schemas.ContentText,
		CreatedAt: at, OccurredAt: at, EventDate: at.Date(), State: schemas.MessageNormal,
		Parent: it.link(it.Parent, it.ParentClient), Root: it.link(it.Root, it.RootClient),
		Forward:    schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable},
		Provenance: schemas.Provenance{ItemPointer: "/items/" + strconv.Itoa(place)},
		ThreadID:   some(it.Thread), CopyOfMessageID: some(it.CopyOf), ClientMessageID: some(it.Client), Text: some(it.Text),
		ConversationSeq: it.Seq, ThreadSeq: it.ThreadSeq, UpdatedAt: when(it.Edited), RecalledAt: when(it.Recalled), IsEdited: it.Edited != 0,
	}
	m.Sender.ID, m.Sender.Name = it.From, some(it.Sender)
	if it.State != "" {
		m.State = it.State
	}
	m.ContentJSON = some(it.Content)
	for i := range it.Mentions {
		m.Mentions = append(m.Mentions, schemas.Mention{Placeholder: fmt.Sprint("@_user_", i), Name: some("Ada Lovelace")})
	}
	if it.Names != "" {
		m.Mentions = append(m.Mentions, schemas.Mention{Placeholder: "@_user_x", ID: &it.Names, Name: some("Mallory M.")})
	}
	for i := range it.Files {
		m.Attachments = append(m.Attachments, schemas.Attachment{AttachmentNo: int64(i), Kind: "file", Name: some("report.pdf"), URL: some("https://files/" + strings.Repeat("s", 100))})
	}
	if it.Invalid {
		m.ContentKind = ""
	}
	return connectors.Reading{Message: m, Source: it.Source, OtherConversation: it.Elsewhere, Elsewhere: it.Talk, ThreadByRoot: it.ThreadByRoot}
}

func (it *item) link(id, client string) schemas.Link {
	if id == "" && client == "" {
		return schemas.Link{Status: schemas.LinkNone}
	}
	l := schemas.Link{Status: schemas.LinkPending, MessageID: some(id), ClientMessageID: some(client), SenderID: some(it.LinkFrom)}
	if it.LinkAt != 0 {
		at := day + schemas.Millis(it.LinkAt)
		l.CreatedAt = &at
	}
	return l
}

// forward gives a merged forward and its children.
func (it *item) forward(r *connectors.Reading, x *opened, out []connectors.Reading) []connectors.Reading {
	m := &r.Message
	m.ContentKind = schemas.ContentMergeForward
	f := &m.Forward
	f.Role, f.Expansion = schemas.ForwardContainer, schemas.ExpansionFailed
	if x == nil || x.why != "" {
		f.ExpansionReason = some("absent")
		if x != nil {
			f.ExpansionReason = &x.why
		}
		return append(out, *r)
	}
	f.Expansion = schemas.ExpansionComplete
	if x.item.Partial {
		f.Expansion, f.ExpansionReason = schemas.ExpansionPartial, some("nested")
	}
	n := int64(len(x.item.Children))
	f.ChildCount, f.DescendantCount = &n, &n
	out = append(out, *r)
	for i := range x.item.Children {
		out = append(out, x.item.Children[i].reading(m, i, x.page))
	}
	return out
}

func (c *child) reading(top *schemas.Message, i, at int) connectors.Reading {
	no := int64(i + 1)
	path := fmt.Sprintf("%05d", no)
	m := *top
	m.RecordID, m.MessageID, m.Text, m.ClientMessageID, m.ContentJSON = top.RecordID+"/"+c.ID, c.ID, some(c.Text), nil, nil
	m.ContentKind, m.Provenance.ItemPointer = schemas.ContentText, "/items/0/"+strconv.Itoa(i)
	m.Parent, m.Root = schemas.Link{Status: schemas.LinkNone}, schemas.Link{Status: schemas.LinkNone}
	if c.From != "" {
		m.Sender.ID = c.From
	}
	if c.Parent != "" {
		m.Parent = schemas.Link{Status: schemas.LinkOutOfScope, MessageID: &c.Parent}
		m.Root = m.Parent
	}
	if c.Answers != "" {
		m.Parent = schemas.Link{Status: schemas.LinkResolved, MessageID: &c.Answers, RecordID: some(top.RecordID + "/" + c.Answers), SenderID: some("ou_of_" + c.Answers)}
	}
	m.Forward = schemas.Forward{
		Role: schemas.ForwardChild, ContainerRecordID: &top.RecordID, ParentRecordID: &top.RecordID, ParentMessageID: &top.MessageID,
		AncestorIDs: []string{top.MessageID}, Path: &path, Depth: 1, ChildNo: &no, Expansion: schemas.ExpansionNotApplicable,
	}
	if c.Within != "" {
		m.Forward.ParentRecordID = some(top.RecordID + "/" + c.Within)
	}
	return connectors.Reading{Message: m, Page: at, Source: connectors.FromOther}
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func when(t int64) *schemas.Millis {
	if t == 0 {
		return nil
	}
	v := schemas.Millis(t)
	return &v
}
