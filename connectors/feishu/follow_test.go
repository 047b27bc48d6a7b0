package feishu_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// asked gives what a server was asked for after the opening, in short: start time and page token of each list.
func asked(f *fakeAPI) []string {
	var short []string
	for _, line := range f.requests() {
		if !strings.Contains(line, "container_id=") {
			continue
		}
		s := "start"
		if _, rest, ok := strings.Cut(line, "start_time="); ok {
			s, _, _ = strings.Cut(rest, "&")
		}
		if _, token, ok := strings.Cut(line, "page_token="); ok {
			s += " " + token
		}
		short = append(short, s)
	}
	return short
}

func TestRefusedPageToken(t *testing.T) {
	refused := `400 {"code":230001,"msg":"invalid page_token ext=1"}`
	one, two := msg("om_1", 1700000001000), msg("om_2", 1700000002999)
	three := msg("om_3", 1700000003000)
	tests := []struct {
		name   string
		kind   string
		script script
		want   []string
	}{
		{
			"chat goes on from its watermark", "chat",
			script{
				"list c": list("p2", one, two), "list c p2": refused,
				"list c at 1700000002": list("q2", two), "list c q2": list("", three),
			},
			[]string{"start", "start p2", "1700000002", "1700000002 q2"},
		},
		{
			"chat out of order goes on from its start", "chat",
			script{"list c": list("p2", two, one), "list c p2": `400 {"code":99992402}`, "list c p3": list("")},
			// The script gives p2 again, refused again: it is given up below.
			[]string{"start", "start p2", "start", "start p2", "start", "start p2", "start", "start p2"},
		},
		{
			"chat without a time goes on from its start", "chat",
			script{"list c": list("p2", `{"message_id":"om_1"}`), "list c p2": refused},
			[]string{"start", "start p2", "start", "start p2", "start", "start p2", "start", "start p2"},
		},
		{
			"thread goes on from its start", "thread",
			script{"list c": list("p2", one, two), "list c p2": refused},
			[]string{"start", "start p2", "start", "start p2", "start", "start p2", "start", "start p2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := tt.script.serve(t)
			pages, err := read(t, f.source(), container(tt.kind, "c"), connectors.Position{})
			if err != nil {
				t.Fatal(err)
			}
			same(t, "asked", asked(f), tt.want)
			last, calls := pages[len(pages)-1], 0
			for _, p := range pages {
				calls += p.Calls
			}
			if calls != len(f.requests()) {
				t.Errorf("pages tell of %d calls, there were %d", calls, len(f.requests()))
			}
			if strings.Contains(tt.name, "watermark") {
				if len(pages) != 3 || last.Failed != nil || last.Next.Watermark != 1700000003000 {
					t.Errorf("%d pages, last %+v", len(pages), last)
				}
				return
			}
			if last.Failed == nil || last.Failed.Code != "token_refused" || last.Error != "token_refused" || len(last.Body) == 0 {
				t.Errorf("last page %+v: it does not say that tokens are refused for ever", last)
			}
		})
	}
}

func TestRefusedPageTokenAfterARestart(t *testing.T) {
	for kind, want := range map[string][]string{"chat": {"start", "start p2", "1700000002", "1700000002 q2"}, "thread": {"start", "start p2", "start", "start q2"}} {
		first := script{"list c": list("p2", msg("om_1", 1700000001000), msg("om_2", 1700000002999))}.serve(t)
		var at connectors.Position
		for page, err := range first.source().Pages(t.Context(), container(kind, "c"), at) {
			if err != nil {
				t.Fatal(err)
			}
			at = page.Next
			break
		}
		second := script{
			"list c p2": `400 {"code":230001}`, "list c": list("q2", msg("om_2", 1700000002999)), "list c q2": list("", msg("om_3", 1700000003000)),
		}.serve(t)
		pages, err := read(t, second.source(), container(kind, "c"), at)
		if err != nil || len(pages) != 2 || pages[1].Failed != nil || pages[0].Calls != 2 {
			t.Errorf("%s: %d pages, %v", kind, len(pages), err)
		}
		same(t, kind, append(asked(first), asked(second)...), want)
	}
}

