package feishu_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/connectors/feishu"
)

func serveFine(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == tokenURI {
		io.WriteString(w, `{"code":0,"tenant_access_token":"t-token-1","expire":7200}`)
		return
	}
	io.WriteString(w, `{"code":0,"data":{}}`)
}

func TestNetworkInTheWay(t *testing.T) {
	conformance.Network{
		Call: func(base string, client *http.Client, roots *x509.CertPool) connectors.Call {
			return feishu.NewCall(feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: base, Client: client, RootCAs: roots})
		},
		Request: listRequest, Serve: serveFine, Setting: "FEISHU_BASE_URL", Secrets: []string{appSecret, "t-token"},
	}.Run(t)
}

func TestAuthenticateTrustsAnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(serveFine))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: server.URL, RootCAs: roots}
	if err := feishu.Authenticate(t.Context(), cfg); err != nil {
		t.Error(err)
	}
}
