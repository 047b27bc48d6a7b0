package api_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatlake/connectors/api"
)

// quiet is a TLS server that does not log what clients think of it.
func quiet(t *testing.T) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func exchange(t *testing.T, transport http.RoundTripper, address string) *api.Reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return api.Exchange(api.NewClient(&http.Client{Transport: transport}), req)
}

func TestCertificateThatIsNotTrusted(t *testing.T) {
	s := quiet(t)
	code, means := exchange(t, api.NewTransport(), s.URL).Fault()
	if code != "certificate" || !strings.Contains(means, "x509: ") || !strings.Contains(means, "PLATFORM_TLS_CA_FILE") {
		t.Errorf("%s: %s", code, means)
	}
	roots, some := api.Trust(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	if !some {
		t.Fatal("the certificate is not taken")
	}
	transport := api.TrustingTransport(roots)
	defer transport.CloseIdleConnections()
	if a := exchange(t, transport, s.URL); a.Err != nil || a.Status != 200 {
		t.Errorf("with its authority: %v", a.Err)
	}
	// The name has to fit all the same.
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	if code, means := exchange(t, transport, "https://localhost:"+u.Port()).Fault(); code != "certificate" || !strings.Contains(means, "localhost") {
		t.Errorf("another name: %s: %s", code, means)
	}
}

func TestTrustWithoutCertificate(t *testing.T) {
	if _, some := api.Trust([]byte("-----BEGIN PRIVATE KEY-----\nsecret\n")); some {
		t.Error("a key was taken for a certificate")
	}
}

func TestProxyThatRefuses(t *testing.T) {
	for status, word := range map[int]string{407: "HTTPS_PROXY: http://user:password@host:port", 403: "check HTTPS_PROXY", 502: "check HTTPS_PROXY"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("me", "proxy-secret")
		transport := api.NewTransport()
		transport.Proxy = http.ProxyURL(u)
		code, means := exchange(t, transport, "https://feishu.test").Fault()
		if code != "proxy" || !strings.Contains(means, word) || !strings.Contains(means, http.StatusText(status)) || !strings.Contains(means, u.Host) || strings.Contains(means, "secret") {
			t.Errorf("%d: %s: %s", status, code, means)
		}
		s.Close()
		if code, means := exchange(t, transport, "https://feishu.test").Fault(); code != "proxy" || !strings.Contains(means, "HTTPS_PROXY") || strings.Contains(means, "secret") {
			t.Errorf("a proxy that is gone: %s: %s", code, means)
		}
	}
	// To plain http a proxy answers by itself.
	if code, means := (&api.Reply{Status: 407}).Strange("X_BASE_URL"); code != "proxy" || !strings.Contains(means, "HTTPS_PROXY") {
		t.Errorf("%s: %s", code, means)
	}
}

func TestStrangeAnswers(t *testing.T) {
	for _, tt := range []struct {
		status         int
		location, body string
		code           string
		words          []string
	}{
		{302, "https://user:pass@sso.example:8443/login?ticket=secret#secret", "<html>", "redirect", []string{`"sso.example:8443"`, "X_BASE_URL", "captive portal"}},
		{307, "/elsewhere?secret", "", "redirect", []string{"same host", "X_BASE_URL"}},
		{301, "", "", "redirect", []string{"X_BASE_URL"}},
		{302, "http://[::1", "", "redirect", []string{"X_BASE_URL"}},
		{200, "", "<html>log in</html>", "unreadable", []string{"19 bytes", "X_BASE_URL", "HTTPS_PROXY"}},
		{404, "", "<html>", "unreadable", []string{"404", "X_BASE_URL"}},
		{502, "", "<html>", "http_502", []string{"502"}},
	} {
		a := &api.Reply{Status: tt.status, Header: http.Header{"Location": {tt.location}}, Body: []byte(tt.body)}
		code, means := a.Strange("X_BASE_URL")
		if code != tt.code || strings.Contains(means, "secret") || strings.Contains(means, "pass@") {
			t.Errorf("%d %s: %s: %s", tt.status, tt.location, code, means)
		}
		for _, w := range tt.words {
			if !strings.Contains(means, w) {
				t.Errorf("%d %s: %s does not say %q", tt.status, tt.location, means, w)
			}
		}
	}
}

func TestPlainHTTP(t *testing.T) {
	for base, plain := range map[string]bool{
		"": false, "https://open.feishu.cn": false, "http://open.feishu.cn": true, "HTTP://10.0.0.1:80/x": true, "http://localhost:8080": false,
		"http://127.0.0.1:9": false, "http://[::1]:9": false, "http://[fe80::1]": true, "http://localhost.example": true, "::": false,
	} {
		if got := api.PlainHTTP(base); got != plain {
			t.Errorf("%q: %t", base, got)
		}
	}
}
