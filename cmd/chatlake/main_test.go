package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatlake/simulator"
)

// binary is the program under test; shared is an installation that several tests use, each with topics of its own.
var (
	binary string
	shared struct {
		sync.Mutex
		dir string
		up  *process
		env []string
	}
)

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "chatlake-tool-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, shared.dir = filepath.Join(dir, "chatlake"), filepath.Join(dir, "data")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	code := m.Run()
	if shared.up != nil {
		if exit := shared.up.stop(); exit != 0 {
			fmt.Fprintf(os.Stderr, "the shared installation ended with %d: %s\n", exit, shared.up.stderr.String())
			return 1
		}
	}
	return code
}

// deadline is far above what anything here takes: reaching it is a failure, not a measurement.
const deadline = 60 * time.Second

// result is what a run of the program came to.
type result struct {
	stdout, stderr string
	code           int
}

// chatlake runs the program to its end, with env and nothing of ours in the environment.
func chatlake(t *testing.T, env []string, args ...string) result {
	t.Helper()
	return chatlakeWith(t, nil, env, args...)
}

func chatlakeWith(t *testing.T, stdin io.Reader, env []string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	c := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	c.Env, c.Stdin, c.Stdout, c.Stderr, c.Dir = environ(env), stdin, &stdout, &stderr, t.TempDir()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("chatlake %v: %v\n%s", args, err, stderr.String())
	}
	return result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// ok runs the program and fails the test where it fails.
func ok(t *testing.T, env []string, args ...string) string {
	t.Helper()
	r := chatlake(t, env, args...)
	if r.code != 0 {
		t.Fatalf("chatlake %v: exit %d: %s", args, r.code, r.stderr)
	}
	return r.stdout
}

// decoded runs the program with --output json.
func decoded[T any](t *testing.T, env []string, args ...string) T {
	t.Helper()
	var v T
	out := ok(t, env, append(args, "--output", "json")...)
	d := json.NewDecoder(strings.NewReader(out))
	if err := d.Decode(&v); err != nil {
		t.Fatalf("chatlake %v: %v in %s", args, err, out)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("chatlake %v: more than one document: %s", args, out)
	}
	return v
}

// environ is an environment without our settings, and env.
func environ(env []string) []string {
	var clean []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		ours := name == "HTTP_ADDR"
		for _, prefix := range []string{"KAFKA_", "SCHEMA_REGISTRY_", "TOPIC_", "LOG_", "FEISHU_", "YUNXIN_", "EXTRACTOR_", "NORMALIZER_"} {
			ours = ours || strings.HasPrefix(name, prefix)
		}
		if !ours {
			clean = append(clean, kv)
		}
	}
	return append(clean, env...)
}

// process is a run of the program that goes on.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *lockedBuffer
	done           chan struct{}
}

func start(env []string, dir string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(binary, args...), stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = environ(env), p.stdout, p.stderr, dir
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from the state
	}()
	return p, nil
}

// stop sends SIGTERM, and gives the exit code; -1 where the process had to be killed.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // one that has ended already has its exit code
	return p.wait()
}

func (p *process) wait() int {
	select {
	case <-p.done:
	case <-time.After(deadline):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	return p.cmd.ProcessState.ExitCode()
}

// await waits until the output satisfies seen, and fails where the process ends before.
func (p *process) await(seen func(stdout string) bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(deadline)
	for !seen(p.stdout.String()) {
		select {
		case <-tick.C:
		case <-p.done:
			if seen(p.stdout.String()) {
				return nil
			}
			return fmt.Errorf("ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.stderr.String())
		case <-late:
			return fmt.Errorf("nothing seen in %q; %s", p.stdout.String(), p.stderr.String())
		}
	}
	return nil
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is what up says of itself.
type running struct {
	Brokers     string `json:"kafka_brokers"`
	RegistryURL string `json:"schema_registry_url"`
	Dir         string `json:"data"`
	Extracts    bool   `json:"extracts"`
}

// startUp starts an installation on free ports.
func startUp(env []string, dir string, args ...string) (*process, running, error) {
	var r running
	args = append([]string{"up", "--data", dir, "--kafka-port", "0", "--registry-port", "0", "--partitions", "3", "--output", "json"}, args...)
	p, err := start(append([]string{"HTTP_ADDR="}, env...), filepath.Dir(dir), args...)
	if err != nil {
		return nil, r, err
	}
	err = p.await(func(out string) bool { return json.Unmarshal([]byte(out), &r) == nil })
	if err != nil {
		p.stop()
	}
	return p, r, err
}

func (r running) env() []string {
	return []string{"KAFKA_BROKERS=" + r.Brokers, "SCHEMA_REGISTRY_URL=" + r.RegistryURL}
}

// topics gives the settings of topics of a test's own, on the shared installation; the app's id names the tenant.
func topics(t *testing.T, prefix string) []string {
	t.Helper()
	env := append(installation(t), "TOPIC_PREFIX="+prefix, "TOPIC_PARTITIONS=3", "FEISHU_APP_ID=cli_test")
	ok(t, env, "topics", "create")
	return env
}

// installation gives the settings of the shared installation, started by the first test that asks.
func installation(t *testing.T) []string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.up == nil {
		p, r, err := startUp(nil, shared.dir)
		if err != nil {
			t.Fatal(err)
		}
		shared.up, shared.env = p, r.env()
	}
	return append([]string{}, shared.env...)
}

// platform serves a small simulated Feishu without a quota.
func platform(t *testing.T) (*simulator.World, *httptest.Server, []string) {
	t.Helper()
	w, err := simulator.NewWorld(simulator.Options{Seed: 3, Chats: 2, Messages: 300})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(simulator.NewFeishu(w, simulator.FeishuConfig{}))
	t.Cleanup(s.Close)
	id, secret, _ := w.App()
	return w, s, []string{
		"FEISHU_BASE_URL=" + s.URL, "FEISHU_APP_ID=" + id, "FEISHU_APP_SECRET=" + secret,
		"FEISHU_RATE_PER_MINUTE=100000", "FEISHU_RATE_PER_SECOND=10000",
	}
}

// yunxinPlatform serves a small simulated Yunxin without a quota.
func yunxinPlatform(t *testing.T) (*simulator.YunxinWorld, []string) {
	t.Helper()
	w, err := simulator.NewYunxinWorld(simulator.YunxinOptions{Seed: 3, Conversations: 3, Messages: 900})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(simulator.NewYunxin(w, simulator.YunxinConfig{}))
	t.Cleanup(s.Close)
	key, secret := w.App()
	return w, []string{
		"YUNXIN_BASE_URL=" + s.URL, "YUNXIN_APP_KEY=" + key, "YUNXIN_APP_SECRET=" + secret, "YUNXIN_FILE_HOSTS=" + s.URL,
		"YUNXIN_RATE_PER_SECOND=10000",
	}
}
