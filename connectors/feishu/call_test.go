package feishu_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

var (
	listRequest  = connectors.Request{API: schemas.FeishuMessagesList, Method: "GET", Path: "/open-apis/im/v1/messages", Query: "container_id=oc_1"}
	tokenRequest = connectors.Request{API: schemas.FeishuMessagesList, Method: "GET", Path: "/open-apis/im/v1/messages", Query: "container_id=oc_1&page_token=p1"}
	getRequest   = connectors.Request{API: schemas.FeishuMessagesGet, Method: "GET", Path: "/open-apis/im/v1/messages/om_1", Subject: "om_1"}
	chatRequest  = connectors.Request{API: schemas.FeishuChatsGet, Method: "GET", Path: "/open-apis/im/v1/chats/oc_1"}
)

func TestCallKeepsTheBodyAsItWasSent(t *testing.T) {
	const body = "\n{ \"code\" : 0,\t\"msg\":\"ok\", \"data\":{\"b\":1,\"a\":12345678901234567890.0,\"s\":\"\\u4f60\xff\"} }  \n"
	for _, packed := range []bool{false, true} {
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Tt-Logid", "log-1")
			w.Header().Set("X-Request-Id", "req-1")
			if r.Header.Get("Authorization") != "Bearer t-token-1" || r.Header.Get("User-Agent") != "chatlake/test" {
				t.Errorf("headers %v", r.Header)
			}
			if packed && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				defer z.Close()
				io.WriteString(z, body)
				return
			}
			io.WriteString(w, body)
		})
		before := time.Now()
		resp, err := f.call()(t.Context(), getRequest)
		if err != nil {
			t.Fatal(err)
		}
		if string(resp.Body) != body {
			t.Errorf("body %q, want %q", resp.Body, body)
		}
		want := connectors.Response{
			Type: schemas.FeishuMessagesGet, Request: "GET /open-apis/im/v1/messages/om_1", HTTPStatus: 200, Code: "0", LogID: "log-1",
			Subject: "om_1", Calls: 1,
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
}

