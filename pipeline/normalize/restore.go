package normalize

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"chatlake/pipeline"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

// ground is what a session finds: the bounds of the topic of raw pages, how far the index has come, and whether the two
// belong together.
type ground struct {
	start, stable int64
	applied       store.Applied
	fits          bool
	seen          identity
}

func (s *session) survey(ctx context.Context) (g ground, err error) {
	if g.start, g.stable, err = s.log.Offsets(ctx, s.Topics.RawPages); err != nil {
		return g, err
	}
	if g.applied, g.fits, err = s.index.Applied(); err == nil && g.fits {
		g.fits, err = s.fits(ctx, &g.applied, g.start, g.stable)
	}
	if g.seen.same = g.fits && g.applied.PageOffset >= 0; err == nil && !g.seen.same {
		g.seen, err = s.identify(ctx, g.start, g.stable)
	}
	return g, err
}

// restore brings the index to the offset that normalizing goes on from, s.next, and gives the end that --once catches up
// with.
func (s *session) restore(ctx context.Context) (end int64, err error) {
	g, err := s.survey(ctx)
	if err != nil {
		return 0, err
	}
	topic, from := s.Topics.RawPages, s.log.Committed()
	switch {
	case g.seen.another():
		s.Logger.Warn("the topic of raw pages was deleted and created again: it is normalized from its start", "topic", topic,
			"partition", s.log.ID(), "from", from)
		from, end = -1, g.stable
		s.dirty = true // an offset that was kept is of the topic before
	case from < 0 && (g.fits && g.applied.Offset > g.start || !g.fits && g.seen.any()):
		return 0, s.noOffset(&g)
	case from > g.stable:
		if err := s.reaches(ctx, from, g.stable); err != nil {
			return 0, err
		}
	}
	if s.Once && (!g.seen.another() || s.log.Committed() < 0) {
		if _, end, err = pipeline.Settled(ctx, s.log, topic, s.Logger); err != nil {
			return 0, err
		}
	}
	if from >= 0 && from < g.start {
		s.Logger.Error("raw pages were removed before they were normalized: give the topic a longer retention",
			"topic", topic, "partition", s.log.ID(), "from", from, "to", g.start)
	}
	s.next = max(from, g.start)
	s.floor = s.next
	if g.fits = g.fits && g.applied.Offset <= s.next && (g.applied.Offset >= g.start || g.applied.Offset == from); g.fits {
		// All that was normalized is in it, though retention may have come past it since.
		s.applied = g.applied
		s.applied.Offset = max(g.applied.Offset, g.start)
	} else if err := s.reset(g.start, g.seen); err != nil {
		return 0, err
	}
	return end, s.catchUp(ctx, g.fits)
}

// reset drops the index where it can be built again.
func (s *session) reset(start int64, seen identity) error {
	if start > 0 && s.log.Committed() >= 0 && !seen.another() {
		return fmt.Errorf("the state of partition %d is missing, stale or of another topic, and cannot be rebuilt: %s begins at offset %d; "+
			"normalize what remains into a new output (NORMALIZER_OUTPUT), or restore NORMALIZER_STATE_DIR", s.log.ID(), s.Topics.RawPages, start)
	}
	s.applied = store.Applied{Offset: start, PageOffset: -1}
	return s.index.Reset()
}

// catchUp lets the index know what was published, then what old pages say.
func (s *session) catchUp(ctx context.Context, fits bool) error {
	behind := s.applied.Offset < s.next
	if behind || !fits && s.next > 0 { // of topics without a page there is nothing to build
		s.Logger.Info("building the index from the output and the raw pages", "partition", s.log.ID(), "from", s.applied.Offset, "to", s.next)
	}
	if err := s.recall(ctx, !fits || behind); err != nil {
		return err
	}
	if behind {
		if err := s.rebuild(ctx, s.next); err != nil {
			return err
		}
	}
	if len(s.group) == 0 {
		s.applied.Offset = s.next
	}
	s.held = s.applied
	return nil
}

func (s *session) noOffset(g *ground) error {
	if applied := &g.applied; g.fits {
		return fmt.Errorf("the consumer group has no offset for partition %d of %s, but its state holds all up to offset %d: the group was deleted "+
			"or its offsets have expired, and going on would publish everything again; set the group's offset to %d with Kafka's own tools, or "+
			"normalize into a new output (NORMALIZER_OUTPUT)", s.log.ID(), s.Topics.RawPages, applied.Offset, applied.Offset)
	}
	return fmt.Errorf("the consumer group has no offset for partition %d of %s, but %s holds messages of its pages, up to offset %d at least: the group "+
		"was deleted or its offsets have expired, and going on would publish everything again; set the group's offset to where it was with Kafka's own "+
		"tools, or normalize into a new output (NORMALIZER_OUTPUT)", s.log.ID(), s.Topics.RawPages, s.Topics.Messages, g.seen.last)
}

