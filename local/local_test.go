package local_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chatlake/local"
)

// childDir makes this binary an installation on that directory, which the parent then kills.
const childDir = "CHATLAKE_LOCAL_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	if n, err := strconv.ParseUint(os.Getenv(fileLimit), 10, 64); err == nil {
		if err := limitFiles(n); err != nil {
			fmt.Println("error", err)
			return 1
		}
	}
	s, err := local.Start(context.Background(), local.Config{Dir: dir, Compatible: alike})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	fmt.Println("ready", s.Brokers()[0], s.RegistryURL())
	go func() { fmt.Println("failed", <-s.Failed()) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
	return 0
}

// process is an installation in a process of its own.
type process struct {
	cmd              *exec.Cmd
	broker, registry string
	out              *bufio.Reader // what the child says after that
}

func spawn(t *testing.T, dir string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	must(t, err)
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != "ready" {
		t.Fatalf("child said %q", line)
	}
	return &process{cmd, words[1], words[2], lines}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	must(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait() // the error says that it was killed
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// deadline is generous: it only ends a test that hangs.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func start(t *testing.T, c local.Config) *local.Server {
	t.Helper()
	s, err := local.Start(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func client(t *testing.T, broker string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(broker)}, opts...)...)
	must(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, cl *kgo.Client, name string, configs map[string]string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, -1
	for k, v := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = k, kmsg.StringPtr(v)
		topic.Configs = append(topic.Configs, c)
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(deadline(t), cl)
	must(t, err)
	must(t, kerr.ErrorForCode(resp.Topics[0].ErrorCode))
}

func TestSecondOnTheSameDirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir})
	_, err := local.Start(t.Context(), local.Config{Dir: dir})
	if !errors.Is(err, local.ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("second start: %v", err)
	}
	must(t, s.Close())
	must(t, s.Close())
	must(t, start(t, local.Config{Dir: dir}).Close())
}

func TestDirectoryOfAnotherProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	p := spawn(t, dir)
	_, err := local.Start(t.Context(), local.Config{Dir: dir})
	if !errors.Is(err, local.ErrLocked) || !strings.Contains(err.Error(), strconv.Itoa(p.cmd.Process.Pid)) {
		t.Fatalf("start beside another process: %v", err)
	}
	p.kill(t)
	start(t, local.Config{Dir: dir})
}

func TestDirectoryModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	start(t, local.Config{Dir: dir})
	for _, d := range []string{dir, filepath.Join(dir, "kafka"), filepath.Join(dir, "registry")} {
		info, err := os.Stat(d)
		must(t, err)
		if info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %o", d, info.Mode().Perm())
		}
	}
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	closed := filepath.Join(t.TempDir(), "closed")
	must(t, os.Mkdir(closed, 0o500))
	dirs := map[string]string{"empty": "", "a file": file, "below a file": filepath.Join(file, "dir")}
	if os.Geteuid() != 0 { // root may write anywhere
		dirs["without rights"] = closed
	}
	for name, dir := range dirs {
		_, err := local.Start(t.Context(), local.Config{Dir: dir})
		if !errors.Is(err, local.ErrDirectory) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTakenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	for flag, c := range map[string]local.Config{
		"--kafka-port":    {Dir: dir, KafkaPort: port},
		"--registry-port": {Dir: dir, RegistryPort: port},
	} {
		_, err := local.Start(t.Context(), c)
		if !errors.Is(err, local.ErrPort) || !strings.Contains(err.Error(), strconv.Itoa(port)) || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	start(t, local.Config{Dir: dir}) // a refused start leaves no lock
}

func TestHosts(t *testing.T) {
	for _, host := range []string{"0.0.0.0", "::"} {
		_, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Host: host})
		if !errors.Is(err, local.ErrHost) || !strings.Contains(err.Error(), host) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Host: "no such host"}); !errors.Is(err, local.ErrPort) {
		t.Errorf("unknown host: %v", err)
	}
	s := start(t, local.Config{Dir: t.TempDir(), Host: "localhost"})
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(deadline(t), client(t, s.Brokers()[0]))
	must(t, err)
	if len(resp.Brokers) != 1 || resp.Brokers[0].Host != "localhost" {
		t.Errorf("advertised: %+v", resp.Brokers)
	}
}

func TestFixedPortsComeBack(t *testing.T) {
	dir := t.TempDir()
	s := start(t, local.Config{Dir: dir})
	_, kafkaPort, err := net.SplitHostPort(s.Brokers()[0])
	must(t, err)
	port, err := strconv.Atoi(kafkaPort)
	must(t, err)
	must(t, client(t, s.Brokers()[0]).Ping(deadline(t)))
	must(t, s.Close())
	again := start(t, local.Config{Dir: dir, KafkaPort: port})
	if again.Brokers()[0] != s.Brokers()[0] {
		t.Errorf("%v after %v", again.Brokers(), s.Brokers())
	}
}

func TestCancelledStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local.Start(ctx, local.Config{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("start: %v", err)
	}
}
