package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/local"
	"chatlake/schemas"
	"chatlake/simulator"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	worldOptions
	dir string
}

// Defaults: more than 25,000 messages in well under a minute, which takes five times the platforms' quotas, for every thread
// costs a call; and those chats in which the pieces that are shown at the end are at their clearest.
const (
	demoChats     = 20
	demoSeed      = 5
	demoPerMinute = 5000
	demoPerSecond = 250
)

func (t *tool) demoCommand() *cobra.Command {
	o := demoOptions{worldOptions: worldOptions{platform: bothPlatforms, seed: demoSeed, chats: demoChats, perMinute: demoPerMinute, perSecond: demoPerSecond}}
	c := t.command(&cobra.Command{
		Use:   "demo",
		Short: "See all of it at work, with nothing to set up",
		Long: "Run everything in one process: an embedded Kafka-protocol broker and schema registry, a simulated Feishu and a\n" +
			"simulated Yunxin that serve real public chats with five times their quotas, extractor and normalizer. It ends by itself\n" +
			"within a minute (more chats or a smaller quota take longer), when all has been read and everything that messages link\n" +
			"to has been looked up; shows pieces of conversations, counts what was lost or doubled, and keeps its data. The\n" +
			"platforms' own quotas are --quota-per-minute 1000 --quota-per-second 50.\n" +
			"Exit code 1 if anything was lost or doubled. Settings in the environment have no influence.",
		Example: "  chatlake demo\n  chatlake demo --chats 40 --quota-per-minute 0 --quota-per-second 0",
	}, nil, func(ctx context.Context) error { return t.demo(ctx, o) })
	o.flags(c.Flags())
	c.Flags().StringVar(&o.dir, "data", "", "where everything is kept: a new or empty directory (default: ./chatlake-demo/<time>)")
	return c
}

// demo is one run of the demo.
type demo struct {
	tool      *tool
	options   demoOptions
	log       *os.File
	logger    *slog.Logger
	platforms platforms
	in        *installation
}

func (t *tool) demo(ctx context.Context, o demoOptions) error {
	if o.dir == "" {
		o.dir = filepath.Join("chatlake-demo", time.Now().Format("20060102-150405"))
	}
	d := &demo{tool: t, options: o}
	err := d.open(ctx)
	if err == nil {
		err = d.in.run(ctx, func(ctx context.Context) error {
			if err := d.addChats(ctx); err != nil {
				return err
			}
			return d.show(ctx)
		})
	}
	err = d.close(err)
	if ctx.Err() != nil {
		if err = ignoreCancelled(err); err == nil {
			t.note("stopped; what was read until now stays in %s", shortPath(d.dir()))
		}
	}
	return err
}

func (d *demo) dir() string {
	dir, err := filepath.Abs(d.options.dir)
	if err != nil {
		return d.options.dir
	}
	return dir
}

// demoCluster is what a demo asks for of its broker and log.
var demoCluster = worker.Cluster{Prefix: "im", Partitions: 12, LogLevel: "info", LogFormat: "text"}

// open starts everything but the stages.
func (d *demo) open(ctx context.Context) (err error) {
	if err := d.makeDirectory(); err != nil {
		return err
	}
	if err := d.openPlatforms(ctx); err != nil {
		return err
	}
	d.tool.broker.Store(true)
	if d.in, err = openInstallation(ctx, local.Config{Dir: d.options.dir, Logger: d.logger}, demoCluster); err != nil {
		return err
	}
	return d.printOpen()
}

// openPlatforms starts the simulated platforms.
func (d *demo) openPlatforms(ctx context.Context) error {
	f, y, err := d.options.worlds()
	if err != nil {
		return err
	}
	add := func(p *platform, err error) error {
		if err == nil {
			p.expected = p.expect()
			d.platforms = append(d.platforms, p)
		}
		return err
	}
	if f != nil {
		limits := simulator.Limits{PerMinute: d.options.perMinute, PerSecond: d.options.perSecond}
		if err := add(openFeishu(ctx, "127.0.0.1:0", f, simulator.FeishuConfig{Limits: limits, Record: true})); err != nil {
			return err
		}
	}
	if y == nil {
		return nil
	}
	return add(openYunxin(ctx, "127.0.0.1:0", y, simulator.YunxinConfig{Limits: simulator.Limits{PerSecond: d.options.perSecond}, Record: true}))
}

// makeDirectory makes the data directory and, in it, the log. An archive that is there already is not to be mixed with
// simulated chats.
func (d *demo) makeDirectory() error {
	if err := os.MkdirAll(d.options.dir, 0o700); err != nil {
		return fmt.Errorf("data directory cannot be made: choose another with --data: %w", err)
	}
	entries, err := os.ReadDir(d.options.dir)
	if err != nil {
		return fmt.Errorf("data directory cannot be read: choose another with --data: %w", err)
	}
	// A start that failed leaves a lock and a log, and nothing to mix with.
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() != "lock" && e.Name() != "demo.log" }) {
		return usagef("directory %s is not empty: choose another with --data, or open what is there with 'chatlake up --data %s'", d.options.dir, d.options.dir)
	}
	d.log, err = os.OpenFile(filepath.Join(d.options.dir, "demo.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("data directory cannot be written: choose another with --data: %w", err)
	}
	d.logger = demoCluster.NewLogger(d.log)
	return nil
}

func (d *demo) addChats(ctx context.Context) error {
	n, err := d.in.cluster.Connect(ctx, "", d.logger)
	if err != nil {
		return err
	}
	defer n.Client.Close()
	var asked []*schemas.Container
	for _, p := range d.platforms {
		all, err := p.containers()
		if err != nil {
			return err
		}
		asked = append(asked, all...)
	}
	_, err = addContainers(ctx, n, asked, false)
	return err
}

// show reads everything, counts it, and prints what came of it.
func (d *demo) show(ctx context.Context) error {
	took, err := d.run(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	back, err := d.readBack(ctx)
	if err != nil {
		return err
	}
	s := d.summary(took, back)
	if err := d.printSummary(s, back); err != nil {
		return err
	}
	return s.verdict()
}

// close ends what is open, the broker last, after what was done has ended with err.
func (d *demo) close(err error) error {
	d.platforms.close()
	if d.in != nil {
		err = d.in.close(err)
	}
	if d.log != nil {
		err = errors.Join(err, d.log.Close())
	}
	return err
}
