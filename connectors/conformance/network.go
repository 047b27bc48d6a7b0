package conformance

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
)

// Network is how a platform's API is called over a network.
type Network struct {
	// Call gives calls of the API at an address, by client or, where that is nil, by one that trusts roots (nil: the system's).
	Call    func(base string, client *http.Client, roots *x509.CertPool) connectors.Call
	Request connectors.Request // any call
	Serve   http.HandlerFunc   // answers it well, and what the call needs beside it
	Setting string             // what the address is set by
	Secrets []string           // must not be seen in an error
}

// Run checks that what stands between us and the platform is named, with what to do about it, and waited for.
func (n Network) Run(t *testing.T) {
	secure := httptest.NewTLSServer(n.Serve)
	defer secure.Close()
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		http.Redirect(w, r, "https://login.example/portal?from=secret", http.StatusFound)
	}))
	defer portal.Close()
	address, err := url.Parse(portal.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := api.NewTransport()
	proxy.Proxy = http.ProxyURL(address)
	for _, c := range []struct {
		base   string
		client *http.Client
		code   string
		says   []string
	}{
		{secure.URL, nil, connectors.CodeCertificate, []string{"x509: ", "PLATFORM_TLS_CA_FILE"}},
		{"https://platform.test", &http.Client{Transport: proxy}, connectors.CodeProxy, []string{"407", "HTTPS_PROXY"}},
		{portal.URL, nil, connectors.CodeRedirect, []string{`"login.example"`, n.Setting, "portal"}},
	} {
		_, err := n.Call(c.base, c.client, nil)(t.Context(), n.Request)
		e := connectors.ErrorOf(err)
		if e == nil || e.Class != connectors.ClassUnavailable || e.Code != c.code {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		for _, word := range c.says {
			if !strings.Contains(e.Message, word) {
				t.Errorf("%s: message %q does not say %q", c.code, e.Message, word)
			}
		}
		for _, secret := range append(n.Secrets, "from=") {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v shows %q", c.code, err, secret)
			}
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	if _, err := n.Call(secure.URL, nil, roots)(t.Context(), n.Request); err != nil {
		t.Errorf("with the server's authority: %v", err)
	}
}
