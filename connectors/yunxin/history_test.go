package yunxin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// shown gives the ids that pages show, each with how often.
func shown(t *testing.T, pages []*connectors.Page) map[string]int {
	t.Helper()
	ids := map[string]int{}
	for _, p := range pages {
		var body struct {
			Data struct {
				Items []struct {
					ID json.Number `json:"message_server_id"`
				} `json:"items"`
			} `json:"data"`
		}
		if err := json.Unmarshal(p.Body, &body); err != nil {
			t.Fatalf("%q: %v", p.Body, err)
		}
		if p.Items != len(body.Data.Items) {
			t.Errorf("page counts %d items of %d", p.Items, len(body.Data.Items))
		}
		for _, item := range body.Data.Items {
			ids[item.ID.String()]++
		}
	}
	return ids
}

// wantWhole checks that pages show all that a chat holds, and came to their end.
func wantWhole(t *testing.T, c *chat, pages []*connectors.Page) {
	t.Helper()
	last := pages[len(pages)-1]
	if last.Failed != nil {
		t.Errorf("failed: %+v", last.Failed)
		return
	}
	ids, lost := shown(t, pages), 0
	for _, m := range c.messages {
		if ids[fmt.Sprint(m.id)] == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d messages were never shown", lost, len(c.messages))
	}
}

func TestHistoryRequests(t *testing.T) {
	c := &chat{messages: spread(250, nil)}
	f := c.fake()
	pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, c, pages)
	line := func(from, to int64) string {
		return fmt.Sprintf("GET %s/messages?begin_time=%d&end_time=%d&limit=100&descending=true&include_no_sense_msg=true", aliceBob, from, to)
	}
	const begin, end = 999_999_999_999, 4_000_000_000_000
	// The second looks below the first page, and so finds out that the oldest come first, and that messages sent at end_time
	// are shown; the third finds out the same of begin_time. Each window begins in the last millisecond of the one before.
	want := []string{line(begin, end), line(begin, day+1), line(day+98, end-1), line(day+197, end-1)}
	sameLines(t, "asked", f.requests(), want)
	var told []string
	for _, p := range pages {
		told = append(told, p.Request)
		if p.Type != schemas.YunxinMessagesList || p.HTTPStatus != 200 || p.Code != "200" || p.Error != "" || p.Calls != 1 {
			t.Errorf("page %+v", p.Response)
		}
	}
	sameLines(t, "told", told, want)
	if w := pages[len(pages)-1].Next.Watermark; w != day+249 {
		t.Errorf("watermark %v", w)
	}
}

func TestHistoryOfOnePageTakesOneCall(t *testing.T) {
	for _, n := range []int{0, 1, 100} {
		f := (&chat{messages: spread(n, nil)}).fake()
		pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
		if err != nil || len(pages) != 1 || len(f.requests()) != 1 || pages[0].Items != n || pages[0].Failed != nil {
			t.Errorf("%d messages: %d pages, %v", n, len(pages), err)
		}
	}
}

func TestHistoryOfATeam(t *testing.T) {
	for id, want := range map[string]string{"alice|2|42": "check_team_valid=false", "alice|3|42": ""} {
		f := (&chat{}).fake()
		cfg := f.config()
		cfg.APIVersion = "v2.1"
		if _, err := readAll(t, sourceOf(cfg), conversation(id), connectors.Position{}); err != nil {
			t.Fatal(err)
		}
		line := f.requests()[0]
		if !strings.HasPrefix(line, "GET /im/v2.1/conversations/"+strings.ReplaceAll(id, "|", "%7C")+"/messages?") || strings.Contains(line, "check_team_valid") != (want != "") || !strings.Contains(line, want) {
			t.Errorf("asked for %s", line)
		}
	}
}

