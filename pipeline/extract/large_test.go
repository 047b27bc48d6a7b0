package extract_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// perPage is the most messages that a page of a shelf shows.
const perPage = 8

// shelf is a platform whose containers have messages of given sizes, perPage on a page, or fewer where asked for fewer.
type shelf struct {
	sizes     map[string][]int
	expansion func(message int) []byte // of a message, nil: none
	fail      func(c *schemas.Container) error
	refuse    func(c *schemas.Container) bool // with a code that is not about it alone

	mu       sync.Mutex
	asked    int
	memories []any
}

func (s *shelf) Pages(_ context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked++
		s.memories = append(s.memories, from.Memory)
		if s.fail != nil {
			if err := s.fail(c); err != nil {
				yield(nil, err)
				return
			}
		}
		sizes := s.sizes[c.ID]
		at, _ := strconv.Atoi(string(from.Cursor))
		if from.Memory != nil && from.Memory != at {
			yield(nil, fmt.Errorf("at %d with the memory of %v", at, from.Memory))
			return
		}
		most := perPage
		if from.Limit > 0 {
			most = min(most, from.Limit)
		}
		to := min(at+most, len(sizes))
		var body bytes.Buffer
		p := &connectors.Page{Items: to - at, Calls: 1, Final: to == len(sizes), Next: connectors.Position{Cursor: connectors.Cursor(strconv.Itoa(to)), Memory: to}}
		for i := at; i < to; i++ {
			fmt.Fprintf(&body, "[%d]", i)
			body.Write(bytes.Repeat([]byte("x"), sizes[i]))
			if s.expansion != nil {
				if b := s.expansion(i); b != nil {
					p.Expansions = append(p.Expansions, connectors.Response{
						Type: schemas.FeishuMessagesGet, Request: fmt.Sprint("GET /", i), Subject: strconv.Itoa(i), HTTPStatus: 200, Code: "0", Time: time.Now(), Body: b,
					})
				}
			}
		}
		p.Response = connectors.Response{
			Type: schemas.PageType(c.Platform, c.Kind), Request: fmt.Sprintf("GET /%s?at=%d&size=%d", c.ID, at, most), HTTPStatus: 200, Code: "0", Time: time.Now(), Body: body.Bytes(),
		}
		if s.refuse != nil && s.refuse(c) {
			p.Expansions = nil
			wide(p, "230027")
		}
		yield(p, nil)
	}
}

// shelve puts a shelf into a rig in the place of its book.
func (r *rig) shelve() *shelf {
	s := &shelf{sizes: map[string][]int{}}
	r.conf.Platforms[schemas.Feishu] = extract.Platform{Source: s, TenantID: tenant, AppID: "app_1"}
	return s
}

