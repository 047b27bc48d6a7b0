package normalize

import (
	"context"
	"fmt"

	"chatlake/pipeline"
	"chatlake/pipeline/links"
	"chatlake/schemas"
)

// restore brings the index to the offset that normalizing goes on from.
func (s *session) restore(ctx context.Context, start, from int64) error {
	applied, ok, err := s.index.Applied()
	if err != nil {
		return err
	}
	if ok && s.log.Committed() < 0 && applied.Offset > start {
		if ok, err = s.sameTopic(ctx, applied, start); err != nil {
			return err
		}
		if ok {
			return fmt.Errorf("the consumer group has no offset for partition %d of %s, but its state holds all up to offset %d: the group was deleted "+
				"or its offsets have expired, and going on would publish everything again; set the group's offset to %d with Kafka's own tools, or "+
				"normalize into a new output (NORMALIZER_OUTPUT)", s.log.ID(), s.Topics.RawPages, applied.Offset, applied.Offset)
		}
	} else if ok && applied.Offset <= from {
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
	flush := func() error {
		s.stats.Rebuilt.Add(s.count.pages)
		s.log.Beat()
		if err := s.index.Apply(s.applied); err != nil {
			return err
		}
		s.clear()
		return nil
	}
	err := pipeline.ReadTo(ctx, s.log, pipeline.Span{Topic: s.Topics.RawPages, From: s.applied.Offset, To: to}, func(r *schemas.Record) error {
		if err := s.take(r); err != nil {
			return err
		}
		if pages++; pages%256 == 0 && len(s.group) == 0 || s.size >= commitBytes {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.close(); err != nil {
		return err
	}
	s.applied.Offset = to
	return flush()
}
