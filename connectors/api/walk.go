package api

import (
	"context"
	"iter"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// Mark is what a source keeps in its cursors.
type Mark interface {
	Done() bool                // nothing is left to read
	Finish()                   // nothing is left from now on
	Cursor() connectors.Cursor // what a later walk begins with
}

// Walk is one reading of a container: where it is and how it goes on.
type Walk struct {
	At   connectors.Position
	Mark Mark
	// Step reads one page, which it has ended with Advance or End.
	Step func(context.Context) (*connectors.Page, error)
	Keep func() any // what goes into Position.Memory; nil: nothing
}

// Pages yields the pages of the walks that begin gives, one for each time that they are ranged over, see connectors.Source.
func Pages(ctx context.Context, begin func() *Walk) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		w := begin()
		for !w.Mark.Done() {
			page, err := w.Step(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(page, nil) || page.Final {
				return
			}
		}
	}
}

// Advance makes the position the one after page.
func (w *Walk) Advance(page *connectors.Page) {
	w.At.Pages++
	w.At.Cursor = w.Mark.Cursor()
	if w.Keep != nil {
		w.At.Memory = w.Keep()
	}
	page.Next = w.At
}

// End makes page the last one. After a failure the cursor stays where it was.
func (w *Walk) End(page *connectors.Page, failed *connectors.Failure) *connectors.Page {
	page.Final, page.Failed = true, failed
	cursor := w.At.Cursor
	w.Mark.Finish()
	w.Advance(page)
	if failed != nil {
		w.At.Cursor, page.Next.Cursor = cursor, cursor
	}
	return page
}

// Saw takes the time of a message that a page shows into the watermark.
func (w *Walk) Saw(t schemas.Millis) { w.At.Watermark = max(w.At.Watermark, t) }

// The most that is done without progress.
const (
	MaxRefused = 3 // page tokens refused in a row
	maxStale   = 50
	maxToken   = 8 << 10 // bytes; tokens seen are some 100. It goes into an address, a header and a checkpoint.
)

// ReasonRefused is why a container ends whose page tokens are refused again and again.
const ReasonRefused = "token_refused"

// RefusedTokens is the failure of such a container.
func RefusedTokens(e *connectors.Error) *connectors.Failure {
	return &connectors.Failure{Code: ReasonRefused, Message: "page tokens are refused again and again: " + e.Message}
}

// Trail is what a walk keeps in Position.Memory: what it has seen since the last start or resumption. It is a value that
// no later page changes, so that a page may be read again from the position before it.
type Trail struct {
	Guard Guard
	Size  PageSize
}

// Token takes in a page token that is to be followed, and gives the reason why it must not be, or nil. where is added to the
// reason of one that is missing.
func (t *Trail) Token(token, where string) *connectors.Failure {
	switch {
	case token == "":
		return &connectors.Failure{Code: "token_missing", Message: "the platform says that there is more" + where + " but gives no page token"}
	case len(token) > maxToken:
		return &connectors.Failure{Code: "token_too_long", Message: "the platform gives a page token that is too long to be one"}
	}
	var seen bool
	if t.Guard, seen = t.Guard.Token(token); seen {
		return &connectors.Failure{Code: "token_repeated", Message: "the platform gives a page token that it gave before"}
	}
	return nil
}

// Page takes in the ids of a page after which there is more to read, and gives the reason why reading must end, or nil.
func (t *Trail) Page(ids []string) *connectors.Failure {
	var stale int
	if t.Guard, stale = t.Guard.Page(ids); stale >= maxStale {
		return &connectors.Failure{Code: "no_progress", Message: "50 pages in a row showed nothing new"}
	}
	return nil
}

// Paging reads whether there is more than data shows, and the token in field that leads there. It reports false where data
// does not say.
func Paging(data decode.JSON, field string) (token string, more, ok bool) {
	flag := data.Get("has_more")
	if more, ok = flag.Flag(); !ok || data.Kind() != decode.Object {
		return "", false, false
	}
	token = data.Get(field).Word()
	return token, more, token == "" || flag.Told() // taken as the end, the rest would be lost without a word
}

// NoPaging is the error of a response that succeeded and does not say whether there is more of what.
func NoPaging(resp *connectors.Response, calls int, what string) *connectors.Error {
	return &connectors.Error{
		Class: connectors.ClassUnavailable, API: resp.Type, Code: connectors.CodeUnreadable, Calls: calls,
		Message: "the answer says that all is well but not whether there are more " + what, Response: resp,
	}
}
