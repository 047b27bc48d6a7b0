package feishu_test

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
	"chatlake/connectors/feishu"
)

// What stands between us and the platform is named, with what to do about it, and waited for.
func TestNetworkInTheWay(t *testing.T) {
	https := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == tokenURI {
			io.WriteString(w, `{"code":0,"tenant_access_token":"t-token-1","expire":7200}`)
			return
		}
		io.WriteString(w, `{"code":0,"data":{}}`)
	}))
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
		cfg  feishu.Config
		code string
		says []string
	}{
		{feishu.Config{BaseURL: https.URL}, "certificate", []string{"x509: ", "PLATFORM_TLS_CA_FILE"}},
		{feishu.Config{BaseURL: "https://open.feishu.test", Client: &http.Client{Transport: proxy}}, "proxy", []string{"407", "HTTPS_PROXY"}},
		{feishu.Config{BaseURL: portal.URL}, "redirect", []string{`"login.example"`, "FEISHU_BASE_URL", "portal"}},
	} {
		tt.cfg.AppID, tt.cfg.AppSecret = appID, appSecret
		_, err := feishu.NewCall(tt.cfg)(t.Context(), listRequest)
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
	cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: https.URL, RootCAs: roots}
	if _, err := feishu.NewCall(cfg)(t.Context(), listRequest); err != nil {
		t.Errorf("with the server's authority: %v", err)
	}
	if err := feishu.Authenticate(t.Context(), cfg); err != nil {
		t.Errorf("with the server's authority: %v", err)
	}
}
