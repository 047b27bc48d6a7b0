package feishu_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

func forwards(n int) []byte {
	var items []string
	for i := range n {
		items = append(items, msg(fmt.Sprint("om_", i), 1700000000000, forward, `"body":{"content":"Merged and Forwarded Message"}`))
	}
	return []byte(list("", items...))
}

// answered gives the answer to a request, for sources without a network.
func answered(r connectors.Request, body []byte) *connectors.Response {
	return &connectors.Response{Type: r.API, Request: r.Line(), Subject: r.Subject, HTTPStatus: 200, Code: "0", Time: time.Now(), Calls: 1, Body: body}
}

// One page of 50 merged forwards whose answers are 20 MiB each, within MaxBody: the page stays within MaxPageBytes, and what
// is beyond it is not even asked for.
func TestExpansionsOfAPageAreBounded(t *testing.T) {
	big := make([]byte, 20<<20)
	copy(big, `{"code":0,"data":{"items":[]},"pad":"`)
	gets := 0
	call := func(_ context.Context, r connectors.Request) (*connectors.Response, error) {
		switch r.API {
		case schemas.FeishuMessagesList:
			return answered(r, forwards(50)), nil
		case schemas.FeishuMessagesGet:
			gets++
			return answered(r, big), nil // shared here; 50 copies in truth
		}
		return answered(r, []byte(`{"code":0,"data":{}}`)), nil
	}
	pages, err := read(t, feishu.NewSource(oneAtATime(call), appTenant), container("chat", "oc_1"), connectors.Position{})
	if err != nil || len(pages) != 1 || len(pages[0].Expansions) != 50 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if n := pages[0].Bytes(); n > api.MaxPageBytes || n < 60<<20 {
		t.Errorf("%d MiB in one page", n>>20)
	}
	holes := 0
	for i, e := range pages[0].Expansions {
		switch {
		case e.Error == "" && len(e.Body) == len(big):
		case e.Error == "too_large" && len(e.Body) == 0 && e.Subject == fmt.Sprint("om_", i) && strings.HasPrefix(e.Request, "GET ") && e.Type == schemas.FeishuMessagesGet:
			holes++
		default:
			t.Errorf("expansion %d: %s, %d bytes, %q", i, e.Subject, len(e.Body), e.Error)
		}
	}
	if holes != 47 || gets > 3+8 || pages[0].Calls != gets+2 {
		t.Errorf("%d holes, %d calls, the page tells of %d", holes, gets, pages[0].Calls)
	}
}

// oneAtATime serializes calls, for fakes that count.
func oneAtATime(call connectors.Call) connectors.Call {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
		turn <- struct{}{}
		defer func() { <-turn }()
		return call(ctx, r)
	}
}

// internalError is what the platform's caller makes of 2200 to the get of a message.
func internalError(r connectors.Request) *connectors.Error {
	resp := answered(r, []byte(`{"code":2200,"msg":"Internal Error"}`))
	resp.HTTPStatus, resp.Code = 500, "2200"
	return &connectors.Error{Class: connectors.ClassSticky, API: r.API, Code: "2200", Message: "internal error", Response: resp, Calls: 1}
}

// The platform answers its internal error to every get of a message for 30 s, whatever message it is: that is a fault of the
// platform, and no forward of the page is given up for it.
func TestOutageOfGetLosesNoForward(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		call := api.Retry(func(_ context.Context, r connectors.Request) (*connectors.Response, error) {
			switch r.API {
			case schemas.FeishuMessagesList:
				return answered(r, forwards(20)), nil
			case schemas.FeishuMessagesGet:
				if time.Since(began) < 30*time.Second {
					return nil, internalError(r)
				}
				return answered(r, []byte(list("", msg(r.Subject, 1700000000000, forward)))), nil
			}
			return answered(r, []byte(`{"code":0,"data":{}}`)), nil
		}, api.Policy{})
		source := feishu.NewSource(call, appTenant)
		pages, err := read(t, source, container("chat", "oc_1"), connectors.Position{})
		for ; err != nil; pages, err = read(t, source, container("chat", "oc_1"), connectors.Position{}) {
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || len(pages) != 0 {
				t.Fatalf("%d pages, %v: the container does not wait", len(pages), err)
			}
			time.Sleep(5 * time.Second)
		}
		for _, e := range pages[0].Expansions {
			if e.Error != "" {
				t.Errorf("after %v: %s is given up for good (%s)", time.Since(began), e.Subject, e.Error)
			}
		}
	})
}

