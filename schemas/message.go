package schemas

// Words of Message.Change. The list is open.
const (
	ChangeCreated  = "created"
	ChangeEdited   = "edited"
	ChangeRecalled = "recalled"
	ChangeDeleted  = "deleted"
	ChangeRelinked = "relinked"
)

// Words of Message.State.
const (
	MessageNormal   = "NORMAL"
	MessageRecalled = "RECALLED"
	MessageDeleted  = "DELETED"
)

// Words of Message.ConversationKind.
const (
	ConversationUnknown    = "UNKNOWN"
	ConversationP2P        = "P2P"
	ConversationGroup      = "GROUP"
	ConversationTopicGroup = "TOPIC_GROUP"
	ConversationSuperGroup = "SUPER_GROUP"
)

// Words of Message.ContentKind. The list is open.
const (
	ContentUnknown      = "UNKNOWN"
	ContentText         = "TEXT"
	ContentRichText     = "RICH_TEXT"
	ContentImage        = "IMAGE"
	ContentFile         = "FILE"
	ContentFolder       = "FOLDER"
	ContentAudio        = "AUDIO"
	ContentVideo        = "VIDEO"
	ContentSticker      = "STICKER"
	ContentCard         = "CARD"
	ContentLocation     = "LOCATION"
	ContentContactCard  = "CONTACT_CARD"
	ContentChatCard     = "CHAT_CARD"
	ContentMergeForward = "MERGE_FORWARD"
	ContentCall         = "CALL"
	ContentCalendar     = "CALENDAR"
	ContentTask         = "TASK"
	ContentVote         = "VOTE"
	ContentRedPacket    = "RED_PACKET"
	ContentSystem       = "SYSTEM"
	ContentNotification = "NOTIFICATION"
	ContentTip          = "TIP"
	ContentCustom       = "CUSTOM"
)

// Words of Link.Status.
const (
	LinkUnknown    = "UNKNOWN"
	LinkNone       = "NONE"         // the message has no such link
	LinkResolved   = "RESOLVED"     // the target is in the topic of messages
	LinkPending    = "PENDING"      // told, not seen yet
	LinkMissing    = "MISSING"      // looked up, not found
	LinkDeleted    = "DELETED"      // the platform says that the target is deleted
	LinkForbidden  = "FORBIDDEN"    // the platform does not show the target
	LinkOutOfScope = "OUT_OF_SCOPE" // the target stands in another conversation or outside a forwarded snapshot
)

// Words of Forward.Role and Forward.Expansion.
const (
	ForwardNone           = "NONE"
	ForwardContainer      = "CONTAINER"
	ForwardChild          = "CHILD"
	ForwardChildContainer = "CHILD_CONTAINER"

	ExpansionNotApplicable = "NOT_APPLICABLE"
	ExpansionComplete      = "COMPLETE"
	ExpansionPartial       = "PARTIAL"
	ExpansionFailed        = "FAILED"
)

// Words of Issue.Action. The list is open.
const (
	IssueNulled      = "NULLED"
	IssueTruncated   = "TRUNCATED"
	IssueCoerced     = "COERCED"
	IssueDefaulted   = "DEFAULTED"
	IssueUnknownType = "UNKNOWN_TYPE"
)

// Limits of a message's text and content, in bytes; what is longer is cut (text) or left out (content) with an issue.
const (
	MaxText    = 1 << 20
	MaxContent = 8 << 20
)

// Sender is who sent a message.
type Sender struct {
	ID         string  `avro:"id" json:"id"`
	IDType     string  `avro:"id_type" json:"id_type"`
	Kind       string  `avro:"kind" json:"kind"`
	TenantID   *string `avro:"tenant_id" json:"tenant_id"`
	Name       *string `avro:"name" json:"name"`
	ClientType *string `avro:"client_type" json:"client_type"`
}

// Mention is somebody named in a message.
type Mention struct {
	Placeholder string     `avro:"placeholder" json:"placeholder"`
	ID          *string    `avro:"id" json:"id"`
	IDType      *string    `avro:"id_type" json:"id_type"`
	Name        *string    `avro:"name" json:"name"`
	TenantID    *string    `avro:"tenant_id" json:"tenant_id"`
	IsAll       bool       `avro:"is_all" json:"is_all"`
	Attributes  Attributes `avro:"attributes" json:"attributes"`
}

// Attachment is a file that belongs to a message.
type Attachment struct {
	AttachmentNo int64      `avro:"attachment_no" json:"attachment_no"`
	Kind         string     `avro:"kind" json:"kind"`
	FileKey      *string    `avro:"file_key" json:"file_key"`
	Name         *string    `avro:"name" json:"name"`
	URL          *string    `avro:"url" json:"url"`
	MD5          *string    `avro:"md5" json:"md5"`
	MimeType     *string    `avro:"mime_type" json:"mime_type"`
	SizeBytes    *int64     `avro:"size_bytes" json:"size_bytes"`
	DurationMs   *int64     `avro:"duration_ms" json:"duration_ms"`
	Width        *int64     `avro:"width" json:"width"`
	Height       *int64     `avro:"height" json:"height"`
	Attributes   Attributes `avro:"attributes" json:"attributes"`
}

