package yunxin_test

import (
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/conformance"
	"chatlake/connectors/yunxin"
)

func serveFine(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, fineBody) }

func TestNetworkInTheWay(t *testing.T) {
	conformance.Network{
		Call: func(base string, client *http.Client, roots *x509.CertPool) connectors.Call {
			return yunxin.NewCall(yunxin.Config{AppKey: appKey, AppSecret: appSecret, BaseURL: base, Client: client, RootCAs: roots})
		},
		Request: listRequest, Serve: serveFine, Setting: "YUNXIN_BASE_URL", Secrets: []string{appSecret, "CheckSum"},
	}.Run(t)
}

func TestFetchTrustsAnAuthority(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(serveFine))
	defer server.Close()
	cfg := yunxin.Config{AppKey: appKey, AppSecret: appSecret, FileHosts: []string{server.URL}}
	_, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(server.URL+"/a?token=signed-with"))
	if e := connectors.ErrorOf(err); e == nil || e.Class != connectors.ClassUnavailable || e.Code != "certificate" || !strings.Contains(e.Message, "PLATFORM_TLS_CA_FILE") {
		t.Errorf("without its authority: %v", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(server.Certificate())
	if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(server.URL+"/a")); err != nil {
		t.Errorf("with it: %v", err)
	}
}
