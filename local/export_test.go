package local

import "net/http"

// BrowserGuard puts the registry's guard before a handler.
func BrowserGuard(host string, next http.Handler) http.Handler {
	return &browserGuard{hosts: []string{host}, next: next}
}

// RegistryHTTP is the registry's HTTP server.
func RegistryHTTP(s *Server) *http.Server { return s.registry.server }

// WithFree has a configuration ask free, in place of the file system, how many bytes are free.
func WithFree(c Config, free func(dir string) (int64, error)) Config {
	c.free = free
	return c
}