// Whatever the platform's order, ends of windows and tokens are, nothing is lost: not within a millisecond that many messages
// share, at whichever edge of a page it lies.
func TestHistoryIsWholeOnAnyPlatform(t *testing.T) {
	layouts := map[string][]posted{
		"even":             spread(950, nil),
		"pairs at edges":   spread(950, map[int]int{98: 3, 99: 3, 197: 2, 294: 40, 500: 60}),
		"a full page":      spread(700, map[int]int{150: 100}),
		"more than a page": spread(900, map[int]int{0: 130, 200: 250, 201: 170, 300: 101, 301: 99}),
		"all at once":      spread(420, map[int]int{0: 420}),
		"at both ends":     spread(500, map[int]int{0: 150, 200: 151}),
		"in a row":         spread(800, map[int]int{10: 120, 11: 120, 12: 120, 13: 120, 14: 120}),
	}
	for name, messages := range layouts {
		for bits := range 1 << 5 {
			c := &chat{messages: messages, newest: bits&1 > 0, noBegin: bits&2 > 0, noEnd: bits&4 > 0, mixed: bits&8 > 0, deaf: bits&16 > 0}
			f := c.fake()
			pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
			if err != nil {
				t.Fatal(err)
			}
			wantWhole(t, c, pages)
			wantCalls(t, pages, f)
			if most := len(messages)/99 + 12; len(pages) > most {
				t.Errorf("%d pages for %d messages, more than %d", len(pages), len(messages), most)
			}
			if t.Failed() {
				t.Fatalf("%s: %+v: asked\n%s", name, chat{newest: c.newest, noBegin: c.noBegin, noEnd: c.noEnd, mixed: c.mixed, deaf: c.deaf}, strings.Join(f.requests(), "\n"))
			}
		}
	}
}

// Random chats with short pages, so that every edge there is occurs.
func TestHistoryIsWholeWhateverItsTimes(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 150 {
		ties := map[int]int{}
		for range random.IntN(8) {
			ties[random.IntN(40)] = 1 + random.IntN(14)
		}
		c := &chat{messages: spread(random.IntN(120), ties), limit: 2 + random.IntN(6)}
		for i := range c.messages { // some gaps
			c.messages[i].ms += (c.messages[i].ms - day) * int64(random.IntN(2)) * 5
		}
		c.newest, c.noBegin, c.noEnd, c.mixed = random.IntN(2) > 0, random.IntN(2) > 0, random.IntN(2) > 0, random.IntN(2) > 0
		f := c.fake()
		pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
		if err != nil {
			t.Fatal(err)
		}
		if wantWhole(t, c, pages); t.Failed() {
			t.Fatalf("%+v: asked\n%s", *c, strings.Join(f.requests(), "\n"))
		}
	}
}

// A token that goes by time alone loses what shares the last millisecond of a page: either the other end of that millisecond
// shows the rest, or the container says that it is not whole.
func TestTiesThatATokenLoses(t *testing.T) {
	for _, tt := range []struct {
		ties   int
		failed string
	}{{99, ""}, {100, ""}, {101, ""}, {150, ""}, {199, ""}, {200, "ties_unproven"}, {201, "ties_unproven"}, {350, "ties_unproven"}} {
		for bits := range 1 << 3 {
			for _, at := range []int{0, 50, 150} {
				c := &chat{
					messages: spread(300+tt.ties, map[int]int{at: tt.ties}), token: byTime,
					newest: bits&1 > 0, noBegin: bits&2 > 0, noEnd: bits&4 > 0,
				}
				pages, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{})
				if err != nil {
					t.Fatal(err)
				}
				last := pages[len(pages)-1]
				if tt.failed == "" {
					wantWhole(t, c, pages)
				} else if last.Failed == nil || last.Failed.Code != tt.failed || len(last.Body) == 0 {
					t.Errorf("%d ties: last page %+v", tt.ties, last.Failed)
				}
				if t.Failed() {
					t.Fatalf("%d ties at %d, %b", tt.ties, at, bits)
				}
			}
		}
	}
}

