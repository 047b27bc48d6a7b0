package yunxin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

func TestCanonical(t *testing.T) {
	for id, want := range map[string]string{
		"alice|1|bob":                         "p2p:alice:bob",
		"bob|1|alice":                         "p2p:alice:bob",
		"Bob|1|ALICE":                         "p2p:alice:bob",
		"a.b_c-d@e|1|0":                       "p2p:0:a.b_c-d@e",
		"alice|1|alice":                       "p2p:alice:alice",
		"Alice|2|42":                          "team:42",
		"bob|2|42":                            "team:42",
		"alice|3|4291065454174142469":         "super:4291065454174142469",
		strings.Repeat("a", 32) + "|1|" + "b": "p2p:" + strings.Repeat("a", 32) + ":b",
		strings.Repeat("a", 33) + "|1|" + "b": "",
		"alice|1|":                            "",
		"|1|bob":                              "",
		"|2|42":                               "",
		"alice|2|bob":                         "",
		"alice|2|042":                         "",
		"alice|3|-1":                          "",
		"alice|2|9223372036854775808":         "",
		"alice|4|bob":                         "",
		"alice|0|bob":                         "",
		"alice|01|bob":                        "",
		"alice|1|bob|1":                       "",
		"alice|bob":                           "",
		"p2p:alice:bob":                       "",
		"":                                    "",
		"al ice|1|bob":                        "",
		"alice|1|bob/../../teams":             "",
		"ali:ce|1|bob":                        "",
		"alice|1|b\x00b":                      "",
		"alice|1|böb":                         "",
		"\u212Aelvin|1|bob":                   "p2p:bob:kelvin", // the Kelvin sign is a k in lower case
		"alice%7C1%7Cbob":                     "",
		" alice|1|bob":                        "",
	} {
		got, err := yunxin.Canonical(id)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", id, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "conversation id") {
			t.Errorf("%q: error %v does not say what it is about", id, err)
		}
	}
}

// A container is asked for in its own spelling, or, where its id is canonical, in the name of the first account.
func TestSpelling(t *testing.T) {
	for _, tt := range []struct{ id, conversation, path string }{
		{"bob|1|alice", "p2p:alice:bob", "/im/v2/conversations/bob%7C1%7Calice/"},
		{"p2p:alice:bob", "p2p:alice:bob", aliceBob + "/"},
		{"p2p:alice:bob", "", aliceBob + "/"},
		{"carol|2|42", "team:42", "/im/v2/conversations/carol%7C2%7C42/"},
		{"a.b@c|3|42", "super:42", "/im/v2/conversations/a.b@c%7C3%7C42/"},
	} {
		c := list(tt.id, "1")
		c.ConversationID = tt.conversation
		f := (&store{}).fake()
		if _, err := readAll(t, f.source(), c, connectors.Position{}); err != nil || len(f.requests()) != 1 || !strings.HasPrefix(f.requests()[0], "POST "+tt.path) {
			t.Errorf("%s: asked for %v, %v", tt.id, f.requests(), err)
		}
	}
}

// A container that is not ours, or that no call could be made for, fails at once with what to do about it.
func TestUnfitContainers(t *testing.T) {
	tests := []struct {
		name   string
		change func(*schemas.Container)
		code   string
	}{
		{"tenant", func(c *schemas.Container) { c.TenantID = "another" }, "other_tenant"},
		{"kind", func(c *schemas.Container) { c.Kind = schemas.KindChat }, "unsupported_kind"},
		{"no id", func(c *schemas.Container) { c.ID = "" }, "bad_conversation_id"},
		{"no owner", func(c *schemas.Container) { c.ID = "team:42" }, "bad_conversation_id"},
		{"no owner of a super team", func(c *schemas.Container) { c.ID, c.ConversationID = "super:42", "super:42" }, "bad_conversation_id"},
		{"no conversation of two", func(c *schemas.Container) { c.ID = "p2p:alice" }, "bad_conversation_id"},
		{"another conversation", func(c *schemas.Container) { c.ConversationID = "p2p:alice:carol" }, "bad_conversation_id"},
		{"a path", func(c *schemas.Container) { c.ID = "..|1|.." }, ""},
	}
	for _, tt := range tests {
		for _, kind := range []string{schemas.KindConversation, schemas.KindMessages} {
			f := newFake(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, fineBody) })
			c := list("alice|1|bob", "1", "2")
			c.Kind = kind
			tt.change(c)
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			p := pages[len(pages)-1]
			if tt.code == "" {
				if len(f.requests()) == 0 || strings.Contains(f.requests()[0], "/../") {
					t.Errorf("%s: asked for %v", tt.name, f.requests())
				}
				continue
			}
			if p.Failed == nil || p.Failed.Code != tt.code || p.Failed.Message == "" || p.Error != tt.code || p.Calls != 0 || len(f.requests()) != 0 || len(p.Missing) != 2 {
				t.Errorf("%s: %+v failed %+v", tt.name, p.Response, p.Failed)
			}
			if want := schemas.PageType(schemas.Yunxin, c.Kind); p.Type != want || p.HTTPStatus != 0 || len(p.Body) != 0 {
				t.Errorf("%s: page %+v", tt.name, p.Response)
			}
		}
	}
}

func TestWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UnixMilli()
		for _, tt := range []struct {
			start, end *schemas.Millis
			from, to   int64
		}{
			{nil, nil, 0, now + 1},
			{millis(day), nil, now, now + 2}, // begins after the clock of this test: a millisecond, so that the call is valid
			{millis(1000), millis(5000), 999, 5000},
			{millis(5000), millis(1000), 4999, 5001},
			{millis(0), millis(1), 0, 1},
			{millis(-5), millis(0), 0, 1},
		} {
			f := (&chat{}).fake()
			c := conversation("alice|1|bob")
			c.WindowStart, c.WindowEnd = tt.start, tt.end
			if tt.start != nil && int64(*tt.start) == day {
				tt.from, tt.to = day-1, day+1
			}
			pages, err := readAll(t, f.source(), c, connectors.Position{})
			if err != nil || len(pages) != 1 || pages[0].Failed != nil {
				t.Fatalf("%v to %v: %v, %v", tt.start, tt.end, pages, err)
			}
			if want := rangeOf(tt.from, tt.to); !strings.Contains(f.requests()[0], want) {
				t.Errorf("asked for %s, want %s", f.requests()[0], want)
			}
		}
	})
}

func TestCancelledReading(t *testing.T) {
	for _, c := range []*schemas.Container{conversation("alice|1|bob"), list("alice|1|bob", "1")} {
		f := newFake(hang)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			for _, err := range f.source().Pages(ctx, c, connectors.Position{}) {
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		until(t, "a call", func() bool { return len(f.requests()) == 1 })
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled reading ends with %v", err)
		}
	}
}

// What was read to its end is not read again from its last position.
func TestReadingOnAfterTheEnd(t *testing.T) {
	for _, c := range []*schemas.Container{conversation("alice|1|bob"), list("alice|1|bob", "1")} {
		f := newFake(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, fineBody) })
		pages, err := readAll(t, f.source(), c, connectors.Position{})
		if err != nil {
			t.Fatal(err)
		}
		before := len(f.requests())
		rest, err := readAll(t, f.source(), c, pages[len(pages)-1].Next)
		if err != nil || len(rest) != 0 || len(f.requests()) != before {
			t.Errorf("%s: %d pages more, %v", c.Kind, len(rest), err)
		}
	}
}
