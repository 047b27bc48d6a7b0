package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/pipeline/checkup"
	"chatlake/schemas"
)

// Times of a check, which is to end within 30 s whatever does not answer.
const (
	checkTime = 27 * time.Second // all of it
	firstTime = 10 * time.Second // what others depend on: broker, registry, credentials
	restTime  = 8 * time.Second  // what comes after it, but for the containers
)

// usualContainers is how many containers are asked about.
const usualContainers = 5

func (t *tool) checkCommand() *cobra.Command {
	var containers int
	c := t.command(&cobra.Command{
		Use:   "check",
		Short: "Try everything that extractor and normalizer need, and say what to mend",
		Long: "Try the settings, the clock, the broker, rights, topics, schema registry and schemas, the credentials and scopes of each\n" +
			"platform, a few containers with one call each, and the state directory. Nothing is written and no group is joined; what\n" +
			"depends on something that failed is skipped. It takes 30 seconds at most. Exit code 4 if anything fails.",
		Example: "  chatlake check\n  chatlake check --containers 0 --output json",
	}, nil, func(ctx context.Context) error { return t.check(ctx, containers) })
	t.reads(c, allSettings)
	c.Flags().IntVar(&containers, "containers", usualContainers, "how many containers to ask the platforms about, with one call each: those that failed last first, then by newest checkpoint")
	return c
}

func (t *tool) check(ctx context.Context, containers int) error {
	if containers < 0 {
		return usagef("--containers %d is less than 0", containers)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r := &checkRun{with: worker.Inspect(), log: slog.New(slog.DiscardHandler)}
	r.settings()
	var all sync.WaitGroup
	all.Go(func() { r.cluster(ctx) })
	all.Go(func() { r.registry(ctx) })
	all.Go(func() { r.feishu(ctx) })
	all.Go(func() { r.yunxin(ctx) })
	all.Go(func() { r.state(ctx) })
	all.Wait()
	r.containers(ctx, containers)
	if r.client != nil {
		_ = r.client.Close()
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return context.Canceled // told to stop: not every check was made
	}
	t.found = r.report.Failed()
	return t.printChecks(r.report.Checks())
}

// checkRun is one check of everything.
type checkRun struct {
	with   *worker.Inspection
	log    *slog.Logger
	report checkup.Report

	client       *kafka.Client     // nil: no broker answers
	partitions   int               // of the topics, 0: they are not as they should be
	lookup       *schemas.Registry // nil: the registry does not answer, or lacks schemas
	askFeishu    func(context.Context, *schemas.Container) error
	askYunxin    func(context.Context, *schemas.Container) error
	whyNotFeishu string // the reason where Feishu is not asked
	whyNotYunxin string
}

// settings judges what was read from the environment.
func (r *checkRun) settings() {
	for _, f := range r.with.Faults {
		r.report.Add(checkup.Bad(checkup.Settings, f.Name, f.Error(), "mend "+f.Name+" ('chatlake check --help-settings' tells what it takes)"))
	}
	for _, n := range r.with.Notes {
		name, _, _ := strings.Cut(n, " ")
		r.report.Add(checkup.Odd(checkup.Settings, strings.TrimSuffix(name, ":"), n, "mend "+strings.TrimSuffix(name, ":")+" where that is not meant so"))
	}
	if len(r.with.Faults) == 0 {
		r.report.Add(checkup.Good(checkup.Settings, "environment", "all settings can be used"))
	}
}

// skip adds one skipped check for each name.
func (r *checkRun) skip(subject, why string, names ...string) {
	for _, n := range names {
		r.report.Add(checkup.Skip(n, subject, why))
	}
}

// broken is why something is skipped that a setting keeps from being tried.
func broken(setting string) string { return setting + " cannot be used" }

// registry looks for the schemas that were registered.
func (r *checkRun) registry(ctx context.Context) {
	c := &r.with.Tool.Cluster
	if s := r.with.Broken("SCHEMA_REGISTRY_", "TOPIC_PREFIX", "NORMALIZER_OUTPUT"); s != "" {
		r.skip(c.RegistryURL, broken(s), checkup.Registry, checkup.Schemas)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstTime+restTime)
	defer cancel()
	lookup, err := c.RegistryOnce()
	if err != nil {
		r.report.Add(checkup.Bad(checkup.Registry, c.RegistryURL, err.Error(), "mend the settings that begin with SCHEMA_REGISTRY_"))
		r.skip(c.RegistryURL, "the registry cannot be asked", checkup.Schemas)
		return
	}
	subjects := schemas.NewTopics(c.Prefix, "").Schemas()
	for topic, s := range schemas.NewTopics(c.Prefix, r.with.Normalizer.Output).Schemas() {
		subjects[topic] = s
	}
	found, down := checkSchemas(ctx, lookup, subjects)
	if down != nil {
		r.report.Add(checkup.Bad(checkup.Registry, c.RegistryURL, down.Error(), "check SCHEMA_REGISTRY_URL and its credentials, and that the registry runs"))
		r.skip(c.RegistryURL, "the registry does not answer", checkup.Schemas)
		return
	}
	r.report.Add(checkup.Good(checkup.Registry, c.RegistryURL, "it answers"))
	r.report.Add(found...)
	r.lookup = lookup
}

// printChecks prints the document, or a line for each check with what to do below it.
func (t *tool) printChecks(checks []checkup.Check) error {
	if t.json() {
		return printJSON(t.out, map[string]any{"checks": checks}, true)
	}
	rows, counts := [][]string{{"STATUS", "CHECK", "SUBJECT", "FOUND"}}, map[string]int{}
	for _, c := range checks {
		counts[c.Status]++
		rows = append(rows, []string{c.Status, c.Name, c.Subject, c.Detail})
		if c.Remedy != "" {
			rows = append(rows, []string{"", "", "", "→ " + c.Remedy})
		}
	}
	if err := printTable(t.out, rows); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.out, "%d checks: %d ok, %d warn, %d fail, %d skipped\n",
		len(checks), counts[checkup.OK], counts[checkup.Warn], counts[checkup.Fail], counts[checkup.Skipped])
	return err
}
