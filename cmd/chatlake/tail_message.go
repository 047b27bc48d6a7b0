package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"

	"chatlake/kafka"
	"chatlake/pipeline/tree"
	"chatlake/schemas"
)

// messageView shows messages that fit.
type messageView struct {
	*tailOptions
	decoder *schemas.Decoder
	seen    names
}

func newMessageView(o *tailOptions, lookup schemas.Lookup) *messageView {
	return &messageView{o, schemas.NewDecoder(schemas.MessageSchema, lookup), names{}}
}

// decode gives a message, nil where it does not fit.
func (v *messageView) decode(ctx context.Context, r *schemas.Record) (*schemas.Message, error) {
	m := new(schemas.Message)
	if err := v.decoder.Decode(ctx, r.Value, m); err != nil {
		return nil, err
	}
	v.seen.see(m)
	if !v.filter.fits(m) {
		return nil, nil
	}
	return m, nil
}

// show is a shower; it gives nil where a message does not fit.
func (v *messageView) show(ctx context.Context, r *schemas.Record) ([]byte, error) {
	m, err := v.decode(ctx, r)
	if m == nil || err != nil {
		return nil, err
	}
	if v.format == "json" {
		var b bytes.Buffer
		err := printJSON(&b, m, false)
		return b.Bytes(), err
	}
	line := fmt.Sprintf("%s #%s  %s", v.tz.minute(m.OccurredAt), m.ConversationID, said(m))
	return []byte(clean(line+v.answered(m)+forwarded(m)+became(m)) + "\n"), nil
}

// said is who says what.
func said(m *schemas.Message) string {
	who := senderName(m) + ":"
	if m.ContentKind == schemas.ContentSystem {
		who = "*" // nobody says it
	}
	if text := messageText(m); text != "" {
		who += " " + text
	}
	return who
}

// answered names whom a message answers, "" where it answers nobody.
func (v *messageView) answered(m *schemas.Message) string {
	id := m.Parent.MessageID
	if id == nil {
		return ""
	}
	return fmt.Sprintf("  [reply to %s]", cmp.Or(v.seen[*id], *id))
}

// forwarded tells what a message has to do with a merged forward.
func forwarded(m *schemas.Message) string {
	f := &m.Forward
	switch f.Role {
	case schemas.ForwardContainer, schemas.ForwardChildContainer:
		n := f.ChildCount
		if f.DescendantCount != nil {
			n = f.DescendantCount
		}
		what := " [forward"
		if n != nil {
			what += fmt.Sprintf(" of %d", *n)
		}
		if f.Expansion != schemas.ExpansionComplete {
			what += ", " + strings.TrimSuffix(f.Expansion+": "+value(f.ExpansionReason), ": ")
		}
		return what + "]"
	case schemas.ForwardChild:
		return " [forwarded]"
	}
	return ""
}

// became tells what has become of a message, and of its links.
func became(m *schemas.Message) string {
	if m.Change == schemas.ChangeRelinked {
		return marks(m) + " [relinked]"
	}
	return marks(m)
}

// gather puts what a partition holds into the tree.
func (l *tailer) gather(ctx context.Context, at place) error {
	s, err := l.begin(ctx, at)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.ends[at.partition] = s.to
	l.mu.Unlock()
	return readUntil(ctx, l.client, s, func(b *kafka.Batch) error {
		l.skipped(at, b)
		for i := range b.Records {
			if err := l.plant(ctx, &b.Records[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// plant puts one message into the tree; a full one is printed, and begun again.
func (l *tailer) plant(ctx context.Context, r *schemas.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, err := l.messages.decode(ctx, r)
	if err != nil {
		return l.undecoded(ctx, r, err)
	}
	if m == nil {
		return nil
	}
	if l.tree.Full() {
		l.tool.note("more than %d versions or %d MiB: what comes is another tree", tree.MaxVersions, tree.MaxBytes>>20)
		if err := l.flush(); err != nil {
			return err
		}
	}
	l.tree.Add(m)
	return nil
}

// flush prints the tree and empties it.
func (l *tailer) flush() error {
	heading := ""
	for line := range l.tree.Lines() {
		text, err := l.branch(line, &heading)
		if err != nil {
			return err
		}
		if err := l.write(text); err != nil {
			return err
		}
	}
	l.tree.Clear()
	return nil
}

// treeDocument is a message as JSON, with its place in the tree.
type treeDocument struct {
	*schemas.Message
	Depth int `json:"tree_depth"`
}

// maxDepth is how far messages are indented; what stands deeper is not indented further.
const maxDepth = 12

// signs stand before a message, by the kind of its place.
var signs = map[tree.Kind]string{tree.Top: "", tree.Reply: "↳ ", tree.Thread: "┆ ", tree.Forwarded: "» "}

// branch is a line of a tree; the first of a conversation has a heading above it.
func (l *tailer) branch(line tree.Line, heading *string) ([]byte, error) {
	if l.format == "json" {
		var b bytes.Buffer
		err := printJSON(&b, treeDocument{line.Message, line.Depth}, false)
		return b.Bytes(), err
	}
	m, out := line.Message, ""
	if key := string(schemas.NewConversationKey(m.Platform, m.TenantID, m.ConversationID)); key != *heading {
		*heading = key
		out = clean("#"+m.ConversationID+"  "+key) + "\n"
	}
	indent := strings.Repeat("  ", min(line.Depth, maxDepth))
	if line.Earlier {
		return []byte(out + indent + "  ~ " + clean("before: "+strings.TrimSpace(messageText(m)+became(m))) + "\n"), nil
	}
	text := l.tz.minute(m.OccurredAt) + "  " + said(m)
	if !line.Under {
		text += l.messages.answered(m)
	}
	if line.Kind != tree.Forwarded || m.Forward.Role != schemas.ForwardChild {
		text += forwarded(m)
	}
	if m.IsThreadRoot {
		text += " [thread]"
	}
	return []byte(out + indent + signs[line.Kind] + clean(text+became(m)) + "\n"), nil
}
