package e2e_test

import (
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/simulator"
)

// BenchmarkNormalizer normalizes the raw pages of at least 200,000 messages from an embedded broker in this process,
// each time into a new output, and reports messages a second. Run it with -benchtime=1x or a few.
func BenchmarkNormalizer(b *testing.B) {
	const want = 200_000
	s := newSite(b, options{world: simulator.Options{Seed: 100, AppID: "cli_bench0"}, partitions: 12})
	shown, versions := 0, int64(0)
	for k := int64(1); ; k++ {
		s.add(1, s.chats()...)
		s.once("extractor", 0)
		if shown += s.feishu.Report().InLists; shown >= want {
			break
		}
		s.another(simulator.Options{Seed: 100 + k, AppID: fmt.Sprintf("cli_bench%d", k)})
	}
	s.world, s.feishu = nil, nil // what they hold would be scanned by each collection while the clock runs
	runtime.GC()
	worker.TuneMemory()                 // as the program does
	debug.SetMemoryLimit(math.MaxInt64) // but the broker's memory is in this process too
	b.ResetTimer()
	for i := range b.N {
		settings := worker.NormalizerSettings{
			Cluster: worker.Cluster{Brokers: strings.Split(s.brokers, ","), RegistryURL: s.registry, Prefix: s.prefix, Partitions: 12},
			Output:  fmt.Sprintf("%s.bench%d", s.prefix, i), Group: fmt.Sprintf("%s-bench%d", s.prefix, i),
			StateDir: b.TempDir(), Interval: 200 * time.Millisecond,
		}
		b.StopTimer()
		if _, err := settings.Prepare(b.Context(), settings.Output, false, slog.New(slog.DiscardHandler)); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		n, err := worker.NewNormalizer(b.Context(), settings, true, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		if err := n.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		got := n.Stage.Stats().Messages.Load()
		if got < int64(shown) || i > 0 && got != versions {
			b.Fatalf("%d versions for %d messages that were shown, %d before", got, shown, versions)
		}
		versions = got
		if err := n.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(versions)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(versions), "messages")
}
