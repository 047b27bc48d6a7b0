package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"chatlake/connectors"
	"chatlake/connectors/decode"
)

// maxWords is the most of a cause's words that goes into a message, in bytes.
const maxWords = 300

// Fault names what broke the exchange, where Err is not nil, and what to do about it.
func (a *Reply) Fault() (code, means string) {
	var timeout net.Error
	var op *net.OpError
	var refused *proxyRefusal
	switch {
	case errors.Is(a.Err, ErrNoRoom):
		return connectors.CodeNoRoom, "other pages held all room for bodies"
	case errors.As(a.Err, &refused):
		return connectors.CodeProxy, refused.Error()
	case untrusted(a.Err):
		return connectors.CodeCertificate, "the certificate is not trusted: " + words(a.Err) +
			"; where a proxy opens TLS, name its authority in PLATFORM_TLS_CA_FILE"
	case errors.Is(a.Err, context.DeadlineExceeded) || (errors.As(a.Err, &timeout) && timeout.Timeout()):
		return connectors.CodeTimeout, "no whole answer in time"
	case a.Status != 0 && errors.Is(a.Err, io.ErrUnexpectedEOF):
		return connectors.CodeUnreadable, "the body is cut short"
	case errors.As(a.Err, &op) && op.Op == "proxyconnect":
		return connectors.CodeProxy, "the proxy cannot be reached: " + words(op.Err) + "; check HTTPS_PROXY"
	case errors.As(a.Err, &op) && op.Op == "dial":
		return connectors.CodeUnreachable, "no connection"
	default:
		return connectors.CodeReset, "the connection broke"
	}
}

// untrusted reports whether an error is about the server's certificate.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

func words(err error) string {
	s := strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "?")
	return decode.Shorten(s, maxWords)
}

// Strange names an answer that came whole and is not the API's, and what to do about it; setting is the one that holds the
// API's address.
func (a *Reply) Strange(setting string) (code, means string) {
	switch {
	case a.Status >= 300 && a.Status < 400:
		return connectors.CodeRedirect, "the answer is a redirect" + a.target() + ", which is not followed; check " + setting +
			", and whether this network wants a login first (a captive portal, or a proxy in HTTPS_PROXY)"
	case a.Status == http.StatusProxyAuthRequired:
		return connectors.CodeProxy, (&proxyRefusal{status: a.Status}).Error()
	}
	code, means = connectors.CodeUnreadable, fmt.Sprintf("HTTP status %d with a body of %d bytes that is not the API's JSON", a.Status, len(a.Body))
	switch {
	case a.Status >= http.StatusInternalServerError:
		code = "http_" + strconv.Itoa(a.Status)
	case a.TooLarge:
		means = fmt.Sprintf("HTTP status %d with a body of more than %d bytes that is not the API's JSON", a.Status, MaxBody)
		fallthrough
	default:
		means += "; something may answer in the platform's place: check " + setting + ", HTTPS_PROXY and the network"
	}
	return code, means
}

// target tells the host that a redirect leads to, and nothing else of its address.
func (a *Reply) target() string {
	location := a.Header.Get("Location")
	u, err := url.Parse(location)
	switch {
	case location == "" || err != nil:
		return ""
	case u.Host == "":
		return " within the same host"
	}
	return " to " + strconv.Quote(decode.Shorten(strings.ToValidUTF8(u.Host, "?"), maxWords))
}

// proxyRefusal is the error of a proxy that does not connect us.
type proxyRefusal struct {
	proxy  string // host and port
	status int
}

func (e *proxyRefusal) Error() string {
	s := "the proxy"
	if e.proxy != "" {
		s += " at " + e.proxy
	}
	s += fmt.Sprintf(" answers HTTP status %d %s", e.status, http.StatusText(e.status))
	if e.status == http.StatusProxyAuthRequired {
		return s + "; put its credentials, or the right ones, into HTTPS_PROXY: http://user:password@host:port"
	}
	return s + "; check HTTPS_PROXY, NO_PROXY and what the proxy lets through"
}
