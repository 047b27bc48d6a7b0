package schemas

import "encoding/binary"

// The encoder of messages is written out by hand: the Avro library looks every field up by reflection, twice for each
// message (for its fingerprint and for its value), which was a third of the normalizer's time. It gives the bytes that
// the library gives; a test compares the two over every field and random messages.

// blockLength is how many items the library puts into one block of an array.
const blockLength = 100

// body is an Avro body being written.
type body []byte

func (b *body) long(n int64)    { *b = binary.AppendVarint(*b, n) } // Avro's zigzag is Go's
func (b *body) millis(n Millis) { b.long(int64(n)) }

func (b *body) string(s string) {
	b.long(int64(len(s)))
	*b = append(*b, s...)
}

func (b *body) bool(v bool) {
	if v {
		*b = append(*b, 1)
		return
	}
	*b = append(*b, 0)
}

// some writes which branch of ["null", T] follows.
func (b *body) some(there bool) bool {
	if there {
		*b = append(*b, 2)
		return true
	}
	*b = append(*b, 0)
	return false
}

func (b *body) optString(s *string) {
	if b.some(s != nil) {
		b.string(*s)
	}
}

func (b *body) optLong(n *int64) {
	if b.some(n != nil) {
		b.long(*n)
	}
}

func (b *body) optMillis(n *Millis) {
	if b.some(n != nil) {
		b.millis(*n)
	}
}

// items writes n items in blocks, each begun with its length, and the empty block that ends an array.
func (b *body) items(n int, item func(i int)) {
	for i := range n {
		if i%blockLength == 0 {
			b.long(int64(min(blockLength, n-i)))
		}
		item(i)
	}
	b.long(0)
}

func (b *body) attributes(a Attributes) {
	if len(a) == 0 {
		b.long(0)
		return
	}
	b.items(len(a), func(i int) { b.string(a[i].Key); b.string(a[i].Value) })
}

func (b *body) message(m *Message) {
	b.string(m.RecordID)
	b.long(m.Version)
	b.long(m.SourceRevision)
	b.string(m.Change)
	b.string(m.Platform)
	b.string(m.TenantID)
	b.string(m.AppID)
	b.string(m.ConversationID)
	b.string(m.ConversationKind)
	b.string(m.MessageID)
	b.optString(m.ClientMessageID)
	b.string(m.MessageType)
	b.optString(m.MessageSubtype)
	b.string(m.ContentKind)
	b.millis(m.CreatedAt)
	b.millis(m.OccurredAt)
	b.string(m.EventDate)
	b.optMillis(m.UpdatedAt)
	b.optMillis(m.RecalledAt)
	b.string(m.State)
	b.bool(m.IsEdited)
	b.sender(&m.Sender)
	b.optString(m.Text)
	b.optString(m.ContentJSON)
	b.items(len(m.Mentions), func(i int) { b.mention(&m.Mentions[i]) })
	b.items(len(m.Attachments), func(i int) { b.attachment(&m.Attachments[i]) })
	b.optLong(m.ConversationSeq)
	b.optLong(m.ThreadSeq)
	b.optString(m.CopyOfMessageID)
	b.optString(m.ThreadID)
	b.bool(m.IsThreadRoot)
	b.link(&m.Parent)
	b.link(&m.Root)
	b.forward(&m.Forward)
	b.provenance(&m.Provenance)
	b.items(len(m.Issues), func(i int) { b.issue(&m.Issues[i]) })
	b.attributes(m.Attributes)
}

func (b *body) sender(s *Sender) {
	b.string(s.ID)
	b.string(s.IDType)
	b.string(s.Kind)
	b.optString(s.TenantID)
	b.optString(s.Name)
	b.optString(s.ClientType)
}

func (b *body) mention(m *Mention) {
	b.string(m.Placeholder)
	b.optString(m.ID)
	b.optString(m.IDType)
	b.optString(m.Name)
	b.optString(m.TenantID)
	b.bool(m.IsAll)
	b.attributes(m.Attributes)
}

func (b *body) attachment(a *Attachment) {
	b.long(a.AttachmentNo)
	b.string(a.Kind)
	b.optString(a.FileKey)
	b.optString(a.Name)
	b.optString(a.URL)
	b.optString(a.MD5)
	b.optString(a.MimeType)
	b.optLong(a.SizeBytes)
	b.optLong(a.DurationMs)
	b.optLong(a.Width)
	b.optLong(a.Height)
	b.attributes(a.Attributes)
}

func (b *body) link(l *Link) {
	b.string(l.Status)
	b.optString(l.Reason)
	b.optString(l.MessageID)
	b.optString(l.RecordID)
	b.optString(l.ClientMessageID)
	b.optString(l.SenderID)
	b.optMillis(l.CreatedAt)
}

func (b *body) forward(f *Forward) {
	b.string(f.Role)
	b.optString(f.ContainerRecordID)
	b.optString(f.ParentRecordID)
	b.optString(f.ParentMessageID)
	b.items(len(f.AncestorIDs), func(i int) { b.string(f.AncestorIDs[i]) })
	b.optString(f.Path)
	b.long(f.Depth)
	b.optLong(f.ChildNo)
	b.optLong(f.ChildCount)
	b.optLong(f.DescendantCount)
	b.string(f.Expansion)
	b.optString(f.ExpansionReason)
}

func (b *body) provenance(p *Provenance) {
	b.string(p.PageID)
	b.string(p.SourceAPI)
	b.string(p.RawTopic)
	b.long(p.RawPartition)
	b.long(p.RawOffset)
	b.string(p.ItemPointer)
	b.string(p.ConnectorVersion)
	b.string(p.NormalizerVersion)
	b.millis(p.ExtractedAt)
	b.millis(p.NormalizedAt)
}

func (b *body) issue(i *Issue) {
	b.string(i.Field)
	b.string(i.Action)
	b.string(i.Reason)
	b.attributes(i.Attributes)
}
