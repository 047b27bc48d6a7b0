package simulator_test

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chatlake/simulator"
)

func TestYunxinRefusesBadCredentials(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	path := historyPath("v2.1", w.Conversations()[0].APIID)
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	for name, c := range map[string]struct {
		change   func(*http.Request)
		clock    time.Duration
		code     int
		contains string
	}{
		"none missing":  {func(*http.Request) {}, 0, 200, "success"},
		"no app key":    {func(r *http.Request) { r.Header.Del("AppKey") }, 0, 414, "AppKey"},
		"no nonce":      {func(r *http.Request) { r.Header.Del("Nonce") }, 0, 414, "Nonce"},
		"no time":       {func(r *http.Request) { r.Header.Del("CurTime") }, 0, 414, "CurTime"},
		"no checksum":   {func(r *http.Request) { r.Header.Del("CheckSum") }, 0, 414, "CheckSum"},
		"other app":     {set("AppKey", "another"), 0, 101303, "app key"},
		"long nonce":    {set("Nonce", strings.Repeat("n", 129)), 0, 414, "Nonce"},
		"milliseconds":  {set("CurTime", "1772366400000"), 0, 414, "CurTime"},
		"bad checksum":  {set("CheckSum", strings.Repeat("0", 40)), 0, 414, "checksum"},
		"upper case":    {func(r *http.Request) { r.Header.Set("CheckSum", strings.ToUpper(r.Header.Get("CheckSum"))) }, 0, 414, "checksum"},
		"at the limit":  {func(*http.Request) {}, 300 * time.Second, 200, "success"},
		"clock behind":  {func(*http.Request) {}, 301 * time.Second, 414, "checksum"},
		"clock ahead":   {func(*http.Request) {}, -301 * time.Second, 414, "checksum"},
		"no trace id":   {func(r *http.Request) { r.Header.Del("X-custom-traceid") }, 0, 200, "success"},
		"wrong time":    {set("CurTime", "soon"), 0, 414, "CurTime"},
		"ahead of time": {func(*http.Request) {}, -300 * time.Second, 200, "success"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, authCode := range []int{0, 403} {
				k := newYunxinCaller(t, w, simulator.YunxinConfig{AuthCode: authCode})
				r := k.request(http.MethodGet, path, "")
				c.change(r)
				k.at.add(c.clock)
				p, code, contains := k.send(r), c.code, c.contains
				if authCode == 403 && code == 414 {
					code, contains = 403, "authentication"
				}
				if p.want(t, 200, code); !strings.Contains(p.Msg, contains) {
					t.Errorf("message is %q, want %q in it", p.Msg, contains)
				}
				if got := k.api.Report().Unauthorized; (got == 1) != (code == 414 || code == 403) {
					t.Errorf("%d calls counted as unauthorized", got)
				}
			}
		})
	}
}

func TestNonceAndTraceIDComeOnce(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	path := historyPath("v2.1", w.Conversations()[0].APIID)
	for _, header := range []string{"Nonce", "X-custom-traceid"} {
		k := newYunxinCaller(t, w, simulator.YunxinConfig{})
		first := k.request(http.MethodGet, path, "")
		k.send(first).want(t, 200, 200)
		again := k.request(http.MethodGet, path, "")
		if header == "Nonce" {
			again.Header = first.Header.Clone()
			again.Header.Set("X-custom-traceid", "another")
		} else {
			again.Header.Set(header, first.Header.Get(header))
		}
		k.send(again).want(t, 200, 431)
		if r := k.api.Report(); r.Duplicates != 1 || r.Unauthorized != 0 {
			t.Errorf("%s: report is %+v", header, r)
		}
		k.send(k.request(http.MethodGet, path, "")).want(t, 200, 200)
	}
}

func TestPathsAreOnceEncoded(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	id := strings.ReplaceAll(w.Conversations()[0].APIID, "|", "%7C")
	rest := "/messages?begin_time=0&end_time=" + allTime
	for path, want := range map[string][2]int{
		"/im/v2/conversations/" + id + rest:                                     {200, 200},
		"/im/v2.1/conversations/" + id + rest:                                   {200, 200},
		"/im/v2.1/conversations/" + strings.ToUpper(id) + rest:                  {200, 200}, // accounts are lower-cased
		"/im/v2.1/conversations/" + strings.ReplaceAll(id, "%", "%25") + rest:   {200, 414},
		"/im/v2.1/conversations/a%7C1" + rest:                                   {200, 414},
		"/im/v2.1/conversations/a%7C4%7Cb" + rest:                               {200, 414},
		"/im/v2.1/conversations/a%7C2%7Cb" + rest:                               {200, 414},
		"/im/v2.2/conversations/" + id + rest:                                   {404, 0},
		"/nimserver/im/v2/conversations/" + id + rest:                           {404, 0},
		"/im/v2.1/conversations/" + id + "/history":                             {404, 0},
		"/merged/none.txt":                                                      {404, 0},
		"/merged/moved/none.txt":                                                {404, 0},
		"/im/v2.1/conversations/" + id + "/batch_messages":                      {405, 0},
		"/im/v2.1/conversations/" + strings.ReplaceAll(id, "%7C", "%7c") + rest: {200, 200},
	} {
		p := k.send(k.request(http.MethodGet, path, ""))
		if p.status != want[0] || p.Code != want[1] {
			t.Errorf("%s: HTTP %d, code %d, want %v: %.200s", path, p.status, p.Code, want, p.body)
		}
	}
	r := k.request(http.MethodGet, "/im/v2/conversations/x"+rest, "")
	r.URL.Opaque = "//" + r.URL.Host + "/im/v2/conversations/" + w.Conversations()[0].APIID + rest
	r.URL.RawQuery = ""
	k.send(r).want(t, 400, 0)
}

