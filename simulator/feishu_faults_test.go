package simulator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"chatlake/simulator"
)

// faulty serves one chat with faults.
func faulty(t *testing.T, faults ...simulator.Fault) (*caller, string) {
	t.Helper()
	w := world(t, simulator.Options{Chats: 1})
	k := newCaller(t, w, simulator.FeishuConfig{Record: true})
	k.api.SetFaults(faults...)
	return k, w.Chats()[0].ID
}

func TestTransportFaults(t *testing.T) {
	k, chat := faulty(t, simulator.Fault{API: simulator.APIMessages, Times: 1, Action: simulator.Reset},
		simulator.Fault{API: simulator.APIMessages, From: 2, Times: 1, Action: simulator.Cut})
	k.http.Transport.(*http.Transport).DisableKeepAlives = true // a reused connection would be tried again unseen
	parameters := []string{"container_id_type", "chat", "container_id", chat}
	if _, err := k.try(messages, parameters...); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset gives %v", err)
	}
	if _, err := k.try(messages, parameters...); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut gives %v, want an unexpected end", err)
	}
	k.get(messages, parameters...).want(t, 200, 0)
	exchanges := k.api.Exchanges()
	if len(exchanges) != 4 || exchanges[1].Whole || exchanges[1].Status != 0 || exchanges[2].Whole || exchanges[2].Length == 0 || !exchanges[3].Whole {
		t.Errorf("exchanges are %+v", exchanges)
	}
	r := k.api.Report()
	if r.Faults[simulator.Reset] != 1 || r.Faults[simulator.Cut] != 1 || r.APIs[simulator.APIMessages].Failed != 2 || r.InChats != 20 {
		t.Errorf("report is %+v", r)
	}
}

func TestHangLastsUntilTheClientGoes(t *testing.T) {
	k, chat := faulty(t, simulator.Fault{Action: simulator.Hang})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.base+messages+"?container_id_type=chat&container_id="+chat, nil)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error)
	go func() {
		_, err := k.send(r)
		answered <- err
	}()
	for len(k.api.Exchanges()) < 2 {
		select {
		case err := <-answered:
			t.Fatalf("answered: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("hang gives %v", err)
	}
}

func TestAnswersInsteadOfTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		fault        simulator.Fault
		status, code int
		contains     string
	}{
		"html":           {simulator.Fault{Action: simulator.HTML}, 502, 0, "<html>"},
		"server error":   {simulator.Fault{Action: simulator.Answer, Status: 503}, 503, 0, "upstream"},
		"server code":    {simulator.Fault{Action: simulator.Answer, Status: 500, Code: 2200}, 500, 2200, "Internal Error"},
		"200 with code":  {simulator.Fault{Action: simulator.Answer, Status: 200, Code: 230027}, 200, 230027, "permissions"},
		"not in chat":    {simulator.Fault{Action: simulator.Answer, Code: 230002}, 400, 230002, "outside the group"},
		"dissolved":      {simulator.Fault{Action: simulator.Answer, Code: 231004}, 400, 231004, "dissolved"},
		"monthly quota":  {simulator.Fault{Action: simulator.Answer, Status: 429, Code: 99991403}, 429, 99991403, "quota"},
		"unknown code":   {simulator.Fault{Action: simulator.Answer, Code: 4242, Msg: "what"}, 400, 4242, "what"},
		"body of choice": {simulator.Fault{Action: simulator.Answer, Body: []byte("{\"code\":0,")}, 200, 0, "{\"code\":0,"},
		"throttle":       {simulator.Fault{Action: simulator.Throttle, Delay: 2500 * time.Millisecond}, 429, 99991400, "frequency"},
	} {
		t.Run(name, func(t *testing.T) {
			c.fault.API, c.fault.Times = simulator.APIMessages, 1
			k, chat := faulty(t, c.fault)
			p := k.page("chat", chat, "")
			if p.want(t, c.status, c.code); !strings.Contains(string(p.body), c.contains) {
				t.Errorf("body is %.200s", p.body)
			}
			if name == "throttle" && p.header.Get("x-ogw-ratelimit-reset") != "3" {
				t.Errorf("reset is %q, want 3", p.header.Get("x-ogw-ratelimit-reset"))
			}
			k.page("chat", chat, "").want(t, 200, 0)
		})
	}
}

