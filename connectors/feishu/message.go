package feishu

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// expansionsAtOnce is how many merged forwards of one page are fetched at a time. They share the budget of the API with
// all other pages; the number only keeps one page from waiting for 50 answers in a row.
const expansionsAtOnce = 8

// maxRefetched is the most merged forwards within others that are fetched by themselves for one page.
const maxRefetched = 100

// plainQuery is contentQuery but for what some merged forwards cannot be asked with: the platform then always answers an
// internal error (seen in public code). Cards within them come flattened.
const plainQuery = "with_sender_name=true"

// getMessage is the request for one message. For a merged forward the answer holds all that is in it, at every depth
// (https://open.feishu.cn/document/server-docs/im-v1/message/get).
func getMessage(id, query string) connectors.Request {
	return connectors.Request{
		API: schemas.FeishuMessagesGet, Method: http.MethodGet, Path: messagesPath + "/" + url.PathEscape(id),
		Query: query, Subject: id,
	}
}

// get asks for one message, and tells how to go on: a response, with failed where it is definitive that the message is not
// available; or an error that says nothing of it. Where the platform answers an internal error, the request without its
// parameter for cards is made before anybody is blamed.
func (w *walk) get(ctx context.Context, id string) (*connectors.Response, *connectors.Failure, error) {
	r := getMessage(id, contentQuery)
	resp, err := w.call(ctx, r)
	if e := connectors.ErrorOf(err); e != nil && e.Out {
		resp, err = w.contrast(ctx, r)
	}
	if e := connectors.ErrorOf(err); e != nil && internal(e) {
		api.Drop(ctx, e.Response)
		r = getMessage(id, plainQuery)
		if resp, err = w.contrast(ctx, r); err == nil {
			resp.Calls += e.Calls
		} else {
			err = api.WithCalls(err, e.Calls)
		}
	}
	if err == nil {
		w.others.note(r.API, id)
		return resp, nil, nil
	}
	if e := connectors.ErrorOf(err); e != nil {
		if resp = api.Settled(&r, e); resp != nil {
			return resp, failureOf(e), nil
		}
	}
	return nil, nil, err
}

// internal reports whether an error is the platform's own about what it was asked, by code or HTTP status.
func internal(e *connectors.Error) bool {
	if e.Response == nil || e.Out {
		return false
	}
	code, err := strconv.ParseInt(e.Code, 10, 64)
	return e.Response.HTTPStatus >= http.StatusInternalServerError || err == nil && slices.Contains(internalErrors, code)
}

// message reads a container that is one message: the platform's answer, whatever it is, is its page.
func (w *walk) message(ctx context.Context) (*connectors.Page, error) {
	resp, failed, err := w.get(ctx, w.c.ID)
	if err != nil {
		return nil, err
	}
	page := &connectors.Page{Response: *resp, Calls: resp.Calls}
	if failed != nil {
		if resp.Error == "" {
			failed = nil // a definitive answer is an answer
		}
		return w.End(page, failed), nil
	}
	l, _ := readListing(resp.Body)
	asked := l.items[:0]
	for _, e := range l.items {
		if e.id == w.c.ID && e.upper == "" {
			asked = append(asked, e)
		}
	}
	page.Items = len(asked)
	page.Found = w.threads(asked)
	w.note(asked)
	if len(asked) > 0 && asked[0].forward && asked[0].here(w.c) {
		if err := w.refetch(ctx, page, []connectors.Response{*resp}, map[string]bool{w.c.ID: true}); err != nil {
			return nil, err
		}
	}
	return w.End(page, nil), nil
}

// expand fetches the merged forwards that a page shows, once each, in the order of the page. What is definitive stands
// as the platform's answer, what was given up as such; any other error is returned, and the page is read again later.
func (w *walk) expand(ctx context.Context, page *connectors.Page, l *listing) error {
	var ids []string
	seen := make(map[string]bool)
	for i := range l.items {
		if e := &l.items[i]; e.forward && usableID(e.id) && !seen[e.id] {
			seen[e.id] = true
			ids = append(ids, e.id)
		}
	}
	fetched, err := w.fetch(ctx, page, ids)
	if err != nil {
		return err
	}
	return w.refetch(ctx, page, fetched, seen)
}

