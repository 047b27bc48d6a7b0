package yunxin_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/schemas"
)

// list is a container of messages by id, each sent at a time of its own.
func list(id string, ids ...string) *schemas.Container {
	c := conversation(id)
	c.Kind, c.WindowStart, c.WindowEnd = schemas.KindMessages, nil, nil
	c.Cause = schemas.CauseUser
	for i, m := range ids {
		c.Refs = append(c.Refs, schemas.MessageRef{MessageID: m, CreatedAt: millis(day + int64(i))})
	}
	return c
}

// numbers gives n ids beyond 2^62.
func numbers(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(4_700_000_000_000_000_000 + i)
	}
	return ids
}

// store answers batches by what it does with each id; without a word a message is shown.
type store struct {
	does map[string]string // "omit", an item's code, or "whole <body>" for the whole call
	// once does what it says for an id's first calls only, as often as times says.
	times map[string]int
	most  int // ids a call, 0: any number
	calls [][]string
	lists string // what histories answer, fineBody if ""
}

func (s *store) fake() *fakeAPI {
	var f *fakeAPI
	f = newFake(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			f.send(w, max(s.lists, fineBody))
			return
		}
		f.send(w, s.answer(r))
	})
	return f
}

func (s *store) answer(r *http.Request) string {
	var body struct {
		Messages []struct {
			ID      json.Number `json:"message_server_id"`
			Created *int64      `json:"create_time"`
		} `json:"messages"`
	}
	if raw, _ := io.ReadAll(r.Body); json.Unmarshal(raw, &body) != nil || len(body.Messages) == 0 || strings.Contains(string(raw), " ") {
		return `{"code":414,"msg":"messages"}`
	}
	var ids, good, bad []string
	whole := ""
	for _, m := range body.Messages {
		id := m.ID.String()
		ids = append(ids, id)
		does := s.does[id]
		if n, counted := s.times[id]; counted {
			if s.times[id]--; n <= 0 {
				does = ""
			}
		}
		switch word, rest, _ := strings.Cut(does, " "); word {
		case "":
			good = append(good, fmt.Sprintf(`{"message_server_id":%s,"create_time":%d,"message_type":0}`, id, *m.Created))
		case "omit":
		case "whole":
			whole = rest
		default:
			bad = append(bad, fmt.Sprintf(`{"message_server_id":%q,"create_time":1,"error_code":%s,"error_msg":"m"}`, id, word))
		}
	}
	s.calls = append(s.calls, ids)
	switch {
	case s.most > 0 && len(ids) > s.most:
		return `{"code":414,"msg":"messages size over limit"}`
	case whole != "":
		return whole
	}
	slices.Reverse(good) // no order is promised
	return fmt.Sprintf(`{"code":200,"msg":"success","data":{"success_list":[%s],"failed_list":[%s]}}`, strings.Join(good, ","), strings.Join(bad, ","))
}

// outcome gives how each message ended: "shown", or the class that it is missing with; more than one is joined.
func outcome(t *testing.T, pages []*connectors.Page) map[string]string {
	t.Helper()
	ends := map[string]string{}
	end := func(id, how string) {
		if old := ends[id]; old != "" {
			how = old + " and " + how
		}
		ends[id] = how
	}
	for i, p := range pages {
		var body struct {
			Data struct {
				Shown []struct {
					ID json.Number `json:"message_server_id"`
				} `json:"success_list"`
			} `json:"data"`
		}
		if p.Code == "200" && json.Unmarshal(p.Body, &body) != nil {
			body.Data.Shown = nil // a list that is none
		}
		for _, m := range body.Data.Shown {
			end(m.ID.String(), "shown")
		}
		if p.Items != len(body.Data.Shown) {
			t.Errorf("page %d counts %d items of %d", i, p.Items, len(body.Data.Shown))
		}
		for _, m := range p.Missing {
			id, ok := strings.CutPrefix(m.RecordID, "yunxin/"+appKey+"/")
			if !ok || m.Message == "" || len(id) > 2 && strings.Contains(m.Message, id) {
				t.Errorf("page %d: missing %+v", i, m)
			}
			end(id, m.Class)
		}
	}
	return ends
}

// wantOutcome checks that each ref of a container ended in one way: as does says, or shown.
func wantOutcome(t *testing.T, c *schemas.Container, pages []*connectors.Page, does map[string]string) {
	t.Helper()
	got := outcome(t, pages)
	for _, r := range c.Refs {
		want := does[r.MessageID]
		if want == "" {
			want = "shown"
		}
		if got[r.MessageID] != want {
			t.Errorf("%s: %q, want %q", r.MessageID, got[r.MessageID], want)
		}
		delete(got, r.MessageID)
	}
	if len(got) > 0 {
		t.Errorf("not asked for: %v", got)
	}
}

func sizes(calls [][]string) []int {
	var n []int
	for _, c := range calls {
		n = append(n, len(c))
	}
	return n
}