func TestRulesChooseTheirCalls(t *testing.T) {
	w := world(t, simulator.Options{Chats: 2})
	k := newCaller(t, w, simulator.FeishuConfig{})
	one, two := w.Chats()[0].ID, w.Chats()[1].ID
	failing := simulator.Fault{API: simulator.APIMessages, Action: simulator.Answer, Code: 2200}
	calls := func(ids ...string) string {
		var b strings.Builder
		for _, id := range ids {
			if k.page("chat", id, "").Code == 0 {
				b.WriteString("+")
			} else {
				b.WriteString("-")
			}
		}
		return b.String()
	}
	for what, c := range map[string]struct {
		change func(*simulator.Fault)
		want   string
	}{
		"every call":          {func(*simulator.Fault) {}, "------"},
		"one container":       {func(r *simulator.Fault) { r.Container = one }, "-+-+-+"},
		"chat of another":     {func(r *simulator.Fault) { r.Chat = two }, "+-+-+-"},
		"third call":          {func(r *simulator.Fault) { r.From, r.Times = 3, 1 }, "++-+++"},
		"every other":         {func(r *simulator.Fault) { r.Every = 2 }, "-+-+-+"},
		"first two":           {func(r *simulator.Fault) { r.Times = 2 }, "--++++"},
		"once each container": {func(r *simulator.Fault) { r.Times, r.Each = 1, true }, "--++++"},
		"another API":         {func(r *simulator.Fault) { r.API = simulator.APIChat }, "++++++"},
		"another type":        {func(r *simulator.Fault) { r.MsgType = "merge_forward" }, "++++++"},
	} {
		fault := failing
		c.change(&fault)
		k.api.SetFaults(fault)
		if got := calls(one, two, one, two, one, two); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
	k.api.SetFaults()
	k.api.AddFaults(failing)
	if got := calls(one); got != "-" {
		t.Errorf("an added fault does not act: %s", got)
	}
}

func TestForwardsThatFail(t *testing.T) {
	w := world(t, simulator.Options{Chats: 6})
	k := newCaller(t, w, simulator.FeishuConfig{Faults: []simulator.Fault{{API: simulator.APIMessage, MsgType: "merge_forward",
		Times: 2, Each: true, Action: simulator.Answer, Status: 500, Code: 2200}}})
	tried := 0
	for _, m := range w.Messages(w.Chats()[0].ID) {
		if m.Type != "merge_forward" || m.State != simulator.Normal {
			continue
		}
		tried++
		for range 2 {
			k.get(messages+"/"+m.ID).want(t, 500, 2200)
		}
		k.get(messages+"/"+m.ID).want(t, 200, 0)
	}
	if k.get(messages+"/"+textOf(w, w.Chats()[0].ID)).want(t, 200, 0); tried == 0 {
		t.Error("no forward in the first chat")
	}
}

func TestTokenAndClockFaults(t *testing.T) {
	w, at := world(t, simulator.Options{Chats: 1}), newClock()
	k := newCaller(t, w, simulator.FeishuConfig{Now: at.now})
	chat, before := w.Chats()[0].ID, k.token
	k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, From: 2, Times: 1, Action: simulator.RevokeToken})
	k.page("chat", chat, "").want(t, 200, 0)
	k.page("chat", chat, "").want(t, 400, 99991663)
	if k.refresh(); k.token == before {
		t.Error("the same token after it was revoked")
	}
	k.page("chat", chat, "").want(t, 200, 0)
	k.api.SetFaults(simulator.Fault{Action: simulator.SkewClock, Delay: 100 * time.Minute})
	p := k.page("chat", chat, "")
	if date, err := http.ParseTime(p.header.Get("Date")); err != nil || !date.Equal(at.now().Add(100*time.Minute)) {
		t.Errorf("Date is %q", p.header.Get("Date"))
	}
	if p := k.refresh(); p.Expire != 7200 {
		t.Errorf("a token with 20 minutes left by the server's clock was given out again, expire %d", p.Expire)
	}
	k.api.SetFaults(simulator.Fault{Action: simulator.Slow, Delay: 20 * time.Millisecond})
	begin := time.Now()
	if k.page("chat", chat, "").want(t, 200, 0); time.Since(begin) < 20*time.Millisecond {
		t.Error("a slow answer came at once")
	}
}

