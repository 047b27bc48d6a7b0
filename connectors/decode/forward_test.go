package decode_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// twig is a child with what stands in it.
type twig struct {
	id, client   string
	parent, root string // told links; a client's id begins with '~'
	expansion    string // of a container, "": it is none
	reason       string
	within       []twig
	unread       bool // it cannot be read
}

func told(id string) schemas.Link {
	l := schemas.Link{Status: schemas.LinkPending}
	if client, ok := strings.CutPrefix(id, "~"); ok {
		l.ClientMessageID = &client
	} else if id != "" {
		l.MessageID = &id
	} else {
		l.Status = schemas.LinkNone
	}
	return l
}

func (t *twig) child() *decode.Child {
	if t.unread {
		return nil
	}
	c := &decode.Child{}
	m := &c.Reading.Message
	m.MessageID, m.Parent, m.Root = t.id, told(t.parent), told(t.root)
	if t.client != "" {
		m.ClientMessageID = &t.client
	}
	if t.parent != "" && t.root == "" {
		m.Root.Status = schemas.LinkPending
	}
	if t.expansion != "" {
		c.Open = func() decode.Opened {
			return decode.Opened{Expansion: t.expansion, Reason: t.reason, Children: children(t.within)}
		}
	}
	return c
}

func children(twigs []twig) func(func(*decode.Child) bool) {
	return func(yield func(*decode.Child) bool) {
		for i := range twigs {
			if !yield(twigs[i].child()) {
				return
			}
		}
	}
}

func expand(e *decode.Expander, twigs ...twig) (schemas.Forward, []connectors.Reading) {
	out := connectors.Decoded{Readings: make([]connectors.Reading, 1)}
	root := schemas.Message{RecordID: "p/t/M", MessageID: "M", ConversationID: "c", OccurredAt: 5, EventDate: "1970-01-01"}
	f := e.Expand(&out, &root, decode.Opened{Expansion: schemas.ExpansionComplete, Children: children(twigs)})
	return f, out.Readings[1:]
}

func TestExpand(t *testing.T) {
	var e decode.Expander
	complete := schemas.ExpansionComplete
	for _, c := range []struct {
		name  string
		twigs []twig
		top   string
		want  []string
	}{
		{"nothing", nil, "COMPLETE 0/0", nil},
		{"one that cannot be read keeps its number", []twig{{id: "a"}, {unread: true}, {id: "b"}}, "COMPLETE 2/2", []string{"00001 M/a", "00003 M/b"}},
		{"ids of clients, and none", []twig{{client: "u/1"}, {}, {id: "u/1"}}, "COMPLETE 3/3", []string{"00001 M/u%2F1", "00002 M/@00002", "00003 M/u%2F1#2"}},
		{"containers that are not whole", []twig{
			{id: "N", expansion: schemas.ExpansionFailed, reason: "404"}, {id: "O", expansion: complete, within: []twig{{id: "P", expansion: schemas.ExpansionPartial, reason: "md5", within: []twig{{id: "a"}}}}},
		}, "PARTIAL nested 2/4", []string{"00001 M/N FAILED 404", "00002 M/O PARTIAL nested 1/2", "00002.00001 M/O/P PARTIAL md5 1/1", "00002.00001.00001 M/O/P/a"}},
		{"a container in itself", []twig{{id: "N", expansion: complete, within: []twig{{id: "N", expansion: complete, within: []twig{{id: "a"}}}, {id: "M", expansion: complete}}}},
			"PARTIAL nested 1/3", []string{"00001 M/N PARTIAL nested 2/2", "00001.00001 M/N/N PARTIAL cycle 0/0", "00001.00002 M/N/M PARTIAL cycle 0/0"}},
		{"links by a client's id", []twig{{id: "a", client: "x"}, {id: "b", parent: "~x"}, {id: "c", client: "y", parent: "~y"}, {id: "d", parent: "~z", root: "~x"}},
			"COMPLETE 4/4", []string{"00001 M/a", "00002 M/b parent=M/a root=M/a", "00003 M/c", "00004 M/d parent=OUT_OF_SCOPE root=M/a"}},
		{"a circle of answers", []twig{{id: "a", parent: "b"}, {id: "b", parent: "a"}, {id: "c", parent: "a"}},
			"COMPLETE 3/3", []string{"00001 M/a parent=M/b root=M/b", "00002 M/b parent=M/a root=M/a", "00003 M/c parent=M/a root=M/b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, rows := expand(&e, c.twigs...)
			var got []string
			for i := range rows {
				m := &rows[i].Message
				got = append(got, strings.TrimSpace(*m.Forward.Path+" "+short(m.RecordID)+" "+whole(&m.Forward)+link(" parent", &m.Parent)+link(" root", &m.Root)))
				got[i] = strings.ReplaceAll(got[i], "  ", " ")
			}
			if f.Role != schemas.ForwardContainer || whole(&f) != c.top || !slices.Equal(got, c.want) {
				t.Errorf("%s %s\n\t%s\nwant %s\n\t%s", f.Role, whole(&f), strings.Join(got, "\n\t"), c.top, strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func short(record string) string { return strings.TrimPrefix(record, "p/t/") }

// whole gives how far a container is expanded, "" for what is none.
func whole(f *schemas.Forward) string {
	if f.Expansion == schemas.ExpansionNotApplicable {
		return ""
	}
	s := f.Expansion
	if f.ExpansionReason != nil {
		s += " " + *f.ExpansionReason
	}
	if f.ChildCount != nil {
		s += fmt.Sprintf(" %d/%d", *f.ChildCount, *f.DescendantCount)
	}
	return s
}

func link(name string, l *schemas.Link) string {
	switch l.Status {
	case schemas.LinkNone:
		return ""
	case schemas.LinkResolved:
		return name + "=" + short(*l.RecordID)
	}
	return name + "=" + l.Status
}

// A path has five digits for each number, so what stands beyond them is not taken.
func TestExpandBeyondFiveDigits(t *testing.T) {
	var e decode.Expander
	twigs := make([]twig, 100_005)
	for i := range twigs {
		twigs[i].unread = i > 0 && i < 99_998
	}
	f, rows := expand(&e, twigs...)
	if whole(&f) != "PARTIAL too_many 2/2" || *rows[1].Message.Forward.Path != "99999" {
		t.Errorf("%s, %d rows", whole(&f), len(rows))
	}
}

// A row names all that it stands in: a few long ids, which a sender's app may choose, must not weigh gigabytes in many rows,
// nor in the many forwards of one page.
func TestExpandLongNames(t *testing.T) {
	var e decode.Expander
	long := strings.Repeat("/", decode.MaxID)
	in := make([]twig, 20_000)
	for i := range in {
		in[i].id = fmt.Sprint(i)
	}
	for i := range 9 {
		in = []twig{{id: fmt.Sprint(i) + long, expansion: schemas.ExpansionComplete, within: in}}
	}
	names := 0
	for range 3 {
		f, rows := expand(&e, in...)
		for i := range rows {
			names += len(rows[i].Message.RecordID)
		}
		if f.Expansion != schemas.ExpansionPartial {
			t.Errorf("%s with %d rows", whole(&f), len(rows))
		}
	}
	if names > 65<<20 || names < 16<<20 {
		t.Errorf("record ids of %d bytes", names)
	}
	e.Begin()
	if f, rows := expand(&e, twig{id: "1"}); whole(&f) != "COMPLETE 1/1" || len(rows) != 1 {
		t.Errorf("another page: %s", whole(&f))
	}
}
