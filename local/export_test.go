package local

import "net/http"

// BrowserGuard puts the registry's guard before a handler.
func BrowserGuard(host string, next http.Handler) http.Handler {
	return &browserGuard{hosts: []string{host}, next: next}
}

// RegistryHTTP is the registry's HTTP server.
func RegistryHTTP(s *Server) *http.Server { return s.registry.server }