func TestHistoryParameters(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 1})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	id := w.Conversations()[0].APIID
	for name, c := range map[string]struct {
		parameters []string
		items      int // -1: refused
	}{
		"limit 1":          {[]string{"limit", "1"}, 1},
		"limit 100":        {[]string{"limit", "100"}, 100},
		"limit 101":        {[]string{"limit", "101"}, -1},
		"limit 0":          {[]string{"limit", "0"}, -1},
		"limit x":          {[]string{"limit", "x"}, -1},
		"no limit":         {[]string{"limit", ""}, 100},
		"no begin":         {[]string{"begin_time", ""}, -1},
		"no end":           {[]string{"end_time", ""}, -1},
		"empty window":     {[]string{"begin_time", "5", "end_time", "5"}, -1},
		"turned window":    {[]string{"begin_time", "6", "end_time", "5"}, -1},
		"nothing in it":    {[]string{"begin_time", "5", "end_time", "6"}, 0},
		"negative":         {[]string{"begin_time", "-5"}, -1},
		"descending maybe": {[]string{"descending", "maybe"}, -1},
		"types":            {[]string{"message_type", "0,1"}, 100},
		"unknown type":     {[]string{"message_type", "77"}, 0},
		"bad types":        {[]string{"message_type", "0;1"}, -1},
		"bad token":        {[]string{"page_token", "bm8="}, -1},
		"team":             {[]string{"check_team_valid", "false", "include_no_sense_msg", "true"}, 100},
		"bad team":         {[]string{"check_team_valid", "0"}, -1},
	} {
		p := k.page(id, c.parameters...)
		if c.items < 0 {
			if p.want(t, 200, 414); p.Data.Items != nil || !strings.Contains(string(p.body), `"data":{}`) {
				t.Errorf("%s: %s", name, p.body)
			}
			continue
		}
		if p.want(t, 200, 200); len(p.Data.Items) != c.items {
			t.Errorf("%s: %d items, want %d", name, len(p.Data.Items), c.items)
		}
	}
	if wrong := k.api.Report().Wrong; wrong != 12 {
		t.Errorf("%d requests counted as wrong, want 12", wrong)
	}
}

func TestHistoryIsReadWholeInBothDirections(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 3})
	for name, config := range map[string]simulator.YunxinConfig{
		"as documented": {}, "as named": {DescendingIsNewestFirst: true}, "jumbled": {Jumbled: true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newYunxinCaller(t, w, config)
			want := 0
			for _, c := range w.Conversations() {
				ids := truthIDs(w.Messages(c.ID, false))
				want += len(ids)
				for _, descending := range []string{"true", "false", ""} {
					got := serverIDs(t, k.read(c.APIID, "descending", descending))
					newestFirst := (descending == "true") == config.DescendingIsNewestFirst
					expected := slices.Clone(ids)
					if newestFirst {
						slices.Reverse(expected)
					}
					if config.Jumbled {
						if slices.Equal(got, expected) {
							t.Errorf("%s: pages are in order", c.ID)
						}
						slices.Sort(got)
						slices.Sort(expected)
					}
					if !slices.Equal(got, expected) {
						t.Errorf("%s, descending %q: %d ids, want %d, or their order is wrong", c.ID, descending, len(got), len(ids))
					}
				}
			}
			if r := k.api.Report(); r.InHistory != want || r.Shown != want || len(k.api.Shown()) != want || r.InBatches != 0 || r.Wrong != 0 {
				t.Errorf("report is %+v, want %d shown", r, want)
			}
		})
	}
}

func TestEndsOfWindows(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 3})
	c := w.Conversations()[2]
	counts := map[int64]int{}
	var at int64
	for _, m := range w.Messages(c.ID, false) {
		if counts[m.CreatedAt]++; counts[m.CreatedAt] > counts[at] {
			at = m.CreatedAt
		}
	}
	if counts[at] < 201 {
		t.Fatalf("%d messages in one millisecond, want more than two pages of them", counts[at])
	}
	begin, end, next, before := strconv.FormatInt(at, 10), strconv.FormatInt(at, 10), strconv.FormatInt(at+1, 10), strconv.FormatInt(at-1, 10)
	for _, exclusive := range []bool{false, true} {
		k := newYunxinCaller(t, w, simulator.YunxinConfig{BeginExclusive: exclusive, EndExclusive: exclusive})
		after, upTo := counts[at]+counts[at+1], counts[at-1]+counts[at]
		if exclusive {
			after, upTo = 0, 0
		}
		if got := len(k.read(c.APIID, "begin_time", begin, "end_time", next)); got != after {
			t.Errorf("exclusive %t: %d messages from the millisecond on, want %d", exclusive, got, after)
		}
		if got := len(k.read(c.APIID, "begin_time", before, "end_time", end)); got != upTo {
			t.Errorf("exclusive %t: %d messages up to the millisecond, want %d", exclusive, got, upTo)
		}
	}
}

