package local

import (
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Time-outs and limits of the registry's HTTP server: one that is left open by a client that says nothing costs memory for
// as long as it stays. Idle is above what clients keep a connection for, so that they close it, not we.
const (
	headerTime     = 10 * time.Second
	readTime       = 30 * time.Second
	writeTime      = time.Minute
	idleTime       = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// browserGuard refuses what a page of the web that the operator's browser shows may send to this machine. The registry
// asks for no credentials, and what is registered is never deleted. Such a page may send requests of the simple kind
// (https://fetch.spec.whatwg.org/#cors-safelisted-request-header), whose content type is text, a form or none, and, once
// its name resolves to this machine (DNS rebinding), any request, which then has a foreign Host.
type browserGuard struct {
	hosts []string // that this server is called by, besides those of loopback
	next  http.Handler
}

func (g *browserGuard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if no := g.refuses(r); no != nil {
		write(w, r, func(*http.Request) (any, error) { return nil, no })
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *browserGuard) refuses(r *http.Request) *refusal {
	switch origin := r.Header.Get("Origin"); {
	case r.Host != "" && !g.ours(r.Host):
		return refuse(403, 40301, "Host %q is not this registry's: call it by %s", r.Host, strings.Join(g.names(), ", "))
	case origin != "" && !g.oursOrigin(origin):
		return refuse(403, 40301, "requests of pages from %q are refused: this registry has no credentials", origin)
	case r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return refuse(403, 40301, "requests of pages from another site are refused: this registry has no credentials")
	case (r.Method == http.MethodPost || r.Method == http.MethodPut) && !isJSON(r.Header.Get("Content-Type")):
		return refuse(415, 415, "HTTP 415 Unsupported Media Type: Content-Type must be application/vnd.schemaregistry.v1+json or application/json")
	}
	return nil
}

func (g *browserGuard) names() []string {
	return append([]string{"localhost", "127.0.0.1", "[::1]"}, g.hosts...)
}

// ours takes a host with or without a port.
func (g *browserGuard) ours(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	return slices.ContainsFunc(g.names(), func(own string) bool { return name == strings.ToLower(strings.Trim(own, "[]")) })
}

func (g *browserGuard) oursOrigin(origin string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && g.ours(u.Host) // "null" has no host
}

// isJSON takes the content types of Confluent's registry: its own, JSON of any kind, and octet-stream.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || kind == "application/octet-stream" ||
		strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// write answers in the registry's words.
func write(w http.ResponseWriter, r *http.Request, answer respond) {
	status := http.StatusOK
	body, err := answer(r)
	if err != nil {
		no := asRefusal(err)
		status = no.status
		body = map[string]any{"error_code": no.code, "message": no.message}
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	w.WriteHeader(status)
	if raw, ok := body.(json.RawMessage); ok {
		_, _ = w.Write(raw) // the client is gone
		return
	}
	_ = json.NewEncoder(w).Encode(body)
}
