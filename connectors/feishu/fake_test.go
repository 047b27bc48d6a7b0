package feishu_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
)

const (
	appID     = "cli_a1b2c3"
	appSecret = "very-secret-secret"
	appTenant = "tenant-1"
	tokenURI  = "/open-apis/auth/v3/tenant_access_token/internal"
)

// fakeAPI answers like the platform, by script.
type fakeAPI struct {
	*httptest.Server
	// answer serves all but the token endpoint, and token that one, where not nil. Both are set before the first call.
	answer http.HandlerFunc
	token  func(n int) (status int, body string) // n counts from 1

	mu     sync.Mutex
	lines  []string // requests but those for tokens
	tokens int
	bodies [][]byte // as sent by send
}

func newFake(t *testing.T, answer http.HandlerFunc) *fakeAPI {
	f := &fakeAPI{answer: answer}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenURI {
			f.serveToken(w, r)
			return
		}
		f.mu.Lock()
		f.lines = append(f.lines, r.Method+" "+r.RequestURI)
		f.mu.Unlock()
		f.answer(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeAPI) serveToken(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.tokens++
	n := f.tokens
	f.mu.Unlock()
	if r.Method != http.MethodPost || string(body) != fmt.Sprintf(`{"app_id":%q,"app_secret":%q}`, appID, appSecret) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"code":10014,"msg":"app secret invalid"}`)
		return
	}
	if f.token != nil {
		status, body := f.token(n)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
		return
	}
	fmt.Fprintf(w, `{"code":0,"msg":"ok","tenant_access_token":"t-token-%d","expire":7200}`, n)
}

// send writes a body and remembers it.
func (f *fakeAPI) send(w http.ResponseWriter, status int, body string) {
	f.mu.Lock()
	f.bodies = append(f.bodies, []byte(body))
	f.mu.Unlock()
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func (f *fakeAPI) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.lines...)
}

func (f *fakeAPI) served() [][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([][]byte(nil), f.bodies...)
}

func (f *fakeAPI) tokenCalls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tokens
}

func (f *fakeAPI) config() feishu.Config {
	return feishu.Config{AppID: appID, AppSecret: appSecret, Tenant: appTenant, BaseURL: f.URL, ConnectorVersion: "chatlake/test", Client: f.Client()}
}

func (f *fakeAPI) call() connectors.Call { return feishu.NewCall(f.config()) }

// source reads through the whole chain, with waits that are short.
func (f *fakeAPI) source() *feishu.Source {
	return feishu.NewSource(api.Retry(f.call(), api.Policy{Unit: time.Microsecond}), appTenant)
}

// logged gives a logger and what it has written.
func logged() (*slog.Logger, func() string) {
	var mu sync.Mutex
	var b strings.Builder
	w := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// noSecrets fails the test where s shows the app's secret or a token.
func noSecrets(t *testing.T, s string) {
	t.Helper()
	for _, secret := range []string{appSecret, "t-token"} {
		if strings.Contains(s, secret) {
			t.Errorf("%q shows %q", s, secret)
		}
	}
}

// roundTrip is an http.RoundTripper without a network, for tests that run on a clock of their own.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func reply(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited a minute for %s", what)
		}
	}
}
