package main

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/pipeline/deadletters"
	"chatlake/schemas"
)

func (t *tool) deadlettersShowCommand() *cobra.Command {
	var ids []string
	var z timezone
	c := arguments(t.command(&cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter and what it failed on",
		Long: "Show a dead letter and what it failed on: its own body, or the part of the raw record that it names. The first\n" +
			"characters of an id are enough. For people the body is laid out and cut; --output json holds all of it.",
		Example: "  chatlake deadletters show 3f9a0c51d2ab\n  chatlake deadletters show 3f9a0c51d2ab --output json | jq -r .body",
	}, &worker.ToolSettings{}, func(ctx context.Context) error { return t.deadlettersShow(ctx, ids[0], z) }), &ids, oneID)
	z.flag(c)
	return c
}

func oneID(c *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return fmt.Errorf("the id of a dead letter is missing: see %s --help", c.CommandPath())
	case 1:
		return nil
	}
	return noArguments(c, args[1:])
}

// rawRecord is where the record lies that a dead letter was found in. Headers is null where the topic no longer holds it.
type rawRecord struct {
	Topic     string            `json:"topic"`
	Partition int64             `json:"partition"`
	Offset    int64             `json:"offset"`
	Headers   map[string]string `json:"headers"`
}

// shownLetter is the result of deadletters show. A body that is no UTF-8 stands in body_base64.
type shownLetter struct {
	DeadLetter *schemas.DeadLetter `json:"dead_letter"`
	Raw        *rawRecord          `json:"raw"`
	Body       *string             `json:"body"`
	Base64     *[]byte             `json:"body_base64"`
	From       *string             `json:"body_from"` // see the words below
}

// Words of body_from.
const (
	bodyOwn    = "dead_letter" // the dead letter's own
	bodyItem   = "item"        // the part of the raw record that item_pointer names
	bodyRecord = "record"      // the whole value of the raw record
)

func (t *tool) deadlettersShow(ctx context.Context, id string, z timezone) error {
	if err := z.load(); err != nil {
		return err
	}
	return t.connected(ctx, true, func(_ *worker.ToolSettings, n *worker.Connection) error {
		d, body, err := t.letter(ctx, n, id)
		if err != nil {
			return fmt.Errorf("%w: see 'chatlake deadletters list'", err)
		}
		s := &shownLetter{DeadLetter: d}
		raw, err := t.rawOf(ctx, n, d)
		if err != nil {
			return err
		}
		s.fill(raw, body)
		if t.json() {
			return printJSON(t.out, s, true)
		}
		return t.printLetter(s, &z)
	})
}

// letter finds a dead letter, and its own body, nil where it has none.
func (t *tool) letter(ctx context.Context, n *worker.Connection, id string) (*schemas.DeadLetter, []byte, error) {
	set, bodies := deadletters.Set{}, map[string][]byte{}
	err := t.eachLetter(ctx, n, func(d *schemas.DeadLetter) {
		if len(d.ID) < len(id) || d.ID[:len(id)] != id {
			return
		}
		set.Add(d)
		if d.Body != nil && len(bodies) < 2 { // of more than one that fits none is shown
			bodies[d.ID] = append([]byte{}, *d.Body...)
		}
	})
	if err != nil {
		return nil, nil, err
	}
	d, err := set.Find(id)
	if err != nil {
		return nil, nil, err
	}
	return d, bodies[d.ID], nil
}

// rawOf finds the record that a dead letter was found in: where it says, or by the id of its page. It is nil where the dead
// letter names none that can be found; its value is nil where the topic holds it no longer.
func (t *tool) rawOf(ctx context.Context, n *worker.Connection, d *schemas.DeadLetter) (*schemas.Record, error) {
	if d.SourceTopic == nil || d.SourcePartition == nil || d.SourceOffset == nil {
		return t.pageOf(ctx, n, d)
	}
	at := place{*d.SourceTopic, int32(*d.SourcePartition)}
	found := &schemas.Record{Topic: at.topic, Partition: at.partition, Offset: *d.SourceOffset}
	start, stable, err := n.Client.Offsets(ctx, at.topic, at.partition)
	if err != nil {
		return nil, err
	}
	if found.Offset < start || found.Offset >= stable {
		t.note("%s/%d holds offsets %d to %d: the record at %d is gone, by retention or with an older topic", at.topic, at.partition, start, stable, found.Offset)
		return found, nil
	}
	err = readUntil(ctx, n.Client, span{at, found.Offset, found.Offset + 1}, func(b *kafka.Batch) error {
		t.noteSkipped(at, b)
		for i := range b.Records {
			if b.Records[i].Offset == found.Offset {
				found = &b.Records[i]
			}
		}
		return nil
	})
	return found, err
}

// pageOf looks for the raw page that a dead letter of stage extract names. It stands in one transaction with it, but its
// offset was not known then; so the partition is read until it comes.
func (t *tool) pageOf(ctx context.Context, n *worker.Connection, d *schemas.DeadLetter) (found *schemas.Record, err error) {
	if d.PageID == nil {
		return nil, nil
	}
	at := schemas.Partition(schemas.ConversationKey(d.ConversationKey), n.Partitions)
	err = t.scan(ctx, n, n.Topics.RawPages, []int32{at}, func(r *schemas.Record) error {
		for _, h := range r.Headers {
			if h.Key == "ce_id" && string(h.Value) == *d.PageID {
				page := *r
				found = &page
				return errEnough
			}
		}
		return nil
	})
	if found != nil {
		return found, nil
	}
	return nil, err
}

// fill says where the raw record lies, and takes the body from the dead letter, or from the record.
func (s *shownLetter) fill(raw *schemas.Record, own []byte) {
	body, from := own, bodyOwn
	if raw != nil {
		s.Raw = &rawRecord{Topic: raw.Topic, Partition: int64(raw.Partition), Offset: raw.Offset}
		if raw.Value != nil {
			s.Raw.Headers = make(map[string]string, len(raw.Headers))
			for _, h := range raw.Headers {
				s.Raw.Headers[h.Key] = string(h.Value)
			}
		}
		if body == nil && raw.Value != nil {
			body, from = raw.Value, bodyRecord
			if p := s.DeadLetter.ItemPointer; p != nil && s.DeadLetter.PageID != nil {
				if item, ok := deadletters.Item(body, *p); ok {
					body, from = item, bodyItem
				}
			}
		}
	}
	if body == nil {
		return
	}
	s.From = &from
	if utf8.Valid(body) {
		text := string(body)
		s.Body = &text
	} else {
		s.Base64 = &body
	}
}
