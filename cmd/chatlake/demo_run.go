package main

import (
	"context"
	"errors"
	"time"

	"chatlake/cmd/worker"
)

// pulse is where the stages stand.
type pulse struct {
	pages, versions, running, queued int64
	lists                            map[string]int64 // calls, by API
}

func (s *stages) pulse() pulse {
	e, n := s.extractor.Stage.Stats(), s.normalizer.Stage.Stats()
	p := pulse{
		pages: e.Pages.Load(), running: e.Running.Load(), queued: e.Queued.Load(), versions: n.Messages.Load(), lists: map[string]int64{},
	}
	for _, b := range s.extractor.Pacer.Snapshot() {
		p.lists[b.API] = b.Calls
	}
	return p
}

func (d *demo) extractorSettings() worker.ExtractorSettings {
	s := worker.ExtractorSettings{
		Cluster: d.in.cluster, Group: d.in.cluster.Prefix + "-extractor", Workers: 64, Patience: time.Minute,
	}
	for _, p := range d.platforms {
		p.configure(&s)
	}
	return s
}

func (d *demo) normalizerSettings() worker.NormalizerSettings {
	output := d.in.cluster.Prefix + ".messages"
	return worker.NormalizerSettings{
		Cluster: d.in.cluster, Output: output, Group: output + "-normalizer", StateDir: d.in.stateDir(), Interval: 200 * time.Millisecond,
	}
}

// run reads and normalizes until all is quiet, look-ups included, and tells how long that took.
func (d *demo) run(ctx context.Context) (time.Duration, error) {
	s, err := openStages(ctx, d.extractorSettings(), d.normalizerSettings(), d.logger)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	progress := d.startProgress(ctx, s)
	err = d.untilQuiet(ctx, s)
	took := time.Since(began)
	progress.end()
	return took, errors.Join(err, s.close())
}

// quietEvery is how often it is asked whether all is quiet.
const quietEvery = 200 * time.Millisecond

// untilQuiet runs the stages until all is quiet, ctx ends or one of them fails.
func (d *demo) untilQuiet(ctx context.Context, s *stages) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan error, 1)
	go func() {
		err := s.run(running)
		stop(err)
		ended <- err
	}()
	tick := time.NewTicker(quietEvery)
	defer tick.Stop()
	for done := false; !done; {
		select {
		case <-running.Done():
			return stopped(ctx, <-ended)
		case <-tick.C:
		}
		if !s.idle() {
			continue
		}
		var err error
		if done, err = s.quiet(running); err != nil && running.Err() == nil {
			stop(err)
			return errors.Join(err, ignoreCancelled(<-ended))
		}
	}
	stop(nil)
	return ignoreCancelled(<-ended)
}
