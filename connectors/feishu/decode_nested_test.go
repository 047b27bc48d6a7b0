package feishu_test

import (
	"fmt"
	"testing"

	"chatlake/schemas"
)

func TestForwardIsCompletedByItsNested(t *testing.T) {
	m, n := nest("M", "", ""), nest("N", "M", "")
	top := expansion("M", m, n, part("a", "M", ""))
	page := itemsPage(m)
	deep := []string{m}
	for i := range 12 {
		deep = append(deep, nest(fmt.Sprintf("N%02d", i+1), fmt.Sprintf("N%02d", i), ""))
	}
	deep[1] = nest("N01", "M", "")
	for _, c := range []forwardCase{
		{"fetched by itself", []*schemas.Page{top, expansion("N", n, part("b", "N", ""), part("c", "", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/4",
			"2: M CONTAINER COMPLETE 2/4",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 2/2",
			"1: 00001.00001 M/N/b CHILD",
			"1: 00001.00002 M/N/c CHILD",
			"0: 00002 M/a CHILD",
		}},
		{"shown by itself as a message of the chat", []*schemas.Page{top, expansion("N", nest("N", "", ""), part("b", "N", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/3",
			"2: M CONTAINER COMPLETE 2/3",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"1: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
		}},
		{"not fetched", []*schemas.Page{top, page}, []string{
			"0: M CONTAINER PARTIAL nested 2/2",
			"1: M CONTAINER PARTIAL nested 2/2",
			"0: 00001 M/N CHILD_CONTAINER FAILED not_fetched",
			"0: 00002 M/a CHILD",
		}},
		{"refused", []*schemas.Page{top, refused("N", "230110", ""), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/2",
			"2: M CONTAINER PARTIAL nested 2/2",
			"0: 00001 M/N CHILD_CONTAINER FAILED 230110",
			"0: 00002 M/a CHILD",
		}},
		{"given up, itself", []*schemas.Page{top, refused("N", "2200", "internal_error"), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/2",
			"2: M CONTAINER PARTIAL nested 2/2",
			"0: 00001 M/N CHILD_CONTAINER FAILED internal_error",
			"0: 00002 M/a CHILD",
		}},
		{"empty, itself", []*schemas.Page{top, expansion("N"), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/2",
			"2: M CONTAINER PARTIAL nested 2/2",
			"0: 00001 M/N CHILD_CONTAINER FAILED empty",
			"0: 00002 M/a CHILD",
		}},
		{"without children by itself either", []*schemas.Page{top, expansion("N", n), page}, []string{
			"0: M CONTAINER COMPLETE 2/2",
			"2: M CONTAINER COMPLETE 2/2",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 0/0",
			"0: 00002 M/a CHILD",
		}},
		{"an unknown upper id in it", []*schemas.Page{top, expansion("N", n, part("b", "gone", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/3",
			"2: M CONTAINER PARTIAL nested 2/3",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL upper_missing 1/1",
			"1: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
		}},
		{"a broken item in it", []*schemas.Page{top, expansion("N", n, `{"x":tru}`, part("b", "N", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/3",
			"2: M CONTAINER PARTIAL nested 2/3",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL bad_item 1/1",
			"1: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
			`1: failed bad_item at "/data/items/1" of "M"`,
		}},
		{"two levels", []*schemas.Page{top, expansion("N", n, nest("N2", "N", "")), expansion("N2", nest("N2", "N", ""), part("b", "N2", "")), page}, []string{
			"0: M CONTAINER COMPLETE 2/4",
			"3: M CONTAINER COMPLETE 2/4",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/2",
			"1: 00001.00001 M/N/N2 CHILD_CONTAINER COMPLETE 1/1",
			"2: 00001.00001.00001 M/N/N2/b CHILD",
			"0: 00002 M/a CHILD",
		}},
		{"fetched round in a circle", []*schemas.Page{top, expansion("N", n, nest("N2", "N", "")), expansion("N2", nest("N2", "N", ""), nest("N", "N2", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/4",
			"3: M CONTAINER PARTIAL nested 2/4",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL nested 1/2",
			"1: 00001.00001 M/N/N2 CHILD_CONTAINER PARTIAL nested 1/1",
			"2: 00001.00001.00001 M/N/N2/N CHILD_CONTAINER PARTIAL cycle 0/0",
			"0: 00002 M/a CHILD",
		}},
		{"what is told with the outermost goes before", []*schemas.Page{expansion("M", m, n, part("a", "N", "")), expansion("N", n, part("b", "N", "")), page}, []string{
			"0: M CONTAINER COMPLETE 1/2",
			"2: M CONTAINER COMPLETE 1/2",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/N/a CHILD",
		}},
		{"in two forwards", []*schemas.Page{top, expansion("M2", nest("M2", "", ""), nest("N", "M2", "")), expansion("N", n, part("b", "N", "")), itemsPage(m, nest("M2", "", ""))}, []string{
			"0: M CONTAINER COMPLETE 2/3",
			"1: M2 CONTAINER COMPLETE 1/2",
			"3: M CONTAINER COMPLETE 2/3",
			"3: M2 CONTAINER COMPLETE 1/2",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"2: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
			"1: 00001 M2/N CHILD_CONTAINER COMPLETE 1/1",
			"2: 00001.00001 M2/N/b CHILD",
		}},
		{"twice in one forward", []*schemas.Page{expansion("M", m, n, nest("O", "M", ""), nest("N", "O", "")), expansion("N", n, part("b", "N", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/4",
			"2: M CONTAINER PARTIAL nested 2/4",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"1: 00001.00001 M/N/b CHILD",
			"0: 00002 M/O CHILD_CONTAINER PARTIAL nested 1/1",
			"0: 00002.00001 M/O/N CHILD_CONTAINER PARTIAL repeated 0/0",
		}},
		{"twice in one forward, by two answers", []*schemas.Page{expansion("M", m, n, nest("O", "M", "")), expansion("O", nest("N", "O", "")), expansion("N", n, part("b", "N", "")), page}, []string{
			"0: M CONTAINER PARTIAL nested 2/4",
			"3: M CONTAINER PARTIAL nested 2/4",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"2: 00001.00001 M/N/b CHILD",
			"0: 00002 M/O CHILD_CONTAINER PARTIAL nested 1/1",
			"1: 00002.00001 M/O/N CHILD_CONTAINER PARTIAL repeated 0/0",
		}},
		{"which the chat shows, too", []*schemas.Page{top, expansion("N", nest("N", "", ""), part("b", "N", "")), itemsPage(m, nest("N", "", ""))}, []string{
			"0: M CONTAINER COMPLETE 2/3",
			"1: N CONTAINER COMPLETE 1/1",
			"2: M CONTAINER COMPLETE 2/3",
			"2: N CONTAINER COMPLETE 1/1",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"1: 00001.00001 M/N/b CHILD",
			"0: 00002 M/a CHILD",
			"1: 00001 N/b CHILD",
		}},
		{"too deep", []*schemas.Page{expansion("M", deep...), page}, []string{
			"0: M CONTAINER PARTIAL nested 1/10",
			"1: M CONTAINER PARTIAL nested 1/10",
			"0: 00001 M/N01 CHILD_CONTAINER PARTIAL nested 1/9",
			"0: 00001.00001 M/N01/N02 CHILD_CONTAINER PARTIAL nested 1/8",
			"0: 00001.00001.00001 M/N01/N02/N03 CHILD_CONTAINER PARTIAL nested 1/7",
			"0: 00001.00001.00001.00001 M/N01/N02/N03/N04 CHILD_CONTAINER PARTIAL nested 1/6",
			"0: 00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05 CHILD_CONTAINER PARTIAL nested 1/5",
			"0: 00001.00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05/N06 CHILD_CONTAINER PARTIAL nested 1/4",
			"0: 00001.00001.00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05/N06/N07 CHILD_CONTAINER PARTIAL nested 1/3",
			"0: 00001.00001.00001.00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05/N06/N07/N08 CHILD_CONTAINER PARTIAL nested 1/2",
			"0: 00001.00001.00001.00001.00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05/N06/N07/N08/N09 CHILD_CONTAINER PARTIAL nested 1/1",
			"0: 00001.00001.00001.00001.00001.00001.00001.00001.00001.00001 M/N01/N02/N03/N04/N05/N06/N07/N08/N09/N10 CHILD_CONTAINER PARTIAL depth 0/0",
		}},
		{"of a look-up", []*schemas.Page{lookupExpansion("M", "N", n, part("b", "N", "")), getPage(itemsPage(m, n).Body, "M")}, []string{
			"1: M CONTAINER COMPLETE 1/2",
			"1: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"0: 00001.00001 M/N/b CHILD",
		}},
	} {
		c.run(t)
	}
}

// lookupExpansion is the answer about a forward within the one that a look-up asked for.
func lookupExpansion(lookup, id string, items ...string) *schemas.Page {
	p := getPage(itemsPage(items...).Body, lookup)
	p.Subject, p.Final = id, false
	return p
}

func TestForwardThatIsNotExpanded(t *testing.T) {
	m := nest("M", "", "")
	page := itemsPage(m)
	recalled := nest("M", "", `,"deleted":true`)
	html := expansion("M")
	html.Body = []byte("<html>")
	broken := expansion("M")
	broken.Body = itemsPage(m, part("a", "M", ""), part("b", "M", `,"deleted":tru`), "null", part("c", "M", "")).Body
	for _, c := range []forwardCase{
		{"no answer in the group", []*schemas.Page{page}, []string{
			"0: M CONTAINER UNKNOWN",
		}},
		{"deleted meanwhile", []*schemas.Page{refused("M", "230110", ""), page}, []string{
			"1: M CONTAINER FAILED 230110",
			"0: answer M DELETED",
		}},
		{"not allowed", []*schemas.Page{refused("M", "230050", ""), page}, []string{
			"1: M CONTAINER FAILED 230050",
		}},
		{"given up", []*schemas.Page{refused("M", "2200", "internal_error"), page}, []string{
			"1: M CONTAINER FAILED internal_error",
		}},
		{"an error in the body alone", []*schemas.Page{{Container: page.Container, Conversation: page.Conversation, Type: schemas.FeishuMessagesGet, Number: 1,
			Code: "0", Subject: "M", Body: []byte(`{"code":230013,"msg":"no"}`)}, page}, []string{
			"1: M CONTAINER FAILED 230013",
		}},
		{"empty", []*schemas.Page{expansion("M"), page}, []string{
			"1: M CONTAINER FAILED empty",
		}},
		{"refused once, then shown", []*schemas.Page{refused("M", "2200", "internal_error"), expansion("M", m, part("a", "M", "")), page}, []string{
			"1: M CONTAINER COMPLETE 1/1",
			"2: M CONTAINER COMPLETE 1/1",
			"1: 00001 M/a CHILD",
		}},
		{"nothing but a broken item", []*schemas.Page{expansion("M", `{"x":tru}`), page}, []string{
			"1: M CONTAINER PARTIAL bad_item 0/0",
			`0: failed bad_item at "/data/items/0" of "M"`,
		}},
		{"in itself, without its page", []*schemas.Page{expansion("M", m, nest("N", "M", ""), nest("M", "N", ""))}, []string{
			"0: M CONTAINER PARTIAL nested 1/2",
			"0: 00001 M/N CHILD_CONTAINER PARTIAL nested 1/1",
			"0: 00001.00001 M/N/M CHILD_CONTAINER PARTIAL cycle 0/0",
		}},
		{"unreadable", []*schemas.Page{html, page}, []string{
			"1: M CONTAINER FAILED unreadable",
			`0: failed unreadable at "" of "M"`,
		}},
		{"in part unreadable", []*schemas.Page{broken, page}, []string{
			"0: M CONTAINER PARTIAL bad_item 2/2",
			"1: M CONTAINER PARTIAL bad_item 2/2",
			"0: 00001 M/a CHILD",
			"0: 00002 M/c CHILD",
			`0: failed bad_item at "/data/items/2" of "M"`,
			`0: failed bad_item at "/data/items/3" of "M"`,
		}},
		{"recalled in the list", []*schemas.Page{expansion("M", m, part("a", "M", "")), itemsPage(recalled)}, []string{
			"0: M CONTAINER FAILED recalled",
			"1: M NONE RECALLED",
		}},
		{"recalled when it was fetched", []*schemas.Page{expansion("M", recalled, part("a", "M", "")), page}, []string{
			"0: M NONE RECALLED",
			"1: M CONTAINER FAILED recalled",
		}},
		{"without its page", []*schemas.Page{expansion("M", m, part("a", "M", ""))}, []string{
			"0: M CONTAINER COMPLETE 1/1",
			"0: 00001 M/a CHILD",
		}},
		{"without its page, nested", []*schemas.Page{expansion("M", m, nest("N", "M", "")), expansion("N", nest("N", "M", ""), part("a", "N", ""))}, []string{
			"0: M CONTAINER COMPLETE 1/2",
			"0: 00001 M/N CHILD_CONTAINER COMPLETE 1/1",
			"1: 00001.00001 M/N/a CHILD",
		}},
		{"without anybody who shows it", []*schemas.Page{expansion("M", part("a", "M", "")), itemsPage(textItem("om_1", ""))}, []string{
			"1: om_1 NONE",
			`0: failed unplaced at "" of ""`,
		}},
		{"that is none in the list", []*schemas.Page{expansion("om_1", part("a", "om_1", "")), itemsPage(textItem("om_1", ""))}, []string{
			"1: om_1 NONE",
			`0: failed unplaced at "" of ""`,
		}},
		{"a snapshot that was looked up", []*schemas.Page{getPage(itemsPage(part("a", "M", "")).Body, "a")}, []string{
			"0: answer a MISSING absent",
		}},
		{"each in the other, without their page", []*schemas.Page{expansion("M", nest("M", "N", ""), nest("N", "M", "")), expansion("N", nest("N", "M", ""), nest("M", "N", ""))}, []string{
			`0: failed unplaced at "" of ""`,
			`1: failed unplaced at "" of ""`,
		}},
	} {
		c.run(t)
	}
}
