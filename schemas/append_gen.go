// Code generated from the .avsc files by go generate; DO NOT EDIT.

package schemas

func (b *body) appendMessage(v *Message) {
	b.string(v.RecordID)
	b.long(v.Version)
	b.long(v.SourceRevision)
	b.string(v.Change)
	b.string(v.Platform)
	b.string(v.TenantID)
	b.string(v.AppID)
	b.string(v.ConversationID)
	b.string(v.ConversationKind)
	b.string(v.MessageID)
	b.optString(v.ClientMessageID)
	b.string(v.MessageType)
	b.optString(v.MessageSubtype)
	b.string(v.ContentKind)
	b.millis(v.CreatedAt)
	b.millis(v.OccurredAt)
	b.string(v.EventDate)
	b.optMillis(v.UpdatedAt)
	b.optMillis(v.RecalledAt)
	b.string(v.State)
	b.boolean(v.IsEdited)
	b.appendSender(&v.Sender)
	b.optString(v.Text)
	b.optString(v.ContentJSON)
	b.items(len(v.Mentions), func(i int) { b.appendMention(&v.Mentions[i]) })
	b.items(len(v.Attachments), func(i int) { b.appendAttachment(&v.Attachments[i]) })
	b.optLong(v.ConversationSeq)
	b.optLong(v.ThreadSeq)
	b.optString(v.CopyOfMessageID)
	b.optString(v.ThreadID)
	b.boolean(v.IsThreadRoot)
	b.appendLink(&v.Parent)
	b.appendLink(&v.Root)
	b.appendForward(&v.Forward)
	b.appendProvenance(&v.Provenance)
	b.items(len(v.Issues), func(i int) { b.appendIssue(&v.Issues[i]) })
	b.attributes(v.Attributes)
}

func (b *body) appendSender(v *Sender) {
	b.string(v.ID)
	b.string(v.IDType)
	b.string(v.Kind)
	b.optString(v.TenantID)
	b.optString(v.Name)
	b.optString(v.ClientType)
}

func (b *body) appendMention(v *Mention) {
	b.string(v.Placeholder)
	b.optString(v.ID)
	b.optString(v.IDType)
	b.optString(v.Name)
	b.optString(v.TenantID)
	b.boolean(v.IsAll)
	b.attributes(v.Attributes)
}

func (b *body) appendAttachment(v *Attachment) {
	b.long(v.AttachmentNo)
	b.string(v.Kind)
	b.optString(v.FileKey)
	b.optString(v.Name)
	b.optString(v.URL)
	b.optString(v.MD5)
	b.optString(v.MimeType)
	b.optLong(v.SizeBytes)
	b.optLong(v.DurationMs)
	b.optLong(v.Width)
	b.optLong(v.Height)
	b.attributes(v.Attributes)
}

func (b *body) appendLink(v *Link) {
	b.string(v.Status)
	b.optString(v.Reason)
	b.optString(v.MessageID)
	b.optString(v.RecordID)
	b.optString(v.ClientMessageID)
	b.optString(v.SenderID)
	b.optMillis(v.CreatedAt)
}

func (b *body) appendForward(v *Forward) {
	b.string(v.Role)
	b.optString(v.ContainerRecordID)
	b.optString(v.ParentRecordID)
	b.optString(v.ParentMessageID)
	b.items(len(v.AncestorIDs), func(i int) { b.string(v.AncestorIDs[i]) })
	b.optString(v.Path)
	b.long(v.Depth)
	b.optLong(v.ChildNo)
	b.optLong(v.ChildCount)
	b.optLong(v.DescendantCount)
	b.string(v.Expansion)
	b.optString(v.ExpansionReason)
}

func (b *body) appendProvenance(v *Provenance) {
	b.string(v.PageID)
	b.string(v.SourceAPI)
	b.string(v.RawTopic)
	b.long(v.RawPartition)
	b.long(v.RawOffset)
	b.string(v.ItemPointer)
	b.string(v.ConnectorVersion)
	b.string(v.NormalizerVersion)
	b.millis(v.ExtractedAt)
	b.millis(v.NormalizedAt)
}

func (b *body) appendIssue(v *Issue) {
	b.string(v.Field)
	b.string(v.Action)
	b.string(v.Reason)
	b.attributes(v.Attributes)
}
