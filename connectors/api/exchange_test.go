package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

func TestExchangeReadsToItsLimit(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := api.MaxBody
		if r.URL.Path == "/more" {
			n++
		}
		_, _ = io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("x", n)), int64(n)))
	}))
	defer server.Close()
	for path, tooLarge := range map[string]bool{"/": false, "/more": true} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := api.Exchange(api.NewClient(nil), req)
		if a.Err != nil || a.Status != 200 || a.TooLarge != tooLarge || len(a.Body) < api.MaxBody || a.At.IsZero() {
			t.Errorf("%s: status %d, %d bytes, too large %t, %v", path, a.Status, len(a.Body), a.TooLarge, a.Err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 2.5 ": 2500 * time.Millisecond, "-1": 0, "0": 0, "soon": 0, "NaN": 0, "1e99": 24 * time.Hour, "+Inf": 24 * time.Hour,
		"Sun, 22 Nov 2026 10:01:30 GMT": 90 * time.Second, "Sun, 22 Nov 2026 09:00:00 GMT": 0,
	} {
		a := api.Reply{Header: http.Header{"Retry-After": {header}}, At: at}
		if got := a.RetryAfter(); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
	if d := (&api.Reply{}).RetryAfter(); d != 0 {
		t.Errorf("without an answer: %v", d)
	}
}

func TestFault(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, tt := range []struct {
		reply api.Reply
		want  string
	}{
		{api.Reply{Err: context.DeadlineExceeded}, connectors.CodeTimeout},
		{api.Reply{Err: &net.DNSError{IsTimeout: true}}, connectors.CodeTimeout},
		{api.Reply{Err: dial}, connectors.CodeUnreachable},
		{api.Reply{Err: io.ErrUnexpectedEOF, Status: 200}, connectors.CodeUnreadable},
		{api.Reply{Err: io.ErrUnexpectedEOF}, connectors.CodeReset},
		{api.Reply{Err: &net.OpError{Op: "read", Err: errors.New("reset")}, Status: 200}, connectors.CodeReset},
	} {
		if code, means := tt.reply.Fault(); code != tt.want || means == "" {
			t.Errorf("%v: %s, %q", tt.reply.Err, code, means)
		}
	}
}
