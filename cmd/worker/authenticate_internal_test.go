package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/connectors"
)

// TestAuthenticateAtStart: only credentials that the platform refuses end a start; one that is off, or in trouble, does not.
func TestAuthenticateAtStart(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	for name, f := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"taken":                {200, `{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}`, false},
		"refused":              {200, `{"code":10014,"msg":"app secret invalid"}`, true},
		"a gateway in trouble": {502, `<html>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(f.status)
				_, _ = w.Write([]byte(f.body))
			}))
			defer s.Close()
			app := &Feishu{AppID: "cli_1", AppSecret: "not-to-be-shown", BaseURL: s.URL}
			err := app.authenticate(t.Context(), logger)
			var e *connectors.Error
			if f.refused != (errors.As(err, &e) && e.Class == connectors.ClassFatal) || !f.refused && err != nil {
				t.Fatalf("%v", err)
			}
			if err != nil && (!strings.Contains(err.Error(), "FEISHU_APP_SECRET") || strings.Contains(err.Error(), "not-to-be-shown")) {
				t.Errorf("%v", err)
			}
		})
	}
	if err := (&Feishu{}).authenticate(t.Context(), logger); err != nil {
		t.Errorf("a platform that is off: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errStopped)
	if err := (&Feishu{AppID: "cli_1", AppSecret: "x", BaseURL: "http://127.0.0.1:1"}).authenticate(ctx, logger); !errors.Is(err, errStopped) {
		t.Errorf("a start that is stopped: %v", err)
	}
}

var errStopped = errors.New("stopped")
