package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/schemas"
)

// demoRun is how reading and normalizing went.
type demoRun struct {
	containers extract.Summary
	took       time.Duration // from the first call to the last message
}

// demoStages are the two stages of the demo. The normalizer is made twice: one follows while pages come, the other goes
// to the end once no more come.
type demoStages struct {
	extractor  *worker.Extractor
	normalizer atomic.Pointer[worker.Normalizer]
	before     atomic.Int64 // messages of the first one
}

// pulse is where the stages stand.
type pulse struct {
	pages, messages, running, queued int64
	quota                            connectors.Budget // of lists of messages
}

func (s *demoStages) pulse() pulse {
	e := s.extractor.Stage.Stats()
	p := pulse{pages: e.Pages.Load(), running: e.Running.Load(), queued: e.Queued.Load(), messages: s.before.Load()}
	if n := s.normalizer.Load(); n != nil {
		p.messages += n.Stage.Stats().Messages.Load()
	}
	for _, b := range s.extractor.Pacer.Snapshot() {
		if b.API == schemas.FeishuMessagesList {
			p.quota = b
		}
	}
	return p
}

func (d *demo) extractorSettings() worker.ExtractorSettings {
	id, secret, _ := d.platform.world.App()
	return worker.ExtractorSettings{
		Cluster: d.in.cluster, Group: d.in.cluster.Prefix + "-extractor", Workers: 64, Patience: time.Minute,
		Feishu: worker.Feishu{
			AppID: id, AppSecret: worker.Secret(secret), Tenant: id, BaseURL: d.platform.url,
			PerMinute: worker.Count(d.options.perMinute), PerSecond: worker.Count(d.options.perSecond),
		},
	}
}

func (d *demo) normalizerSettings() worker.NormalizerSettings {
	output := d.in.cluster.Prefix + ".messages"
	return worker.NormalizerSettings{
		Cluster: d.in.cluster, Output: output, Group: output + "-normalizer", StateDir: d.in.stateDir(), Interval: 200 * time.Millisecond,
	}
}

// run extracts all containers while it normalizes what comes, then normalizes to the end.
func (d *demo) run(ctx context.Context) (*demoRun, error) {
	s := &demoStages{}
	var err error
	if s.extractor, err = worker.NewExtractor(ctx, d.extractorSettings(), true, d.logger); err != nil {
		return nil, err
	}
	defer func() { _ = s.extractor.Close() }() // all that it wrote is committed
	began := time.Now()
	progress := d.startProgress(ctx, s)
	err = d.runStages(ctx, s)
	progress.end()
	if err != nil {
		return nil, err
	}
	return &demoRun{containers: s.extractor.Stage.Summary(), took: time.Since(began)}, nil
}

func (d *demo) runStages(ctx context.Context, s *demoStages) error {
	follower, err := worker.NewNormalizer(ctx, d.normalizerSettings(), false, d.logger)
	if err != nil {
		return err
	}
	s.normalizer.Store(follower)
	following, stop := context.WithCancel(ctx)
	defer stop()
	extracting, abandon := context.WithCancelCause(ctx)
	defer abandon(nil)
	ended := make(chan error, 1)
	go func() {
		err := follower.Run(following)
		if err != nil {
			abandon(err) // reading on would be for nothing
		}
		ended <- err
	}()
	err = s.extractor.Run(extracting)
	stop()
	if first := ignoreCancelled(<-ended); first != nil {
		err = first
	}
	err = errors.Join(err, follower.Close())
	if err != nil || ctx.Err() != nil {
		return err
	}
	s.before.Store(follower.Stage.Stats().Messages.Load())
	s.normalizer.Store(nil)
	return d.finish(ctx, s)
}

// finish normalizes what the follower had not come to.
func (d *demo) finish(ctx context.Context, s *demoStages) error {
	last, err := worker.NewNormalizer(ctx, d.normalizerSettings(), true, d.logger)
	if err != nil {
		return err
	}
	s.normalizer.Store(last)
	return errors.Join(last.Run(ctx), last.Close())
}
