package schemas_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chatlake/schemas"
)

// respond serves every request with one answer.
func respond(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s
}

// TestRegistryAnswersWithoutEnd: a registry, or what answers in its place, that sends without end costs a bounded amount,
// and its error fits into a line.
func TestRegistryAnswersWithoutEnd(t *testing.T) {
	const size = 512 << 20
	for _, c := range []struct {
		status   int
		noAnswer bool
	}{{500, true}, {404, true}, {200, false}} {
		server := respond(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			chunk := []byte(strings.Repeat("x", 1<<20))
			for range size >> 20 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		})
		r := open(t, schemas.RegistryConfig{URL: server.URL})
		var err error
		if got := allocated(func() { _, err = r.Text(t.Context(), 1) }); got > 64<<20 {
			t.Errorf("%d: %d MiB", c.status, got>>20)
		}
		if err == nil || errors.Is(err, schemas.ErrNoAnswer) != c.noAnswer || !strings.Contains(err.Error(), server.URL) {
			t.Errorf("%d: %.300v", c.status, err)
		}
		short(t, err)
	}
}

// TestRegistryErrorOfMegabytes: what a server sends with a refusal is cut before it is logged.
func TestRegistryErrorOfMegabytes(t *testing.T) {
	server := respond(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error_code":409,"message":"line one\nline two `+strings.Repeat("ü", 20_000)+`"}`)
	})
	_, err := open(t, schemas.RegistryConfig{URL: server.URL}).Register(t.Context(), "s", schemas.MessageSchema)
	if err == nil || !strings.Contains(err.Error(), "line one line two") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%.300v", err)
	}
	short(t, err)
}

// TestRegistryCredentialsStay: a redirect to another port of the host does not take the credentials along, and says where
// it leads. One on the same server does, and without credentials any redirect is followed.
func TestRegistryCredentialsStay(t *testing.T) {
	var got string
	other := respond(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		_, _ = io.WriteString(w, `{"schema":"\"string\""}`)
	})
	server := respond(t, func(w http.ResponseWriter, r *http.Request) {
		to := other.URL + "/elsewhere"
		if strings.HasPrefix(r.URL.Path, "/here/") {
			if r.URL.Path == "/here/at/last" {
				other.Config.Handler.ServeHTTP(w, r)
				return
			}
			to = "/here/at/last"
		}
		http.Redirect(w, r, to, http.StatusTemporaryRedirect)
	})
	mine := schemas.RegistryConfig{URL: server.URL, Username: "me", Password: "secret-word"}
	_, err := open(t, mine).Text(t.Context(), 1)
	if got != "" || err == nil || !errors.Is(err, schemas.ErrNoAnswer) || !strings.Contains(err.Error(), "redirects to "+other.URL) ||
		!strings.Contains(err.Error(), "SCHEMA_REGISTRY_URL") {
		t.Errorf("another server got %q: %v", got, err)
	}
	if text, err := open(t, schemas.RegistryConfig{URL: server.URL}).Text(t.Context(), 1); text != `"string"` || err != nil || got != "" {
		t.Errorf("without credentials: %q, %v, sent %q", text, err, got)
	}
	mine.URL += "/here"
	if text, err := open(t, mine).Text(t.Context(), 1); text != `"string"` || err != nil || got == "" {
		t.Errorf("on one server: %q, %v, sent %q", text, err, got)
	}
}

// TestWhoseFaultALookupIs: only the registry's own word about a schema is the fault of the record that names it.
func TestWhoseFaultALookupIs(t *testing.T) {
	for name, c := range map[string]struct {
		status   int
		answer   string
		noAnswer bool
	}{
		"unknown id":        {404, `{"error_code":40403,"message":"Schema 7 not found"}`, false},
		"a gateway's 404":   {404, `<html>no such page</html>`, true},
		"no path like that": {404, `{"error_code":404,"message":"HTTP 404 Not Found"}`, true},
		"a login page":      {200, `<html>sign in</html>`, true},
		"cut short":         {200, `{"schema":"\"str`, true},
		"busy":              {429, `{"error_code":429,"message":"Too many requests"}`, true},
		"starting":          {503, ``, true},
		"no rights":         {403, ``, true},
		"no schema of ours": {200, `{"schema":"\"string\""}`, false},
		"no schema at all":  {200, `{"schema":"{"}`, false},
	} {
		server := respond(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.answer)
		})
		d := schemas.NewDecoder(schemas.ContainerSchema, open(t, schemas.RegistryConfig{URL: server.URL}).Text)
		err := d.Decode(t.Context(), []byte{0, 0, 0, 0, 7, 0}, new(schemas.Container))
		if err == nil || errors.Is(err, schemas.ErrNoAnswer) != c.noAnswer {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut := respond(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000") // the connection ends before
		_, _ = io.WriteString(w, `{"schema":`)
	})
	if _, err := open(t, schemas.RegistryConfig{URL: cut.URL}).Text(t.Context(), 7); !errors.Is(err, schemas.ErrNoAnswer) {
		t.Errorf("a connection that broke: %v", err)
	}
}
