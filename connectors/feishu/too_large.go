package feishu

import (
	"encoding/json"
	"errors"

	"chatlake/connectors"
	"chatlake/schemas"
)

// refusedBody is the cause of an error about a list page whose body this package does not read: too long or too complex.
// token leads to the page after it, "" where it is not known.
type refusedBody struct {
	token string
	why   error
}

func (b *refusedBody) Error() string { return b.why.Error() }

func (b *refusedBody) Unwrap() error { return b.why }

// refuseBody reads where a body leads, which may have been cut, by its brackets alone. The platform writes has_more and
// page_token before the items, as the vendor's samples do.
func refuseBody(r *connectors.Request, body []byte, why error) error {
	if r.API != schemas.FeishuMessagesList {
		return why
	}
	field := func(to any, path ...string) bool {
		raw, found := connectors.Field(body, path...)
		return found && json.Unmarshal(raw, to) == nil
	}
	var code int
	var more bool
	cause := refusedBody{why: why}
	if !field(&code, "code") || code != 0 || !field(&more, "data", "has_more") || !more || !field(&cause.token, "data", "page_token") {
		cause.token = ""
	}
	return &cause
}

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token, never
// by time: nothing else may be left out with it. Where the token is not known the container fails.
func (w *walk) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	var body *refusedBody
	if !errors.As(e, &body) || body.token == "" {
		return w.end(page, &connectors.Failure{
			Code: e.Code, Message: e.Message + ", for one message alone, and the page token that leads past it is not known",
		})
	}
	w.size = connectors.PageSize{}
	if failed := w.memory.follow(&listing{token: body.token, more: true}); failed != nil {
		return w.end(page, failed)
	}
	w.mark.Token = body.token
	w.refused.run++
	w.advance(page)
	return page
}
