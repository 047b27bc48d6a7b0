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

// MessageRef names one message to be fetched by id.
type MessageRef struct {
	MessageID string  `avro:"message_id" json:"message_id"`
	CreatedAt *Millis `avro:"created_at" json:"created_at"`
}

// Container is a value of the topic of containers: what is to be read. Several records of one key are folded, see Fold.
type Container struct {
	Key            string       `avro:"key" json:"key"`
	Platform       string       `avro:"platform" json:"platform"`
	TenantID       string       `avro:"tenant_id" json:"tenant_id"`
	Kind           string       `avro:"kind" json:"kind"`
	ID             string       `avro:"id" json:"id"`
	ConversationID string       `avro:"conversation_id" json:"conversation_id"`
	WindowStart    *Millis      `avro:"window_start" json:"window_start"`
	WindowEnd      *Millis      `avro:"window_end" json:"window_end"`
	Mode           string       `avro:"mode" json:"mode"`
	Epoch          int64        `avro:"epoch" json:"epoch"`
	Refs           []MessageRef `avro:"refs" json:"refs"`
	Cancelled      bool         `avro:"cancelled" json:"cancelled"`
	Cause          string       `avro:"cause" json:"cause"`
	RequestedAt    Millis       `avro:"requested_at" json:"requested_at"`
	// Resume says that the epoch starts from the cursor and watermark of the epoch before, without its page token.
	Resume bool `avro:"resume" json:"resume"`
}

// States of a container, as its checkpoint tells them.
const (
	StatePending   = "PENDING"   // known, nothing read yet
	StateRunning   = "RUNNING"   // being read
	StateWaiting   = "WAITING"   // the platform gives nothing at present
	StateComplete  = "COMPLETE"  // read to its end
	StateFailed    = "FAILED"    // cannot be read, see the error
	StateCancelled = "CANCELLED" // not to be read any further
)

// Checkpoint is a value of the topic of checkpoints: how far a container has been read in one epoch.
type Checkpoint struct {
	ContainerKey string  `avro:"container_key" json:"container_key"`
	Epoch        int64   `avro:"epoch" json:"epoch"`
	State        string  `avro:"state" json:"state"`
	Cursor       *string `avro:"cursor" json:"cursor"`
	Watermark    *Millis `avro:"watermark" json:"watermark"`
	Pages        int64   `avro:"pages" json:"pages"`
	Items        int64   `avro:"items" json:"items"`
	Calls        int64   `avro:"calls" json:"calls"`
	LastPageID   *string `avro:"last_page_id" json:"last_page_id"`
	ErrorCode    *string `avro:"error_code" json:"error_code"`
	ErrorMessage *string `avro:"error_message" json:"error_message"`
	UpdatedAt    Millis  `avro:"updated_at" json:"updated_at"`
}

// Ended reports whether nothing more will be read in the checkpoint's epoch.
func (v *Checkpoint) Ended() bool {
	return v.State == StateComplete || v.State == StateFailed || v.State == StateCancelled
}

// DeadLetter is a value of the topic of dead letters: something set aside so that the rest could go on.
type DeadLetter struct {
	ID              string  `avro:"id" json:"id"`
	Stage           string  `avro:"stage" json:"stage"`
	ErrorClass      string  `avro:"error_class" json:"error_class"`
	ErrorMessage    string  `avro:"error_message" json:"error_message"`
	Retryable       bool    `avro:"retryable" json:"retryable"`
	ConversationKey string  `avro:"conversation_key" json:"conversation_key"`
	ContainerKey    *string `avro:"container_key" json:"container_key"`
	PageID          *string `avro:"page_id" json:"page_id"`
	ItemPointer     *string `avro:"item_pointer" json:"item_pointer"`
	RecordID        *string `avro:"record_id" json:"record_id"`
	SourceTopic     *string `avro:"source_topic" json:"source_topic"`
	SourcePartition *int64  `avro:"source_partition" json:"source_partition"`
	SourceOffset    *int64  `avro:"source_offset" json:"source_offset"`
	Body            *[]byte `avro:"body" json:"body,omitempty"`
	BodyTruncated   bool    `avro:"body_truncated" json:"body_truncated"`
	FailedAt        Millis  `avro:"failed_at" json:"failed_at"`
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
