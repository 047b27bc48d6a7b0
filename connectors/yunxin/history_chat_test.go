package yunxin_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// posted is one message of a chat.
type posted struct {
	id, ms int64
	kind   int
	extra  string // fields to add
}

func (m posted) String() string {
	return fmt.Sprintf(`{"message_server_id":%d,"create_time":%d,"message_type":%d,"sender_id":"alice","text":"hi"%s}`, m.id, m.ms, m.kind, m.extra)
}

// chat serves a conversation's history, as one of the platforms that the vendor's pages allow for.
type chat struct {
	messages []posted
	limit    int  // the most on a page, 100 if 0
	newest   bool // descending=true is the newest first, against the vendor's words
	// The ends of a window are excluded, which is not documented either way.
	noBegin, noEnd bool
	mixed          bool // messages on a page stand in no order
	deaf           bool // descending is not heard
	token          string
	// refuse refuses a page token.
	refuse func(token string) bool
}

// Kinds of page token.
const (
	byPlace = ""     // goes on at the next message
	byTime  = "time" // goes on at the next millisecond: the rest of this one is lost
	none    = "none" // there is none
)

func (c *chat) fake() *fakeAPI {
	var f *fakeAPI
	f = newFake(func(w http.ResponseWriter, r *http.Request) { f.send(w, c.page(r)) })
	return f
}

func (c *chat) page(r *http.Request) string {
	q := r.URL.Query()
	begin, _ := strconv.ParseInt(q.Get("begin_time"), 10, 64)
	end, _ := strconv.ParseInt(q.Get("end_time"), 10, 64)
	limit, err := strconv.Atoi(q.Get("limit"))
	if err != nil || limit < 1 || limit > 100 || begin >= end || begin < 0 {
		return `{"code":414,"msg":"limit or begin_time or end_time","data":{}}`
	}
	if c.limit > 0 {
		limit = min(limit, c.limit)
	}
	up := q.Get("descending") == "true" != c.newest || c.deaf
	window := slices.DeleteFunc(slices.Clone(c.messages), func(m posted) bool {
		return m.ms < begin || m.ms > end || c.noBegin && m.ms == begin || c.noEnd && m.ms == end
	})
	slices.SortFunc(window, func(a, b posted) int { return cmp.Or(cmp.Compare(a.ms, b.ms), cmp.Compare(a.id, b.id)) })
	if !up {
		slices.Reverse(window)
	}
	from, ok := c.start(window, q.Get("page_token"), fmt.Sprint(begin, "-", end, up))
	if !ok {
		return `{"code":414,"msg":"bad param","data":{}}`
	}
	to := min(from+limit, len(window))
	return c.body(window[from:to], to < len(window), fmt.Sprintf("%d-%d%t/%d", begin, end, up, to))
}

// start gives where a page token leads; one of another window is refused.
func (c *chat) start(window []posted, token, of string) (from int, ok bool) {
	if token == "" {
		return 0, true
	}
	head, place, _ := strings.Cut(token, "/")
	from, err := strconv.Atoi(place)
	if err != nil || strings.ReplaceAll(of, " ", "") != head || from > len(window) || c.refuse != nil && c.refuse(token) {
		return 0, false
	}
	for c.token == byTime && from < len(window) && window[from].ms == window[from-1].ms {
		from++
	}
	return from, true
}

func (c *chat) body(messages []posted, more bool, token string) string {
	items := make([]string, len(messages))
	for i, m := range messages {
		items[i] = m.String()
	}
	if c.mixed {
		slices.SortFunc(items, func(a, b string) int { return cmp.Compare(a[len(a)/2:], b[len(b)/2:]) })
		for i := 0; i+1 < len(items); i += 2 {
			items[i], items[i+1] = items[i+1], items[i]
		}
	}
	if !more || c.token == none {
		token = ""
	}
	return fmt.Sprintf(`{"code":200,"msg":"success","data":{"has_more":%t,"next_token":%q,"items":[%s]}}`, more, token, strings.Join(items, ","))
}

// day is when the chats of the tests began.
const day = 1_700_000_000_000

// spread gives n messages, of which each millisecond in ties has as many as it says and every other one.
func spread(n int, ties map[int]int) []posted {
	var all []posted
	for i, ms := 0, int64(day); i < n; ms++ {
		for range max(1, ties[int(ms-day)]) {
			all = append(all, posted{id: 4_291_065_454_174_142_469 + int64(i), ms: ms})
			i++
		}
	}
	return all
}

// rangeOf is how a request tells its window.
func rangeOf(from, to int64) string { return fmt.Sprintf("begin_time=%d&end_time=%d&", from, to) }
