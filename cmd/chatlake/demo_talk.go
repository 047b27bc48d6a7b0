package main

import (
	"cmp"
	"slices"
	"strings"

	"chatlake/schemas"
)

// talk is the newest version of every message, as people would read it.
type talk struct {
	said map[string]*utterance // by record_id
	ids  map[string]*utterance // by platform and message id, of messages that stand in no merged forward
}

// utterance is what is kept of a message.
type utterance struct {
	platform, record, id, conversation string
	name, text, mark                   string
	at                                 schemas.Millis
	seq, version                       int64
	system                             bool
	answers                            target

	thread     string // id of the thread that it is in
	threadRoot bool
	threadSeq  int64

	role, path    string // of a merged forward and what stands in it
	container     string // record_id of the outermost
	depth, inside int    // inside counts what stands in it, directly
	whole         bool   // all that stands in it is there
}

// target is the message that another one answers. Its zero value is none.
type target struct{ status, id, record string }

func newTalk() *talk { return &talk{said: map[string]*utterance{}, ids: map[string]*utterance{}} }

// maxUtterance is how much of a text is kept, in characters.
const maxUtterance = 400

func (t *talk) hear(m *schemas.Message) {
	if old := t.said[m.RecordID]; old != nil && old.version >= m.Version {
		return
	}
	u := &utterance{
		platform: m.Platform, record: m.RecordID, id: m.MessageID, conversation: m.ConversationID,
		name: strings.TrimSpace(senderName(m)), text: cut(clean(messageText(m)), maxUtterance), mark: strings.TrimSpace(marks(m)),
		at: m.CreatedAt, seq: number(m.ConversationSeq), version: m.Version, system: m.ContentKind == schemas.ContentSystem,
		answers: target{m.Parent.Status, value(m.Parent.MessageID), value(m.Parent.RecordID)},
		thread:  value(m.ThreadID), threadRoot: m.IsThreadRoot, threadSeq: number(m.ThreadSeq),
		role: m.Forward.Role, path: value(m.Forward.Path), container: value(m.Forward.ContainerRecordID), depth: int(m.Forward.Depth),
		inside: int(number(m.Forward.ChildCount)), whole: m.Forward.Expansion == schemas.ExpansionComplete,
	}
	if m.Parent.Status == schemas.LinkNone {
		u.answers = target{}
	}
	if m.CopyOfMessageID != nil {
		u.thread = "" // the reply itself is told of there
	}
	t.said[m.RecordID] = u
	if !inForward(m) {
		t.ids[u.platform+" "+u.id] = u
	}
}

func number(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

// answered finds the message that another one answers, nil where it is not there.
func (t *talk) answered(u *utterance) *utterance {
	if to := t.said[u.answers.record]; to != nil {
		return to
	}
	if u.container != "" {
		return nil // what stands in a merged forward answers nothing outside
	}
	return t.ids[u.platform+" "+u.answers.id]
}

// grouped gives the messages of a platform that have a key, by it, each group in the order of order.
func (t *talk) grouped(platform string, key func(*utterance) string, order func(a, b *utterance) int) map[string][]*utterance {
	groups := map[string][]*utterance{}
	for _, u := range t.said {
		if k := key(u); u.platform == platform && k != "" {
			groups[k] = append(groups[k], u)
		}
	}
	for _, all := range groups {
		slices.SortFunc(all, order)
	}
	return groups
}

// byTime orders messages of a conversation as they came.
func byTime(a, b *utterance) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq), strings.Compare(a.record, b.record))
}

// byThread puts a thread's root first.
func byThread(a, b *utterance) int {
	if a.threadRoot != b.threadRoot {
		return map[bool]int{true: -1, false: 1}[a.threadRoot]
	}
	return cmp.Or(cmp.Compare(a.threadSeq, b.threadSeq), byTime(a, b))
}

// byPath puts a merged forward before what stands in it, depth-first.
func byPath(a, b *utterance) int {
	return cmp.Or(strings.Compare(a.path, b.path), strings.Compare(a.record, b.record))
}
