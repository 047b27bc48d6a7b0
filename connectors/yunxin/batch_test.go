package yunxin_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

func TestBatchRequest(t *testing.T) {
	s := &store{}
	f := s.fake()
	c := list("Alice|1|b.o@b", "158844553334358018", "4291065454174142469")
	c.Refs[1].CreatedAt = nil
	c.ConversationID = "p2p:alice:b.o@b"
	pages, err := readAll(t, f.source(), c, connectors.Position{})
	if err != nil || len(pages) != 1 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	line := `POST /im/v2/conversations/Alice%7C1%7Cb.o@b/batch_messages {"messages":[{"message_server_id":158844553334358018,"create_time":1700000000000},{"message_server_id":4291065454174142469,"create_time":0}]}`
	sameLines(t, "asked", f.requests(), []string{line})
	p := pages[0]
	if p.Request != line || p.Type != schemas.YunxinMessagesBatch || p.Subject != "" || string(p.Body) != string(f.bodies[0]) || p.Failed != nil || p.Next.Watermark != day {
		t.Errorf("page %+v, next %+v", p.Response, p.Next)
	}
	wantOutcome(t, c, pages, nil)
}

func TestBatchesOfAHundred(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 100: {100}, 101: {100, 1}, 1000: {100, 100, 100, 100, 100, 100, 100, 100, 100, 100}} {
		s := &store{}
		f := s.fake()
		c := list("alice|2|42", numbers(n)...)
		pages, err := readAll(t, f.source(), c, connectors.Position{})
		if err != nil || !slices.Equal(sizes(s.calls), want) || len(pages) != len(want) {
			t.Errorf("%d refs: calls of %v, %v", n, sizes(s.calls), err)
		}
		wantOutcome(t, c, pages, nil)
		wantCalls(t, pages, f)
		if last := pages[len(pages)-1]; (last.Subject != "") != (want[len(want)-1] == 1) {
			t.Errorf("subject %q", last.Subject)
		}
	}
}

// Each ref comes to one end, whatever the platform does with it: a message or a Missing.
func TestEachRefIsAccountedFor(t *testing.T) {
	ids := numbers(250)
	refused := `whole {"code":414,"msg":"bad message_server_id","data":{}}`
	tests := []struct {
		name  string
		does  map[string]string
		times map[string]int
		most  int
		ends  map[string]string
		calls int // at most
	}{
		{"all shown", nil, nil, 0, nil, 3},
		{"gone", map[string]string{ids[3]: "107404", ids[99]: "107451", ids[249]: "404"}, nil, 0, map[string]string{ids[3]: "107404", ids[99]: "107451", ids[249]: "404"}, 3},
		{"in neither list", map[string]string{ids[3]: "omit", ids[4]: "omit"}, map[string]int{ids[4]: 1}, 0, map[string]string{ids[3]: "unaccounted"}, 5},
		{"poison", map[string]string{ids[57]: refused}, nil, 0, map[string]string{ids[57]: "414"}, 3 + 2*7},
		{"two of poison", map[string]string{ids[0]: refused, ids[249]: refused}, nil, 0, map[string]string{ids[0]: "414", ids[249]: "414"}, 3 + 2*14},
		{"at most 30 a call", nil, nil, 30, nil, 7 + 7 + 3},
		{"busy for a while", map[string]string{ids[1]: "449", ids[101]: "500", ids[200]: "4711"}, map[string]int{ids[1]: 3, ids[101]: 1, ids[200]: 2}, 0, nil, 6},
		{"busy for ever", map[string]string{ids[1]: "449", ids[101]: "500"}, nil, 0, map[string]string{ids[1]: "449", ids[101]: "500"}, 6},
		{"internal error of one", map[string]string{ids[7]: `whole {"code":500}`}, nil, 0, map[string]string{ids[7]: "internal_error"}, 3 + 7 + 8*7},
		{"a code of a message only", map[string]string{ids[7]: "403", ids[8]: "414", ids[9]: "108404"}, nil, 0, map[string]string{ids[7]: "403", ids[8]: "414", ids[9]: "108404"}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &store{does: tt.does, times: tt.times, most: tt.most}
			f := s.fake()
			c := list("alice|1|bob", ids...)
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			if err != nil {
				t.Fatal(err)
			}
			wantOutcome(t, c, pages, tt.ends)
			wantCalls(t, pages, f)
			if n := len(f.requests()); n > tt.calls {
				t.Errorf("%d calls of %v, more than %d", n, sizes(s.calls), tt.calls)
			}
			for i, p := range pages {
				if p.Failed != nil || p.Code != "200" && p.Subject == "" {
					t.Errorf("page %d: %+v, failed %+v", i, p.Response, p.Failed)
				}
				// Reading on from here with another source asks for the rest.
				s2 := &store{does: tt.does, most: tt.most}
				if tt.times != nil {
					continue // the fake would begin to count anew
				}
				rest, err := readAll(t, s2.fake().source(), c, p.Next)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := requestsOf(rest), requestsOf(pages[i+1:]); !slices.Equal(got, want) {
					t.Errorf("after page %d: asked\n%v\nwant\n%v", i, got, want)
				}
			}
		})
	}
}

