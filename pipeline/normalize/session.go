package normalize

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
	"chatlake/schemas"
)

// session is one ownership of one partition.
type session struct {
	*Normalizer
	log      pipeline.Log
	index    *store.Partition
	decoders map[string]connectors.Decoder
	decoded  connectors.Decoded
	older    *schemas.Decoder // of messages that an older version wrote
	silent   bool             // what is read was normalized before: nothing is written

	// The current page: its expansions, then itself. Only the next record ends a group of expansions.
	group     []schemas.Record
	pages     []schemas.Page
	groupSize int // bytes
	detached  int // records of it that hold their own memory
	talk      *store.Conversation
	best      map[graph.Key]*connectors.Reading // the readings of it that stand
	top       string                            // a merged forward of it that is of this conversation
	value     schemas.Message                   // one that was kept, to be published again

	dirty   bool // there is something to commit
	out     []schemas.Record
	origins []origin // of out
	arena   arena    // what the values of out lie in
	size    int
	no      uint32        // records that the current page has brought
	applied store.Applied // all before its offset is normalized
	held    store.Applied // applied as the index holds it
	next    int64         // raw offset to read from
	floor   int64         // the committed offset never falls below
	commits int
	count   struct{ pages, messages, dead, asked, bytes, erased int64 }

	limits      map[origin]limit // of records that were too large
	apart       int64            // raw offset of a page that is committed by itself for that, -1: none
	outputEmpty bool             // nothing was ever written to the output

	tally    map[string]*Tally // by platform, of the transaction
	progress progress
}

// origin names a record of a transaction by what brought it, alike in every attempt.
type origin struct {
	at    store.Place
	topic string
}

// limit is what a topic said of a record that was too large.
type limit struct {
	bytes int // that its value may have
	topic int // max.message.bytes
}

func (n *Normalizer) newSession(log pipeline.Log) *session {
	s := &session{
		Normalizer: n, log: log, index: n.Index.Partition(log.ID()), best: map[graph.Key]*connectors.Reading{},
		decoders: map[string]connectors.Decoder{}, applied: store.Applied{PageOffset: -1}, limits: map[origin]limit{}, apart: -1, tally: map[string]*Tally{},
	}
	s.older = schemas.NewDecoder(schemas.MessageSchema, n.Texts)
	for platform, make := range n.Decoders {
		s.decoders[platform] = make()
	}
	return s
}

func (s *session) clear() {
	clear(s.out) // lets go of the values
	s.arena.reset()
	s.out, s.origins, s.size, s.dirty = s.out[:0], s.origins[:0], 0, false
	s.count = struct{ pages, messages, dead, asked, bytes, erased int64 }{}
	for _, t := range s.tally {
		*t = Tally{}
	}
}

// Bounds of a group of expansions whose page has not come, in records and in bytes with their headers. A page of ours has
// expansions of at most 64 MiB. Beyond a bound the group is normalized without its page.
const (
	maxGroup      = 1 << 16
	maxGroupBytes = 96 << 20
)

// take normalizes one raw record, or keeps it until the page comes that it is an expansion of. The error is of the index.
func (s *session) take(r *schemas.Record) error {
	p, err := schemas.ParsePage(r)
	if err == nil {
		err = s.placed(r, &p)
	}
	size := sizeOf(r)
	if len(s.group) > 0 {
		full := p.Expansion() && (len(s.group) >= maxGroup || s.groupSize+size > maxGroupBytes)
		if err != nil || full || !together(&s.pages[0], &p) {
			if err := s.giveUp(); err != nil {
				return err
			}
		}
	}
	s.group, s.pages, s.groupSize = append(s.group, *r), append(s.pages, p), s.groupSize+size
	if err == nil && p.Expansion() {
		return nil
	}
	if err == nil {
		return s.flush()
	}
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{connectors.Failed{Class: "not_a_page", Message: err.Error()}}
	}
	s.dirty = true
	if err := s.dead(f.Failed); err != nil {
		return err
	}
	s.done()
	return nil
}

// giveUp normalizes expansions whose page does not follow. Where the committed offset lies right behind them, that was done
// before: only the index has still to know.
func (s *session) giveUp() error {
	if n := len(s.group); n > 0 && s.group[n-1].Offset < s.floor {
		defer func(was bool) { s.silent = was }(s.silent)
		s.silent = true
	}
	return s.flush()
}

