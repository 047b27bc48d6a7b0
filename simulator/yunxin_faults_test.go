package simulator_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"chatlake/simulator"
)

// faultyYunxin serves one conversation with faults, and gives its first messages.
func faultyYunxin(t *testing.T, faults ...simulator.Fault) (*yunxinCaller, string, []asked) {
	t.Helper()
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{Record: true, Faults: faults})
	var first []asked
	for _, m := range w.Messages(w.Conversations()[0].ID, false)[:20] {
		first = append(first, asked{m.ID, m.CreatedAt})
	}
	return k, w.Conversations()[0].APIID, first
}

func TestYunxinTransportFaults(t *testing.T) {
	k, id, _ := faultyYunxin(t, simulator.Fault{API: simulator.APIHistory, Times: 1, Action: simulator.Reset},
		simulator.Fault{API: simulator.APIHistory, From: 2, Times: 1, Action: simulator.Cut},
		simulator.Fault{API: simulator.APIHistory, From: 3, Times: 1, Action: simulator.HTML})
	k.http.Transport.(*http.Transport).DisableKeepAlives = true // a reused connection would be tried again unseen
	path := historyPath("v2.1", id)
	if _, err := k.try(k.request(http.MethodGet, path, "")); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
		t.Errorf("reset gives %v", err)
	}
	if _, err := k.try(k.request(http.MethodGet, path, "")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut gives %v, want an unexpected end", err)
	}
	if p := k.page(id); p.status != 502 || !strings.Contains(string(p.body), "<html>") {
		t.Errorf("gateway's page: HTTP %d %s", p.status, p.body)
	}
	k.page(id).want(t, 200, 200)
	r, exchanges := k.api.Report(), k.api.Exchanges()
	if r.Calls != 4 || r.APIs[simulator.APIHistory].Failed != 3 || r.InHistory != 100 || r.Faults[simulator.Reset] != 1 {
		t.Errorf("report is %+v", r)
	}
	if len(exchanges) != 4 || exchanges[1].Whole || !exchanges[3].Whole || exchanges[3].LogID != "trace-0004" || exchanges[3].Code != 200 {
		t.Errorf("exchanges are %+v", exchanges)
	}
}

func TestYunxinAnswersInsteadOfTheAPI(t *testing.T) {
	for name, c := range map[string]struct {
		fault        simulator.Fault
		status, code int
		contains     string
	}{
		"parameter error": {simulator.Fault{Action: simulator.Answer, Code: 414}, 200, 414, `"data":{}`},
		"other words":     {simulator.Fault{Action: simulator.Answer, Code: 414, Msg: "check header"}, 200, 414, "check header"},
		"server error":    {simulator.Fault{Action: simulator.Answer, Code: 500}, 200, 500, "server error"},
		"retry later":     {simulator.Fault{Action: simulator.Answer, Code: 449}, 200, 449, `"msg":"error"`},
		"gateway":         {simulator.Fault{Action: simulator.Answer, Status: 503}, 503, 0, "upstream"},
		"body of choice":  {simulator.Fault{Action: simulator.Answer, Body: []byte(`{"code":200,"da`)}, 200, 0, `"da`},
		"throttle":        {simulator.Fault{Action: simulator.Throttle}, 200, 416, "frequently"},
		"skewed clock":    {simulator.Fault{Action: simulator.SkewClock, Delay: 6 * 60 * 1e9}, 200, 414, "checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			c.fault.Times = 1
			k, id, first := faultyYunxin(t, c.fault)
			p := k.page(id)
			if p.want(t, c.status, c.code); !strings.Contains(string(p.body), c.contains) {
				t.Errorf("body is %.200s", p.body)
			}
			k.batch(id, first...).want(t, 200, 200)
		})
	}
}

func TestPoisonIDsSpoilTheirBatch(t *testing.T) {
	for _, code := range []int{414, 500} {
		k, id, first := faultyYunxin(t)
		k.api.SetFaults(simulator.Fault{API: simulator.APIBatch, Message: first[7].id, Action: simulator.Answer, Code: code})
		k.batch(id, first...).want(t, 200, code)
		k.batch(id, first[:7]...).want(t, 200, 200)
		k.batch(id, first[8:]...).want(t, 200, 200)
		k.batch(id, first[7]).want(t, 200, code)
		if r := k.api.Report(); r.InBatches != 19 || r.Faults[simulator.Answer] != 2 {
			t.Errorf("code %d: report is %+v", code, r)
		}
	}
}

func TestListsOfABatchGoWrong(t *testing.T) {
	type outcome struct {
		found, lost int
		contains    string
	}
	for name, c := range map[string]struct {
		fault simulator.Fault
		want  outcome
	}{
		"all fail":       {simulator.Fault{Action: simulator.FailItems}, outcome{0, 20, `"error_code":107404`}},
		"all fail later": {simulator.Fault{Action: simulator.FailItems, Code: 449}, outcome{0, 20, `"error_code":449`}},
		"one fails":      {simulator.Fault{Action: simulator.FailItems, Message: "3", Code: 107451}, outcome{19, 1, `"error_code":107451`}},
		"one dropped":    {simulator.Fault{Action: simulator.DropItem, Message: "3"}, outcome{19, 0, ""}},
		"third dropped":  {simulator.Fault{Action: simulator.DropItem, Item: 2}, outcome{19, 0, ""}},
		"one twice":      {simulator.Fault{Action: simulator.RepeatItem, Item: 2}, outcome{21, 0, ""}},
		"strange":        {simulator.Fault{Action: simulator.StrangeItem}, outcome{21, 0, `"message_server_id":4711`}},
		"no lists":       {simulator.Fault{Action: simulator.NoLists}, outcome{0, 0, `"data":{}`}},
		"null lists":     {simulator.Fault{Action: simulator.NullLists}, outcome{0, 0, `"data":{"failed_list":null,"success_list":null}`}},
	} {
		t.Run(name, func(t *testing.T) {
			k, id, first := faultyYunxin(t)
			if c.fault.API = simulator.APIBatch; c.fault.Message != "" {
				c.fault.Message = first[3].id
			}
			k.api.SetFaults(c.fault)
			p := k.batch(id, first...)
			p.want(t, 200, 200)
			if len(p.Data.Success) != c.want.found || len(p.Data.Failed) != c.want.lost || !strings.Contains(string(p.body), c.want.contains) {
				t.Errorf("%d found, %d lost: %.300s", len(p.Data.Success), len(p.Data.Failed), p.body)
			}
			if c.fault.Message != "" && slices.Contains(serverIDs(t, p.Data.Success), first[3].id) {
				t.Error("the message is found all the same")
			}
		})
	}
}

