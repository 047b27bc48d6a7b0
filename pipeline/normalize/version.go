package normalize

import (
	"fmt"
	"slices"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

func (s *session) provenance(m *schemas.Message, page int) {
	v, r, p := &m.Provenance, &s.group[page], &s.pages[page]
	v.PageID, v.SourceAPI = p.ID, p.Type
	v.RawTopic, v.RawPartition, v.RawOffset = r.Topic, int64(r.Partition), r.Offset
	v.ConnectorVersion, v.NormalizerVersion = p.ConnectorVersion, s.Version
	v.ExtractedAt, v.NormalizedAt = schemas.MillisOf(p.Time), schemas.MillisOf(s.Now())
}

// publish writes a new version of a record where it differs from the one that was published last.
func (s *session) publish(key graph.Key) error {
	n, err := s.index.Record(key)
	if err != nil || !n.Shown() {
		return err
	}
	m := &s.value
	if r := s.best[key]; r != nil {
		m = &r.Message
	} else if n.Published.Version == 0 {
		return nil // it was refused
	} else if err := s.kept(&n.Published, m); err != nil {
		return err
	}
	merge(m, &n.Node)
	m.ConversationKind = s.kind()
	s.Without.scrub(m)
	old := n.Published
	if same, err := s.said(&old, m); err != nil || same {
		return err
	}
	now := store.Published{Version: max(m.SourceRevision*1000, old.Version+1), Edited: millis(m.UpdatedAt), State: state(m.State), Value: s.place()}
	m.Version, m.Change = now.Version, change(&now, &old)
	value, err := s.fit(origin{now.Value, s.Topics.Messages}, m)
	switch {
	case err != nil:
		return s.refused(m, len(s.pages)-1, "invalid", err.Error())
	case value == nil:
		return s.refused(m, len(s.pages)-1, reasonTooLarge, "the message does not fit into its topic (max.message.bytes), whatever is cut")
	}
	now.Digest, now.Cut = m.Fingerprint(), slices.ContainsFunc(m.Issues, isCut)
	s.emit(now.Value, &schemas.Record{
		Topic: s.Topics.Messages, Partition: s.log.ID(), Time: s.stored(m.Provenance.ExtractedAt.Time()), Key: m.RecordID, Value: value,
	})
	s.count.messages++
	s.counts(m)
	return s.index.Publish(n, now, value)
}

// said reports whether a message is no news after what was published last.
func (s *session) said(old *store.Published, m *schemas.Message) (bool, error) {
	if old.Version == 0 || m.Fingerprint() == old.Digest {
		return old.Version != 0, nil
	}
	if !old.Cut {
		return false, nil
	}
	value, err := s.index.Value(old.Value)
	if err != nil {
		return false, err
	}
	return s.sameCut(m, value, old.Digest)
}

// kind is what the conversation in hand is, as known by now.
func (s *session) kind() string {
	if s.talk.Kind == "" {
		return schemas.ConversationUnknown
	}
	return s.talk.Kind
}

// kept reads the version that was published last.
func (s *session) kept(last *store.Published, m *schemas.Message) error {
	value, err := s.index.Value(last.Value)
	if err != nil {
		return err
	}
	*m = schemas.Message{}
	if _, value, err = schemas.Frame(value); err == nil {
		err = schemas.MessageSchema.Decode(value, m)
	}
	if err != nil {
		return fmt.Errorf("a message that was kept cannot be read: stop the process and delete NORMALIZER_STATE_DIR, it is rebuilt: %w", err)
	}
	m.Provenance.NormalizerVersion, m.Provenance.NormalizedAt = s.Version, schemas.MillisOf(s.Now())
	return nil
}

// merge makes a message of the reading that stands, what the others tell that it does not, and the links as they are now.
func merge(m *schemas.Message, n *graph.Node) {
	best := n.Best()
	m.SourceRevision = n.Revision
	m.UpdatedAt, m.RecalledAt = optional(best.UpdatedAt), optional(best.RecalledAt)
	m.ConversationSeq, m.ThreadSeq = best.ConversationSeq, best.ThreadSeq
	m.ThreadID, m.CopyOfMessageID = text(best.ThreadID), text(best.CopyOf)
	if n.Deleted {
		m.State = schemas.MessageDeleted
	}
	if n.Deleted || n.Readings[0].Rank.State == graph.StateDeleted {
		m.Text, m.ContentJSON, m.Mentions, m.Attachments = nil, nil, nil, nil
		if m.Forward.Role == schemas.ForwardContainer {
			m.Forward = schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable}
		}
	}
	if n.Fixed {
		return
	}
	if e := n.Expansion; e.Status != 0 && m.Forward.Role == schemas.ForwardContainer {
		m.Forward.Expansion, m.Forward.ExpansionReason = expansionWords[e.Status], text(e.Reason)
		m.Forward.ChildCount, m.Forward.DescendantCount = e.Children, e.Descendants
	}
	m.Parent, m.Root = link(&n.Parent, m), link(&n.Root, m)
	switch {
	case n.ThreadRoot && m.ThreadID == nil:
		m.ThreadID = &m.MessageID
	case m.ThreadID == nil:
		m.ThreadID = text(n.Thread)
	}
	m.IsThreadRoot = n.ThreadRoot || m.ThreadID != nil && m.CopyOfMessageID == nil && n.Parent.Status == graph.None && n.Root.Status == graph.None
}