// reaches waits until the topic shows the offset to go on from, where it has it at all.
func (s *session) reaches(ctx context.Context, from, stable int64) error {
	end, err := s.log.End(ctx, s.Topics.RawPages)
	if err == nil && end >= from {
		_, stable, err = pipeline.Settled(ctx, s.log, s.Topics.RawPages, s.Logger)
	}
	if err != nil || stable >= from {
		return err
	}
	return fmt.Errorf("the next raw page of partition %d is at offset %d, but %s ends at %d: its last records were lost, or the group's offset was set "+
		"by mistake; set it to %d with Kafka's own tools, or normalize into a new output (NORMALIZER_OUTPUT)",
		s.log.ID(), from, s.Topics.RawPages, stable, stable)
}

// fits reports whether the page that the index holds last is where it was. Nobody can tell once retention has removed it.
func (s *session) fits(ctx context.Context, a *store.Applied, start, stable int64) (bool, error) {
	switch {
	case a.PageOffset < 0:
		return a.Offset <= start, nil // nothing was there yet
	case a.PageOffset < start:
		return true, nil
	case a.PageOffset >= stable:
		return false, nil
	}
	return s.pageIs(ctx, witness{a.PageOffset, a.PageID, a.PageTime})
}

// witness is a page that was normalized: where it was, its id, and its ce_time in milliseconds.
type witness struct {
	offset int64
	id     string
	time   int64
}

// pageIs reports whether the topic of raw pages has a page where it was.
func (s *session) pageIs(ctx context.Context, w witness) (is bool, err error) {
	err = pipeline.ReadTo(ctx, s.log, pipeline.Span{Topic: s.Topics.RawPages, From: w.offset, To: w.offset + 1}, func(r *schemas.Record) error {
		p, _ := schemas.ParsePage(r) // a record that is no page has the id "", as the index has it
		is = p.ID == w.id && p.Time.UnixMilli() == w.time
		return nil
	})
	var damaged *pipeline.Unreadable
	if errors.As(err, &damaged) {
		return false, nil
	}
	return is, err
}

// identity is what the output tells of the topic of raw pages: whether it is the one that messages were made of.
type identity struct {
	same         bool  // a page is where it was
	gone         bool  // some were removed by retention
	contradicted bool  // some are not where they were
	last         int64 // offset of the last page that any is of
}

func (i *identity) another() bool { return i.contradicted && !i.same && !i.gone }
func (i *identity) any() bool     { return i.same || i.gone || i.contradicted }

// How much of the output's end is looked at to recognise the topic of raw pages, in offsets and in pages.
const (
	witnessOffsets = 2048
	witnesses      = 16
)

// identify asks the last messages of the output whether their pages are where they were. A version that only relinks
// names an old page, so not all of them have to be.
func (s *session) identify(ctx context.Context, start, stable int64) (seen identity, err error) {
	first, end, err := s.log.Offsets(ctx, s.Topics.Messages)
	if err != nil {
		return seen, err
	}
	var pages []witness
	span := pipeline.Span{Topic: s.Topics.Messages, From: max(first, end-witnessOffsets), To: end}
	err = pipeline.ReadBatches(ctx, s.log, span, func(b *pipeline.Batch) error {
		for i := range b.Records {
			value, err := s.message(ctx, &b.Records[i], &s.value)
			p := &s.value.Provenance
			if err != nil {
				return err
			}
			if value != nil && p.RawTopic == s.Topics.RawPages && p.RawPartition == int64(s.log.ID()) {
				pages = append(pages, witness{p.RawOffset, p.PageID, int64(p.ExtractedAt)})
				seen.last = max(seen.last, p.RawOffset)
			}
		}
		return nil
	})
	slices.Reverse(pages)
	asked := map[witness]bool{}
	for _, w := range pages {
		switch {
		case err != nil || seen.same || len(asked) >= witnesses:
			return seen, err
		case asked[w]:
			continue
		case w.offset < start:
			seen.gone = true
		case w.offset >= stable:
			seen.contradicted = true
		default:
			seen.same, err = s.pageIs(ctx, w)
			seen.contradicted = seen.contradicted || !seen.same
		}
		asked[w] = true
	}
	return seen, err
}

// rebuild reads raw pages again up to an offset, publishing nothing. A group of expansions whose page lies beyond it is
// kept for what follows.
func (s *session) rebuild(ctx context.Context, to int64) error {
	s.silent = true
	defer func() { s.silent = false }()
	pages := 0
	flush := func() error {
		s.stats.Rebuilt.Add(s.count.pages)
		if err := s.index.Apply(s.applied); err != nil {
			return err
		}
		s.clear()
		return nil
	}
	err := pipeline.ReadBatches(ctx, s.log, pipeline.Span{Topic: s.Topics.RawPages, From: s.applied.Offset, To: to}, func(b *pipeline.Batch) error {
		err := b.Each(func(r *schemas.Record) error {
			if err := s.take(r); err != nil {
				return err
			}
			if pages++; pages%256 != 0 {
				return nil
			}
			s.log.Beat()
			return flush()
		}, s.skip)
		if err != nil {
			return err
		}
		s.detach()
		return nil
	})
	if err != nil {
		return err
	}
	if len(s.group) == 0 {
		s.applied.Offset = to
	}
	return flush()
}
