package api_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/decode"
)

// counted is a mark of a walk of some pages.
type counted struct{ page, last int }

func (c *counted) Done() bool                { return c.page > c.last }
func (c *counted) Finish()                   { c.page = c.last + 1 }
func (c *counted) Cursor() connectors.Cursor { return connectors.Cursor(strconv.Itoa(c.page)) }

// walkOf gives a walk from page 1 to last, of which page bad is a failure of the container.
func walkOf(last, bad int) *api.Walk {
	at := &counted{1, last}
	w := &api.Walk{Mark: at, Keep: func() any { return at.page }}
	w.Step = func(context.Context) (*connectors.Page, error) {
		page := &connectors.Page{Items: at.page}
		switch {
		case at.page == bad:
			return w.End(page, &connectors.Failure{Code: "bad"}), nil
		case at.page == last:
			return w.End(page, nil), nil
		}
		w.Saw(1000)
		at.page++
		w.Advance(page)
		return page, nil
	}
	return w
}

func TestPages(t *testing.T) {
	var pages []*connectors.Page
	all := api.Pages(t.Context(), func() *api.Walk { return walkOf(3, 0) })
	for range 2 { // each range is a walk of its own
		pages = nil
		for p, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			pages = append(pages, p)
		}
	}
	if len(pages) != 3 || !pages[2].Final || pages[2].Failed != nil || pages[1].Final {
		t.Fatalf("%d pages", len(pages))
	}
	first, end := pages[0].Next, pages[2].Next
	if first.Cursor != "2" || first.Pages != 1 || first.Memory != 2 || first.Watermark != 1000 || end.Cursor != "4" || end.Pages != 3 {
		t.Errorf("after the first page %+v, after the last %+v", first, end)
	}
}

func TestEndAfterFailureKeepsTheCursor(t *testing.T) {
	var last *connectors.Page
	for p, err := range api.Pages(t.Context(), func() *api.Walk { return walkOf(3, 2) }) {
		if err != nil {
			t.Fatal(err)
		}
		last = p
	}
	if last == nil || !last.Final || last.Failed == nil || last.Next.Cursor != "2" || last.Next.Pages != 2 {
		t.Errorf("%+v", last)
	}
}

func TestPagesEndWithAnError(t *testing.T) {
	lost, n := errors.New("lost"), 0
	walk := func() *api.Walk {
		return &api.Walk{Mark: &counted{1, 2}, Step: func(context.Context) (*connectors.Page, error) { return nil, lost }}
	}
	for p, err := range api.Pages(t.Context(), walk) {
		if n++; p != nil || !errors.Is(err, lost) {
			t.Errorf("%v, %v", p, err)
		}
	}
	if n != 1 {
		t.Errorf("yielded %d times", n)
	}
}

func TestTrail(t *testing.T) {
	var trail api.Trail
	for _, c := range []struct{ token, code string }{
		{"a", ""}, {"b", ""}, {"a", "token_repeated"}, {"", "token_missing"}, {strings.Repeat("x", 8<<10), ""}, {strings.Repeat("x", 8<<10+1), "token_too_long"},
	} {
		failed := trail.Token(c.token, "")
		if code := codeOf(failed); code != c.code {
			t.Errorf("token %.3q: %q, want %q", c.token, code, c.code)
		}
	}
	before := trail
	for n := range 50 {
		if failed := trail.Page([]string{"1", "2"}); failed != nil {
			t.Fatalf("page %d: %+v", n, failed)
		}
	}
	if failed := trail.Page([]string{"2"}); codeOf(failed) != "no_progress" {
		t.Errorf("after 50 pages that showed nothing new: %+v", failed)
	}
	if failed := trail.Page([]string{"3"}); failed != nil {
		t.Errorf("a page with something new: %+v", failed)
	}
	if failed := before.Page([]string{"2"}); failed != nil {
		t.Errorf("the trail before these pages has changed: %+v", failed)
	}
}

func codeOf(failed *connectors.Failure) string {
	if failed == nil {
		return ""
	}
	return failed.Code
}

func TestPaging(t *testing.T) {
	var p decode.Parser
	for _, c := range []struct {
		data, token string
		more, ok    bool
	}{
		{`{"has_more":true,"next":"t"}`, "t", true, true},
		{`{"has_more":false,"next":""}`, "", false, true},
		{`{"has_more":"true","next":7}`, "7", true, true},
		{`{}`, "", false, true},
		{`{"next":"t"}`, "t", false, false}, // the rest would be lost
		{`{"has_more":"perhaps"}`, "", false, false},
		{`[]`, "", false, false},
	} {
		data, err := p.Parse([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		token, more, ok := api.Paging(data, "next")
		if ok != c.ok || ok && (token != c.token || more != c.more) {
			t.Errorf("%s: %q, %t, %t", c.data, token, more, ok)
		}
	}
}
