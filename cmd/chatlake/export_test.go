package main

import (
	"context"
	"os"

	"chatlake/connectors"
)

// RunDecodingBy runs the program in this process, with other decoders than this release's in a replay.
func RunDecodingBy(ctx context.Context, decoders map[string]func() connectors.Decoder, stdout, stderr *os.File, args ...string) int {
	return run(ctx, &tool{stdin: os.Stdin, out: newOutlet(stdout), stderr: stderr, decoders: decoders}, args)
}