func TestPageTokensBelongToTheirQuery(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 2})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{PageTokenLife: time.Hour})
	id, other := w.Conversations()[0].APIID, w.Conversations()[1].APIID
	token := k.page(id).Data.NextToken
	k.page(id, "page_token", token).want(t, 200, 200)
	k.page(id, "page_token", token, "limit", "7").want(t, 200, 200)
	for name, parameters := range map[string][]string{"window": {"begin_time", "1"}, "direction": {"descending", "false"}, "types": {"message_type", "0"},
		"no sense": {"include_no_sense_msg", "true"}} {
		if p := k.page(id, append(parameters, "page_token", token)...); p.Code != 414 || !strings.Contains(p.Msg, "page_token") {
			t.Errorf("another %s: %.200s", name, p.body)
		}
	}
	k.page(other, "page_token", token).want(t, 200, 414)
	k.at.add(61 * time.Minute)
	k.page(id, "page_token", token).want(t, 200, 414)
	fresh := k.page(id, "begin_time", "3").Data.NextToken
	k.api.RefusePageTokens()
	k.page(id, "begin_time", "3", "page_token", fresh).want(t, 200, 414)
}

func TestWhatCannotBeReadSaysWhy(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 6})
	k := newYunxinCaller(t, w, simulator.YunxinConfig{})
	codes := map[int]bool{}
	for _, refusal := range w.Refused() {
		k.page(refusal.APIID).want(t, 200, refusal.Code)
		codes[refusal.Code] = true
	}
	for _, code := range []int{102404, 102422, 108404, 109404} {
		if !codes[code] {
			t.Errorf("nothing is refused with %d", code)
		}
	}
	team := w.Conversations()[1]
	outsider := "outsider@none|2|" + strconv.FormatInt(team.TeamID, 10)
	k.page(outsider, "check_team_valid", "false").want(t, 200, 200)
	super := w.Conversations()[2]
	k.page("outsider@none|2|"+strconv.FormatInt(super.TeamID, 10)).want(t, 200, 108302)
	m := w.Messages(team.ID, false)[0]
	k.batch(outsider, asked{m.ID, m.CreatedAt}).want(t, 200, 200)
	strict := newYunxinCaller(t, w, simulator.YunxinConfig{MembersOnly: true})
	strict.batch(outsider, asked{m.ID, m.CreatedAt}).want(t, 200, 109404)
	if p := k.page("outsider@none|1|" + super.Owner); p.Code != 200 || len(p.Data.Items) != 0 {
		t.Errorf("two people who never spoke: %s", p.body)
	}
}

// Many read, from two origins, while others change what they read.
func TestYunxinServesManyAtOnce(t *testing.T) {
	w := yunxinWorld(t, simulator.YunxinOptions{Conversations: 3})
	api := simulator.NewYunxin(w, simulator.YunxinConfig{Record: true})
	files := api.Files()
	key, secret := w.App()
	var wait sync.WaitGroup
	var calls atomic.Int64
	for _, c := range w.Conversations() {
		first := w.Messages(c.ID, false)[0].ID
		wait.Go(func() {
			for range 20 {
				if _, err := w.Reply(c.ID, first, "an answer"); err != nil {
					t.Error(err)
				}
				w.LookedUp(c.ID)
			}
		})
		for range 3 {
			wait.Go(func() {
				for range 10 {
					nonce, at := strconv.FormatInt(calls.Add(1), 10), strconv.FormatInt(time.Now().Unix(), 10)
					sum := sha1.Sum([]byte(secret + nonce + at))
					r := httptest.NewRequest(http.MethodGet, historyPath("v2.1", c.APIID), nil)
					r.Header = http.Header{"Appkey": {key}, "Nonce": {nonce}, "Curtime": {at}, "Checksum": {hex.EncodeToString(sum[:])}}
					answer := httptest.NewRecorder()
					if api.ServeHTTP(answer, r); !strings.HasPrefix(answer.Body.String(), `{"code":200`) {
						t.Errorf("HTTP %d: %.200s", answer.Code, answer.Body)
					}
					files.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/merged/none.txt", nil))
				}
			})
		}
	}
	wait.Wait()
	if r := api.Report(); r.APIs[simulator.APIHistory].Calls != 90 || r.APIs[simulator.APIMergedFile].Calls != 90 || len(api.Exchanges()) != 180 || r.InHistory < 300 {
		t.Errorf("report is %+v", r)
	}
}
