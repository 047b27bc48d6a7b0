package yunxin

import (
	"context"
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

// pageSize is the most messages that the API gives.
const pageSize = 100

// history reads a conversation by windows of time
// (https://doc.yunxin.163.com/messaging2/server-apis/jcwNDA0Nzg, GET /im/v2.1/conversations/{id}/messages).
type history struct {
	*walk
	*windows
	memory
}

func newHistory(w *walk) {
	h := &history{walk: w, windows: windowsOf(w.At.Cursor)}
	if w.At.Pages == 0 {
		h.windows = h.resume(w.At.Watermark, schemas.MillisOf(time.Now()), w.c.WindowEnd == nil)
	}
	w.Mark, w.Step = h.windows, h.next
	if kept, ok := w.At.Memory.(memory); ok {
		h.memory = kept
	} else if h.windows.Token != "" {
		h.follows(h.windows.Token)
	}
	w.Keep = func() any { return h.memory }
}

// next reads one page.
func (h *history) next(ctx context.Context) (*connectors.Page, error) {
	if !h.Begun {
		h.Begun, h.Open = true, []span{h.window()}
	}
	page := &connectors.Page{}
	return h.list(ctx, page)
}

// read takes in the response in page, and steps ahead.
func (h *history) read(ctx context.Context, page *connectors.Page) (*connectors.Page, error) {
	l, ok := readListing(page.Body)
	if !ok {
		return nil, api.NoPaging(&page.Response, page.Calls, "pages")
	}
	if err := h.expand(ctx, page, filesOf(l.items)); err != nil {
		return nil, err
	}
	page.Items = len(l.items)
	h.note(l.items)
	if failed := h.follow(&l); failed != nil {
		return h.End(page, failed), nil
	}
	if len(h.Open) == 0 && !h.Check {
		return h.End(page, nil), nil
	}
	h.Advance(page)
	return page, nil
}

// follow steps ahead, or tells why reading cannot go on.
func (h *history) follow(l *listing) *connectors.Failure {
	news := h.windows.Token == "" && h.learn(l) // a token goes with the window that it was given for
	if h.Check {
		return h.settle(l, news)
	}
	if h.cover(l) {
		h.Guard, h.refused = h.Guard.WithoutTokens(), 0
		if len(h.Open) == 0 {
			return nil
		}
		return h.page(l)
	}
	if news {
		return h.page(l) // without the millisecond before or after it, the window may lead on
	}
	if failed := h.follows(l.token); failed != nil {
		return failed
	}
	h.hold(l)
	return h.page(l)
}

// settle looks at the millisecond at a page's edge as it was read from its other end: if that meets what was seen of it
// before, or its own end, nothing of it is missing.
func (h *history) settle(l *listing, news bool) *connectors.Failure {
	met := !l.more || slices.ContainsFunc(l.items, func(e entry) bool { return e.created == h.Edge && slices.Contains(h.Tied, e.id) })
	switch {
	case met:
	case news:
		return nil // its neighbours were shown too: now it can be asked for without them
	default:
		return &connectors.Failure{Code: reasonTies, Message: "more messages share the millisecond " + h.Edge.String() + " than the platform can be made to show"}
	}
	h.Check, h.Edge, h.Tied = false, 0, nil
	return nil
}

// list gives the page at the cursor. A page token that is refused is left behind: the window is read again from its edge.
// What is too large is asked for again in smaller pages.
func (h *history) list(ctx context.Context, page *connectors.Page) (*connectors.Page, error) {
	for {
		size := h.Size.Of(pageSize, h.At.Limit)
		r := connectors.Request{
			API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: h.path + "/messages", Query: h.query(size),
		}
		resp, why, err := h.ask(ctx, r)
		e := connectors.ErrorOf(err)
		switch {
		case e != nil && e.Class == connectors.ClassCursor:
			page.Calls += e.Calls
			if h.refused++; h.refused > api.MaxRefused {
				page.Response = *api.AnswerIn(&r, e)
				page.Error = api.ReasonRefused
				return h.End(page, api.RefusedTokens(e)), nil
			}
			h.run()
			h.Edge, h.Tied = 0, nil
			h.Guard = api.Guard{}
		case err != nil:
			return nil, err
		case why == nil:
			page.Calls += resp.Calls
			page.Response = *resp
			h.Size = h.Size.Larger(pageSize)
			return h.read(ctx, page)
		case !connectors.RefusedBody(why):
			page.Calls += resp.Calls
			page.Response = *resp
			return h.End(page, failureOf(why)), nil
		default:
			page.Calls += resp.Calls
			var smaller bool
			if h.Size, smaller = h.Size.Smaller(size); !smaller {
				return h.skip(page, resp, why), nil
			}
		}
	}
}

// query is the request's, in one order always: it is a part of a page's identity. Whether the API means the ends of a window
// inclusively is not documented, so each window is a millisecond wider on both sides until that is known. Teams are read in the name of
// accounts that have left them, too, and messages that count as no-sense are messages.
func (h *history) query(size int) string {
	begin, end := h.asked()
	var q strings.Builder
	q.WriteString("begin_time=" + strconv.FormatInt(int64(begin), 10) + "&end_time=" + strconv.FormatInt(int64(end), 10))
	if h.windows.Token != "" && !h.Check {
		q.WriteString("&page_token=" + url.QueryEscape(h.windows.Token))
	}
	// By the vendor's words true is the oldest first, against the name.
	q.WriteString("&limit=" + strconv.Itoa(size) + "&descending=" + strconv.FormatBool(!h.Check))
	if h.team {
		q.WriteString("&check_team_valid=false")
	}
	q.WriteString("&include_no_sense_msg=true")
	return q.String()
}

// window is the container's: what was sent at its end or later is not asked for. An open end is the present, which the
// cursor then keeps.
func (h *history) window() span {
	var at span
	if h.c.WindowStart != nil {
		at.From = max(0, *h.c.WindowStart)
	}
	at.To = schemas.MillisOf(time.Now())
	if h.c.WindowEnd != nil {
		at.To = *h.c.WindowEnd - 1
	}
	at.To = max(at.From, at.To)
	return at
}
