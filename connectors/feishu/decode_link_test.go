package feishu_test

import (
	"testing"

	"chatlake/schemas"
)

func TestLinksWithinAForward(t *testing.T) {
	m := nest("M", "", "")
	told := func(parent, root string) string {
		s := ""
		if parent != "" {
			s += `,"parent_id":"` + parent + `"`
		}
		if root != "" {
			s += `,"root_id":"` + root + `"`
		}
		return s
	}
	for _, c := range []forwardCase{
		{"to siblings", []*schemas.Page{expansion("M", m, part("c", "M", told("b", "a")), part("b", "M", told("a", "a")), part("a", "M", "")), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 3/3",
			"1: M CONTAINER COMPLETE 3/3",
			"0: 00001 M/c CHILD parent=M/b root=M/a",
			"0: 00002 M/b CHILD parent=M/a root=M/a",
			"0: 00003 M/a CHILD",
		}},
		{"a parent alone", []*schemas.Page{expansion("M", m, part("d", "M", told("c", "")), part("c", "M", told("b", "")), part("b", "M", told("a", "")), part("a", "M", "")), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 4/4",
			"1: M CONTAINER COMPLETE 4/4",
			"0: 00001 M/d CHILD parent=M/c root=M/a",
			"0: 00002 M/c CHILD parent=M/b root=M/a",
			"0: 00003 M/b CHILD parent=M/a root=M/a",
			"0: 00004 M/a CHILD",
		}},
		{"a root alone", []*schemas.Page{expansion("M", m, part("b", "M", told("", "a")), part("a", "M", ""), part("c", "M", told("", "gone"))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 3/3",
			"1: M CONTAINER COMPLETE 3/3",
			"0: 00001 M/b CHILD root=M/a",
			"0: 00002 M/a CHILD",
			"0: 00003 M/c CHILD root=OUT_OF_SCOPE:gone",
		}},
		{"out of the forward", []*schemas.Page{expansion("M", m, part("a", "M", told("gone", "older")), part("b", "M", told("gone", "")), part("c", "M", told("b", "")), part("d", "M", told("a", ""))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 4/4",
			"1: M CONTAINER COMPLETE 4/4",
			"0: 00001 M/a CHILD parent=OUT_OF_SCOPE:gone root=OUT_OF_SCOPE:older",
			"0: 00002 M/b CHILD parent=OUT_OF_SCOPE:gone root=OUT_OF_SCOPE:gone",
			"0: 00003 M/c CHILD parent=M/b root=OUT_OF_SCOPE:gone",
			"0: 00004 M/d CHILD parent=M/a root=OUT_OF_SCOPE:older",
		}},
		{"to the container", []*schemas.Page{expansion("M", m, part("a", "M", told("M", "")), nest("N", "M", ""), part("b", "N", told("N", ""))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 2/3",
			"1: M CONTAINER COMPLETE 2/3",
			"0: 00001 M/a CHILD parent=OUT_OF_SCOPE:M root=OUT_OF_SCOPE:M",
			"0: 00002 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00002.00001 M/N/b CHILD parent=M/N root=M/N",
		}},
		{"to another level, the own one first", []*schemas.Page{expansion("M", m, part("a", "M", ""), nest("N", "M", ""), part("a", "N", ""), part("b", "N", told("a", "")), part("c", "M", told("b", "a"))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 3/5",
			"1: M CONTAINER COMPLETE 3/5",
			"0: 00001 M/a CHILD",
			"0: 00002 M/N CHILD_CONTAINER COMPLETE 2/2",
			"0: 00002.00001 M/N/a CHILD",
			"0: 00002.00002 M/N/b CHILD parent=M/N/a root=M/N/a",
			"0: 00003 M/c CHILD parent=M/N/b root=M/a",
		}},
		{"to one that stands twice", []*schemas.Page{expansion("M", m, part("a", "M", ""), part("a", "M", ""), part("b", "M", told("a", ""))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 3/3",
			"1: M CONTAINER COMPLETE 3/3",
			"0: 00001 M/a CHILD",
			"0: 00002 M/a#2 CHILD",
			"0: 00003 M/b CHILD parent=M/a root=M/a",
		}},
		{"to itself", []*schemas.Page{expansion("M", m, part("a", "M", told("a", "a")), part("b", "M", told("c", "")), part("c", "M", told("", "b"))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 3/3",
			"1: M CONTAINER COMPLETE 3/3",
			"0: 00001 M/a CHILD",
			"0: 00002 M/b CHILD parent=M/c root=M/c",
			"0: 00003 M/c CHILD root=M/b",
		}},
		{"answers in a circle", []*schemas.Page{expansion("M", m, part("x", "M", told("a", "")), part("a", "M", told("b", "")), part("b", "M", told("c", "")), part("c", "M", told("a", ""))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 4/4",
			"1: M CONTAINER COMPLETE 4/4",
			"0: 00001 M/x CHILD parent=M/a root=M/c",
			"0: 00002 M/a CHILD parent=M/b root=M/c",
			"0: 00003 M/b CHILD parent=M/c root=M/a",
			"0: 00004 M/c CHILD parent=M/a root=M/b",
		}},
		{"to a recalled one", []*schemas.Page{expansion("M", m, part("a", "M", `,"deleted":true`), part("b", "M", told("a", ""))), itemsPage(m)}, []string{
			"0: M CONTAINER COMPLETE 2/2",
			"1: M CONTAINER COMPLETE 2/2",
			"0: 00001 M/a CHILD RECALLED",
			"0: 00002 M/b CHILD parent=M/a root=M/a",
		}},
		{"to a native message of the page", []*schemas.Page{expansion("M", m, part("a", "M", told("om_1", ""))), itemsPage(m, textItem("om_1", ""))}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"1: M CONTAINER COMPLETE 1/1",
			"1: om_1 NONE",
			"0: 00001 M/a CHILD parent=OUT_OF_SCOPE:om_1 root=OUT_OF_SCOPE:om_1",
		}},
	} {
		c.run(t)
	}
}
