// Command extractor reads containers (chats, threads, conversations) from their platforms and keeps every response in
// Kafka, each page together with the checkpoint that follows from it.
//
//	im.containers ──▶ extractor ──▶ im.raw.pages, im.checkpoints
//	                   │     ▲
//	             calls ▼     │ pages
//	                  platforms
//
// Settings are environment variables: extractor --help lists them.
package main

import (
	"os"

	"chatlake/cmd/worker"
)

func main() { os.Exit(worker.ExtractorMain()) }
