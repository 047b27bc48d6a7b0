package feishu

import (
	"chatlake/connectors"
	"chatlake/connectors/api"
)

// skip makes a page without a body for a message that cannot be read even alone, and steps over it by its page token.
func (w *walk) skip(page *connectors.Page, resp *connectors.Response, e *connectors.Error) *connectors.Page {
	page.Response = *resp
	token, failed := api.TokenPast(e)
	if failed != nil {
		return w.End(page, failed)
	}
	w.Size = api.PageSize{}
	if failed := w.memory.follow(&listing{token: token, more: true}); failed != nil {
		return w.End(page, failed)
	}
	w.mark.Token = token
	w.refused.run++
	w.Advance(page)
	return page
}
