package feishu

import (
	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// maxHeld is the most children that are held for the pages that are decoded together. A child takes about 1 KiB.
const maxHeld = maxPageItems

// Reasons of merged forwards that are not expanded, or not whole, beside those of package connectors and the codes of the
// platform. Of several that hold the first here stands.
const (
	reasonEmpty      = "empty"         // the answer shows neither the forward nor what stands in it
	reasonNotFetched = "not_fetched"   // a nested forward that was not asked for by itself
	reasonRecalled   = "recalled"      // it was recalled between list and answer
	reasonTwice      = "repeated"      // what stands in it is shown where it stood before
	reasonBadItem    = classBadItem    // an item of the answer cannot be read
	reasonUpper      = "upper_missing" // a child stands in something that the answer does not show
)

// forwards are the merged forwards of the pages that are decoded together.
type forwards struct {
	pages     []*inside          // in the order of the pages
	bySubject map[string]*inside // of several with one subject the first that was not refused
	within    map[string]*inside // of a forward that stands in that of another page, the first such page
	held      int
	natives   int    // readings before those of children
	tree      int    // number of the outermost forward that is being laid out
	owner     string // its record_id
	expander  decode.Expander
}

// inside is what an answer about one message shows of what stands in it.
type inside struct {
	page     int
	subject  string
	refused  string // why nothing of it is known, "" where something is
	partial  string // why not all of it is known, "" where it is
	children []child
	top      line   // of those directly within
	tree     int    // number of the outermost forward that it was laid out in last
	owner    string // record_id of the outermost forward that it belongs to, of several the first
	done     bool   // it was looked at as an outermost one
}

// child is an item that stands in a merged forward.
type child struct {
	decode.Child
	upper     string
	container bool  // a merged forward that is not recalled
	recalled  bool  // a merged forward that is
	repeated  bool  // another item with its id stands for both
	cut       bool  // it stood in an item that stands in it, which was taken out of it
	under     int32 // the item that it stands in, or a place that is none
	inner     line  // of those that stand in it
	next      int32 // sibling
}

// Places of children that are no items.
const (
	onTop   int32 = -1 // directly within the forward that was asked for
	nowhere int32 = -2 // within a recalled forward
)

// line is a list of siblings, by their places.
type line struct {
	first, last int32
	any         bool
}

// single decodes an answer about one message. What is a merged forward comes with all that stands in it, flat and in no
// promised order (https://open.feishu.cn/document/server-docs/im-v1/message/get).
func (d *reader) single(s *items, out *connectors.Decoded) {
	subject, forward := d.survey(s)
	var in *inside
	if forward {
		in = d.hold(d.page, "")
		in.children = make([]child, 0, min(s.len(), 1<<14))
	}
	for i := range s.len() {
		item, ok := d.item(s, i, out)
		upper := d.peek(item.Get("upper_message_id"))
		own := d.isSubject(item) && (i == subject || upper == "")
		switch {
		case !ok:
			if in != nil {
				in.partial = reasonBadItem
			}
		case own && (upper == "" || upper == d.page.Subject), !forward && upper == "":
			d.reading(out, item, i)
		case own: // A snapshot that was asked for by itself: it is no message of the conversation.
		case in == nil:
			d.failItem(out, i, classUnplaced, "stands in a merged forward that was not asked for")
		default:
			d.child(in, item, i, out)
		}
	}
	if in == nil {
		return
	}
	if subject < 0 && len(in.children) == 0 && in.partial == "" {
		in.refused = reasonEmpty
	}
	in.place()
}

// survey finds the item that was asked for, -1 where it is not shown, and whether it is a merged forward.
func (d *reader) survey(s *items) (subject int, forward bool) {
	subject, forward = -1, d.page.Expansion()
	clear := false
	for i := range s.len() {
		item, err := d.peekItem(s, i)
		upper := d.peek(item.Get("upper_message_id"))
		switch {
		case err != nil:
		case d.isSubject(item):
			if subject < 0 || upper == "" && !clear {
				subject, clear = i, upper == ""
			}
			forward = forward || d.peek(item.Get("msg_type")) == typeMergeForward
		default:
			forward = forward || upper != "" && upper == d.page.Subject
		}
	}
	return subject, forward
}

// isSubject reports whether item is the message that the page is about.
func (d *reader) isSubject(item decode.JSON) bool {
	id := d.peek(item.Get("message_id"))
	return id != "" && id == d.page.Subject
}

// hold notes what the page in hand shows of the inside of its subject.
func (d *reader) hold(page *schemas.Page, refused string) *inside {
	in := &inside{page: d.no, subject: page.Subject, refused: refused}
	d.forwards.pages = append(d.forwards.pages, in)
	return in
}

// child decodes an item that stands in a merged forward.
func (d *reader) child(in *inside, item decode.JSON, i int, out *connectors.Decoded) {
	if d.forwards.held++; d.forwards.held > maxHeld {
		if in.partial == "" {
			in.partial = decode.ReasonTooMany
		}
		return
	}
	in.children = append(in.children, child{})
	c := &in.children[len(in.children)-1]
	m := &c.Reading.Message
	upper, class, message := d.decodeChild(item, m)
	if class != "" {
		in.children = in.children[:len(in.children)-1]
		in.partial = reasonBadItem
		d.failItem(out, i, class, message)
		return
	}
	c.upper = upper
	c.Reading.Page, c.Reading.Source = d.no, connectors.FromOther
	m.Provenance.ItemPointer = d.pointers.At(i)
	if m.MessageType == typeMergeForward {
		c.recalled = m.State == schemas.MessageRecalled
		c.container = !c.recalled
	}
}