var expansionWords = map[graph.ExpansionStatus]string{
	graph.ExpansionFailed: schemas.ExpansionFailed, graph.ExpansionPartial: schemas.ExpansionPartial, graph.ExpansionComplete: schemas.ExpansionComplete,
}

var statusWords = [...]string{
	graph.None: schemas.LinkNone, graph.Pending: schemas.LinkPending, graph.Missing: schemas.LinkMissing, graph.Forbidden: schemas.LinkForbidden,
	graph.Deleted: schemas.LinkDeleted, graph.OutOfScope: schemas.LinkOutOfScope, graph.Resolved: schemas.LinkResolved,
	graph.Erased: schemas.LinkDeleted,
}

// link writes a link of m out.
func link(l *graph.Link, m *schemas.Message) schemas.Link {
	out := schemas.Link{
		Status: statusWords[l.Status], Reason: text(l.Reason), MessageID: text(l.ID), ClientMessageID: text(l.ClientID),
		SenderID: text(l.SenderID), CreatedAt: optional(l.CreatedAt),
	}
	if l.Status == graph.Resolved {
		id, at := string(schemas.NewRecordID(m.Platform, m.TenantID, l.ID)), schemas.Millis(l.CreatedAt)
		out.RecordID, out.CreatedAt = &id, &at
	}
	return out
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func optional(t int64) *schemas.Millis {
	if t == 0 {
		return nil
	}
	v := schemas.Millis(t)
	return &v
}

// change says what a version brings.
func change(now, old *store.Published) string {
	switch {
	case old.Version == 0:
		return schemas.ChangeCreated
	case now.State == graph.StateDeleted && old.State != graph.StateDeleted:
		return schemas.ChangeDeleted
	case now.State == graph.StateRecalled && old.State != graph.StateRecalled:
		return schemas.ChangeRecalled
	case now.Edited != old.Edited && now.Edited != 0:
		return schemas.ChangeEdited
	}
	return schemas.ChangeRelinked
}

// stored is a time that a broker takes for that of a record: none later than that of the record in hand, which one took. A
// page may tell any time, and brokers refuse what is far ahead of them.
func (s *session) stored(t time.Time) time.Time {
	if last := s.group[len(s.group)-1].Time; t.After(last) {
		return last
	}
	return t
}

// refused dead-letters a message that cannot be written.
func (s *session) refused(m *schemas.Message, page int, class, why string) error {
	return s.deadLetter(s.place(), pipeline.Fault{
		Stage: schemas.StageEncode, Class: class, Message: why, Conversation: s.pages[page].Conversation,
		PageID: m.Provenance.PageID, ItemPointer: m.Provenance.ItemPointer, RecordID: m.RecordID, Source: &s.group[page],
	})
}
