// Command normalizer turns raw pages into canonical, versioned messages; it calls no platform.
//
//	im.raw.pages ──▶ normalizer ──▶ im.messages, im.deadletters
//	                   │     ▲
//	                   ▼     │
//	                 index (a cache on disk)
//
// Settings are environment variables: normalizer --help lists them.
package main

import (
	"os"

	"chatlake/cmd/worker"
)

func main() { os.Exit(worker.NormalizerMain()) }
