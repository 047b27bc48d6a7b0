// Command generate writes what follows from the Avro schemas in the present folder: a struct for each record, the encoder
// of messages, and the check of all texts. It knows the types that contract and sinks allow, and refuses all others.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	files, err := generate(os.ReadFile)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(name, text, 0o644); err != nil { //nolint:gosec // source code, which everybody may read
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