func TestHistoryWithoutTokens(t *testing.T) {
	c := &chat{messages: spread(400, map[int]int{50: 60, 120: 99}), token: none}
	pages, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{})
	if err != nil {
		t.Fatal(err)
	}
	wantWhole(t, c, pages)
	c = &chat{messages: spread(400, map[int]int{50: 160}), token: none}
	pages, err = readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{})
	if last := pages[len(pages)-1]; err != nil || last.Failed == nil || last.Failed.Code != "token_missing" {
		t.Errorf("160 messages in a millisecond without tokens: %+v, %v", last.Failed, err)
	}
}

func TestHistoryResumes(t *testing.T) {
	for _, newest := range []bool{false, true} {
		c := &chat{messages: spread(900, map[int]int{150: 250, 300: 40}), newest: newest}
		all, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{})
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range all {
			rest, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), p.Next)
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, p := range rest {
				got = append(got, p.Request)
			}
			for _, p := range all[i+1:] {
				want = append(want, p.Request)
			}
			sameLines(t, fmt.Sprintf("after page %d", i), got, want)
			if len(p.Next.Cursor) > 8<<10 {
				t.Errorf("page %d: cursor of %d bytes", i, len(p.Next.Cursor))
			}
		}
	}
}

func TestHistoryCursorOfAnotherKindStartsAnew(t *testing.T) {
	for _, cursor := range []connectors.Cursor{"not ours", `{"b":true}`, `{"b":true,"o":null}`, `[]`} {
		c := &chat{messages: spread(3, nil)}
		pages, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{Cursor: cursor, Watermark: day + 9000, Pages: 4})
		if err != nil || len(pages) != 1 || pages[0].Next.Watermark != day+9000 {
			t.Fatalf("%s: %d pages, %v", cursor, len(pages), err)
		}
		wantWhole(t, c, pages)
	}
}

func TestHistoryTokenRefused(t *testing.T) {
	n := 0
	c := &chat{messages: spread(400, map[int]int{50: 250}), refuse: func(string) bool { n++; return n == 2 }}
	f := c.fake()
	pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
	if err != nil || n < 3 {
		t.Fatalf("%d tokens, %v", n, err)
	}
	wantWhole(t, c, pages)
	wantCalls(t, pages, f)

	c.refuse = func(string) bool { return true }
	f = c.fake()
	pages, err = readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
	if last := pages[len(pages)-1]; err != nil || last.Failed == nil || last.Failed.Code != "token_refused" || last.Error != "token_refused" || len(last.Body) == 0 {
		t.Errorf("tokens that are always refused: %+v, %v", last.Failed, err)
	}
}

func TestHistoryGuards(t *testing.T) {
	page := func(more bool, token string, items ...string) string {
		return fmt.Sprintf(`{"code":200,"data":{"has_more":%t,"next_token":%q,"items":[%s]}}`, more, token, strings.Join(items, ","))
	}
	one := posted{id: 1, ms: day}.String()
	tests := []struct {
		name   string
		answer func(n int) string
		pages  int
		failed string
	}{
		{"the same token", func(int) string { return page(true, "A", one) }, -1, "token_repeated"},
		{"tokens for ever, nothing new", func(n int) string { return page(true, fmt.Sprint("t", n), one) }, -1, "no_progress"},
		{"tokens for ever, nothing at all", func(n int) string { return page(true, fmt.Sprint("t", n)) }, 50, "no_progress"},
		{"more without a token", func(int) string { return page(true, "") }, 1, "token_missing"},
		{"a token without an end", func(int) string { return page(true, strings.Repeat("x", 9<<10)) }, 1, "token_too_long"},
		{"a few empty pages", func(n int) string { return page(n < 5, fmt.Sprint("t", n)) }, 5, ""},
		{"items without a time", func(n int) string {
			return page(n < 3, fmt.Sprint("t", n), `{"message_server_id":7}`, `null`, `{"create_time":"x"}`)
		}, 3, ""},
	}
	for _, tt := range tests {
		n := 0
		var f *fakeAPI
		f = newFake(func(w http.ResponseWriter, _ *http.Request) {
			n++
			f.send(w, tt.answer(n))
		})
		pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{})
		if err != nil || tt.pages >= 0 && len(pages) != tt.pages || len(pages) > 120 {
			t.Errorf("%s: %d pages, %v", tt.name, len(pages), err)
			continue
		}
		p := pages[len(pages)-1]
		if (p.Failed == nil) != (tt.failed == "") || p.Failed != nil && p.Failed.Code != tt.failed || p.Error != "" || len(p.Body) == 0 {
			t.Errorf("%s: failed %+v, error %q", tt.name, p.Failed, p.Error)
		}
	}
}

