package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"chatlake/cmd/worker"
	"chatlake/local"
	"chatlake/schemas"
)

// installation is the embedded broker and registry, with the topics of a prefix.
type installation struct {
	server  *local.Server
	cluster worker.Cluster // how to reach it
	created []string       // topics
	dir     string         // absolute
}

// openInstallation starts broker and registry and makes the topics. want gives what they are to be and how to
// log; how to reach the cluster is filled in.
func openInstallation(ctx context.Context, c local.Config, want worker.Cluster) (*installation, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", c.Dir, err)
	}
	c.Compatible = schemas.Compatible
	server, err := local.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	i := &installation{server: server, dir: dir, cluster: worker.Cluster{
		Brokers: server.Brokers(), RegistryURL: server.RegistryURL(),
		Prefix: want.Prefix, Partitions: want.Partitions, MaxMessage: want.MaxMessage, LogLevel: want.LogLevel, LogFormat: want.LogFormat, LogLibraries: want.LogLibraries,
	}}
	err = i.run(ctx, func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, prepareTime)
		defer cancel()
		// The embedded broker's compaction is not crash-safe, so nothing of it is compacted.
		i.created, err = i.cluster.Prepare(ctx, "", false, c.Logger)
		return err
	})
	if err != nil {
		return nil, i.close(err)
	}
	return i, nil
}

// endTime is how long work may take to end once the installation can write no more: its index may hang on the same disk.
const endTime = 3 * time.Second

// run does work until it ends or the installation can write no more, which is then the error.
func (i *installation) run(ctx context.Context, work func(context.Context) error) error {
	return runUntil(ctx, i.server.Failed(), work)
}

func runUntil(ctx context.Context, failed <-chan error, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var result error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result = work(ctx)
	}()
	select {
	case <-ended:
		select {
		case err := <-failed: // work has noticed it first
			return err
		default:
			return result
		}
	case err := <-failed:
		cancel(err)
		late := time.NewTimer(endTime)
		defer late.Stop()
		select {
		case <-ended:
		case <-late.C: // it ends with the process, as by a kill
		}
		return err
	}
}

// close ends broker and registry. The error of what was done with them is the one to tell, where there is one.
func (i *installation) close(err error) error {
	closed := i.server.Close()
	if errors.Is(err, local.ErrNoSpace) || errors.Is(err, local.ErrWrite) {
		return err
	}
	return errors.Join(err, closed)
}

// stateDir is where the normalizer's index lies, beside the broker's files.
func (i *installation) stateDir() string { return filepath.Join(i.dir, "state") }

// stages are both stages in this process.
type stages struct {
	extractor  *worker.Extractor
	normalizer *worker.Normalizer
	group      string            // the normalizer's
	on         map[string]string // tenants, by the platforms that are on
	stop       func()            // of metrics and health
}

// openStages connects both stages and lets them answer metrics.
func openStages(ctx context.Context, e worker.ExtractorSettings, n worker.NormalizerSettings, logger *slog.Logger) (_ *stages, err error) {
	s := &stages{group: n.Group, on: map[string]string{}}
	if e.AppID != "" {
		s.on[schemas.Feishu] = e.Tenant
	}
	if e.AppKey != "" {
		s.on[schemas.Yunxin] = e.AppKey
	}
	defer func() {
		if err != nil {
			_ = s.close() // the reason of the failure is the one to tell
		}
	}()
	if s.extractor, err = worker.NewExtractor(ctx, e, false, logger); err != nil {
		return nil, err
	}
	if s.normalizer, err = worker.NewNormalizer(ctx, n, false, logger); err != nil {
		return nil, err
	}
	s.stop, err = worker.Serve(s.extractor, s.normalizer, logger)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// run runs both until ctx ends or one fails, and waits for both.
func (s *stages) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 2)
	for _, run := range []func(context.Context) error{s.extractor.Run, s.normalizer.Run} {
		go func() {
			err := run(ctx)
			cancel(err)
			ended <- err
		}()
	}
	first := <-ended
	return errors.Join(first, ignoreCancelled(<-ended))
}

// ignoreCancelled drops an error that only says that we ended something ourselves.
func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *stages) close() error {
	if s.stop != nil {
		s.stop()
	}
	var err error
	if s.extractor != nil {
		err = s.extractor.Close()
	}
	if s.normalizer != nil {
		err = errors.Join(err, s.normalizer.Close())
	}
	return err
}