func sizeOf(r *schemas.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// detach gives a group that waits for its page memory of its own: that of a fetch is larger.
func (s *session) detach() {
	for ; s.detached < len(s.group); s.detached++ {
		r := &s.group[s.detached]
		r.Value = bytes.Clone(r.Value)
		s.pages[s.detached].Body = r.Value
	}
}

// skip dead-letters offsets of the topic of raw pages that nobody can read. What follows them does not belong to what was
// before them.
func (s *session) skip(k *pipeline.Damaged) error {
	if err := s.giveUp(); err != nil {
		return err
	}
	s.dirty = true
	err := s.deadLetter(store.Place{Offset: k.First}, pipeline.Fault{
		Stage: schemas.StageDecode, Class: "unreadable", Message: fmt.Sprintf("offsets %d to %d cannot be read: %s", k.First, k.Last, k.Why),
		Source: &schemas.Record{Topic: s.Topics.RawPages, Partition: s.log.ID(), Offset: k.First, Time: s.Now()},
	})
	s.applied.Offset = k.Last + 1
	return err
}

// together reports whether two pages belong to one.
func together(a, b *schemas.Page) bool {
	return a.Container == b.Container && a.Conversation == b.Conversation && a.Epoch == b.Epoch && a.Number == b.Number
}

// fault is why a record is not normalized.
type fault struct{ connectors.Failed }

func (f *fault) Error() string { return f.Message }

// maxKey is the longest key of a page that is normalized, in bytes; all that follows from the page carries it.
const maxKey = 8 << 10

// placed refuses what does not belong here.
func (s *session) placed(r *schemas.Record, p *schemas.Page) error {
	if len(p.Conversation) > maxKey || len(p.Container) > maxKey {
		return &fault{connectors.Failed{Class: "not_a_page", Message: "the keys of the page are too long to be any"}}
	}
	if want := schemas.Partition(p.Conversation, s.log.Total()); want != r.Partition {
		return &fault{connectors.Failed{Class: "misplaced", Message: fmt.Sprintf("the conversation belongs to partition %d of %d", want, s.log.Total())}}
	}
	if platform, _, _ := strings.Cut(string(p.Container), "/"); s.decoders[platform] == nil {
		return &fault{connectors.Failed{Class: "unknown_platform", Message: "no decoder for this platform"}}
	}
	return nil
}

// flush normalizes the current page, with what belongs to it. What cannot be processed becomes a dead letter.
func (s *session) flush() error {
	if len(s.group) == 0 {
		return nil
	}
	s.dirty = true
	main := &s.pages[len(s.pages)-1]
	if s.Without.conversation(main.Conversation) {
		s.count.erased += int64(len(s.group))
		s.done()
		return nil
	}
	if main.Expansion() && !s.silent {
		s.Logger.Warn("expansions without their page", "container", main.Container, "page", main.ID, "records", len(s.group),
			"bytes", s.groupSize, "topic", s.Topics.RawPages, "partition", s.log.ID(), "offset", s.group[0].Offset)
	}
	platform, _, _ := strings.Cut(string(main.Container), "/")
	if err := decode(s.decoders[platform], s.pages, &s.decoded); err != nil {
		s.decoders[platform] = s.Decoders[platform]() // what a panic left behind is not known
		s.decoded = connectors.Decoded{Failed: []connectors.Failed{{Page: len(s.pages) - 1, Class: "panic", Message: err.Error()}}}
	}
	for _, f := range s.decoded.Failed {
		if err := s.dead(f); err != nil {
			return err
		}
	}
	if err := s.normalize(main); err != nil {
		return err
	}
	s.done()
	return nil
}

// done lets the current page go.
func (s *session) done() {
	last := len(s.group) - 1
	for i := range s.group {
		s.count.pages++
		s.count.bytes += int64(len(s.group[i].Value))
	}
	s.applied.Offset = s.group[last].Offset + 1
	s.applied.PageOffset, s.applied.PageID, s.applied.PageTime = s.group[last].Offset, s.pages[last].ID, s.pages[last].Time.UnixMilli()
	s.drop()
}

// drop forgets the current page.
func (s *session) drop() {
	clear(s.group)
	clear(s.pages)
	clear(s.best)
	s.group, s.pages, s.no, s.groupSize, s.detached, s.top = s.group[:0], s.pages[:0], 0, 0, 0, ""
}

// decode keeps a decoder that panics from ending the process: one bad page must not stop its partition.
func decode(d connectors.Decoder, pages []schemas.Page, out *connectors.Decoded) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("decoding panicked: %v", v)
		}
	}()
	d.Decode(pages, out)
	return nil
}

// dead dead-letters something of the current page.
func (s *session) dead(f connectors.Failed) error {
	stage := schemas.StageDecode
	if f.Class == "misplaced" || f.Class == "not_a_page" || f.Class == "unknown_platform" {
		stage = schemas.StageNormalize
		f.Page = len(s.pages) - 1
	}
	p := &s.pages[f.Page]
	return s.deadLetter(s.place(), pipeline.Fault{
		Stage: stage, Class: f.Class, Message: f.Message, Conversation: p.Conversation, Container: p.Container,
		PageID: p.ID, ItemPointer: f.Pointer, RecordID: f.RecordID, Source: &s.group[f.Page],
	})
}

// place names the next record that the current page brings.
func (s *session) place() store.Place {
	s.no++
	return store.Place{Offset: s.group[len(s.group)-1].Offset, No: s.no}
}

func (s *session) deadLetter(at store.Place, f pipeline.Fault) error {
	if s.silent || s.Without.fault(&f) {
		return nil
	}
	if f.PageID == "" { // without one, records that are no pages would all share an id
		f.ItemPointer = fmt.Sprintf("/%d/%d", f.Source.Partition, f.Source.Offset)
	}
	d := pipeline.DeadLetter(f, s.Now())
	value, err := s.fitDeadLetter(origin{at, s.Topics.DeadLetters}, d)
	if err != nil {
		return errors.Join(fmt.Errorf("dead letter of %s/%d offset %d", f.Source.Topic, f.Source.Partition, f.Source.Offset), err)
	}
	s.Logger.Warn("dead letter", "stage", f.Stage, "class", f.Class, "error", d.ErrorMessage, "page", f.PageID, "item", f.ItemPointer,
		"topic", f.Source.Topic, "partition", f.Source.Partition, "offset", f.Source.Offset, "written", value != nil)
	if value == nil {
		return nil
	}
	s.emit(at, &schemas.Record{
		Topic: s.Topics.DeadLetters, Partition: s.log.ID(), Time: f.Source.Time, Key: d.ConversationKey, Value: value,
	})
	s.count.dead++
	return nil
}

// emit adds a record to the transaction.
func (s *session) emit(at store.Place, r *schemas.Record) {
	s.out, s.origins = append(s.out, *r), append(s.origins, origin{at, r.Topic})
	s.size += len(r.Value)
}
