package extract

import (
	"errors"
	"slices"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/schemas"
)

// A topic takes records up to its max.message.bytes. A page that is larger is asked for again in smaller pages, down to one
// message; one that still is larger is committed without its body, a typed hole, and the container goes on behind it by the
// token that the page gave. Nothing of that ends a session.

// errSmaller says that a page was dropped to be asked for again in smaller ones.
var errSmaller = errors.New("the page is to be asked for again in smaller pages")

// remedy is what helps against records that are too large.
const remedy = "raise max.message.bytes of the topic (TOPIC_MAX_MESSAGE_BYTES holds when it is created), then ask for the container again"

func isTooLarge(err error) bool {
	var large *pipeline.TooLarge
	return errors.As(err, &large)
}

// divisible reports whether smaller pages can be asked for than one that shows so many messages.
func (r *reading) divisible(items int) bool {
	return r.container.Kind != schemas.KindMessage && items > 1 && r.limit != 1
}

// smaller drops a page and has its messages asked for again, half as many at once.
func (s *session) smaller(r *reading, p *connectors.Page, size int) {
	items := p.Items
	s.end(r, func(l *live) {
		if l.limit == 0 {
			l.left = items
			s.Logger.Info("a page does not fit: its messages are asked for in smaller pages", "container", r.key, "items", p.Items, "bytes", size)
		} else {
			items = min(items, l.limit)
		}
		l.limit = max(1, items/2)
		l.calls += int64(p.Calls)
		s.ready(s.all[r.key], true)
	})
}

// passed notes that messages of a page that did not fit have been committed. The pages of the rest of it double, and are full
// again behind its end, or behind a message that no page holds: most likely that was all that was too large. mu is held.
func (l *live) passed(items int, hollow bool) {
	if l.limit == 0 {
		return
	}
	if l.left -= items; l.left <= 0 || items == 0 || hollow {
		l.limit, l.left = 0, 0
		return
	}
	l.limit = min(2*l.limit, l.left)
}

// fit gives a draft that is smaller where a record of the last one was larger than its topic takes: errSmaller where smaller
// pages are to be asked for, the error itself where nothing can be made smaller.
func (s *session) fit(r *reading, d *draft, large *pipeline.TooLarge) error {
	part := d.parts[large.Index]
	switch part.kind {
	case partOpening, partExpansion:
		return s.hollow(r, d, part, large)
	case partPage:
		if r.divisible(d.page.Items) {
			s.smaller(r, &d.page, large.Size)
			return errSmaller
		}
		if d.hollow {
			return large // its headers alone are too large
		}
		s.refuse(r, "a page does not fit into its topic and is kept without its body", d.page.Request, large)
		d.hollow = true
		d.page.Body, d.page.Error = nil, connectors.CodeTooLarge
		if d.page.Final && d.page.Failed == nil {
			d.page.Failed = &connectors.Failure{
				Code: connectors.CodeTooLarge, Message: "the last page, which gives no token to go on by, does not fit into its topic; " + remedy,
			}
		}
		return nil
	case partFound:
		s.refuse(r, "a container that a page shows does not fit into its topic", d.page.Found[part.i].ID, large)
		d.page.Found = slices.Delete(d.page.Found, part.i, part.i+1)
		return nil
	case partMissing:
		s.refuse(r, "a dead letter does not fit into its topic", d.page.Missing[part.i].RecordID, large)
		d.page.Missing = slices.Delete(d.page.Missing, part.i, part.i+1)
		return nil
	}
	return s.shorten(r, d, large)
}

// hollow takes the body off an opening or expansion, or drops one that is too large without.
func (s *session) hollow(r *reading, d *draft, part part, large *pipeline.TooLarge) error {
	list := &d.page.Opening
	if part.kind == partExpansion {
		list = &d.page.Expansions
	}
	resp := &(*list)[part.i]
	s.refuse(r, "a response does not fit into its topic and is kept without its body", resp.Request, large)
	if len(resp.Body) == 0 {
		*list = slices.Delete(*list, part.i, part.i+1)
		return nil
	}
	resp.Body, resp.Error = nil, connectors.CodeTooLarge
	return nil
}

// shorten makes a checkpoint smaller: its words first, then its cursor, without which the container cannot go on.
func (s *session) shorten(r *reading, d *draft, large *pipeline.TooLarge) error {
	d.short++
	switch d.short {
	case 1:
	case 2:
		s.refuse(r, "a checkpoint does not fit into its topic: the container fails", string(d.page.Next.Cursor), large)
		d.page.Final = true
		d.page.Failed = &connectors.Failure{Code: connectors.CodeTooLarge, Message: "the cursor does not fit"}
	default:
		return large
	}
	return nil
}

func (s *session) refuse(r *reading, what, subject string, large *pipeline.TooLarge) {
	s.Logger.Error(what, "container", r.key, "subject", subject, "topic", large.Topic, "bytes", large.Size, "limit_bytes", large.Limit, "remedy", remedy)
}
