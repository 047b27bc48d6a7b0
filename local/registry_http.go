package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A schema's text is at most this long.
const maxSchemaBody = 8 << 20

// registryServer answers the part of Confluent's API that clients, sinks and consoles use
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html). Deletion, schema references, contexts and
// import are refused.
type registryServer struct {
	*registry
	address string
	server  *http.Server
	done    chan error
}

func openRegistry(c Config, ln net.Listener) (*registryServer, error) {
	dir, err := subdirectory(c.Dir, "registry")
	if err != nil {
		return nil, err
	}
	r, err := loadRegistry(dir, c.Compatible)
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registry address: %w", err), r.journal.close())
	}
	s := &registryServer{registry: r, address: net.JoinHostPort(c.Host, port), done: make(chan error, 1)}
	s.server = &http.Server{
		Handler:           &browserGuard{hosts: []string{c.Host}, next: s.routes()},
		ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(c.Logger.With("library", "net/http").Handler(), slog.LevelWarn),
	}
	go func() { s.done <- s.server.Serve(ln) }()
	return s, nil
}

// close lets requests in hand finish, for a moment, and closes the journal.
func (s *registryServer) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close() // what did not end in time is cut off; the journal holds all that was answered
	}
	served := <-s.done
	if errors.Is(served, http.ErrServerClosed) {
		served = nil
	}
	s.mu.Lock() // an answer that is being written to the journal is finished first
	defer s.mu.Unlock()
	return errors.Join(served, s.journal.close())
}

type respond func(*http.Request) (any, error)

func (s *registryServer) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, answer := range map[string]respond{
		"GET /{$}":           func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /schemas":       s.getSchemas,
		"GET /schemas/types": func(*http.Request) (any, error) { return []string{"AVRO"}, nil },

		"GET /schemas/ids/{id}":          s.getByID,
		"GET /schemas/ids/{id}/schema":   s.getTextByID,
		"GET /schemas/ids/{id}/subjects": s.getSubjectsByID,
		"GET /schemas/ids/{id}/versions": s.getVersionsByID,

		"GET /subjects":                                     s.getSubjects,
		"POST /subjects/{subject}":                          s.postLookup,
		"GET /subjects/{subject}/versions":                  s.getVersions,
		"POST /subjects/{subject}/versions":                 s.postRegister,
		"GET /subjects/{subject}/versions/{v}":              s.getVersion,
		"GET /subjects/{subject}/versions/{v}/schema":       s.getVersionText,
		"GET /subjects/{subject}/versions/{v}/referencedby": s.getReferences,
		"POST /compatibility/subjects/{subject}/versions":   s.postCheck,

		"POST /compatibility/subjects/{subject}/versions/{v}": s.postCheck,

		"GET /config":              s.getLevel,
		"PUT /config":              s.putLevel,
		"DELETE /config":           s.deleteLevel,
		"GET /config/{subject}":    s.getLevel,
		"PUT /config/{subject}":    s.putLevel,
		"DELETE /config/{subject}": s.deleteLevel,
		"GET /mode":                getMode,
		"PUT /mode":                putMode,
		"GET /mode/{subject}":      getMode,
		"PUT /mode/{subject}":      putMode,

		"DELETE /subjects/{subject}":              keepSchemas,
		"DELETE /subjects/{subject}/versions/{v}": keepSchemas,
		"/": func(r *http.Request) (any, error) {
			return nil, refuse(404, 404, "HTTP 404 Not Found: %s %s", r.Method, r.URL.Path)
		},
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxSchemaBody)
			write(w, r, answer)
		})
	}
	return mux
}

// schemaRequest is the body of register, look-up and check.
type schemaRequest struct {
	Schema     string            `json:"schema"`
	SchemaType string            `json:"schemaType"`
	References []json.RawMessage `json:"references"`
	ID         int               `json:"id"`
	Version    int               `json:"version"`
}

func readSchema(r *http.Request) (string, error) {
	var q schemaRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return "", refuse(422, 42201, "Invalid schema: the body is not the JSON that was expected: %s", err)
	}
	switch {
	case q.SchemaType != "" && q.SchemaType != "AVRO":
		return "", refuse(422, 42201, "Invalid schema: schema type %s is not kept here, only AVRO", q.SchemaType)
	case len(q.References) > 0:
		return "", refuse(422, 42201, "Invalid schema: schema references are not kept here")
	case q.ID > 0 || q.Version > 0:
		return "", refuse(422, 42205, "Subject %s is not in import mode: ids and versions are given here", r.PathValue("subject"))
	}
	return q.Schema, nil
}

func (s *registryServer) postRegister(r *http.Request) (any, error) {
	text, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	id, err := s.register(r.PathValue("subject"), text)
	return map[string]int{"id": id}, err
}

func (s *registryServer) postLookup(r *http.Request) (any, error) {
	text, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	return s.lookup(r.PathValue("subject"), text)
}

