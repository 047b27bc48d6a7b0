package normalize

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"chatlake/pipeline"
	"chatlake/schemas"
)

// What a topic does not take is only known when it says so. The page that brought the record is then normalized again,
// in a transaction of its own, and the record is made smaller: in steps that depend on nothing but the record, as many
// as it takes. So each replay ends at the same bytes, wherever transactions begin and end.

// reasonTooLarge is the reason of an issue about what was cut for the sake of max.message.bytes.
const reasonTooLarge = "too_large"

// shrink notes what a topic said of a record of the transaction.
func (s *session) shrink(e *pipeline.TooLarge) {
	o, size := s.origins[e.Index], len(s.out[e.Index].Value)
	bytes := size - 1
	if e.Size > 0 {
		bytes = min(bytes, int(int64(size)*int64(e.Limit)/int64(e.Size)))
	}
	s.limits[o], s.apart = limit{max(bytes, 0), e.Limit}, o.at.Offset
	s.Logger.Warn("a record does not fit into its topic: it is made smaller", "topic", e.Topic, "subject", s.out[e.Index].Key, "bytes", e.Size,
		"limit_bytes", e.Limit, "offset", o.at.Offset)
}

// fit encodes a message as its topic takes it: cut where it was refused. The value is nil where no cut is enough.
func (s *session) fit(o origin, m *schemas.Message) (value []byte, err error) {
	l, refused := s.limits[o]
	begin := s.arena.room()
	for {
		end, err := schemas.MessageSchema.Append(begin, s.IDs[s.Topics.Messages], m)
		if err != nil {
			return nil, err
		}
		if value = end[len(begin):len(end):len(end)]; !refused || len(value) <= l.bytes {
			s.arena.chunk = end
			return value, nil
		}
		if !cut(m, l.topic) {
			return nil, nil
		}
	}
}

// sameCut reports whether a message, cut as the version before was, says no more than that.
func (s *session) sameCut(m *schemas.Message, value []byte, digest uint64) (bool, error) {
	var old schemas.Message
	_, body, err := schemas.Frame(value)
	if err == nil {
		err = schemas.MessageSchema.Decode(body, &old)
	}
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(old.Issues, isCut)
	if i < 0 {
		return false, nil
	}
	limit, _ := strconv.Atoi(old.Issues[i].Attributes.Get("limit")) // 0: no issue of ours, and nothing will be the same
	c := *m
	c.Issues = slices.Clone(m.Issues)
	for cut(&c, limit) {
		if c.Fingerprint() == digest {
			return true, nil
		}
	}
	return false, nil
}

func isCut(i schemas.Issue) bool { return i.Reason == reasonTooLarge }

// minCut is the least, in bytes, that is worth an issue.
const minCut = 128

// part is a field that can be cut. cut makes it smaller and reports whether anything is left.
type part struct {
	name string
	size int
	cut  func(m *schemas.Message) (left bool)
}

// cut makes a message smaller by one step and notes it as an issue; false where nothing is left to cut. The text is what
// people read: it goes last, unless it is by far the largest.
func cut(m *schemas.Message, limit int) bool {
	parts := []part{
		{"content_json", lenOf(m.ContentJSON), func(m *schemas.Message) bool { m.ContentJSON = nil; return false }}, // half of it is no JSON
		{"attachments", sizeOfAttachments(m.Attachments), func(m *schemas.Message) bool { return half(&m.Attachments) }},
		{"attachments.url", sizeOfURLs(m.Attachments), dropURLs},
		{"mentions", sizeOfMentions(m.Mentions), func(m *schemas.Message) bool { return half(&m.Mentions) }},
		{"attributes", sizeOfAttributes(m.Attributes), func(m *schemas.Message) bool { return half((*[]schemas.Attribute)(&m.Attributes)) }},
		{"issues", sizeOfIssues(m.Issues), halfIssues},
	}
	worst := slices.MaxFunc(parts, func(a, b part) int { return cmp.Compare(a.size, b.size) })
	if text := lenOf(m.Text); text >= minCut && (worst.size < minCut || text/16 > worst.size) {
		worst = part{"text", text, cutText}
	}
	if worst.size < minCut {
		return false
	}
	action := schemas.IssueTruncated
	if !worst.cut(m) {
		action = schemas.IssueNulled
	}
	noteCut(m, worst.name, action, worst.size, limit)
	return true
}

