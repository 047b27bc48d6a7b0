package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
)

func (t *tool) auditCommand() *cobra.Command {
	return t.command(&cobra.Command{
		Use: "audit", Short: "Compare pages, checkpoints, messages and dead letters with each other",
		Long: "Compares what the topics hold with each other, from the topics and the normalizer's committed offsets alone: the pages of every\n" +
			"container form a whole chain, checkpoints agree with it, every item of every page is a message, an issue or a dead letter, every\n" +
			"message comes from an item that exists, and versions rise. It writes nothing, may run beside the workers, and ends with exit code 4\n" +
			"where anything is found. Temporary files go to TMPDIR: some 200 bytes for each message of the largest partition.",
		Example: "  chatlake audit\n  chatlake audit --output json",
	}, &auditSettings{}, t.audit)
}

// auditSettings are those of the tool, and the group that normalizes.
type auditSettings struct {
	worker.Cluster
	Output string `envconfig:"NORMALIZER_OUTPUT" desc:"topic of messages (default: <prefix>.messages) that is audited"`
	Group  string `envconfig:"NORMALIZER_GROUP" desc:"consumer group (default: <output>-normalizer) up to whose offsets items are compared"`
}

// auditMemory is above what an audit holds at once, unless pages are very large: beyond it garbage is collected more often.
const auditMemory = 128 << 20

func (t *tool) audit(ctx context.Context) error {
	var s worker.NormalizerSettings
	if err := worker.Load(&s); err != nil {
		return err
	}
	logger := t.logger(&worker.ToolSettings{Cluster: s.Cluster})
	n, err := s.Connect(ctx, s.Output, logger)
	if err != nil {
		return err
	}
	defer n.Client.Close()
	worker.TuneMemory()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(auditMemory)
	}
	report, err := n.Audit(ctx, s.Group, logger)
	if err != nil {
		return err
	}
	if t.json() {
		err = printJSON(t.out, report, true)
	} else {
		err = t.printAudit(report)
	}
	t.found = !report.OK
	return err
}
