package yunxin

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Reasons of containers that cannot be read here, and of calls that were given up.
const (
	reasonTenant   = "other_tenant"
	reasonKind     = "unsupported_kind"
	reasonID       = "bad_conversation_id"
	givenUpSticky  = "internal_error" // the platform's internal error, each time anew
	givenUpUnknown = "unknown_code"   // a code that nobody has described, each time anew
)

// SourceConfig is what a Source works with.
type SourceConfig struct {
	// Call makes the API's calls, paced and retried, see NewCall.
	Call connectors.Call
	// Fetch gets merged files, retried, see NewFetch.
	Fetch connectors.Call
	// AppKey names the tenant in keys.
	AppKey     string
	APIVersion string // DefaultAPIVersion if ""
	// Unit is the shortest wait before messages are asked for again whose code may pass, 500 ms where 0; each wait is
	// twice the one before. Smaller is for tests.
	Unit time.Duration
}

// Source reads conversations and lists of messages of one app.
type Source struct {
	call, fetch connectors.Call
	appKey      string
	path        string // of a conversation, but for its id
	unit        time.Duration
}

var _ connectors.Source = (*Source)(nil)

// NewSource gives a source of the app's containers.
func NewSource(cfg SourceConfig) *Source {
	if cfg.APIVersion == "" {
		cfg.APIVersion = DefaultAPIVersion
	}
	if cfg.Unit <= 0 {
		cfg.Unit = 500 * time.Millisecond
	}
	return &Source{
		call: cfg.Call, fetch: cfg.Fetch, appKey: cfg.AppKey, path: "/im/" + cfg.APIVersion + "/conversations/", unit: cfg.Unit,
	}
}

// Pages yields the pages of a conversation's history, or of the calls that fetch messages by their ids. See
// connectors.Source.
func (s *Source) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		w := s.walk(c, from)
		for !w.mark.done() {
			page, err := w.step(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || page.Final {
				return
			}
		}
	}
}

// walk is one reading of a container.
type walk struct {
	s      *Source
	c      *schemas.Container
	tenant string
	path   string              // of the conversation
	team   bool                // it is an advanced team's
	unfit  *connectors.Failure // why the container cannot be read by this source at all
	at     connectors.Position
	mark   marker
	keep   func() any // what goes into Position.Memory; nil: nothing
	step   func(context.Context) (*connectors.Page, error)
}

// marker is what a cursor of this source holds, as JSON.
type marker interface {
	done() bool
	finish() // nothing is left
}

func (s *Source) walk(c *schemas.Container, from connectors.Position) *walk {
	w := &walk{s: s, c: c, tenant: c.TenantID, at: from}
	if w.tenant == "" {
		w.tenant = s.appKey
	}
	id, err := spelling(c)
	w.path, w.team = s.path+url.PathEscape(id), strings.Contains(id, "|"+typeTeam+"|")
	switch {
	case w.tenant != s.appKey:
		w.unfit = &connectors.Failure{Code: reasonTenant, Message: "the container's tenant is not the app that YUNXIN_APP_KEY names"}
	case c.Kind != schemas.KindConversation && c.Kind != schemas.KindMessages:
		w.unfit = &connectors.Failure{Code: reasonKind, Message: "yunxin has no containers of kind " + strconv.Quote(c.Kind)}
	case err != nil:
		w.unfit = &connectors.Failure{Code: reasonID, Message: err.Error()}
	}
	if c.Kind == schemas.KindMessages {
		newBatches(w)
	} else {
		newHistory(w)
	}
	if w.unfit != nil {
		w.step = w.refuse
	}
	return w
}

// refuse gives the one page of a container that cannot be read: no call is made for it.
func (w *walk) refuse(context.Context) (*connectors.Page, error) {
	page := &connectors.Page{Response: w.nothing(w.unfit.Code)}
	for _, r := range w.c.Refs {
		page.Missing = append(page.Missing, w.missing(r.MessageID, w.unfit.Code, w.unfit.Message))
	}
	return w.end(page, w.unfit), nil
}

// nothing is the response of a page for which no call was made.
func (w *walk) nothing(reason string) connectors.Response {
	return connectors.Response{Type: schemas.PageType(schemas.Yunxin, w.c.Kind), Error: reason, Time: time.Now()}
}

// missing tells of a message that was asked for and is not to be had.
func (w *walk) missing(id, class, message string) connectors.Failed {
	return connectors.Failed{RecordID: string(schemas.NewRecordID(schemas.Yunxin, w.tenant, id)), Class: class, Message: message}
}

// advance makes the position the one after page.
func (w *walk) advance(page *connectors.Page) {
	w.at.Pages++
	if b, err := json.Marshal(w.mark); err == nil { // of strings, numbers and booleans: always
		w.at.Cursor = connectors.Cursor(b)
	}
	if w.keep != nil {
		w.at.Memory = w.keep()
	}
	page.Next = w.at
}

// end makes page the last one. After a failure the cursor stays where it was.
func (w *walk) end(page *connectors.Page, failed *connectors.Failure) *connectors.Page {
	page.Final, page.Failed = true, failed
	cursor := w.at.Cursor
	w.mark.finish()
	w.advance(page)
	if failed != nil {
		w.at.Cursor, page.Next.Cursor = cursor, cursor
	}
	return page
}

// note takes the times of a page's messages into the watermark.
func (w *walk) note(items []entry) {
	for i := range items {
		w.at.Watermark = max(w.at.Watermark, items[i].created)
	}
}

// ask makes a call and tells how to go on: with a response; with why, where it is definitive that what was asked for is not
// to be had; or with an error that says nothing of the container.
func (w *walk) ask(ctx context.Context, r connectors.Request) (resp *connectors.Response, why *connectors.Error, err error) {
	resp, err = w.contrast(ctx, r)
	if e := errorOf(err); e != nil && doubted(e) {
		resp, err = w.accepted(ctx, r, e)
	}
	if err == nil {
		return resp, nil, nil
	}
	e := errorOf(err)
	if e == nil {
		return nil, nil, err
	}
	switch e.Class {
	case connectors.ClassItem, connectors.ClassContainer:
		return answerIn(&r, e, ""), e, nil
	case connectors.ClassSticky:
		return answerIn(&r, e, givenUpSticky), e, nil
	case connectors.ClassUnknown:
		return answerIn(&r, e, givenUpUnknown), e, nil
	}
	return nil, nil, err
}

func failureOf(e *connectors.Error) *connectors.Failure {
	return &connectors.Failure{Code: e.Code, Message: e.Message, Wide: isWide(e.Code)}
}

func errorOf(err error) *connectors.Error {
	var e *connectors.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// answerIn is the response in e, or one without a body where none came; reason, where not "", says why it was given up.
func answerIn(r *connectors.Request, e *connectors.Error, reason string) *connectors.Response {
	resp := connectors.Response{Type: r.API, Request: r.Line(), Subject: r.Subject, Error: e.Code, Time: time.Now()}
	if e.Response != nil {
		resp = *e.Response
	}
	if reason != "" {
		resp.Error = reason
	}
	resp.Calls = e.Calls
	return &resp
}

// rest returns after d, or with ctx's error.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