func TestACursorOfAnotherKindStartsAnew(t *testing.T) {
	f := script{"list c": list("", msg("om_1", 1700000001000))}.serve(t)
	pages, err := read(t, f.source(), container("chat", "c"), connectors.Position{Cursor: "not ours", Watermark: 1700000009000, Pages: 4})
	if err != nil || len(pages) != 1 || pages[0].Next.Watermark != 1700000009000 || len(pages[0].Opening) != 0 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	same(t, "asked", asked(f), []string{"start"})
}

func TestGuards(t *testing.T) {
	circle := script{"list c": list("A", msg("om_1", 1700000001000)), "list c A": list("B", msg("om_2", 1700000002000)), "list c B": list("A", msg("om_3", 1700000003000))}
	stale := func(n int) script {
		s := script{"list c": list("p1", msg("om_1", 1700000001000))}
		for i := 1; i < n; i++ {
			s[fmt.Sprintf("list c p%d", i)] = list(fmt.Sprintf("p%d", i+1), msg("om_1", 1700000001000))
		}
		s[fmt.Sprintf("list c p%d", n)] = list("")
		return s
	}
	empty := func(n int) script {
		s := stale(n)
		for i := 1; i < n; i++ {
			s[fmt.Sprintf("list c p%d", i)] = list(fmt.Sprintf("p%d", i+1))
		}
		return s
	}
	tests := []struct {
		name   string
		script script
		pages  int
		failed string
	}{
		{"the same token", script{"list c": list("A", msg("om_1", 1)), "list c A": list("A", msg("om_2", 1))}, 2, "token_repeated"},
		{"tokens in a circle", circle, 3, "token_repeated"},
		{"more without a token", script{"list c": `{"code":0,"data":{"has_more":true,"items":[` + msg("om_1", 1) + `]}}`}, 1, "token_missing"},
		{"the same page 50 times", stale(60), 51, "no_progress"},
		{"49 stale pages", stale(50), 51, ""},
		{"60 empty pages", empty(60), 51, "no_progress"},
		{"a few empty pages", empty(5), 6, ""},
	}
	for _, tt := range tests {
		for _, kind := range []string{"chat", "thread"} {
			pages, err := read(t, tt.script.serve(t).source(), container(kind, "c"), connectors.Position{})
			if err != nil || len(pages) != tt.pages {
				t.Errorf("%s of a %s: %d pages, %v; want %d", tt.name, kind, len(pages), err, tt.pages)
				continue
			}
			p := pages[len(pages)-1]
			if (p.Failed == nil) != (tt.failed == "") || (p.Failed != nil && p.Failed.Code != tt.failed) || p.Error != "" || len(p.Body) == 0 {
				t.Errorf("%s of a %s: failed %+v, error %q", tt.name, kind, p.Failed, p.Error)
			}
		}
	}
}

