package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"chatlake/kafka"
	"chatlake/metrics"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/normalize"
)

// Normalizer is the second stage, wired.
type Normalizer struct {
	Connection *Connection
	Stage      *normalize.Normalizer
	index      *store.Index
	settings   NormalizerSettings
	once       bool
	ready      readiness
	logger     *slog.Logger
	seen       *observer
	state      string // the directory of the index
	space      space
	lag        lag
}

// NewNormalizer connects the stage to its cluster and registry and opens its index.
func NewNormalizer(ctx context.Context, s NormalizerSettings, once bool, logger *slog.Logger) (*Normalizer, error) {
	return newNormalizer(ctx, s, once, Replay{}, logger)
}

func newNormalizer(ctx context.Context, s NormalizerSettings, once bool, o Replay, logger *slog.Logger) (*Normalizer, error) {
	n, err := s.Connect(ctx, s.Output, logger)
	if err != nil {
		return nil, err
	}
	state := filepath.Join(s.StateDir, s.Group)
	index, err := store.Open(state, logger)
	if err != nil {
		_ = n.Client.Close() // the first error is the one that matters
		return nil, err
	}
	r := &Normalizer{
		Connection: n, index: index, settings: s, once: once, logger: logger, state: state, space: store.Space, lag: lag{n: n},
		Stage: normalize.New(normalize.Config{
			Topics: n.Topics, IDs: n.IDs, Texts: announced(n.Registry.Text, logger),
			Decoders: o.decoders(), Index: index, Lookups: s.asks(), CommitInterval: s.Interval, Once: once, Version: o.version(), Logger: logger,
			Without: o.Without,
		}),
	}
	r.seen = newObserver(stageNormalizer, n, &r.ready)
	r.seen.set.Sampled(r.sample)
	r.ready.of(n.Client, func() error { return writable(state) })
	r.ready.registry = r.seen.registry
	r.ready.look = func(ctx context.Context) { r.lag.look(ctx, r.Stage.Progress()) }
	return r, nil
}

// asks reports whether link targets are asked for: a side-by-side replay leaves that to the output it stands beside.
func (s *NormalizerSettings) asks() bool {
	return s.Lookups == "true" || s.Lookups == "" && s.Output == s.Prefix+".messages"
}

// Run normalizes until ctx ends or, once, until what was there at the start is done.
func (r *Normalizer) Run(ctx context.Context) error {
	n := r.Connection
	stop := beside(ctx, func(ctx context.Context) { summarize(ctx, summaryEvery, r.logger, r.progress()) })
	defer stop()
	return n.Client.Own(ctx, kafka.Ownership{
		Group: r.settings.Group, Topic: n.Topics.RawPages, Once: r.once,
		Writes: []string{n.Topics.Messages, n.Topics.DeadLetters, n.Topics.Containers},
		Joined: r.ready.set,
	}, func(ctx context.Context, p *kafka.Partition) error {
		leave := r.seen.enter(p.ID())
		defer leave()
		return r.Stage.Partition(ctx, owned{p, r.seen})
	})
}

// Close closes the index and the connections.
func (r *Normalizer) Close() error {
	err := r.index.Close()
	if cerr := r.Connection.Client.Close(); err == nil {
		err = cerr
	}
	return err
}

// normalizerProgram is the program normalizer.
type normalizerProgram struct{ NormalizerSettings }

// A normalizer keeps little and allocates much: at Go's GOGC of 100 it spent a quarter of its time collecting, at 400 a
// tenth. Above the soft limit, in bytes, it collects more often instead; caches of the index come on top of it.
const (
	gcPercent   = 400
	memoryLimit = 224 << 20
)

// TuneMemory lets the process collect garbage as a normalizer should, where GOGC and GOMEMLIMIT do not say.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

func (p *normalizerProgram) run(ctx context.Context, o options) (int, error) {
	TuneMemory()
	logger := p.NewLogger(o.stderr)
	r, err := NewNormalizer(ctx, p.NormalizerSettings, o.once, logger)
	if err != nil {
		return 1, err
	}
	defer func() {
		if err := r.Close(); err != nil {
			logger.Error("closing", "error", err)
		}
	}()
	stop, err := serve(p.HTTPAddr, metrics.Handler(Version, r.seen.set), &r.ready, logger)
	if err != nil {
		return 1, err
	}
	defer stop()
	logger.Info("normalizer runs", "version", Version, "group", p.Group, "output", p.Output, "partitions", r.Connection.Partitions, "once", o.once)
	began := time.Now()
	if err := r.Run(ctx); err != nil {
		return 1, err
	}
	if o.once && ctx.Err() == nil {
		s := r.Stage.Stats()
		fmt.Fprintf(o.stdout, "normalized %d pages into %d message versions and %d dead letters (%s)\n",
			s.Pages.Load(), s.Messages.Load(), s.DeadLetters.Load(), time.Since(began).Round(100*time.Millisecond))
	}
	return 0, nil
}