// noteCut notes that a field was cut; of several cuts of one field the first tells its size.
func noteCut(m *schemas.Message, field, action string, size, limit int) {
	i := slices.IndexFunc(m.Issues, func(i schemas.Issue) bool { return isCut(i) && i.Field == field })
	if i >= 0 {
		m.Issues[i].Action = action
		return
	}
	m.Issues = append(slices.Clone(m.Issues), schemas.Issue{
		Field: field, Action: action, Reason: reasonTooLarge,
		Attributes: schemas.Attributes{{Key: "limit", Value: strconv.Itoa(limit)}, {Key: "size", Value: strconv.Itoa(size)}},
	})
}

// cutText keeps three quarters.
func cutText(m *schemas.Message) bool {
	n := len(*m.Text) / 4 * 3
	for n > 0 && !utf8.RuneStart((*m.Text)[n]) {
		n--
	}
	if n < minCut {
		m.Text = nil
		return false
	}
	text := strings.Clone((*m.Text)[:n])
	m.Text = &text
	return true
}

func half[T any](list *[]T) bool {
	if *list = (*list)[:len(*list)/2]; len(*list) == 0 {
		*list = nil
	}
	return *list != nil
}

// halfIssues leaves those alone that tell what was cut.
func halfIssues(m *schemas.Message) bool {
	var cuts, others []schemas.Issue
	for _, i := range m.Issues {
		if isCut(i) {
			cuts = append(cuts, i)
		} else {
			others = append(others, i)
		}
	}
	left := half(&others)
	m.Issues = append(others, cuts...)
	return left
}

func lenOf(s *string) int {
	if s == nil {
		return 0
	}
	return len(*s)
}

func lensOf(all ...*string) (n int) {
	for _, s := range all {
		n += lenOf(s)
	}
	return n
}

func sizeOfAttributes(a schemas.Attributes) (n int) {
	for i := range a {
		n += len(a[i].Key) + len(a[i].Value) + 2
	}
	return n
}

// perItem is about what an item of a list takes beside its texts.
const perItem = 16

// sizeOfAttachments leaves URLs out: their signatures change from reading to reading.
func sizeOfAttachments(list []schemas.Attachment) (n int) {
	for i := range list {
		a := &list[i]
		n += perItem + lensOf(a.FileKey, a.Name, a.MD5, a.MimeType) + sizeOfAttributes(a.Attributes)
	}
	return n
}

func sizeOfURLs(list []schemas.Attachment) (n int) {
	for i := range list {
		n += lenOf(list[i].URL)
	}
	return n
}

func dropURLs(m *schemas.Message) bool {
	m.Attachments = slices.Clone(m.Attachments)
	for i := range m.Attachments {
		m.Attachments[i].URL = nil
	}
	return false
}

func sizeOfMentions(list []schemas.Mention) (n int) {
	for i := range list {
		m := &list[i]
		n += perItem + len(m.Placeholder) + lensOf(m.ID, m.IDType, m.Name, m.TenantID) + sizeOfAttributes(m.Attributes)
	}
	return n
}

func sizeOfIssues(list []schemas.Issue) (n int) {
	for i := range list {
		if v := &list[i]; !isCut(*v) {
			n += perItem + len(v.Field) + len(v.Action) + len(v.Reason) + sizeOfAttributes(v.Attributes)
		}
	}
	return n
}

// fitDeadLetter encodes a dead letter as its topic takes it, without what names it in other words where it was refused. The
// value is nil where not even its id fits; the log then is all that tells of it.
func (s *session) fitDeadLetter(o origin, d *schemas.DeadLetter) ([]byte, error) {
	l, refused := s.limits[o]
	drops := []func(){
		func() { d.ErrorMessage = firstBytes(d.ErrorMessage, 256) }, func() { d.ItemPointer = nil }, func() { d.ContainerKey = nil },
		func() { d.RecordID = nil }, func() { d.ErrorMessage = "" }, func() { d.ConversationKey = string(pipeline.NoConversation) },
		func() { d.PageID = nil },
	}
	for {
		value, err := schemas.DeadLetterSchema.Append(nil, s.IDs[s.Topics.DeadLetters], d)
		if err != nil || !refused || len(value) <= l.bytes {
			return value, err
		}
		if len(drops) == 0 {
			return nil, nil
		}
		drops[0]()
		drops = drops[1:]
	}
}

func firstBytes(s string, n int) string { return strings.ToValidUTF8(s[:min(len(s), n)], "") }
