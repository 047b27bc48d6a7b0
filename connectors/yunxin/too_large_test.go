package yunxin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// large is in the place of what makes a message longer than a body may be.
const large = "@large@"

var padding = strings.Repeat("x", api.MaxBody)

// inflate gives answers with each large replaced, without a copy of it.
func inflate(answer func(r *http.Request) string) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		var parts []io.Reader
		for i, s := range strings.Split(answer(r), large) {
			if i > 0 {
				parts = append(parts, strings.NewReader(padding))
			}
			parts = append(parts, strings.NewReader(s))
		}
		w := httptest.NewRecorder().Result()
		w.Body, w.ContentLength = io.NopCloser(io.MultiReader(parts...)), -1
		return w, nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestMessageThatIsTooLargeIsSteppedOver(t *testing.T) {
	for _, at := range []int{0, 7, 8, 140} {
		for _, bits := range []int{0, 3} {
			c := &chat{messages: spread(200, map[int]int{7: 3}), newest: bits&1 > 0, noBegin: bits&2 > 0, noEnd: bits&2 > 0}
			c.messages[at].extra = `,"pad":"` + large + `"`
			cfg := newFake(nil).config()
			cfg.Client = inflate(c.page)
			source := sourceOf(cfg)
			pages, err := readAll(t, source, conversation("alice|1|bob"), connectors.Position{})
			if err != nil {
				t.Fatal(err)
			}
			last := pages[len(pages)-1]
			if at == 0 && c.newest { // nothing comes after it
				if last.Failed == nil || last.Failed.Code != "too_large" || last.Error != "too_large" {
					t.Errorf("message %d, %02b: failed %+v", at, bits, last.Failed)
				}
				continue
			}
			if last.Failed != nil {
				t.Fatalf("message %d, %02b: failed %+v", at, bits, last.Failed)
			}
			wantAllBut(t, c, pages, at)
			// The cursor alone is enough to go on.
			var rest []*connectors.Page
			for i := 0; i < len(pages)-1; i += 9 {
				next := pages[i].Next
				next.Memory = nil
				if rest, err = readAll(t, source, conversation("alice|1|bob"), next); err != nil || rest[len(rest)-1].Failed != nil {
					t.Fatalf("after page %d: %v", i, err)
				}
				wantAllBut(t, c, append(pages[:i+1:i+1], rest...), at)
			}
		}
	}
}

// wantAllBut checks that pages show all messages but one, for which there are a few pages without a body.
func wantAllBut(t *testing.T, c *chat, pages []*connectors.Page, at int) {
	t.Helper()
	var whole []*connectors.Page
	for i, p := range pages {
		if p.Error == "" {
			whole = append(whole, p)
			continue
		}
		if p.Error != "too_large" || len(p.Body) != 0 || p.HTTPStatus != 200 || p.Items != 0 || !strings.Contains(p.Request, "&limit=1&") {
			t.Errorf("page %d: %+v", i, p.Response)
		}
	}
	if holes := len(pages) - len(whole); holes < 1 || holes > 3 {
		t.Errorf("%d pages for message %d", holes, at)
	}
	ids := shown(t, whole)
	for i, m := range c.messages {
		if n := ids[fmt.Sprint(m.id)]; (n == 0) != (i == at) {
			t.Errorf("message %d is shown %d times", i, n)
		}
	}
}

// Where the token comes after the items it is cut off with them: the container fails and says so.
func TestMessageThatIsTooLargeWithoutAToken(t *testing.T) {
	c := &chat{messages: spread(20, nil)}
	c.messages[3].extra = `,"pad":"` + large + `"`
	cfg := newFake(nil).config()
	cfg.Client = inflate(func(r *http.Request) string {
		head, items, _ := strings.Cut(c.page(r), `"items":`)
		head, paging, _ := strings.Cut(head, `"has_more":`)
		return head + `"items":` + strings.TrimSuffix(items, "}}") + `,"has_more":` + strings.TrimSuffix(paging, ",") + "}}"
	})
	pages, err := readAll(t, sourceOf(cfg), conversation("alice|1|bob"), connectors.Position{})
	if err != nil {
		t.Fatal(err)
	}
	if last := pages[len(pages)-1]; last.Failed == nil || last.Failed.Code != "too_large" || last.Error != "too_large" || len(last.Body) != 0 {
		t.Errorf("failed %+v, page %+v", last.Failed, last.Response)
	}
}

// A batch is asked for in smaller parts; one message that is too large alone is missing with that reason.
func TestBatchThatIsTooLarge(t *testing.T) {
	ids := numbers(130)
	s := &store{}
	cfg := newFake(nil).config()
	cfg.Client = inflate(func(r *http.Request) string {
		return strings.ReplaceAll(s.answer(r), `{"message_server_id":`+ids[40]+`,`, `{"pad":"`+large+`","message_server_id":`+ids[40]+`,`)
	})
	c := list("alice|1|bob", ids...)
	pages, err := readAll(t, sourceOf(cfg), c, connectors.Position{})
	if err != nil || pages[len(pages)-1].Failed != nil {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	wantOutcome(t, c, pages, map[string]string{ids[40]: "too_large"})
	if n := fmt.Sprint(sizes(s.calls)); n != "[100 50 25 25 12 13 6 3 3 1 2 7 50 30]" {
		t.Errorf("calls of %s", n)
	}
	for _, p := range pages {
		if hole := p.Error == "too_large"; hole != (p.Subject == ids[40] && len(p.Body) == 0) {
			t.Errorf("page %+v", p.Response)
		}
	}
}

// A batch asks for no more messages than the position says.
func TestBatchOfAFew(t *testing.T) {
	s := &store{}
	c := list("alice|1|bob", numbers(25)...)
	pages, err := readAll(t, s.fake().source(), c, connectors.Position{Limit: 7})
	if err != nil || fmt.Sprint(sizes(s.calls)) != "[7 7 7 4]" {
		t.Errorf("calls of %v, %v", sizes(s.calls), err)
	}
	wantOutcome(t, c, pages, nil)
}

// What a gateway sends is no message, however long it is.
func TestLongPageOfAGatewayIsNoMessage(t *testing.T) {
	cfg := newFake(nil).config()
	cfg.Client = inflate(func(*http.Request) string { return "<html>" + large })
	for _, c := range []*schemas.Container{conversation("alice|1|bob"), list("alice|1|bob", "1", "2")} {
		pages, err := readAll(t, sourceOf(cfg), c, connectors.Position{})
		var e *connectors.Error
		if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "unreadable" {
			t.Errorf("%s: %d pages, %v", c.Kind, len(pages), err)
		}
	}
}
