package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/kafka"
	"chatlake/metrics"
	"chatlake/pipeline/extract"
	"chatlake/schemas"
)

// Extractor is the first stage, wired.
type Extractor struct {
	Connection *Connection
	Pacer      *api.Pacer
	Stage      *extract.Extractor
	settings   ExtractorSettings
	once       bool
	ready      readiness
	logger     *slog.Logger
	seen       *observer
	began      time.Time
	platforms  map[string]extract.Platform // that are on
	quotas     map[string]connectors.Quota
}

// NewExtractor connects the stage to its cluster, registry and platforms.
func NewExtractor(ctx context.Context, s ExtractorSettings, once bool, logger *slog.Logger) (*Extractor, error) {
	n, err := s.Connect(ctx, "", logger)
	if err != nil {
		return nil, err
	}
	n.warnOtherGroups(ctx, s.Group, logger)
	if err := s.Feishu.authenticate(ctx, logger); err != nil {
		_ = n.Client.Close() // the first error is the one that matters
		return nil, err
	}
	quotas := s.quotas()
	pacer := api.NewPacer(quotas)
	pacer.SetShare(0, n.Partitions) // nothing is asked before partitions are owned
	lookup := announced(n.Registry.Text, logger)
	e := &Extractor{Connection: n, Pacer: pacer, settings: s, once: once, logger: logger, began: time.Now(), quotas: quotas}
	e.seen = newObserver(stageExtractor, n, &e.ready)
	e.seen.pages, e.seen.bytes = e.seen.set.Count("chatlake_extracted_pages_total"), e.seen.set.Count("chatlake_extracted_bytes_total")
	e.platforms = s.platforms(pacer, newMeter(e.seen.set, quotas), logger)
	e.Stage = extract.New(extract.Config{
		Topics: n.Topics, IDs: n.IDs,
		Container: schemas.NewDecoder(schemas.ContainerSchema, lookup),
		Check:     schemas.NewDecoder(schemas.CheckpointSchema, lookup),
		Platforms: e.platforms,
		Workers:   int(s.Workers), Patience: s.Patience, Once: once, Version: "chatlake/" + Version, Logger: logger,
	})
	e.seen.set.Sampled(e.sample)
	e.ready.of(n.Client, nil)
	e.ready.registry = e.seen.registry
	return e, nil
}

// Run extracts until ctx ends or, once, until all containers have ended.
func (e *Extractor) Run(ctx context.Context) error {
	n := e.Connection
	stop := beside(ctx, func(ctx context.Context) {
		summarize(ctx, summaryEvery, e.logger, e.progress())
	}, func(ctx context.Context) {
		if e.platforms[schemas.Yunxin].Health != nil {
			e.settings.Yunxin.authenticate(ctx, e.Pacer, e.platforms[schemas.Yunxin].Health, e.logger)
		}
	})
	defer stop()
	return n.Client.Own(ctx, kafka.Ownership{
		Group: e.settings.Group, Topic: n.Topics.Containers, Once: e.once,
		Writes: []string{n.Topics.RawPages, n.Topics.Checkpoints, n.Topics.Containers, n.Topics.DeadLetters},
		Assigned: func(owned []int32, total int) {
			e.Pacer.SetShare(len(owned), total)
			e.Stage.Assigned()
		},
		Joined: e.ready.set,
		Tell:   newTeller(e.Pacer).tell,
	}, func(ctx context.Context, p *kafka.Partition) error {
		leave := e.seen.enter(p.ID())
		defer leave()
		return e.Stage.Partition(ctx, owned{p, e.seen})
	})
}

// Close closes the connections.
func (e *Extractor) Close() error { return e.Connection.Client.Close() }

// extractorProgram is the program extractor.
type extractorProgram struct{ ExtractorSettings }

func (p *extractorProgram) run(ctx context.Context, o options) (int, error) {
	logger := p.NewLogger(o.stderr)
	e, err := NewExtractor(ctx, p.ExtractorSettings, o.once, logger)
	if err != nil {
		return 1, err
	}
	defer func() { _ = e.Close() }() // all that it wrote is committed
	stop, err := serve(p.HTTPAddr, metrics.Handler(Version, e.seen.set), &e.ready, logger)
	if err != nil {
		return 1, err
	}
	defer stop()
	logger.Info("extractor runs", "version", Version, "group", p.Group, "partitions", e.Connection.Partitions, "once", o.once)
	began := time.Now()
	if err := e.Run(ctx); err != nil {
		return 1, err
	}
	if !o.once || ctx.Err() != nil {
		return 0, nil
	}
	return e.report(o, time.Since(began)), nil
}

// report prints what Once came to, and gives the exit code.
func (e *Extractor) report(o options, took time.Duration) int {
	sum := e.Stage.Summary()
	for _, f := range sum.Failures {
		fmt.Fprintf(o.stdout, "failed    %s: code %s: %s\n", f.Container, f.Code, f.Message)
	}
	fmt.Fprintf(o.stdout, "extracted %d containers: %d complete, %d failed, %d cancelled; %d pages, %d messages, %d calls in all; %d pages in this run (%s)\n",
		sum.Containers, sum.Complete, sum.Failed, sum.Cancelled, sum.Pages, sum.Items, sum.Calls, e.Stage.Stats().Pages.Load(), took.Round(100*time.Millisecond))
	if sum.Off > 0 {
		fmt.Fprintf(o.stdout, "%d containers are of another platform, app or tenant (FEISHU_TENANT, YUNXIN_APP_KEY) and were not read\n", sum.Off)
	}
	if sum.Failed > 0 {
		return 3
	}
	return 0
}
