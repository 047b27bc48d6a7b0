package api

// PageSize is how many messages a source asks for at once. Its zero value is as many as the API gives. A source keeps it in
// Position.Memory: after a body that was too large it asks for half as many, from the same position, and for twice as many
// again after each page that came.
type PageSize struct{ most int }

// Of gives how many messages to ask for: no more than the API gives, than limit, where that is not 0, and than fits.
func (p PageSize) Of(api, limit int) int {
	n := api
	for _, most := range [...]int{limit, p.most} {
		if most > 0 {
			n = min(n, most)
		}
	}
	return n
}

// Smaller is the size after a body that was too large for so many messages. It reports false where that was one message.
func (p PageSize) Smaller(asked int) (next PageSize, ok bool) {
	if asked <= 1 {
		return p, false
	}
	return PageSize{asked / 2}, true
}

// Larger is the size after a page that came, of an API that gives so many at most.
func (p PageSize) Larger(api int) PageSize {
	if p.most *= 2; p.most >= api {
		p.most = 0
	}
	return p
}
