package local

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// broker is franz-go's kfake with a data directory.
type broker struct {
	cluster *kfake.Cluster
	address string
	unwatch func() // ends the search for ghosts
}

func openBroker(c Config, ln net.Listener, space *space) (*broker, error) {
	dir, err := subdirectory(c.Dir, "kafka")
	if err != nil {
		return nil, err
	}
	guarded := newGuard(ln, c.Host, c.Logger, space)
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID("chatlake-local"),
		kfake.DataDir(dir),
		kfake.WithLogger(logger{c.Logger, space.heard}),
		// The port is taken before, so that a taken one has a message of its own.
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guarded, nil }),
		kfake.BrokerConfigs(brokerSettings()),
	)
	if err != nil {
		return nil, fmt.Errorf("open broker in %s: %w", dir, err)
	}
	return &broker{cluster, guarded.Addr().String(), RemoveGhosts(cluster, c.Logger)}, nil
}

func brokerSettings() map[string]string {
	return map[string]string{
		"default.replication.factor": "1",
		// kfake compacts by deleting a partition's segments and writing new ones, so that a crash in between loses the
		// partition. Its cleaner therefore never comes round; topics with cleanup.policy=compact are kept whole, and retention,
		// which the same cleaner applies, does not shorten a topic either.
		"log.cleaner.backoff.ms": strconv.FormatInt(math.MaxInt64/1_000_000, 10),
		// A group that nobody joined for a week would lose its offsets and read everything again. kfake counts in nanoseconds:
		// above 292 years they overflow, and every empty group loses its offsets within ten minutes.
		"offsets.retention.minutes": strconv.Itoa(100 * 365 * 24 * 60),
	}
}

// How long the broker may take to write its state, file by file: on a disk that fails for ever, on a busy one for seconds.
const (
	closeTime  = time.Minute
	failedTime = 4 * time.Second // where it has failed to write before
)

// close writes the state and ends the listener and all connections, within limit.
func (b *broker) close(limit time.Duration) error {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.unwatch()
		b.cluster.Close()
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-closed:
		return nil
	case <-late.C: // it ends with the process
		return fmt.Errorf("embedded broker did not end within %s: its next start recovers what was acknowledged, as after a kill", limit)
	}
}

// logger turns kfake's log into slog. What kfake calls info is a line for each request.
type logger struct {
	to    *slog.Logger
	heard func(line string) // of warnings and errors
}

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	at := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		at = slog.LevelError
	case kfake.LogLevelWarn:
		at = slog.LevelWarn
	case kfake.LogLevelNone, kfake.LogLevelDebug:
		return
	}
	if at >= slog.LevelWarn {
		l.heard(fmt.Sprintf(format, args...))
	}
	if ctx := context.Background(); l.to.Enabled(ctx, at) {
		l.to.Log(ctx, at, "embedded broker: "+fmt.Sprintf(format, args...))
	}
}
