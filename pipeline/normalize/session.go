package normalize

import (
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
	silent   bool // rebuilding the index: nothing is written

	// The page in hand: its expansions, then itself.
	group []schemas.Record
	pages []schemas.Page
	talk  *links.Conversation
	best  map[links.Key]*connectors.Reading // the readings of it that stand
	value schemas.Message                   // one that was kept, to be published anew

	dirty   bool // there is something to commit
	out     []schemas.Record
	arena   arena // what the values of out lie in
	size    int
	no      uint32        // values of the raw record in hand
	applied links.Applied // all before its offset is normalized
	count   struct{ pages, messages, dead, asked, bytes int64 }
}

func (n *Normalizer) newSession(log pipeline.Log) *session {
	s := &session{
		Normalizer: n, log: log, index: n.Index.Partition(log.ID()), best: map[links.Key]*connectors.Reading{},
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
	s.count = struct{ pages, messages, dead, asked, bytes int64 }{}
}

// take normalizes one raw record, or keeps it until the page comes that it is an expansion of. The error is of the index.
func (s *session) take(r *schemas.Record) error {
	p, err := schemas.ParsePage(r)
	if err == nil {
		err = s.placed(r, &p)
	}
	if len(s.group) > 0 && (err != nil || !together(&s.pages[0], &p)) {
		if err := s.close(); err != nil { // expansions without their page
			return err
		}
	}
	s.group, s.pages = append(s.group, *r), append(s.pages, p)
	if err == nil && p.Expansion() {
		return nil
	}
	if err == nil {
		return s.close()
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

// close normalizes the page in hand, with what belongs to it. What cannot be processed becomes a dead letter.
func (s *session) close() error {
	if len(s.group) == 0 {
		return nil
	}
	s.dirty = true
	main := &s.pages[len(s.pages)-1]
	platform, _, _ := strings.Cut(string(main.Container), "/")
	if err := decode(s.decoders[platform], s.pages, &s.decoded); err != nil {
		s.decoded.Readings, s.decoded.Answers, s.decoded.ConversationKind = nil, nil, ""
		s.decoded.Failed = []connectors.Failed{{Page: len(s.pages) - 1, Class: "panic", Message: err.Error()}}
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

// done lets the page in hand go.
func (s *session) done() {
	last := len(s.group) - 1
	for i := range s.group {
		s.count.pages++
		s.count.bytes += int64(len(s.group[i].Value))
	}
	s.applied.Offset, s.applied.PageOffset, s.applied.PageID = s.group[last].Offset+1, s.group[last].Offset, s.pages[last].ID
	clear(s.group)
	clear(s.pages)
	clear(s.best)
	s.group, s.pages, s.no = s.group[:0], s.pages[:0], 0
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

// dead sets something of the page in hand aside.
func (s *session) dead(f connectors.Failed) error {
	stage := schemas.StageDecode
	if f.Class == "misplaced" || f.Class == "not_a_page" || f.Class == "unknown_platform" {
		stage = schemas.StageNormalize
		f.Page = len(s.pages) - 1
	}
	p := &s.pages[f.Page]
	return s.deadLetter(pipeline.Fault{
		Stage: stage, Class: f.Class, Message: f.Message, Conversation: p.Conversation, Container: p.Container,
		PageID: p.ID, ItemPointer: f.Pointer, RecordID: f.RecordID, Source: &s.group[f.Page],
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
