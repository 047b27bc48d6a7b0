package feishu

import (
	"errors"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// refuseBody keeps where the body of a list page leads that is not read. The platform writes has_more and
// page_token before the items, as the vendor's samples do.
func refuseBody(r *connectors.Request, body []byte, why error) error {
	if r.API != schemas.FeishuMessagesList {
		return why
	}
	return api.NewUnread(body, why, 0, "page_token")
}

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token, never
// by time: nothing else may be left out with it. Where the token is not known the container fails.
func (w *walk) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	var body *api.Unread
	if !errors.As(e, &body) || body.Token == "" {
		return w.end(page, &connectors.Failure{
			Code: e.Code, Message: e.Message + ", for one message alone, and the page token that leads past it is not known",
		})
	}
	w.size = api.PageSize{}
	if failed := w.memory.follow(&listing{token: body.Token, more: true}); failed != nil {
		return w.end(page, failed)
	}
	w.mark.Token = body.Token
	w.refused.run++
	w.advance(page)
	return page
}
