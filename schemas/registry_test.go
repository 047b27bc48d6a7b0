package schemas_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"chatlake/schemas"
)

func open(t *testing.T, c schemas.RegistryConfig) *schemas.Registry {
	t.Helper()
	r, err := schemas.OpenRegistry(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// calls notes the requests that go to a handler.
type calls struct {
	mu   sync.Mutex
	list []string
}

func (c *calls) around(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.list = append(c.list, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		h.ServeHTTP(w, r)
	})
}

func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.list
	c.list = nil
	return list
}

// TestRegistry runs against a registry under a path, as Apicurio's is.
func TestRegistry(t *testing.T) {
	var seen calls
	fake := srfake.NewRegistry()
	server := httptest.NewServer(http.StripPrefix("/apis/ccompat/v7", seen.around(fake.Handler())))
	defer server.Close()
	r := open(t, schemas.RegistryConfig{URL: server.URL + "/apis/ccompat/v7"})
	topics := schemas.NewTopics("im", "").Schemas()

	_, err := r.IDs(t.Context(), topics)
	if !errors.Is(err, schemas.ErrNotRegistered) || !strings.Contains(err.Error(), "run 'chatlake topics create'") ||
		!strings.Contains(err.Error(), server.URL) || !strings.Contains(err.Error(), "-value") {
		t.Errorf("nothing is registered: %v", err)
	}
	want := map[string]int{}
	for topic, s := range topics {
		seen.take()
		id, err := r.Register(t.Context(), schemas.Subject(topic), s)
		if err != nil {
			t.Fatal(err)
		}
		want[topic] = id
		subject := schemas.Subject(topic)
		if got := seen.take(); !reflect.DeepEqual(got, []string{"PUT /config/" + subject, "POST /subjects/" + subject + "/versions"}) {
			t.Errorf("to register %s took %v", subject, got)
		}
		if again, err := r.Register(t.Context(), subject, s); err != nil || again != id {
			t.Errorf("%s again has id %d, %v, not %d", subject, again, err, id)
		}
		if text, err := r.Text(t.Context(), id); err != nil || text != s.Text {
			t.Errorf("text of id %d: %v", id, err)
		}
	}
	got, err := r.IDs(t.Context(), topics)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ids are %v, %v, not %v", got, err, want)
	}
	if _, err := r.ID(t.Context(), "im.messages-value", schemas.CheckpointSchema); !errors.Is(err, schemas.ErrNotRegistered) {
		t.Errorf("another schema under the subject: %v", err)
	}
	if _, err := r.Text(t.Context(), 999); err == nil || !strings.Contains(err.Error(), "fetch schema 999: status 404") {
		t.Errorf("an id that is not there: %v", err)
	}
	levels, err := sr.NewClient(sr.URLs(server.URL + "/apis/ccompat/v7"))
	if err != nil {
		t.Fatal(err)
	}
	if l := levels.Compatibility(t.Context(), "im.messages-value")[0]; l.Err != nil || l.Level != sr.CompatFullTransitive {
		t.Errorf("compatibility is %v, %v", l.Level, l.Err)
	}

	// What the registry gives is what a decoder reads with.
	value, err := schemas.MessageSchema.Append(nil, want["im.messages"], fullMessage())
	if err != nil {
		t.Fatal(err)
	}
	var m schemas.Message
	if err := schemas.NewDecoder(schemas.MessageSchema, r.Text).Decode(t.Context(), value, &m); err != nil || !reflect.DeepEqual(any(&m), settled(fullMessage())) {
		t.Errorf("read with the registry's text: %+v, %v", m, err)
	}
}

func TestRegistryRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		answer string
		want   []string
	}{
		{409, `{"error_code":409,"message":"Schema being registered is incompatible"}`, []string{"status 409", "incompatible", "register schema message as im.messages-value"}},
		{422, `{"error_code":42201,"message":"Invalid schema"}`, []string{"status 422", "Invalid schema"}},
		{401, `{"error_code":401,"message":"Unauthorized"}`, []string{"status 401", "SCHEMA_REGISTRY_USERNAME", "SCHEMA_REGISTRY_PASSWORD"}},
		{403, ``, []string{"status 403", "SCHEMA_REGISTRY_USERNAME"}},
		{500, `<html>`, []string{"status 500"}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				_, _ = io.WriteString(w, `{"compatibility":"FULL_TRANSITIVE"}`)
				return
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.answer)
		}))
		r := open(t, schemas.RegistryConfig{URL: server.URL, Username: "me", Password: "secret-word"})
		_, registerErr := r.Register(t.Context(), "im.messages-value", schemas.MessageSchema)
		_, idErr := r.ID(t.Context(), "im.messages-value", schemas.MessageSchema)
		for _, want := range append(c.want, server.URL) {
			if registerErr == nil || !strings.Contains(registerErr.Error(), want) {
				t.Errorf("%d: to register gives %v, without %q", c.status, registerErr, want)
			}
		}
		var re *sr.ResponseError
		for _, err := range []error{registerErr, idErr} {
			if !errors.As(err, &re) || re.StatusCode != c.status || errors.Is(err, schemas.ErrNotRegistered) || strings.Contains(err.Error(), "secret-word") {
				t.Errorf("%d: %v", c.status, err)
			}
		}
		server.Close()
	}
}

func TestRegistryCredentials(t *testing.T) {
	fake := srfake.New(srfake.WithAuth("Basic bWU6c2VjcmV0LXdvcmQ=")) // me:secret-word
	defer fake.Close()
	good := open(t, schemas.RegistryConfig{URL: fake.URL(), Username: "me", Password: "secret-word"})
	if _, err := good.Register(t.Context(), "s", schemas.MessageSchema); err != nil {
		t.Error(err)
	}
	bad := open(t, schemas.RegistryConfig{URL: fake.URL(), Username: "me", Password: "other-word"})
	_, err := bad.Register(t.Context(), "s", schemas.MessageSchema)
	if err == nil || !strings.Contains(err.Error(), "check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD") || strings.Contains(err.Error(), "other-word") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestRegistryUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r := open(t, schemas.RegistryConfig{URL: url})
	_, registerErr := r.Register(t.Context(), "s", schemas.MessageSchema)
	_, idErr := r.ID(t.Context(), "s", schemas.MessageSchema)
	_, textErr := r.Text(t.Context(), 1)
	for _, err := range []error{registerErr, idErr, textErr} {
		if err == nil || !strings.Contains(err.Error(), url+" cannot be reached: check SCHEMA_REGISTRY_URL") || errors.Is(err, schemas.ErrNotRegistered) {
			t.Errorf("%v", err)
		}
	}
}
