package normalize

import (
	"slices"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links/graph"
	"chatlake/schemas"
)

// normalize takes in what the page in hand says, publishes what follows from it, and at a container's end asks for link
// targets that no page has shown.
func (s *session) normalize(main *schemas.Page) (err error) {
	talk := string(main.Conversation)
	if s.talk, err = s.index.Conversation(talk); err != nil {
		return err
	}
	if k := s.decoded.ConversationKind; k != "" && k != s.talk.Kind {
		if err := s.index.SetKind(talk, s.talk, k); err != nil {
			return err
		}
	}
	update := graph.NewUpdate(s.index)
	if err := s.erase(update); err != nil {
		return err
	}
	asked, err := s.lookup(main)
	if err != nil {
		return err
	}
	shown, err := s.readings(update, len(asked) > 0)
	if err != nil {
		return err
	}
	s.answers(update, main, asked)
	touched, err := update.Settle()
	if err != nil {
		return err
	}
	for _, key := range shown {
		if err := graph.Want(s.index, string(main.Container), key); err != nil {
			return err
		}
	}
	if s.silent && s.outputEmpty && len(shown) > 0 {
		return s.outputGone()
	}
	for i := 0; i < len(touched) && !s.silent; i++ { // what was published of old pages is in the output
		if err := s.publish(touched[i]); err != nil {
			return err
		}
	}
	if main.Final && !main.Expansion() {
		return s.ask(main)
	}
	return nil
}

// lookup gives the messages that the container of a page looks up; none where it is no look-up. One of a single message says
// so itself: its page may come before anything here asks for it.
func (s *session) lookup(main *schemas.Page) ([]string, error) {
	if parts := strings.SplitN(string(main.Container), "/", 4); len(parts) == 4 && parts[2] == schemas.KindMessage {
		_, id, _ := strings.Cut(parts[3], "!")
		return []string{schemas.Unpart(id)}, nil
	}
	return s.index.Lookup(string(main.Container))
}

// readings takes in what the page in hand shows and gives the records that links are followed from, in its order.
func (s *session) readings(u *graph.Update, lookup bool) (shown []graph.Key, err error) {
	all := s.decoded.Readings
	for i := range all {
		r := &all[i]
		m := &r.Message
		if r.OtherConversation {
			u.Answer(s.talk.Message(m.MessageID), graph.Answer{Status: graph.OutOfScope, Reason: "other_conversation"})
			continue
		}
		s.provenance(m, r.Page)
		m.ConversationKind, m.Version, m.Change = s.kind(), 1, schemas.ChangeCreated // until it is known what they are
		if err := m.Validate(); err != nil {
			if err := s.refused(m, r.Page, "invalid", err.Error()); err != nil {
				return nil, err
			}
			continue
		}
		key, fixed := node(s.talk.Conversation, m)
		if own, err := s.own(key, m, fixed); err != nil {
			return nil, err
		} else if !own {
			if err := s.elsewhere(u, key, m, r.Page, fixed); err != nil {
				return nil, err
			}
			continue
		}
		told := reading(r, &s.pages[r.Page], i)
		if u.Read(key, &told, fixed, lookup) {
			s.best[key] = r
		}
		if !fixed {
			shown = append(shown, key)
		}
	}
	return shown, nil
}

// node is the key of a message's node; fixed says that it stands in a merged forward.
func node(c graph.Conversation, m *schemas.Message) (key graph.Key, fixed bool) {
	if m.Forward.Role == schemas.ForwardChild || m.Forward.Role == schemas.ForwardChildContainer {
		return c.Record(m.RecordID), true
	}
	return c.Message(m.MessageID), false
}

// own reports whether the current conversation may show a record: the first in the partition that shows it is the only one,
// or two would count its versions. What stands in a merged forward belongs where that does.
func (s *session) own(key graph.Key, m *schemas.Message, fixed bool) (bool, error) {
	n, err := s.index.Record(key)
	if err != nil || n.Shown() {
		return err == nil, err
	}
	if top := m.Forward.ContainerRecordID; fixed && top != nil && *top != s.top {
		if own, _, err := s.index.Claim(*top, s.talk); err != nil || !own {
			return false, err
		}
		s.top = *top
	}
	own, was, err := s.index.Claim(m.RecordID, s.talk)
	if err != nil || !own {
		return false, err
	}
	if was.Version > n.Published.Version {
		n.Published, n.Changed = was, true
	}
	return true, nil
}

// elsewhere dead-letters a message that another conversation has shown before. Links to it from here are out of scope.
func (s *session) elsewhere(u *graph.Update, key graph.Key, m *schemas.Message, page int, fixed bool) error {
	err := s.deadLetter(s.place(), pipeline.Fault{
		Stage: schemas.StageNormalize, Class: "two_conversations", Message: "another conversation has shown this message before: a record has one conversation",
		Conversation: s.pages[page].Conversation, Container: s.pages[page].Container, PageID: m.Provenance.PageID,
		ItemPointer: m.Provenance.ItemPointer, RecordID: m.RecordID, Source: &s.group[page],
	})
	if err == nil && !fixed {
		u.Answer(key, graph.Answer{Status: graph.OutOfScope, Reason: "other_conversation"})
	}
	return err
}

