package feishu_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
)

// giants serves a chat of n messages, of which those in large are longer together with their page than a body may be.
type giants struct {
	n         int
	large     []int
	tokenLast bool // page_token comes after the items
	complex   bool // they are not long, but nested deeper than is read
	sizes     []string
}

var (
	padding = strings.Repeat("x", api.MaxBody)
	nesting = strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
)

func (g *giants) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == tokenURI {
		return reply(200, `{"code":0,"tenant_access_token":"t-token-1","expire":7200}`), nil
	}
	if strings.Contains(r.URL.Path, "/chats/") {
		return reply(200, `{"code":0,"data":{}}`), nil
	}
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("page_size"))
	from, _ := strconv.Atoi(strings.TrimPrefix(q.Get("page_token"), "at "))
	g.sizes = append(g.sizes, fmt.Sprint(from, " ", size))
	to := min(from+size, g.n)
	paging := fmt.Sprintf(`"has_more":%t`, to < g.n)
	if to < g.n {
		paging += fmt.Sprintf(`,"page_token":"at %d"`, to)
	}
	body := []string{`{"code":0,"msg":"success","data":{` + paging + `,"items":[`}
	if g.tokenLast {
		body[0] = `{"code":0,"msg":"success","data":{"items":[`
	}
	for i := from; i < to; i++ {
		extra := `"a":1`
		switch large := slices.Contains(g.large, i); {
		case large && g.complex:
			extra = `"pad":` + nesting
		case large:
			extra = `"pad":"` + padding + `"`
		}
		body = append(body, msg(fmt.Sprint("om_", i), int64(1700000000000+i), extra), ",")
	}
	if to > from {
		body = body[:len(body)-1]
	}
	body = append(body, "]")
	if g.tokenLast {
		body = append(body, ","+paging)
	}
	var parts []io.Reader
	for _, s := range append(body, "}}") {
		parts = append(parts, strings.NewReader(s))
	}
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(parts...)), ContentLength: -1}, nil
}

func (g *giants) source() *feishu.Source {
	cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: &http.Client{Transport: g}}
	return feishu.NewSource(api.Retry(feishu.NewCall(cfg), api.Policy{Unit: time.Microsecond}), appTenant)
}

// summary tells of each page what it shows: a message's number, or a reason where it shows none.
func summary(pages []*connectors.Page) (all []string) {
	for _, p := range pages {
		if p.Error != "" {
			all = append(all, p.Error)
			continue
		}
		for part := range strings.SplitSeq(string(p.Body), `"om_`) {
			if n, _, ok := strings.Cut(part, `"`); ok && !strings.HasPrefix(part, "{") {
				all = append(all, n)
			}
		}
	}
	return all
}

