package yunxin

import (
	"chatlake/connectors"
	"chatlake/connectors/api"
)

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token. Whether
// the platform writes has_more and next_token before the items is not documented.
func (h *history) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	token, failed := api.TokenPast(e)
	if failed == nil && h.Check { // the token is not of the window
		token, failed = "", api.PastUnknown(e)
	}
	if failed != nil {
		return h.End(page, failed)
	}
	h.Size = api.PageSize{}
	failed = h.follows(token)
	if failed == nil {
		failed = h.Page(nil)
	}
	if failed != nil {
		return h.End(page, failed)
	}
	// Nothing is known of what shares the message's millisecond: the token alone leads there.
	h.windows.Token, h.Edge, h.Tied = token, 0, nil
	h.Advance(page)
	return page
}
