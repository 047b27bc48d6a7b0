package schemas

import (
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// Fingerprint is equal for two messages that differ only in what is no difference between versions: the version and
// what changed, sender names, file URLs, provenance and the conversation's kind. v is changed and changed back meanwhile:
// a copy for each message was a tenth of all that normalizing allocates.
func (v *Message) Fingerprint() uint64 {
	version, change, kind, name, provenance, attachments := v.Version, v.Change, v.ConversationKind, v.Sender.Name, v.Provenance, v.Attachments
	v.Version, v.Change, v.ConversationKind, v.Sender.Name, v.Provenance = 0, "", "", nil, Provenance{}
	v.Attachments = withoutURLs(attachments)
	b := scratch.Get().(*body)
	*b = (*b)[:0]
	b.appendMessage(v)
	v.Version, v.Change, v.ConversationKind, v.Sender.Name, v.Provenance, v.Attachments = version, change, kind, name, provenance, attachments
	sum := xxhash.Sum64(*b)
	scratch.Put(b)
	return sum
}

var scratch = sync.Pool{New: func() any { return new(body) }}

func withoutURLs(list []Attachment) []Attachment {
	if !slices.ContainsFunc(list, func(a Attachment) bool { return a.URL != nil }) {
		return list
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].URL = nil
	}
	return list
}