// Link is a message's tie to another message.
type Link struct {
	Status          string  `avro:"status" json:"status"`
	Reason          *string `avro:"reason" json:"reason"`
	MessageID       *string `avro:"message_id" json:"message_id"`
	RecordID        *string `avro:"record_id" json:"record_id"`
	ClientMessageID *string `avro:"client_message_id" json:"client_message_id"`
	SenderID        *string `avro:"sender_id" json:"sender_id"`
	CreatedAt       *Millis `avro:"created_at" json:"created_at"`
}

// Forward is a message's place in a merged forward.
type Forward struct {
	Role              string   `avro:"role" json:"role"`
	ContainerRecordID *string  `avro:"container_record_id" json:"container_record_id"`
	ParentRecordID    *string  `avro:"parent_record_id" json:"parent_record_id"`
	ParentMessageID   *string  `avro:"parent_message_id" json:"parent_message_id"`
	AncestorIDs       []string `avro:"ancestor_ids" json:"ancestor_ids"`
	Path              *string  `avro:"path" json:"path"`
	Depth             int64    `avro:"depth" json:"depth"`
	ChildNo           *int64   `avro:"child_no" json:"child_no"`
	ChildCount        *int64   `avro:"child_count" json:"child_count"`
	DescendantCount   *int64   `avro:"descendant_count" json:"descendant_count"`
	Expansion         string   `avro:"expansion" json:"expansion"`
	ExpansionReason   *string  `avro:"expansion_reason" json:"expansion_reason"`
}

// Provenance is where a message version comes from.
type Provenance struct {
	PageID            string `avro:"page_id" json:"page_id"`
	SourceAPI         string `avro:"source_api" json:"source_api"`
	RawTopic          string `avro:"raw_topic" json:"raw_topic"`
	RawPartition      int64  `avro:"raw_partition" json:"raw_partition"`
	RawOffset         int64  `avro:"raw_offset" json:"raw_offset"`
	ItemPointer       string `avro:"item_pointer" json:"item_pointer"`
	ConnectorVersion  string `avro:"connector_version" json:"connector_version"`
	NormalizerVersion string `avro:"normalizer_version" json:"normalizer_version"`
	ExtractedAt       Millis `avro:"extracted_at" json:"extracted_at"`
	NormalizedAt      Millis `avro:"normalized_at" json:"normalized_at"`
}

// Issue is a repair that was made to what the platform sent.
type Issue struct {
	Field      string     `avro:"field" json:"field"`
	Action     string     `avro:"action" json:"action"`
	Reason     string     `avro:"reason" json:"reason"`
	Attributes Attributes `avro:"attributes" json:"attributes"`
}

// Message is a value of the topic of messages: one version of one message as it stands in one conversation.
type Message struct {
	RecordID         string       `avro:"record_id" json:"record_id"`
	Version          int64        `avro:"version" json:"version"`
	SourceRevision   int64        `avro:"source_revision" json:"source_revision"`
	Change           string       `avro:"change" json:"change"`
	Platform         string       `avro:"platform" json:"platform"`
	TenantID         string       `avro:"tenant_id" json:"tenant_id"`
	AppID            string       `avro:"app_id" json:"app_id"`
	ConversationID   string       `avro:"conversation_id" json:"conversation_id"`
	ConversationKind string       `avro:"conversation_kind" json:"conversation_kind"`
	MessageID        string       `avro:"message_id" json:"message_id"`
	ClientMessageID  *string      `avro:"client_message_id" json:"client_message_id"`
	MessageType      string       `avro:"message_type" json:"message_type"`
	MessageSubtype   *string      `avro:"message_subtype" json:"message_subtype"`
	ContentKind      string       `avro:"content_kind" json:"content_kind"`
	CreatedAt        Millis       `avro:"created_at" json:"created_at"`
	OccurredAt       Millis       `avro:"occurred_at" json:"occurred_at"`
	EventDate        string       `avro:"event_date" json:"event_date"`
	UpdatedAt        *Millis      `avro:"updated_at" json:"updated_at"`
	RecalledAt       *Millis      `avro:"recalled_at" json:"recalled_at"`
	State            string       `avro:"state" json:"state"`
	IsEdited         bool         `avro:"is_edited" json:"is_edited"`
	Sender           Sender       `avro:"sender" json:"sender"`
	Text             *string      `avro:"text" json:"text"`
	ContentJSON      *string      `avro:"content_json" json:"content_json"`
	Mentions         []Mention    `avro:"mentions" json:"mentions"`
	Attachments      []Attachment `avro:"attachments" json:"attachments"`
	ConversationSeq  *int64       `avro:"conversation_seq" json:"conversation_seq"`
	ThreadSeq        *int64       `avro:"thread_seq" json:"thread_seq"`
	CopyOfMessageID  *string      `avro:"copy_of_message_id" json:"copy_of_message_id"`
	ThreadID         *string      `avro:"thread_id" json:"thread_id"`
	IsThreadRoot     bool         `avro:"is_thread_root" json:"is_thread_root"`
	Parent           Link         `avro:"parent" json:"parent"`
	Root             Link         `avro:"root" json:"root"`
	Forward          Forward      `avro:"forward" json:"forward"`
	Provenance       Provenance   `avro:"provenance" json:"provenance"`
	Issues           []Issue      `avro:"issues" json:"issues"`
	Attributes       Attributes   `avro:"attributes" json:"attributes"`
}

// AddIssue notes a repair.
func (v *Message) AddIssue(field, action, reason string) {
	v.Issues = append(v.Issues, Issue{Field: field, Action: action, Reason: reason})
}