func (s *registryServer) postCheck(r *http.Request) (any, error) {
	text, err := readSchema(r)
	if err != nil {
		return nil, err
	}
	version := 0
	if v := r.PathValue("v"); v != "" {
		if version, err = versionNumber(v); err != nil {
			return nil, err
		}
	}
	faults, err := s.check(r.PathValue("subject"), text, version)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"is_compatible": len(faults) == 0}
	if r.URL.Query().Get("verbose") == "true" {
		out["messages"] = append([]string{}, faults...)
	}
	return out, nil
}

func versionNumber(v string) (int, error) {
	if v == "latest" || v == "-1" {
		return latest, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		return 0, refuse(422, 42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", v)
	}
	return n, nil
}

func (s *registryServer) getVersion(r *http.Request) (any, error) {
	n, err := versionNumber(r.PathValue("v"))
	if err != nil {
		return nil, err
	}
	return s.version(r.PathValue("subject"), n)
}

func (s *registryServer) getVersionText(r *http.Request) (any, error) {
	v, err := s.getVersion(r)
	if err != nil {
		return nil, err
	}
	return json.RawMessage(v.(registered).Schema), nil
}

func (s *registryServer) getReferences(r *http.Request) (any, error) {
	_, err := s.getVersion(r)
	return []int{}, err
}

func (s *registryServer) getVersions(r *http.Request) (any, error) {
	n, err := s.versions(r.PathValue("subject"))
	list := make([]int, n)
	for i := range list {
		list[i] = i + 1
	}
	return list, err
}

func (s *registryServer) byID(r *http.Request) (int, string, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0, "", refuse(404, 40403, "Schema %s not found", r.PathValue("id"))
	}
	text, err := s.text(id)
	return id, text, err
}

func (s *registryServer) getByID(r *http.Request) (any, error) {
	_, text, err := s.byID(r)
	return map[string]string{"schema": text}, err
}

func (s *registryServer) getTextByID(r *http.Request) (any, error) {
	_, text, err := s.byID(r)
	return json.RawMessage(text), err
}

func (s *registryServer) getSubjectsByID(r *http.Request) (any, error) {
	id, _, err := s.byID(r)
	list := []string{}
	for _, v := range s.all() {
		if v.ID == id {
			list = append(list, v.Subject)
		}
	}
	return list, err
}

func (s *registryServer) getVersionsByID(r *http.Request) (any, error) {
	type place struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	}
	id, _, err := s.byID(r)
	list := []place{}
	for _, v := range s.all() {
		if v.ID == id {
			list = append(list, place{v.Subject, v.Version})
		}
	}
	return list, err
}

func (s *registryServer) getSubjects(r *http.Request) (any, error) {
	list := []string{}
	for _, v := range s.all() {
		if strings.HasPrefix(v.Subject, r.URL.Query().Get("subjectPrefix")) {
			list = append(list, v.Subject)
		}
	}
	return slices.Compact(list), nil
}

func (s *registryServer) getSchemas(r *http.Request) (any, error) {
	q := r.URL.Query()
	list := []registered{}
	for _, v := range s.all() {
		if !strings.HasPrefix(v.Subject, q.Get("subjectPrefix")) {
			continue
		}
		if n := len(list); q.Get("latestOnly") == "true" && n > 0 && list[n-1].Subject == v.Subject {
			list[n-1] = v
			continue
		}
		list = append(list, v)
	}
	return list, nil
}

func (s *registryServer) getLevel(r *http.Request) (any, error) {
	level, err := s.level(r.PathValue("subject"), r.URL.Query().Get("defaultToGlobal") == "true")
	return map[string]string{"compatibilityLevel": level}, err
}

func (s *registryServer) putLevel(r *http.Request) (any, error) {
	var q struct {
		Compatibility string `json:"compatibility"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Compatibility == "" {
		return nil, refuse(422, 42203, "Invalid compatibility level: the body names none")
	}
	return q, s.setLevel(r.PathValue("subject"), q.Compatibility)
}

func (s *registryServer) deleteLevel(r *http.Request) (any, error) {
	subject := r.PathValue("subject")
	level, err := s.level(subject, false)
	if err != nil {
		return nil, err
	}
	return map[string]string{"compatibility": level}, s.setLevel(subject, "")
}

func getMode(*http.Request) (any, error) { return map[string]string{"mode": "READWRITE"}, nil }

func putMode(r *http.Request) (any, error) {
	var q struct {
		Mode string `json:"mode"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Mode != "READWRITE" {
		return nil, refuse(422, 42204, "Invalid mode: this registry is always READWRITE")
	}
	return q, nil
}

func keepSchemas(*http.Request) (any, error) {
	return nil, refuse(405, 405, "HTTP 405 Method Not Allowed: schemas are never deleted here, records refer to them")
}
