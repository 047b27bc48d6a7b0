package local_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"chatlake/local"
)

// asked sends one request to the registry and gives status and body.
func asked(t *testing.T, method, url, body string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	for k, v := range headers {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(b)
}

const jsonType = "application/vnd.schemaregistry.v1+json"

// TestRegistryRefusesForeignPages: what a page of the web may send through the operator's browser neither registers nor
// shows anything, and says why.
func TestRegistryRefusesForeignPages(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir()})
	for name, tt := range map[string]struct {
		headers map[string]string
		status  int
	}{
		"all at once":         {map[string]string{"Host": "evil.example", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}, 403},
		"rebound name":        {map[string]string{"Host": "evil.example", "Content-Type": jsonType}, 403},
		"rebound with port":   {map[string]string{"Host": "evil.example:8081", "Content-Type": jsonType}, 403},
		"likeness":            {map[string]string{"Host": "localhost.evil.example", "Content-Type": jsonType}, 403},
		"foreign origin":      {map[string]string{"Origin": "https://evil.example", "Content-Type": jsonType}, 403},
		"opaque origin":       {map[string]string{"Origin": "null", "Content-Type": jsonType}, 403},
		"cross-site":          {map[string]string{"Sec-Fetch-Site": "cross-site", "Content-Type": jsonType}, 403},
		"text":                {map[string]string{"Content-Type": "text/plain"}, 415},
		"form":                {map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 415},
		"multipart":           {map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 415},
		"none":                {map[string]string{}, 415},
		"text that says json": {map[string]string{"Content-Type": "text/plain; application/json"}, 415},
	} {
		for _, call := range []struct{ method, path, body string }{
			{"POST", "/subjects/im.messages-value/versions", `{"schema":"\"string\""}`},
			{"PUT", "/config", `{"compatibility":"NONE"}`},
		} {
			status, body := asked(t, call.method, s.RegistryURL()+call.path, call.body, tt.headers)
			var no struct {
				Code    int    `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(body), &no); status != tt.status || err != nil || no.Code == 0 || no.Message == "" {
				t.Errorf("%s: %s %s: %d %s", name, call.method, call.path, status, body)
			}
		}
		if tt.status == 403 {
			if status, _ := asked(t, "GET", s.RegistryURL()+"/subjects", "", tt.headers); status != 403 {
				t.Errorf("%s: reads with %d", name, status)
			}
		}
	}
	if list, err := registryClient(t, s).Subjects(deadline(t)); err != nil || len(list) != 0 {
		t.Errorf("registered nevertheless: %v, %v", list, err)
	}
	if l := registryClient(t, s).Compatibility(deadline(t))[0]; l.Level != sr.CompatFullTransitive {
		t.Errorf("the level became %v", l.Level)
	}
}

// TestRegistryServesClients: every client that is one goes on: by any name of this machine, with every content type of
// Confluent's registry, and a browser whose address line names it.
func TestRegistryServesClients(t *testing.T) {
	s := start(t, local.Config{Dir: t.TempDir(), Host: "localhost"})
	_, port, _ := strings.Cut(strings.TrimPrefix(s.RegistryURL(), "http://"), ":")
	for name, headers := range map[string]map[string]string{
		"franz-go, Java": {"Content-Type": jsonType},
		"curl":           {"Content-Type": "application/json"},
		"charset":        {"Content-Type": "application/json; charset=utf-8"},
		"older":          {"Content-Type": "application/vnd.schemaregistry+json"},
		"generic":        {"Content-Type": "application/octet-stream"},
		"capitals":       {"Content-Type": "Application/JSON", "Host": "LOCALHOST:" + port},
		"address":        {"Content-Type": jsonType, "Host": "127.0.0.1:" + port},
		"address of v6":  {"Content-Type": jsonType, "Host": "[::1]:" + port},
		"another port":   {"Content-Type": jsonType, "Host": "localhost:18081"}, // forwarded
		"without a port": {"Content-Type": jsonType, "Host": "localhost"},
		"own page":       {"Content-Type": jsonType, "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
		"address line":   {"Content-Type": jsonType, "Sec-Fetch-Site": "none"},
	} {
		if status, body := asked(t, "POST", s.RegistryURL()+"/subjects/a/versions", `{"schema":"\"string\""}`, headers); status != 200 {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if status, body := asked(t, "GET", s.RegistryURL()+"/subjects", "", headers); status != 200 || body != "[\"a\"]\n" {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// TestRegistryIsCalledByItsHost: the host that it was told to listen on is its own.
func TestRegistryIsCalledByItsHost(t *testing.T) {
	h := local.BrowserGuard("chat.example", http.NotFoundHandler())
	for host, want := range map[string]int{"chat.example:8081": 404, "Chat.Example.": 404, "localhost": 404, "other.example": 403} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/subjects", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, not %d", host, w.Code, want)
		}
	}
}

// TestRegistryServerIsBounded: a client that stops in the middle, or says nothing, is let go of.
func TestRegistryServerIsBounded(t *testing.T) {
	h := local.RegistryHTTP(start(t, local.Config{Dir: t.TempDir()}))
	for name, limit := range map[string]time.Duration{
		"header": h.ReadHeaderTimeout, "read": h.ReadTimeout, "write": h.WriteTimeout, "idle": h.IdleTimeout,
	} {
		if limit <= 0 || limit > 5*time.Minute {
			t.Errorf("%s time-out is %s", name, limit)
		}
	}
	if h.MaxHeaderBytes <= 0 || h.MaxHeaderBytes > 1<<20 {
		t.Errorf("headers may have %d bytes", h.MaxHeaderBytes)
	}
}
