package feishu

import (
	"context"
	"sync"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// stubborn remembers which messages the platform has answered an internal error for, asked with contentQuery, and how often in
// a row.
type stubborn struct {
	mu    sync.Mutex
	times map[string]int
}

const (
	stubbornTries = 4      // before the parameter for cards is left out: what passes by itself should cost no card
	maxStubborn   = 10_000 // messages remembered
)

// note counts an answer, and gives the number of internal errors in a row.
func (s *stubborn) note(id string, failed bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !failed {
		delete(s.times, id)
		return 0
	}
	if s.times == nil || len(s.times) >= maxStubborn {
		s.times = map[string]int{}
	}
	s.times[id]++
	return s.times[id]
}

// withoutCards makes the get of a message that keeps being answered an internal error once more without the parameter for
// cards, as a part of the same call: several such messages would look like an outage otherwise, in which nothing is asked. It
// gives the outcome of both.
func (c *caller) withoutCards(ctx context.Context, r connectors.Request, token string, resp *connectors.Response, err error) (*connectors.Response, error) {
	if r.API != schemas.FeishuMessagesGet || r.Query != contentQuery {
		return resp, err
	}
	e := connectors.ErrorOf(err)
	failed := e != nil && internal(e)
	if err != nil && !failed {
		return resp, err
	}
	if c.stubborn.note(r.Subject, failed) < stubbornTries {
		return resp, err
	}
	r.Query = plainQuery
	plain, other := c.attempt(ctx, &r, token)
	if other == nil {
		api.Drop(ctx, e.Response)
		plain.Calls++
		return plain, nil
	}
	if o := connectors.ErrorOf(other); o != nil {
		api.Drop(ctx, o.Response)
		e.Calls += o.Calls
		return nil, e
	}
	return nil, other
}