func requestsOf(pages []*connectors.Page) []string {
	var lines []string
	for _, p := range pages {
		lines = append(lines, p.Request)
	}
	return lines
}

func TestMissingTellsWhere(t *testing.T) {
	ids := numbers(3)
	s := &store{does: map[string]string{ids[0]: "107404", ids[2]: "107451"}}
	pages, err := readAll(t, s.fake().source(), list("alice|1|bob", ids...), connectors.Position{})
	if err != nil || len(pages) != 1 || len(pages[0].Missing) != 2 {
		t.Fatalf("%v", err)
	}
	if m := pages[0].Missing; m[0].Pointer != "/data/failed_list/0" || m[1].Pointer != "/data/failed_list/1" || m[0].RecordID != "yunxin/"+appKey+"/"+ids[0] {
		t.Errorf("missing %+v", m)
	}
}

// Code 200 with neither list, or with null lists, accounts for nobody: each is asked for once more, alone.
func TestAnswersThatNameNobody(t *testing.T) {
	for _, data := range []string{`{}`, `null`, `{"success_list":null,"failed_list":null}`, `{"success_list":{},"failed_list":"none"}`, `{"failed_list":[null,{"error_code":107404},{"message_server_id":1}]}`} {
		n := 0
		var f *fakeAPI
		f = newFake(func(w http.ResponseWriter, _ *http.Request) {
			n++
			f.send(w, `{"code":200,"msg":"success","data":`+data+`}`)
		})
		c := list("alice|1|bob", "1", "2", "3")
		pages, err := readAll(t, f.source(), c, connectors.Position{})
		if err != nil || n != 4 || len(pages) != 4 {
			t.Fatalf("%s: %d pages, %d calls, %v", data, len(pages), n, err)
		}
		got := outcome(t, pages)
		for _, id := range []string{"1", "2", "3"} {
			if got[id] != "unaccounted" {
				t.Errorf("%s: %s is %q", data, id, got[id])
			}
		}
		if pages[3].Subject != "3" || pages[0].Subject != "" {
			t.Errorf("subjects %q, %q", pages[0].Subject, pages[3].Subject)
		}
	}
}

func TestRefsThatCannotBeAskedFor(t *testing.T) {
	s := &store{}
	f := s.fake()
	c := list("alice|1|bob", "7", "07", "x", "", "-1", "0", "9223372036854775808", "7", "1e3", "8")
	pages, err := readAll(t, f.source(), c, connectors.Position{})
	if err != nil || len(pages) != 1 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	sameLines(t, "asked", s.calls[0], []string{"7", "8"})
	got := outcome(t, pages)
	for _, r := range c.Refs {
		want := "bad_ref"
		if r.MessageID == "7" || r.MessageID == "8" {
			want = "shown"
		}
		if got[r.MessageID] != want {
			t.Errorf("%q is %q", r.MessageID, got[r.MessageID])
		}
	}

	for _, c := range []*schemas.Container{list("alice|1|bob"), list("alice|1|bob", "x")} {
		pages, err := readAll(t, s.fake().source(), c, connectors.Position{})
		if err != nil || len(pages) != 1 || pages[0].Error != "no_refs" || pages[0].Type != schemas.YunxinMessagesBatch || pages[0].Calls != 0 || len(pages[0].Missing) != len(c.Refs) || pages[0].Failed != nil {
			t.Errorf("%d refs: %v, %v", len(c.Refs), pages, err)
		}
	}
}

