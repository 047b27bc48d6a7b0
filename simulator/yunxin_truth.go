package simulator

// Types of a Yunxin conversation, as its id spells them.
const (
	YunxinP2P   = 1
	YunxinTeam  = 2
	YunxinSuper = 3
)

// YunxinConversation is one conversation of the world.
type YunxinConversation struct {
	ID     string // p2p:alice:bob, team:1, super:2: one spelling for one conversation
	APIID  string // owner|type|other as a caller may spell it: the owner is either side, now and then with capitals
	Type   int    // 1, 2, 3
	Kind   string // P2P, GROUP, SUPER_GROUP
	Owner  string // account in whose name it is read, lower-case
	Other  string // the other side of a p2p conversation
	TeamID int64
	Name   string // of a team
}

// YunxinRefusal is an id that is well-formed and cannot be read.
type YunxinRefusal struct {
	APIID string
	Code  int // that history gives
}

// YunxinState is where a message is to be had.
type YunxinState string

// States of Yunxin messages.
const (
	YunxinShown    YunxinState = "shown"    // history and batch_messages
	YunxinNoSense  YunxinState = "no sense" // history with include_no_sense_msg=true only, and batch_messages
	YunxinHidden   YunxinState = "hidden"   // batch_messages only
	YunxinRecalled YunxinState = "recalled" // nowhere: 107404
	YunxinBlocked  YunxinState = "blocked"  // nowhere: 107451, anti-spam
)

// Words for what becomes of a link, once all of its conversation was read and look-ups were answered.
const (
	linkNone       = "NONE"
	linkResolved   = "RESOLVED"
	linkPending    = "PENDING" // told by a client id that no message has
	linkMissing    = "MISSING"
	linkForbidden  = "FORBIDDEN"
	linkOutOfScope = "OUT_OF_SCOPE"
)

// YunxinLink is what a reader should make of a parent or root. Of RESOLVED the ids are the target's, of all others those
// that were told.
type YunxinLink struct {
	Status    string // "": not prescribed
	Reason    string // code or word, "" where none is prescribed
	MessageID string
	ClientID  string // as told, of links that are not RESOLVED
	SenderID  string
	CreatedAt int64
}

// How a message tells what it answers.
const (
	QuoteNative   = "native"   // thread_config
	QuoteLegacy   = "legacy"   // yxReplyMsg in the extension
	QuoteBoth     = "both"     // both, of the same message
	QuoteConflict = "conflict" // both, of two messages: native wins
)

// YunxinFile is a file that belongs to a message. Zero fields are not told.
type YunxinFile struct {
	Kind       string // image, file, audio, video, sticker
	Key        string // of a sticker, within its catalogue
	Name       string
	URL        string
	MD5        string
	Extension  string // without a dot
	Size       int64
	DurationMS int64
	Width      int64
	Height     int64
}

// YunxinMessage is the truth about one message: what the API tells of it and what a reader should make of that.
type YunxinMessage struct {
	ID             string // the server id, exact
	ConversationID string
	ClientID       string
	Type           int
	// SubType is told for type 100, and for every type by v2.1 only; 0: none. Inner is the type within a custom
	// attachment, 0: none.
	SubType, Inner int
	CreatedAt      int64  // ms
	EditedAt       int64  // ms, 0: never
	EditedBy       string // account
	Sender         string
	Receiver       string // "" in teams
	ClientType     int
	State          YunxinState

	// Kind is the platform-neutral word: TEXT, IMAGE, … "" where none is prescribed.
	Kind string
	// Text is what people read. TextExact says that it follows from the content alone; where false, its wording is a
	// matter of taste (notifications, calls, …). TextNone: there is no text.
	Text                string
	TextExact, TextNone bool
	// Content is the attachment as JSON, decoded where it comes as a string; "" where none is told, and for merged forwards.
	Content  string
	Files    []YunxinFile
	Mentions []Mention // accounts that yxAitMsg names

	Quote        string // how it tells what it answers, "": not at all
	Parent, Root YunxinLink
	ThreadID     string // server id of the root, for native threads and their roots
	ThreadRoot   bool

	// Forward is set for merged forwards.
	Forward *YunxinForward

	number int64
	told   *quote
	body   *content
	file   *mergedFile
}

// YunxinForward is what a merged forward holds.
type YunxinForward struct {
	Oddity    FileOddity
	Path      string // of its file at the files' origin, without signature
	Depth     int    // of the files, 1 where none is nested
	Expansion string // COMPLETE, PARTIAL, FAILED; "": not prescribed
	Children  []YunxinChild
}

// YunxinChild is a message within a merged forward, in depth-first order. Its ID is "" where the file tells none; then its
// ClientID tells it from others and, where that is "" too, its Path.
type YunxinChild struct {
	YunxinMessage
	SenderName string
	Under      string // path of the container that it stands in, "": the outermost
	Path       string // 00003.00001: position of its line, from 1
	Depth      int    // parts in Path
	Repeat     int    // 2, 3, … where the same id stood under the same parent before
	Line       int    // of its file, from 1; the header is line 0
	// Broken says that the line cannot be read; what stands here is what it would have said.
	Broken bool
}

// FileOddity is what is wrong with the file of a merged forward, "" where nothing is.
type FileOddity string

// Oddities of merged files.
const (
	FileCRLF       FileOddity = "crlf"
	FileLongLine   FileOddity = "long line" // of 200,000 characters
	FileNoMD5      FileOddity = "no md5"    // md5 is ""
	FileMoved      FileOddity = "moved"     // a redirect at the same origin
	FileEmpty      FileOddity = "empty"     // no message in it
	FileCount      FileOddity = "count"     // the header tells one more than there are
	FileBrokenLine FileOddity = "broken line"
	FileCycle      FileOddity = "cycle"     // a nested forward's file is the file that it stands in
	FileGone       FileOddity = "gone"      // 404
	FileExpired    FileOddity = "expired"   // 403
	FileWrongMD5   FileOddity = "wrong md5" //
	FileElsewhere  FileOddity = "elsewhere" // a redirect to a host that is on no list
	FileForeign    FileOddity = "foreign"   // at a host that is on no list
	FilePrivate    FileOddity = "private"   // at a private address
)

// expansions tell what comes of a file; "" is COMPLETE.
var expansions = map[FileOddity]string{
	"": "COMPLETE", FileCRLF: "COMPLETE", FileLongLine: "COMPLETE", FileNoMD5: "COMPLETE", FileMoved: "COMPLETE", FileEmpty: "COMPLETE",
	FileCount: "PARTIAL", FileBrokenLine: "PARTIAL", FileCycle: "PARTIAL",
	FileGone: "FAILED", FileExpired: "FAILED", FileWrongMD5: "FAILED", FileElsewhere: "FAILED", FileForeign: "FAILED", FilePrivate: "FAILED",
}

// clone copies what a caller could change.
func (m *YunxinMessage) clone() YunxinMessage {
	c := *m
	c.Files = append([]YunxinFile(nil), m.Files...)
	c.Mentions = append([]Mention(nil), m.Mentions...)
	if m.Forward != nil {
		f := *m.Forward
		f.Children = append([]YunxinChild(nil), m.Forward.Children...)
		c.Forward = &f
	}
	c.told, c.body, c.file = nil, nil, nil
	return c
}

// inThread tells whether a message answers natively.
func (m *YunxinMessage) inThread() bool { return m.told != nil && m.told.root != nil }
