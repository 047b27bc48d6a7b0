// Code generated from the .avsc files by go generate; DO NOT EDIT.

package schemas

// Container: what is to be read: one chat, thread, conversation or list of messages of a platform. The first record of a key's highest epoch stands; cancelled holds once any record of that epoch says so.
type Container struct {
	// Container key: platform/tenant/kind/id, each part escaped.
	Key string `avro:"key" json:"key"`
	// feishu or yunxin.
	Platform string `avro:"platform" json:"platform"`
	// The tenant as named in keys: Feishu the configured tenant, Yunxin the app key.
	TenantID string `avro:"tenant_id" json:"tenant_id"`
	// chat, thread, message, conversation or messages.
	Kind string `avro:"kind" json:"kind"`
	// The platform's id of the container, spelled as the API wants it.
	ID string `avro:"id" json:"id"`
	// The conversation that the container belongs to, in canonical spelling; it decides the partition.
	ConversationID string `avro:"conversation_id" json:"conversation_id"`
	// Only messages created at or after this time are asked for; null: from the beginning.
	WindowStart *Millis `avro:"window_start" json:"window_start"`
	// Only messages created before this time are asked for; null: up to the end.
	WindowEnd *Millis `avro:"window_end" json:"window_end"`
	// backfill or follow.
	Mode string `avro:"mode" json:"mode"`
	// Which reading of the container this is, from 1; a higher epoch reads it all again.
	Epoch int64 `avro:"epoch" json:"epoch"`
	// For kind messages: the messages to fetch.
	Refs []MessageRef `avro:"refs" json:"refs"`
	// True: this epoch is not to be read any further.
	Cancelled bool `avro:"cancelled" json:"cancelled"`
	// Who asked for it: user, discovered, thread or lookup.
	Cause string `avro:"cause" json:"cause"`
	// When it was asked for.
	RequestedAt Millis `avro:"requested_at" json:"requested_at"`
}

// MessageRef: one message to be fetched by id.
type MessageRef struct {
	// The platform's message id.
	MessageID string `avro:"message_id" json:"message_id"`
	// When it was sent, where the API needs to be told.
	CreatedAt *Millis `avro:"created_at" json:"created_at"`
}

// Checkpoint: how far a container has been read. It is committed in one transaction with the pages that it counts.
type Checkpoint struct {
	// Key of the container.
	ContainerKey string `avro:"container_key" json:"container_key"`
	// Epoch of the container that this is about.
	Epoch int64 `avro:"epoch" json:"epoch"`
	// UNKNOWN, PENDING, RUNNING, WAITING, COMPLETE, FAILED or CANCELLED.
	State string `avro:"state" json:"state"`
	// Where to go on, opaque to all but the source that made it; null at the start and at the end.
	Cursor *string `avro:"cursor" json:"cursor"`
	// Creation time of the newest message committed.
	Watermark *Millis `avro:"watermark" json:"watermark"`
	// List and batch pages committed in this epoch.
	Pages int64 `avro:"pages" json:"pages"`
	// Messages shown by these pages, repeats counted.
	Items int64 `avro:"items" json:"items"`
	// API calls made for this epoch, retries counted.
	Calls int64 `avro:"calls" json:"calls"`
	// Page id (ce_id) of the newest list or batch page.
	LastPageID *string `avro:"last_page_id" json:"last_page_id"`
	// Platform code, or chatlake's own word, of what stopped or delays the container.
	ErrorCode *string `avro:"error_code" json:"error_code"`
	// What stopped or delays the container, in words; never message text.
	ErrorMessage *string `avro:"error_message" json:"error_message"`
	// When the checkpoint was written.
	UpdatedAt Millis `avro:"updated_at" json:"updated_at"`
}

