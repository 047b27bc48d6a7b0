package e2e_test

import (
	"context"
	"log/slog"
	"time"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// audit has the operator's tool look at what was written: it finds nothing, and counts the same pages.
func (s *site) audit(f *found) {
	s.t.Helper()
	registry, err := schemas.OpenRegistry(schemas.RegistryConfig{URL: s.registry})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	n := &worker.Connection{Topics: schemas.NewTopics(s.prefix, ""), Partitions: s.parts, Client: s.client, Registry: registry}
	began := time.Now()
	r, err := n.Audit(ctx, s.prefix+".messages-normalizer", slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	if !r.OK || r.Pages != int64(f.pages) || r.Messages != int64(f.messages) && r.Pending == 0 {
		s.t.Errorf("the audit counts %d pages and %d messages, want %d and %d, and finds %v: %s", r.Pages, r.Messages, f.pages, f.messages, r.Counts, dump(r.Findings[:min(len(r.Findings), 5)]))
	}
	s.t.Logf("audit of %d containers, %d pages, %d items, %d messages in %v", r.Containers, r.Pages, r.Items, r.Messages, time.Since(began).Round(time.Millisecond))
}