func TestBatchOfAConversationThatIsRefused(t *testing.T) {
	ids := numbers(150)
	for body, word := range map[string]string{
		`{"code":108404,"data":{}}`: "108404", `{"code":414,"msg":"conversation_id invalid"}`: "414", `{"code":4711}`: "unknown_code",
	} {
		for _, cause := range []string{schemas.CauseUser, schemas.CauseLookup} {
			s := &store{does: map[string]string{ids[120]: "whole " + body}}
			f := s.fake()
			c := list("alice|2|42", ids...)
			c.Cause = cause
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			if err != nil || len(pages) != 2 {
				t.Fatalf("%s: %d pages, %v", body, len(pages), err)
			}
			last := pages[1]
			// A look-up is at its end with any definitive answer.
			if failed := cause == schemas.CauseUser || last.Error != ""; (last.Failed != nil) != failed || string(last.Body) != body {
				t.Errorf("%s for %s: %+v, failed %+v", body, cause, last.Response, last.Failed)
			}
			ends := map[string]string{}
			for _, id := range ids[100:] {
				ends[id] = word
			}
			wantOutcome(t, c, pages, ends)
		}
	}
}

// An internal error is charged to a message only where the platform answers a batch of something else meanwhile: it is asked
// for a message that does not exist.
func TestInternalErrorOfAllIsNoMessagesFault(t *testing.T) {
	for other, class := range map[string]connectors.Class{
		`whole {"code":500}`: connectors.ClassUnavailable, `whole {"code":108404}`: 0, "107404": 0, `whole {"code":414,"msg":"messages.message_server_id"}`: 0,
		`whole {"code":315}`: connectors.ClassFatal, "whole <html>": connectors.ClassUnavailable,
	} {
		for _, n := range []int{1, 3} {
			s := &store{does: map[string]string{"1": other}}
			ids := numbers(n)
			ends := map[string]string{}
			for _, id := range ids {
				s.does[id], ends[id] = `whole {"code":500}`, "internal_error"
			}
			f := s.fake()
			c := list("alice|1|bob", ids...)
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			var e *connectors.Error
			if class != 0 {
				if len(pages) != 0 || !errors.As(err, &e) || e.Class != class {
					t.Errorf("%s: %d pages, %v", other, len(pages), err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			wantOutcome(t, c, pages, ends)
			wantCalls(t, pages, f)
		}
	}
}

// What may pass is asked for again after a while, of that alone.
func TestPassingCodesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := numbers(3)
		s := &store{does: map[string]string{ids[1]: "449"}, times: map[string]int{ids[1]: 2}}
		f := s.fake()
		cfg := f.config()
		source := newSource(cfg, time.Second)
		c := list("alice|1|bob", ids...)
		pages, err := readAll(t, source, c, connectors.Position{})
		if err != nil || len(pages) != 3 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		wantOutcome(t, c, pages, nil)
		if fmt.Sprint(s.calls[1:]) != fmt.Sprint([][]string{ids[1:2], ids[1:2]}) {
			t.Errorf("asked for %v", s.calls)
		}
		if a, b := f.times[1].Sub(f.times[0]), f.times[2].Sub(f.times[1]); a != 2*time.Second || b != 4*time.Second {
			t.Errorf("waited %v and %v", a, b)
		}
	})
}

func TestBatchCursorThatDoesNotFit(t *testing.T) {
	for _, cursor := range []connectors.Cursor{`{"n":9}`, `{"n":-1}`, `{"a":[3]}`, `{"l":[-2]}`, `{"c":[99]}`, "x", `{"r":-3}`} {
		c := list("alice|1|bob", "1", "2", "3")
		pages, err := readAll(t, (&store{}).fake().source(), c, connectors.Position{Cursor: cursor, Pages: 1})
		if err != nil {
			t.Fatalf("%s: %v", cursor, err)
		}
		wantOutcome(t, c, pages, nil)
	}
}

// A call of a later round that is refused as a whole asks for each of its messages alone.
func TestLaterRoundThatIsRefused(t *testing.T) {
	n := 0
	ids := numbers(2)
	s := &store{}
	var f *fakeAPI
	f = newFake(func(w http.ResponseWriter, r *http.Request) {
		switch n++; n {
		case 1:
			f.send(w, fmt.Sprintf(`{"code":200,"data":{"failed_list":[{"message_server_id":%s,"error_code":449},{"message_server_id":%s,"error_code":449}]}}`, ids[0], ids[1]))
		case 2:
			f.send(w, `{"code":414,"msg":"messages"}`)
		default:
			f.send(w, s.answer(r))
		}
	})
	c := list("alice|1|bob", ids...)
	pages, err := readAll(t, f.source(), c, connectors.Position{})
	if err != nil {
		t.Fatal(err)
	}
	wantOutcome(t, c, pages, nil)
	wantCalls(t, pages, f)
	if fmt.Sprint(sizes(s.calls)) != "[1 1]" {
		t.Errorf("asked for %v", s.calls)
	}
}
