package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"chatlake/schemas"
)

// shower makes the line, or the JSON document, that stands for a record. It is called for one record at a time.
type shower func(ctx context.Context, r *schemas.Record) ([]byte, error)

// newShower makes the shower of a topic, by its word of --topic.
func newShower(topic string, asJSON bool, lookup schemas.Lookup) shower {
	switch topic {
	case "raw":
		return pageShower(asJSON)
	case "deadletters":
		return avroShower(asJSON, schemas.NewDecoder(schemas.DeadLetterSchema, lookup), deadLetterText)
	case "checkpoints":
		return avroShower(asJSON, schemas.NewDecoder(schemas.CheckpointSchema, lookup), checkpointText)
	case "containers":
		return avroShower(asJSON, schemas.NewDecoder(schemas.ContainerSchema, lookup), containerText)
	}
	seen := names{}
	return avroShower(asJSON, schemas.NewDecoder(schemas.MessageSchema, lookup), func(m *schemas.Message) string {
		seen.see(m)
		return messageLine(m, seen)
	})
}

func avroShower[T any](asJSON bool, d *schemas.Decoder, text func(*T) string) shower {
	return func(ctx context.Context, r *schemas.Record) ([]byte, error) {
		v := new(T)
		if err := d.Decode(ctx, r.Value, v); err != nil {
			return nil, err
		}
		if !asJSON {
			return []byte(clean(text(v)) + "\n"), nil
		}
		var b bytes.Buffer
		err := printJSON(&b, v, false)
		return b.Bytes(), err
	}
}

// names remembers who wrote recent messages, by message id, so that a reply can say whom it answers.
type names map[string]string

// remembered is how many messages are kept in mind, of all conversations; then it begins anew.
const remembered = 50_000

func (n names) see(m *schemas.Message) {
	if len(n) >= remembered {
		clear(n)
	}
	n[m.MessageID] = senderName(m)
}

func senderName(m *schemas.Message) string {
	switch {
	case m.Sender.Name != nil && *m.Sender.Name != "":
		return *m.Sender.Name
	case m.Sender.ID != "":
		return m.Sender.ID
	case m.Sender.Kind != "":
		return m.Sender.Kind
	}
	return "system"
}

// messageText is what people read of a message: its text, or in its place what it is.
func messageText(m *schemas.Message) string {
	if m.Text != nil && *m.Text != "" {
		return *m.Text
	}
	if m.State != schemas.MessageNormal {
		return ""
	}
	var files []string
	for _, a := range m.Attachments {
		if a.Name != nil && *a.Name != "" {
			files = append(files, *a.Name)
		}
	}
	what := strings.ToLower(strings.ReplaceAll(m.ContentKind, "_", " "))
	if len(files) > 0 {
		what += ": " + strings.Join(files, ", ")
	}
	return "(" + what + ")"
}

// marks says what became of a message.
func marks(m *schemas.Message) string {
	switch {
	case m.State == schemas.MessageRecalled:
		return " [recalled]"
	case m.State == schemas.MessageDeleted:
		return " [deleted]"
	case m.IsEdited:
		return " [edited]"
	}
	return ""
}

// messageLine is a message as one line of text, not yet clean.
func messageLine(m *schemas.Message, seen names) string {
	var b strings.Builder
	who := senderName(m) + ":"
	if m.ContentKind == schemas.ContentSystem {
		who = "*" // nobody says it
	}
	fmt.Fprintf(&b, "%s #%s  %s", m.OccurredAt.Time().Format("2006-01-02 15:04"), m.ConversationID, who)
	if text := messageText(m); text != "" {
		b.WriteString(" " + text)
	}
	if id := m.Parent.MessageID; id != nil {
		whom := seen[*id]
		if whom == "" {
			whom = *id
		}
		fmt.Fprintf(&b, "  [reply to %s]", whom)
	}
	b.WriteString(marks(m))
	return b.String()
}

func deadLetterText(d *schemas.DeadLetter) string {
	where := d.ConversationKey
	for _, p := range []*string{d.ContainerKey, d.PageID, d.ItemPointer, d.RecordID} {
		if p != nil {
			where += " " + *p
		}
	}
	return fmt.Sprintf("%s %s %s  %s: %s", d.FailedAt, d.Stage, d.ErrorClass, where, d.ErrorMessage)
}

func checkpointText(c *schemas.Checkpoint) string {
	line := fmt.Sprintf("%s %s epoch %d  %s: %d pages, %d items, %d calls", c.UpdatedAt, c.State, c.Epoch, c.ContainerKey, c.Pages, c.Items, c.Calls)
	if c.Watermark != nil {
		line += ", up to " + c.Watermark.String()
	}
	if c.ErrorCode != nil || c.ErrorMessage != nil {
		line += fmt.Sprintf("  [%s: %s]", value(c.ErrorCode), value(c.ErrorMessage))
	}
	return line
}

func containerText(c *schemas.Container) string {
	line := fmt.Sprintf("%s %s epoch %d  %s, cause %s", c.RequestedAt, c.Mode, c.Epoch, c.Key, c.Cause)
	if c.WindowStart != nil {
		line += ", from " + c.WindowStart.String()
	}
	if c.WindowEnd != nil {
		line += ", up to " + c.WindowEnd.String()
	}
	if c.Cancelled {
		line += "  [cancelled]"
	}
	return line
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// pageDocument is a raw page as JSON. A body that is not UTF-8 stands in body_base64.
type pageDocument struct {
	Topic     string            `json:"topic"`
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Time      string            `json:"time"`
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers"`
	Size      int               `json:"size"`
	Body      *string           `json:"body,omitempty"`
	Base64    []byte            `json:"body_base64,omitempty"`
}

func pageShower(asJSON bool) shower {
	return func(_ context.Context, r *schemas.Record) ([]byte, error) {
		if !asJSON {
			return []byte(clean(pageText(r)) + "\n"), nil
		}
		d := pageDocument{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Time: schemas.MillisOf(r.Time).String(), Key: r.Key,
			Headers: make(map[string]string, len(r.Headers)), Size: len(r.Value),
		}
		for _, h := range r.Headers {
			d.Headers[h.Key] = string(h.Value)
		}
		if body := string(r.Value); utf8.ValidString(body) {
			d.Body = &body
		} else {
			d.Base64 = r.Value
		}
		var b bytes.Buffer
		err := printJSON(&b, d, false)
		return b.Bytes(), err
	}
}

// pageText names a page without its body: that may be megabytes.
func pageText(r *schemas.Record) string {
	p, err := schemas.ParsePage(r)
	line := fmt.Sprintf("%s %s/%d@%d %s", schemas.MillisOf(r.Time), r.Topic, r.Partition, r.Offset, r.Key)
	if err != nil {
		return fmt.Sprintf("%s  %d bytes [%v]", line, len(r.Value), err)
	}
	line += fmt.Sprintf("  %s page %d epoch %d: %s, HTTP %d code %s, %d bytes", p.Type, p.Number, p.Epoch, p.Request, p.HTTPStatus, p.Code, len(p.Body))
	if p.Final {
		line += " [final]"
	}
	if p.Error != "" {
		line += " [" + p.Error + "]"
	}
	return line
}
