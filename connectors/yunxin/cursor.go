package yunxin

import (
	"encoding/json"
	"slices"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// span is a range of time in Unix milliseconds, both ends included.
type span struct {
	From schemas.Millis `json:"f"`
	To   schemas.Millis `json:"t"`
}

// within reports whether a span lies in another.
func (s span) within(other span) bool { return s.From >= other.From && s.To <= other.To }

// meets reports whether two spans have a millisecond in common.
func (s span) meets(other span) bool { return s.From <= other.To && s.To >= other.From }

// way is the order in time in which the platform pages through a window. What the vendor says about its parameter
// contradicts itself, so it is found out.
type way uint8

const (
	wayUnknown way = iota // nothing is taken for granted: a page may have messages before and after it
	wayUp                 // the oldest first
	wayDown               // the newest first
	wayNone               // neither: as unknown, for good
)

// stage is how far the finding out of the way has come.
type stage uint8

const (
	stageStart stage = iota
	stageBelow       // the first page had more, and what is before it is looked at
	stageAbove       // there was something, and what is after it is looked at
)

// windows is the cursor of a history: which windows of time are not yet read to their end. A page with more to come proves
// only that nothing is missing between its first and last time; what is left and right of them is asked for again, with
// that millisecond, until an answer says that there is no more. So no message is lost between two pages, whatever the order
// within a page, and however many share a millisecond.
type windows struct {
	Begun bool   `json:"b,omitempty"`
	Open  []span `json:"o,omitempty"` // in the order in which they are read
	Way   way    `json:"w,omitempty"`
	Stage stage  `json:"s,omitempty"`
	First span   `json:"p,omitzero"` // of the first page, while the way is not known
	// AtBegin and AtEnd say that messages were shown that were sent at the very begin_time and end_time of a request: so the
	// ends belong to a window, which is not documented, and need not be asked for wider than it is.
	AtBegin bool `json:"x,omitempty"`
	AtEnd   bool `json:"y,omitempty"`
	// Token leads on in the first window where a page ended in the millisecond in which it began. Seen is the time that pages
	// shows since the window's first, nil before that.
	Token string `json:"k,omitempty"`
	Seen  *span  `json:"n,omitempty"`
	// Edge is the millisecond at which the page before the token ended, and Tied that page's messages in it. The page that
	// the token leads to should show more of it, else Check says that the millisecond has to be read from its other end.
	Edge     schemas.Millis `json:"e,omitempty"`
	Tied     []string       `json:"i,omitempty"`
	Check    bool           `json:"c,omitempty"`
	Finished bool           `json:"d,omitempty"` // nothing is left
}

// Done implements api.Mark.
func (m *windows) Done() bool { return m.Finished }

// Finish implements api.Mark.
func (m *windows) Finish() { *m = windows{Finished: true} }

// Cursor implements api.Mark.
func (m *windows) Cursor() connectors.Cursor { return cursor(m) }

// windowsOf reads a cursor. One that this source did not write is as good as none: reading starts anew, and what overlaps is
// recognised.
func windowsOf(c connectors.Cursor) *windows {
	m := &windows{}
	if c == "" || json.Unmarshal([]byte(c), m) != nil || !m.Finished && m.Begun && len(m.Open) == 0 && !m.Check {
		return &windows{}
	}
	return m
}

// resume gives the cursor that an earlier epoch came to without its page token: the window in which that leads on is read
// again. An end that is open becomes the present. Where the way is not yet known, little was read, and reading starts from the
// beginning.
func (m *windows) resume(watermark, present schemas.Millis, open bool) *windows {
	if !m.Begun || m.Way == wayUnknown {
		return &windows{}
	}
	m.run()
	if !m.Check {
		m.Edge, m.Tied = 0, nil
	}
	if open {
		m.extend(watermark, present)
	}
	return m
}

// extend adds what was sent since the windows were made. Between the watermark and their end everything was read or is open.
func (m *windows) extend(watermark, present schemas.Millis) {
	last := -1
	for i, at := range m.Open {
		if at.To >= watermark && (last < 0 || at.To > m.Open[last].To) {
			last = i
		}
	}
	if last < 0 {
		m.Open = append(m.Open, span{watermark, max(watermark, present)})
		return
	}
	m.Open[last].To = max(m.Open[last].To, present)
}

// asked gives begin_time and end_time of the next request.
func (m *windows) asked() (begin, end schemas.Millis) {
	at := span{m.Edge, m.Edge}
	if !m.Check {
		at = m.Open[0]
	}
	begin, end = at.From, at.To
	if !m.AtBegin {
		begin = max(0, begin-1)
	}
	if !m.AtEnd {
		end++
	}
	switch {
	case begin < end:
	case m.Way == wayDown || begin == 0:
		end = begin + 1
	default:
		begin = end - 1
	}
	return begin, end
}

// learn takes in whether messages were sent at the very ends of what was asked for, and reports whether that is new.
func (m *windows) learn(l *listing) (news bool) {
	begin, end := m.asked()
	before := [...]bool{m.AtBegin, m.AtEnd}
	for i := range l.items {
		m.AtBegin = m.AtBegin || l.items[i].created == begin
		m.AtEnd = m.AtEnd || l.items[i].created == end
	}
	return before != [...]bool{m.AtBegin, m.AtEnd}
}

// run leaves the token behind.
func (m *windows) run() { m.Token, m.Seen = "", nil }

// cover takes in what a page of the first window shows. It reports false where the page leads no further without its token.
func (m *windows) cover(l *listing) (ahead bool) {
	at, in := m.Open[0], m.see(l)
	m.tie(l)
	if !l.more {
		m.Open = m.Open[1:]
		m.judge(in, true)
		m.run()
		return true
	}
	rest := m.around(at, in)
	if in == nil || slices.ContainsFunc(rest, at.within) {
		return false
	}
	m.Open = append(rest, m.Open[1:]...)
	if m.Stage == stageStart {
		m.start(at, *in)
	} else {
		m.judge(in, false)
	}
	m.run()
	return true
}

// start takes in what the first page of all shows, which has more to come.
func (m *windows) start(at, in span) {
	m.First, m.Stage = in, stageBelow
	switch {
	case in.From < at.From: // the page begins where the window does
		m.Way = wayUp
	case in.To > at.To:
		m.Way = wayDown
	}
}

// see gives the time from the first to the last message that the pages of the window have shown, nil where none told one.
func (m *windows) see(l *listing) *span {
	in := m.Seen
	for i := range l.items {
		t := l.items[i].created
		switch {
		case t == 0:
		case in == nil:
			in = &span{t, t}
		default:
			in = &span{min(in.From, t), max(in.To, t)}
		}
	}
	return in
}

// around gives what of a window is left when the time that in covers is known and there is more.
func (m *windows) around(at span, in *span) []span {
	if in == nil {
		return nil
	}
	var rest []span
	if before := (span{at.From, min(in.From, at.To)}); m.Way != wayUp && before.From <= before.To {
		rest = append(rest, before)
	}
	if after := (span{max(in.To, at.From), at.To}); m.Way != wayDown && after.From <= after.To {
		rest = append(rest, after)
	}
	return rest
}

// judge finds out the way from what a page of the window before or after the first page has shown; closed says that there
// is no more in that window.
func (m *windows) judge(in *span, closed bool) {
	if m.Way != wayUnknown {
		return
	}
	switch m.Stage {
	case stageBelow:
		switch below := in != nil && in.From < m.First.From; {
		case below:
			// What is after the first page is next, before the rest of this.
			m.Stage = stageAbove
			last := len(m.Open) - 1
			m.Open = append([]span{m.Open[last]}, m.Open[:last]...)
		case closed:
			m.Way = wayUp
		}
	case stageAbove:
		switch above := in != nil && in.To > m.First.To; {
		case above:
			m.Way = wayNone
		case closed:
			m.Way = wayDown
			m.Open = m.Open[:min(len(m.Open), 1)] // what is above the second page is what was below the first
		}
	}
}

// tie compares a page that a token led to with the page before it: if the token goes by time alone, messages in the
// millisecond at their edge are left out.
func (m *windows) tie(l *listing) {
	if m.Token == "" || m.Edge == 0 {
		return
	}
	m.Check = !slices.ContainsFunc(l.items, func(e entry) bool { return e.created == m.Edge })
	if !m.Check {
		m.Edge, m.Tied = 0, nil
	}
}

// hold remembers the edge of a page that leads on by its token.
func (m *windows) hold(l *listing) {
	at, in := m.Open[0], (&windows{}).see(l)
	m.Token, m.Seen = l.token, m.see(l)
	if m.Check || in == nil || !in.meets(at) {
		return
	}
	m.Edge, m.Tied = in.To, nil
	if m.Way == wayDown || m.Way != wayUp && in.From >= at.To {
		m.Edge = in.From
	}
	for i := range l.items {
		if e := &l.items[i]; e.created == m.Edge && e.id != "" {
			m.Tied = append(m.Tied, e.id)
		}
	}
}

// reasonTies is why a container ends where more messages share a millisecond than can be shown.
const reasonTies = "ties_unproven"

// memory is what a walk keeps in Position.Memory.
type memory struct {
	api.Trail
	refused int // page tokens, in the window that is read
}

// follows looks at a page token that is to be followed, and gives the reason why it must not be, or nil.
func (m *memory) follows(token string) *connectors.Failure {
	return m.Trail.Token(token, " in one millisecond")
}

// page looks at the ids of a page after which there is more to read.
func (m *memory) page(l *listing) *connectors.Failure {
	ids := make([]string, len(l.items))
	for i := range l.items {
		ids[i] = l.items[i].id
	}
	return m.Page(ids)
}
