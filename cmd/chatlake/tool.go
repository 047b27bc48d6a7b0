package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/connectors"
)

// tool is one run of the program.
type tool struct {
	stdin  io.Reader
	out    *outlet
	stderr io.Writer
	output string      // table or json
	began  bool        // the command itself has begun: what failed before is about its arguments
	broker atomic.Bool // an embedded broker runs in this process
	found  bool        // a check, audit or comparison found something

	helpSettings helpFlag
	settings     map[*cobra.Command]func(io.Writer) // what commands read from the environment

	decoders map[string]func() connectors.Decoder // of a replay; nil: those of this release
}

// cost says what ending at once costs.
func (t *tool) cost() string {
	if t.broker.Load() {
		return "the embedded broker was cut off as by a kill: what it had acknowledged is kept, what was open is done again, and its next start takes longer"
	}
	return "what was written is kept; run the command again, which adds nothing twice"
}

// usageError is a wrong argument that only the command itself can see.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errInterrupted ends a command that was told to stop before it was done.
var errInterrupted = errors.New("interrupted before it was done")

// run gives the exit code: 0 done, 1 a fault while running, 2 arguments or settings that cannot be used, 4 a check, audit or
// comparison found something.
func run(ctx context.Context, t *tool, args []string) int {
	root := t.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case t.out.gone():
		return 0 // nobody reads what we would say
	case err == nil && t.found:
		return 4
	case err == nil:
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = errInterrupted
	}
	fmt.Fprintf(t.stderr, "chatlake: %s\n", clean(worker.OneLine(err)))
	var usage usageError
	if !t.began || errors.As(err, &usage) {
		return 2
	}
	return worker.ExitCode(err, 1)
}

func (t *tool) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "chatlake",
		Short: "The operator's tool of chatlake: chat history from IM platforms into Kafka",
		Long: "chatlake moves the message history of IM platforms into Kafka and turns it into one canonical stream.\n" +
			"This is its operator's tool; 'chatlake demo' shows all of it at work, with nothing to set up.",
		Version: worker.Version, SilenceErrors: true, SilenceUsage: true,
		Args: noArguments, RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(t.stdin)
	root.SetOut(t.out)
	root.SetErr(t.stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetVersionTemplate("chatlake {{.Version}}\n")
	t.helpOf(root)
	root.PersistentFlags().StringVar(&t.output, "output", "table", "table for people, or json: one document for programs")
	root.AddCommand(t.demoCommand(), t.upCommand(), t.simulateCommand(), t.topicsCommand(), t.containersCommand(), t.tailCommand())
	root.AddCommand(t.checkCommand(), t.configCommand(), t.statusCommand(), t.planCommand(), t.auditCommand(), t.deadlettersCommand(), t.replayCommand())
	t.complete(root)
	return root
}

// group makes a command that only holds others.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(commands...)
	return c
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	what := "argument"
	if c.HasSubCommands() {
		what = "command"
	}
	return fmt.Errorf("unknown %s %q: see %s --help", what, worker.Masked(args[0]), c.CommandPath())
}

// command completes a command that does something itself. settings is what it reads from the environment, nil where
// nothing.
func (t *tool) command(c *cobra.Command, settings any, work func(context.Context) error) *cobra.Command {
	if c.Long == "" {
		c.Long = c.Short + "."
	}
	if settings != nil {
		t.reads(c, func(w io.Writer) { worker.Settings(w, nil, settings) })
	}
	c.Args = noArguments
	c.RunE = func(c *cobra.Command, _ []string) error {
		if t.output != "table" && t.output != "json" {
			return fmt.Errorf("--output %q is neither table nor json", t.output)
		}
		t.began = true
		return work(c.Context())
	}
	return c
}

func (t *tool) json() bool { return t.output == "json" }

// load reads the tool's settings.
func load() (*worker.ToolSettings, error) {
	s := new(worker.ToolSettings)
	return s, worker.Load(s)
}

// connected loads the settings, reaches the cluster, and calls work with it.
func (t *tool) connected(ctx context.Context, output bool, work func(*worker.ToolSettings, *worker.Connection) error) error {
	s, err := load()
	if err != nil {
		return err
	}
	topic := ""
	if output {
		topic = s.Output
	}
	n, err := s.Connect(ctx, topic, t.logger(s))
	if err != nil {
		return err
	}
	defer n.Client.Close()
	return work(s, n)
}

// logger writes warnings; a command's result is its output, not its log.
func (t *tool) logger(s *worker.ToolSettings) *slog.Logger {
	c := s.Cluster
	if c.LogLevel == "info" {
		c.LogLevel = "warn"
	}
	return c.NewLogger(t.stderr)
}

// note says something beside the result, in one line.
func (t *tool) note(format string, args ...any) {
	fmt.Fprintf(t.stderr, "chatlake: %s\n", clean(fmt.Sprintf(format, args...)))
}