func TestCallClassesAnswers(t *testing.T) {
	const c, s = connectors.ClassContainer, connectors.ClassSticky
	throttle := map[string]string{"x-ogw-ratelimit-reset": "2.5", "Retry-After": "9"}
	tests := []struct {
		name    string
		request connectors.Request
		status  int
		header  map[string]string
		body    string
		class   connectors.Class
		code    string
		after   time.Duration
	}{
		{"429 throttle", listRequest, 429, throttle, `{"code":99991400,"msg":"request trigger frequency limit"}`, connectors.ClassThrottled, "99991400", 2500 * time.Millisecond},
		{"400 throttle", listRequest, 400, throttle, `{"code":99991400}`, connectors.ClassThrottled, "99991400", 2500 * time.Millisecond},
		{"200 throttle", listRequest, 200, nil, `{"code":99991400}`, connectors.ClassThrottled, "99991400", 0},
		{"reset of 0", listRequest, 429, map[string]string{"x-ogw-ratelimit-reset": "0", "Retry-After": "3"}, `{"code":99991400}`, connectors.ClassThrottled, "99991400", 3 * time.Second},
		{"reset that is no number", listRequest, 429, map[string]string{"x-ogw-ratelimit-reset": "soon"}, `{"code":99991400}`, connectors.ClassThrottled, "99991400", 0},
		{"429 in HTML", listRequest, 429, map[string]string{"Retry-After": "4"}, `<html>`, connectors.ClassThrottled, "unreadable", 4 * time.Second},
		{"429 unknown code", listRequest, 429, nil, `{"code":4711}`, connectors.ClassThrottled, "4711", 0},
		{"429 without a code", listRequest, 429, nil, `{"code":0}`, connectors.ClassThrottled, "http_429", 0},
		{"other throttle", getRequest, 400, nil, `{"code":230020}`, connectors.ClassThrottled, "230020", 0},
		{"monthly quota", listRequest, 429, nil, `{"code":99991403}`, connectors.ClassUnavailable, "99991403", 0},
		{"package used up", listRequest, 429, nil, `{"code":99991406}`, connectors.ClassUnavailable, "99991406", 0},
		{"500 unknown code", listRequest, 500, nil, `{"code":4711}`, connectors.ClassUnavailable, "4711", 0},
		{"500 known code", listRequest, 500, nil, `{"code":230002}`, c, "230002", 0},
		{"502 in HTML", listRequest, 502, nil, `<html>bad gateway</html>`, connectors.ClassUnavailable, "http_502", 0},
		{"503 with code 0", listRequest, 503, nil, `{"code":0}`, connectors.ClassUnavailable, "http_503", 0},
		{"404 with code 0", listRequest, 404, nil, `{"code":0}`, connectors.ClassUnavailable, "http_404", 0},
		{"HTML with 200", listRequest, 200, nil, `<!doctype html><title>proxy</title>`, connectors.ClassUnavailable, "unreadable", 0},
		{"empty", listRequest, 200, nil, ``, connectors.ClassUnavailable, "unreadable", 0},
		{"JSON that ends early", listRequest, 200, nil, `{"code":0,"data":{"items":[`, connectors.ClassUnavailable, "unreadable", 0},
		{"JSON without a code", listRequest, 200, nil, `{"msg":"ok"}`, connectors.ClassUnavailable, "unreadable", 0},
		{"JSON that is no object", listRequest, 200, nil, `[0]`, connectors.ClassUnavailable, "unreadable", 0},
		{"internal error of a list", listRequest, 400, nil, `{"code":2200}`, connectors.ClassUnavailable, "2200", 0},
		{"internal error of a message", getRequest, 400, nil, `{"code":2200}`, s, "2200", 0},
		{"internal error of a chat", chatRequest, 200, nil, `{"code":2200}`, s, "2200", 0},
		{"busy", listRequest, 400, nil, `{"code":232096}`, s, "232096", 0},
		{"not in chat", listRequest, 400, nil, `{"code":230002}`, c, "230002", 0},
		{"code as a string", listRequest, 400, nil, `{"code":"230002"}`, c, "230002", 0},
		{"no right or external", listRequest, 400, nil, `{"code":230027}`, c, "230027", 0},
		{"no right, of a message", getRequest, 400, nil, `{"code":230027}`, c, "230027", 0},
		{"confidential", listRequest, 400, nil, `{"code":231203}`, c, "231203", 0},
		{"thread's root deleted", listRequest, 400, nil, `{"code":230110}`, c, "230110", 0},
		{"message deleted", getRequest, 400, nil, `{"code":230110}`, connectors.ClassItem, "230110", 0},
		{"message unknown", getRequest, 400, nil, `{"code":99992354}`, connectors.ClassItem, "99992354", 0},
		{"dissolved", chatRequest, 400, nil, `{"code":232009}`, c, "232009", 0},
		{"bad parameter, page token", tokenRequest, 400, nil, `{"code":230001}`, connectors.ClassCursor, "230001", 0},
		{"bad field, page token", tokenRequest, 400, nil, `{"code":99992402}`, connectors.ClassCursor, "99992402", 0},
		{"bad parameter", listRequest, 400, nil, `{"code":230001}`, c, "230001", 0},
		{"bad parameter, message", getRequest, 400, nil, `{"code":230001}`, connectors.ClassItem, "230001", 0},
		{"rights missing", listRequest, 400, nil, `{"code":99991672}`, connectors.ClassFatal, "99991672", 0},
		{"bot off", listRequest, 400, nil, `{"code":230006}`, connectors.ClassFatal, "230006", 0},
		{"address refused", listRequest, 400, nil, `{"code":99991401}`, connectors.ClassFatal, "99991401", 0},
		{"wrong path", listRequest, 404, nil, `{"code":99991201}`, connectors.ClassFatal, "99991201", 0},
		{"a user's token", listRequest, 400, nil, `{"code":99991668}`, connectors.ClassFatal, "99991668", 0},
		{"unknown", listRequest, 400, nil, `{"code":4711,"msg":"?"}`, connectors.ClassUnknown, "4711", 0},
		{"unknown with 200", getRequest, 200, nil, `{"code":-1}`, connectors.ClassUnknown, "-1", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range tt.header {
					w.Header().Set(k, v)
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
			if e.Class != tt.class || e.Code != tt.code || e.RetryAfter != tt.after || e.API != tt.request.API || e.Calls != 1 {
				t.Errorf("%v: class %v, code %q, after %v, calls %d", e, e.Class, e.Code, e.RetryAfter, e.Calls)
			}
			if e.Response == nil || string(e.Response.Body) != tt.body || e.Response.HTTPStatus != tt.status || e.Response.LogID != "req-7" {
				t.Errorf("response %+v", e.Response)
			}
			if e.Message == "" {
				t.Error("no message")
			}
			noSecrets(t, err.Error())
		})
	}
}

