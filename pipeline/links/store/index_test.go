package store_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"chatlake/pipeline/links/graph"
	"chatlake/pipeline/links/store"
)

// The test binary is also the other process that holds a directory.
const holding = "CHATLAKE_TEST_HOLDS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holding); dir != "" {
		if _, err := store.Open(dir, discard()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("held")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test is done with it
		os.Exit(0)                           // without Close, as a kill would
	}
	os.Exit(m.Run())
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t testing.TB, dir string) *store.Index {
	t.Helper()
	ix, err := store.Open(dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ix.Close(); err != nil {
			t.Error(err)
		}
	})
	return ix
}

func shut(t testing.TB, ix *store.Index) {
	t.Helper()
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, p *store.Partition, a store.Applied) {
	t.Helper()
	if err := p.Apply(a); err != nil {
		t.Fatal(err)
	}
}

// fill gives a node in which every field differs from every other's, and what was published of it.
func fill(n *store.Record, i int64) {
	whole := func(v int64) *int64 { return &v }
	reading := func(j int64) graph.Reading {
		return graph.Reading{
			Rank:      graph.Rank{State: 1, Highest: 1 - j, Source: 1, Time: j + 3, Page: 1<<63 + uint64(j), Place: uint32(j) + 1<<31},
			UpdatedAt: j + 4, RecalledAt: -j, ConversationSeq: whole(j), ThreadSeq: whole(-j), ThreadID: "t" + fmt.Sprint(j), CopyOf: "o",
			Parent: graph.Target{ID: "p", ClientID: "pc", SenderID: "ps", CreatedAt: j, Reason: "pr"}, Root: graph.Target{ClientID: "c"},
			ThreadByRoot: true, SenderID: "s", ClientID: "id", CreatedAt: j + 5,
		}
	}
	n.Readings = []graph.Reading{reading(i), {Rank: graph.Rank{Time: i}}}
	n.Revision, n.Fixed, n.Deleted, n.Linked, n.Asked, n.ThreadRoot = i, i%2 == 0, i%3 == 0, i%5 == 0, true, i%7 == 0
	n.Expansion = graph.Expansion{Status: graph.ExpansionPartial, Rank: graph.Rank{Time: i}, Reason: "nested", Children: whole(i), Descendants: whole(i + 1)}
	n.Parent = graph.Link{Status: graph.Missing, Reason: "r", ID: "p", ClientID: "c", SenderID: "s", CreatedAt: i}
	n.Root = graph.Link{Status: graph.Resolved, ID: "root"}
	n.Thread = "thread"
	n.Depth, n.Answer, n.Hint, n.Owner, n.OwnerTime = uint8(i), graph.Answer{Status: graph.Deleted, Reason: "why"}, i, "owner", i
	n.Published = store.Published{Version: i + 1, Edited: -i, State: 1, Digest: ^uint64(i), Cut: i%11 == 0, Value: store.Place{Offset: i, No: uint32(i)}}
	n.Changed = true
}

func key(id string) graph.Key { return graph.Key("\x00\x00\x00\x01m" + id) }

func put(t testing.TB, p *store.Partition, id string, i int64) {
	t.Helper()
	n, err := p.Record(key(id))
	if err != nil {
		t.Fatal(err)
	}
	fill(n, i)
}

func expect(t testing.TB, p *store.Partition, id string, i int64, there bool) {
	t.Helper()
	want := &store.Record{Node: *graph.NewNode()}
	if there {
		want = &store.Record{}
		fill(want, i)
	}
	got, err := p.Record(key(id))
	if err != nil || plain(got) != plain(want) {
		t.Errorf("node %q: %s, %v; want %s", id, plain(got), err, plain(want))
	}
}

