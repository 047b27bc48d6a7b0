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

// newShower makes the shower of a topic that holds no messages, by its word of --topic.
func newShower(o *tailOptions, lookup schemas.Lookup) shower {
	asJSON := o.format == "json"
	switch o.topic {
	case "raw":
		return pageShower(asJSON, &o.tz)
	case "deadletters":
		return avroShower(asJSON, schemas.NewDecoder(schemas.DeadLetterSchema, lookup), func(d *schemas.DeadLetter) string { return deadLetterText(d, &o.tz) })
	case "checkpoints":
		return avroShower(asJSON, schemas.NewDecoder(schemas.CheckpointSchema, lookup), func(c *schemas.Checkpoint) string { return checkpointText(c, &o.tz) })
	}
	return avroShower(asJSON, schemas.NewDecoder(schemas.ContainerSchema, lookup), func(c *schemas.Container) string { return containerText(c, &o.tz) })
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

func deadLetterText(d *schemas.DeadLetter, z *timezone) string {
	where := d.ConversationKey
	for _, p := range []*string{d.ContainerKey, d.PageID, d.ItemPointer, d.RecordID} {
		if p != nil {
			where += " " + *p
		}
	}
	return fmt.Sprintf("%s %s %s  %s: %s", z.full(d.FailedAt), d.Stage, d.ErrorClass, where, d.ErrorMessage)
}

func checkpointText(c *schemas.Checkpoint, z *timezone) string {
	line := fmt.Sprintf("%s %s epoch %d  %s: %d pages, %d items, %d calls", z.full(c.UpdatedAt), c.State, c.Epoch, c.ContainerKey, c.Pages, c.Items, c.Calls)
	if c.Watermark != nil {
		line += ", up to " + z.full(*c.Watermark)
	}
	if c.ErrorCode != nil || c.ErrorMessage != nil {
		line += fmt.Sprintf("  [%s: %s]", value(c.ErrorCode), value(c.ErrorMessage))
	}
	return line
}

func containerText(c *schemas.Container, z *timezone) string {
	line := fmt.Sprintf("%s %s epoch %d  %s, cause %s", z.full(c.RequestedAt), c.Mode, c.Epoch, c.Key, c.Cause)
	if c.WindowStart != nil {
		line += ", from " + z.full(*c.WindowStart)
	}
	if c.WindowEnd != nil {
		line += ", up to " + z.full(*c.WindowEnd)
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

func pageShower(asJSON bool, z *timezone) shower {
	return func(_ context.Context, r *schemas.Record) ([]byte, error) {
		if !asJSON {
			return []byte(clean(pageText(r, z)) + "\n"), nil
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
func pageText(r *schemas.Record, z *timezone) string {
	p, err := schemas.ParsePage(r)
	line := fmt.Sprintf("%s %s/%d@%d %s", z.full(schemas.MillisOf(r.Time)), r.Topic, r.Partition, r.Offset, r.Key)
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
