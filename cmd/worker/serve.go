package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Time-outs and limits of the server: a client that says nothing, or no end, is let go of. Who scrapes once in a while
// connects again.
const (
	headerTime     = 5 * time.Second
	readTime       = 10 * time.Second
	writeTime      = 30 * time.Second
	idleTime       = 15 * time.Second
	maxHeaderBytes = 16 << 10
)

// serve answers /metrics, /healthz (loops turn) and /readyz (see readiness) until stop is called. An empty address serves
// nothing.
func serve(addr string, scrapes http.Handler, ready *readiness, logger *slog.Logger) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("HTTP_ADDR %s cannot be listened on (choose another, or set it empty): %w", addr, err)
	}
	s := newServer(scrapes, ready, logger)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { ready.watch(ctx) })
	all.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics and health are no longer served", "address", addr, "error", err)
		}
	})
	return func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx) // a scrape that hangs is cut by the end of the process
		all.Wait()
	}, nil
}

func newServer(scrapes http.Handler, ready *readiness, logger *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", scrapes)
	mux.HandleFunc("GET /healthz", answer(ready.healthy))
	mux.HandleFunc("GET /readyz", answer(ready.ready))
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(logger.With(library, "net/http").Handler(), slog.LevelWarn),
	}
}

// answer says ok, or 503 with what is wrong.
func answer(lack func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := lack(); err != nil {
			http.Error(w, OneLine(err), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
