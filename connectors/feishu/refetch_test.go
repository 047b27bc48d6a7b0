package feishu_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// in is a merged forward within another.
func in(id, upper string, extra ...string) string {
	return msg(id, 1700000000000, append([]string{forward, `"upper_message_id":"` + upper + `"`}, extra...)...)
}

// expansions gives the subjects of a page's expansions, in order.
func expansions(p *connectors.Page) (ids []string) {
	for _, e := range p.Expansions {
		ids = append(ids, e.Subject)
	}
	return ids
}

func TestNestedForwardsAreFetchedAgain(t *testing.T) {
	leaf := func(upper string) string { return msg("leaf", 1700000000000, `"upper_message_id":"`+upper+`"`) }
	top := msg("M", 1700000000000, forward)
	for _, c := range []struct {
		name   string
		script script
		want   []string
	}{
		{"all there", script{"get M": list("", top, in("N", "M"), leaf("N"))}, []string{"M"}},
		{"one without children", script{"get M": list("", top, in("N", "M")), "get N": list("", in("N", "M"), leaf("N"))}, []string{"M", "N"}},
		{"recalled", script{"get M": list("", top, in("N", "M", `"deleted":true`))}, []string{"M"}},
		{"with an id that is none", script{"get M": list("", top, in("..", "M"), in("", "M"))}, []string{"M"}},
		{"twice, and in itself", script{"get M": list("", top, in("N", "M"), in("N", "M"), in("M", "N"))}, []string{"M"}},
		{"level by level", script{
			"get M": list("", top, in("N1", "M"), in("N2", "M")), "get N1": list("", in("N1", "M"), in("N3", "N1")),
			"get N2": list("", in("N3", "N2"), in("N4", "N2")), "get N3": list("", leaf("N3")), "get N4": list("", in("N1", "N4"), in("M", "N4")),
		}, []string{"M", "N1", "N2", "N3", "N4"}},
		{"of two forwards, once", script{
			"list oc_1": list("", top, msg("M2", 1700000000000, forward)), "get M": list("", top, in("N", "M")),
			"get M2": list("", in("N", "M2"), in("M", "M2")), "get N": list("", leaf("N")),
		}, []string{"M", "M2", "N"}},
		{"refused", script{"get M": list("", top, in("N", "M"), in("N2", "M")), "get N": `400 {"code":230110}`, "get N2": `400 {"code":2200}`}, []string{"M", "N", "N2"}},
		{"outermost refused", script{"get M": `400 {"code":230110}`}, []string{"M"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.script["list oc_1"] == "" {
				c.script["list oc_1"] = list("", top)
			}
			f := c.script.serve(t)
			pages, err := read(t, f.source(), container("chat", "oc_1"), connectors.Position{})
			if err != nil || len(pages) != 1 {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			same(t, "expansions", expansions(pages[0]), c.want)
			if pages[0].Calls != len(f.requests()) {
				t.Errorf("the page tells of %d calls, there were %d", pages[0].Calls, len(f.requests()))
			}
			if c.script["list oc_1"] != list("", top) {
				return
			}
			f = c.script.serve(t)
			look, err := read(t, f.source(), container("message", "M"), connectors.Position{})
			if err != nil || len(look) != 1 || look[0].Subject != "M" || look[0].Failed != nil || look[0].Calls != len(f.requests()) {
				t.Fatalf("a look-up: %+v, %v", look, err)
			}
			same(t, "expansions of a look-up", expansions(look[0]), c.want[1:])
		})
	}
}

func TestNestedForwardThatCannotBeFetchedNowHoldsThePageBack(t *testing.T) {
	s := script{"list oc_1": list("", msg("M", 1700000000000, forward)), "get M": list("", msg("M", 1700000000000, forward), in("N", "M")), "get N": `502 {"code":0}`}
	for _, kind := range []string{"chat", "message"} {
		id := map[string]string{"chat": "oc_1", "message": "M"}[kind]
		pages, err := read(t, s.serve(t).source(), container(kind, id), connectors.Position{})
		var e *connectors.Error
		if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassUnavailable {
			t.Errorf("%s: %d pages, %v", kind, len(pages), err)
		}
	}
}

// What refetching costs is bounded: in depth, and in calls for a page.
func TestRefetchingIsBounded(t *testing.T) {
	top := msg("M", 1700000000000, forward)
	deep := script{"list oc_1": list("", top), "get M": list("", top, in("N01", "M"))}
	for i := 1; i < 30; i++ {
		deep[fmt.Sprintf("get N%02d", i)] = list("", in(fmt.Sprintf("N%02d", i+1), fmt.Sprintf("N%02d", i)))
	}
	pages, err := read(t, deep.serve(t).source(), container("chat", "oc_1"), connectors.Position{})
	if err != nil || len(pages) != 1 || !slices.Equal(expansions(pages[0]), []string{"M", "N01", "N02", "N03", "N04", "N05", "N06", "N07", "N08", "N09"}) {
		t.Errorf("a chain: %v, %v", expansions(pages[0]), err)
	}

	told := []string{top, in("D01", "M")} // told with the outermost: the tenth stands too deep to be opened
	for i := 2; i <= 12; i++ {
		told = append(told, in(fmt.Sprintf("D%02d", i), fmt.Sprintf("D%02d", i-1)))
	}
	told[len(told)-1] = in("x", "y") // of an upper id that is unknown: on top
	shallow := script{"list oc_1": list("", top), "get M": list("", told[:11]...), "get D10": list(""), "get x": list("")}
	pages, err = read(t, shallow.serve(t).source(), container("chat", "oc_1"), connectors.Position{})
	if err != nil || !slices.Equal(expansions(pages[0]), []string{"M"}) {
		t.Errorf("told too deep: %v, %v", expansions(pages[0]), err)
	}
	shallow["get M"] = list("", told[0], told[12])
	pages, err = read(t, shallow.serve(t).source(), container("chat", "oc_1"), connectors.Position{})
	if err != nil || !slices.Equal(expansions(pages[0]), []string{"M", "x"}) {
		t.Errorf("of an unknown upper id: %v, %v", expansions(pages[0]), err)
	}

	wide, items := script{"list oc_1": list("", top)}, []string{top}
	for i := range 150 {
		id := fmt.Sprintf("W%03d", i)
		items = append(items, in(id, "M"))
		wide["get "+id] = list("", in("below"+id, id))
		wide["get below"+id] = list("")
	}
	wide["get M"] = list("", items...)
	f := wide.serve(t)
	pages, err = read(t, f.source(), container("chat", "oc_1"), connectors.Position{})
	if err != nil || len(pages[0].Expansions) != 101 || pages[0].Expansions[100].Subject != "W099" {
		t.Errorf("a wide one: %d expansions, %v", len(pages[0].Expansions), err)
	}
	if pages[0].Next.Pages != 1 || pages[0].Type != schemas.FeishuMessagesList {
		t.Errorf("page %+v", pages[0].Next)
	}
}

// A look-up of a merged forward of another chat is an answer that makes no row: what is in it is not asked for.
func TestForwardOfAnotherChatIsNotFetchedAgain(t *testing.T) {
	s := script{"get M": list("", elsewhere(msg("M", 1700000000000, forward)), in("N", "M"))}
	pages, err := read(t, s.serve(t).source(), container("message", "M"), connectors.Position{})
	if err != nil || len(pages) != 1 || len(pages[0].Expansions) != 0 {
		t.Errorf("%+v, %v", pages, err)
	}
}
