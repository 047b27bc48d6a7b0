package simulator

// Modes of a chat and forms of its messages, as
// https://open.feishu.cn/document/server-docs/group/chat/get-2 names them.
const (
	ModeGroup  = "group"
	ModeTopic  = "topic"
	ModeP2P    = "p2p"
	FormChat   = "chat"
	FormThread = "thread"
)

// Chat is one conversation of the world.
type Chat struct {
	ID               string
	Name             string
	Description      string
	Mode             string // group, topic, p2p
	GroupMessageType string // chat, thread; "" unless Mode is group
	OwnerID          string // "" where a bot owns it, and for p2p
	People           int
	CreatedAt        int64 // ms
}

// Flat says whether container=chat shows thread replies too.
func (c Chat) Flat() bool { return c.Mode == ModeTopic }

// State is what became of a message.
type State string

// States.
const (
	Normal   State = "NORMAL"
	Recalled State = "RECALLED" // lists show a shell
	Deleted  State = "DELETED"  // lists leave it out, and asking for it gives 230110
)

// Fate is what asking for the parent of a message gives.
type Fate string

// Fates of a parent.
const (
	FateNone      Fate = ""          // there is no parent
	FateShown     Fate = "shown"     // the chat or a thread shows it
	FateHidden    Fate = "hidden"    // no list shows it, a GET does
	FateUnknown   Fate = "unknown"   // 99992354
	FateDeleted   Fate = "deleted"   // 230110
	FateForeign   Fate = "foreign"   // 230002: a message of a chat that the bot is not in
	FateInvisible Fate = "invisible" // 230050
	FateElsewhere Fate = "elsewhere" // a message of another chat that the bot is in
)

// Sender is who wrote a message. The zero value: the platform tells nobody (system messages).
type Sender struct {
	ID        string
	IDType    string // open_id, app_id
	Type      string // user, app, anonymous, unknown
	Name      string // told only where with_sender_name=true
	TenantKey string
}

// Mention is a person named in a message.
type Mention struct {
	Key       string // placeholder in the content: @_user_1
	ID        string
	Name      string
	TenantKey string
}

// Attachment is a file that belongs to a message. Zero fields are not told.
type Attachment struct {
	Kind       string // image, file, audio, video, sticker, folder
	FileKey    string
	Name       string
	DurationMS int64
	Width      int64
	Height     int64
}

// Message is the truth about one message: what the API tells of it and what a reader should make of that.
type Message struct {
	ID        string
	ChatID    string
	Type      string // msg_type
	CreatedAt int64  // ms
	UpdatedAt int64  // ms; CreatedAt where never changed
	Edited    bool
	State     State
	Sender    Sender
	Mentions  []Mention
	// MentionsAll: the text names everybody, as @_all, without a row in mentions.
	MentionsAll bool

	// Content is body.content as long as the message is NORMAL; Card replaces it where the request says
	// card_msg_content_type=user_card_content.
	Content string
	Card    string
	// Kind is the platform-neutral word for Type: TEXT, RICH_TEXT, IMAGE, …
	Kind string
	// Text is what people read, with names for placeholders. TextExact says that it follows from the content alone;
	// where false, its wording is a matter of taste (cards, votes, …). TextNone: there is no text.
	Text        string
	TextExact   bool
	TextNone    bool
	Attachments []Attachment

	// ParentID and RootID are the message answered and the first of its tree. RootTold is false where the API leaves
	// root_id out.
	ParentID   string
	RootID     string
	RootTold   bool
	ParentFate Fate

	ThreadID   string
	ThreadRoot bool
	// Position is the order within the chat, ThreadPosition within the thread; -1 where not told.
	Position       int64
	ThreadPosition int64
	// CopyOf is the thread reply that this message repeats in the chat; CopiedTo is the other end.
	CopyOf   string
	CopiedTo string

	// InChat: container=chat shows it. InThread: container=thread shows it (the thread can be read).
	InChat   bool
	InThread bool

	// Children is the content of a merged forward: every descendant in the order of the response.
	Children []Child

	invisible bool // asking for it gives 230050
	number    int  // unique in the world
}

// Child is a message within a merged forward.
type Child struct {
	Message
	// UpperID is upper_message_id as told: "" or an unknown id makes it a child of the outermost container.
	UpperID string
	// Under is the id of the container that it stands in, Depth counts from 1, and Path numbers siblings in the order of
	// the response: 00003.00001.
	Under string
	Depth int
	Path  string
	// Withheld: the GET of the outermost container leaves it out; the GET of the nested container that it is under has it.
	Withheld bool
}

// Thread is one thread of a chat.
type Thread struct {
	ID      string
	ChatID  string
	RootID  string
	Replies int
	// Code is what listing it gives: 0, 230110 (its root was recalled or deleted), 230073 (invisible).
	Code int
}

// clone copies what a caller could change.
func (m *Message) clone() Message {
	c := *m
	c.Mentions = append([]Mention(nil), m.Mentions...)
	c.Attachments = append([]Attachment(nil), m.Attachments...)
	c.Children = append([]Child(nil), m.Children...)
	return c
}

// kinds gives the platform-neutral word for each msg_type of
// https://open.feishu.cn/document/server-docs/im-v1/message-content-description/message_content
var kinds = map[string]string{
	"text": "TEXT", "post": "RICH_TEXT", "image": "IMAGE", "file": "FILE", "folder": "FOLDER", "audio": "AUDIO",
	"media": "VIDEO", "sticker": "STICKER", "interactive": "CARD", "share_chat": "CHAT_CARD", "share_user": "CONTACT_CARD",
	"system": "SYSTEM", "location": "LOCATION", "video_chat": "CALL", "todo": "TASK", "vote": "VOTE", "hongbao": "RED_PACKET",
	"share_calendar_event": "CALENDAR", "calendar": "CALENDAR", "general_calendar": "CALENDAR", "merge_forward": "MERGE_FORWARD",
}

// kindOf is "UNKNOWN" for a msg_type that the platform does not document.
func kindOf(msgType string) string {
	if kind, ok := kinds[msgType]; ok {
		return kind
	}
	return "UNKNOWN"
}
