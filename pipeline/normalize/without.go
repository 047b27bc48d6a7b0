package normalize

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// Without says whose messages an output leaves out: it is as if no page had shown them, but that links to them say DELETED,
// reason erased. It is a rule of the output from its beginning, so all that follows from it is the same in every run. A nil
// *Without leaves out nobody.
//
// What stands in a merged forward goes with the forward; a snapshot goes by its own sender and takes what is in it along.
// What others say of an erased sender stays, without the id and the name of the mention.
type Without struct {
	conversations, senders map[string]bool
}

// NewWithout leaves out conversations, by their key or id, and senders, by their id. It is nil where there are none.
func NewWithout(conversations, senders []string) *Without {
	if len(conversations)+len(senders) == 0 {
		return nil
	}
	w := &Without{conversations: map[string]bool{}, senders: map[string]bool{}}
	for _, id := range conversations {
		w.conversations[id] = true
	}
	for _, id := range senders {
		w.senders[id] = true
	}
	return w
}

// Mark is the same for the same conversations and senders, and tells nothing of them; "" where there are none.
func (w *Without) Mark() string {
	if w == nil {
		return ""
	}
	h := sha256.New()
	for _, ids := range []map[string]bool{w.conversations, w.senders} {
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			h.Write([]byte(id + "\x00"))
		}
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

// conversation reports whether a conversation is left out.
func (w *Without) conversation(key schemas.ConversationKey) bool {
	if w == nil || len(w.conversations) == 0 {
		return false
	}
	parts := strings.SplitN(string(key), "/", 3)
	return w.conversations[string(key)] || w.conversations[schemas.Unpart(parts[len(parts)-1])]
}

// sender reports whether a sender is left out. Yunxin's accounts are the same in lower case.
func (w *Without) sender(platform, id string) bool {
	if w == nil || id == "" {
		return false
	}
	if w.senders[id] {
		return true
	}
	if platform == schemas.Yunxin {
		for s := range w.senders {
			if strings.EqualFold(s, id) {
				return true
			}
		}
	}
	return false
}

// fault reports whether a dead letter would name a conversation that is left out, by its key or by that of a container. No
// such page is decoded, so what is left are records that are no pages.
func (w *Without) fault(f *pipeline.Fault) bool {
	return w != nil && (w.conversation(f.Conversation) || w.container(f.Container) || w.holds(f.Message))
}

// container reports whether a container's key tells that it is of a conversation that is left out. That of a thread does not.
func (w *Without) container(key schemas.ContainerKey) bool {
	parts := strings.SplitN(string(key), "/", 4)
	if len(parts) < 4 {
		return false
	}
	talk, _, _ := strings.Cut(parts[3], "!")
	return w.conversation(schemas.ConversationKey(parts[0] + "/" + parts[1] + "/" + talk))
}

// reasonErased is the reason of links to what is left out, of forwards that lack it, and of issues about it.
const reasonErased = "erased"

// clearlyID is the length from which an id is taken for one wherever it stands in a text; a shorter one may be a word.
const clearlyID = 16

// ids calls fn with every id that is left out.
func (w *Without) ids(fn func(id string) bool) bool {
	for id := range w.conversations {
		if fn(id) {
			return true
		}
	}
	for id := range w.senders {
		if fn(id) {
			return true
		}
	}
	return false
}

// holds reports whether a text, or JSON, or JSON within a string of JSON, holds an id that is left out.
func (w *Without) holds(text string) bool {
	return w.ids(func(id string) bool {
		if len(id) >= clearlyID {
			return strings.Contains(text, id)
		}
		return text == id || strings.Contains(text, `"`+id+`"`) || strings.Contains(text, `"`+id+`\"`)
	})
}

// scrub takes out of a message of somebody else what names those who are left out. It does so once: what it has scrubbed
// stays as it is.
func (w *Without) scrub(m *schemas.Message) {
	if w == nil {
		return
	}
	for _, l := range [...]*schemas.Link{&m.Parent, &m.Root} {
		if l.SenderID != nil && w.sender(m.Platform, *l.SenderID) {
			erase(l)
		}
	}
	w.scrubMentions(m)
	if m.Text != nil {
		text := *m.Text
		w.ids(func(id string) bool {
			if len(id) >= clearlyID {
				text = strings.ReplaceAll(text, id, reasonErased)
			}
			return false
		})
		if text != *m.Text {
			m.Text = &text
			scrubbed(m, "text", schemas.IssueTruncated)
		}
	}
	if m.ContentJSON != nil && w.holds(*m.ContentJSON) {
		m.ContentJSON = nil
		scrubbed(m, "content_json", schemas.IssueNulled)
	}
	m.Attributes = w.attributes(m, "attributes", m.Attributes)
	for i := range m.Attachments {
		if a := w.attributes(m, "attachments", m.Attachments[i].Attributes); len(a) < len(m.Attachments[i].Attributes) {
			m.Attachments = slices.Clone(m.Attachments)
			m.Attachments[i].Attributes = a
		}
	}
}

// scrubMentions leaves that somebody was named, not who.
func (w *Without) scrubMentions(m *schemas.Message) {
	for i := range m.Mentions {
		v := &m.Mentions[i]
		if v.ID == nil || !w.sender(m.Platform, *v.ID) {
			continue
		}
		for _, name := range [...]*string{v.Name, v.ID} {
			if m.Text != nil && name != nil && *name != "" {
				text := strings.ReplaceAll(*m.Text, "@"+*name, "@"+reasonErased)
				m.Text = &text
			}
		}
		m.Mentions = slices.Clone(m.Mentions)
		m.Mentions[i] = schemas.Mention{Placeholder: v.Placeholder, IDType: v.IDType, IsAll: v.IsAll}
		if w.holds(v.Placeholder) {
			m.Mentions[i].Placeholder = ""
		}
		scrubbed(m, "mentions", schemas.IssueNulled)
	}
}

// attributes drops those that name who is left out.
func (w *Without) attributes(m *schemas.Message, field string, a schemas.Attributes) schemas.Attributes {
	named := func(v schemas.Attribute) bool { return w.holds(v.Value) || w.holds(v.Key) }
	if !slices.ContainsFunc(a, named) {
		return a
	}
	scrubbed(m, field, schemas.IssueNulled)
	return slices.DeleteFunc(slices.Clone(a), named)
}

// scrubbed notes once that a field lacks what named somebody.
func scrubbed(m *schemas.Message, field, action string) {
	issue := schemas.Issue{Field: field, Action: action, Reason: reasonErased}
	if !slices.ContainsFunc(m.Issues, func(i schemas.Issue) bool { return i.Field == field && i.Reason == reasonErased }) {
		m.Issues = append(slices.Clip(m.Issues), issue)
	}
}

// erase makes a link one to what is left out: the message's own id stays, as it was told.
func erase(l *schemas.Link) {
	reason := reasonErased
	l.Status, l.Reason, l.RecordID, l.SenderID = schemas.LinkDeleted, &reason, nil, nil
}
