// Command chatlake is the operator's tool: it makes topics, says what is to be read, shows what was read, and runs a whole
// installation on one machine, with the real platforms or with simulated ones. It knows no rule of the pipeline.
//
//	topics create ──▶ topics, schemas               containers add ──▶ im.containers
//	deadletters ◀── im.deadletters, im.raw.pages    deadletters redrive ──▶ im.containers
//	tail ◀── im.messages and the other topics       containers list, status, plan ◀── im.containers, im.checkpoints
//	audit ◀── all of them                           replay ◀── im.raw.pages ──▶ another output
//
//	up    = embedded broker and registry + extractor + normalizer ◀── the real platform
//	demo  = embedded broker and registry + extractor + normalizer ◀── simulate
//
// Settings are environment variables: the --help-settings of each command lists those that it reads, config what holds.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"chatlake/cmd/worker"
)

func main() {
	// A reader that closes our output early (head, less) is no fault: the write fails instead, and the command ends.
	signal.Ignore(syscall.SIGPIPE)
	t := &tool{stdin: os.Stdin, out: newOutlet(os.Stdout), stderr: os.Stderr}
	ctx, stop := worker.Signals(context.Background(), t.cost)
	code := run(ctx, t, os.Args[1:])
	stop()
	os.Exit(code)
}
