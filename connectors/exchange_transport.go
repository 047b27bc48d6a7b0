package connectors

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"
)

// APIClient is a copy of given that follows no redirect and keeps no cookie; where given is nil, a client of our own
// that honours HTTPS_PROXY.
func APIClient(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	}
	if c.Transport == nil && given == nil {
		c.Transport = NewTransport()
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}

// NewTransport gives a transport that honours HTTPS_PROXY, trusts the system's authorities, and keeps many connections to one
// host.
func NewTransport() *http.Transport { return TrustingTransport(nil) }

// TrustingTransport is NewTransport with the authorities in roots, see TrustFile; nil: the system's.
func TrustingTransport(roots *x509.CertPool) *http.Transport {
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: checkConnect,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    128, // one host is nearly all there is; the default of 2 would reconnect for nearly each call
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
	if roots != nil {
		t.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return t
}

// checkConnect keeps the status of a proxy that does not connect us: net/http tells its words only.
func checkConnect(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyRefusal{proxy: proxy.Host, status: answer.StatusCode}
}

// TrustFile gives the system's authorities and beside them those in a file of PEM certificates. Errors name the file and what
// to do.
func TrustFile(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("authorities cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there is no system's: the file's alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM (-----BEGIN CERTIFICATE-----)", path)
	}
	return pool, nil
}

// PlainHTTP reports whether an API's address sends credentials and messages in the clear over a network: http to a host that
// is not this machine.
func PlainHTTP(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}