func TestCallNamesMissingRightsAndHidesEchoedSecrets(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"code":99991672,"msg":"denied for %s of %s %s","error":{"permission_violations":[{"subject":"im:message.group_msg"},{"scope":"im:chat"},7]}}`,
			r.Header.Get("Authorization"), appSecret, strings.Repeat("x", 4000))
	})
	log, said := logged()
	cfg := f.config()
	cfg.Logger = log
	_, err := feishu.NewCall(cfg)(t.Context(), listRequest)
	if err == nil || !strings.Contains(err.Error(), "im:message.group_msg") || !strings.Contains(err.Error(), `"im:chat"`) {
		t.Errorf("error %v does not name the rights", err)
	}
	if len(err.Error()) > 1500 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
	noSecrets(t, err.Error())
	noSecrets(t, said())
	if said() == "" {
		t.Error("nothing was logged, so nothing was tested")
	}
	for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
		noSecrets(t, fmt.Sprintf(form, cfg))
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
	deep := `{"code":0,"data":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`
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
			hijack(w, "nonsense "+r.Header.Get("Authorization")+"\r\n\r\n")
		}, connectors.ClassUnavailable, "reset", ""},
		{"cut short", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"code\":0}")
		}, connectors.ClassUnavailable, "unreadable", `{"code":0}`},
		{"chunks cut short", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"code\":0}\r\n")
		}, connectors.ClassUnavailable, "unreadable", `{"code":0}`},
		{"429 cut short", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 429 Too Many\r\nContent-Length: 1000\r\n\r\n{")
		}, connectors.ClassThrottled, "unreadable", `{`},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"code":0}`)
			for range 25 {
				io.WriteString(w, large)
			}
		}, connectors.ClassItem, "too_large", ""},
		{"nested too deep", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, deep)
		}, connectors.ClassItem, "too_complex", deep},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}, connectors.ClassUnavailable, "redirect", "-"},
		{"redirect in JSON", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", other.URL)
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, `{"code":0}`)
		}, connectors.ClassUnavailable, "redirect", `{"code":0}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newFake(t, tt.answer).call()(t.Context(), listRequest)
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code {
				t.Fatalf("error %v, want class %v and code %s", err, tt.class, tt.code)
			}
			noSecrets(t, err.Error())
			switch {
			case tt.body == "-":
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

func TestCallReadsABodyOfTheLargestSize(t *testing.T) {
	const frame = `{"code":0,"x":""}`
	body := frame[:len(frame)-2] + strings.Repeat("y", api.MaxBody-len(frame)) + frame[len(frame)-2:]
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) })
	resp, err := f.call()(t.Context(), listRequest)
	if err != nil || string(resp.Body) != body {
		t.Errorf("a body of %d bytes: %v", len(body), err)
	}
}

func TestCallWithoutAConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://" + l.Addr().String()}
	l.Close()
	_, err = feishu.NewCall(cfg)(t.Context(), listRequest)
	var e *connectors.Error
	if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "unreachable" || e.Response != nil {
		t.Errorf("error %v", err)
	}
	noSecrets(t, err.Error())
}

func TestCallThatIsNeverAnswered(t *testing.T) {
	release := make(chan struct{})
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)

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

	ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.call()(ctx, listRequest); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("call past its deadline: %v", err)
	}

	cfg := f.config()
	cfg.Client = &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 10 * time.Millisecond}}
	call := feishu.NewCall(cfg)
	_, err := call(t.Context(), listRequest)
	var e *connectors.Error
	if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "timeout" {
		t.Errorf("call without an answer: %v", err)
	}
}

func TestAttemptThatRunsOutOfTimeIsNotTheCallersFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == tokenURI {
				return reply(200, `{"code":0,"tenant_access_token":"t-token-1","expire":7200}`), nil
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		start := time.Now()
		_, err := feishu.NewCall(feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: client})(t.Context(), listRequest)
		var e *connectors.Error
		if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "timeout" || e.Calls != 1 {
			t.Errorf("error %v", err)
		}
		if errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 30*time.Second {
			t.Errorf("%v after %v: want the attempt's own end after 30 s", err, time.Since(start))
		}
	})
}

func TestConfigValidate(t *testing.T) {
	good := feishu.Config{AppID: "a", AppSecret: appSecret}
	tests := []struct {
		change func(*feishu.Config)
		want   string
	}{
		{func(*feishu.Config) {}, ""},
		{func(c *feishu.Config) { c.BaseURL = "https://open.larksuite.com" }, ""},
		{func(c *feishu.Config) { c.AppID = "" }, "FEISHU_APP_ID"},
		{func(c *feishu.Config) { c.AppSecret = "" }, "FEISHU_APP_SECRET"},
		{func(c *feishu.Config) { c.BaseURL = "open.feishu.cn" }, "FEISHU_BASE_URL"},
		{func(c *feishu.Config) { c.BaseURL = "https://user:" + appSecret + "@open.feishu.cn" }, "FEISHU_BASE_URL"},
		{func(c *feishu.Config) { c.BaseURL = "https://%zz" + appSecret }, "FEISHU_BASE_URL"},
	}
	for _, tt := range tests {
		c := good
		tt.change(&c)
		err := c.Validate()
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", c.BaseURL, err, tt.want)
		}
		if err != nil {
			noSecrets(t, err.Error())
		}
	}
}
