package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"chatlake/schemas"
)

// talk is the newest version of every message, as people would read it.
type talk struct {
	messages map[string]*utterance // by message id
}

// utterance is what is kept of a message.
type utterance struct {
	id, conversation, name, text, mark string
	answers                            string // id of the message answered
	at                                 schemas.Millis
	seq, version                       int64
	system                             bool
}

func newTalk() *talk { return &talk{messages: map[string]*utterance{}} }

// maxUtterance is how much of a text is kept, in characters.
const maxUtterance = 400

func (t *talk) hear(m *schemas.Message) {
	if old := t.messages[m.MessageID]; old != nil && old.version >= m.Version {
		return
	}
	u := &utterance{
		id: m.MessageID, conversation: m.ConversationID, name: senderName(m), text: cut(clean(messageText(m)), maxUtterance),
		mark: strings.TrimSpace(marks(m)), answers: value(m.Parent.MessageID), at: m.OccurredAt, version: m.Version,
		system: m.ContentKind == schemas.ContentSystem,
	}
	if m.ConversationSeq != nil {
		u.seq = *m.ConversationSeq
	}
	t.messages[m.MessageID] = u
}

// Size of the piece that is shown, in lines, and of a line and a quote, in characters.
const (
	excerptLines = 14
	excerptWidth = 92
	excerptQuote = 36
)

// excerpt finds the piece of a conversation that shows most: answers, what was edited or recalled, who came and went.
func (t *talk) excerpt() []*utterance {
	conversations := map[string][]*utterance{}
	for _, u := range t.messages {
		conversations[u.conversation] = append(conversations[u.conversation], u)
	}
	var best []*utterance
	most := -1
	for _, id := range sortedKeys(conversations) {
		all := conversations[id]
		slices.SortFunc(all, func(a, b *utterance) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq), strings.Compare(a.id, b.id))
		})
		for from := range max(1, len(all)-excerptLines+1) {
			piece := all[from:min(len(all), from+excerptLines)]
			if n := worth(piece); n > most {
				best, most = piece, n
			}
		}
	}
	return best
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// worth is how much a piece shows.
func worth(piece []*utterance) int {
	here := make(map[string]bool, len(piece))
	names := make(map[string]bool, len(piece))
	found := map[string]int{}
	long := 0
	for _, u := range piece {
		here[u.id] = true
		names[u.name] = true
		if len(u.text) > 2*excerptWidth {
			long++
		}
		switch {
		case u.mark != "":
			found[u.mark]++
		case u.system:
			found["system"]++
		case strings.HasPrefix(u.text, "("):
			found["other"]++
		}
		if u.answers != "" && here[u.answers] {
			found["answer"]++
		} else if u.answers != "" {
			found["far answer"]++
		}
	}
	n := 2*min(len(names), 6) - 3*long
	for what, value := range map[string]int{"[recalled]": 8, "[edited]": 8, "system": 5, "other": 3, "far answer": 2} {
		if found[what] > 0 {
			n += value
		}
	}
	return n + 4*min(found["answer"], 4) - 2*max(0, found["system"]-2)
}

// print writes a piece of conversation, one message a line.
func (t *talk) print(b *strings.Builder, piece []*utterance) {
	for _, u := range piece {
		at := u.at.Time().Format("15:04")
		if u.system {
			fmt.Fprintf(b, "  %s  %-14s  * %s\n", at, "", cut(u.text, excerptWidth))
			continue
		}
		text := cut(u.text, excerptWidth)
		if u.answers != "" {
			text = t.quote(u.answers) + text
		}
		if u.mark != "" {
			text = strings.TrimSpace(strings.TrimSpace(text) + " " + u.mark)
		}
		fmt.Fprintf(b, "  %s  %-14s  %s\n", at, cut(clean(u.name), 14), text)
	}
}

// quote says what is answered, and whom.
func (t *talk) quote(id string) string {
	to := t.messages[id]
	if to == nil {
		return "↳ to " + clean(id) + ": "
	}
	if to.text == "" {
		return fmt.Sprintf("↳ to %s %s: ", clean(to.name), to.mark)
	}
	return fmt.Sprintf("↳ to %s “%s”: ", clean(to.name), cut(to.text, excerptQuote))
}
