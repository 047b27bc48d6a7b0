// Code generated from the .avsc files by go generate; DO NOT EDIT.

package schemas

func (c *check) textsContainer(v *Container) {
	c.text("key", v.Key)
	c.text("platform", v.Platform)
	c.text("tenant_id", v.TenantID)
	c.text("kind", v.Kind)
	c.text("id", v.ID)
	c.text("conversation_id", v.ConversationID)
	c.text("mode", v.Mode)
	c.items("refs", len(v.Refs))
	for i := range v.Refs {
		c.within = "refs/"
		c.textsMessageRef(&v.Refs[i])
	}
	c.within = ""
	c.text("cause", v.Cause)
}

func (c *check) textsMessageRef(v *MessageRef) {
	c.text("message_id", v.MessageID)
}

func (c *check) textsCheckpoint(v *Checkpoint) {
	c.text("container_key", v.ContainerKey)
	c.text("state", v.State)
	c.optional("cursor", v.Cursor)
	c.optional("last_page_id", v.LastPageID)
	c.optional("error_code", v.ErrorCode)
	c.optional("error_message", v.ErrorMessage)
}

func (c *check) textsDeadLetter(v *DeadLetter) {
	c.text("id", v.ID)
	c.text("stage", v.Stage)
	c.text("error_class", v.ErrorClass)
	c.text("error_message", v.ErrorMessage)
	c.text("conversation_key", v.ConversationKey)
	c.optional("container_key", v.ContainerKey)
	c.optional("page_id", v.PageID)
	c.optional("item_pointer", v.ItemPointer)
	c.optional("record_id", v.RecordID)
	c.optional("source_topic", v.SourceTopic)
}

func (c *check) textsMessage(v *Message) {
	c.text("record_id", v.RecordID)
	c.text("change", v.Change)
	c.text("platform", v.Platform)
	c.text("tenant_id", v.TenantID)
	c.text("app_id", v.AppID)
	c.text("conversation_id", v.ConversationID)
	c.text("conversation_kind", v.ConversationKind)
	c.text("message_id", v.MessageID)
	c.optional("client_message_id", v.ClientMessageID)
	c.text("message_type", v.MessageType)
	c.optional("message_subtype", v.MessageSubtype)
	c.text("content_kind", v.ContentKind)
	c.text("event_date", v.EventDate)
	c.text("state", v.State)
	c.within = "sender/"
	c.textsSender(&v.Sender)
	c.within = ""
	c.optional("text", v.Text)
	c.optional("content_json", v.ContentJSON)
	c.items("mentions", len(v.Mentions))
	for i := range v.Mentions {
		c.within = "mentions/"
		c.textsMention(&v.Mentions[i])
	}
	c.within = ""
	c.items("attachments", len(v.Attachments))
	for i := range v.Attachments {
		c.within = "attachments/"
		c.textsAttachment(&v.Attachments[i])
	}
	c.within = ""
	c.optional("copy_of_message_id", v.CopyOfMessageID)
	c.optional("thread_id", v.ThreadID)
	c.within = "parent/"
	c.textsLink(&v.Parent)
	c.within = ""
	c.within = "root/"
	c.textsLink(&v.Root)
	c.within = ""
	c.within = "forward/"
	c.textsForward(&v.Forward)
	c.within = ""
	c.within = "provenance/"
	c.textsProvenance(&v.Provenance)
	c.within = ""
	c.items("issues", len(v.Issues))
	for i := range v.Issues {
		c.within = "issues/"
		c.textsIssue(&v.Issues[i])
	}
	c.within = ""
	c.attributes(v.Attributes)
}

func (c *check) textsSender(v *Sender) {
	c.text("id", v.ID)
	c.text("id_type", v.IDType)
	c.text("kind", v.Kind)
	c.optional("tenant_id", v.TenantID)
	c.optional("name", v.Name)
	c.optional("client_type", v.ClientType)
}

func (c *check) textsMention(v *Mention) {
	c.text("placeholder", v.Placeholder)
	c.optional("id", v.ID)
	c.optional("id_type", v.IDType)
	c.optional("name", v.Name)
	c.optional("tenant_id", v.TenantID)
	c.attributes(v.Attributes)
}

func (c *check) textsAttachment(v *Attachment) {
	c.text("kind", v.Kind)
	c.optional("file_key", v.FileKey)
	c.optional("name", v.Name)
	c.optional("url", v.URL)
	c.optional("md5", v.MD5)
	c.optional("mime_type", v.MimeType)
	c.attributes(v.Attributes)
}

func (c *check) textsLink(v *Link) {
	c.text("status", v.Status)
	c.optional("reason", v.Reason)
	c.optional("message_id", v.MessageID)
	c.optional("record_id", v.RecordID)
	c.optional("client_message_id", v.ClientMessageID)
	c.optional("sender_id", v.SenderID)
}

func (c *check) textsForward(v *Forward) {
	c.text("role", v.Role)
	c.optional("container_record_id", v.ContainerRecordID)
	c.optional("parent_record_id", v.ParentRecordID)
	c.optional("parent_message_id", v.ParentMessageID)
	c.items("ancestor_ids", len(v.AncestorIDs))
	for i := range v.AncestorIDs {
		c.text("ancestor_ids", v.AncestorIDs[i])
	}
	c.optional("path", v.Path)
	c.text("expansion", v.Expansion)
	c.optional("expansion_reason", v.ExpansionReason)
}

func (c *check) textsProvenance(v *Provenance) {
	c.text("page_id", v.PageID)
	c.text("source_api", v.SourceAPI)
	c.text("raw_topic", v.RawTopic)
	c.text("item_pointer", v.ItemPointer)
	c.text("connector_version", v.ConnectorVersion)
	c.text("normalizer_version", v.NormalizerVersion)
}

func (c *check) textsIssue(v *Issue) {
	c.text("field", v.Field)
	c.text("action", v.Action)
	c.text("reason", v.Reason)
	c.attributes(v.Attributes)
}