// TestPagesThatDoNotFit are asked for again in smaller pages, down to one message; one that still does not fit is a page
// without its body, and the container goes on behind it, or, where it was the last and gave no token, has failed. Others are
// committed as if nothing were.
func TestPagesThatDoNotFit(t *testing.T) {
	const limit = 1000
	many := func(n, size int) []int {
		sizes := make([]int, n)
		for i := range sizes {
			sizes[i] = size
		}
		return sizes
	}
	with := func(sizes []int, at, size int) []int { sizes[at] = size; return sizes }
	for name, f := range map[string]struct {
		sizes []int
		holes []int // messages that no page holds
		state string
		calls int
	}{
		"all fit":                   {many(40, 50), nil, schemas.StateComplete, 5},
		"a page that does not fit":  {many(8, 200), nil, schemas.StateComplete, 3},
		"one message in many":       {with(many(40, 50), 13, 5000), []int{13}, schemas.StateComplete, 12}, // the limit ends with its page
		"the first":                 {with(many(40, 50), 0, 5000), []int{0}, schemas.StateComplete, 0},
		"the last":                  {with(many(40, 50), 39, 5000), []int{39}, schemas.StateFailed, 0},
		"the only one":              {[]int{5000}, []int{0}, schemas.StateFailed, 1},
		"the last of those before":  {with(many(40, 50), 38, 5000), []int{38}, schemas.StateComplete, 0},
		"all":                       {many(9, 5000), []int{0, 1, 2, 3, 4, 5, 6, 7, 8}, schemas.StateFailed, 0},
		"two in one page":           {with(with(many(40, 50), 9, 5000), 14, 5000), []int{9, 14}, schemas.StateComplete, 0},
		"one at the edge of a page": {with(many(40, 50), 7, 5000), []int{7}, schemas.StateComplete, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{Limits: map[string]int{topics.RawPages: limit}})
				var lines bytes.Buffer
				r.conf.Logger = slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelWarn}))
				s := r.shelve()
				all := r.chats(5)
				for i := range all {
					s.sizes[all[i].ID] = many(20, 50)
				}
				c := all[2]
				s.sizes[c.ID] = f.sizes
				if n := r.toTheEnd(); n != 1 {
					t.Fatalf("%d sessions", n)
				}
				k := r.check()
				for i := range all {
					if want := s.sizes[all[i].ID]; all[i].Key == c.Key {
						r.shelfIs(k, &all[i], want, f.holes, f.state)
					} else {
						r.shelfIs(k, &all[i], want, nil, schemas.StateComplete)
					}
				}
				cp := k.checkpoints[schemas.ContainerKey(c.Key)]
				if f.calls > 0 && cp.Calls != int64(f.calls) || s.asked != total(k) {
					t.Errorf("%d calls are accounted for the container, want %d; %d in all of %d", cp.Calls, f.calls, total(k), s.asked)
				}
				if n := strings.Count(lines.String(), "max.message.bytes of the topic"); n < len(f.holes) || len(f.holes) == 0 && n > 0 {
					t.Errorf("%d lines with a remedy:\n%s", n, lines.String())
				}
				holes := len(f.holes)
				if f.state == schemas.StateFailed {
					holes-- // the container's state tells of the last one
				}
				if len(k.dead) != holes {
					t.Errorf("%d dead letters for %d holes that no state tells of", len(k.dead), holes)
				}
				for _, d := range k.dead {
					if d.ErrorClass != connectors.CodeTooLarge || deref(d.ContainerKey) != c.Key || deref(d.PageID) == "" {
						t.Errorf("%+v", d)
					}
				}
			})
		})
	}
}

func total(s *state) (calls int) {
	for _, cp := range s.checkpoints {
		calls += int(cp.Calls)
	}
	return calls
}

// shelfIs expects a container's messages in its pages, once each and in order, but for holes.
func (r *rig) shelfIs(s *state, c *schemas.Container, sizes, holes []int, want string) {
	r.t.Helper()
	key := schemas.ContainerKey(c.Key)
	cp := s.checkpoints[key]
	if cp.State != want || cp.Items != int64(len(sizes)) {
		r.t.Errorf("%s is %s with %d items, want %s with %d", key, cp.State, cp.Items, want, len(sizes))
	}
	if want == schemas.StateFailed && deref(cp.ErrorCode) != connectors.CodeTooLarge {
		r.t.Errorf("it has failed with %q", deref(cp.ErrorCode))
	}
	next, hollow := 0, 0
	for _, p := range s.pages[run{key, 1}] {
		if len(p.Body) == 0 {
			if p.Error != connectors.CodeTooLarge || p.HTTPStatus != 200 || p.Request == "" || hollow >= len(holes) || holes[hollow] != next {
				r.t.Errorf("page %d without a body at message %d: %q", p.Number, next, p.Error)
			}
			hollow++
			next++
			continue
		}
		for _, part := range bytes.Split(p.Body, []byte("["))[1:] {
			no, rest, _ := bytes.Cut(part, []byte("]"))
			if string(no) != strconv.Itoa(next) || len(rest) != sizes[next] {
				r.t.Fatalf("page %d shows message %s, want %d", p.Number, no, next)
			}
			next++
		}
	}
	if next != len(sizes) || hollow != len(holes) {
		r.t.Errorf("%s: %d of %d messages, %d of %d holes", key, next, len(sizes), hollow, len(holes))
	}
}

