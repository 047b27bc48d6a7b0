package extract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Pauses of a container whose platform gives nothing at present.
const (
	firstPause = 5 * time.Second
	maxPause   = 2 * time.Minute
)

// read reads one container until its epoch ends, its platform gives nothing at present, or ctx ends: the session's own
// (parent) ends it for good, errChanged lets it be queued again. It returns only errors that end the session.
func (s *session) read(parent, ctx context.Context, r *reading) error {
	s.stats.Running.Add(1)
	err := s.pages(ctx, r)
	s.stats.Running.Add(-1)
	var unavailable *connectors.Error
	switch {
	case err == nil:
		s.end(r.key, nil)
		return nil
	case parent.Err() != nil:
		return context.Cause(parent)
	case changed(ctx):
		s.end(r.key, nil)
		return nil
	case errors.As(err, &unavailable) && unavailable.Class == connectors.ClassUnavailable:
		return s.wait(ctx, r, unavailable)
	}
	return fmt.Errorf("container %s: %w", r.key, err)
}

// reading is a container that is being read: what it is, and how far it has come.
type reading struct {
	platform   Platform
	key        schemas.ContainerKey
	container  schemas.Container // as it stood when the task began
	checkpoint schemas.Checkpoint
	old        *schemas.Checkpoint // of an earlier epoch that was begun and never came to its end
	tries      int                 // pauses in a row
}

// changed reports whether a reading was stopped because its container was cancelled or asked for again.
func changed(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errChanged) }

func (r *reading) conversation() schemas.ConversationKey {
	return schemas.NewConversationKey(r.container.Platform, r.container.TenantID, r.container.ConversationID)
}

// begin notes that a container is being read and takes what stands of it; nil where nothing is left to do.
func (s *session) begin(key schemas.ContainerKey, stop context.CancelCauseFunc) *reading {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[key] != nil || !s.runnable(key) {
		return nil
	}
	c, cp := s.containers[key], s.checkpoints[key]
	r := &reading{platform: s.Platforms[c.Platform], key: key, container: *c}
	if spelling := s.spellings[c.ConversationID]; c.Kind == schemas.KindMessages && c.ID == c.ConversationID && spelling != "" {
		r.container.ID = spelling
	}
	switch {
	case cp == nil:
		r.checkpoint = schemas.Checkpoint{ContainerKey: c.Key, Epoch: c.Epoch}
	case cp.Epoch < c.Epoch:
		r.checkpoint = schemas.Checkpoint{ContainerKey: c.Key, Epoch: c.Epoch}
		if !cp.Ended() {
			r.old = cp
		}
	default:
		// The epoch in force is the higher of container and checkpoint.
		r.checkpoint = *cp
		r.container.Cancelled = c.Cancelled && c.Epoch == cp.Epoch
	}
	if p := s.later[key]; p != nil {
		r.tries = p.tries
		delete(s.later, key)
		s.stats.Waiting.Add(-1)
	}
	s.running[key] = stop
	return r
}

// end notes that a container is no longer being read, and queues it again where something is left to do.
func (s *session) end(key schemas.ContainerKey, p *pause) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, key)
	if p != nil {
		s.later[key] = p
		s.stats.Waiting.Add(1)
	} else {
		s.changed(key)
	}
	s.nudge()
}

// pages reads a container page by page; each page is durable before the next is asked for.
func (s *session) pages(ctx context.Context, r *reading) error {
	if r.old != nil {
		if err := s.supersede(ctx, r); err != nil {
			return err
		}
	}
	switch {
	case r.container.Cancelled:
		return s.close(ctx, r, schemas.StateCancelled, connectors.Failure{Code: "cancelled", Message: "cancelled on request"})
	case r.container.Mode != "backfill":
		return s.close(ctx, r, schemas.StateFailed, connectors.Failure{Code: "mode", Message: "mode " + r.container.Mode + " is not supported"})
	}
	from := connectors.Position{Pages: r.checkpoint.Pages}
	if r.checkpoint.Cursor != nil {
		from.Cursor = connectors.Cursor(*r.checkpoint.Cursor)
	}
	if r.checkpoint.Watermark != nil {
		from.Watermark = *r.checkpoint.Watermark
	}
	for page, err := range r.platform.Source.Pages(ctx, &r.container, from) {
		if err != nil {
			return err
		}
		if err := s.waited(r.container.Platform, true, nil); err != nil {
			return err
		}
		r.tries = 0
		if err := s.commitPage(ctx, r, page); err != nil {
			return err
		}
		if page.Final {
			return nil
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.New("the source ended without a final page")
}

// wait writes down that a container waits for its platform, and why, and reads on later.
func (s *session) wait(ctx context.Context, r *reading, why *connectors.Error) error {
	if err := s.waited(r.container.Platform, false, why); err != nil {
		return err
	}
	code := why.Code
	if r.checkpoint.State == schemas.StateWaiting && deref(r.checkpoint.ErrorCode) == code {
		s.spent(r.key, why.Calls)
	} else {
		cp := r.checkpoint
		cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateWaiting, &code, &why.Message
		cp.Calls += int64(why.Calls)
		if err := s.commitCheckpoint(ctx, r, &cp, nil); err != nil && !changed(ctx) {
			return err
		}
		s.Logger.Warn("container waits", "container", r.key, "code", code, "error", why)
	}
	d := min(firstPause<<min(r.tries, 10), maxPause)
	if why.RetryAfter > d {
		d = min(why.RetryAfter, time.Hour)
	}
	p := &pause{until: s.Now().Add(d), tries: r.tries + 1}
	if changed(ctx) {
		p = nil
	}
	s.end(r.key, p)
	return nil
}

// spent adds calls to a checkpoint that stands as it is: they become durable with what is committed of the container
// next. Writing them for themselves would cost a transaction for each pause of each container, for as long as a platform
// is out.
func (s *session) spent(key schemas.ContainerKey, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cp := s.checkpoints[key]; cp != nil {
		cp.Calls += int64(calls)
	}
}
