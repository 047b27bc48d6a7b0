package yunxin

import (
	"encoding/json"
	"errors"

	"chatlake/connectors"
	"chatlake/schemas"
)

// refusedBody is the cause of an error about a page of a history whose body this package does not read: too long or too
// complex. token leads to the page after it, "" where it is not known.
type refusedBody struct {
	token string
	why   error
}

func (b *refusedBody) Error() string { return b.why.Error() }

func (b *refusedBody) Unwrap() error { return b.why }

// refuseBody reads where a body leads, which may have been cut, by its brackets alone: whether the platform writes
// has_more and next_token before the items is not documented.
func refuseBody(r *connectors.Request, body []byte, why error) error {
	if r.API != schemas.YunxinMessagesList {
		return why
	}
	field := func(to any, path ...string) bool {
		raw, found := connectors.Field(body, path...)
		return found && json.Unmarshal(raw, to) == nil
	}
	var code int
	var more bool
	cause := refusedBody{why: why}
	if !field(&code, "code") || code != codeFine || !field(&more, "data", "has_more") || !more || !field(&cause.token, "data", "next_token") {
		cause.token = ""
	}
	return &cause
}

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token, never
// by time: nothing else may be left out with it. Where the token is not known the container fails.
func (h *history) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	var body *refusedBody
	if !errors.As(e, &body) || body.token == "" || h.Check {
		return h.end(page, &connectors.Failure{
			Code: e.Code, Message: e.Message + ", for one message alone, and the page token that leads past it is not known",
		})
	}
	h.size = connectors.PageSize{}
	failed := h.memory.token(body.token)
	if failed == nil {
		failed = h.memory.page(&listing{})
	}
	if failed != nil {
		return h.end(page, failed)
	}
	// Nothing is known of what shares the message's millisecond: the token alone leads there.
	h.Token, h.Edge, h.Tied = body.token, 0, nil
	h.advance(page)
	return page
}
