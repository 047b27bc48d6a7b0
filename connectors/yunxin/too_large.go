package yunxin

import (
	"errors"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// refuseBody keeps where the body of a list page leads that is not read. Whether the platform writes has_more
// and next_token before the items is not documented.
func refuseBody(r *connectors.Request, body []byte, why error) error {
	if r.API != schemas.YunxinMessagesList {
		return why
	}
	return api.NewUnread(body, why, codeFine, "next_token")
}

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token, never
// by time: nothing else may be left out with it. Where the token is not known the container fails.
func (h *history) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	var body *api.Unread
	if !errors.As(e, &body) || body.Token == "" || h.Check {
		return h.end(page, &connectors.Failure{
			Code: e.Code, Message: e.Message + ", for one message alone, and the page token that leads past it is not known",
		})
	}
	h.size = api.PageSize{}
	failed := h.memory.token(body.Token)
	if failed == nil {
		failed = h.memory.page(&listing{})
	}
	if failed != nil {
		return h.end(page, failed)
	}
	// Nothing is known of what shares the message's millisecond: the token alone leads there.
	h.Token, h.Edge, h.Tied = body.Token, 0, nil
	h.advance(page)
	return page
}