func TestPageFaults(t *testing.T) {
	page := func(action simulator.Action) simulator.Fault {
		return simulator.Fault{API: simulator.APIMessages, Action: action}
	}
	k, chat := faulty(t)
	first := k.page("chat", chat, "")
	second := k.page("chat", chat, first.Data.PageToken)
	a, b := first.Data.PageToken, second.Data.PageToken

	k.api.SetFaults(page(simulator.RefusePageToken))
	k.page("chat", chat, "").want(t, 200, 0)
	k.page("chat", chat, a).want(t, 400, 230001)

	k.api.SetFaults(page(simulator.RepeatPageToken))
	if p := k.page("chat", chat, a); p.Data.PageToken != a || !p.Data.HasMore {
		t.Errorf("token %q, want the same again", p.Data.PageToken)
	}

	k.api.SetFaults(page(simulator.CyclePageTokens))
	token, cycle := "", ""
	for range 6 {
		token = k.page("chat", chat, token).Data.PageToken
		cycle += map[string]string{a: "A", b: "B"}[token]
	}
	if cycle != "ABABAB" {
		t.Errorf("tokens go %q, want ABABAB", cycle)
	}

	k.api.SetFaults(page(simulator.NoPageToken))
	if p := k.page("chat", chat, ""); p.Data.PageToken != "" || !p.Data.HasMore || len(p.Data.Items) != 50 {
		t.Errorf("token %q, has_more %v", p.Data.PageToken, p.Data.HasMore)
	}
}

func TestEmptyAndLastPages(t *testing.T) {
	k, chat := faulty(t)
	want := k.page("chat", chat, k.page("chat", chat, "").Data.PageToken).ids(t)
	k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, From: 2, Times: 3, Action: simulator.EmptyPage},
		simulator.Fault{API: simulator.APIMessages, Action: simulator.LastPageToken})
	p := k.page("chat", chat, "")
	seen := map[string]bool{}
	for range 3 {
		p = k.page("chat", chat, p.Data.PageToken)
		if p.want(t, 200, 0); len(p.Data.Items) != 0 || !p.Data.HasMore || seen[p.Data.PageToken] {
			t.Fatalf("not an empty page with a token of its own: %s", p.body)
		}
		seen[p.Data.PageToken] = true
	}
	p = k.page("chat", chat, p.Data.PageToken)
	if strings.Join(p.ids(t), " ") != strings.Join(want, " ") {
		t.Error("after the empty pages it does not go on where it was")
	}
	for p.Data.HasMore {
		p = k.page("chat", chat, p.Data.PageToken)
	}
	if p.Data.PageToken == "" {
		t.Error("no token on the last page")
	}
}

func TestBigPages(t *testing.T) {
	k, chat := faulty(t)
	small := k.page("chat", chat, "")
	for _, size := range []int{20_000_000, 25 << 20} {
		k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, Action: simulator.BigPage, Bytes: size})
		p := k.page("chat", chat, "")
		if p.want(t, 200, 0); len(p.body) < size || len(p.body) > size+len(small.body)+10_000 {
			t.Errorf("%d bytes, want %d", len(p.body), size)
		}
		if strings.Join(p.ids(t), " ") != strings.Join(small.ids(t), " ") {
			t.Error("a big page has other messages")
		}
	}
}

// One item of a page is large, wherever the page begins; the other pages are as they are.
func TestBigItems(t *testing.T) {
	k, chat := faulty(t)
	whole := k.page("chat", chat, "")
	big := whole.ids(t)[3]
	k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, Action: simulator.BigItem, Message: big, Bytes: 3_000_000})
	for _, token := range []string{"", whole.Data.PageToken} {
		p, large := k.page("chat", chat, token), 0
		for i, item := range p.Data.Items {
			if len(item) > 3_000_000 {
				large++
				if p.ids(t)[i] != big {
					t.Errorf("item %d is large", i)
				}
			}
		}
		if want := map[bool]int{true: 1}[token == ""]; large != want {
			t.Errorf("%d large items on the page at %q, want %d", large, token, want)
		}
	}
}

