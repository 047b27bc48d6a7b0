package feishu_test

import (
	"strings"
	"testing"

	"chatlake/connectors"
)

// TestNextEpochStartsAtTheWatermark goes on in a new epoch where an earlier one failed: a chat from its watermark where its
// messages came in ascending order, else from the start, as a thread does. The old page token is never sent.
func TestNextEpochStartsAtTheWatermark(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, id string
		second   int64 // time of the second message, ms
		start    string
	}{
		"ascending": {"chat", "oc_1", 1700000002500, "start_time=1700000002"},
		"unordered": {"chat", "oc_1", 1700000000500, ""},
		"thread":    {"thread", "omt_1", 1700000002500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			chat := script{
				"chat oc_1":             `{"code":0,"data":{"chat_mode":"group"}}`,
				"list " + tt.id:         list("p2", msg("om_1", 1700000001000), msg("om_2", tt.second)),
				"list " + tt.id + " p2": `400 {"code":230002,"msg":"not in chat"}`,
			}
			first := chat.serve(t)
			pages, err := read(t, first.source(), container(tt.kind, tt.id), connectors.Position{})
			if err != nil || len(pages) != 2 || pages[1].Failed == nil {
				t.Fatalf("%d pages, %v", len(pages), err)
			}
			left := pages[1].Next
			for retry := range 2 { // the second resumes an epoch that resumed, and that failed at once
				f := chat.serve(t)
				pages, err = read(t, f.source(), container(tt.kind, tt.id), connectors.Position{Cursor: left.Cursor, Watermark: left.Watermark})
				if err != nil || len(pages) != 2 || pages[1].Failed == nil {
					t.Fatalf("retry %d: %d pages, %v", retry, len(pages), err)
				}
				calls := f.requests()
				opened := strings.HasSuffix(calls[0], "/chats/oc_1")
				if opened != (tt.kind == "chat") || len(pages[0].Opening) == 1 != opened {
					t.Errorf("retry %d: first call %s, %d openings", retry, calls[0], len(pages[0].Opening))
				}
				listed := calls[len(calls)-2]
				if strings.Contains(listed, "page_token") || strings.Contains(listed, "start_time") != (tt.start != "") || !strings.Contains(listed, tt.start) {
					t.Errorf("retry %d: listed by %s, want %q", retry, listed, tt.start)
				}
				left = pages[1].Next
			}
		})
	}
}

// TestNextEpochWhoseTokenIsRefused: what an earlier epoch read in no order is read from the start again, whatever the watermark.
func TestNextEpochWhoseTokenIsRefused(t *testing.T) {
	s := script{
		"chat oc_1":    `{"code":0,"data":{"chat_mode":"group"}}`,
		"list oc_1":    list("p2", msg("om_1", 1700000001000)),
		"list oc_1 p2": `400 {"code":230001,"msg":"invalid page_token"}`,
	}
	for _, cursor := range []connectors.Cursor{`{"t":"old","u":true}`, "not ours"} {
		f := s.serve(t)
		if _, err := read(t, f.source(), container("chat", "oc_1"), connectors.Position{Cursor: cursor, Watermark: 1700000009000}); err != nil {
			t.Fatal(err)
		}
		for _, call := range f.requests() {
			if strings.Contains(call, "start_time") {
				t.Errorf("cursor %s: asked for %s", cursor, call)
			}
		}
	}
}
