package schemas

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// RegistryConfig says where the schema registry is. URL may have a path, such as …/apis/ccompat/v7.
type RegistryConfig struct {
	URL, Username, Password string
	TLS                     *tls.Config // nil: the system's roots
	// Patience is how long Register, ID, IDs and Patient ask again a registry that is starting, busy (429, 5xx; Retry-After
	// is obeyed) or not reachable. 0: never.
	Patience time.Duration
	// Waiting, if set, is called with the reason before the first of these waits.
	Waiting func(error)
}

// Registry is a Confluent-compatible schema registry
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
type Registry struct {
	client *sr.Client
	url    string
	wait   patience
}

// OpenRegistry makes a client; it does not call the registry yet.
func OpenRegistry(c RegistryConfig) (*Registry, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	return openRegistry(c, transport)
}

func openRegistry(c RegistryConfig, transport http.RoundTripper) (*Registry, error) {
	opts := []sr.ClientOpt{sr.URLs(c.URL), sr.UserAgent("chatlake"), sr.HTTPClient(newHTTPClient(c, transport))}
	if c.Username != "" {
		opts = append(opts, sr.BasicAuth(c.Username, c.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("schema registry %s: %w", c.URL, err)
	}
	wait := patience{most: c.Patience}
	if c.Waiting != nil {
		var once sync.Once
		wait.waiting = func(err error) { once.Do(func() { c.Waiting(err) }) }
	}
	return &Registry{client: client, url: c.URL, wait: wait}, nil
}

// ErrNotRegistered says that the registry does not hold a schema under a subject.
var ErrNotRegistered = errors.New("schema is not registered")

// Register puts a subject under FULL_TRANSITIVE compatibility and registers s there, or finds it there. It returns the
// schema's id.
func (r *Registry) Register(ctx context.Context, subject string, s *Schema) (id int, err error) {
	err = r.wait.call(ctx, func(ctx context.Context) error {
		for _, res := range r.client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
			if res.Err != nil {
				return r.fail(fmt.Sprintf("set compatibility of %s", subject), res.Err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	// The id that registration returns is the one that counts: the latest version may be another writer's.
	err = r.wait.call(ctx, func(ctx context.Context) (err error) {
		if id, err = r.client.RegisterSchema(ctx, subject, sr.Schema{Schema: s.Text, Type: sr.TypeAvro}, -1, -1); err != nil {
			return r.fail(fmt.Sprintf("register schema %s as %s", s.Name, subject), err)
		}
		return nil
	})
	return id, err
}

// ID finds the id of s under a subject. An ErrNotRegistered names the remedy.
func (r *Registry) ID(ctx context.Context, subject string, s *Schema) (id int, err error) {
	err = r.wait.call(ctx, func(ctx context.Context) error {
		found, err := r.client.LookupSchema(ctx, subject, sr.Schema{Schema: s.Text, Type: sr.TypeAvro})
		if err == nil {
			id = found.ID
			return nil
		}
		if re := refusedBy(err); re != nil && re.StatusCode == http.StatusNotFound && known(re) {
			return fmt.Errorf("%w: %s under subject %s of %s: run 'chatlake topics create'", ErrNotRegistered, s.Name, subject, r.url)
		}
		return r.fail("look up subject "+subject, err)
	})
	return id, err
}

// Compatibility is the level that Register puts a subject under.
const Compatibility = "FULL_TRANSITIVE"

// Level gives the compatibility level of a subject, the registry's own where the subject has none.
func (r *Registry) Level(ctx context.Context, subject string) (level string, err error) {
	err = r.wait.call(ctx, func(ctx context.Context) error {
		for _, res := range r.client.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), subject) {
			if res.Err != nil {
				return r.fail("look up compatibility of "+subject, res.Err)
			}
			level = res.Level.String()
		}
		return nil
	})
	return level, err
}

// IDs finds the ids of the schemas of topics, by topic.
func (r *Registry) IDs(ctx context.Context, topics map[string]*Schema) (map[string]int, error) {
	ids := make(map[string]int, len(topics))
	for topic, s := range topics {
		id, err := r.ID(ctx, Subject(topic), s)
		if err != nil {
			return nil, err
		}
		ids[topic] = id
	}
	return ids, nil
}

// Text gives the text of the schema that has an id. It is a Lookup that asks once: an ErrNoAnswer says that asking again
// may help.
func (r *Registry) Text(ctx context.Context, id int) (string, error) {
	s, err := r.client.SchemaByID(ctx, id)
	if err == nil {
		return s.Schema, nil
	}
	failed := r.fail(fmt.Sprintf("fetch schema %d", id), err)
	if re := refusedBy(err); errors.Is(err, errLongAnswer) || re != nil && known(re) {
		return "", failed
	}
	return "", fmt.Errorf("%w: %w", ErrNoAnswer, failed)
}

// Patient is Text with the registry's patience, for who cannot ask again.
func (r *Registry) Patient(ctx context.Context, id int) (text string, err error) {
	err = r.wait.call(ctx, func(ctx context.Context) (err error) {
		text, err = r.Text(ctx, id)
		return err
	})
	return text, err
}

// refusedBy gives the refusal that an error is, nil where it is none.
func refusedBy(err error) *sr.ResponseError {
	var re *sr.ResponseError
	if !errors.As(err, &re) {
		return nil
	}
	return re
}

// known reports whether a refusal is a registry's word about a schema or subject: 404 and 422 with a code of its own. A
// gateway's 404, or that of a server without a registry under this path, has none.
func known(re *sr.ResponseError) bool {
	return (re.StatusCode == http.StatusNotFound || re.StatusCode == http.StatusUnprocessableEntity) && re.ErrorCode/100 == re.StatusCode
}

// untrusted reports whether the server's certificate is not taken.
func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var record tls.RecordHeaderError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &record)
}

// unreadable reports whether an answer is no registry's: a page of a proxy, say, under a status of 200.
func unreadable(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

// fail says what was asked of which registry, and what to look at.
func (r *Registry) fail(what string, err error) error {
	re, said := refusedBy(err), brief{err}
	var redirect *redirectError
	switch {
	case re != nil && (re.StatusCode == http.StatusUnauthorized || re.StatusCode == http.StatusForbidden):
		return fmt.Errorf("schema registry %s: %s: refused with status %d: check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD: %w",
			r.url, what, re.StatusCode, said)
	case re != nil && re.StatusCode == http.StatusNotFound && !known(re):
		return fmt.Errorf("schema registry %s: %s: status 404 that is no registry's: check the path of SCHEMA_REGISTRY_URL: %w", r.url, what, said)
	case re != nil && passing(err):
		return fmt.Errorf("schema registry %s: %s: status %d: the registry is busy or starting, try again later: %w", r.url, what, re.StatusCode, said)
	case re != nil:
		return fmt.Errorf("schema registry %s: %s: status %d: %w", r.url, what, re.StatusCode, said)
	case errors.As(err, &redirect):
		return fmt.Errorf("schema registry %s: %s: %w", r.url, what, said)
	case errors.Is(err, errLongAnswer), unreadable(err):
		return fmt.Errorf("schema registry %s: %s: the answer is no registry's: check SCHEMA_REGISTRY_URL: %w", r.url, what, said)
	case untrusted(err):
		return fmt.Errorf("schema registry %s: %s: its certificate is not trusted: check SCHEMA_REGISTRY_TLS_CA_FILE: %w", r.url, what, said)
	}
	return fmt.Errorf("schema registry %s cannot be reached: check SCHEMA_REGISTRY_URL, and that it runs: %s: %w", r.url, what, said)
}
