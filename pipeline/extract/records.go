package extract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// part says what a record of a draft is.
type part struct {
	kind partKind
	i    int // in its list of the page
}

type partKind uint8

const (
	partOpening partKind = iota
	partExpansion
	partPage
	partFound
	partMissing
	partCheckpoint
)

// draft is what a page's commit is made of.
type draft struct {
	page    connectors.Page
	hollow  bool // the page's body does not fit
	holed   bool // a dead letter tells of a message that no page holds
	short   int  // how often the checkpoint was shortened
	parts   []part
	records []schemas.Record
	cp      schemas.Checkpoint
	found   []*schemas.Container
	dead    int
}

// commitPage commits a page with what precedes it, the containers that it shows, and the checkpoint after it.
func (s *session) commitPage(ctx context.Context, r *reading, p *connectors.Page) error {
	d := &draft{page: *p}
	d.page.Opening, d.page.Expansions = slices.Clone(p.Opening), slices.Clone(p.Expansions)
	d.page.Found, d.page.Missing = slices.Clone(p.Found), slices.Clone(p.Missing)
	for {
		if err := s.draw(r, d); err != nil {
			return err
		}
		err := s.commitCheckpoint(ctx, r, &d.cp, d.records)
		var large *pipeline.TooLarge
		if !errors.As(err, &large) {
			if err != nil {
				return err
			}
			break
		}
		if err := s.fit(r, d, large); isTooLarge(err) {
			return s.pause(ctx, r, &connectors.Error{API: r.api, Code: connectors.CodeTooLarge, Message: "nothing of the page fits into its topic; " + remedy, Err: err, Calls: p.Calls})
		} else if err != nil {
			return err
		}
	}
	s.committed(r, d)
	return nil
}

// draw makes the records of a draft.
func (s *session) draw(r *reading, d *draft) error {
	p, number, total := &d.page, r.checkpoint.Pages+1, s.log.Total()
	d.records, d.parts, d.found, d.dead = nil, nil, nil, 0
	add := func(rec schemas.Record, kind partKind, i int) {
		d.records, d.parts = append(d.records, rec), append(d.parts, part{kind, i})
	}
	for i := range p.Opening {
		add(s.page(r, &p.Opening[i], 0).Record(s.Topics.RawPages, total), partOpening, i)
	}
	for i := range p.Expansions {
		expansion := s.page(r, &p.Expansions[i], number)
		expansion.Expands = "true"
		add(expansion.Record(s.Topics.RawPages, total), partExpansion, i)
	}
	page := s.page(r, &p.Response, number)
	page.Prev, page.Final = deref(r.checkpoint.LastPageID), p.Final
	add(page.Record(s.Topics.RawPages, total), partPage, 0)
	d.cp = after(r, d, page.ID)
	if err := s.found(r, d, page, add); err != nil {
		return err
	}
	if err := s.missing(r, d, page, add); err != nil {
		return err
	}
	d.parts = append(d.parts, part{kind: partCheckpoint})
	return nil
}

// after is the checkpoint that follows from a page.
func after(r *reading, d *draft, pageID string) schemas.Checkpoint {
	p, cp := &d.page, r.checkpoint
	cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateRunning, nil, nil
	id := pageID // a pointer into the page would keep its body for as long as the checkpoint is known
	cp.Pages, cp.LastPageID = cp.Pages+1, &id
	cp.Items += int64(p.Items)
	cp.Calls += int64(p.Calls) + r.calls
	if w := p.Next.Watermark; w != 0 {
		cp.Watermark = &w
	}
	cursor := string(p.Next.Cursor)
	cp.Cursor = &cursor
	if !p.Final {
		return cp
	}
	cp.Cursor, cp.State = nil, schemas.StateComplete
	if p.Failed != nil {
		cp.Cursor = r.checkpoint.Cursor // unmoved: it tells where reading came to its end
		cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateFailed, &p.Failed.Code, &p.Failed.Message
		if d.short > 0 {
			cp.ErrorMessage = nil
		}
	}
	return cp
}

