package yunxin_test

import (
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
)

// What stands between us and the platform is named, with what to do about it, and waited for.
func TestNetworkInTheWay(t *testing.T) {
	https := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, fineBody) }))
	defer https.Close()
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		http.Redirect(w, r, "https://login.example/portal?from=secret", http.StatusFound)
	}))
	defer portal.Close()
	proxy := api.NewTransport()
	address, err := url.Parse(portal.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Proxy = http.ProxyURL(address)
	for _, tt := range []struct {
		cfg  yunxin.Config
		code string
		says []string
	}{
		{yunxin.Config{BaseURL: https.URL}, "certificate", []string{"x509: ", "PLATFORM_TLS_CA_FILE"}},
		{yunxin.Config{BaseURL: "https://yunxin.test", Client: &http.Client{Transport: proxy}}, "proxy", []string{"407", "HTTPS_PROXY"}},
		{yunxin.Config{BaseURL: portal.URL}, "redirect", []string{`"login.example"`, "YUNXIN_BASE_URL", "portal"}},
	} {
		tt.cfg.AppKey, tt.cfg.AppSecret = appKey, appSecret
		_, err := yunxin.NewCall(tt.cfg)(t.Context(), listRequest)
		var e *connectors.Error
		if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != tt.code {
			t.Errorf("%s: %v", tt.code, err)
			continue
		}
		for _, word := range tt.says {
			if !strings.Contains(e.Message, word) {
				t.Errorf("%s: message %q does not say %q", tt.code, e.Message, word)
			}
		}
		if noSecrets(t, err.Error()); strings.Contains(err.Error(), "from=") {
			t.Errorf("%v shows where a redirect leads", err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(https.Certificate())
	cfg := yunxin.Config{AppKey: appKey, AppSecret: appSecret, BaseURL: https.URL, FileHosts: []string{https.URL}}
	var e *connectors.Error
	if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(https.URL+"/a?token=signed-with")); !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Code != "certificate" || !strings.Contains(e.Message, "PLATFORM_TLS_CA_FILE") {
		t.Errorf("a file: %v", err)
	}
	cfg.RootCAs = roots
	if _, err := yunxin.NewCall(cfg)(t.Context(), listRequest); err != nil {
		t.Errorf("with the server's authority: %v", err)
	}
	if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(https.URL+"/a")); err != nil {
		t.Errorf("a file, with the server's authority: %v", err)
	}
}
