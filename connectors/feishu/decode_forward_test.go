package feishu_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/schemas"
)

// part is an item within a merged forward; upper is what it stands in, as told, "" where it is not.
func part(id, upper, fields string) string {
	if upper != "" {
		fields += `,"upper_message_id":"` + upper + `"`
	}
	if !strings.Contains(fields, `"create_time"`) {
		fields += `,"create_time":"1600000000000"`
	}
	return fmt.Sprintf(`{"message_id":%q,"msg_type":"text","chat_id":"oc_source","sender":{"id":"ou_%s"},"body":{"content":"{\"text\":\"%s\"}"}%s}`, id, id, id, fields)
}

// nest is a merged forward, within another where upper is told.
func nest(id, upper, fields string) string {
	return strings.Replace(part(id, upper, fields+`,"create_time":"1650000000000"`), `"text","chat_id":"oc_source"`, `"merge_forward"`, 1)
}

// said gives what pages say in short: a line for each reading, answer and failure. Records stand without platform and tenant.
func said(t *testing.T, out *connectors.Decoded) []string {
	t.Helper()
	short := func(s *string) string {
		if s == nil {
			return "-"
		}
		return strings.TrimPrefix(*s, "feishu/"+tenant+"/")
	}
	var lines []string
	for i := range out.Readings {
		r := &out.Readings[i]
		encode(t, r)
		m, f := &r.Message, &r.Message.Forward
		line := fmt.Sprintf("%d: %s %s", r.Page, short(&m.RecordID), f.Role)
		if f.Path != nil {
			line = fmt.Sprintf("%d: %s %s %s", r.Page, *f.Path, short(&m.RecordID), f.Role)
		}
		if f.Expansion != schemas.ExpansionNotApplicable {
			line += " " + f.Expansion
			if f.ExpansionReason != nil {
				line += " " + *f.ExpansionReason
			}
			if f.ChildCount != nil {
				line += fmt.Sprintf(" %d/%d", *f.ChildCount, *f.DescendantCount)
			}
		}
		if m.State != schemas.MessageNormal {
			line += " " + m.State
		}
		line += linkSaid("parent", &m.Parent, short) + linkSaid("root", &m.Root, short)
		lines = append(lines, line)
	}
	for _, a := range out.Answers {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%d: answer %s %s %s", a.Page, a.MessageID, a.Status, a.Reason)))
	}
	for _, f := range out.Failed {
		lines = append(lines, fmt.Sprintf("%d: failed %s at %q of %q", f.Page, f.Class, f.Pointer, short(&f.RecordID)))
	}
	return lines
}

func linkSaid(name string, l *schemas.Link, short func(*string) string) string {
	switch l.Status {
	case schemas.LinkNone:
		return ""
	case schemas.LinkResolved:
		return " " + name + "=" + short(l.RecordID)
	}
	return " " + name + "=" + l.Status + ":" + short(l.MessageID)
}

// refused is an expansion that the platform answered with a code, or that was given up for a reason.
func refused(id, code, reason string) *schemas.Page {
	p := expansion(id)
	p.HTTPStatus, p.Code, p.Error, p.Body = 400, code, reason, []byte(`{"code":`+code+`,"msg":"no"}`)
	return p
}

// forwardCase is what some pages say together.
type forwardCase struct {
	name  string
	pages []*schemas.Page
	want  []string
}

func (c forwardCase) run(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		out := decodeAll(c.pages...)
		var pages []schemas.Page
		for _, p := range c.pages {
			pages = append(pages, *p)
		}
		conformance.Check(t, pages, out)
		if got := said(t, out); !slices.Equal(got, c.want) {
			t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
		}
	})
}