// committed takes in what has become durable with a page.
func (s *session) committed(r *reading, d *draft) {
	p := &d.page
	s.stats.Pages.Add(1)
	s.stats.Items.Add(int64(p.Items))
	r.platform.items.Add(int64(p.Items))
	s.stats.Calls.Add(int64(p.Calls))
	s.stats.DeadLetters.Add(int64(d.dead))
	s.mu.Lock()
	for _, c := range d.found {
		s.fold(c)
	}
	if e := s.all[r.key]; r.checkpoint.Epoch >= e.epoch {
		r.live.memory, r.live.calls = p.Next.Memory, 0
		r.live.passed(p.Items, d.hollow)
	}
	s.mu.Unlock()
	s.end(r, nil)
}

// page makes a raw page of a response.
func (s *session) page(r *reading, p *connectors.Response, number int64) *schemas.Page {
	contentType := p.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	return &schemas.Page{
		Container: r.key, Conversation: r.conversation(), Type: p.Type, ContentType: contentType, Time: p.Time,
		Epoch: r.checkpoint.Epoch, Number: number, Expands: "false", Request: p.Request, HTTPStatus: p.HTTPStatus, Code: p.Code,
		Error: p.Error, LogID: p.LogID, Subject: p.Subject, AppID: r.platform.AppID, ConnectorVersion: s.Version,
		Body: p.Body,
	}
}

// found adds the containers of a page that are to be written: those that nobody has written in this epoch or a later one. An
// epoch that resumes shows them for the one that it goes on with: what that has read of them is not read again.
// One that cannot be written becomes a dead letter; the page goes through.
func (s *session) found(r *reading, d *draft, page *schemas.Page, add func(schemas.Record, partKind, int)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range d.page.Found {
		c := d.page.Found[i]
		c.Platform, c.TenantID, c.ConversationID = r.container.Platform, r.container.TenantID, r.container.ConversationID
		c.Mode, c.Epoch, c.RequestedAt = r.container.Mode, r.threads, schemas.MillisOf(s.Now())
		c.Key = string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID))
		if old := s.all[schemas.ContainerKey(c.Key)]; old != nil && old.epoch >= c.Epoch {
			continue
		}
		rec, err := s.containerRecord(&c)
		if err != nil {
			s.Logger.Error("a found container is dead-lettered", "container", r.key, "error", err)
			d.dead++
			rec, err = s.deadLetter(pipeline.DeadLetter(pipeline.Fault{
				Stage: schemas.StageExtract, Class: "bad_container", Message: "a container that the page shows cannot be written",
				Conversation: r.conversation(), Container: r.key, PageID: page.ID, ItemPointer: fmt.Sprintf("/found/%d", i),
			}, s.Now()))
		} else {
			d.found = append(d.found, &c)
		}
		if err != nil {
			return err
		}
		add(rec, partFound, i)
	}
	return nil
}

// hole has a dead letter tell of a message that no page holds, where neither the container's state nor another one does.
func (d *draft) hole(page *schemas.Page) {
	p := &d.page
	if p.Error != connectors.CodeTooLarge || p.Failed != nil || len(p.Missing) > 0 || d.holed {
		return
	}
	d.holed = true
	why := fmt.Sprintf("is longer than the %d MiB that are read", api.MaxBody>>20)
	if d.hollow {
		why = "does not fit into its topic; " + remedy
	}
	p.Missing = append(p.Missing, connectors.Failed{
		Class: connectors.CodeTooLarge, Message: fmt.Sprintf("the answer to %.300q, with one message, %s", page.Request, why),
	})
}

// missing adds the dead letters of messages that were asked for by id and that the platform does not give. A look-up has none:
// there the link says what became of its target.
func (s *session) missing(r *reading, d *draft, page *schemas.Page, add func(schemas.Record, partKind, int)) error {
	if r.container.Cause == schemas.CauseLookup {
		return nil
	}
	d.hole(page)
	for i, f := range d.page.Missing {
		rec, err := s.deadLetter(pipeline.DeadLetter(pipeline.Fault{
			Stage: schemas.StageExtract, Class: f.Class, Message: f.Message, Conversation: r.conversation(), Container: r.key,
			PageID: page.ID, ItemPointer: f.Pointer, RecordID: f.RecordID,
		}, s.Now()))
		if err != nil {
			return err
		}
		d.dead++
		add(rec, partMissing, i)
	}
	return nil
}

