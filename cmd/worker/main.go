package worker

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// program is one of the two long-running programs.
type program interface {
	run(ctx context.Context, o options) (exit int, err error)
}

type options struct {
	once           bool
	stdout, stderr io.Writer
}

// ExtractorMain runs the program extractor and gives its exit code.
func ExtractorMain() int {
	p := &extractorProgram{}
	return run("extractor", "reads containers from their platforms into Kafka", &p.ExtractorSettings, p)
}

// NormalizerMain runs the program normalizer and gives its exit code.
func NormalizerMain() int {
	p := &normalizerProgram{}
	return run("normalizer", "turns raw pages into canonical messages", &p.NormalizerSettings, p)
}

// Exit codes: 0 done, 1 a fault while running, 2 settings or arguments that cannot be used, 3 (extractor --once) a
// container failed.
func run(name, what string, settings any, p program) int {
	o := options{stdout: os.Stdout, stderr: os.Stderr}
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&o.once, "once", false, "")
	version := flags.Bool("version", false, "")
	err := flags.Parse(os.Args[1:])
	switch {
	case errors.Is(err, flag.ErrHelp):
		Usage(o.stdout, name, what, settings)
		return 0
	case err != nil || flags.NArg() > 0:
		fmt.Fprintf(o.stderr, "%s: %s: see %s --help\n", name, badArguments(err, flags.Args()), name)
		return 2
	case *version:
		fmt.Fprintln(o.stdout, name, Version)
		return 0
	}
	if err := Load(settings); err != nil {
		fmt.Fprintf(o.stderr, "%s: %v\n", name, err)
		return 2
	}
	ctx, stop := Signals(context.Background(), func() string { return cutWorker })
	defer stop()
	exit, err := p.run(ctx, o)
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return 0 // told to stop while still starting
	}
	if err != nil {
		fmt.Fprintf(o.stderr, "%s: %s\n", name, OneLine(err))
		return ExitCode(err, exit)
	}
	return exit
}

func badArguments(err error, rest []string) string {
	if err != nil {
		return err.Error()
	}
	return "unexpected argument " + Masked(rest[0])
}

// Masked is an argument fit for an error: a setting that was given as an argument by mistake loses its value.
func Masked(arg string) string {
	if name, _, found := strings.Cut(arg, "="); found {
		return name + "=…"
	}
	return arg
}

// ExitCode is 2 for settings that cannot be used, else the given one.
func ExitCode(err error, otherwise int) int {
	var s *SettingError
	if errors.As(err, &s) {
		return 2
	}
	return otherwise
}

// OneLine is the text of an error without line breaks.
func OneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// stopTime is how long a program may take to stop; it is then ended, as its orchestrator would do soon after.
const stopTime = 10 * time.Second

// oneSignal is the time in which signals are one and the same: timeout(1) sends its own to the program and again to the group
// that the program is in.
const oneSignal = 250 * time.Millisecond

// cutWorker is what it costs to end a worker at once: Kafka keeps what was committed, and what was not stays open.
const cutWorker = "what was not committed is done again; until the open transactions time out (a minute), readers and the next worker of the group wait at them"

// Signals gives a context that ends with SIGINT or SIGTERM. A second signal, or one that is not obeyed within stopTime,
// ends the process at once; cost says what that costs.
func Signals(parent context.Context, cost func() string) (context.Context, func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			cancel()
		case <-done:
			return
		}
		why, end, first := "not stopped within "+stopTime.String(), time.After(stopTime), time.Now()
		for waiting := true; waiting; {
			select {
			case <-signals:
				if time.Since(first) < oneSignal {
					continue
				}
				why, waiting = "stopped at once, by a second signal", false
			case <-end:
				waiting = false
			case <-done:
				return
			}
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", why, cost())
		os.Exit(1)
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// Usage prints what a program does and every setting with its default and meaning.
func Usage(w io.Writer, name, what string, settings any) {
	fmt.Fprintf(w, "%s %s.\n\nUsage: %s [--once] [--version] [--help]\n\n  --once     end when everything is done that is there to do\n\nSettings (environment):\n\n", name, what, name)
	Settings(w, nil, settings)
}

// Settings prints every setting of settings structs with its default and meaning, each once, but for those of which not
// says that they do not hold.
func Settings(w io.Writer, not func(name string) bool, settings ...any) {
	t := tabwriter.NewWriter(w, 2, 4, 2, ' ', 0)
	seen := map[string]bool{}
	var fields []Field
	for _, s := range settings {
		fields = append(fields, Fields(s)...)
	}
	for _, f := range fields {
		if seen[f.Name] || not != nil && not(f.Name) {
			continue
		}
		seen[f.Name] = true
		name := f.Name
		if f.Secret {
			name += "[_FILE]"
		}
		def := f.Default
		if def == "" {
			def = "-"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", name, def, f.Meaning)
	}
	_ = t.Flush() // a terminal that is gone takes no help
}