// TestExpansionsThatDoNotFit are kept without their bodies; so are those beyond what a page may hold.
func TestExpansionsThatDoNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{Limits: map[string]int{topics.RawPages: 1000}})
		s := r.shelve()
		s.expansion = func(message int) []byte { return make([]byte, map[int]int{2: 5000, 3: 20, 5: 5000}[message]) }
		c := r.chats(1)[0]
		s.sizes[c.ID] = []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
		r.toTheEnd()
		k := r.check()
		r.shelfIs(k, &c, s.sizes[c.ID], nil, schemas.StateComplete)
		for _, x := range k.others[run{schemas.ContainerKey(c.Key), 1}] {
			if large := x.Subject == "2" || x.Subject == "5"; large != (x.Error == connectors.CodeTooLarge) || large && len(x.Body) > 0 {
				t.Errorf("the expansion of %s: %q, %d bytes", x.Subject, x.Error, len(x.Body))
			}
		}
	})
	r := newRig(t, 1, memlog.Faults{})
	s := r.shelve()
	big := make([]byte, 20<<20)
	s.expansion = func(int) []byte { return big }
	c := r.chats(1)[0]
	s.sizes[c.ID] = []int{1, 1, 1, 1, 1, 1}
	r.toTheEnd()
	bytes, holes := 0, 0
	for _, x := range r.check().others[run{schemas.ContainerKey(c.Key), 1}] {
		bytes += len(x.Body)
		if x.Error == connectors.CodeTooLarge {
			holes++
		}
	}
	if bytes != 60<<20 || holes != 3 {
		t.Errorf("%d MiB of expansions with %d holes", bytes>>20, holes)
	}
}

// TestTopicsThatTakeNothing: whatever the limits are, no record ends the session, and what is committed is consistent.
func TestTopicsThatTakeNothing(t *testing.T) {
	for topic, limits := range map[string][]int{
		topics.RawPages: {1}, topics.Checkpoints: {10, 60, 100, 160, 200}, topics.Containers: {10}, topics.DeadLetters: {10},
	} {
		for _, limit := range limits {
			t.Run(fmt.Sprint(topic, " ", limit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, 1, memlog.Faults{Limits: map[string]int{topic: limit}})
					r.conf.Once = false
					r.bad("k", []byte("garbage"))
					r.book.edit = func(c *schemas.Container, n int64, p *connectors.Page) {
						threads(c, n, p)
						p.Next.Cursor += connectors.Cursor(strings.Repeat("c", 100))
						p.Missing = []connectors.Failed{{RecordID: "feishu/cli_1/7", Class: "107404", Message: "no such message"}}
					}
					// The cursors are longer than the book's own: it is not asked to compare them.
					r.conf.Platforms[schemas.Feishu] = extract.Platform{Source: longCursors{r.book}, TenantID: tenant}
					all := r.chats(3)
					for i := range all {
						r.book.pages[all[i].ID] = 3
					}
					ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errStop)
					defer cancel()
					if err := r.session(ctx); err != errStop { //nolint:errorlint // the cause itself is promised
						t.Fatalf("the session has ended: %v", err)
					}
					s := r.check()
					if topic == topics.Containers || topic == topics.DeadLetters {
						r.state(s, all, schemas.StateComplete, "")
					}
				})
			})
		}
	}
}

// longCursors gives a book's pages whatever the position says beside its number.
type longCursors struct{ book *book }

func (l longCursors) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return l.book.Pages(ctx, c, position(c, from.Pages))
}

// TestMemoryGoesFromPageToPage of a container, for as long as the process runs.
func TestMemoryGoesFromPageToPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{Commit: func(n int) memlog.Outcome { return map[int]memlog.Outcome{4: memlog.Refused}[n] }})
		s := r.shelve()
		tries := 0
		s.fail = func(*schemas.Container) error {
			if tries++; tries == 2 {
				return unavailable("503")
			}
			return nil
		}
		c := r.chats(1)[0]
		s.sizes[c.ID] = make([]int, 5*perPage)
		r.toTheEnd()
		// Pages 1 and, after a pause, 2 and 3, whose commit is the fourth with that of the pause, and again in a new process.
		if got := fmt.Sprint(s.memories); got != "[<nil> 8 8 16 <nil> 24 32]" {
			t.Errorf("the source was given the memories %s", got)
		}
	})
}
