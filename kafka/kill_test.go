package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/kafka"
)

// What makes this test binary a worker of TestKilledWorkers.
const (
	workerBrokers = "CHATLAKE_TEST_WORKER_BROKERS"
	workerPrefix  = "CHATLAKE_TEST_WORKER_PREFIX"
	// killsWanted is how often TestKilledWorkers kills; the default keeps the suite short.
	killsWanted = "CHATLAKE_KILLS"
)

func TestMain(m *testing.M) {
	if brokers := os.Getenv(workerBrokers); brokers != "" {
		if err := work(brokers, os.Getenv(workerPrefix)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// work copies until it is killed, or its standard input is closed by a parent that died.
func work(brokers, prefix string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := kafka.NewClient(kafka.Config{Brokers: strings.Split(brokers, ","), Logger: log})
	if err != nil {
		return err
	}
	p := place{brokers: []string{brokers}, prefix: prefix}
	c.Shorten(kafka.Waits{Session: 6 * time.Second, Heartbeat: 300 * time.Millisecond, Rebalance: 6 * time.Second, JoinBackoff: 100 * time.Millisecond})
	if os.Getenv(realBroker) == "" {
		c.Shorten(kafka.Waits{Session: 500 * time.Millisecond, Heartbeat: 50 * time.Millisecond, Rebalance: 3 * time.Second})
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		cancel()
	}()
	s := copying{from: p.name("in"), to: p.name("out"), batch: 7, n: -1}
	return c.Own(ctx, s.ownership(p.name("group")), s.run)
}

func TestKilledWorkers(t *testing.T) {
	kills := 10
	if s := os.Getenv(killsWanted); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatalf("%s: %v", killsWanted, err)
		}
	}
	p := anywhere(t)
	c := p.quick(p.client(t))
	in, out := p.name("in"), p.name("out")
	const partitions = 4
	p.topics(t, c, partitions, in, out)
	ctx := within(t, time.Duration(kills)*20*time.Second+2*time.Minute)

	sent := 0
	feed := func(n int) {
		t.Helper()
		for i := range int32(partitions) {
			must(t, c.Produce(ctx, numbered(in, i, sent+n)[sent:]))
		}
		sent += n
	}
	feed(300)
	var workers [2]*worker
	for i := range workers {
		workers[i] = start(t, p)
	}
	for range kills {
		// Work must be under way when it is interrupted: some progress, then a random moment more.
		before := copied(t, c, out, partitions)
		for copied(t, c, out, partitions) == before {
			feed(20)
			wait(t, ctx, 20*time.Millisecond)
		}
		feed(300)
		wait(t, ctx, rand.N(30*time.Millisecond))
		i := rand.IntN(len(workers))
		workers[i].kill()
		workers[i] = start(t, p)
	}
	// The topic's end counts markers too, so the values are counted.
	for i := range int32(partitions) {
		for len(values(t, c, out, i)) < sent {
			wait(t, ctx, 100*time.Millisecond)
		}
	}
	for _, w := range workers {
		w.stop(t)
	}
	for i := range int32(partitions) {
		exactly(t, "reader", values(t, c, out, i), i, sent)
		exactly(t, "referee", referee(t, p, out, i), i, sent)
	}
	t.Logf("%d kills, %d records, none lost, none doubled", kills, sent*partitions)
}

// copied is how far the output has got, in offsets.
func copied(t *testing.T, c *kafka.Client, topic string, partitions int32) int64 {
	t.Helper()
	var sum int64
	for i := range partitions {
		_, stable, err := c.Offsets(within(t, time.Minute), topic, i)
		must(t, err)
		sum += stable
	}
	return sum
}

func wait(t *testing.T, ctx context.Context, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		t.Fatal("no progress in time")
	}
}

type worker struct {
	cmd   *exec.Cmd
	stdin *os.File
	log   *os.File
}

func start(t *testing.T, p place) *worker {
	t.Helper()
	in, stdin, err := os.Pipe()
	must(t, err)
	defer in.Close()
	log, err := os.CreateTemp(t.TempDir(), "worker")
	must(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), workerBrokers+"="+strings.Join(p.brokers, ","), workerPrefix+"="+p.prefix)
	cmd.Stdin, cmd.Stderr = in, log
	must(t, cmd.Start())
	w := &worker{cmd, stdin, log}
	t.Cleanup(func() {
		w.kill()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s\n%s", log.Name(), text)
		}
	})
	return w
}

func (w *worker) kill() {
	if w.cmd.ProcessState != nil {
		return
	}
	_ = w.cmd.Process.Kill()
	_ = w.cmd.Wait()
	w.stdin.Close()
	w.log.Close()
}

// stop asks for an orderly end, which must come soon and without an error.
func (w *worker) stop(t *testing.T) {
	t.Helper()
	w.stdin.Close()
	began := time.Now()
	if err := w.cmd.Wait(); err != nil {
		text, _ := os.ReadFile(w.log.Name())
		t.Errorf("worker: %v\n%s", err, text)
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("worker took %v to end", d)
	}
}
