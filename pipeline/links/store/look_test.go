//go:build linux || darwin || freebsd

package store_test

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"chatlake/pipeline/links/store"
)

// TestLookChangesNothing: whatever is looked at, there or not.
func TestLookChangesNothing(t *testing.T) {
	base := t.TempDir()
	dir := filepath.Join(base, "a", "b")
	f, err := store.Look(dir)
	if err != nil || f.Exists || !f.Writable || f.In != base || f.Free <= 0 || f.Holder != 0 {
		t.Errorf("not there: %+v, %v", f, err)
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	f, err = store.Look(dir)
	if err != nil || !f.Exists || !f.Writable || !f.Mine || f.Owner != os.Geteuid() || f.Mode.Perm() != 0o750 || f.Holder != 0 {
		t.Errorf("empty: %+v, %v", f, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Look(file); err == nil {
		t.Error("a file is a directory")
	}
	if _, err := store.Look(filepath.Join(file, "below")); err == nil {
		t.Error("a directory could be made below a file")
	}
}

const holdVariable = "CHATLAKE_TEST_HOLD"

// TestLookNamesTheHolder: another process has the index open; that it is looked at does not take it away.
func TestLookNamesTheHolder(t *testing.T) {
	if dir := os.Getenv(holdVariable); dir != "" { // the other process
		ix, err := store.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = os.Stdout.WriteString("open\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until the test is done
		if err := ix.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	other := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLookNamesTheHolder$")
	other.Env = append(os.Environ(), holdVariable+"="+dir)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 5)
	if _, err := out.Read(said); err != nil || !strings.HasPrefix(string(said), "open") {
		t.Fatalf("the other process says %q, %v", said, err)
	}
	for range 2 {
		if f, err := store.Look(dir); err != nil || f.Holder != other.Process.Pid {
			t.Errorf("held by %d, not %d: %v", f.Holder, other.Process.Pid, err)
		}
	}
	_ = in.Close()
	_ = other.Wait() // its own failures are on its output
	if f, err := store.Look(dir); err != nil || f.Holder != 0 {
		t.Errorf("after its end: %+v, %v", f, err)
	}
}
