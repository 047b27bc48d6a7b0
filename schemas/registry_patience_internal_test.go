package schemas

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// handled lets a handler answer without a network, so that time can be made up.
type handled struct{ http.Handler }

func (h handled) RoundTrip(q *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w.Result(), nil
}

// moody puts faults before a registry: each call of fault says how a request ends, nil where the registry answers it.
type moody struct {
	registry http.RoundTripper
	fault    func(n int) (*http.Response, error)
	n        int
}

func (m *moody) RoundTrip(q *http.Request) (*http.Response, error) {
	m.n++
	if resp, err := m.fault(m.n); resp != nil || err != nil {
		return resp, err
	}
	return m.registry.RoundTrip(q)
}

func answer(status int, header, value, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{header: {value}}, Body: io.NopCloser(strings.NewReader(body))}
}

// TestRegistryIsAskedAgain is case c20 and its kin, for every call that a start makes.
func TestRegistryIsAskedAgain(t *testing.T) {
	busy := func(n int) (*http.Response, error) { // every other request
		if n%2 == 1 {
			return answer(429, "Retry-After", "1", `{"error_code":429,"message":"Too many requests"}`), nil
		}
		return nil, nil
	}
	for name, c := range map[string]struct {
		fault   func(n int) (*http.Response, error)
		atLeast time.Duration // for four calls
	}{
		"busy": {busy, 4 * time.Second},
		"starting": {func(n int) (*http.Response, error) {
			if n < 6 {
				return answer(503, "X", "", "<html>"), nil
			}
			return nil, nil
		}, time.Second},
		"refused": {func(n int) (*http.Response, error) {
			if n < 6 {
				return nil, syscall.ECONNREFUSED
			}
			return nil, nil
		}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := srfake.NewRegistry()
				var said int
				r, err := openRegistry(RegistryConfig{
					URL: "http://schemas.test", Patience: 30 * time.Second, Waiting: func(error) { said++ },
				}, &moody{registry: handled{fake.Handler()}, fault: c.fault})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				id, err := r.Register(t.Context(), "im.messages-value", MessageSchema)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := r.ID(t.Context(), "im.messages-value", MessageSchema); err != nil || got != id {
					t.Errorf("id %d, not %d: %v", got, id, err)
				}
				if text, err := r.Patient(t.Context(), id); err != nil || text != MessageSchema.Text {
					t.Errorf("text: %v", err)
				}
				if took := time.Since(began); took < c.atLeast || took > 30*time.Second {
					t.Errorf("took %s", took)
				}
				if said != 1 {
					t.Errorf("said %d times that it waits", said)
				}
			})
		})
	}
}

// TestRegistryPatienceEnds: who never answers, or asks for more than there is time for, ends the call with what and remedy.
func TestRegistryPatienceEnds(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(int) (*http.Response, error)
		most  time.Duration
		want  []string
	}{
		"refused": {func(int) (*http.Response, error) { return nil, syscall.ECONNREFUSED }, 30 * time.Second, []string{"connection refused", "SCHEMA_REGISTRY_URL"}},
		"busy":    {func(int) (*http.Response, error) { return answer(429, "Retry-After", "1", "slow down"), nil }, 30 * time.Second, []string{"status 429", "slow down"}},
		"away":    {func(int) (*http.Response, error) { return answer(503, "Retry-After", "3600", "back at noon"), nil }, 0, []string{"status 503", "back at noon"}},
		"no rights": {func(int) (*http.Response, error) { return answer(401, "X", "", ""), nil }, 0,
			[]string{"status 401", "SCHEMA_REGISTRY_PASSWORD"}},
		"a login page": {func(int) (*http.Response, error) { return answer(200, "X", "", "<html>"), nil }, 0, []string{"no registry's", "SCHEMA_REGISTRY_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := openRegistry(RegistryConfig{URL: "http://schemas.test", Patience: 30 * time.Second}, &moody{fault: c.fault})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				_, err = r.ID(t.Context(), "s", MessageSchema)
				took := time.Since(began)
				if err == nil || took > c.most || c.most > 0 && took < c.most-5*time.Second {
					t.Errorf("after %s: %v", took, err)
				}
				for _, want := range append(c.want, "http://schemas.test") {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%v, without %q", err, want)
					}
				}
			})
		})
	}
}

// TestRegistryPatienceObeysItsContext: a deadline shortens the patience, with the registry's error rather than
// the context's, and the end of the context ends it.
func TestRegistryPatienceObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &moody{fault: func(int) (*http.Response, error) { return nil, syscall.ECONNREFUSED }}
		r, err := openRegistry(RegistryConfig{URL: "http://schemas.test", Patience: time.Hour}, refused)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := r.ID(ctx, "s", MessageSchema); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(began) > 10*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, stop)
		began = time.Now()
		if _, err := r.ID(ctx, "s", MessageSchema); !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, context.Canceled) || time.Since(began) != 5*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-3": 0, "soon": 0, "99999999999999": 0,
		now.Add(7 * time.Second).Format(http.TimeFormat): 7 * time.Second, now.Add(-time.Hour).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %s, not %s", value, got, want)
		}
	}
}
