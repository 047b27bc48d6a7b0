package yunxin

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"chatlake/connectors/api"
)

// DefaultFileHosts are the hosts that the platform's SDKs load files from: object storage, its short links, and storage
// abroad (https://doc.yunxin.163.com/Overseas/guide/DE5NzI2MTA, and the vendor's lists of domains for mini programs).
var DefaultFileHosts = []string{"*.netease.im", "nim.nosdn.127.net", "nos.netease.com", "*.chatnos.com"}

var (
	errHost    = errors.New("the address is none of https on a host that YUNXIN_FILE_HOSTS lists")
	errPrivate = errors.New("the host leads to an address that is not a public one")
)

// hosts is the allow-list of hosts for merged files.
type hosts struct {
	names   map[string]bool // files.example
	domains []string        // .files.example, for *.files.example
	origins map[string]bool // http://127.0.0.1:9000
}

func newHosts(list []string) (*hosts, error) {
	h := &hosts{names: map[string]bool{}, origins: map[string]bool{}}
	if len(list) == 0 {
		list = DefaultFileHosts
	}
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		switch {
		case strings.Contains(entry, "://"):
			u, err := url.Parse(entry)
			if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" ||
				u.RawQuery != "" || u.Fragment != "" {
				return nil, errHosts
			}
			h.origins[originOf(u)] = true
		case strings.HasPrefix(entry, "*.") && isName(entry[2:]):
			h.domains = append(h.domains, entry[1:])
		case isName(entry):
			h.names[entry] = true
		default:
			return nil, errHosts
		}
	}
	return h, nil
}

var errHosts = errors.New("YUNXIN_FILE_HOSTS holds what is no host name, *.domain or origin like https://files.example:8443")

func isName(s string) bool {
	if s == "" || strings.Trim(s, ".") != s {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	}) < 0
}

// originOf is scheme, host and port, in one spelling.
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Scheme) + "://" + net.JoinHostPort(hostOf(u), port)
}

func hostOf(u *url.URL) string { return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".") }

// allow reports whether an address may be asked; origin says that it is of an origin that is listed as such, to which no
// other rule applies.
func (h *hosts) allow(u *url.URL) (origin, ok bool) {
	if u.Host == "" || u.User != nil || u.Opaque != "" {
		return false, false
	}
	if h.origins[originOf(u)] {
		return true, true
	}
	if !strings.EqualFold(u.Scheme, "https") {
		return false, false
	}
	name := hostOf(u)
	if h.names[name] {
		return false, true
	}
	for _, d := range h.domains {
		if strings.HasSuffix(name, d) && len(name) > len(d) {
			return false, true
		}
	}
	return false, false
}

// reserved are ranges that lead to no public host though netip takes them for unicast, or that hide another address
// (https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry).
var reserved = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		all[i] = netip.MustParsePrefix(s)
	}
	return all
}

// public reports whether an address is one that a host of the internet may have.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// guard refuses to connect to an address that is not public. It sees the address that a name led to, so that no name can
// lead elsewhere between the look and the connection.
func guard(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return errPrivate
	}
	return nil
}

// roads are the two ways to a file: guarded, and plain for what the operator named: origins, and the proxy of the environment,
// which itself decides where a name leads.
type roads struct {
	proxy          func(*http.Request) (*url.URL, error)
	guarded, plain *http.Client
}

func newRoads(base *http.Transport, roots *x509.CertPool) roads {
	if base == nil {
		base = api.TrustingTransport(roots)
	}
	plain, guarded := base.Clone(), base.Clone()
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: guard}
	guarded.Proxy = nil
	guarded.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	}
	guarded.DialTLSContext = nil
	return roads{
		proxy: base.Proxy, guarded: api.NewClient(&http.Client{Transport: guarded}),
		plain: api.NewClient(&http.Client{Transport: plain}),
	}
}

// to picks the client for a request.
func (r *roads) to(req *http.Request, origin bool) (*http.Client, error) {
	if origin {
		return r.plain, nil
	}
	if r.proxy == nil {
		return r.guarded, nil
	}
	via, err := r.proxy(req)
	if err != nil || via == nil {
		return r.guarded, err
	}
	if a, err := netip.ParseAddr(req.URL.Hostname()); err == nil && !public(a) {
		return nil, errPrivate
	}
	return r.plain, nil
}
