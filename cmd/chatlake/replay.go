package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/pipeline/normalize"
)

// replayOptions are the flags of replay.
type replayOptions struct {
	to                     string
	compare                bool
	conversations, senders []string
}

// replaySettings are those of a normalizer that hold for a replay.
type replaySettings struct {
	worker.Cluster
	Output   string        `envconfig:"NORMALIZER_OUTPUT" desc:"the output in force, to compare with (default: <prefix>.messages)"`
	Group    string        `envconfig:"NORMALIZER_GROUP" desc:"its consumer group, which tells how far it has come (default: <output>-normalizer)"`
	StateDir string        `envconfig:"NORMALIZER_STATE_DIR" default:"./state" desc:"the replay's state, in <dir>/<--to>-normalizer; records to compare lie there meanwhile"`
	Interval time.Duration `envconfig:"NORMALIZER_COMMIT_INTERVAL" default:"200ms" desc:"longest time a message waits for its transaction"`
}

func (t *tool) replayCommand() *cobra.Command {
	var o replayOptions
	c := t.command(&cobra.Command{
		Use:   "replay --to TOPIC [--compare]",
		Short: "Normalize all raw pages again into another output, and compare it with the one in force",
		Long: "Normalize the raw pages from their start, by the rules of this release, into an output beside the one in force, which is\n" +
			"created where it is missing. A replay that was interrupted goes on where it was; one that is finished is only compared.\n\n" +
			"Compared is the newest version of each record, in all fields but provenance, version and change; exit 4 where any differs.\n" +
			"While the output in force goes on, conversations of which it has normalized more pages than the replay, or fewer, are left\n" +
			"out of the comparison and counted. It keeps records on disk meanwhile: as much as the largest partition of both outputs.\n\n" +
			"--without-conversation and --without-sender leave out their messages, and what is in their merged forwards, for good: links\n" +
			"to them say DELETED, reason erased, and so do the roots that are derived from these; mentions of such a sender lose id and\n" +
			"name. The raw pages, and the output in force, keep everything.",
		Example: "  chatlake replay --to im.messages2 --compare\n" +
			"  chatlake replay --to im.messages2 --without-sender ou_84aad35d084aa403a838cf73ee18467",
	}, &replaySettings{}, func(ctx context.Context) error { return t.replay(ctx, o) })
	c.Flags().StringVar(&o.to, "to", "", "topic of messages to normalize into")
	c.Flags().BoolVar(&o.compare, "compare", false, "compare it with the output in force")
	c.Flags().StringArrayVar(&o.conversations, "without-conversation", nil, "leave this conversation out (id or key); may be repeated")
	c.Flags().StringArrayVar(&o.senders, "without-sender", nil, "leave out what this sender wrote (id); may be repeated")
	return c
}

// replay is one run of the command.
type replay struct {
	tool    *tool
	options replayOptions
	without *normalize.Without
	inForce worker.NormalizerSettings
	beside  worker.NormalizerSettings
	n       *worker.Connection // with the topics of the new output
	logger  *slog.Logger
	result  replayReport

	caughtUp func() // lets the progress say so
}

func (t *tool) replay(ctx context.Context, o replayOptions) error {
	if o.to == "" {
		return usagef("--to is missing: name the topic to normalize into, such as --to im.messages2")
	}
	if slices.Contains(slices.Concat(o.conversations, o.senders), "") {
		return usagef("--without-conversation and --without-sender need an id")
	}
	r := &replay{tool: t, options: o, without: normalize.NewWithout(o.conversations, o.senders)}
	if err := worker.Load(&r.inForce); err != nil {
		return err
	}
	var err error
	if r.beside, err = r.inForce.Beside(o.to); err != nil {
		var s *worker.SettingError
		if errors.As(err, &s) && s.Name == "NORMALIZER_OUTPUT" {
			return usagef("--to %s", s.Why)
		}
		return err
	}
	r.logger = t.logger(&worker.ToolSettings{Cluster: r.inForce.Cluster})
	worker.TuneMemory()
	preparing, cancel := context.WithTimeout(ctx, prepareTime)
	defer cancel()
	if _, err := r.beside.Prepare(preparing, o.to, true, r.logger); err != nil {
		return err
	}
	if r.n, err = r.beside.Connect(ctx, o.to, r.logger); err != nil {
		return err
	}
	defer r.n.Client.Close()
	return r.run(ctx)
}

// run normalizes what is not normalized yet, compares where that is asked for, and prints what came of it.
func (r *replay) run(ctx context.Context) error {
	if err := r.sameWithout(ctx); err != nil {
		return err
	}
	left, err := r.left(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	r.result.Output, r.result.finished = r.options.to, !left
	if left {
		if err := r.normalize(ctx); err != nil {
			return err
		}
	}
	r.result.took = time.Since(began)
	if err := r.compare(ctx); err != nil {
		return err
	}
	r.tool.found = r.options.compare && r.result.report.Differs()
	return r.print()
}

// normalize runs the stage until it has caught up with the raw pages that there were at its start.
func (r *replay) normalize(ctx context.Context) error {
	stage, err := worker.NewReplay(ctx, r.beside, worker.Replay{Without: r.without, Decoders: r.tool.decoders}, r.logger)
	if err != nil {
		return err
	}
	progress, err := r.startProgress(ctx, stage)
	if err == nil {
		if err = stage.Run(ctx); err == nil && ctx.Err() == nil {
			r.caughtUp()
		}
		progress.end()
	}
	s := stage.Stage.Stats()
	r.result.Pages, r.result.Versions, r.result.DeadLetters = s.Pages.Load(), s.Messages.Load(), s.DeadLetters.Load()
	r.result.erased = s.Erased.Load()
	if err = errors.Join(err, stage.Close()); err == nil && ctx.Err() != nil {
		err = context.Canceled
	}
	return err
}

// stateDir is where the replay's state lies.
func (r *replay) stateDir() string { return filepath.Join(r.beside.StateDir, r.beside.Group) }

// errOtherWithout says that an output was made with other flags.
func (r *replay) errOtherWithout() error {
	return usagef("%s was made with other --without-conversation and --without-sender: give the same, or replay into another topic", r.options.to)
}

// total is the number of partitions.
func (r *replay) total() int32 { return int32(r.n.Partitions) }

func (r *replay) note(format string, args ...any) { r.tool.note("%s", fmt.Sprintf(format, args...)) }