func TestMergedForwardsAreExpanded(t *testing.T) {
	items := []string{
		msg("om_0", 1700000000000), msg("om_1", 1700000001000, forward), msg("om_2", 1700000002000, forward, `"deleted":true`),
		msg("om_1", 1700000001000, forward), msg("om_3", 1700000003000, forward), msg("om_4", 1700000004000, forward), msg("om/5", 1700000005000, forward),
	}
	for i := range 40 { // more than are fetched at once
		items = append(items, msg(fmt.Sprintf("om_x%02d", i), 1700000006000, forward))
	}
	s := script{
		"list c": list("", items...), "get om_1": list("", msg("om_1", 1700000001000, forward)),
		"get om_3": `400 {"code":230110}`, "get om_4": `400 {"code":2200}`, "get om/5": `400 {"code":4711}`,
	}
	for i := range 40 {
		s[fmt.Sprintf("get om_x%02d", i)] = list("", msg(fmt.Sprintf("om_x%02d", i), 1700000006000, forward))
	}
	f := s.serve(t)
	pages, err := read(t, f.source(), container("chat", "c"), connectors.Position{})
	if err != nil || len(pages) != 1 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	var got []string
	served := f.served()
	for _, e := range pages[0].Expansions {
		if len(e.Subject) == len("om_1") {
			got = append(got, fmt.Sprintf("%s %s code %s error %q calls %d", e.Subject, e.Request, e.Code, e.Error, e.Calls))
		}
		if e.Type != schemas.FeishuMessagesGet || !slices.ContainsFunc(served, func(b []byte) bool { return string(b) == string(e.Body) }) {
			t.Errorf("expansion %+v", e)
		}
	}
	line := func(id string) string { return "GET /open-apis/im/v1/messages/" + id + "?" + cards }
	same(t, "expansions", got, []string{
		"om_1 " + line("om_1") + ` code 0 error "" calls 1`,
		"om_3 " + line("om_3") + ` code 230110 error "" calls 1`,
		"om_4 GET /open-apis/im/v1/messages/om_4?with_sender_name=true" + ` code 2200 error "internal_error" calls 8`,
		"om/5 " + line("om%2F5") + ` code 4711 error "unknown_code" calls 4`,
	})
	if len(pages[0].Expansions) != 44 || pages[0].Expansions[43].Subject != "om_x39" {
		t.Errorf("%d expansions, in another order than the page's", len(pages[0].Expansions))
	}
	if pages[0].Calls != len(f.requests()) || pages[0].Failed != nil {
		t.Errorf("page %+v after %d calls", pages[0], len(f.requests()))
	}
}

func TestForwardThatCannotBeFetchedNowHoldsThePageBack(t *testing.T) {
	for body, class := range map[string]connectors.Class{`502 {"code":0}`: connectors.ClassUnavailable, `400 {"code":99991672}`: connectors.ClassFatal} {
		s := script{"list c": list("", msg("om_1", 1700000001000, forward), msg("om_2", 1700000001000, forward)), "get om_1": list(""), "get om_2": body}
		pages, err := read(t, s.serve(t).source(), container("chat", "c"), connectors.Position{})
		var e *connectors.Error
		if len(pages) != 0 || !errors.As(err, &e) || e.Class != class {
			t.Errorf("%s: %d pages, %v", body, len(pages), err)
		}
	}
}

// The chain as the extractor composes it: paced, retried, and throttled now and then.
func TestThrottledChatIsReadWhole(t *testing.T) {
	n := 0
	s := script{"list c": list("p1", msg("om_1", 1700000001000)), "list c p1": list("", msg("om_2", 1700000002000))}
	f := s.serve(t)
	plain := f.call()
	pacer := api.NewPacer(map[string]connectors.Quota{schemas.FeishuMessagesList: {PerSecond: 1000}})
	throttling := connectors.Call(func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		if n++; n%2 == 1 {
			return nil, &connectors.Error{Class: connectors.ClassThrottled, API: r.API, RetryAfter: time.Millisecond, Calls: 1}
		}
		return plain(ctx, r)
	})
	source := feishu.NewSource(api.Retry(api.Pace(throttling, pacer), api.Policy{Pacer: pacer, Unit: time.Microsecond}), appTenant)
	pages, err := read(t, source, container("chat", "c"), connectors.Position{})
	if err != nil || len(pages) != 2 || pages[0].Calls != 4 || pages[1].Calls != 2 {
		t.Errorf("%d pages, %v", len(pages), err)
	}
	if b := pacer.Snapshot()[0]; b.Pauses != 2 || b.Calls != 4 {
		t.Errorf("budget %+v", b)
	}
}
