package yunxin_test

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

const (
	appKey    = "0123456789abcdef0123456789abcdef"
	appSecret = "very-secret-secret"
	aliceBob  = "/im/v2/conversations/alice%7C1%7Cbob"
)

// fakeAPI answers like the platform, by script. It is reached without a network, so that tests may run on a clock of their own.
type fakeAPI struct {
	answer http.HandlerFunc // of requests that are signed well; set before the first call

	mu     sync.Mutex
	lines  []string // requests, each with its body
	times  []time.Time
	used   map[string]bool // nonces and trace ids
	bodies [][]byte        // as sent by send
}

func newFake(answer http.HandlerFunc) *fakeAPI {
	return &fakeAPI{answer: answer, used: map[string]bool{}}
}

// ServeHTTP checks what every request must carry.
func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.RequestURI()
	if len(body) > 0 {
		line += " " + string(body)
	}
	f.mu.Lock()
	f.lines, f.times = append(f.lines, line), append(f.times, time.Now())
	nonce, trace := r.Header.Get("Nonce"), r.Header.Get("X-custom-traceid")
	again := f.used[nonce] || f.used[trace]
	f.used[nonce], f.used[trace] = true, true
	f.mu.Unlock()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	sum := sha1.Sum([]byte(appSecret + nonce + r.Header.Get("CurTime")))
	switch {
	case again || nonce == "" || trace == "":
		f.send(w, `{"code":431,"msg":"duplicate request","data":{}}`)
	case r.Header.Get("AppKey") != appKey || r.Header.Get("CheckSum") != hex.EncodeToString(sum[:]) || r.Header.Get("CurTime") != fmt.Sprint(time.Now().Unix()):
		f.send(w, `{"code":414,"msg":"bad checksum","data":{}}`)
	default:
		f.answer(w, r)
	}
}

// RoundTrip makes the fake an http.RoundTripper.
func (f *fakeAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// send writes a body and remembers it. A body may start with an HTTP status and a blank.
func (f *fakeAPI) send(w http.ResponseWriter, body string) {
	status := 200
	if _, err := fmt.Sscanf(body, "%d ", &status); err == nil {
		body = body[4:]
	}
	f.mu.Lock()
	f.bodies = append(f.bodies, []byte(body))
	f.mu.Unlock()
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func (f *fakeAPI) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines)
}

func (f *fakeAPI) config() yunxin.Config {
	return yunxin.Config{
		AppKey: appKey, AppSecret: appSecret, BaseURL: "http://api.test", ConnectorVersion: "chatlake/test", Client: &http.Client{Transport: f},
	}
}

func (f *fakeAPI) call() connectors.Call { return yunxin.NewCall(f.config()) }

// source reads through the whole chain, with waits that are short.
func (f *fakeAPI) source() *yunxin.Source { return sourceOf(f.config()) }

func sourceOf(cfg yunxin.Config) *yunxin.Source { return newSource(cfg, time.Microsecond) }

func newSource(cfg yunxin.Config, unit time.Duration) *yunxin.Source {
	policy := api.Policy{Unit: time.Microsecond}
	return yunxin.NewSource(yunxin.SourceConfig{
		Call: api.Retry(yunxin.NewCall(cfg), policy), Fetch: api.Retry(yunxin.NewFetch(cfg), policy),
		AppKey: appKey, APIVersion: cfg.APIVersion, Unit: unit,
	})
}

// noSecrets fails the test where s shows the app's secret or a signature.
func noSecrets(t *testing.T, s string) {
	t.Helper()
	for _, secret := range []string{appSecret, "CheckSum", "signed-with"} {
		if strings.Contains(s, secret) {
			t.Errorf("%q shows %q", s, secret)
		}
	}
}

func millis(ms int64) *schemas.Millis {
	m := schemas.Millis(ms)
	return &m
}

// conversation is a container of the years 2001 to 2100, which leaves the clock out of requests.
func conversation(id string) *schemas.Container {
	return &schemas.Container{
		Platform: schemas.Yunxin, TenantID: appKey, Kind: schemas.KindConversation, ID: id, Epoch: 1,
		WindowStart: millis(1_000_000_000_000), WindowEnd: millis(4_000_000_000_000),
	}
}

// readAll gives the pages of a container from a position, and the error that ended them.
func readAll(t *testing.T, s connectors.Source, c *schemas.Container, from connectors.Position) (pages []*connectors.Page, last error) {
	t.Helper()
	for page, err := range s.Pages(t.Context(), c, from) {
		if err != nil {
			return pages, err
		}
		if pages = append(pages, page); len(pages) > 2000 {
			t.Fatal("2000 pages and no end")
		}
	}
	for i, p := range pages {
		if p.Final != (i == len(pages)-1) || p.Next.Pages != from.Pages+int64(i)+1 {
			t.Errorf("page %d: final %t, next %+v", i, p.Final, p.Next)
		}
	}
	return pages, nil
}

func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// wantCalls checks that pages tell of all calls that were made.
func wantCalls(t *testing.T, pages []*connectors.Page, f *fakeAPI) {
	t.Helper()
	calls := 0
	for _, p := range pages {
		calls += p.Calls
	}
	if n := len(f.requests()); calls != n {
		t.Errorf("pages tell of %d calls, there were %d", calls, n)
	}
}

// hang answers nothing until the request is given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// until waits for what another goroutine brings about.
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
