package extract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Pauses of a container that gets nothing useful while others do.
const (
	firstPause = 5 * time.Second
	maxPause   = 2 * time.Minute
	mostPause  = time.Hour // that a platform may ask for
)

// codeSource is the code of a container whose source breaks its word.
const codeSource = "source_error"

// reading is one page's reading of a container: what it is, and how far it has come.
type reading struct {
	platform   *platform
	api        string // that its pages come from
	began      time.Time
	key        schemas.ContainerKey
	live       *live
	container  schemas.Container // as it was when the task began
	checkpoint schemas.Checkpoint
	old        *schemas.Checkpoint // of an earlier epoch that was begun and never came to its end
	threads    int64               // epoch of the containers that its pages show
	leave      func()              // gives its place back
	probes     bool                // it asks whether probe answers again
	probe      string
	memory     any
	limit      int
	calls      int64 // of pages that were dropped and are asked for again
}

// changed reports whether a reading was stopped because its container was cancelled or asked for again.
func changed(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errChanged) }

func (r *reading) conversation() schemas.ConversationKey {
	return schemas.NewConversationKey(r.container.Platform, r.container.TenantID, r.container.ConversationID)
}

// position is where the next page begins.
func (r *reading) position() connectors.Position {
	at := connectors.Position{Pages: r.checkpoint.Pages, Limit: r.limit, Memory: r.memory}
	if r.checkpoint.Cursor != nil {
		at.Cursor = connectors.Cursor(*r.checkpoint.Cursor)
	}
	if r.checkpoint.Watermark != nil {
		at.Watermark = *r.checkpoint.Watermark
	}
	return at
}

// read reads one page of a container and commits it: one page is the unit of work, so that no container keeps another from
// being read. ctx ends with the session (parent), or when the container has changed. It returns only errors that end the
// session.
func (s *session) read(parent, ctx context.Context, r *reading) error {
	room := s.room.Page()
	defer room.Release()
	page, err := s.next(api.WithAllowance(ctx, room), r)
	switch {
	case err != nil:
	case page.Final && page.Failed != nil && page.Failed.Wide:
		room.Release() // it may be held for long
		return s.ends(parent, ctx, r, s.refused(ctx, r, page))
	default:
		s.answered(r)
		done := s.asked(r)
		defer done()
		return s.ends(parent, ctx, r, s.commitPage(ctx, r, page))
	}
	if parent.Err() != nil {
		return context.Cause(parent)
	}
	if changed(ctx) {
		s.end(r, nil)
		return nil
	}
	return s.ends(parent, ctx, r, s.fails(ctx, r, err))
}

// asked gives the place of a reading back whose page is there: a partition whose transactions take long must not keep others
// from being read. A session goes on reading while it has fewer than Workers pages to commit; done counts one off.
func (s *session) asked(r *reading) (done func()) {
	r.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.committing++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.committing--
		s.nudge()
	}
}

// ends ends a reading whose last step came to err, unless that has ended it. What errChanged stopped is queued again.
func (s *session) ends(parent, ctx context.Context, r *reading, err error) error {
	switch {
	case err == nil, errors.Is(err, errSmaller):
		return nil
	case parent.Err() != nil:
		return context.Cause(parent)
	case changed(ctx) && errors.Is(err, errChanged):
		s.end(r, nil)
		return nil
	}
	return fmt.Errorf("container %s: %w", r.key, err)
}

// Errors of a source that breaks its word.
var (
	errNoPage    = errors.New("the source ended without a final page")
	errNoAdvance = errors.New("page after page of the source leads back to itself")
)

// next asks the source for the next page.
func (s *session) next(ctx context.Context, r *reading) (*connectors.Page, error) {
	for page, err := range r.platform.Source.Pages(ctx, &r.container, r.position()) {
		if err != nil {
			return nil, err
		}
		if same := s.advances(r, page); same > maxSame {
			return nil, errNoAdvance
		}
		bound(page)
		return page, nil
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, errNoPage
}

// maxSame is how many pages in a row may lead back to themselves: more than any guard of a source lets pass.
const maxSame = 200

// advances counts pages in a row that lead back to themselves.
func (s *session) advances(r *reading, page *connectors.Page) int {
	at := r.position()
	s.mu.Lock()
	defer s.mu.Unlock()
	if page.Final || page.Next.Cursor != at.Cursor || page.Next.Watermark != at.Watermark {
		r.live.same = 0
	} else {
		r.live.same++
	}
	return r.live.same
}

// bound makes holes of expansions that are too much for one page.
func bound(p *connectors.Page) {
	size := len(p.Body)
	for i := range p.Opening {
		size += len(p.Opening[i].Body)
	}
	for i := range p.Expansions {
		if x := &p.Expansions[i]; size+len(x.Body) > api.MaxPageBytes {
			x.Body, x.Error = nil, connectors.CodeTooLarge
		}
		size += len(p.Expansions[i].Body)
	}
}

// fails has a container wait whose page could not be read. No other container is touched, and nothing ends the process.
func (s *session) fails(ctx context.Context, r *reading, err error) error {
	var e *connectors.Error
	if !errors.As(err, &e) {
		s.Logger.Error("the source of a container breaks its word", "container", r.key, "error", err)
		return s.pause(ctx, r, &connectors.Error{API: r.api, Code: codeSource, Message: err.Error(), Err: err})
	}
	health := r.platform.health
	switch {
	case e.Class == connectors.ClassFatal:
		scope := api.WholePlatform
		if s.laneAt(gateOf{r.platform, e.API}) < 0 {
			health.RefusedAll(e.Code, e.Message)
		} else {
			scope = health.Refused(e.API, e.Code, e.Message)
		}
		return s.waitsFor(ctx, r, scope, e)
	case e.Class != connectors.ClassUnavailable || e.Code == connectors.CodeNoRoom:
		return s.pause(ctx, r, e)
	case e.Scope == "":
		health.Failed(api.Fault{
			Scope: scopeOf(e), Subject: string(r.key), Code: e.Code, After: e.RetryAfter, Others: s.others(r),
		})
	}
	if _, out := health.Closed(scopeOf(e)); out || e.Out {
		return s.waitsFor(ctx, r, scopeOf(e), e)
	}
	return s.pause(ctx, r, e)
}

// scopeOf is what failed.
func scopeOf(e *connectors.Error) string {
	if e.Scope != "" {
		return e.Scope
	}
	return e.API
}

// others is how many containers of a lane there are to be read.
func (s *session) others(r *reading) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.present[s.all[r.key].lane]
}