func TestFaultsOfHistoryPages(t *testing.T) {
	k, id, _ := faultyYunxin(t)
	token := k.page(id).Data.NextToken
	for name, c := range map[string]struct {
		action simulator.Action
		check  func(p *yunxinReply) bool
	}{
		"refused token":  {simulator.RefusePageToken, func(p *yunxinReply) bool { return p.Code == 414 }},
		"repeated token": {simulator.RepeatPageToken, func(p *yunxinReply) bool { return p.Data.HasMore && p.Data.NextToken == token }},
		"no token":       {simulator.NoPageToken, func(p *yunxinReply) bool { return p.Data.HasMore && p.Data.NextToken == "" }},
		"empty page": {simulator.EmptyPage, func(p *yunxinReply) bool {
			return p.Data.HasMore && len(p.Data.Items) == 0 && p.Data.NextToken != token
		}},
		"big page": {simulator.BigPage, func(p *yunxinReply) bool { return len(p.body) > 3_000_000 && len(p.Data.Items) == 100 }},
	} {
		k.api.SetFaults(simulator.Fault{API: simulator.APIHistory, Action: c.action, Bytes: 3_000_000})
		if p := k.page(id, "page_token", token); !c.check(p) {
			t.Errorf("%s: %.300s", name, p.body)
		}
	}
}

func TestBigItemsOfYunxin(t *testing.T) {
	k, id, first := faultyYunxin(t)
	k.api.SetFaults(simulator.Fault{Action: simulator.BigItem, Message: first[3].id, Bytes: 3_000_000})
	for name, items := range map[string][]json.RawMessage{"history": k.page(id).Data.Items, "batch": k.batch(id, first...).Data.Success} {
		for i, item := range items {
			if (len(item) > 3_000_000) != (i == 3) {
				t.Errorf("%s: item %d has %d bytes", name, i, len(item))
			}
		}
	}
}

func TestBrokenItemsOfYunxin(t *testing.T) {
	for how, broken := range map[simulator.Broken]func(item json.RawMessage) bool{
		simulator.NullItem:      func(item json.RawMessage) bool { return string(item) == "null" },
		simulator.WrongTypes:    func(item json.RawMessage) bool { return strings.Contains(string(item), `"message_type":"text"`) },
		simulator.NoMessageID:   func(item json.RawMessage) bool { return !strings.Contains(string(item), `"message_server_id":1`) },
		simulator.BrokenContent: func(item json.RawMessage) bool { return strings.Contains(string(item), `cut sho"`) },
		simulator.InvalidUTF8:   func(item json.RawMessage) bool { return !utf8.Valid(item) && json.Valid(item) },
		simulator.UnknownType:   func(item json.RawMessage) bool { return strings.Contains(string(item), `"message_type":4242`) },
		simulator.AbsurdTimes:   func(item json.RawMessage) bool { return strings.Contains(string(item), "9223372036854775807") },
		simulator.NumbersForStrings: func(item json.RawMessage) bool {
			return strings.Contains(string(item), `"create_time":"1`) && strings.Contains(string(item), `"message_client_id":9007199254740993`)
		},
	} {
		k, id, first := faultyYunxin(t)
		want := [][]json.RawMessage{k.page(id).Data.Items, k.batch(id, first...).Data.Success}
		k.api.SetFaults(simulator.Fault{Action: simulator.BreakItem, Item: 7, Broken: how})
		for n, got := range [][]json.RawMessage{k.page(id).Data.Items, k.batch(id, first...).Data.Success} {
			for i := range got {
				if i == 7 && !broken(got[i]) || i != 7 && string(got[i]) != string(want[n][i]) {
					t.Errorf("%s: item %d is %s", how, i, got[i])
				}
			}
		}
		if r := k.api.Report(); len(r.Broken) != 2 || r.Broken[0] != first[7].id {
			t.Errorf("%s: report says that %v are broken", how, r.Broken)
		}
	}
}

func TestFaultsChooseConversationsAndFiles(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 2, BigForward: 3})
	one, two := w.Conversations()[0], w.Conversations()[1]
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	k.api.SetFaults(simulator.Fault{Chat: two.ID, Action: simulator.Answer, Code: 108404},
		simulator.Fault{Container: one.APIID, Action: simulator.Answer, Code: 102422, From: 2},
		simulator.Fault{API: simulator.APIMergedFile, Action: simulator.HTML})
	k.page(one.APIID).want(t, 200, 200)
	k.page(one.APIID).want(t, 200, 102422)
	k.page("Anybody|2|"+url.PathEscape(strings.TrimPrefix(two.ID, "team:"))).want(t, 200, 108404)
	if p := k.send(k.request(http.MethodGet, "/merged/any.txt", "")); p.status != 502 {
		t.Errorf("file: HTTP %d", p.status)
	}
}
