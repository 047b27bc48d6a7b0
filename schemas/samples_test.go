package schemas_test

import (
	"strings"
	"testing"

	"chatlake/schemas"
)

func ptr[T any](v T) *T { return &v }

func attributes(pairs ...string) schemas.Attributes {
	var a schemas.Attributes
	for i := 0; i+1 < len(pairs); i += 2 {
		a.Set(pairs[i], pairs[i+1])
	}
	return a
}

// at is 2023-11-14T22:13:20.123Z.
const at schemas.Millis = 1700000000123

// fullMessage has a value in every field.
func fullMessage() *schemas.Message {
	link := func(id string) schemas.Link {
		return schemas.Link{
			Status: schemas.LinkResolved, Reason: ptr("because"), MessageID: ptr(id), RecordID: ptr("feishu/t/" + id),
			ClientMessageID: ptr("c-" + id), SenderID: ptr("ou_1"), CreatedAt: ptr(at - 5),
		}
	}
	return &schemas.Message{
		RecordID: "feishu/t/om_1", Version: 1700000000123000, SourceRevision: int64(at), Change: schemas.ChangeEdited,
		Platform: schemas.Feishu, TenantID: "t", AppID: "cli_1", ConversationID: "oc_1", ConversationKind: schemas.ConversationGroup,
		MessageID: "om_1", ClientMessageID: ptr("c1"), MessageType: "text", MessageSubtype: ptr("sub"), ContentKind: schemas.ContentText,
		CreatedAt: at, OccurredAt: at + 1, EventDate: "2023-11-14", UpdatedAt: ptr(at + 2), RecalledAt: ptr(at + 3),
		State: schemas.MessageNormal, IsEdited: true,
		Sender: schemas.Sender{
			ID: "ou_1", IDType: "open_id", Kind: "user", TenantID: ptr("t"), Name: ptr("Ada 你好"), ClientType: ptr("web"),
		},
		Text: ptr("hello @Bob \U0001F600"), ContentJSON: ptr(`{"text":"hello @_user_1"}`),
		Mentions: []schemas.Mention{{
			Placeholder: "@_user_1", ID: ptr("ou_2"), IDType: ptr("open_id"), Name: ptr("Bob"), TenantID: ptr("t"), IsAll: true,
			Attributes: attributes("b", "2", "a", "1"),
		}, {Placeholder: "@_all"}},
		Attachments: []schemas.Attachment{{
			AttachmentNo: 1, Kind: "file", FileKey: ptr("file_1"), Name: ptr("a.pdf"), URL: ptr("https://example.com/a"),
			MD5: ptr("d41d8cd98f00b204e9800998ecf8427e"), MimeType: ptr("application/pdf"), SizeBytes: ptr(int64(1) << 40),
			DurationMs: ptr(int64(1500)), Width: ptr(int64(640)), Height: ptr(int64(480)), Attributes: attributes("k", "v"),
		}},
		ConversationSeq: ptr(int64(7)), ThreadSeq: ptr(int64(-1)), CopyOfMessageID: ptr("om_0"), ThreadID: ptr("omt_1"), IsThreadRoot: true,
		Parent: link("om_p"), Root: link("om_r"),
		Forward: schemas.Forward{
			Role: schemas.ForwardChildContainer, ContainerRecordID: ptr("feishu/t/om_c"), ParentRecordID: ptr("feishu/t/om_c"),
			ParentMessageID: ptr("om_c"), AncestorIDs: []string{"om_c", "om_d"}, Path: ptr("00003.00001"), Depth: 2,
			ChildNo: ptr(int64(1)), ChildCount: ptr(int64(4)), DescendantCount: ptr(int64(9)),
			Expansion: schemas.ExpansionPartial, ExpansionReason: ptr("nested"),
		},
		Provenance: provenance(),
		Issues: []schemas.Issue{{
			Field: "text", Action: schemas.IssueTruncated, Reason: "longer than 1 MiB", Attributes: attributes("bytes", "2000000"),
		}},
		Attributes: attributes("z", "last", "a", "first", "m", ""),
	}
}

func provenance() schemas.Provenance {
	return schemas.Provenance{
		PageID: strings.Repeat("ab", 32), SourceAPI: schemas.FeishuMessagesList, RawTopic: "im.raw.pages", RawPartition: 3, RawOffset: 12345,
		ItemPointer: "/data/items/3", ConnectorVersion: "chatlake/1.0.0", NormalizerVersion: "chatlake/1.0.1",
		ExtractedAt: at + 4, NormalizedAt: at + 5,
	}
}

