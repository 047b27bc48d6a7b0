package schemas

// Names of platforms.
const (
	Feishu = "feishu"
	Yunxin = "yunxin"
)

// Kinds of container.
const (
	KindChat         = "chat"         // a Feishu chat
	KindThread       = "thread"       // a Feishu thread
	KindMessage      = "message"      // one Feishu message, looked up by id
	KindConversation = "conversation" // a Yunxin conversation
	KindMessages     = "messages"     // Yunxin messages, looked up by id
)

// Causes of a container: who asked for it.
const (
	CauseUser       = "user"
	CauseDiscovered = "discovered"
	CauseThread     = "thread"
	CauseLookup     = "lookup"
)

// States of a container, as its checkpoint tells them.
const (
	StatePending   = "PENDING"   // known, nothing read yet
	StateRunning   = "RUNNING"   // being read
	StateWaiting   = "WAITING"   // the platform gives nothing at present
	StateComplete  = "COMPLETE"  // read to its end
	StateFailed    = "FAILED"    // cannot be read, see the error
	StateCancelled = "CANCELLED" // not to be read any further
)

// Ended reports whether nothing more will be read in the checkpoint's epoch.
func (v *Checkpoint) Ended() bool {
	return v.State == StateComplete || v.State == StateFailed || v.State == StateCancelled
}

// Stages that dead letters come from.
const (
	StageExtract   = "extract"
	StageDecode    = "decode"
	StageNormalize = "normalize"
	StageEncode    = "encode"
)

// MaxDeadLetterBody is the most of a body that a dead letter keeps, in bytes.
const MaxDeadLetterBody = 1 << 20
