package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// TestYunxinThrottledPausesTheAPI has one call be refused for the quota: no other call of that API goes out meanwhile,
// those of the other one do.
func TestYunxinThrottledPausesTheAPI(t *testing.T) {
	asked := make(chan string, 10)
	code := `{"code":416,"msg":"too frequent","data":{}}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := `{"code":200,"msg":"success","data":{}}`
		if r.URL.Path == "/list" {
			body = code
		}
		_, _ = w.Write([]byte(body)) // a client that is gone has ended its test
		asked <- r.URL.Path
	}))
	defer s.Close()
	y := worker.Yunxin{AppKey: "key", AppSecret: "secret", BaseURL: s.URL, APIVersion: "v2"}
	pacer := api.NewPacer(map[string]connectors.Quota{schemas.YunxinMessagesList: {PerSecond: 50}, schemas.YunxinMessagesBatch: {PerSecond: 50}})
	call := y.Call(pacer, slog.New(slog.DiscardHandler))
	list := connectors.Request{API: schemas.YunxinMessagesList, Method: http.MethodGet, Path: "/list"}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { _, err := call(ctx, list); ended <- err }()
	<-asked
	until := time.Time{}
	for late := time.After(10 * time.Second); until.IsZero(); {
		select {
		case <-late:
			t.Fatal("the API is not paused")
		default:
		}
		for _, b := range pacer.Snapshot() {
			if b.API == schemas.YunxinMessagesList {
				until = b.PausedUntil
			} else if !b.PausedUntil.IsZero() {
				t.Fatal("the other API is paused too")
			}
		}
	}
	if rest := time.Until(until); rest < 50*time.Second {
		t.Errorf("paused for %s, not a minute", rest)
	}
	go func() { _, err := call(ctx, list); ended <- err }()
	batch := connectors.Request{API: schemas.YunxinMessagesBatch, Method: http.MethodPost, Path: "/batch", Body: []byte("{}")}
	if _, err := call(ctx, batch); err != nil {
		t.Errorf("the other API: %v", err)
	}
	if path := <-asked; path != "/batch" {
		t.Errorf("asked for %s while its API rests", path)
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	}
}
