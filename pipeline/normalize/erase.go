package normalize

import (
	"slices"

	"chatlake/connectors"
	"chatlake/pipeline/links/graph"
	"chatlake/schemas"
)

// erase takes out of what the current page shows all that the output leaves out, and lets links know. A message that was
// left out once stays out, also where a later page no longer tells who sent it.
func (s *session) erase(u *graph.Update) error {
	if s.Without == nil {
		return nil
	}
	all := s.decoded.Readings
	gone := make(map[string]bool) // record ids
	rows := make(map[string]int)  // of containers of forwards, by record id
	kept := all[:0]
	for i := range all {
		r := all[i]
		m := &r.Message
		out, err := s.leftOut(u, &r, gone)
		if err != nil {
			return err
		}
		if !out {
			if m.Forward.Expansion != schemas.ExpansionNotApplicable {
				rows[m.RecordID] = len(kept)
			}
			kept = append(kept, r)
			continue
		}
		s.count.erased++
		if gone[m.RecordID] = true; inForward(m) {
			incomplete(kept, rows, m.Forward.ParentRecordID)
		}
	}
	clear(all[len(kept):])
	s.decoded.Readings = kept
	for i := range kept {
		for _, l := range [...]*schemas.Link{&kept[i].Message.Parent, &kept[i].Message.Root} {
			if l.RecordID != nil && gone[*l.RecordID] {
				erase(l)
			}
		}
	}
	return nil
}

func inForward(m *schemas.Message) bool {
	return m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer
}

// leftOut reports whether the output leaves a reading out. gone are the records of the page that it has left out before.
func (s *session) leftOut(u *graph.Update, r *connectors.Reading, gone map[string]bool) (bool, error) {
	m := &r.Message
	out := s.Without.sender(m.Platform, m.Sender.ID)
	if inForward(m) {
		for _, above := range [...]*string{m.Forward.ParentRecordID, m.Forward.ContainerRecordID} {
			out = out || above != nil && gone[*above]
		}
		return out, nil
	}
	out = out || r.OtherConversation && s.Without.conversation(schemas.NewConversationKey(m.Platform, m.TenantID, r.Elsewhere))
	key := s.talk.Message(m.MessageID)
	n, err := s.index.Record(key)
	if err != nil || n.Shown() || !out {
		return err == nil && (out || n.Answer.Status == graph.Erased && !n.Shown()), err
	}
	answer := graph.Answer{Status: graph.Erased, Reason: reasonErased}
	u.Answer(key, answer)
	if m.ClientMessageID != nil && !r.OtherConversation {
		u.Answer(s.talk.Client(*m.ClientMessageID), answer)
	}
	return true, nil
}

// incomplete lets the containers of a forward, from one upwards, say that something in them is left out. What they show of
// their insides themselves goes too.
func incomplete(kept []connectors.Reading, rows map[string]int, at *string) {
	for at != nil {
		i, known := rows[*at]
		if !known {
			return
		}
		m := &kept[i].Message
		reason := reasonErased
		m.Forward.Expansion, m.Forward.ExpansionReason = schemas.ExpansionPartial, &reason
		if m.ContentJSON != nil {
			m.ContentJSON = nil
			scrubbed(m, "content_json", schemas.IssueNulled)
		}
		if m.Text != nil {
			m.Text = nil
			scrubbed(m, "text", schemas.IssueNulled)
		}
		m.Issues = slices.Clip(m.Issues)
		at = m.Forward.ParentRecordID
	}
}
