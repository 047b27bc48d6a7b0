package yunxin_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

var (
	listRequest  = connectors.Request{API: schemas.YunxinMessagesList, Method: "GET", Path: aliceBob + "/messages", Query: "begin_time=0&end_time=9"}
	tokenRequest = connectors.Request{API: schemas.YunxinMessagesList, Method: "GET", Path: aliceBob + "/messages", Query: "begin_time=0&page_token=p1"}
	batchRequest = connectors.Request{API: schemas.YunxinMessagesBatch, Method: "POST", Path: aliceBob + "/batch_messages", Body: []byte(`{"messages":[]}`)}
)

const fineBody = `{"code":200,"msg":"success","data":{}}`

// The vector of the fact sheet.
func TestChecksum(t *testing.T) {
	if got := yunxin.Checksum("test-secret", "nonce-0001", "1700000000"); got != "385a17e9427d10548558886b81b08b540b6a4c6e" {
		t.Errorf("checksum %s", got)
	}
}

func TestCallKeepsTheBodyAsItWasSent(t *testing.T) {
	const body = "\n{ \"code\" : 200,\t\"msg\":\"ok\", \"data\":{\"b\":1,\"a\":4291065454174142469,\"s\":\"\\u4f60\xff\"} }  \n"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != "chatlake/test" || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("headers %v", r.Header)
		}
		if !strings.HasPrefix(r.RequestURI, "/base/im/v2/conversations/alice%7C1%7Cbob/") {
			t.Errorf("asked for %s", r.RequestURI)
		}
		w.Header().Set("X-Request-Id", "req-1")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		io.WriteString(z, body)
	}))
	defer server.Close()
	cfg := newFake(nil).config()
	cfg.BaseURL, cfg.Client = server.URL+"/base/", server.Client()
	before := time.Now()
	resp, err := yunxin.NewCall(cfg)(t.Context(), batchRequest)
	if err != nil {
		t.Fatal(err)
	}
	if string(resp.Body) != body {
		t.Errorf("body %q, want %q", resp.Body, body)
	}
	want := connectors.Response{
		Type: schemas.YunxinMessagesBatch, Request: "POST " + aliceBob + `/batch_messages {"messages":[]}`, HTTPStatus: 200, Code: "200",
		LogID: "req-1", Calls: 1,
	}
	if resp.Time.Before(before) || resp.Time.After(time.Now()) {
		t.Errorf("time %v", resp.Time)
	}
	got := *resp
	got.Body, got.Time = nil, time.Time{}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("response %+v, want %+v", got, want)
	}
}

// Each attempt is signed anew: the fake refuses a nonce or trace id that it has seen, and a time that is not its own.
func TestEachAttemptIsSignedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var headers []http.Header
		f := newFake(func(w http.ResponseWriter, r *http.Request) {
			headers = append(headers, r.Header)
			if n++; n < 4 {
				io.WriteString(w, `{"code":431,"msg":"duplicate request","data":{}}`)
				return
			}
			io.WriteString(w, fineBody)
		})
		resp, err := api.Retry(f.call(), api.Policy{})(t.Context(), listRequest)
		if err != nil || resp.Calls != 4 {
			t.Fatalf("%+v, %v", resp, err)
		}
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
		for _, h := range headers {
			if n := len(h.Get("Nonce")); n == 0 || n > 128 || !uuid.MatchString(h.Get("X-custom-traceid")) {
				t.Errorf("headers %v", h)
			}
		}
	})
}