func TestForwardIsExpanded(t *testing.T) {
	m := nest("M", "", "")
	page := itemsPage(textItem("om_1", ""), m)
	for _, c := range []forwardCase{
		{"flat, after the page's own messages", []*schemas.Page{expansion("M", m, part("a", "M", ""), part("b", "M", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/2",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 2/2",
			"0: 00001 M/a CHILD",
			"0: 00002 M/b CHILD",
		}},
		{"nested, in any order", []*schemas.Page{expansion("M", part("c", "N2", ""), part("a", "N", ""), part("b", "M", ""), nest("N2", "N", ""), m, nest("N", "M", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/5",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 2/5",
			"0: 00001 M/b CHILD",
			"0: 00002 M/N CHILD_CONTAINER COMPLETE 2/3",
			"0: 00002.00001 M/N/a CHILD",
			"0: 00002.00002 M/N/N2 CHILD_CONTAINER COMPLETE 1/1",
			"0: 00002.00002.00001 M/N/N2/c CHILD",
		}},
		{"no upper id", []*schemas.Page{expansion("M", m, part("a", "", "")), page}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD",
		}},
		{"unknown upper id", []*schemas.Page{expansion("M", m, nest("N", "M", ""), part("a", "gone", ""), part("b", "N", "")), page}, []string{
			"0: M CONTAINER PARTIAL upper_missing 2/3",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL upper_missing 2/3",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
		}},
		{"upper id of a message that holds nothing", []*schemas.Page{expansion("M", m, part("a", "M", ""), part("b", "a", "")), page}, []string{
			"0: M CONTAINER PARTIAL upper_missing 2/2",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL upper_missing 2/2",
			"0: 00001 M/a CHILD",
			"0: 00002 M/b CHILD",
		}},
		{"without its own item", []*schemas.Page{expansion("M", part("a", "M", "")), page}, []string{
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD",
		}},
		{"with no children", []*schemas.Page{expansion("M", m), page}, []string{
			"0: M CONTAINER COMPLETE 0/0",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 0/0",
		}},
		{"shown by two pages' items", []*schemas.Page{expansion("M", m, part("a", "M", ""), m), itemsPage(m, m)}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"0: M CONTAINER COMPLETE 1/1",
			"1: M CONTAINER COMPLETE 1/1",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD",
		}},
		{"of another conversation", []*schemas.Page{expansion("M", strings.Replace(m, `"sender"`, `"chat_id":"oc_2","sender"`, 1), part("a", "M", "")),
			itemsPage(strings.Replace(m, `"sender"`, `"chat_id":"oc_2","sender"`, 1))}, []string{
			"0: M CONTAINER UNKNOWN",
			"1: M CONTAINER UNKNOWN",
		}},
		{"same child again", []*schemas.Page{expansion("M", m, part("a", "M", ""), nest("N", "M", ""), part("a", "M", ""), part("a", "N", ""), part("a", "M", "")), page}, []string{
			"0: M CONTAINER COMPLETE 4/5",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 4/5",
			"0: 00001 M/a CHILD",
			"0: 00002 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00002.00001 M/N/a CHILD",
			"0: 00003 M/a#2 CHILD",
			"0: 00004 M/a#3 CHILD",
		}},
		{"same container again", []*schemas.Page{expansion("M", m, nest("N", "M", ""), part("a", "N", ""), nest("N", "M", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/3",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL nested 2/3",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/N/a CHILD",
			"0: 00002 M/N#2 CHILD_CONTAINER PARTIAL repeated 0/0",
		}},
		{"a container of which another message has the id", []*schemas.Page{expansion("M", m, part("N", "M", ""), nest("N", "M", ""), part("a", "N", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/3",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 2/3",
			"0: 00001 M/N CHILD",
			"0: 00002 M/N#2 CHILD_CONTAINER COMPLETE 1/1",
			"0: 00002.00001 M/N#2/a CHILD",
		}},
		{"in itself, by what it tells", []*schemas.Page{expansion("M", nest("M", "M", ""), part("a", "M", "")), page}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD",
		}},
		{"children without an id", []*schemas.Page{expansion("M", m, nest("N", "M", ""), part("", "M", ""), part("", "N", ""), nest("", "M", ""), part(strings.Repeat("x", 2000), "M", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 4/5",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL nested 4/5",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/N/@00001.00001 CHILD",
			"0: 00002 M/@00002 CHILD",
			"0: 00003 M/@00003 CHILD_CONTAINER FAILED missing_id",
			"0: 00004 M/@00004 CHILD",
		}},
		{"ids with separators", []*schemas.Page{expansion("M", m, nest("a/b", "M", ""), part("c#2", "a/b", "")), page}, []string{
			"0: M CONTAINER COMPLETE 1/2",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/2",
			"0: 00001 M/a%2Fb CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/a%2Fb/c%232 CHILD",
		}},
		{"recalled child", []*schemas.Page{expansion("M", m, part("a", "M", `,"deleted":true`)), page}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD RECALLED",
		}},
		{"recalled nested forward", []*schemas.Page{expansion("M", m, nest("N", "M", `,"deleted":true`), part("a", "N", ""), nest("N2", "N", ""), part("b", "N2", "")), page}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"1: om_1 NONE",
			"1: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/N CHILD RECALLED",
		}},
		{"a circle", []*schemas.Page{expansion("M", m, part("x", "M", ""), nest("B", "A", ""), nest("A", "B", ""), part("b", "B", "")), page}, []string{
			"0: M CONTAINER PARTIAL cycle 2/4",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL cycle 2/4",
			"0: 00001 M/x CHILD",
			"0: 00002 M/B CHILD_CONTAINER PARTIAL nested 2/2",
			"0: 00002.00001 M/B/A CHILD_CONTAINER PARTIAL cycle 0/0",
			"0: 00002.00002 M/B/b CHILD",
		}},
		{"a container in itself", []*schemas.Page{expansion("M", m, nest("N", "N", ""), part("b", "N", "")), page}, []string{
			"0: M CONTAINER PARTIAL cycle 1/2",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL cycle 1/2",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL cycle 1/1",
			"0: 00001.00001 M/N/b CHILD",
		}},
		{"the outermost among its own", []*schemas.Page{expansion("M", m, nest("N", "M", ""), nest("M", "N", ""), part("b", "M", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/3",
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL nested 2/3",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL nested 1/1",
			"0: 00001.00001 M/N/M CHILD_CONTAINER PARTIAL cycle 0/0",
			"0: 00002 M/b CHILD",
		}},
		{"only the outermost, in what is in it", []*schemas.Page{expansion("M", nest("N", "M", ""), nest("M", "N", "")), page}, []string{
			"1: om_1 NONE",
			"1: M CONTAINER PARTIAL nested 1/1",
			"0: 00001 M/N CHILD_CONTAINER FAILED not_fetched",
		}},
	} {
		c.run(t)
	}
}
