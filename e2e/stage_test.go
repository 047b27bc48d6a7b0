package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
	"chatlake/simulator"
)

// stage is the extracting stage over a log in memory, with a platform's source and the simulated API: no process, no network
// and, in a bubble, no time but the test's.
type stage struct {
	t        testing.TB
	world    *simulator.World  // of Feishu
	api      *simulator.Feishu // nil where the platform is another
	log      *memlog.Log
	platform string
	tenant   string
	restart  func(*simulator.Feishu)     // what becomes of the platform between two processes; may be nil
	source   func() connectors.Source    // a new one, that remembers nothing
	answers  func() []simulator.Exchange // with requests as pages tell them
	letters  bool                        // dead letters are to be expected
	large    string                      // id of a message that is too large for any page
}

var (
	stageTopics = schemas.NewTopics("im", "")
	stageIDs    = map[string]int{stageTopics.Containers: 1, stageTopics.Checkpoints: 2, stageTopics.Messages: 3, stageTopics.DeadLetters: 4}
)

func schemaText(_ context.Context, id int) (string, error) {
	for topic, n := range stageIDs {
		if n == id {
			return stageTopics.Schemas()[topic].Text, nil
		}
	}
	return "", fmt.Errorf("no schema has the id %d", id)
}

func newStage(t testing.TB, w *simulator.World, c simulator.FeishuConfig, f memlog.Faults) *stage {
	tenant, _, _ := w.App()
	c.Record = true
	s := &stage{t: t, world: w, api: simulator.NewFeishu(w, c), log: memlog.New(1, f), platform: schemas.Feishu, tenant: tenant}
	s.source, s.answers = s.feishu, s.api.Exchanges
	return s
}

func (s *stage) feishu() connectors.Source {
	id, secret, _ := s.world.App()
	call := feishu.NewCall(feishu.Config{
		AppID: id, AppSecret: secret, BaseURL: "http://feishu.test", Client: &http.Client{Transport: wire{s.api}},
	})
	return feishu.NewSource(api.Retry(call, api.Policy{}), s.tenant)
}

// add asks for containers as the operator's tool does.
func (s *stage) add(cs ...schemas.Container) {
	s.t.Helper()
	for i := range cs {
		value, err := schemas.ContainerSchema.Append(nil, stageIDs[stageTopics.Containers], &cs[i])
		if err != nil {
			s.t.Fatal(err)
		}
		s.log.Append(schemas.Record{Topic: stageTopics.Containers, Key: cs[i].Key, Value: value})
	}
}

func (s *stage) container(kind, id, conversation string) schemas.Container {
	c := schemas.Container{
		Key: string(schemas.NewContainerKey(schemas.Feishu, s.tenant, kind, id)), Platform: schemas.Feishu, TenantID: s.tenant,
		Kind: kind, ID: id, ConversationID: conversation, Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: 1,
	}
	if kind == schemas.KindMessage {
		c.Key, c.Cause = string(schemas.MessageContainerKey(c.Platform, c.TenantID, conversation, id)), schemas.CauseLookup
	}
	return c
}

// longest is more than any container may take, in the time of a test: one that never ends is a failure, not a test that hangs.
const longest = 30 * 24 * time.Hour

// process runs a new extractor, with a source of its own that remembers nothing, until all containers have ended.
func (s *stage) process() error {
	ctx, cancel := context.WithTimeoutCause(s.t.Context(), longest, fmt.Errorf("no end after %v", longest))
	defer cancel()
	return extract.New(extract.Config{
		Topics: stageTopics, IDs: stageIDs,
		Container: schemas.NewDecoder(schemas.ContainerSchema, schemaText), Check: schemas.NewDecoder(schemas.CheckpointSchema, schemaText),
		Platforms: map[string]extract.Platform{s.platform: {Source: s.source(), TenantID: s.tenant, AppID: s.tenant}},
		Workers:   8, Patience: 15 * time.Minute, Once: true, Version: "chatlake/test", Logger: slog.New(slog.DiscardHandler),
	}).Partition(ctx, s.log.Own(stageTopics.Containers, 0))
}

// toTheEnd runs process after process, as many as the log's faults make it, and tells how many that were.
func (s *stage) toTheEnd() int {
	s.t.Helper()
	for n := 1; n < 100; n++ {
		err := s.process()
		if err == nil {
			return n
		}
		if !errors.Is(err, memlog.ErrFault) {
			s.t.Fatalf("process %d: %v", n, err)
		}
		if s.restart != nil {
			s.restart(s.api)
		}
	}
	s.t.Fatal("a hundred processes were not enough")
	return 0
}

// wire is a connection to an API without a network.
type wire struct{ api http.Handler }

// RoundTrip gives what a connection would: an answer that the API breaks off ends early, one that it never began is a
// reset.
func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(20 * time.Millisecond)
	rec := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	whole := w.serve(rec, in)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	length, err := strconv.ParseInt(rec.Header().Get("Content-Length"), 10, 64)
	if err != nil {
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	resp := rec.Result()
	resp.ContentLength = length
	if !whole {
		resp.Body = io.NopCloser(io.MultiReader(resp.Body, brokenOff{}))
	}
	return resp, nil
}

func (w wire) serve(rec *httptest.ResponseRecorder, r *http.Request) (whole bool) {
	defer func() {
		if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // the value that net/http compares with
			panic(v)
		}
	}()
	w.api.ServeHTTP(rec, r)
	return true
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
