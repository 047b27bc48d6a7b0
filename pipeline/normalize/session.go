package normalize

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links"
	"chatlake/schemas"
)

// session is one ownership of one partition.
type session struct {
	*Normalizer
	log      pipeline.Log
	index    *links.Partition
	decoders map[string]connectors.Decoder
	decoded  connectors.Decoded
	best     map[string]standing // of the page in hand, by record
	silent   bool                // rebuilding the index: nothing is published

	dirty   bool // there is something to commit
	out     []schemas.Record
	arena   arena // what the values of out lie in
	size    int
	applied links.Applied
	count   struct{ pages, messages, dead, bytes int64 }
}

func (n *Normalizer) newSession(log pipeline.Log) *session {
	s := &session{
		Normalizer: n, log: log, index: n.Index.Partition(log.ID()), best: map[string]standing{},
		decoders: map[string]connectors.Decoder{}, applied: links.Applied{PageOffset: -1},
	}
	for platform, make := range n.Decoders {
		s.decoders[platform] = make()
	}
	return s
}

func (s *session) clear() {
	clear(s.out) // lets go of the values
	s.arena.reset()
	s.out, s.size, s.dirty = s.out[:0], 0, false
	s.count = struct{ pages, messages, dead, bytes int64 }{}
}

// restore brings the index to the offset that normalizing goes on from.
func (s *session) restore(ctx context.Context, start, from int64) error {
	applied, ok, err := s.index.Applied()
	if err != nil {
		return err
	}
	if ok && applied.Offset <= from {
		if ok, err = s.sameTopic(ctx, applied, start); err != nil {
			return err
		}
	} else {
		ok = false
	}
	if ok && (applied.Offset >= start || applied.Offset == s.log.Committed()) {
		// All that was normalized is in it, though retention has come past it since.
		s.applied = applied
		s.applied.Offset = max(applied.Offset, start)
	} else {
		if start > 0 && s.log.Committed() >= 0 {
			return fmt.Errorf("the state of partition %d is missing, stale or of another topic, and cannot be rebuilt: %s begins at offset %d; "+
				"normalize what remains into a new output (NORMALIZER_OUTPUT), or restore NORMALIZER_STATE_DIR", s.log.ID(), s.Topics.RawPages, start)
		}
		if err := s.index.Reset(); err != nil {
			return err
		}
		s.applied = links.Applied{Offset: start, PageOffset: -1}
	}
	if s.applied.Offset >= from {
		return nil
	}
	s.Logger.Info("building the index anew", "partition", s.log.ID(), "from", s.applied.Offset, "to", from)
	return s.rebuild(ctx, from)
}

// sameTopic reports whether the page that the index holds last still stands where it stood.
func (s *session) sameTopic(ctx context.Context, a links.Applied, start int64) (bool, error) {
	if a.PageOffset < start {
		return a.PageOffset >= 0 || a.Offset <= start, nil // removed by retention, or nothing was there yet
	}
	same := false
	err := pipeline.ReadTo(ctx, s.log, pipeline.Span{Topic: s.Topics.RawPages, From: a.PageOffset, To: a.PageOffset + 1}, func(r *schemas.Record) error {
		p, _ := schemas.ParsePage(r) // a record that is no page has the id "", as the index has it
		same = p.ID == a.PageID
		return nil
	})
	return same, err
}

// rebuild reads raw pages again up to an offset, publishing nothing.
func (s *session) rebuild(ctx context.Context, to int64) error {
	s.silent = true
	defer func() { s.silent = false }()
	pages := 0
	flush := func(next int64) error {
		s.applied.Offset = next
		s.stats.Rebuilt.Add(s.count.pages)
		s.clear()
		s.log.Beat()
		return s.index.Apply(s.applied)
	}
	err := pipeline.ReadTo(ctx, s.log, pipeline.Span{Topic: s.Topics.RawPages, From: s.applied.Offset, To: to}, func(r *schemas.Record) error {
		if err := s.page(r); err != nil {
			return err
		}
		if pages++; pages%256 == 0 {
			return flush(r.Offset + 1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush(to)
}

// page normalizes one raw record. A page that cannot be processed becomes a dead letter; the error is of the index.
func (s *session) page(r *schemas.Record) error {
	s.dirty = true
	s.count.pages++
	s.count.bytes += int64(len(r.Value))
	p, err := schemas.ParsePage(r)
	s.applied.PageOffset, s.applied.PageID = r.Offset, p.ID
	if err != nil {
		return s.dead(r, &p, connectors.Failed{Class: "not_a_page", Message: err.Error()})
	}
	if want := schemas.Partition(p.Conversation, s.log.Total()); want != r.Partition {
		return s.dead(r, &p, connectors.Failed{
			Class: "misplaced", Message: fmt.Sprintf("the conversation belongs to partition %d of %d", want, s.log.Total()),
		})
	}
	platform, _, _ := strings.Cut(string(p.Container), "/")
	d := s.decoders[platform]
	if d == nil {
		return s.dead(r, &p, connectors.Failed{Class: "unknown_platform", Message: "no decoder for this platform"})
	}
	if err := decode(d, &p, &s.decoded); err != nil {
		return s.dead(r, &p, connectors.Failed{Class: "panic", Message: err.Error()})
	}
	for _, f := range s.decoded.Failed {
		if err := s.dead(r, &p, f); err != nil {
			return err
		}
	}
	if k := s.decoded.ConversationKind; k != "" {
		if err := s.index.SetKind(string(p.Conversation), k); err != nil {
			return err
		}
	}
	return s.readings(r, &p)
}

// decode keeps a decoder that panics from ending the process: one bad page must not stop its partition.
func decode(d connectors.Decoder, p *schemas.Page, out *connectors.Decoded) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("decoding panicked: %v", v)
		}
	}()
	d.Decode([]schemas.Page{*p}, out)
	return nil
}

// dead sets something of a page aside.
func (s *session) dead(r *schemas.Record, p *schemas.Page, f connectors.Failed) error {
	stage := schemas.StageDecode
	if f.Class == "misplaced" || f.Class == "not_a_page" || f.Class == "unknown_platform" {
		stage = schemas.StageNormalize
	}
	return s.deadLetter(pipeline.Fault{
		Stage: stage, Class: f.Class, Message: f.Message, Conversation: p.Conversation, Container: p.Container,
		PageID: p.ID, ItemPointer: f.Pointer, RecordID: f.RecordID, Source: r,
	})
}

func (s *session) deadLetter(f pipeline.Fault) error {
	if s.silent {
		return nil
	}
	if f.PageID == "" { // without one, records that are no pages would all share an id
		f.ItemPointer = fmt.Sprintf("/%d/%d", f.Source.Partition, f.Source.Offset)
	}
	d := pipeline.DeadLetter(f, s.Now())
	value, err := schemas.DeadLetterSchema.Append(nil, s.IDs[s.Topics.DeadLetters], d)
	if err != nil {
		return errors.Join(fmt.Errorf("dead letter of %s/%d offset %d", f.Source.Topic, f.Source.Partition, f.Source.Offset), err)
	}
	s.Logger.Warn("set aside", "stage", f.Stage, "class", f.Class, "error", d.ErrorMessage, "page", f.PageID, "item", f.ItemPointer,
		"topic", f.Source.Topic, "partition", f.Source.Partition, "offset", f.Source.Offset)
	s.out = append(s.out, schemas.Record{
		Topic: s.Topics.DeadLetters, Partition: s.log.ID(), Time: f.Source.Time, Key: d.ConversationKey, Value: value,
	})
	s.size += len(value)
	s.count.dead++
	return nil
}