// fetch adds the answers about some messages to a page's expansions, and gives them.
func (w *walk) fetch(ctx context.Context, page *connectors.Page, ids []string) ([]connectors.Response, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	room := &room{left: api.MaxPageBytes - page.Bytes()}
	responses, err := w.getAll(ctx, ids, room)
	if err != nil {
		return nil, err
	}
	page.Expansions = append(page.Expansions, responses...)
	for i := range responses {
		page.Calls += responses[i].Calls
	}
	return responses, nil
}

// room is what the bodies of a page may still take. Once one of them did not fit no more are asked for.
type room struct {
	mu   sync.Mutex
	left int
	full bool
}

// open reports whether anything more may be asked for.
func (r *room) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.full
}

// take keeps a response, without its body where that does not fit.
func (r *room) take(ctx context.Context, resp *connectors.Response) connectors.Response {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := *resp
	switch {
	case len(kept.Body) > r.left:
		api.Drop(ctx, &kept)
		kept.Body, kept.Error, r.full = nil, connectors.CodeTooLarge, true
	case kept.Error == connectors.CodeTooLarge && r.left < api.MaxBody:
		r.full = true // the call was broken off because the page has no room for it
	}
	r.left -= len(kept.Body)
	return kept
}

// refetch fetches the merged forwards within others of which the answers show nothing inside, once each, level by level
// and after those around them. All levels are to come with the outermost, so this is a second try: where it brings nothing,
// or there are more of them than maxRefetched, what is missing stands as such in the decoded forward.
func (w *walk) refetch(ctx context.Context, page *connectors.Page, answers []connectors.Response, seen map[string]bool) error {
	depth := make(map[string]int) // of what was fetched here, in its outermost forward
	for left := maxRefetched; len(answers) > 0 && left > 0; {
		var ids []string
		for i := range answers {
			for _, in := range hollow(answers[i].Body, answers[i].Subject, depth[answers[i].Subject]) {
				if !seen[in.id] && len(ids) < left {
					seen[in.id], depth[in.id] = true, in.depth
					ids = append(ids, in.id)
				}
			}
		}
		left -= len(ids)
		var err error
		if answers, err = w.fetch(ctx, page, ids); err != nil {
			return err
		}
	}
	return nil
}

// nested is a merged forward within another.
type nested struct {
	id    string
	depth int // in the outermost one, 1: directly within
}

// hollow gives the merged forwards in an answer about one of which the answer shows nothing inside, in its order, but for
// those that stand too deep to be expanded. depth is that of the one asked for, 0 for an outermost one. An answer that is
// an error shows none.
func hollow(body []byte, subject string, depth int) []nested {
	l, _ := readListing(body)
	upper, filled := make(map[string]string, len(l.items)), make(map[string]bool)
	for i := range l.items {
		e := &l.items[i]
		if _, twice := upper[e.id]; !twice {
			upper[e.id] = e.upper
		}
		filled[e.upper] = true
	}
	var found []nested
	for i := range l.items {
		e := &l.items[i]
		if !e.forward || e.id == subject || filled[e.id] || !usableID(e.id) {
			continue
		}
		at, above := depth+1, e.upper
		for ; at < decode.MaxForwardDepth && above != "" && above != subject; at++ {
			next, known := upper[above]
			if !known {
				break // it will hang under the outermost
			}
			above = next
		}
		if at < decode.MaxForwardDepth {
			found = append(found, nested{e.id, at})
		}
	}
	return found
}

// getAll gets messages by id, several at once, and waits for all of them. The first error that is not about one message
// stops the others and is returned. What there is no room for is not asked for.
func (w *walk) getAll(ctx context.Context, ids []string, room *room) ([]connectors.Response, error) {
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	responses := make([]connectors.Response, len(ids))
	places := make(chan int)
	var wait sync.WaitGroup
	for range min(expansionsAtOnce, len(ids)) {
		wait.Go(func() {
			for i := range places {
				if !room.open() {
					r := getMessage(ids[i], contentQuery)
					responses[i] = connectors.Response{
						Type: r.API, Request: r.Line(), Subject: r.Subject, Error: connectors.CodeTooLarge, Time: time.Now(),
					}
					continue
				}
				resp, _, err := w.get(all, ids[i])
				if err != nil {
					cancel(err) // only the first counts
					return
				}
				responses[i] = room.take(all, resp)
			}
		})
	}
	for i := 0; i < len(ids) && all.Err() == nil; i++ {
		select {
		case places <- i:
		case <-all.Done():
		}
	}
	close(places)
	wait.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if all.Err() != nil {
		return nil, context.Cause(all)
	}
	return responses, nil
}