// minimalMessage has only what Validate asks for.
func minimalMessage() *schemas.Message {
	return &schemas.Message{
		RecordID: "feishu/t/om_1", Version: 1, Change: schemas.ChangeCreated, Platform: schemas.Feishu, TenantID: "t", ConversationID: "oc_1",
		ConversationKind: schemas.ConversationUnknown, MessageID: "om_1", ContentKind: schemas.ContentUnknown, EventDate: "1970-01-01",
		State: "UNKNOWN", Parent: schemas.Link{Status: schemas.LinkNone}, Root: schemas.Link{Status: schemas.LinkNone},
		Forward: schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable},
		Provenance: schemas.Provenance{
			PageID: "p", SourceAPI: schemas.FeishuMessagesList, RawTopic: "im.raw.pages", NormalizerVersion: "v",
		},
	}
}

// typicalMessage is a short answer in a group, some 700 bytes.
func typicalMessage() *schemas.Message {
	m := fullMessage()
	m.MessageSubtype, m.RecalledAt, m.Mentions, m.Attachments, m.Issues, m.Attributes = nil, nil, m.Mentions[:1], nil, nil, nil
	m.Forward = schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable}
	m.Text = ptr("A sentence of ordinary length, as people write them in chats every day, with one mention: @Bob")
	m.ContentJSON = ptr(`{"text":"A sentence of ordinary length, as people write them in chats every day, with one mention: @_user_1"}`)
	return m
}

func fullContainer() *schemas.Container {
	return &schemas.Container{
		Key: "yunxin/app/messages/p2p:alice:bob!0011223344556677", Platform: schemas.Yunxin, TenantID: "app", Kind: schemas.KindMessages,
		ID: "alice|1|bob", ConversationID: "p2p:alice:bob", WindowStart: ptr(at), WindowEnd: ptr(at + 1000), Mode: "backfill", Epoch: 2,
		Refs:      []schemas.MessageRef{{MessageID: "9007199254740993", CreatedAt: ptr(at)}, {MessageID: "1"}},
		Cancelled: true, Cause: schemas.CauseLookup, RequestedAt: at + 7, Resume: true,
	}
}

func minimalContainer() *schemas.Container {
	return &schemas.Container{
		Key: "feishu/t/chat/oc_1", Platform: schemas.Feishu, TenantID: "t", Kind: schemas.KindChat, ID: "oc_1", ConversationID: "oc_1",
		Mode: "backfill", Epoch: 1,
	}
}

func fullCheckpoint() *schemas.Checkpoint {
	return &schemas.Checkpoint{
		ContainerKey: "feishu/t/chat/oc_1", Epoch: 2, State: schemas.StateWaiting, Cursor: ptr("token"), Watermark: ptr(at), Pages: 3,
		Items: 150, Calls: 5, LastPageID: ptr("id"), ErrorCode: ptr("99991400"), ErrorMessage: ptr("quota"), UpdatedAt: at + 1,
	}
}

func minimalCheckpoint() *schemas.Checkpoint {
	return &schemas.Checkpoint{ContainerKey: "feishu/t/chat/oc_1", Epoch: 1, State: "UNKNOWN"}
}

func fullDeadLetter() *schemas.DeadLetter {
	return &schemas.DeadLetter{
		ID: "id", Stage: schemas.StageDecode, ErrorClass: "malformed", ErrorMessage: "no item", Retryable: true,
		ConversationKey: "feishu/t/oc_1", ContainerKey: ptr("feishu/t/chat/oc_1"), PageID: ptr("page"), ItemPointer: ptr("/data/items/3"),
		RecordID: ptr("feishu/t/om_1"), SourceTopic: ptr("im.raw.pages"), SourcePartition: ptr(int64(3)), SourceOffset: ptr(int64(99)),
		Body: ptr([]byte{0, 0xff, 'x'}), BodyTruncated: true, FailedAt: at,
	}
}

func minimalDeadLetter() *schemas.DeadLetter {
	return &schemas.DeadLetter{ID: "id", Stage: schemas.StageEncode, ErrorClass: "c", ConversationKey: "feishu/t/oc_1"}
}

// sample is a record type with values of it.
type sample struct {
	schema        *schemas.Schema
	full, minimal schemas.Validator
	fresh         func() schemas.Validator
}

func samples() []sample {
	return []sample{
		{schemas.ContainerSchema, fullContainer(), minimalContainer(), func() schemas.Validator { return new(schemas.Container) }},
		{schemas.CheckpointSchema, fullCheckpoint(), minimalCheckpoint(), func() schemas.Validator { return new(schemas.Checkpoint) }},
		{schemas.MessageSchema, fullMessage(), minimalMessage(), func() schemas.Validator { return new(schemas.Message) }},
		{schemas.DeadLetterSchema, fullDeadLetter(), minimalDeadLetter(), func() schemas.Validator { return new(schemas.DeadLetter) }},
	}
}

// body encodes v and takes the framing off.
func body(t testing.TB, s *schemas.Schema, v schemas.Validator) []byte {
	t.Helper()
	value, err := s.Append(nil, 7, v)
	if err != nil {
		t.Fatal(err)
	}
	_, b, err := schemas.Frame(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