func TestHistoryRefusals(t *testing.T) {
	tests := []struct {
		body         string
		class        connectors.Class // of the error, 0: a page
		failed, word string
	}{
		{`{"code":108404,"data":{}}`, 0, "108404", ""},
		{`{"code":414,"msg":"conversation_id is invalid"}`, 0, "414", ""},
		{`{"code":4711}`, 0, "4711", "unknown_code"},
		{`{"code":500}`, connectors.ClassUnavailable, "", ""},
		{`502 <html>`, connectors.ClassUnavailable, "", ""},
		{`{"code":200,"data":{}}`, 0, "", ""},
		{`{"code":200,"data":null}`, connectors.ClassUnavailable, "", ""},
		{`{"code":200,"data":{"items":[],"next_token":"x"}}`, connectors.ClassUnavailable, "", ""},
		{`{"code":200,"data":{"has_more":"maybe"}}`, connectors.ClassUnavailable, "", ""},
		{`{"code":101303}`, connectors.ClassFatal, "", ""},
	}
	for _, tt := range tests {
		var f *fakeAPI
		f = newFake(func(w http.ResponseWriter, _ *http.Request) { f.send(w, tt.body) })
		pages, err := readAll(t, f.source(), conversation("alice|1|bob"), connectors.Position{Cursor: "", Pages: 2})
		var e *connectors.Error
		if tt.class != 0 {
			if len(pages) != 0 || !errors.As(err, &e) || e.Class != tt.class {
				t.Errorf("%s: %d pages, %v", tt.body, len(pages), err)
			}
			continue
		}
		if err != nil || len(pages) != 1 {
			t.Errorf("%s: %d pages, %v", tt.body, len(pages), err)
			continue
		}
		p := pages[0]
		if (p.Failed == nil) != (tt.failed == "") || p.Failed != nil && p.Failed.Code != tt.failed || p.Error != tt.word || string(p.Body) != tt.body {
			t.Errorf("%s: %+v failed %+v", tt.body, p.Response, p.Failed)
		}
		if p.Failed != nil && p.Next.Cursor != "" {
			t.Errorf("%s: the cursor moved to %s", tt.body, p.Next.Cursor)
		}
	}
}

// A container's window is read whole and, but for a millisecond, nothing beside it.
func TestHistoryOfAWindow(t *testing.T) {
	for bits := range 1 << 4 {
		c := &chat{
			messages: spread(900, map[int]int{99: 30, 100: 120, 400: 130}), newest: bits&1 > 0, noBegin: bits&2 > 0, noEnd: bits&4 > 0, mixed: bits&8 > 0,
		}
		container := conversation("alice|1|bob")
		container.WindowStart, container.WindowEnd = millis(day+100), millis(day+401)
		f := c.fake()
		pages, err := readAll(t, f.source(), container, connectors.Position{})
		if err != nil || pages[len(pages)-1].Failed != nil {
			t.Fatalf("%v, %+v", err, pages)
		}
		ids := shown(t, pages)
		for _, m := range c.messages {
			inside, near := m.ms >= day+100 && m.ms < day+401, m.ms >= day+99 && m.ms <= day+401
			if n := ids[fmt.Sprint(m.id)]; n == 0 && inside || n > 0 && !near {
				t.Fatalf("%04b: a message of %+d ms is shown %d times; asked\n%s", bits, m.ms-day, n, strings.Join(f.requests(), "\n"))
			}
		}
	}
}
