package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"chatlake/cmd/worker"
	"chatlake/local"
)

// upOptions are the flags of up.
type upOptions struct {
	dir                     string
	kafkaPort, registryPort int
	partitions              int
}

func (t *tool) upCommand() *cobra.Command {
	var o upOptions
	c := t.command(&cobra.Command{
		Use:   "up",
		Short: "Run a whole installation on this machine, with the real platforms",
		Long: "Run an embedded Kafka-protocol broker and an embedded schema registry, kept on disk, and, where a platform has\n" +
			"credentials (FEISHU_APP_ID, YUNXIN_APP_KEY), extractor and normalizer in the same process. For evaluation and small\n" +
			"archives: one broker, no replication. Any Kafka client of this machine can join. Metrics and health of both stages\n" +
			"are at 127.0.0.1:9480 (HTTP_ADDR; set but empty: nowhere).",
		Example: "  FEISHU_APP_ID=cli_… FEISHU_APP_SECRET=… chatlake up --data ./chatlake-data",
	}, nil, func(ctx context.Context) error { return t.up(ctx, o) })
	t.reads(c, upSettings)
	f := c.Flags()
	f.StringVar(&o.dir, "data", "./chatlake-data", "where everything is kept; one process at a time")
	f.IntVar(&o.kafkaPort, "kafka-port", 9092, "port of the broker on 127.0.0.1 (0: any free one)")
	f.IntVar(&o.registryPort, "registry-port", 8081, "port of the schema registry on 127.0.0.1 (0: any free one)")
	f.IntVar(&o.partitions, "partitions", 0, "partitions of each topic, used only when they are created (0: TOPIC_PARTITIONS)")
	return c
}

// upSettings lists the settings that hold here: not those of how to reach Kafka and the registry, nor where the index lies.
func upSettings(w io.Writer) {
	worker.Settings(w, func(name string) bool {
		return strings.HasPrefix(name, "KAFKA_") || strings.HasPrefix(name, "SCHEMA_REGISTRY_") ||
			name == "TOPIC_REPLICATION" || name == "NORMALIZER_STATE_DIR"
	}, &worker.ExtractorSettings{}, &worker.NormalizerSettings{})
}

// upPlan is what up was asked to run.
type upPlan struct {
	cluster    worker.Cluster
	extractor  worker.ExtractorSettings // without brokers
	normalizer worker.NormalizerSettings
	extracts   bool
}

// planUp reads the settings before anything is opened.
func planUp(o upOptions) (*upPlan, error) {
	for _, p := range []int{o.kafkaPort, o.registryPort} {
		if p < 0 || p > 65535 {
			return nil, usagef("port %d is not between 0 and 65535", p)
		}
	}
	if o.partitions < 0 || o.partitions > 10_000 {
		return nil, usagef("--partitions %d is not between 1 and 10000", o.partitions)
	}
	if os.Getenv("KAFKA_BROKERS") != "" {
		return nil, &worker.SettingError{Name: "KAFKA_BROKERS", Why: "is set: it points to a cluster that runs already, where 'chatlake topics create' " +
			"and the programs extractor and normalizer are used; unset it to run the embedded broker"}
	}
	s, err := load()
	if err != nil {
		return nil, err
	}
	plan := &upPlan{cluster: s.Cluster, extracts: s.AppID != "" || s.Feishu.AppSecret != "" || s.AppKey != "" || s.Yunxin.AppSecret != ""}
	if o.partitions > 0 {
		plan.cluster.Partitions = worker.Count(o.partitions)
	}
	if !plan.extracts {
		return plan, nil
	}
	if err := worker.Load(&plan.extractor); err != nil {
		return nil, err
	}
	if err := worker.Load(&plan.normalizer); err != nil {
		return nil, err
	}
	return plan, nil
}

