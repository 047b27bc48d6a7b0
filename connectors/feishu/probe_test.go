package feishu_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// TestProbeMakesOneCall: for one message at most, and what ends a container well is no refusal.
func TestProbeMakesOneCall(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, code, request string
		class               connectors.Class
		refused             bool
	}{
		"chat":              {schemas.KindChat, "", "container_id_type=chat&container_id=x%2Fy&", 0, false},
		"refused chat":      {schemas.KindChat, "230002", "page_size=1", connectors.ClassContainer, true},
		"thread":            {schemas.KindThread, "", "container_id_type=thread&", 0, false},
		"thread's root":     {schemas.KindThread, "230110", "page_size=1", connectors.ClassContainer, false},
		"root of a chat":    {schemas.KindChat, "230110", "page_size=1", connectors.ClassContainer, true},
		"deleted message":   {schemas.KindMessage, "230110", "/messages/x%2Fy?", connectors.ClassItem, false},
		"message, no right": {schemas.KindMessage, "99991672", "/messages/x%2Fy?", connectors.ClassFatal, true},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			err := feishu.Probe(t.Context(), func(_ context.Context, r connectors.Request) (*connectors.Response, error) {
				calls++
				if !strings.Contains(r.Line(), tc.request) {
					t.Errorf("asks %s", r.Line())
				}
				if tc.class == 0 {
					return &connectors.Response{}, nil
				}
				return nil, &connectors.Error{Class: tc.class, Code: tc.code}
			}, &schemas.Container{Kind: tc.kind, ID: "x/y"})
			var e *connectors.Error
			if calls != 1 || errors.As(err, &e) != tc.refused || tc.refused && e.Code != tc.code {
				t.Errorf("%d calls, %v", calls, err)
			}
		})
	}
}
