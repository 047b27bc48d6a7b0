package schemas

import (
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
}

func (c *check) atLeastOne(field string, n int64) {
	if n < 1 {
		c.fail(field, "is %d, less than 1", n)
	}
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

func (c *check) attributes(a Attributes) {
	const field = "attributes"
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
	c.textsContainer(v)
	c.required("key", v.Key)
	c.required("platform", v.Platform)
	c.required("tenant_id", v.TenantID)
	c.word("kind", v.Kind, containerKinds)
	c.required("id", v.ID)
	c.required("conversation_id", v.ConversationID)
	c.word("mode", v.Mode, containerModes)
	c.atLeastOne("epoch", v.Epoch)
	for i := range v.Refs {
		c.required("refs/message_id", v.Refs[i].MessageID)
	}
	return c.err
}

// Validate reports what keeps the checkpoint from being written.
func (v *Checkpoint) Validate() error {
	var c check
	c.textsCheckpoint(v)
	c.required("container_key", v.ContainerKey)
	c.atLeastOne("epoch", v.Epoch)
	c.word("state", v.State, checkpointStates)
	if v.Pages < 0 || v.Items < 0 || v.Calls < 0 {
		c.fail("pages, items or calls", "is negative")
	}
	return c.err
}

// Validate reports what keeps the dead letter from being written.
func (v *DeadLetter) Validate() error {
	var c check
	c.textsDeadLetter(v)
	c.required("id", v.ID)
	c.word("stage", v.Stage, stages)
	c.required("error_class", v.ErrorClass)
	c.required("conversation_key", v.ConversationKey)
	if v.Body != nil && len(*v.Body) > MaxDeadLetterBody {
		c.fail("body", "is longer than %d bytes", MaxDeadLetterBody)
	}
	return c.err
}

// Validate reports what keeps the message from being written.
func (v *Message) Validate() error {
	var c check
	c.textsMessage(v)
	c.required("record_id", v.RecordID)
	c.atLeastOne("version", v.Version)
	c.required("change", v.Change)
	c.required("platform", v.Platform)
	c.required("tenant_id", v.TenantID)
	c.required("conversation_id", v.ConversationID)
	c.word("conversation_kind", v.ConversationKind, conversationKinds)
	c.required("message_id", v.MessageID)
	c.required("content_kind", v.ContentKind)
	if v.EventDate != v.OccurredAt.Date() {
		c.fail("event_date", "is %q, not the day of occurred_at", v.EventDate)
	}
	c.word("state", v.State, messageStates)
	c.content(v)
	c.word("parent/status", v.Parent.Status, linkStatuses)
	c.word("root/status", v.Root.Status, linkStatuses)
	c.word("forward/role", v.Forward.Role, forwardRoles)
	c.word("forward/expansion", v.Forward.Expansion, expansions)
	c.required("provenance/page_id", v.Provenance.PageID)
	c.required("provenance/source_api", v.Provenance.SourceAPI)
	c.required("provenance/raw_topic", v.Provenance.RawTopic)
	c.required("provenance/normalizer_version", v.Provenance.NormalizerVersion)
	for i := range v.Issues {
		c.required("issues/field", v.Issues[i].Field)
		c.required("issues/action", v.Issues[i].Action)
	}
	if c.size > maxMessage {
		c.fail("message", "has texts of %d bytes, more than %d", c.size, maxMessage)
	}
	return c.err
}

func (c *check) content(v *Message) {
	if v.Text != nil && len(*v.Text) > MaxText {
		c.fail("text", "is longer than %d bytes", MaxText)
	}
	if v.ContentJSON != nil && len(*v.ContentJSON) > MaxContent {
		c.fail("content_json", "is longer than %d bytes", MaxContent)
	}
	for i := range v.Attachments {
		c.word("attachments/kind", v.Attachments[i].Kind, attachmentKinds)
	}
	if (v.State == MessageRecalled || v.State == MessageDeleted) &&
		(v.Text != nil || v.ContentJSON != nil || len(v.Mentions) > 0 || len(v.Attachments) > 0) {
		c.fail("message", "is recalled or deleted and has content")
	}
}