// endWithout ends a container's epoch with a page without a response. The cursor stays: an epoch that resumes goes on there.
func (s *session) endWithout(ctx context.Context, r *reading, state string, why connectors.Failure) error {
	cp := r.checkpoint
	page := s.lastPage(r, &cp, why.Code)
	rec := page.Record(s.Topics.RawPages, s.log.Total())
	cp.State, cp.ErrorCode, cp.ErrorMessage = state, &why.Code, &why.Message
	id := page.ID
	cp.Pages, cp.LastPageID = cp.Pages+1, &id
	return s.commitCheckpoint(ctx, r, &cp, []schemas.Record{rec})
}

// supersede ends an earlier epoch that was being read when a new one was asked for. The checkpoint then is the new
// epoch's, so that the old one is not ended twice.
func (s *session) supersede(ctx context.Context, r *reading) error {
	fresh := r.checkpoint
	r.checkpoint = *r.old
	rec := s.lastPage(r, r.old, "superseded").Record(s.Topics.RawPages, s.log.Total())
	r.checkpoint, r.old = fresh, nil
	cp := fresh
	cp.State = schemas.StatePending
	return s.commitCheckpoint(ctx, r, &cp, []schemas.Record{rec})
}

func (s *session) lastPage(r *reading, cp *schemas.Checkpoint, why string) *schemas.Page {
	ended := connectors.Response{Type: schemas.PageType(r.container.Platform, r.container.Kind), Error: why, Time: s.Now()}
	if r.container.Kind == schemas.KindMessage {
		ended.Subject = r.container.ID // as all pages about one message
	}
	p := s.page(r, &ended, cp.Pages+1)
	p.Prev, p.Final = deref(cp.LastPageID), true
	return p
}

// commitCheckpoint commits records with a checkpoint, which then is in force.
func (s *session) commitCheckpoint(ctx context.Context, r *reading, cp *schemas.Checkpoint, records []schemas.Record) error {
	cp.UpdatedAt = schemas.MillisOf(s.Now())
	if cp.ErrorMessage != nil { // a platform's words are not always UTF-8
		m := strings.ToValidUTF8(*cp.ErrorMessage, "\uFFFD")
		cp.ErrorMessage = &m
	}
	value, err := schemas.CheckpointSchema.Append(nil, s.IDs[s.Topics.Checkpoints], cp)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	records = append(records, schemas.Record{
		Topic: s.Topics.Checkpoints, Partition: s.log.ID(), Time: cp.UpdatedAt.Time(), Key: string(r.key), Value: value,
	})
	if err := s.commit(ctx, &commit{records: records}); err != nil {
		return err
	}
	r.checkpoint = *cp
	s.mu.Lock()
	e, own := s.all[r.key], *cp
	e.check(r.key, &own)
	s.saw(&own)
	s.mu.Unlock()
	if cp.Ended() {
		s.stats.ended(cp.State)
		s.logEnd(r, cp)
	}
	return nil
}

func (s *session) containerRecord(c *schemas.Container) (schemas.Record, error) {
	value, err := schemas.ContainerSchema.Append(nil, s.IDs[s.Topics.Containers], c)
	return schemas.Record{
		Topic: s.Topics.Containers, Partition: s.log.ID(), Time: c.RequestedAt.Time(), Key: c.Key, Value: value,
	}, err
}

func (s *session) deadLetter(d *schemas.DeadLetter) (schemas.Record, error) {
	value, err := schemas.DeadLetterSchema.Append(nil, s.IDs[s.Topics.DeadLetters], d)
	return schemas.Record{
		Topic: s.Topics.DeadLetters, Partition: s.log.ID(), Time: d.FailedAt.Time(), Key: d.ConversationKey, Value: value,
	}, err
}
