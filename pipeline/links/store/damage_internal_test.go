package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// damages are what becomes of a file.
var damages = map[string]func(chance *rand.Rand, b []byte) []byte{
	"cut":     func(chance *rand.Rand, b []byte) []byte { return b[:chance.IntN(len(b))] },
	"emptied": func(*rand.Rand, []byte) []byte { return nil },
	"garbled": func(chance *rand.Rand, b []byte) []byte {
		for range 1 + len(b)/2000 {
			b[chance.IntN(len(b))] ^= byte(1 + chance.IntN(255))
		}
		return b
	},
	"zeroed": func(chance *rand.Rand, b []byte) []byte { clear(b[chance.IntN(len(b)):]); return b },
	"lost":   nil,
}

// TestDamageIsNoticed damages each kind of file in each way. What is read afterwards is a whole past, or an error with what
// happens next, after which the index is empty; never a part.
func TestDamageIsNoticed(t *testing.T) {
	sound := t.TempDir()
	for range 3 {
		ix, err := Open(sound, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		p := ix.Partition(0)
		a, _, err := p.Applied()
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(80) {
			entry(t, p, a.Offset+i)
		}
		if err := ix.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(sound)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[string]int{}
	for _, f := range files {
		if f.Name() == "LOCK" {
			continue
		}
		for what, damage := range damages {
			for seed := range uint64(1) {
				name := fmt.Sprintf("%s %s (%d)", f.Name(), what, seed)
				dir := t.TempDir()
				if err := os.CopyFS(dir, os.DirFS(sound)); err != nil {
					t.Fatal(err)
				}
				at := filepath.Join(dir, f.Name())
				if damage == nil {
					err = os.Remove(at)
				} else if b, rerr := os.ReadFile(at); rerr != nil || len(b) == 0 {
					err = rerr
				} else {
					err = os.WriteFile(at, damage(rand.New(rand.NewPCG(seed, 9)), b), 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
				outcomes[reads(t, name, dir)]++
			}
		}
	}
	t.Logf("%d files, outcomes: %v", len(files), outcomes)
	for _, o := range []string{"whole", "empty", "error, then empty"} {
		if outcomes[o] == 0 {
			t.Errorf("never: %s", o)
		}
	}
}

// reads looks at an index in a process of its own, since some damage ends it, and again where that was the end.
func reads(t *testing.T, name, dir string) string {
	t.Helper()
	look := func() (code int, out string) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestReadsAnIndex$", "-test.timeout=30s")
		cmd.Env = append(os.Environ(), readDir+"="+dir)
		b, _ := cmd.CombinedOutput() // its code is given
		return cmd.ProcessState.ExitCode(), string(b)
	}
	code, out := look()
	outcome := ""
	if code == 3 || code == 1 && !strings.Contains(out, "FAIL") { // 1: Pebble met it in the background
		if !strings.Contains(out, dir) || strings.Contains(out, "goroutine") || strings.Count(strings.TrimSpace(out), "\n") > 2 {
			t.Errorf("%s: says\n%.1500s", name, out)
		}
		outcome = "error, then "
		code, out = look()
	}
	switch code {
	case 4:
		return outcome + "whole"
	case 5:
		return outcome + "empty"
	}
	t.Errorf("%s: exit code %d after %q\n%.1500s", name, code, outcome, out)
	return ""
}

const readDir = "CHATLAKE_TEST_READ_DIR"

// TestReadsAnIndex is the process that looks: it ends with 3 after an error, 4 where all is whole, 5 where nothing is there.
func TestReadsAnIndex(t *testing.T) {
	dir := os.Getenv(readDir)
	if dir == "" {
		t.Skip("runs in a process of its own, started by TestDamageIsNoticed")
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	end := func(err error) {
		fmt.Fprintln(os.Stderr, err.Error())
		os.Exit(3)
	}
	ix, err := Open(dir, logger)
	if err != nil {
		end(err)
	}
	p := ix.Partition(0)
	a, _, err := p.Applied()
	if err != nil {
		end(err)
	}
	for i := range max(a.Offset, 240) {
		n, err := p.Record(nodeOf(i))
		if err != nil {
			end(err)
		}
		if (n.Published.Version == i+1) != (i < a.Offset) {
			t.Fatalf("node %d: version %d, applied up to %d", i, n.Published.Version, a.Offset)
		}
		b, err := p.table.get(p.table.at(keyValue, Place{Offset: i}.text()))
		if err != nil {
			end(err)
		}
		if i < a.Offset != bytes.Equal(b, valueOf(i)) {
			end(errors.New("body of another time"))
		}
	}
	if a.Offset == 0 {
		os.Exit(5)
	}
	os.Exit(4)
}