func TestMessageThatIsTooLargeIsSteppedOver(t *testing.T) {
	numbers := func(n int, holes map[int]string) (all []string) {
		for i := range n {
			if word := holes[i]; word != "" {
				all = append(all, word)
				continue
			}
			all = append(all, strconv.Itoa(i))
		}
		return all
	}
	for _, tt := range []struct {
		name   string
		api    giants
		failed string
		want   []string
		sizes  []string
	}{
		{"first of a few", giants{n: 9, large: []int{0}}, "", numbers(9, map[int]string{0: "too_large"}), []string{"0 50", "0 25", "0 12", "0 6", "0 3", "0 1", "1 50"}},
		{"in the middle", giants{n: 9, large: []int{4}}, "", numbers(9, map[int]string{4: "too_large"}), []string{
			"0 50", "0 25", "0 12", "0 6", "0 3", "3 6", "3 3", "3 1", "4 2", "4 1", "5 50",
		}},
		{"two in a row", giants{n: 120, large: []int{60, 61}}, "", numbers(120, map[int]string{60: "too_large", 61: "too_large"}), nil},
		{"the last has no token", giants{n: 3, large: []int{2}}, "too_large", []string{"0", "1", "too_large"}, nil},
		{"a token that is cut off", giants{n: 3, large: []int{1}, tokenLast: true}, "too_large", []string{"0", "too_large"}, nil},
		{"too complex", giants{n: 9, large: []int{4}, complex: true, tokenLast: true}, "", numbers(9, map[int]string{4: "too_complex"}), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pages, err := read(t, tt.api.source(), container("chat", "oc_1"), connectors.Position{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "pages", summary(pages), tt.want)
			if tt.sizes != nil {
				same(t, "asked", tt.api.sizes, tt.sizes)
			}
			last, calls := pages[len(pages)-1], 0
			if (last.Failed == nil) != (tt.failed == "") || last.Failed != nil && last.Failed.Code != tt.failed {
				t.Errorf("failed %+v", last.Failed)
			}
			for i, p := range pages {
				calls += p.Calls
				if p.Error == "too_large" && (len(p.Body) != 0 || p.HTTPStatus != 200 || p.Items != 0 || !strings.Contains(p.Request, "page_size=1&")) {
					t.Errorf("page %d: %+v", i, p.Response)
				}
				if p.Failed != nil && p.Next.Cursor != pages[i-1].Next.Cursor {
					t.Errorf("a failure moved the cursor to %s", p.Next.Cursor)
				}
			}
			if calls != len(tt.api.sizes)+1 {
				t.Errorf("pages tell of %d calls, there were %d", calls, len(tt.api.sizes)+1)
			}
			// After a start the size is not remembered, and nothing is lost.
			for i := 0; i < len(pages)-1; i += 4 {
				at := pages[i].Next
				at.Memory = nil
				rest, err := read(t, tt.api.source(), container("chat", "oc_1"), at)
				if err != nil {
					t.Fatal(err)
				}
				same(t, fmt.Sprint("read on after page ", i), summary(rest), summary(pages[i+1:]))
			}
		})
	}
}

// A page token that goes with the size it was given for, refused for another, costs the place but no message.
func TestSmallerPagesWhoseTokenIsRefused(t *testing.T) {
	g := &giants{n: 100, large: []int{70}}
	refusing := roundTrip(func(r *http.Request) (*http.Response, error) {
		if q := r.URL.Query(); q.Get("page_token") == "at 50" && q.Get("page_size") != "50" {
			return reply(400, `{"code":230001,"msg":"invalid page_token"}`), nil
		}
		if s := r.URL.Query().Get("start_time"); s != "" { // a chat that begins there
			r = r.Clone(r.Context())
			q := r.URL.Query()
			if q.Get("page_token") == "" {
				q.Set("page_token", "at 49")
			}
			r.URL = &url.URL{Path: r.URL.Path, RawQuery: q.Encode()}
		}
		return g.RoundTrip(r)
	})
	cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: &http.Client{Transport: refusing}}
	pages, err := read(t, feishu.NewSource(feishu.NewCall(cfg), appTenant), container("chat", "oc_1"), connectors.Position{})
	if err != nil || pages[len(pages)-1].Failed != nil {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	shown := summary(pages)
	for i := range 100 {
		if want := strconv.Itoa(i); i != 70 && !slices.Contains(shown, want) {
			t.Errorf("message %d is not shown", i)
		}
	}
	if !slices.Contains(shown, "too_large") {
		t.Error("nothing is said of the message that is too large")
	}
}

// What a gateway sends is no message, however long it is.
func TestLongPageOfAGatewayIsNoMessage(t *testing.T) {
	for _, status := range []int{200, 502} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, map[bool]string{true: "<html>", false: `{"code":0`}[status == 200])
			io.WriteString(w, padding)
		})
		for _, c := range []string{"chat", "message"} {
			pages, err := read(t, f.source(), container(c, "oc_1"), connectors.Position{})
			var e *connectors.Error
			if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Response == nil || len(e.Response.Body) != 0 {
				t.Errorf("%d for a %s: %d pages, %v", status, c, len(pages), err)
			}
		}
	}
}
