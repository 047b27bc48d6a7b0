package feishu

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// others remembers what exists on the platform, by API: what to ask for where it must be found out whether an internal error
// is about one message or chat, or about all of them.
type others struct {
	mu      sync.Mutex
	ids     map[string][]string  // by ce_type, the last few that were shown or answered
	records map[string]time.Time // of chats whose record has failed, with no other to ask for, since when
}

// recordWait is how long a chat waits for its own record where no other chat's tells whether the platform gives any: longer
// than a passing fault, shorter than the patience of a run that reads this one chat.
const recordWait = 10 * time.Minute

// late reports whether a chat's record has failed for so long that the chat is read without it.
func (o *others) late(chat string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, failed := o.records[chat]
	if !failed {
		if o.records == nil || len(o.records) >= maxRecords {
			o.records = map[string]time.Time{}
		}
		o.records[chat] = now
		return false
	}
	return now.Sub(since) >= recordWait
}

// recorded forgets that a chat's record has failed.
func (o *others) recorded(chat string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.records, chat)
}

// maxRecords bounds what is remembered of chats that wait for their record.
const maxRecords = 10_000

// maxOthers is how many ids of an API are remembered: two would do, were they not from one broken page.
const maxOthers = 8

func (o *others) note(api string, ids ...string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ids == nil {
		o.ids = map[string][]string{}
	}
	for _, id := range ids {
		kept := o.ids[api]
		o.ids[api] = append(kept[max(0, len(kept)-maxOthers+1):len(kept):len(kept)], id)
	}
}

// than gives an id of an API that is another one than id, the newest; "" where none is known.
func (o *others) than(api, id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := len(o.ids[api]) - 1; i >= 0; i-- {
		if other := o.ids[api][i]; other != id {
			return other
		}
	}
	return ""
}

// contrast is api.Contrast for a call about one message or chat, against another one that a page has shown.
func (w *walk) contrast(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	return api.Contrast(ctx, w.call, r, func() (connectors.Request, bool) {
		id := w.others.than(r.API, r.Subject)
		if r.API == schemas.FeishuChatsGet {
			return getChat(id), id != ""
		}
		return getMessage(id, contentQuery), id != ""
	})
}

// getChat is the request for a chat's own record. The record's id is its subject as far as faults go; no page says so, as it
// is no message.
func getChat(id string) connectors.Request {
	return connectors.Request{API: schemas.FeishuChatsGet, Method: http.MethodGet, Path: chatsPath + "/" + url.PathEscape(id), Subject: id}
}
