package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The closed lists of words. Avro enums would say the same, but several engines refuse or stall on them.
var (
	containerKinds    = []string{KindChat, KindThread, KindMessage, KindConversation, KindMessages}
	containerModes    = []string{"backfill", "follow"}
	checkpointStates  = []string{"UNKNOWN", StatePending, StateRunning, StateWaiting, StateComplete, StateFailed, StateCancelled}
	messageStates     = []string{"UNKNOWN", MessageNormal, MessageRecalled, MessageDeleted}
	conversationKinds = []string{ConversationUnknown, ConversationP2P, ConversationGroup, ConversationTopicGroup, ConversationSuperGroup}
	linkStatuses      = []string{LinkUnknown, LinkNone, LinkResolved, LinkPending, LinkMissing, LinkDeleted, LinkForbidden, LinkOutOfScope}
	forwardRoles      = []string{"UNKNOWN", ForwardNone, ForwardContainer, ForwardChild, ForwardChildContainer}
	expansions        = []string{"UNKNOWN", ExpansionNotApplicable, ExpansionComplete, ExpansionPartial, ExpansionFailed}
	stages            = []string{StageExtract, StageDecode, StageNormalize, StageEncode}
	attachmentKinds   = []string{"image", "file", "audio", "video", "sticker", "folder"}
)

// check gathers the first thing that is wrong with a record.
type check struct {
	within string // path before the field's name, so that it is put together only for an error
	size   int    // of all texts
	err    error
}

func (c *check) fail(field, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s%s %s", c.within, field, fmt.Sprintf(format, args...))
	}
}

// text refuses invalid UTF-8, which Avro writes as it is and other languages' readers refuse or read differently.
func (c *check) text(field, s string) {
	if !utf8.ValidString(s) {
		c.fail(field, "is not valid UTF-8")
	}
	if len(s) > maxString {
		c.fail(field, "is longer than %d bytes", maxString)
	}
	c.size += len(s)
}

func (c *check) optional(field string, s *string) {
	if s != nil {
		c.text(field, *s)
	}
}

func (c *check) required(field, s string) {
	if s == "" {
		c.fail(field, "is empty")
	}
	c.text(field, s)
}

func (c *check) word(field, s string, list []string) {
	if !slices.Contains(list, s) {
		c.fail(field, "is %q, not one of %s", s, strings.Join(list, ", "))
	}
}

func (c *check) items(field string, n int) {
	if n > maxItems {
		c.fail(field, "has more than %d items", maxItems)
	}
}

func (c *check) attributes(field string, a Attributes) {
	c.items(field, len(a))
	for i := range a {
		c.text(field, a[i].Key)
		c.text(field, a[i].Value)
		if i > 0 && a[i-1].Key >= a[i].Key {
			c.fail(field, "is not in the order of its keys")
		}
	}
}

// Validate reports what keeps the container from being written.
func (v *Container) Validate() error {
	var c check
	c.required("key", v.Key)
	c.required("platform", v.Platform)
	c.required("tenant_id", v.TenantID)
	c.word("kind", v.Kind, containerKinds)
	c.required("id", v.ID)
	c.required("conversation_id", v.ConversationID)
	c.word("mode", v.Mode, containerModes)
	if v.Epoch < 1 {
		c.fail("epoch", "is %d, less than 1", v.Epoch)
	}
	c.items("refs", len(v.Refs))
	for i := range v.Refs {
		c.required("refs/message_id", v.Refs[i].MessageID)
	}
	c.text("cause", v.Cause)
	return c.err
}

// Validate reports what keeps the checkpoint from being written.
func (v *Checkpoint) Validate() error {
	var c check
	c.required("container_key", v.ContainerKey)
	if v.Epoch < 1 {
		c.fail("epoch", "is %d, less than 1", v.Epoch)
	}
	c.word("state", v.State, checkpointStates)
	c.optional("cursor", v.Cursor)
	c.optional("last_page_id", v.LastPageID)
	c.optional("error_code", v.ErrorCode)
	c.optional("error_message", v.ErrorMessage)
	if v.Pages < 0 || v.Items < 0 || v.Calls < 0 {
		c.fail("pages, items or calls", "is negative")
	}
	return c.err
}

// Validate reports what keeps the dead letter from being written.
func (v *DeadLetter) Validate() error {
	var c check
	c.required("id", v.ID)
	c.word("stage", v.Stage, stages)
	c.required("error_class", v.ErrorClass)
	c.text("error_message", v.ErrorMessage)
	c.required("conversation_key", v.ConversationKey)
	c.optional("container_key", v.ContainerKey)
	c.optional("page_id", v.PageID)
	c.optional("item_pointer", v.ItemPointer)
	c.optional("record_id", v.RecordID)
	c.optional("source_topic", v.SourceTopic)
	if v.Body != nil && len(*v.Body) > MaxDeadLetterBody {
		c.fail("body", "is longer than %d bytes", MaxDeadLetterBody)
	}
	return c.err
}

