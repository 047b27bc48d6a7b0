package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"chatlake/connectors/api"
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
func serve(addr string, cs []prometheus.Collector, ready *readiness, logger *slog.Logger) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("HTTP_ADDR %s cannot be listened on (choose another, or set it empty): %w", addr, err)
	}
	s := newServer(cs, ready)
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { ready.watch(ctx) })
	all.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics and health are no longer served", "addr", addr, "error", err)
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

func newServer(cs []prometheus.Collector, ready *readiness) *http.Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(cs, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))...)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", answer(ready.healthy))
	mux.HandleFunc("GET /readyz", answer(ready.ready))
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeaderBytes,
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

func counter(name, help string, v *atomic.Int64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
}

func gauge(name, help string, v *atomic.Int64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(v.Load()) })
}

func (e *Extractor) collectors() []prometheus.Collector {
	s := e.Stage.Stats()
	cs := []prometheus.Collector{
		counter("chatlake_extractor_pages_total", "List, batch and look-up pages committed.", &s.Pages),
		counter("chatlake_extractor_items_total", "Messages shown by committed pages, repeats counted.", &s.Items),
		counter("chatlake_extractor_calls_total", "API calls that committed pages took, retries counted.", &s.Calls),
		counter("chatlake_extractor_transactions_total", "Kafka transactions committed.", &s.Transactions),
		counter("chatlake_extractor_dead_letters_total", "Dead letters committed.", &s.DeadLetters),
		counter("chatlake_extractor_containers_complete_total", "Containers read to their end.", &s.Complete),
		counter("chatlake_extractor_containers_failed_total", "Containers that failed.", &s.Failed),
		gauge("chatlake_extractor_containers_running", "Containers being read now.", &s.Running),
		gauge("chatlake_extractor_containers_queued", "Containers ready to be read.", &s.Queued),
		gauge("chatlake_extractor_containers_waiting", "Containers whose platform gives nothing at present.", &s.Waiting),
	}
	for _, b := range e.Pacer.Snapshot() {
		cs = append(cs, e.budget(b.API)...)
	}
	return cs
}

// budget tells how the quota of one API stands.
func (e *Extractor) budget(name string) []prometheus.Collector {
	labels := prometheus.Labels{"api": name}
	now := func(of func(api.Budget) float64) func() float64 {
		return func() float64 {
			for _, b := range e.Pacer.Snapshot() {
				if b.API == name {
					return of(b)
				}
			}
			return 0
		}
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chatlake_extractor_calls_last_minute", Help: "API calls let through in the last minute.", ConstLabels: labels,
		}, now(func(b api.Budget) float64 { return float64(b.Recent) })),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "chatlake_extractor_quota_part", Help: "Part of the app's quota that this process paces at, 0 to 1.", ConstLabels: labels,
		}, now(func(b api.Budget) float64 { return b.Part })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "chatlake_extractor_throttled_total", Help: "Calls that the platform throttled.", ConstLabels: labels,
		}, now(func(b api.Budget) float64 { return float64(b.Throttled) })),
	}
}

func (r *Normalizer) collectors() []prometheus.Collector {
	s := r.Stage.Stats()
	return []prometheus.Collector{
		counter("chatlake_normalizer_pages_total", "Raw pages normalized.", &s.Pages),
		counter("chatlake_normalizer_messages_total", "Message versions published.", &s.Messages),
		counter("chatlake_normalizer_dead_letters_total", "Dead letters published.", &s.DeadLetters),
		counter("chatlake_normalizer_transactions_total", "Kafka transactions committed.", &s.Transactions),
		counter("chatlake_normalizer_raw_bytes_total", "Bytes of raw pages normalized.", &s.RawBytes),
		counter("chatlake_normalizer_lookups_total", "Link targets asked for that no page had shown.", &s.Asked),
		counter("chatlake_normalizer_rebuilt_pages_total", "Raw pages read again to build the index.", &s.Rebuilt),
	}
}