// reading is what links keep of a reading. place is where it stands among those of its page.
func reading(r *connectors.Reading, p *schemas.Page, place int) graph.Reading {
	m := &r.Message
	told := graph.Reading{
		Rank:      graph.Rank{State: state(m.State), Source: uint8(r.Source), Time: p.Time.UnixMilli(), Place: uint32(place), Highest: m.SourceRevision},
		UpdatedAt: millis(m.UpdatedAt), RecalledAt: millis(m.RecalledAt), ConversationSeq: m.ConversationSeq, ThreadSeq: m.ThreadSeq,
		ThreadID: deref(m.ThreadID), CopyOf: deref(m.CopyOfMessageID), Parent: target(&m.Parent), Root: target(&m.Root),
		ThreadByRoot: r.ThreadByRoot, SenderID: m.Sender.ID, ClientID: deref(m.ClientMessageID), CreatedAt: int64(m.CreatedAt),
		Revision: m.SourceRevision,
	}
	if len(p.ID) >= 16 {
		told.Rank.Page, _ = strconv.ParseUint(p.ID[:16], 16, 64) // a foreign page's id only decides between equals
	}
	if f := &m.Forward; f.Role == schemas.ForwardContainer {
		told.Expansion = graph.Expansion{
			Status: expansions[f.Expansion], Reason: deref(f.ExpansionReason), Children: f.ChildCount, Descendants: f.DescendantCount,
		}
	}
	return told
}

var expansions = map[string]graph.ExpansionStatus{
	schemas.ExpansionFailed: graph.ExpansionFailed, schemas.ExpansionPartial: graph.ExpansionPartial, schemas.ExpansionComplete: graph.ExpansionComplete,
}

func target(l *schemas.Link) graph.Target {
	return graph.Target{
		ID: deref(l.MessageID), ClientID: deref(l.ClientMessageID), SenderID: deref(l.SenderID), CreatedAt: millis(l.CreatedAt), Reason: deref(l.Reason),
	}
}

func state(word string) graph.State {
	switch word {
	case schemas.MessageDeleted:
		return graph.StateDeleted
	case schemas.MessageRecalled:
		return graph.StateRecalled
	}
	return graph.StateNormal
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func millis(t *schemas.Millis) int64 {
	if t == nil {
		return 0
	}
	return int64(*t)
}

var statuses = map[string]graph.Status{
	schemas.LinkMissing: graph.Missing, schemas.LinkForbidden: graph.Forbidden, schemas.LinkDeleted: graph.Deleted, schemas.LinkOutOfScope: graph.OutOfScope,
}

// reason bounds what a foreign page's ce_error puts into every link; ours are words.
func reason(s string) string { return strings.ToValidUTF8(s[:min(len(s), 256)], "\uFFFD") }

// answers takes in what the page in hand says of messages that it does not show. A look-up that was given up or cancelled
// leaves what it asked for missing, but for what this very page answers.
func (s *session) answers(u *graph.Update, main *schemas.Page, asked []string) {
	for _, a := range s.decoded.Answers {
		if a.MessageID == "" || statuses[a.Status] == graph.None {
			s.Logger.Error("a look-up's answer has no known status: it is ignored", "page", main.ID, "status", a.Status)
			continue
		}
		u.Answer(s.talk.Message(a.MessageID), graph.Answer{Status: statuses[a.Status], Reason: reason(a.Reason)})
	}
	if !main.Final || main.Error == "" {
		return
	}
	for _, id := range asked {
		if id == "" || slices.ContainsFunc(s.decoded.Answers, func(a connectors.Answer) bool { return a.MessageID == id }) {
			continue
		}
		u.Answer(s.talk.Message(id), graph.Answer{Status: graph.Missing, Reason: reason(main.Error)})
	}
}

func messageRefs(refs []graph.Ref) []schemas.MessageRef {
	all := make([]schemas.MessageRef, len(refs))
	for i, r := range refs {
		all[i] = schemas.MessageRef{MessageID: r.ID, CreatedAt: optional(r.CreatedAt)}
	}
	return all
}

// ask writes the containers of look-ups, now that a container has come to its end. That they were asked for is kept even
// where nobody is to be asked: what is published does not hang on it.
func (s *session) ask(main *schemas.Page) error {
	refs, err := graph.Ask(s.index, string(main.Container))
	if err != nil || len(refs) == 0 {
		return err
	}
	parts := strings.SplitN(string(main.Conversation), "/", 3)
	if len(parts) < 3 {
		return nil // a foreign page
	}
	for _, c := range schemas.Lookups(parts[0], schemas.Unpart(parts[1]), schemas.Unpart(parts[2]), messageRefs(refs)) {
		ids := []string{c.ID}
		if len(c.Refs) > 0 {
			ids = ids[:0]
			for _, ref := range c.Refs {
				ids = append(ids, ref.MessageID)
			}
		}
		if err := s.index.SetLookup(c.Key, ids); err != nil {
			return err
		}
		if !s.Lookups || s.silent {
			continue
		}
		c.RequestedAt = schemas.MillisOf(main.Time)
		value, err := schemas.ContainerSchema.Append(nil, s.IDs[s.Topics.Containers], &c)
		if err != nil {
			s.Logger.Error("a link's target cannot be asked for", "container", c.Key, "error", err)
			continue
		}
		at := s.place()
		if _, refused := s.limits[origin{at, s.Topics.Containers}]; refused {
			err := s.deadLetter(at, pipeline.Fault{
				Stage: schemas.StageNormalize, Class: reasonTooLarge, Message: "a look-up of link targets does not fit into its topic (max.message.bytes)",
				Conversation: main.Conversation, Container: schemas.ContainerKey(c.Key), PageID: main.ID, ItemPointer: "/" + c.Key,
				Source: &s.group[len(s.group)-1],
			})
			if err != nil {
				return err
			}
			continue
		}
		s.emit(at, &schemas.Record{
			Topic: s.Topics.Containers, Partition: s.log.ID(), Time: s.stored(main.Time), Key: c.Key, Value: value,
		})
		s.count.asked += int64(len(ids))
	}
	return nil
}
