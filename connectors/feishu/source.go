package feishu

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Paths of the API (https://open.feishu.cn/document/server-docs/im-v1/message/list, …/message/get, …/chat/get-2).
const (
	messagesPath = "/open-apis/im/v1/messages"
	chatsPath    = "/open-apis/im/v1/chats"
)

// pageSize is the most messages that the API gives.
const pageSize = 50

// contentQuery asks each list and get for cards as they were sent and for names of senders.
const contentQuery = "card_msg_content_type=user_card_content&with_sender_name=true"

// Reasons of containers that cannot be read here.
const (
	reasonTenant = "other_tenant"
	reasonKind   = "unsupported_kind"
)

// goneThreads are answers after which a thread is known to its end: its root is deleted (230110), it is not shown to
// the bot (230073), or it does not exist (230019).
var goneThreads = []string{"230110", "230073", "230019"}

// Source reads chats, threads and single messages of one tenant.
type Source struct {
	call   connectors.Call
	tenant string
	others *others
}

var _ connectors.Source = (*Source)(nil)

// NewSource gives a source of tenant's containers that makes its calls through call, which is to pace and retry them.
func NewSource(call connectors.Call, tenant string) *Source {
	return &Source{call: call, tenant: tenant, others: &others{}}
}

// Pages yields the pages of a chat or thread, oldest message first, or the one page of a message. See
// connectors.Source.
func (s *Source) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return api.Pages(ctx, func() *api.Walk { return &s.walk(c, from).Walk })
}

// walk is one reading of a container.
type walk struct {
	api.Walk
	call   connectors.Call
	others *others
	c      *schemas.Container
	unfit  *connectors.Failure // why the container cannot be read by this source at all
	mark   mark
	memory
}

// resumption counts page tokens refused without a step ahead in between: without it a token that is always refused
// would lead to the same pages again for ever.
type resumption struct {
	tries     int
	watermark schemas.Millis // when the last was refused
	run, best int            // pages since the start, and the most there were before a refusal
}

func (s *Source) walk(c *schemas.Container, from connectors.Position) *walk {
	w := &walk{call: s.call, others: s.others, c: c, mark: markOf(from.Cursor)}
	if from.Pages == 0 && from.Cursor != "" {
		w.mark = w.mark.restart(c.Kind, from.Watermark)
	}
	w.memory = memoryOf(from, w.mark)
	w.Walk = api.Walk{At: from, Mark: &w.mark, Step: w.step, Keep: func() any { return w.memory }}
	switch {
	case c.TenantID != "" && c.TenantID != s.tenant:
		w.unfit = &connectors.Failure{Code: reasonTenant, Message: "the container's tenant is not the one that FEISHU_TENANT names"}
	case c.Kind != schemas.KindChat && c.Kind != schemas.KindThread && c.Kind != schemas.KindMessage:
		w.unfit = &connectors.Failure{Code: reasonKind, Message: "feishu has no containers of kind " + strconv.Quote(c.Kind)}
	case !usableID(c.ID):
		w.unfit = &connectors.Failure{Code: reasonKind, Message: "the container's id cannot be one of feishu's"}
	}
	return w
}

func (w *walk) step(ctx context.Context) (*connectors.Page, error) {
	switch {
	case w.unfit != nil:
		return w.End(&connectors.Page{Response: w.nothing(w.unfit.Code)}, w.unfit), nil
	case w.c.Kind == schemas.KindMessage:
		return w.message(ctx)
	}
	page := &connectors.Page{}
	if w.c.Kind == schemas.KindChat && w.At.Pages == 0 {
		if err := w.open(ctx, page); err != nil {
			return nil, err
		}
	}
	return w.list(ctx, page)
}

// follow turns the response in page into a page with all that belongs to it, and steps ahead.
func (w *walk) follow(ctx context.Context, page *connectors.Page) (*connectors.Page, error) {
	l, ok := readListing(page.Body)
	if !ok {
		return nil, api.NoPaging(&page.Response, page.Calls, "pages")
	}
	for i := range l.items {
		if e := &l.items[i]; !e.forward && usableID(e.id) && e.here(w.c) {
			w.others.note(schemas.FeishuMessagesGet, e.id)
		}
	}
	if err := w.expand(ctx, page, &l); err != nil {
		return nil, err
	}
	page.Items = len(l.items)
	page.Found = w.threads(l.items)
	w.note(l.items)
	if !l.more {
		return w.End(page, nil), nil
	}
	if failed := w.memory.follow(&l); failed != nil {
		return w.End(page, failed), nil
	}
	w.mark.Token = l.token
	w.refused.run++
	w.Advance(page)
	return page, nil
}

// note takes the times of a page's messages into the position.
func (w *walk) note(items []entry) {
	for i := range items {
		t := items[i].created
		if t == 0 {
			continue
		}
		if t < w.mark.Last {
			w.mark.Unordered = true
		}
		w.mark.Last = t
		w.Saw(t)
	}
}

// threads gives the threads that a page shows, but for the one that is read.
func (w *walk) threads(items []entry) []schemas.Container {
	var found []schemas.Container
	seen := map[string]bool{"": true}
	if w.c.Kind == schemas.KindThread {
		seen[w.c.ID] = true
	}
	for i := range items {
		e := &items[i]
		if seen[e.thread] || !usableID(e.thread) || !e.here(w.c) {
			continue
		}
		seen[e.thread] = true
		found = append(found, schemas.Container{Kind: schemas.KindThread, ID: e.thread, Cause: schemas.CauseThread})
	}
	return found
}