// Validate reports what keeps the message from being written.
func (v *Message) Validate() error {
	var c check
	c.required("record_id", v.RecordID)
	if v.Version < 1 {
		c.fail("version", "is %d, less than 1", v.Version)
	}
	c.required("change", v.Change)
	c.required("platform", v.Platform)
	c.required("tenant_id", v.TenantID)
	c.text("app_id", v.AppID)
	c.required("conversation_id", v.ConversationID)
	c.word("conversation_kind", v.ConversationKind, conversationKinds)
	c.required("message_id", v.MessageID)
	c.optional("client_message_id", v.ClientMessageID)
	c.text("message_type", v.MessageType)
	c.optional("message_subtype", v.MessageSubtype)
	c.required("content_kind", v.ContentKind)
	if v.EventDate != v.OccurredAt.Date() {
		c.fail("event_date", "is %q, not the day of occurred_at", v.EventDate)
	}
	c.word("state", v.State, messageStates)
	c.content(v)
	c.optional("copy_of_message_id", v.CopyOfMessageID)
	c.optional("thread_id", v.ThreadID)
	c.link("parent/", &v.Parent)
	c.link("root/", &v.Root)
	c.forward(&v.Forward)
	c.provenance(&v.Provenance)
	c.items("issues", len(v.Issues))
	for i := range v.Issues {
		c.required("issues/field", v.Issues[i].Field)
		c.required("issues/action", v.Issues[i].Action)
		c.text("issues/reason", v.Issues[i].Reason)
		c.attributes("issues/attributes", v.Issues[i].Attributes)
	}
	c.attributes("attributes", v.Attributes)
	if c.size > maxMessage {
		c.fail("message", "has texts of %d bytes, more than %d", c.size, maxMessage)
	}
	if c.err == nil && (v.State == MessageRecalled || v.State == MessageDeleted) &&
		(v.Text != nil || v.ContentJSON != nil || len(v.Mentions) > 0 || len(v.Attachments) > 0) {
		return errors.New("a recalled or deleted message has content")
	}
	return c.err
}

func (c *check) content(v *Message) {
	s := &v.Sender
	c.text("sender/id", s.ID)
	c.text("sender/id_type", s.IDType)
	c.text("sender/kind", s.Kind)
	c.optional("sender/tenant_id", s.TenantID)
	c.optional("sender/name", s.Name)
	c.optional("sender/client_type", s.ClientType)
	c.optional("text", v.Text)
	c.optional("content_json", v.ContentJSON)
	if v.Text != nil && len(*v.Text) > MaxText {
		c.fail("text", "is longer than %d bytes", MaxText)
	}
	if v.ContentJSON != nil && len(*v.ContentJSON) > MaxContent {
		c.fail("content_json", "is longer than %d bytes", MaxContent)
	}
	c.items("mentions", len(v.Mentions))
	for i := range v.Mentions {
		m := &v.Mentions[i]
		c.text("mentions/placeholder", m.Placeholder)
		c.optional("mentions/id", m.ID)
		c.optional("mentions/id_type", m.IDType)
		c.optional("mentions/name", m.Name)
		c.optional("mentions/tenant_id", m.TenantID)
		c.attributes("mentions/attributes", m.Attributes)
	}
	c.items("attachments", len(v.Attachments))
	for i := range v.Attachments {
		c.attachment(&v.Attachments[i])
	}
}

func (c *check) attachment(a *Attachment) {
	c.word("attachments/kind", a.Kind, attachmentKinds)
	c.optional("attachments/file_key", a.FileKey)
	c.optional("attachments/name", a.Name)
	c.optional("attachments/url", a.URL)
	c.optional("attachments/md5", a.MD5)
	c.optional("attachments/mime_type", a.MimeType)
	c.attributes("attachments/attributes", a.Attributes)
}

func (c *check) link(within string, l *Link) {
	c.within = within
	c.word("status", l.Status, linkStatuses)
	c.optional("reason", l.Reason)
	c.optional("message_id", l.MessageID)
	c.optional("record_id", l.RecordID)
	c.optional("client_message_id", l.ClientMessageID)
	c.optional("sender_id", l.SenderID)
	c.within = ""
}

func (c *check) forward(f *Forward) {
	c.word("forward/role", f.Role, forwardRoles)
	c.word("forward/expansion", f.Expansion, expansions)
	c.optional("forward/container_record_id", f.ContainerRecordID)
	c.optional("forward/parent_record_id", f.ParentRecordID)
	c.optional("forward/parent_message_id", f.ParentMessageID)
	c.optional("forward/path", f.Path)
	c.optional("forward/expansion_reason", f.ExpansionReason)
	c.items("forward/ancestor_ids", len(f.AncestorIDs))
	for _, id := range f.AncestorIDs {
		c.text("forward/ancestor_ids", id)
	}
}

func (c *check) provenance(p *Provenance) {
	c.required("provenance/page_id", p.PageID)
	c.required("provenance/source_api", p.SourceAPI)
	c.required("provenance/raw_topic", p.RawTopic)
	c.text("provenance/item_pointer", p.ItemPointer)
	c.text("provenance/connector_version", p.ConnectorVersion)
	c.required("provenance/normalizer_version", p.NormalizerVersion)
}
