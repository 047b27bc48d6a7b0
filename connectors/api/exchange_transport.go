package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

// NewClient is a copy of given that follows no redirect and keeps no cookie; where given is nil, a client of our own
// that honours HTTPS_PROXY.
func NewClient(given *http.Client) *http.Client {
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

// TrustingTransport is NewTransport with the authorities in roots, see Trust; nil: the system's.
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

// Trust gives the system's authorities and beside them those in pem, one certificate or more; false where it holds none.
func Trust(pem []byte) (*x509.CertPool, bool) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // there is no system's: these alone
	}
	return pool, pool.AppendCertsFromPEM(pem)
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