// plain is a node as text with its pointers followed.
func plain(n *store.Record) string {
	unmarked := *n
	unmarked.Changed = false
	b, err := json.Marshal(unmarked)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func setKind(t testing.TB, p *store.Partition, conversation, kind string) {
	t.Helper()
	c, err := p.Conversation(conversation)
	if err == nil {
		err = p.SetKind(conversation, c, kind)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func expectKind(t testing.TB, p *store.Partition, conversation, want string) {
	t.Helper()
	c, err := p.Conversation(conversation)
	if err != nil || c.Kind != want {
		t.Errorf("kind of %q: %+v, %v; want %q", conversation, c, err, want)
	}
}

func expectApplied(t testing.TB, p *store.Partition, want store.Applied, there bool) {
	t.Helper()
	if got, ok, err := p.Applied(); err != nil || ok != there || got != want {
		t.Errorf("applied %+v, %v, %v; want %+v, %v", got, ok, err, want, there)
	}
}

func TestEntriesRoundTrip(t *testing.T) {
	dir := t.TempDir()
	ix := open(t, dir)
	p := ix.Partition(3)
	expectApplied(t, p, store.Applied{}, false)
	expect(t, p, "a", 0, false)
	expectKind(t, p, "c", "")
	for i, id := range []string{"a", "", "ab", "a\x00", "你好", strings.Repeat("x", 5000)} {
		put(t, p, id, int64(i))
	}
	setKind(t, p, "c", "GROUP")
	expect(t, p, "ab", 2, true) // pending
	expectKind(t, p, "c", "GROUP")
	at := store.Applied{Offset: 1 << 40, PageOffset: -1, PageID: ""}
	apply(t, p, at)
	p.Close()
	shut(t, ix)
	p = open(t, dir).Partition(3)
	defer p.Close()
	expectApplied(t, p, at, true)
	for i, id := range []string{"a", "", "ab", "a\x00", "你好", strings.Repeat("x", 5000)} {
		expect(t, p, id, int64(i), true)
	}
	expect(t, p, "b", 0, false)
	expectKind(t, p, "c", "GROUP")
	at = store.Applied{Offset: 7, PageOffset: 6, PageID: "0123"}
	apply(t, p, at)
	expectApplied(t, p, at, true)
}

func TestDiscardDropsWhatIsPending(t *testing.T) {
	p := open(t, t.TempDir()).Partition(0)
	defer p.Close()
	put(t, p, "a", 1)
	apply(t, p, store.Applied{Offset: 1})
	put(t, p, "a", 2)
	put(t, p, "b", 3)
	setKind(t, p, "c", "P2P")
	p.Discard()
	expect(t, p, "a", 1, true)
	expect(t, p, "b", 0, false)
	expectKind(t, p, "c", "")
	apply(t, p, store.Applied{Offset: 2})
	expect(t, p, "b", 0, false)
}

func TestPartitionsAreApart(t *testing.T) {
	ix := open(t, t.TempDir())
	ids := []int32{0, 1, 2, 255, 256, 1<<31 - 1}
	parts := map[int32]*store.Partition{}
	for _, id := range ids {
		p := ix.Partition(id)
		defer p.Close()
		parts[id] = p
		put(t, p, "a", int64(id))
		setKind(t, p, "c", fmt.Sprint(id))
		apply(t, p, store.Applied{Offset: int64(id)})
	}
	gone := map[int32]bool{}
	for _, drop := range []int32{1, 255, 1<<31 - 1} {
		if err := parts[drop].Reset(); err != nil {
			t.Fatal(err)
		}
		gone[drop] = true
		for _, id := range ids {
			if gone[id] {
				expectApplied(t, parts[id], store.Applied{}, false)
				expect(t, parts[id], "a", 0, false)
				expectKind(t, parts[id], "c", "")
				continue
			}
			expectApplied(t, parts[id], store.Applied{Offset: int64(id)}, true)
			expect(t, parts[id], "a", int64(id), true)
			expectKind(t, parts[id], "c", fmt.Sprint(id))
		}
	}
}

// copyDir copies a directory as a crash would leave it: without Close, whatever the files hold at that moment, files
// that vanish while it goes on included.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			if os.IsNotExist(err) {
				continue
			}
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestCrashLeavesAWholePast cuts the newest log file at many lengths: whatever is left must be one of the states that
// there were, with the entries, kinds and applied offset of that one.
func TestCrashLeavesAWholePast(t *testing.T) {
	dir := t.TempDir()
	ix := open(t, dir)
	p := ix.Partition(0)
	const steps, width = 60, 40
	for n := int64(1); n <= steps; n++ {
		for i := range width {
			put(t, p, fmt.Sprint(i), n)
		}
		setKind(t, p, "c", fmt.Sprint(n))
		apply(t, p, store.Applied{Offset: n, PageOffset: n - 1, PageID: fmt.Sprint(n)})
	}
	// What is not synced reaches the file by and by.
	for logged := int64(0); logged < 200_000; {
		files, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			t.Fatal(err)
		}
		logged = 0
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			logged += info.Size()
		}
		if t.Context().Err() != nil {
			t.Fatal("nothing was logged")
		}
		runtime.Gosched()
	}
	crashed := copyDir(t, dir)
	logs, err := filepath.Glob(filepath.Join(crashed, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no log file: %v", err)
	}
	newest := logs[len(logs)-1]
	whole, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]bool{}
	for cut := 0; cut <= len(whole); cut += max(1, len(whole)/25) {
		left := copyDir(t, crashed)
		if err := os.WriteFile(filepath.Join(left, filepath.Base(newest)), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		again := open(t, left)
		q := again.Partition(0)
		a, ok, err := q.Applied()
		if err != nil {
			t.Fatal(err)
		}
		seen[a.Offset] = true
		want := int64(0)
		if ok {
			kind := fmt.Sprint(a.Offset)
			want = a.Offset
			expectApplied(t, q, store.Applied{Offset: a.Offset, PageOffset: a.Offset - 1, PageID: kind}, true)
			expectKind(t, q, "c", kind)
		}
		for i := range width {
			expect(t, q, fmt.Sprint(i), want, ok)
		}
		q.Close()
		shut(t, again)
	}
	p.Close()
	if len(seen) < 3 {
		t.Errorf("the cuts left only %d states: %v", len(seen), seen)
	}
}

func TestDirectoryThatIsHeldIsRefused(t *testing.T) {
	dir := t.TempDir()
	// The holder begins by dropping an older layout, but not the lock that it holds.
	if err := os.WriteFile(filepath.Join(dir, "LAYOUT"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holding+"="+dir)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("%q: %v", line, err)
	}
	// Another layout must not tempt anyone to remove files that a live process uses.
	if err := os.WriteFile(filepath.Join(dir, "LAYOUT"), []byte("0"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(dir, discard()); err == nil || !strings.Contains(err.Error(), "NORMALIZER_STATE_DIR") || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second process: %v", err)
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != len(before) {
		t.Errorf("%d files before, %d after (%v)", len(before), len(after), err)
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	ix := open(t, dir) // its end gives the directory back, closed or not
	if _, err := store.Open(dir, discard()); err == nil || !strings.Contains(err.Error(), "NORMALIZER_STATE_DIR") {
		t.Errorf("a second opening by the same process: %v", err)
	}
	shut(t, ix)
	shut(t, open(t, dir))
}

func TestPlacesThatAreNoDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := store.Open(dir, discard()); err == nil || !strings.Contains(err.Error(), "NORMALIZER_STATE_DIR") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	made := filepath.Join(t.TempDir(), "a", "b")
	shut(t, open(t, made))
	if st, err := os.Stat(made); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("a directory that was made: %v, %v", st, err)
	}
}

func TestAnotherLayoutIsDropped(t *testing.T) {
	dir := t.TempDir()
	ix := open(t, dir)
	p := ix.Partition(0)
	put(t, p, "a", 1)
	apply(t, p, store.Applied{Offset: 9})
	p.Close()
	shut(t, ix)
	if err := os.WriteFile(filepath.Join(dir, "LAYOUT"), []byte("of another time"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "kept"), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time the layout is the present one
		ix = open(t, dir)
		p = ix.Partition(0)
		if _, ok, err := p.Applied(); err != nil || ok {
			t.Errorf("what another layout left is still there: %v", err)
		}
		expect(t, p, "a", 0, false)
		p.Close()
		shut(t, ix)
	}
	if _, err := os.Stat(filepath.Join(dir, "kept")); err != nil {
		t.Errorf("a directory was removed: %v", err)
	}
}

// TestClosedTwice: the second Close does nothing.
func TestClosedTwice(t *testing.T) {
	ix := open(t, t.TempDir())
	shut(t, ix)
	shut(t, ix)
}
