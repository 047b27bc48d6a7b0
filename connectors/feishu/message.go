package feishu

import (
	"context"
	"net/http"
	"net/url"
	"sync"

	"chatlake/connectors"
	"chatlake/schemas"
)

// expansionsAtOnce is how many merged forwards of one page are fetched at a time. They share the budget of the API with
// all other pages; the number only keeps one page from waiting for 50 answers in a row.
const expansionsAtOnce = 8

// getMessage is the request for one message. For a merged forward the answer holds all that is in it, at every depth
// (https://open.feishu.cn/document/server-docs/im-v1/message/get).
func getMessage(id string) connectors.Request {
	return connectors.Request{
		API: schemas.FeishuMessagesGet, Method: http.MethodGet, Path: messagesPath + "/" + url.PathEscape(id),
		Query: contentQuery, Subject: id,
	}
}

// message reads a container that is one message: the platform's answer, whatever it is, is its page.
func (w *walk) message(ctx context.Context) (*connectors.Page, error) {
	resp, failed, err := w.ask(ctx, getMessage(w.c.ID))
	if err != nil {
		return nil, err
	}
	page := &connectors.Page{Response: *resp, Calls: resp.Calls}
	if failed != nil {
		if resp.Error == "" {
			failed = nil // a definitive answer is an answer
		}
		return w.end(page, failed), nil
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
	return w.end(page, nil), nil
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
	if len(ids) == 0 {
		return nil
	}
	responses, err := w.getAll(ctx, ids)
	if err != nil {
		return err
	}
	page.Expansions = responses
	for i := range responses {
		page.Calls += responses[i].Calls
	}
	return nil
}

// getAll gets messages by id, several at once, and waits for all of them. The first error that is not about one message
// stops the others and is returned.
func (w *walk) getAll(ctx context.Context, ids []string) ([]connectors.Response, error) {
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	responses := make([]connectors.Response, len(ids))
	places := make(chan int)
	var wait sync.WaitGroup
	for range min(expansionsAtOnce, len(ids)) {
		wait.Go(func() {
			for i := range places {
				resp, _, err := w.ask(all, getMessage(ids[i]))
				if err != nil {
					cancel(err) // only the first counts
					return
				}
				responses[i] = *resp
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