func TestCallClassesAnswers(t *testing.T) {
	const (
		c, i, s, u = connectors.ClassContainer, connectors.ClassItem, connectors.ClassSticky, connectors.ClassUnavailable
		fatal, th  = connectors.ClassFatal, connectors.ClassThrottled
	)
	list, batch := listRequest, batchRequest
	tests := []struct {
		name    string
		request connectors.Request
		status  int
		after   string // header Retry-After
		body    string
		class   connectors.Class
		code    string
		wait    time.Duration
	}{
		{"throttled under HTTP 200", list, 200, "", `{"code":416,"msg":"frequency control","data":{}}`, th, "416", time.Minute},
		{"throttled, short word", batch, 200, "3", `{"code":416}`, th, "416", time.Minute},
		{"throttled, long word", batch, 200, "90", `{"code":416}`, th, "416", 90 * time.Second},
		{"HTTP 429", list, 429, "4", `<html>`, th, "unreadable", 4 * time.Second},
		{"HTTP 429 without a word", list, 429, "", `{"code":200}`, th, "http_429", time.Minute},
		{"duplicate", list, 200, "", `{"code":431}`, u, "431", 0},
		{"busy", batch, 200, "", `{"code":102449}`, u, "102449", 0},
		{"busy, not listed", batch, 200, "", `{"code":113449}`, u, "113449", 0},
		{"unavailable", list, 200, "7", `{"code":514}`, u, "514", 7 * time.Second},
		{"internal error of a list", list, 200, "", `{"code":500}`, u, "500", 0},
		{"internal error of a batch", batch, 200, "", `{"code":500}`, s, "500", 0},
		{"HTTP 500 with a code", list, 500, "", `{"code":4711}`, u, "4711", 0},
		{"HTTP 502", list, 502, "", `<html>bad gateway</html>`, u, "http_502", 0},
		{"HTTP 404 in HTML", list, 404, "", `<html>`, u, "unreadable", 0},
		{"HTTP 503 that says it is fine", list, 503, "", fineBody, u, "http_503", 0},
		{"HTML with 200", list, 200, "", `<!doctype html>`, u, "unreadable", 0},
		{"empty", list, 200, "", ``, u, "unreadable", 0},
		{"cut", list, 200, "", `{"code":200,"data":{"items":[`, u, "unreadable", 0},
		{"no code", list, 200, "", `{"msg":"ok"}`, u, "unreadable", 0},
		{"no object", list, 200, "", `[200]`, u, "unreadable", 0},
		{"blocked account", list, 200, "", `{"code":102422}`, c, "102422", 0},
		{"no account", batch, 200, "", `{"code":102404,"msg":"account not exist"}`, c, "102404", 0},
		{"no team", batch, 200, "", `{"code":108404}`, c, "108404", 0},
		{"no member", list, 200, "", `{"code":109404}`, c, "109404", 0},
		{"code as a string", list, 200, "", `{"code":"108404"}`, c, "108404", 0},
		{"something missing", batch, 200, "", `{"code":111404}`, c, "111404", 0},
		{"no message", batch, 200, "", `{"code":107404}`, i, "107404", 0},
		{"anti-spam", batch, 200, "", `{"code":107451}`, i, "107451", 0},
		{"too many", batch, 200, "", `{"code":419}`, i, "419", 0},
		{"no message, of a list", list, 200, "", `{"code":107404}`, c, "107404", 0},
		{"app key of another centre", list, 200, "", `{"code":101303}`, fatal, "101303", 0},
		{"address refused", list, 200, "", `{"code":315}`, fatal, "315", 0},
		{"function off", list, 200, "", `{"code":107410}`, fatal, "107410", 0},
		{"414 about the header", list, 200, "", `{"code":414,"msg":"CheckSum is wrong or CurTime expired"}`, fatal, "414", 0},
		{"403 about the header", batch, 403, "", `{"code":403,"msg":"bad Nonce"}`, fatal, "403", 0},
		{"414 in doubt, nothing taken yet", list, 200, "", `{"code":414,"msg":"bad param"}`, u, "414", 0},
		{"403 in doubt, nothing taken yet", list, 200, "", `{"code":403,"msg":"forbidden"}`, u, "403", 0},
		{"v1 says desc", list, 200, "", `{"code":414,"desc":"bad time"}`, u, "414", 0},
		{"414 about a parameter", list, 200, "", `{"code":414,"msg":"begin_time should not exceed end_time"}`, c, "414", 0},
		{"414 about a field", batch, 200, "", `{"code":414,"msg":"messages[3].message_server_id invalid"}`, i, "414", 0},
		{"414 about a field and a header", batch, 200, "", `{"code":414,"msg":"create_time missing; check headers"}`, i, "414", 0},
		{"414 about the conversation", batch, 200, "", `{"code":414,"msg":"conversation_id invalid"}`, c, "414", 0},
		{"414 with a page token", tokenRequest, 200, "", `{"code":414,"msg":"bad param"}`, connectors.ClassCursor, "414", 0},
		{"414 about the page token", tokenRequest, 200, "", `{"code":414,"msg":"page token expired"}`, connectors.ClassCursor, "414", 0},
		{"414 about the header, with a page token", tokenRequest, 200, "", `{"code":414,"msg":"CurTime"}`, fatal, "414", 0},
		{"unknown", list, 200, "", `{"code":4711,"msg":"?"}`, connectors.ClassUnknown, "4711", 0},
		{"unknown, none of v2", batch, 400, "", `{"code":0}`, connectors.ClassUnknown, "0", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(func(w http.ResponseWriter, _ *http.Request) {
				if tt.after != "" {
					w.Header().Set("Retry-After", tt.after)
				}
				w.Header().Set("X-Request-Id", "req-7")
				w.WriteHeader(tt.status)
				io.WriteString(w, tt.body)
			})
			_, err := f.call()(t.Context(), tt.request)
			var e *connectors.Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v is no *Error", err)
			}
			calls := 1
			if tt.class == fatal && (tt.code == "403" || tt.code == "414") {
				calls = 2 // once more, with the time as it is
			}
			if e.Class != tt.class || e.Code != tt.code || e.RetryAfter != tt.wait || e.API != tt.request.API || e.Calls != calls || len(f.requests()) != calls {
				t.Errorf("%v: class %v, code %q, after %v, calls %d", e, e.Class, e.Code, e.RetryAfter, e.Calls)
			}
			if e.Response == nil || string(e.Response.Body) != tt.body || e.Response.HTTPStatus != tt.status || e.Response.LogID != "req-7" {
				t.Errorf("response %+v", e.Response)
			}
			if e.Message == "" {
				t.Error("no message")
			}
			noSecrets(t, strings.ReplaceAll(err.Error(), "CheckSum is wrong", ""))
		})
	}
}

