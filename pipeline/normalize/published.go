package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"chatlake/pipeline"
	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

// What was published of a record is in the output and nowhere else: decoding old pages again would tell what this
// normalizer makes of them, not what an earlier one has published.

// recall lets the index know all messages that it does not know of.
func (s *session) recall(ctx context.Context, fresh bool) error {
	topic := s.Topics.Messages
	start, stable, err := s.log.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	if stable < s.applied.Output {
		return fmt.Errorf("%s/%d ends at offset %d, but the state knows its messages up to %d: the topic was deleted and created again, or its "+
			"end was lost; %s", topic, s.log.ID(), stable, s.applied.Output, publishAgain)
	}
	if !fresh {
		return nil
	}
	_, end, err := pipeline.Settled(ctx, s.log, topic, s.Logger)
	if err != nil {
		return err
	}
	if s.outputEmpty = end == 0; start > s.applied.Output && (s.log.Committed() >= 0 || end > start) {
		return fmt.Errorf("the state of partition %d is missing or stale and has to be built again from %s, but that begins at offset %d, and versions "+
			"of messages that were removed could fall: restore NORMALIZER_STATE_DIR, or normalize into a new output (NORMALIZER_OUTPUT); give the "+
			"topic no retention", s.log.ID(), topic, start)
	}
	return pipeline.ReadBatches(ctx, s.log, pipeline.Span{Topic: topic, From: s.applied.Output, To: end}, func(b *pipeline.Batch) error {
		if len(b.Skipped) > 0 {
			return fmt.Errorf("%s/%d offsets %d to %d cannot be read, and versions could fall without them: %s; restore NORMALIZER_STATE_DIR, or "+
				"normalize into a new output (NORMALIZER_OUTPUT)", topic, s.log.ID(), b.Skipped[0].First, b.Skipped[0].Last, b.Skipped[0].Why)
		}
		for i := range b.Records {
			if err := s.recallOne(ctx, &b.Records[i]); err != nil {
				return err
			}
		}
		s.applied.Output = min(max(b.Next, s.applied.Output), end)
		return s.index.Apply(s.applied)
	})
}

const publishAgain = "to publish everything again, stop all normalizers, delete the consumer group's offsets and NORMALIZER_STATE_DIR, or " +
	"normalize into a new output (NORMALIZER_OUTPUT)"

// outputGone is found where pages were normalized that show messages, and the output never had a record.
func (s *session) outputGone() error {
	return fmt.Errorf("%s/%d never held a message, but pages that show some were normalized up to offset %d: the topic was deleted and created "+
		"again; %s", s.Topics.Messages, s.log.ID(), s.log.Committed(), publishAgain)
}

// recallOne takes in one version.
func (s *session) recallOne(ctx context.Context, r *schemas.Record) error {
	m := &s.value
	value, err := s.message(ctx, r, m)
	if err != nil || value == nil {
		return err
	}
	name := func(c graph.Conversation) graph.Key {
		key, _ := node(c, m)
		return key
	}
	return s.index.Restore(m.RecordID, name, store.Published{
		Version: m.Version, Edited: millis(m.UpdatedAt), State: state(m.State), Digest: m.Fingerprint(), Cut: slices.ContainsFunc(m.Issues, isCut),
		Value: store.Place{Offset: r.Offset, No: recalled},
	}, value)
}

// recalled is the number of values that came from the output: their offsets are not those of raw records.
const recalled = 1 << 31

// message reads a record of the output and gives its value as this normalizer encodes it; nil where it is none of ours.
func (s *session) message(ctx context.Context, r *schemas.Record, m *schemas.Message) ([]byte, error) {
	id, body, err := schemas.Frame(r.Value)
	if errors.Is(err, schemas.ErrFrame) {
		s.Logger.Error("a record that is no message of chatlake is passed over", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset)
		return nil, nil
	}
	*m = schemas.Message{}
	value := r.Value
	switch {
	case id == s.IDs[s.Topics.Messages]:
		err = schemas.MessageSchema.Decode(body, m)
	case s.Texts == nil:
		err = fmt.Errorf("it was written with schema id %d, and there is no registry", id)
	default:
		if err = s.older.Decode(ctx, r.Value, m); err == nil {
			value, err = schemas.MessageSchema.Append(nil, s.IDs[s.Topics.Messages], m)
		}
	}
	if errors.Is(err, schemas.ErrNoAnswer) || ctx.Err() != nil {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%s/%d offset %d cannot be read, and versions could fall without it: restore NORMALIZER_STATE_DIR, or normalize into a "+
			"new output (NORMALIZER_OUTPUT): %w", r.Topic, r.Partition, r.Offset, err)
	}
	return value, nil
}
