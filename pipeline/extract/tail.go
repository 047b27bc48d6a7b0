package extract

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// takeAll folds a batch in. What nobody can read of it is a dead letter.
func (s *session) takeAll(ctx context.Context, b *pipeline.Batch) error {
	return b.Each(func(r *schemas.Record) error { return s.take(ctx, r) }, func(d *pipeline.Damaged) error {
		at := &schemas.Record{Topic: s.Topics.Containers, Partition: s.log.ID(), Offset: d.First}
		return s.setAside(at, "unreadable", fmt.Sprintf("offsets %d to %d cannot be read: %s", d.First, d.Last, d.Why))
	})
}

// take folds one record of the topic of containers in and queues the container where there is something to do.
func (s *session) take(ctx context.Context, r *schemas.Record) error {
	c := new(schemas.Container)
	if err := s.decode(ctx, s.Container, r, c); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return s.setAside(r, "unreadable", err.Error())
	}
	if err := c.Validate(); err != nil { // another writer's: nothing that follows from it could be written
		return s.setAside(r, "invalid", err.Error())
	}
	if !strings.HasPrefix(c.Key, string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, ""))) {
		return s.setAside(r, "invalid", "the key is not one of the container's platform, tenant and kind")
	}
	conversation := schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID)
	if p := schemas.Partition(conversation, s.log.Total()); p != r.Partition {
		return s.setAside(r, "misplaced", fmt.Sprintf("the conversation belongs to partition %d of %d", p, s.log.Total()))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fold(c)
	return nil
}

// setAside keeps a dead letter of a record of the topic of containers, once: the group's committed offset tells which
// records an earlier session has dealt with.
func (s *session) setAside(r *schemas.Record, class, message string) error {
	if r.Offset < s.log.Committed() {
		return nil
	}
	d := pipeline.DeadLetter(pipeline.Fault{
		Stage: schemas.StageExtract, Class: class, Message: message, Conversation: schemas.ConversationKey(r.Key),
		Container: schemas.ContainerKey(r.Key), Source: r, ItemPointer: fmt.Sprintf("/%d/%d", r.Partition, r.Offset),
	}, s.Now())
	rec, err := s.deadLetter(d)
	if err != nil {
		return err
	}
	s.Logger.Error("dead letter", "stage", schemas.StageExtract, "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "class", class, "error", message)
	s.mu.Lock()
	s.dead = append(s.dead, setAside{r.Offset, rec})
	s.mu.Unlock()
	return nil
}

// decode reads a record's value. That its schema cannot be fetched says nothing of the record: the registry is asked
// until it answers or ctx ends.
func (s *session) decode(ctx context.Context, d *schemas.Decoder, r *schemas.Record, v any) error {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := d.Decode(ctx, r.Value, v)
		var unreachable net.Error
		if err == nil || ctx.Err() != nil || !errors.As(err, &unreachable) && !errors.Is(err, schemas.ErrNoAnswer) {
			return err
		}
		s.Logger.Debug("record cannot be read yet", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "wait", pause, "error", err)
		s.log.Beat()
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// tail follows the topic of containers.
func (s *session) tail(ctx context.Context) error {
	r := s.log.Reader(s.Topics.Containers, s.position.Load())
	if err := s.commitDead(ctx); err != nil {
		return err
	}
	for {
		b, err := r.Read(ctx, 500*time.Millisecond, 4<<20)
		if err != nil {
			return err
		}
		s.log.Beat()
		if err := s.takeAll(ctx, &b); err != nil {
			return err
		}
		if b.Next > s.position.Load() {
			s.position.Store(b.Next)
			if err := s.commitDead(ctx); err != nil {
				return err
			}
			s.nudge()
		}
	}
}

// commitDead asks for a transaction where dead letters wait for one. Without any, the position in the topic of containers
// goes along with the next page.
func (s *session) commitDead(ctx context.Context) error {
	s.mu.Lock()
	waiting := len(s.dead)
	s.mu.Unlock()
	if waiting == 0 {
		return nil
	}
	if err := s.commit(ctx, &commit{}); err != nil {
		return err
	}
	s.nudge()
	return nil
}

// setAside is the dead letter of a record of the topic of containers.
type setAside struct {
	offset int64 // of the record that it stands for
	record schemas.Record
}
