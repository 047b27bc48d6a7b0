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

// AddIssue notes a repair.
func (v *Message) AddIssue(field, action, reason string) {
	v.Issues = append(v.Issues, Issue{Field: field, Action: action, Reason: reason})
}
