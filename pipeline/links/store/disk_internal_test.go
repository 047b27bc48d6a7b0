package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"chatlake/pipeline/links/graph"
)

// The environment of a child process that fills a disk: the directory, and after how many writes it is full; 0: by itself.
const (
	fillDir   = "CHATLAKE_TEST_FILL_DIR"
	fillAfter = "CHATLAKE_TEST_FILL_AFTER"
)

// full fails every write but the first n, as a full disk does.
type full struct{ left atomic.Int64 }

func (f *full) String() string { return "a full disk" }

func (f *full) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileWrite, errorfs.OpCreate, errorfs.OpFilePreallocate, errorfs.OpReuseForWrite:
		if f.left.Add(-1) < 0 {
			return &os.PathError{Op: "write", Path: op.Path, Err: syscall.ENOSPC}
		}
	}
	return nil
}

// entry is what the n-th Apply publishes: its value follows from the offset.
func entry(t testing.TB, p *Partition, i int64) {
	t.Helper()
	n, err := p.Record(nodeOf(i))
	if err == nil {
		err = p.Publish(n, Published{Version: i + 1, Value: Place{Offset: i}}, valueOf(i))
	}
	if err == nil {
		err = p.Apply(Applied{Offset: i + 1, PageOffset: i, PageID: "p"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func nodeOf(i int64) graph.Key { return graph.Key(fmt.Sprintf("\x00\x00\x00\x01m%d", i)) }

func valueOf(i int64) []byte {
	b := make([]byte, 40_000)
	for chance, at := rand.New(rand.NewPCG(uint64(i), 1)), 0; at < len(b); at += 8 {
		binary.LittleEndian.PutUint64(b[at:], chance.Uint64())
	}
	return b
}

// TestFillsADisk is the child process: it fills its disk until it ends.
func TestFillsADisk(t *testing.T) {
	dir := os.Getenv(fillDir)
	if dir == "" {
		t.Skip("runs in a process of its own, started by TestFullDisk")
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	after, err := strconv.ParseInt(os.Getenv(fillAfter), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	ix, err := fill(dir, after, logger)
	if err != nil { // as a program does
		logger.Error(err.Error())
		os.Exit(1)
	}
	p := ix.Partition(0)
	from, _, err := p.Applied()
	if err != nil {
		t.Fatal(err)
	}
	for i := from.Offset; i < from.Offset+20_000; i++ {
		entry(t, p, i)
	}
	t.Error("the disk is still not full")
}

func fill(dir string, after int64, logger *slog.Logger) (*Index, error) {
	if after == 0 {
		return Open(dir, logger)
	}
	f := &full{}
	f.left.Store(after)
	made, err := matches(dir)
	if err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, err
	}
	return (&disk{FS: errorfs.Wrap(vfs.Default, f), dir: dir, log: logger}).open(lock, made)
}

// whole expects an index to be a whole past: all that was applied is there, nothing else.
func whole(t *testing.T, dir string) (applied int64) {
	t.Helper()
	ix, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := ix.Partition(0)
	a, _, err := p.Applied()
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Offset + 1 {
		n, err := p.Record(nodeOf(i))
		if err != nil || (n.Published.Version == i+1) != (i < a.Offset) {
			t.Fatalf("node %d: version %d (%v), applied up to %d", i, n.Published.Version, err, a.Offset)
		}
		if i == a.Offset {
			break
		}
		if b, err := p.Value(Place{Offset: i}); err != nil || !bytes.Equal(b, valueOf(i)) {
			t.Fatalf("body %d: %d bytes (%v)", i, len(b), err)
		}
	}
	entry(t, p, a.Offset)
	return a.Offset
}

// TestFullDisk has the disk full at one write or another: the process ends soon with one line that says where there is no
// space, and goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	real := os.Getenv("CHATLAKE_TEST_FULL_DISK") // a directory on a small file system, to be tried by hand
	afters := []int64{1, 3, 9, 12, 20, 60, 400, 900, 1500}
	if real != "" {
		dir, afters = real, []int64{0, 0, 0}
	}
	last := int64(0)
	for _, after := range afters {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFillsADisk$", "-test.timeout=60s")
		cmd.Env = append(os.Environ(), fillDir+"="+dir, fillAfter+"="+strconv.FormatInt(after, 10))
		began := time.Now()
		out, _ := cmd.CombinedOutput() // its code is looked at below
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		said := "no space left for the state directory " + dir + " (NORMALIZER_STATE_DIR)"
		if cmd.ProcessState.ExitCode() != 1 || len(lines) != 1 || !strings.Contains(lines[0], said) || time.Since(began) > 30*time.Second {
			t.Fatalf("full after %d writes: exit code %d after %v, %d lines:\n%.2000s", after, cmd.ProcessState.ExitCode(), time.Since(began), len(lines), out)
		}
		if real != "" {
			t.Logf("ended after %v: %s", time.Since(began), lines[0])
			continue // there is no room to go on
		}
		now := whole(t, dir)
		if now < last {
			t.Errorf("full after %d writes: the index fell from offset %d to %d", after, last, now)
		}
		last = now
	}
	if last == 0 && real == "" {
		t.Error("nothing was ever written")
	}
}
