//go:build unix

package local_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"chatlake/local"
)

// disk is a file system whose free space a test sets.
type disk struct{ free atomic.Int64 }

func (d *disk) config(dir string) local.Config {
	return local.WithFree(local.Config{Dir: dir, Compatible: alike}, func(string) (int64, error) { return d.free.Load(), nil })
}

// unsure produces without idempotence, so that a client gives up a record that has no answer.
func unsure(t *testing.T, broker string) *kgo.Client {
	t.Helper()
	return client(t, broker, kgo.DefaultProduceTopic("t"), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0), kgo.ProducerLinger(0))
}

// TestFullDisk: records stop before the disk is full, what ends a transaction goes on for a while, the failure names the
// directory and the remedy, and after room was made all that was acknowledged is there, and nothing else.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	var d disk
	d.free.Store(1 << 30)
	s := start(t, d.config(dir))
	createTopic(t, client(t, s.Brokers()[0]), "t", nil)
	tx := client(t, s.Brokers()[0], kgo.TransactionalID("x"), kgo.DefaultProduceTopic("t"))
	must(t, tx.BeginTransaction())
	must(t, tx.ProduceSync(deadline(t), kgo.StringRecord("within")).FirstErr())

	d.free.Store(31 << 20)
	if err := unsure(t, s.Brokers()[0]).ProduceSync(deadline(t), kgo.StringRecord("refused")).FirstErr(); err == nil {
		t.Error("a record was acknowledged on a full disk")
	}
	err := <-s.Failed()
	if !errors.Is(err, local.ErrNoSpace) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "31 MiB") || strings.Contains(err.Error(), "\n") {
		t.Errorf("failed with %v", err)
	}
	must(t, tx.EndTransaction(context.WithoutCancel(deadline(t)), kgo.TryCommit))
	d.free.Store(1 << 30) // for a moment: what has failed stays so
	if err := unsure(t, s.Brokers()[0]).ProduceSync(deadline(t), kgo.StringRecord("refused too")).FirstErr(); err == nil {
		t.Error("a record was acknowledged after the failure was reported")
	}
	d.free.Store(7 << 20)
	if _, err := local.Start(t.Context(), d.config(t.TempDir())); !errors.Is(err, local.ErrNoSpace) {
		t.Errorf("a start without room: %v", err)
	}
	must(t, s.Close())

	d.free.Store(1 << 30)
	s = start(t, d.config(dir))
	cl := unsure(t, s.Brokers()[0])
	must(t, cl.ProduceSync(deadline(t), kgo.StringRecord("after")).FirstErr())
	values := map[string]int{}
	for _, r := range read(t, s.Brokers()[0], "t", 2) {
		values[string(r.Value)]++
	}
	if len(values) != 2 || values["within"] != 1 || values["after"] != 1 {
		t.Errorf("read %v", values)
	}
}

// TestDiskFilledByOthers: an installation where nothing is written notices it too.
func TestDiskFilledByOthers(t *testing.T) {
	var d disk
	d.free.Store(1 << 30)
	s := start(t, d.config(t.TempDir()))
	d.free.Store(0)
	if err := <-s.Failed(); !errors.Is(err, local.ErrNoSpace) {
		t.Errorf("failed with %v", err)
	}
	must(t, s.Close())
}

// fileLimit, in a child's environment, is how long its files may become.
const fileLimit = "CHATLAKE_LOCAL_TEST_FILE_LIMIT"

// limitFiles has every write beyond a length fail in this process, as a quota would: no free space tells of it.
func limitFiles(bytes uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: bytes, Max: bytes})
}

// TestWritesThatFail: a broker whose writes fail says so, and whatever it had acknowledged before is there afterwards.
func TestWritesThatFail(t *testing.T) {
	t.Setenv(fileLimit, "300000")
	dir := t.TempDir()
	p := spawn(t, dir)
	must(t, os.Unsetenv(fileLimit))
	createTopic(t, client(t, p.broker), "t", nil)
	cl := unsure(t, p.broker)
	var acknowledged []string
	for i := 0; ; i++ {
		value := fmt.Sprintf("%d %s", i, strings.Repeat("x", 10_000))
		if err := cl.ProduceSync(deadline(t), &kgo.Record{Partition: 0, Value: []byte(value)}).FirstErr(); err != nil {
			break
		}
		acknowledged = append(acknowledged, value)
	}
	line, err := p.out.ReadString('\n')
	must(t, err)
	if !strings.Contains(line, local.ErrWrite.Error()) || !strings.Contains(line, filepath.Join(dir)) || !strings.Contains(line, "file too large") {
		t.Errorf("the installation said %q", line)
	}
	p.kill(t)
	if len(acknowledged) < 10 {
		t.Fatalf("%d records were acknowledged", len(acknowledged))
	}
	s := start(t, local.Config{Dir: dir})
	count := map[string]int{}
	for _, r := range read(t, s.Brokers()[0], "t", len(acknowledged)) {
		count[string(r.Value)]++
	}
	for _, v := range acknowledged {
		if count[v] != 1 {
			t.Errorf("record %.10s is there %d times", v, count[v])
		}
	}
}
