package extract_test

import (
	"bytes"
	"maps"
	"slices"
	"strconv"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// run is one container in one epoch.
type run struct {
	key   schemas.ContainerKey
	epoch int64
}

// state is what the topics say.
type state struct {
	pages       map[run][]schemas.Page // list and look-up pages, in the order of the topic
	others      map[run][]schemas.Page // openings and expansions
	checkpoints map[schemas.ContainerKey]schemas.Checkpoint
	containers  []schemas.Container
	dead        []schemas.DeadLetter
}

// check reads all topics and holds them against the rules: each page once, the chains whole, expansions directly before
// their page in its transaction, and no checkpoint that says anything else than the pages do.
func (r *rig) check() *state {
	r.t.Helper()
	for _, v := range r.log.Violations() {
		r.t.Error(v)
	}
	s := &state{pages: map[run][]schemas.Page{}, others: map[run][]schemas.Page{}, checkpoints: map[schemas.ContainerKey]schemas.Checkpoint{}}
	for _, tx := range r.log.History() {
		s.take(r.t, &tx)
	}
	for _, rec := range r.log.All(topics.Containers) {
		var c schemas.Container
		if _, body, err := schemas.Frame(rec.Value); err == nil && schemas.ContainerSchema.Decode(body, &c) == nil {
			s.containers = append(s.containers, c)
		}
	}
	return s
}

// take folds a transaction in.
func (s *state) take(t testing.TB, tx *memlog.Transaction) {
	t.Helper()
	var before []schemas.Page // openings and expansions that wait for their page
	for i := range tx.Records {
		rec := &tx.Records[i]
		switch rec.Topic {
		case topics.RawPages:
			p, err := schemas.ParsePage(rec)
			if err != nil {
				t.Fatalf("offset %d: %v", rec.Offset, err)
			}
			if p.ID != schemas.PageID(p.Container, p.Epoch, p.Number, p.Request, p.Subject) {
				t.Errorf("%s page %d has the id of another", p.Container, p.Number)
			}
			byType := p
			if byType.Expands = ""; p.Expands != strconv.FormatBool(byType.Expansion()) {
				t.Errorf("%s page %d of type %s: ce_expansion is %q", p.Container, p.Number, p.Type, p.Expands)
			}
			if p.Number == 0 || p.Expansion() {
				before = append(before, p)
				continue
			}
			s.page(t, &p, before)
			before = nil
		case topics.Checkpoints:
			s.checkpoint(t, rec)
		case topics.DeadLetters:
			s.dead = append(s.dead, decoded[schemas.DeadLetter](t, schemas.DeadLetterSchema, rec))
		}
	}
	if len(before) > 0 {
		t.Errorf("%d openings or expansions stand behind all pages of their transaction", len(before))
	}
}

func (s *state) page(t testing.TB, p *schemas.Page, before []schemas.Page) {
	t.Helper()
	at := run{p.Container, p.Epoch}
	for i := range before {
		b := &before[i]
		if b.Container != p.Container || b.Epoch != p.Epoch || b.Prev != "" || b.Final || b.Number != 0 && b.Number != p.Number {
			t.Errorf("%+v stands before page %d of %s", b, p.Number, p.Container)
		}
		s.others[at] = append(s.others[at], *b)
	}
	chain := s.pages[at]
	prev := ""
	if n := len(chain); n > 0 {
		prev = chain[n-1].ID
		if chain[n-1].Final {
			t.Errorf("%v: page %d comes after the final one", at, p.Number)
		}
	}
	if p.Number != int64(len(chain)+1) || p.Prev != prev {
		t.Errorf("%v: page %d with prev %q comes after %d pages, the last %q", at, p.Number, p.Prev, len(chain), prev)
	}
	s.pages[at] = append(chain, *p)
}

func (s *state) checkpoint(t testing.TB, rec *schemas.Record) {
	t.Helper()
	cp := decoded[schemas.Checkpoint](t, schemas.CheckpointSchema, rec)
	key := schemas.ContainerKey(cp.ContainerKey)
	pages := s.pages[run{key, cp.Epoch}]
	if int(cp.Pages) != len(pages) || len(pages) > 0 && *cp.LastPageID != pages[len(pages)-1].ID {
		t.Errorf("checkpoint %+v: there are %d pages", cp, len(pages))
	}
	if cp.Ended() != (len(pages) > 0 && pages[len(pages)-1].Final) {
		t.Errorf("checkpoint %s in state %s: final page %v", key, cp.State, !cp.Ended())
	}
	if old, ok := s.checkpoints[key]; ok && (old.Epoch > cp.Epoch || old.Epoch == cp.Epoch && old.Ended()) {
		t.Errorf("checkpoint %+v comes after %+v", cp, old)
	}
	s.checkpoints[key] = cp
}

func decoded[T any](t testing.TB, schema *schemas.Schema, rec *schemas.Record) T {
	t.Helper()
	var v T
	_, body, err := schemas.Frame(rec.Value)
	if err == nil {
		err = schema.Decode(body, &v)
	}
	if err != nil {
		t.Fatalf("%s offset %d: %v", rec.Topic, rec.Offset, err)
	}
	return v
}

// whole expects a container to be complete, with all of the book's pages.
func (r *rig) whole(s *state, c *schemas.Container) {
	r.t.Helper()
	key := schemas.ContainerKey(c.Key)
	if got := s.checkpoints[key].State; got != schemas.StateComplete {
		r.t.Errorf("%s is %q, not complete", key, got)
	}
	pages := s.pages[run{key, c.Epoch}]
	if int64(len(pages)) != r.book.last(c) {
		r.t.Errorf("%s has %d pages, want %d", key, len(pages), r.book.last(c))
	}
	for i := range pages {
		if want := pageName(c, int64(i+1)); !bytes.Equal(pages[i].Body, []byte(want)) {
			r.t.Errorf("%s page %d holds %q, want %q", key, i+1, pages[i].Body, want)
		}
	}
}

// allEnded expects every container of the topic whose platform is on to have ended.
func (r *rig) allEnded(s *state) {
	r.t.Helper()
	epochs := map[schemas.ContainerKey]int64{}
	for i := range s.containers {
		key := schemas.ContainerKey(s.containers[i].Key)
		epochs[key] = max(epochs[key], s.containers[i].Epoch)
	}
	for _, key := range slices.Sorted(maps.Keys(epochs)) {
		cp, ok := s.checkpoints[key]
		if !ok || cp.Epoch != epochs[key] || !cp.Ended() {
			r.t.Errorf("%s is to be read in epoch %d and stands at %+v", key, epochs[key], cp)
		}
	}
}

// count tells how many records of a container stand in the topic of containers.
func (s *state) count(key string, epoch int64) int {
	n := 0
	for i := range s.containers {
		if s.containers[i].Key == key && s.containers[i].Epoch == epoch {
			n++
		}
	}
	return n
}
