package schemas

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// RegistryConfig says where the schema registry is. URL may have a path, such as …/apis/ccompat/v7.
type RegistryConfig struct {
	URL, Username, Password string
	TLS                     *tls.Config // nil: the system's roots
}

// Registry is a Confluent-compatible schema registry
// (https://docs.confluent.io/platform/current/schema-registry/develop/api.html).
type Registry struct {
	client *sr.Client
	url    string
}

// OpenRegistry makes a client; it does not call the registry yet.
func OpenRegistry(c RegistryConfig) (*Registry, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS
	opts := []sr.ClientOpt{
		sr.URLs(c.URL), sr.UserAgent("chatlake"),
		sr.HTTPClient(&http.Client{Timeout: 15 * time.Second, Transport: transport}),
	}
	if c.Username != "" {
		opts = append(opts, sr.BasicAuth(c.Username, c.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("schema registry %s: %w", c.URL, err)
	}
	return &Registry{client: client, url: c.URL}, nil
}

// ErrNotRegistered says that the registry does not hold a schema under a subject.
var ErrNotRegistered = errors.New("schema is not registered")

// Register puts a subject under FULL_TRANSITIVE compatibility and registers s there, or finds it there. It returns the
// schema's id.
func (r *Registry) Register(ctx context.Context, subject string, s *Schema) (int, error) {
	for _, res := range r.client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
		if res.Err != nil {
			return 0, r.fail(fmt.Sprintf("set compatibility of %s", subject), res.Err)
		}
	}
	// The id that registration returns is the one that counts: the latest version may be another writer's.
	id, err := r.client.RegisterSchema(ctx, subject, sr.Schema{Schema: s.Text, Type: sr.TypeAvro}, -1, -1)
	if err != nil {
		return 0, r.fail(fmt.Sprintf("register schema %s as %s", s.Name, subject), err)
	}
	return id, nil
}

// ID finds the id of s under a subject. An ErrNotRegistered names the remedy.
func (r *Registry) ID(ctx context.Context, subject string, s *Schema) (int, error) {
	found, err := r.client.LookupSchema(ctx, subject, sr.Schema{Schema: s.Text, Type: sr.TypeAvro})
	var re *sr.ResponseError
	switch {
	case err == nil:
		return found.ID, nil
	case errors.As(err, &re) && re.StatusCode == http.StatusNotFound:
		return 0, fmt.Errorf("%w: %s under subject %s of %s: run 'chatlake topics create'", ErrNotRegistered, s.Name, subject, r.url)
	default:
		return 0, r.fail("look up subject "+subject, err)
	}
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

// Text gives the text of the schema that has an id. It is a Lookup.
func (r *Registry) Text(ctx context.Context, id int) (string, error) {
	s, err := r.client.SchemaByID(ctx, id)
	if err != nil {
		return "", r.fail(fmt.Sprintf("fetch schema %d", id), err)
	}
	return s.Schema, nil
}

func (r *Registry) fail(what string, err error) error {
	var re *sr.ResponseError
	if errors.As(err, &re) {
		if re.StatusCode == http.StatusUnauthorized || re.StatusCode == http.StatusForbidden {
			return fmt.Errorf("schema registry %s: %s: refused with status %d: check SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD: %w",
				r.url, what, re.StatusCode, err)
		}
		return fmt.Errorf("schema registry %s: %s: status %d: %w", r.url, what, re.StatusCode, err)
	}
	return fmt.Errorf("schema registry %s cannot be reached: check SCHEMA_REGISTRY_URL: %s: %w", r.url, what, err)
}
