package schemas

import (
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"
	"github.com/hamba/avro/v2"
)

// Fingerprint is equal for two messages that differ only in what is no difference between versions: the version and
// what changed, sender names, file URLs, provenance and the conversation's kind.
func (v *Message) Fingerprint() (uint64, error) {
	m := *v
	m.Version, m.Change, m.ConversationKind, m.Sender.Name, m.Provenance = 0, "", "", nil, Provenance{}
	for i := range m.Attachments {
		if m.Attachments[i].URL != nil {
			m.Attachments = append([]Attachment(nil), m.Attachments...)
			for k := range m.Attachments {
				m.Attachments[k].URL = nil
			}
			break
		}
	}
	w := writers.Get().(*avro.Writer)
	w.Reset(io.Discard)
	w.WriteVal(MessageSchema.wire.schema, &m)
	if w.Error != nil {
		return 0, fmt.Errorf("fingerprint of %s: %w", v.RecordID, w.Error)
	}
	sum := xxhash.Sum64(w.Buffer())
	writers.Put(w)
	return sum, nil
}
