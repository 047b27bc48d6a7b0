package pipeline

import (
	"strings"
	"time"

	"chatlake/schemas"
)

// Fault is what a dead letter is made of.
type Fault struct {
	Stage, Class, Message string
	Retryable             bool
	Conversation          schemas.ConversationKey
	Container             schemas.ContainerKey
	PageID, ItemPointer   string
	RecordID              string
	Source                *schemas.Record // the record it was found in
}

// NoConversation stands for the conversation key of a record that has none.
const NoConversation schemas.ConversationKey = "unknown"

// DeadLetter makes the dead letter of a fault. Its id depends on the fault alone, so finding it again writes it again
// under the same id. It can always be written: what is not UTF-8 is replaced, for a record that is bad in one way is
// bad in others.
func DeadLetter(f Fault, at time.Time) *schemas.DeadLetter {
	f.clean()
	d := &schemas.DeadLetter{
		ID:    schemas.DeadLetterID(f.Stage, f.PageID, f.ItemPointer, f.RecordID, f.Class),
		Stage: f.Stage, ErrorClass: f.Class, ErrorMessage: f.Message, Retryable: f.Retryable,
		ConversationKey: string(f.Conversation),
		ContainerKey:    optional(string(f.Container)), PageID: optional(f.PageID),
		ItemPointer: optional(f.ItemPointer), RecordID: optional(f.RecordID),
		FailedAt: schemas.MillisOf(at),
	}
	if s := f.Source; s != nil {
		partition, offset := int64(s.Partition), s.Offset
		d.SourceTopic, d.SourcePartition, d.SourceOffset = &s.Topic, &partition, &offset
	}
	return d
}

// maxField is the most of one field that a dead letter keeps, in bytes: a foreign record's headers may have any length.
const maxField = 16 << 10

func (f *Fault) clean() {
	for _, s := range [...]*string{&f.Class, &f.Message, (*string)(&f.Conversation), (*string)(&f.Container), &f.PageID, &f.ItemPointer, &f.RecordID} {
		*s = strings.ToValidUTF8((*s)[:min(len(*s), maxField)], "\uFFFD")
	}
	if f.Conversation == "" {
		f.Conversation = NoConversation
	}
	if f.Class == "" {
		f.Class = "unknown"
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
