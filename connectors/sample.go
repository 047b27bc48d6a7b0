package connectors

import "chatlake/schemas"

// Sampler gives requests that show a part of a container, for estimates of what reading it takes. It makes no calls.
type Sampler interface {
	// PageOf asks for a whole page of a container's messages: the newest in a span of time or the oldest. Bounds that are 0 are
	// open. It reports false where the container has no such pages, or cannot be asked for them.
	PageOf(c *schemas.Container, from, to schemas.Millis, newest bool) (Request, bool)
	// ExpansionOf asks for what a merged forward holds; false where that takes more than its id.
	ExpansionOf(messageID string) (Request, bool)
	// PageSize is the most messages that a page shows.
	PageSize() int
}