func (t *tool) up(ctx context.Context, o upOptions) error {
	plan, err := planUp(o)
	if err != nil {
		return err
	}
	if err := checkDirectory(o.dir); err != nil {
		return err
	}
	logger := plan.cluster.NewLogger(t.stderr)
	plan.cluster.Warn(logger)
	t.broker.Store(true)
	in, err := openInstallation(ctx, local.Config{
		Dir: o.dir, KafkaPort: o.kafkaPort, RegistryPort: o.registryPort, Logger: logger,
	}, plan.cluster)
	if err != nil {
		return err
	}
	// The stages end before the broker does: a transaction that is open when it closes would be lost.
	return in.close(in.run(ctx, func(ctx context.Context) error { return t.upRun(ctx, plan, in, logger) }))
}

func (t *tool) upRun(ctx context.Context, plan *upPlan, in *installation, logger *slog.Logger) error {
	if !plan.extracts {
		if err := t.printUp(in, false); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	plan.extractor.Cluster, plan.normalizer.Cluster = in.cluster, in.cluster
	plan.normalizer.StateDir = in.stateDir()
	s, err := openStages(ctx, plan.extractor, plan.normalizer, logger)
	if err != nil {
		return stopped(ctx, err)
	}
	if err = t.printUp(in, true); err == nil {
		news := t.startNews(ctx, s)
		err = s.run(ctx)
		news.end()
	}
	return errors.Join(stopped(ctx, err), s.close())
}

// stopped drops the error of what was told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ignoreCancelled(err)
	}
	return err
}

// opened is what programs are told of a running installation.
type opened struct {
	Brokers     string   `json:"kafka_brokers"`
	RegistryURL string   `json:"schema_registry_url"`
	Dir         string   `json:"data"`
	Created     []string `json:"topics_created"`
	Extracts    bool     `json:"extracts"`
}

func (t *tool) printUp(in *installation, extracts bool) error {
	o := opened{
		Brokers: strings.Join(in.cluster.Brokers, ","), RegistryURL: in.cluster.RegistryURL, Dir: in.dir,
		Created: append([]string{}, in.created...), Extracts: extracts,
	}
	if t.json() {
		return printJSON(t.out, o, true)
	}
	what := "extractor and normalizer run. Have chats read, from another shell:"
	if !extracts {
		what = "No platform has credentials: only broker and registry run. With FEISHU_APP_ID and FEISHU_APP_SECRET set, or\n" +
			"YUNXIN_APP_KEY and YUNXIN_APP_SECRET, extractor and normalizer run here too. From another shell:"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Kafka            %s\nschema registry  %s\ndata             %s\n\n%s\n\n", o.Brokers, o.RegistryURL, clean(o.Dir), what)
	printNext(&b, in, self()+" containers add --platform feishu --kind chat --id oc_…",
		self()+" containers add --platform yunxin --kind conversation --id 'alice|1|bob'")
	b.WriteString("\nStop with Ctrl-C; everything is kept.\n")
	_, err := t.out.Write([]byte(b.String()))
	return err
}

// printNext names commands to try on an installation that runs.
func printNext(b *strings.Builder, in *installation, more ...string) {
	broker := in.cluster.Brokers[0]
	if broker != "127.0.0.1:9092" || in.cluster.RegistryURL != "http://127.0.0.1:8081" {
		fmt.Fprintf(b, "  export KAFKA_BROKERS=%s SCHEMA_REGISTRY_URL=%s\n", broker, in.cluster.RegistryURL)
	}
	for _, line := range append(more,
		self()+" containers list",
		self()+" tail --from-beginning",
		fmt.Sprintf("kcat -b %s -t %s.raw.pages -C -o beginning -c 1 -J", broker, in.cluster.Prefix),
	) {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

// shortPath is a path as people would type it from here.
func shortPath(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	short, err := filepath.Rel(here, path)
	if err != nil || strings.HasPrefix(short, "..") {
		return path
	}
	return "." + string(filepath.Separator) + short
}
