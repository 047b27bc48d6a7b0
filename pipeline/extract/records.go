package extract

import (
	"context"
	"fmt"
	"strings"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// commitPage commits a page with what stands before it, the containers that it shows, and the checkpoint after it.
func (s *session) commitPage(ctx context.Context, r *reading, p *connectors.Page) error {
	number := r.checkpoint.Pages + 1
	var records []schemas.Record
	for i := range p.Opening {
		records = append(records, s.page(r, &p.Opening[i], 0).Record(s.Topics.RawPages, s.log.Total()))
	}
	for i := range p.Expansions {
		records = append(records, s.page(r, &p.Expansions[i], number).Record(s.Topics.RawPages, s.log.Total()))
	}
	page := s.page(r, &p.Response, number)
	page.Prev, page.Final = deref(r.checkpoint.LastPageID), p.Final
	records = append(records, page.Record(s.Topics.RawPages, s.log.Total()))

	cp := r.checkpoint
	cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateRunning, nil, nil
	id := page.ID // a pointer into the page would keep its body for as long as the checkpoint is known
	cp.Pages, cp.LastPageID = number, &id
	cp.Items += int64(p.Items)
	cp.Calls += int64(p.Calls)
	if w := p.Next.Watermark; w != 0 {
		cp.Watermark = &w
	}
	cursor := string(p.Next.Cursor)
	cp.Cursor = &cursor
	if p.Final {
		cp.Cursor, cp.State = nil, schemas.StateComplete
		if p.Failed != nil {
			cp.Cursor = r.checkpoint.Cursor // unmoved: it tells where reading came to its end
			cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateFailed, &p.Failed.Code, &p.Failed.Message
			s.Logger.Error("container failed", "container", r.key, "code", p.Failed.Code, "error", p.Failed.Message)
		}
	}
	found, more, err := s.found(r, p.Found, page)
	if err != nil {
		return err
	}
	records = append(records, more...)
	missing, err := s.missing(r, p.Missing, page)
	if err != nil {
		return err
	}
	if err := s.commitCheckpoint(ctx, r, &cp, append(records, missing...)); err != nil {
		return err
	}
	s.stats.Pages.Add(1)
	s.stats.Items.Add(int64(p.Items))
	s.stats.Calls.Add(int64(p.Calls))
	s.stats.DeadLetters.Add(int64(len(more) - len(found) + len(missing)))
	s.add(found)
	return nil
}

// page makes a raw page of a response.
func (s *session) page(r *reading, p *connectors.Response, number int64) *schemas.Page {
	contentType := p.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	return &schemas.Page{
		Container: r.key, Conversation: r.conversation(), Type: p.Type, ContentType: contentType, Time: p.Time,
		Epoch: r.checkpoint.Epoch, Number: number, Request: p.Request, HTTPStatus: p.HTTPStatus, Code: p.Code,
		Error: p.Error, LogID: p.LogID, Subject: p.Subject, AppID: r.platform.AppID, ConnectorVersion: s.Version,
		Body: p.Body,
	}
}

// found gives the containers of a page that are to be written, and their records: those that nobody has written in this
// epoch or a later one. One that cannot be written is set aside; the page goes through.
func (s *session) found(r *reading, shown []schemas.Container, page *schemas.Page) (found []*schemas.Container, records []schemas.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range shown {
		c := shown[i]
		c.Platform, c.TenantID, c.ConversationID = r.container.Platform, r.container.TenantID, r.container.ConversationID
		c.Mode, c.Epoch, c.RequestedAt = r.container.Mode, r.checkpoint.Epoch, schemas.MillisOf(s.Now())
		c.Key = string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID))
		if old := s.containers[schemas.ContainerKey(c.Key)]; old != nil && old.Epoch >= c.Epoch {
			continue
		}
		rec, err := s.container(&c)
		if err != nil {
			s.Logger.Error("found container set aside", "container", r.key, "error", err)
			rec, err = s.deadLetter(pipeline.DeadLetter(pipeline.Fault{
				Stage: schemas.StageExtract, Class: "bad_container", Message: "a container that the page shows cannot be written",
				Conversation: r.conversation(), Container: r.key, PageID: page.ID, ItemPointer: fmt.Sprintf("/found/%d", i),
			}, s.Now()))
		} else {
			found = append(found, &c)
		}
		if err != nil {
			return nil, nil, err
		}
		records = append(records, rec)
	}
	return found, records, nil
}

// missing gives the dead letters of messages that were asked for by id and are not to be had. A look-up has none: there the
// link says what became of its target.
func (s *session) missing(r *reading, gone []connectors.Failed, page *schemas.Page) (records []schemas.Record, err error) {
	if r.container.Cause == schemas.CauseLookup {
		return nil, nil
	}
	for _, f := range gone {
		rec, err := s.deadLetter(pipeline.DeadLetter(pipeline.Fault{
			Stage: schemas.StageExtract, Class: f.Class, Message: f.Message, Conversation: r.conversation(), Container: r.key,
			PageID: page.ID, ItemPointer: f.Pointer, RecordID: f.RecordID,
		}, s.Now()))
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}

// add folds containers in that this session has written itself, without waiting to read them back.
func (s *session) add(found []*schemas.Container) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range found {
		if s.fold(c) {
			s.changed(schemas.ContainerKey(c.Key))
		}
	}
}

// close ends a container's epoch with a page that no response stands behind.
func (s *session) close(ctx context.Context, r *reading, state string, why connectors.Failure) error {
	cp := r.checkpoint
	page := s.lastPage(r, &cp, why.Code)
	rec := page.Record(s.Topics.RawPages, s.log.Total())
	cp.State, cp.Cursor, cp.ErrorCode, cp.ErrorMessage = state, nil, &why.Code, &why.Message
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

// commitCheckpoint commits records with a checkpoint, which then stands.
func (s *session) commitCheckpoint(ctx context.Context, r *reading, cp *schemas.Checkpoint, records []schemas.Record) error {
	cp.UpdatedAt = schemas.MillisOf(s.Now())
	if cp.ErrorMessage != nil { // a platform's words are not always UTF-8
		m := strings.ToValidUTF8(*cp.ErrorMessage, "\uFFFD")
		cp.ErrorMessage = &m
	}
	value, err := schemas.CheckpointSchema.Append(nil, s.IDs[s.Topics.Checkpoints], cp)
	if err != nil {
		return fmt.Errorf("checkpoint of %s: %w", r.key, err)
	}
	records = append(records, schemas.Record{
		Topic: s.Topics.Checkpoints, Partition: s.log.ID(), Time: cp.UpdatedAt.Time(), Key: string(r.key), Value: value,
	})
	if err := s.commit(ctx, &commit{records: records}); err != nil {
		return err
	}
	r.checkpoint = *cp
	s.mu.Lock()
	s.checkpoints[r.key] = cp
	s.mu.Unlock()
	if cp.Ended() {
		s.stats.ended(cp.State)
	}
	return nil
}

func (s *session) container(c *schemas.Container) (schemas.Record, error) {
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
