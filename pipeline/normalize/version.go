package normalize

import (
	"strconv"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links"
	"chatlake/schemas"
)

// readings publishes what a page says of its messages: at most one version for a record, and only where it differs from
// the version published last.
func (s *session) readings(r *schemas.Record, p *schemas.Page) error {
	kind, err := s.index.Kind(string(p.Conversation))
	if err != nil {
		return err
	}
	if kind == "" {
		kind = schemas.ConversationUnknown
	}
	clear(s.best)
	all := s.decoded.Readings
	for i := range all {
		if all[i].OtherConversation {
			continue
		}
		id, at := all[i].Message.RecordID, rank(&all[i], p, i)
		b, seen := s.best[id]
		if !seen || at.Before(b.rank) {
			b.place, b.rank = i, at
		}
		b.revision = max(b.revision, at.Highest)
		s.best[id] = b
	}
	for i := range all {
		m := &all[i].Message
		b := s.best[m.RecordID]
		if all[i].OtherConversation || b.place != i {
			continue
		}
		m.ConversationKind = kind
		m.SourceRevision = b.revision // what stands knows the highest time of all readings
		s.provenance(m, r, p)
		if err := s.publish(m, b.rank, r); err != nil {
			return err
		}
	}
	return nil
}

// standing is the reading of a record that stands among those of one page.
type standing struct {
	place    int
	rank     links.Rank
	revision int64 // highest time of all of them, 0: none is told
}

// rank tells where a reading stands among the readings of its record.
func rank(r *connectors.Reading, p *schemas.Page, place int) links.Rank {
	k := links.Rank{Source: uint8(r.Source), Time: p.Time.UnixMilli(), Place: uint32(place), Highest: r.Message.SourceRevision}
	switch r.Message.State {
	case schemas.MessageDeleted:
		k.State = 2
	case schemas.MessageRecalled:
		k.State = 1
	}
	if len(p.ID) >= 16 {
		k.Page, _ = strconv.ParseUint(p.ID[:16], 16, 64) // a foreign page's id only decides between equals
	}
	return k
}

func (s *session) provenance(m *schemas.Message, r *schemas.Record, p *schemas.Page) {
	v := &m.Provenance
	v.PageID, v.SourceAPI = p.ID, p.Type
	v.RawTopic, v.RawPartition, v.RawOffset = r.Topic, int64(r.Partition), r.Offset
	v.ConnectorVersion, v.NormalizerVersion = p.ConnectorVersion, s.Version
	v.ExtractedAt, v.NormalizedAt = schemas.MillisOf(p.Time), schemas.MillisOf(s.Now())
}

// publish decides whether a reading is a new version of its record, and writes it.
func (s *session) publish(m *schemas.Message, at links.Rank, r *schemas.Record) error {
	old, known, err := s.index.Record(m.RecordID)
	if err != nil {
		return err
	}
	if known && !at.Before(old.Rank) {
		if m.SourceRevision > old.Revision {
			old.Revision = m.SourceRevision
			s.index.SetRecord(m.RecordID, old)
		}
		return nil
	}
	m.SourceRevision = max(m.SourceRevision, old.Revision)
	digest := m.Fingerprint()
	now := links.Entry{Version: old.Version, Revision: m.SourceRevision, Edited: edited(m), Digest: digest, Rank: at}
	if known && digest == old.Digest {
		s.index.SetRecord(m.RecordID, now)
		return nil
	}
	now.Version = max(m.SourceRevision*1000, old.Version+1)
	m.Version, m.Change = now.Version, change(m, &old, known)
	if err := s.encode(m, r); err != nil {
		return s.refused(m, r, err)
	}
	s.index.SetRecord(m.RecordID, now)
	return nil
}

func edited(m *schemas.Message) int64 {
	if m.UpdatedAt == nil {
		return 0
	}
	return int64(*m.UpdatedAt)
}

// change says what a version brings.
func change(m *schemas.Message, old *links.Entry, known bool) string {
	switch {
	case !known:
		return schemas.ChangeCreated
	case m.State == schemas.MessageDeleted && old.Rank.State != 2:
		return schemas.ChangeDeleted
	case m.State == schemas.MessageRecalled && old.Rank.State != 1:
		return schemas.ChangeRecalled
	case edited(m) != old.Edited && edited(m) != 0:
		return schemas.ChangeEdited
	}
	return schemas.ChangeRelinked
}

// encode puts a message into the transaction in hand.
func (s *session) encode(m *schemas.Message, r *schemas.Record) error {
	if s.silent {
		return m.Validate()
	}
	begin := s.arena.room()
	end, err := schemas.MessageSchema.Append(begin, s.IDs[s.Topics.Messages], m)
	if err != nil {
		return err
	}
	s.arena.chunk = end
	value := end[len(begin):len(end):len(end)]
	s.out = append(s.out, schemas.Record{
		Topic: s.Topics.Messages, Partition: s.log.ID(), Time: r.Time, Key: m.RecordID, Value: value,
	})
	s.size += len(value)
	s.count.messages++
	return nil
}

// refused sets a message aside that cannot be written.
func (s *session) refused(m *schemas.Message, r *schemas.Record, why error) error {
	return s.deadLetter(pipeline.Fault{
		Stage: schemas.StageEncode, Class: "invalid", Message: why.Error(), Conversation: schemas.ConversationKey(r.Key),
		PageID: m.Provenance.PageID, ItemPointer: m.Provenance.ItemPointer, RecordID: m.RecordID, Source: r,
	})
}