// DeadLetter: something that could not be processed and was set aside, so that the rest could go on.
type DeadLetter struct {
	// Hex SHA-256 over stage, page_id, item_pointer, record_id and error_class, each followed by a zero byte; the same fault gives the same id again.
	ID string `avro:"id" json:"id"`
	// extract, decode, normalize or encode.
	Stage string `avro:"stage" json:"stage"`
	// What went wrong, one word.
	ErrorClass string `avro:"error_class" json:"error_class"`
	// What went wrong, in words; never message text.
	ErrorMessage string `avro:"error_message" json:"error_message"`
	// True: asking the platform again may help.
	Retryable bool `avro:"retryable" json:"retryable"`
	// Conversation that it belongs to.
	ConversationKey string `avro:"conversation_key" json:"conversation_key"`
	// Container that it was found in.
	ContainerKey *string `avro:"container_key" json:"container_key"`
	// Raw page (ce_id) that it was found in.
	PageID *string `avro:"page_id" json:"page_id"`
	// JSON Pointer (RFC 6901) of the item in the page's body.
	ItemPointer *string `avro:"item_pointer" json:"item_pointer"`
	// record_id of the message, where known.
	RecordID *string `avro:"record_id" json:"record_id"`
	// Topic of the record that it was found in.
	SourceTopic *string `avro:"source_topic" json:"source_topic"`
	// Partition of that record.
	SourcePartition *int64 `avro:"source_partition" json:"source_partition"`
	// Offset of that record.
	SourceOffset *int64 `avro:"source_offset" json:"source_offset"`
	// What could not be processed, only where no raw record holds it, at most 1 MiB.
	Body *[]byte `avro:"body" json:"body,omitempty"`
	// True: body was cut to 1 MiB.
	BodyTruncated bool `avro:"body_truncated" json:"body_truncated"`
	// When it was set aside.
	FailedAt Millis `avro:"failed_at" json:"failed_at"`
}

// Message: one version of one message as it stands in one conversation. The highest version of a record_id is the newest.
type Message struct {
	// The occurrence: platform/tenant/message id; inside a merged forward the container's record_id and the child's id at every level.
	RecordID string `avro:"record_id" json:"record_id"`
	// Strictly rises within a record_id; the highest stands.
	Version int64 `avro:"version" json:"version"`
	// Highest create, edit and recall time in milliseconds in any reading of this record so far.
	SourceRevision int64 `avro:"source_revision" json:"source_revision"`
	// What this version brings: created, edited, recalled, deleted or relinked; more may come.
	Change string `avro:"change" json:"change"`
	// feishu or yunxin.
	Platform string `avro:"platform" json:"platform"`
	// The tenant as named in keys.
	TenantID string `avro:"tenant_id" json:"tenant_id"`
	// The app that read it; sender and mention ids may be scoped to it.
	AppID string `avro:"app_id" json:"app_id"`
	// Conversation in canonical spelling; for a forwarded child that of its outermost container.
	ConversationID string `avro:"conversation_id" json:"conversation_id"`
	// UNKNOWN, P2P, GROUP, TOPIC_GROUP or SUPER_GROUP, as known where the page stands.
	ConversationKind string `avro:"conversation_kind" json:"conversation_kind"`
	// The platform's message id, verbatim; 64-bit numbers as exact decimal strings.
	MessageID string `avro:"message_id" json:"message_id"`
	// The id that the sending client gave.
	ClientMessageID *string `avro:"client_message_id" json:"client_message_id"`
	// The platform's own word for the type.
	MessageType string `avro:"message_type" json:"message_type"`
	// The platform's own word for the type inside the type.
	MessageSubtype *string `avro:"message_subtype" json:"message_subtype"`
	// What the message is in words common to all platforms, such as TEXT or MERGE_FORWARD; an open list.
	ContentKind string `avro:"content_kind" json:"content_kind"`
	// When it was sent at the source; for a forwarded child the original time.
	CreatedAt Millis `avro:"created_at" json:"created_at"`
	// When it appeared in this conversation: created_at, or the outermost container's for a forwarded child.
	OccurredAt Millis `avro:"occurred_at" json:"occurred_at"`
	// UTC day of occurred_at, yyyy-MM-dd.
	EventDate string `avro:"event_date" json:"event_date"`
	// The platform's time of the last edit.
	UpdatedAt *Millis `avro:"updated_at" json:"updated_at"`
	// The platform's time of the recall.
	RecalledAt *Millis `avro:"recalled_at" json:"recalled_at"`
	// UNKNOWN, NORMAL, RECALLED (the platform still shows the shell) or DELETED (it answers that the message is deleted).
	State string `avro:"state" json:"state"`
	// True: the platform says that it was edited.
	IsEdited bool `avro:"is_edited" json:"is_edited"`
	// Who sent it.
	Sender Sender `avro:"sender" json:"sender"`
	// Plain text: mentions as @name, rich text line by line, title first; null where there is none.
	Text *string `avro:"text" json:"text"`
	// The platform's content, verbatim; null for recalled messages.
	ContentJSON *string `avro:"content_json" json:"content_json"`
	// Who is named in it.
	Mentions []Mention `avro:"mentions" json:"mentions"`
	// Files that belong to it.
	Attachments []Attachment `avro:"attachments" json:"attachments"`
	// The platform's own order within the conversation.
	ConversationSeq *int64 `avro:"conversation_seq" json:"conversation_seq"`
	// The platform's own order within the thread.
	ThreadSeq *int64 `avro:"thread_seq" json:"thread_seq"`
	// Id of the message that this one repeats.
	CopyOfMessageID *string `avro:"copy_of_message_id" json:"copy_of_message_id"`
	// The platform's id of the thread that it belongs to.
	ThreadID *string `avro:"thread_id" json:"thread_id"`
	// True: it is the first message of a thread.
	IsThreadRoot bool `avro:"is_thread_root" json:"is_thread_root"`
	// The message answered directly.
	Parent Link `avro:"parent" json:"parent"`
	// The first message of its reply tree or thread.
	Root Link `avro:"root" json:"root"`
	// Its place in a merged forward.
	Forward Forward `avro:"forward" json:"forward"`
	// Where this version comes from.
	Provenance Provenance `avro:"provenance" json:"provenance"`
	// Every repair made to what the platform sent.
	Issues []Issue `avro:"issues" json:"issues"`
	// Platform extras that no join needs.
	Attributes Attributes `avro:"attributes" json:"attributes"`
}