func TestCallHidesEchoedSecrets(t *testing.T) {
	f := newFake(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"code":108404,"msg":"signed %s by %s %s"}`, r.Header.Get("CheckSum"), appSecret, strings.Repeat("x", 4000))
	})
	_, err := f.call()(t.Context(), listRequest)
	if err == nil || len(err.Error()) > 900 || regexp.MustCompile(`[0-9a-f]{40}`).MatchString(err.Error()) {
		t.Errorf("error %v", err)
	}
	noSecrets(t, err.Error())
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		noSecrets(t, fmt.Sprintf(form, f.config()))
	}
}

func TestCallFaults(t *testing.T) {
	hijack := func(w http.ResponseWriter, sent string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		if sent == "" {
			_ = conn.(*net.TCPConn).SetLinger(0) // closing then resets the connection
		}
		io.WriteString(conn, sent)
		conn.Close()
	}
	large := strings.Repeat(" ", 1<<20)
	deep := `{"code":200,"data":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`
	elsewhere := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		class  connectors.Class
		code   string
		body   string
	}{
		{"reset", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "") }, connectors.ClassUnavailable, "reset", ""},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			hijack(w, "nonsense "+r.Header.Get("CheckSum")+"\r\n\r\n")
		}, connectors.ClassUnavailable, "reset", ""},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"code\":200}")
		}, connectors.ClassUnavailable, "unreadable", `{"code":200}`},
		{"429 cut short", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 429 Too Many\r\nContent-Length: 1000\r\n\r\n{")
		}, connectors.ClassThrottled, "unreadable", `{`},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"code":200}`)
			for range 25 {
				io.WriteString(w, large)
			}
		}, connectors.ClassItem, "too_large", ""},
		{"nested too deep", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, deep) }, connectors.ClassItem, "too_complex", deep},
		{"redirect", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, fineBody)
		}, connectors.ClassUnavailable, "redirect", fineBody},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.answer)
			defer server.Close()
			cfg := newFake(nil).config()
			cfg.BaseURL, cfg.Client = server.URL, server.Client()
			_, err := yunxin.NewCall(cfg)(t.Context(), listRequest)
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code {
				t.Fatalf("error %v, want class %v and code %s", err, tt.class, tt.code)
			}
			if regexp.MustCompile(`[0-9a-f]{40}`).MatchString(err.Error()) {
				t.Errorf("error %v shows a signature", err)
			}
			switch {
			case tt.code == "reset":
				if e.Response != nil {
					t.Errorf("response %+v, though none came", e.Response)
				}
			case string(e.Response.Body) != tt.body:
				t.Errorf("body %q, want %q", e.Response.Body, tt.body)
			}
			if tt.class == connectors.ClassItem && e.Response.Error != tt.code {
				t.Errorf("response %+v does not say that it was given up", e.Response)
			}
		})
	}
	if elsewhere != 0 {
		t.Error("a redirect was followed")
	}
}

func TestCallWithoutAConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := yunxin.Config{AppKey: appKey, AppSecret: appSecret, BaseURL: "http://" + l.Addr().String()}
	l.Close()
	_, err = yunxin.NewCall(cfg)(t.Context(), listRequest)
	var e *connectors.Error
	if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "unreachable" || e.Response != nil {
		t.Errorf("error %v", err)
	}
}

func TestCallThatIsNeverAnswered(t *testing.T) {
	f := newFake(hang)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := f.call()(ctx, listRequest)
		done <- err
	}()
	until(t, "the request", func() bool { return len(f.requests()) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := newFake(hang).call()(t.Context(), listRequest)
		var e *connectors.Error
		if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "timeout" || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("attempt that ran out of its own time: %v", err)
		}
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("given up after %v", d)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	good := func(change func(*yunxin.Config)) yunxin.Config {
		cfg := yunxin.Config{AppKey: "k", AppSecret: "s"}
		change(&cfg)
		return cfg
	}
	for name, cfg := range map[string]yunxin.Config{
		"":                   good(func(*yunxin.Config) {}),
		"YUNXIN_APP_KEY":     good(func(c *yunxin.Config) { c.AppKey = "" }),
		"YUNXIN_APP_SECRET":  good(func(c *yunxin.Config) { c.AppSecret = "" }),
		"YUNXIN_API_VERSION": good(func(c *yunxin.Config) { c.APIVersion = "v3" }),
		"YUNXIN_BASE_URL":    good(func(c *yunxin.Config) { c.BaseURL = "open.yunxinapi.com" }),
		"YUNXIN_FILE_HOSTS":  good(func(c *yunxin.Config) { c.FileHosts = []string{"files.example/path"} }),
	} {
		if err := cfg.Validate(); (err == nil) != (name == "") || err != nil && !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, host := range []string{"*", "*.", "a b", "https://", "ftp://files.example", "https://files.example/x", "https://u:p@files.example", "files.example:443", "*.*.example", ".example", ""} {
		if err := good(func(c *yunxin.Config) { c.FileHosts = []string{host} }).Validate(); err == nil {
			t.Errorf("host %q is taken", host)
		}
	}
	all := []string{"files.example", "*.Files.example", "https://files.example", "http://127.0.0.1:9000/", "https://[::1]:8443"}
	if err := good(func(c *yunxin.Config) {
		c.FileHosts, c.APIVersion, c.BaseURL = all, "v2.1", "https://gateway.example/nimserver"
	}).Validate(); err != nil {
		t.Error(err)
	}
}