// pause has a container wait for a time of its own, and writes down why where that is news.
func (s *session) pause(ctx context.Context, r *reading, why *connectors.Error) error {
	tries := r.live.tries
	d := min(firstPause<<min(tries, 10), maxPause)
	if why.RetryAfter > d {
		d = min(why.RetryAfter, mostPause)
	}
	until := s.Now().Add(d)
	if err := s.useless(r, until, why); err != nil {
		return err
	}
	if r.checkpoint.State == schemas.StateWaiting && deref(r.checkpoint.ErrorCode) == why.Code {
		s.spent(r, why.Calls)
	} else {
		if err := s.waiting(ctx, r, why); err != nil {
			return err
		}
	}
	_, out := r.platform.health.Closed(scopeOf(why))
	alone := tries >= loneTries && !r.live.alone && !out
	if alone {
		s.Logger.Warn("container waits: others of its platform are read, or there are none", "container", r.key, "code", why.Code, "error", why)
	}
	s.end(r, func(l *live) {
		l.tries++
		l.alone = l.alone || alone
		l.scope, l.failed = scopeOf(why), s.Now()
		l.until = s.Now().Add(d)
		s.move(l, paused)
		s.pauses.add(l)
		if _, closed := r.platform.health.Closed(l.scope); closed {
			s.regate.Store(true)
		}
	})
	return nil
}

// waitsFor has a container wait until a scope of its platform answers. Its checkpoint says so once, however long that takes.
func (s *session) waitsFor(ctx context.Context, r *reading, scope string, why *connectors.Error) error {
	if !why.Out || r.probes {
		gate, _ := r.platform.health.Closed(scope)
		if err := s.useless(r, gate.Next, why); err != nil {
			return err
		}
	}
	said := r.checkpoint.State == schemas.StateWaiting && (why.Class != connectors.ClassFatal || deref(r.checkpoint.ErrorCode) == why.Code)
	if said {
		s.spent(r, why.Calls)
	} else if err := s.waiting(ctx, r, why); err != nil {
		return err
	}
	s.end(r, func(l *live) {
		l.scope, l.failed = scope, s.Now()
		s.gate(l)
		s.regate.Store(true) // it may have opened meanwhile
	})
	return nil
}

// waiting commits that a container waits, and why.
func (s *session) waiting(ctx context.Context, r *reading, why *connectors.Error) error {
	cp := r.checkpoint
	cp.State, cp.ErrorCode, cp.ErrorMessage = schemas.StateWaiting, &why.Code, &why.Message
	cp.Calls += int64(why.Calls)
	err := s.commitCheckpoint(ctx, r, &cp, nil)
	if isTooLarge(err) {
		s.Logger.Error("a checkpoint does not fit into its topic: that the container waits is not written down", "container", r.key, "error", err)
		return nil
	}
	return err
}

// spent adds calls to a checkpoint as it is: they become durable with what is committed of the container next. Writing them
// for themselves would cost a transaction for each pause of each container, for as long as a platform is out.
func (s *session) spent(r *reading, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.all[r.key]; e.live.checkpoint != nil && e.live.checkpoint.Epoch == r.checkpoint.Epoch {
		e.live.checkpoint.Calls += int64(calls)
		e.calls = e.live.checkpoint.Calls
	}
}

// finish ends a container's epoch for which no call is needed, be it its own or an earlier one.
func (s *session) finish(parent, ctx context.Context, r *reading) error {
	if r.old != nil {
		if err := s.supersede(ctx, r); err != nil {
			return s.ends(parent, ctx, r, err)
		}
	}
	var err error
	switch {
	case r.container.Cancelled:
		err = s.endWithout(ctx, r, schemas.StateCancelled, connectors.Failure{Code: "cancelled", Message: "cancelled on request"})
	case r.container.Mode != modeBackfill:
		err = s.endWithout(ctx, r, schemas.StateFailed, connectors.Failure{Code: "mode", Message: "mode " + r.container.Mode + " is not supported"})
	}
	if err == nil {
		s.end(r, nil)
	}
	return s.ends(parent, ctx, r, err)
}