// A fault may choose calls by what their query asks for.
func TestFaultsChooseByQuery(t *testing.T) {
	k, chat := faulty(t)
	k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, Query: "page_token=", Action: simulator.Answer, Code: 230027})
	p := k.page("chat", chat, "")
	p.want(t, 200, 0)
	k.page("chat", chat, p.Data.PageToken).want(t, 400, 230027)
}

func TestBrokenItems(t *testing.T) {
	for how, broken := range map[simulator.Broken]func(item json.RawMessage) bool{
		simulator.NullItem:    func(item json.RawMessage) bool { return string(item) == "null" },
		simulator.WrongTypes:  func(item json.RawMessage) bool { return strings.Contains(string(item), `"body":"a string"`) },
		simulator.NoMessageID: func(item json.RawMessage) bool { return !strings.Contains(string(item), "message_id") },
		simulator.BrokenContent: func(item json.RawMessage) bool {
			var m struct{ Body struct{ Content string } }
			return json.Unmarshal(item, &m) == nil && m.Body.Content != "" && !json.Valid([]byte(m.Body.Content))
		},
		simulator.InvalidUTF8: func(item json.RawMessage) bool { return !utf8.Valid(item) && json.Valid(item) },
		simulator.UnknownType: func(item json.RawMessage) bool { return strings.Contains(string(item), "type_of_tomorrow") },
		simulator.AbsurdTimes: func(item json.RawMessage) bool { return strings.Contains(string(item), "9223372036854775807") },
		simulator.NumbersForStrings: func(item json.RawMessage) bool {
			return strings.Contains(string(item), `"message_id":90071992547409931234`) && !strings.Contains(string(item), `"create_time":"`)
		},
	} {
		k, chat := faulty(t)
		want := k.page("chat", chat, "").Data.Items
		k.api.SetFaults(simulator.Fault{API: simulator.APIMessages, Action: simulator.BreakItem, Item: 7, Broken: how})
		got := k.page("chat", chat, "").Data.Items
		if len(got) != 50 || !broken(got[7]) {
			t.Errorf("%s: %d items, the eighth is %s", how, len(got), got[min(7, len(got)-1)])
		}
		for i := range got {
			if i != 7 && string(got[i]) != string(want[i]) {
				t.Errorf("%s: item %d is changed too", how, i)
			}
		}
		if r := k.api.Report(); len(r.Broken) != 1 || r.Broken[0] != k.w.Messages(chat)[7].ID {
			t.Errorf("%s: report says that %v are broken", how, r.Broken)
		}
	}
}

func TestCallsAtOnceAreCountedRight(t *testing.T) {
	w := world(t, simulator.Options{Chats: 4})
	k := newCaller(t, w, simulator.FeishuConfig{Record: true})
	done := make(chan int)
	for _, chat := range w.Chats() {
		go func() {
			calls := 0
			for token := ""; ; {
				p, err := k.try(messages, "container_id_type", "chat", "container_id", chat.ID, "page_size", "50", "page_token", token)
				if err != nil || p.Code != 0 {
					break
				}
				if calls++; !p.Data.HasMore {
					break
				}
				token = p.Data.PageToken
			}
			done <- calls
		}()
	}
	calls := 0
	for range w.Chats() {
		calls += <-done
	}
	want, wantCalls := 0, 0
	for _, chat := range w.Chats() {
		n := len(w.Messages(chat.ID))
		want += n
		wantCalls += (n + 49) / 50
	}
	r := k.api.Report()
	if r.InChats != want || calls != wantCalls || r.APIs[simulator.APIMessages].Calls != wantCalls || len(k.api.Exchanges()) != wantCalls+1 {
		t.Errorf("%d messages in %d calls, want %d in %d; report %+v", r.InChats, calls, want, wantCalls, r)
	}
}