// Sender: who sent a message.
type Sender struct {
	// The platform's id of the sender; empty where none is told.
	ID string `avro:"id" json:"id"`
	// Kind of id: open_id, app_id, accid and so on.
	IDType string `avro:"id_type" json:"id_type"`
	// user, app, anonymous, system or the platform's own word.
	Kind string `avro:"kind" json:"kind"`
	// The sender's tenant as the platform tells it.
	TenantID *string `avro:"tenant_id" json:"tenant_id"`
	// Display name, where told.
	Name *string `avro:"name" json:"name"`
	// Client that the message was sent from, where told.
	ClientType *string `avro:"client_type" json:"client_type"`
}

// Mention: somebody named in a message.
type Mention struct {
	// What stands for the mention in the platform's content.
	Placeholder string `avro:"placeholder" json:"placeholder"`
	// The platform's id of who is named.
	ID *string `avro:"id" json:"id"`
	// Kind of id.
	IDType *string `avro:"id_type" json:"id_type"`
	// Display name.
	Name *string `avro:"name" json:"name"`
	// Tenant of who is named, as the platform tells it.
	TenantID *string `avro:"tenant_id" json:"tenant_id"`
	// True: everybody in the conversation.
	IsAll bool `avro:"is_all" json:"is_all"`
	// Platform extras of the mention.
	Attributes Attributes `avro:"attributes" json:"attributes"`
}

// Attachment: a file that belongs to a message.
type Attachment struct {
	// 1-based place among the message's attachments.
	AttachmentNo int64 `avro:"attachment_no" json:"attachment_no"`
	// image, file, audio, video, sticker or folder.
	Kind string `avro:"kind" json:"kind"`
	// The platform's key to fetch it by.
	FileKey *string `avro:"file_key" json:"file_key"`
	// File name.
	Name *string `avro:"name" json:"name"`
	// Address, where the platform gives one; it may expire.
	URL *string `avro:"url" json:"url"`
	// MD5 of the content as the platform tells it, lower-case hex.
	MD5 *string `avro:"md5" json:"md5"`
	// Media type, where told or plain from the name's ending.
	MimeType *string `avro:"mime_type" json:"mime_type"`
	// Size in bytes.
	SizeBytes *int64 `avro:"size_bytes" json:"size_bytes"`
	// Length of audio or video in milliseconds.
	DurationMs *int64 `avro:"duration_ms" json:"duration_ms"`
	// Width in pixels.
	Width *int64 `avro:"width" json:"width"`
	// Height in pixels.
	Height *int64 `avro:"height" json:"height"`
	// Platform extras of the attachment.
	Attributes Attributes `avro:"attributes" json:"attributes"`
}

