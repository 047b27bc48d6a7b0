package yunxin

import (
	"context"
	"encoding/json"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Reasons of containers that cannot be read here.
const (
	reasonTenant = "other_tenant"
	reasonKind   = "unsupported_kind"
	reasonID     = "bad_conversation_id"
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
	return api.Pages(ctx, func() *api.Walk { return &s.walk(c, from).Walk })
}

// walk is one reading of a container.
type walk struct {
	api.Walk
	s      *Source
	c      *schemas.Container
	tenant string
	path   string              // of the conversation
	team   bool                // it is an advanced team's
	unfit  *connectors.Failure // why the container cannot be read by this source at all
}

func (s *Source) walk(c *schemas.Container, from connectors.Position) *walk {
	w := &walk{Walk: api.Walk{At: from}, s: s, c: c, tenant: c.TenantID}
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
		w.Step = w.refuse
	}
	return w
}

// refuse gives the one page of a container that cannot be read: no call is made for it.
func (w *walk) refuse(context.Context) (*connectors.Page, error) {
	page := &connectors.Page{Response: w.nothing(w.unfit.Code)}
	for _, r := range w.c.Refs {
		page.Missing = append(page.Missing, w.missing(r.MessageID, w.unfit.Code, w.unfit.Message))
	}
	return w.End(page, w.unfit), nil
}

// nothing is the response of a page for which no call was made.
func (w *walk) nothing(reason string) connectors.Response {
	return connectors.Response{Type: schemas.PageType(schemas.Yunxin, w.c.Kind), Error: reason, Time: time.Now()}
}

// missing tells of a message that was asked for and is not to be had.
func (w *walk) missing(id, class, message string) connectors.Failed {
	return connectors.Failed{RecordID: string(schemas.NewRecordID(schemas.Yunxin, w.tenant, id)), Class: class, Message: message}
}

// cursor is a mark as JSON.
func cursor(mark any) connectors.Cursor {
	b, err := json.Marshal(mark)
	if err != nil {
		return "" // a struct of strings, numbers and booleans always marshals
	}
	return connectors.Cursor(b)
}

// note takes the times of a page's messages into the watermark.
func (w *walk) note(items []entry) {
	for i := range items {
		w.Saw(items[i].created)
	}
}

// ask makes a call and tells how to go on: with a response; with why, where it is definitive that what was asked for is not
// to be had; or with an error that says nothing of the container.
func (w *walk) ask(ctx context.Context, r connectors.Request) (resp *connectors.Response, why *connectors.Error, err error) {
	resp, err = w.contrast(ctx, r)
	if e := connectors.ErrorOf(err); e != nil && doubted(e) {
		resp, err = w.accepted(ctx, r, e)
	}
	if err == nil {
		return resp, nil, nil
	}
	e := connectors.ErrorOf(err)
	if e == nil {
		return nil, nil, err
	}
	if resp = api.Settled(&r, e); resp != nil {
		return resp, e, nil
	}
	return nil, nil, err
}

func failureOf(e *connectors.Error) *connectors.Failure {
	return &connectors.Failure{Code: e.Code, Message: e.Message, Wide: isWide(e.Code)}
}