// nothing is the response of a page for which no call was made.
func (w *walk) nothing(reason string) connectors.Response {
	return connectors.Response{Type: schemas.PageType(schemas.Feishu, w.c.Kind), Error: reason, Time: time.Now()}
}

// open asks about the chat itself, for its kind and name. Whatever is definitive is kept: a chat that cannot be read
// shows it again when it is listed.
func (w *walk) open(ctx context.Context, page *connectors.Page) error {
	r := getChat(w.c.ID)
	resp, err := w.contrast(ctx, r)
	if err == nil {
		w.others.note(r.API, w.c.ID)
		w.others.recorded(w.c.ID)
	}
	switch e := connectors.ErrorOf(err); {
	case e == nil:
	case e.Sticky && w.others.late(w.c.ID, time.Now()):
		// No other chat is known to ask for: if the list is answered, the platform works and the error is the record's.
		resp = api.AnswerIn(&r, e)
		resp.Error, err = api.GivenUpSticky, nil
	case e.Class == connectors.ClassFatal && e.API == schemas.FeishuChatsGet && e.Response != nil:
		// Rights to read messages may be there where those to read chats are not; the list will tell.
		resp, err = e.Response, nil
	default:
		if resp = api.Settled(&r, e); resp != nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	opening := *resp
	opening.Subject = "" // of messages only
	page.Opening = []connectors.Response{opening}
	page.Calls += resp.Calls
	return nil
}

// list gives the page at the mark. A page token that is refused is left behind: a chat goes on from its watermark, all else
// from the start. What is too large is asked for again in smaller pages.
func (w *walk) list(ctx context.Context, page *connectors.Page) (*connectors.Page, error) {
	for {
		size := w.Size.Of(pageSize, w.At.Limit)
		r := connectors.Request{API: schemas.FeishuMessagesList, Method: http.MethodGet, Path: messagesPath, Query: w.query(size)}
		resp, err := w.call(ctx, r)
		if err == nil {
			page.Calls += resp.Calls
			page.Response = *resp
			w.Size = w.Size.Larger(pageSize)
			return w.follow(ctx, page)
		}
		e := connectors.ErrorOf(err)
		if e == nil {
			return nil, err
		}
		resp = api.Settled(&r, e)
		switch {
		case e.Class == connectors.ClassCursor:
			page.Calls += e.Calls
			if w.resume() {
				continue
			}
			page.Response = *api.AnswerIn(&r, e)
			page.Error = api.ReasonRefused
			return w.End(page, api.RefusedTokens(e)), nil
		case resp == nil:
			return nil, err
		}
		page.Calls += e.Calls
		if connectors.RefusedBody(e) {
			var smaller bool
			if w.Size, smaller = w.Size.Smaller(size); smaller {
				continue
			}
			return w.skip(page, resp, e), nil
		}
		page.Response = *resp
		if w.c.Kind == schemas.KindThread && resp.Error == "" && slices.Contains(goneThreads, e.Code) {
			return w.End(page, nil), nil
		}
		return w.End(page, failureOf(e)), nil
	}
}

// resume leaves the page token behind. It reports false where that was done before and led no further.
func (w *walk) resume() bool {
	r := &w.refused
	if w.At.Watermark > r.watermark || r.run > r.best {
		r.tries = 0
	}
	r.tries++
	r.watermark, r.best, r.run = w.At.Watermark, max(r.best, r.run), 0
	if r.tries > api.MaxRefused {
		return false
	}
	w.mark, w.Guard = w.mark.restart(w.c.Kind, w.At.Watermark), api.Guard{}
	return true
}

// query is the list request's, in one order always: it is a part of a page's identity. Threads know no times. Times are
// whole seconds and whether the API means them inclusively is not documented, so the window is widened to both.
func (w *walk) query(size int) string {
	var q strings.Builder
	add := func(name, value string) {
		if q.Len() > 0 {
			q.WriteByte('&')
		}
		q.WriteString(name + "=" + url.QueryEscape(value))
	}
	add("container_id_type", w.c.Kind)
	add("container_id", w.c.ID)
	if w.c.Kind == schemas.KindChat {
		start, end := w.window()
		if start > 0 {
			add("start_time", strconv.FormatInt(start, 10))
		}
		if end > 0 {
			add("end_time", strconv.FormatInt(end, 10))
		}
	}
	add("sort_type", "ByCreateTimeAsc")
	add("page_size", strconv.Itoa(size))
	q.WriteString("&" + contentQuery)
	if w.c.Kind == schemas.KindChat {
		add("only_thread_root_messages", "false")
	}
	if w.mark.Token != "" {
		add("page_token", w.mark.Token)
	}
	return q.String()
}

// window is the container's, in Unix seconds, 0 where it is open.
func (w *walk) window() (start, end int64) {
	if w.c.WindowStart != nil {
		start = floorSeconds(*w.c.WindowStart)
	}
	start = max(start, w.mark.Start)
	if w.c.WindowEnd != nil {
		end = max(1, -floorSeconds(-*w.c.WindowEnd))
		start = min(start, end)
	}
	return start, end
}

func floorSeconds(t schemas.Millis) int64 {
	s := int64(t) / 1000
	if int64(t)%1000 < 0 {
		s--
	}
	return s
}

func failureOf(e *connectors.Error) *connectors.Failure {
	return &connectors.Failure{Code: e.Code, Message: e.Message, Wide: isWide(e.Code)}
}