// Link: a message's tie to another message.
type Link struct {
	// UNKNOWN, NONE, RESOLVED, PENDING, MISSING, DELETED, FORBIDDEN or OUT_OF_SCOPE.
	Status string `avro:"status" json:"status"`
	// Why the status is what it is, where that needs saying.
	Reason *string `avro:"reason" json:"reason"`
	// The platform's id of the target.
	MessageID *string `avro:"message_id" json:"message_id"`
	// record_id of the target, once resolved.
	RecordID *string `avro:"record_id" json:"record_id"`
	// The target's client id, where that is told.
	ClientMessageID *string `avro:"client_message_id" json:"client_message_id"`
	// Sender of the target, where told or resolved.
	SenderID *string `avro:"sender_id" json:"sender_id"`
	// When the target was sent, where told or resolved.
	CreatedAt *Millis `avro:"created_at" json:"created_at"`
}

// Forward: place in a merged forward.
type Forward struct {
	// UNKNOWN, NONE, CONTAINER, CHILD or CHILD_CONTAINER.
	Role string `avro:"role" json:"role"`
	// record_id of the outermost container.
	ContainerRecordID *string `avro:"container_record_id" json:"container_record_id"`
	// record_id of the container that this stands in directly.
	ParentRecordID *string `avro:"parent_record_id" json:"parent_record_id"`
	// Message id of the container that this stands in directly.
	ParentMessageID *string `avro:"parent_message_id" json:"parent_message_id"`
	// Message ids of all containers above, outermost first.
	AncestorIDs []string `avro:"ancestor_ids" json:"ancestor_ids"`
	// Place in the whole forward, such as 00003.00001: 1-based, five digits a level, sorts depth-first.
	Path *string `avro:"path" json:"path"`
	// Levels below the outermost container; 0 for what is not inside one.
	Depth int64 `avro:"depth" json:"depth"`
	// 1-based place among its siblings.
	ChildNo *int64 `avro:"child_no" json:"child_no"`
	// Direct children of a container.
	ChildCount *int64 `avro:"child_count" json:"child_count"`
	// All messages below a container.
	DescendantCount *int64 `avro:"descendant_count" json:"descendant_count"`
	// UNKNOWN, NOT_APPLICABLE, COMPLETE, PARTIAL or FAILED.
	Expansion string `avro:"expansion" json:"expansion"`
	// Why the expansion is not complete.
	ExpansionReason *string `avro:"expansion_reason" json:"expansion_reason"`
}

// Provenance: where a message version comes from.
type Provenance struct {
	// Page id (ce_id) of the raw page that shows it.
	PageID string `avro:"page_id" json:"page_id"`
	// ce_type of that page.
	SourceAPI string `avro:"source_api" json:"source_api"`
	// Topic of that page.
	RawTopic string `avro:"raw_topic" json:"raw_topic"`
	// Partition of that page.
	RawPartition int64 `avro:"raw_partition" json:"raw_partition"`
	// Offset of that page.
	RawOffset int64 `avro:"raw_offset" json:"raw_offset"`
	// JSON Pointer (RFC 6901) of the item in the page's body.
	ItemPointer string `avro:"item_pointer" json:"item_pointer"`
	// Program that fetched the page.
	ConnectorVersion string `avro:"connector_version" json:"connector_version"`
	// Program that normalized it.
	NormalizerVersion string `avro:"normalizer_version" json:"normalizer_version"`
	// When the page was complete (ce_time).
	ExtractedAt Millis `avro:"extracted_at" json:"extracted_at"`
	// When it was normalized.
	NormalizedAt Millis `avro:"normalized_at" json:"normalized_at"`
}

// Issue: a repair that was made to what the platform sent.
type Issue struct {
	// Field of the message that is affected.
	Field string `avro:"field" json:"field"`
	// NULLED, TRUNCATED, COERCED, DEFAULTED or UNKNOWN_TYPE; more may come.
	Action string `avro:"action" json:"action"`
	// What was wrong.
	Reason string `avro:"reason" json:"reason"`
	// Extras of the issue.
	Attributes Attributes `avro:"attributes" json:"attributes"`
}