// Some merged forwards are never answered with the parameter for cards, and always without it.
func TestForwardThatNeedsNoCardParameter(t *testing.T) {
	body := list("", say("om_mf1", 1759000000000, "merge_forward", "Merged and Forwarded Message"),
		say("om_c1", 1758000000000, "text", `{\"text\":\"first child\"}`, `"upper_message_id":"om_mf1"`),
		say("om_c2", 1758000001000, "interactive", `{\"title\":\"Card\",\"elements\":[[{\"tag\":\"text\",\"text\":\"second child\"}]]}`, `"upper_message_id":"om_mf1"`))
	for _, refusal := range []string{`500 {"code":2200,"msg":"Internal Error"}`, `400 {"code":2200}`, `502 {"code":0}`, `500 {"code":4711}`} {
		for _, kind := range []string{schemas.KindChat, schemas.KindMessage} {
			plain := 0
			s := script{"list om_mf1": list("", msg("om_mf1", 1759000000000, forward))}
			f := s.serve(t)
			answer := f.answer
			f.answer = func(w http.ResponseWriter, r *http.Request) {
				switch q := r.URL.Query(); {
				case !strings.HasSuffix(r.URL.Path, "/messages/om_mf1"):
					answer(w, r)
				case q.Get("card_msg_content_type") != "":
					var status int
					_, _ = fmt.Sscanf(refusal, "%d ", &status)
					f.send(w, status, refusal[4:])
				default:
					plain++
					f.send(w, 200, body)
				}
			}
			pages, err := read(t, f.source(), container(kind, "om_mf1"), connectors.Position{})
			if err != nil || len(pages) != 1 || pages[0].Failed != nil {
				t.Fatalf("%s for a %s: %d pages, %v", refusal, kind, len(pages), err)
			}
			got := &pages[0].Response
			if kind == schemas.KindChat {
				got = &pages[0].Expansions[0]
			}
			if got.Error != "" || string(got.Body) != body || got.Request != "GET /open-apis/im/v1/messages/om_mf1?with_sender_name=true" || got.Calls < 5 || plain != 1 {
				t.Errorf("%s for a %s: %+v, asked %d times", refusal, kind, got, plain)
			}
			if pages[0].Calls != len(f.requests()) {
				t.Errorf("the page tells of %d calls, there were %d", pages[0].Calls, len(f.requests()))
			}
			if kind == schemas.KindChat {
				wantForward(t, pages[0], 2)
			}
		}
	}
}

// wantForward checks that the one message of a page is a merged forward that is decoded whole.
func wantForward(t *testing.T, page *connectors.Page, children int) {
	t.Helper()
	raw := func(r *connectors.Response) schemas.Page {
		c := container(schemas.KindChat, "oc_1")
		return schemas.Page{
			Container: schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID), Conversation: schemas.NewConversationKey(c.Platform, c.TenantID, "oc_1"),
			Type: r.Type, Request: r.Request, HTTPStatus: r.HTTPStatus, Code: r.Code, Error: r.Error, Subject: r.Subject, Time: r.Time, Number: 1, Body: r.Body,
		}
	}
	var out connectors.Decoded
	feishu.NewDecoder().Decode([]schemas.Page{raw(&page.Expansions[0]), raw(&page.Response)}, &out)
	roles, seen := map[string]int{}, map[string]bool{} // the list and the answer about it both show the forward
	for i := range out.Readings {
		m := &out.Readings[i].Message
		if !seen[m.RecordID] {
			seen[m.RecordID] = true
			roles[m.Forward.Role]++
		}
		if m.Forward.Role == schemas.ForwardContainer && m.Forward.Expansion != schemas.ExpansionComplete {
			t.Errorf("the forward is %s", m.Forward.Expansion)
		}
	}
	if roles[schemas.ForwardContainer] != 1 || roles[schemas.ForwardChild] != children {
		t.Errorf("rows by role: %v", roles)
	}
}

// A forward that is answered an internal error in either way, alone in its chat: another message that the page shows tells
// that the platform works, and the forward is given up. Where that fails as well the page waits.
func TestForwardThatIsGivenUp(t *testing.T) {
	internal := `500 {"code":2200}`
	for _, tt := range []struct {
		name   string
		script script
		page   bool
	}{
		{"another is answered", script{"list c": list("", msg("om_1", 1), msg("om_2", 1, forward)), "get om_1": list("", msg("om_1", 1))}, true},
		{"another is gone", script{"list c": list("", msg("om_1", 1), msg("om_2", 1, forward)), "get om_1": `400 {"code":230110}`}, true},
		{"another fails too", script{"list c": list("", msg("om_1", 1), msg("om_2", 1, forward)), "get om_1": internal}, false},
		{"another is out", script{"list c": list("", msg("om_1", 1), msg("om_2", 1, forward)), "get om_1": `502 <html>`}, false},
		{"no other is known", script{"list c": list("", msg("om_2", 1, forward))}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.script["get om_2"] = internal
			f := tt.script.serve(t)
			source := f.source()
			pages, err := read(t, source, container("chat", "c"), connectors.Position{})
			var e *connectors.Error
			switch {
			case !tt.page:
				if len(pages) != 0 || !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "2200" || e.Calls > len(f.requests()) {
					t.Errorf("%d pages, %v", len(pages), err)
				}
			case err != nil || len(pages) != 1 || pages[0].Failed != nil || pages[0].Calls != len(f.requests()):
				t.Errorf("%d pages, %v", len(pages), err)
			default:
				if hole := pages[0].Expansions; len(hole) != 1 || hole[0].Error != "internal_error" || hole[0].Subject != "om_2" || string(hole[0].Body) != internal[4:] {
					t.Errorf("expansions %+v", hole)
				}
			}
		})
	}
}
