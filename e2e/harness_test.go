// Package e2e runs the programs as they are shipped, against a simulated platform and a real or embedded broker, and
// holds what they wrote against what was served. Its readers are not ours: franz-go reads the topics, and the Avro
// values are decoded with the schemas that the registry gives.
package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/kafka"
	"chatlake/local"
	"chatlake/schemas"
	"chatlake/simulator"
)

// The test binary is also the programs under test: a process of its own can be killed.
const asProgram = "CHATLAKE_E2E_PROGRAM"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "extractor":
		os.Exit(worker.ExtractorMain())
	case "normalizer":
		os.Exit(worker.NormalizerMain())
	}
	os.Exit(m.Run())
}

// site is one installation with a simulated Feishu, or Yunxin, or both.
type site struct {
	t         testing.TB
	prefix    string
	brokers   string
	registry  string
	state     string
	world     *simulator.World // nil: Feishu is off
	feishu    *simulator.Feishu
	url       string
	app       *simulator.YunxinWorld // nil: Yunxin is off
	yunxin    *simulator.Yunxin
	yunxinURL string
	client    *kafka.Client
	parts     int
	env       []string
}

type options struct {
	world      simulator.Options
	feishu     simulator.FeishuConfig
	yunxin     *yunxinOptions // beside Feishu, nil: off
	alone      bool           // without Feishu
	partitions int
	beside     *site // on its servers
}

func newSite(t testing.TB, o options) *site {
	t.Helper()
	s := &site{t: t, prefix: "t" + random(t), state: t.TempDir()}
	s.brokers, s.registry = os.Getenv("CHATLAKE_TEST_KAFKA"), os.Getenv("CHATLAKE_TEST_REGISTRY")
	if o.beside != nil {
		s.brokers, s.registry = o.beside.brokers, o.beside.registry
	}
	if s.brokers == "" {
		l, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Compatible: schemas.Compatible})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		})
		s.brokers, s.registry = strings.Join(l.Brokers(), ","), l.RegistryURL()
	}
	s.env = []string{
		"KAFKA_BROKERS=" + s.brokers, "SCHEMA_REGISTRY_URL=" + s.registry, "TOPIC_PREFIX=" + s.prefix,
		"FEISHU_RATE_PER_MINUTE=600000", "FEISHU_RATE_PER_SECOND=10000",
		"HTTP_ADDR=", "NORMALIZER_STATE_DIR=" + s.state, "LOG_LEVEL=info",
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir(),
	}
	if !o.alone {
		s.another(o.world, o.feishu)
	}
	if o.yunxin != nil {
		s.serveYunxin(o.yunxin)
	}
	s.prepare(max(o.partitions, 1))
	return s
}

// another puts another world in place of the one that is served; the last setting of a name in the environment counts.
func (s *site) another(o simulator.Options, c ...simulator.FeishuConfig) {
	s.t.Helper()
	world, err := simulator.NewWorld(o)
	if err != nil {
		s.t.Fatal(err)
	}
	c = append(c, simulator.FeishuConfig{})
	s.world, s.feishu = world, simulator.NewFeishu(world, c[0])
	s.url = s.listen(s.feishu)
	id, secret, _ := world.App()
	s.env = append(s.env, "FEISHU_APP_ID="+id, "FEISHU_APP_SECRET="+secret, "FEISHU_BASE_URL="+s.url)
}

// listen serves an API and gives its address.
func (s *site) listen(api http.Handler) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{Handler: api, ReadHeaderTimeout: time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.t.Error(err)
		}
	}()
	s.t.Cleanup(func() { server.Close(); <-done })
	return "http://" + l.Addr().String()
}

func (s *site) prepare(partitions int) {
	c := worker.Cluster{
		Brokers: strings.Split(s.brokers, ","), RegistryURL: s.registry, Prefix: s.prefix, Partitions: worker.Count(partitions),
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	compact := os.Getenv("CHATLAKE_TEST_KAFKA") != ""
	if _, err := c.Prepare(ctx, "", compact, slog.New(slog.DiscardHandler)); err != nil {
		s.t.Fatal(err)
	}
	client, err := c.Kafka(slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.client, s.parts = client, partitions
	s.t.Cleanup(func() { client.Close() })
}

// add asks for containers, in an epoch.
func (s *site) add(epoch int64, cs ...schemas.Container) {
	s.t.Helper()
	registry, err := schemas.OpenRegistry(schemas.RegistryConfig{URL: s.registry})
	if err != nil {
		s.t.Fatal(err)
	}
	topics := schemas.NewTopics(s.prefix, "")
	ids, err := registry.IDs(s.t.Context(), topics.Schemas())
	if err != nil {
		s.t.Fatal(err)
	}
	var records []schemas.Record
	for i := range cs {
		c := &cs[i]
		c.Epoch = epoch
		value, err := schemas.ContainerSchema.Append(nil, ids[topics.Containers], c)
		if err != nil {
			s.t.Fatal(err)
		}
		records = append(records, schemas.Record{
			Topic: topics.Containers, Key: c.Key, Value: value, Time: time.Now(),
			Partition: schemas.Partition(schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID), s.parts),
		})
	}
	if err := s.client.Produce(s.t.Context(), records); err != nil {
		s.t.Fatal(err)
	}
}

// chats are the containers of all chats of the world.
func (s *site) chats() []schemas.Container {
	tenant, _, _ := s.world.App()
	var out []schemas.Container
	for _, c := range s.world.Chats() {
		out = append(out, schemas.Container{
			Key:      string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, c.ID)),
			Platform: schemas.Feishu, TenantID: tenant, Kind: schemas.KindChat, ID: c.ID, ConversationID: c.ID,
			Mode: "backfill", Cause: schemas.CauseUser, RequestedAt: schemas.MillisOf(time.Now()),
		})
	}
	return out
}

// process is a running program.
type process struct {
	cmd *exec.Cmd
	out *bytes.Buffer
}

func (s *site) start(program string, args ...string) *process {
	s.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{cmd: exec.Command(exe, args...), out: &bytes.Buffer{}}
	p.cmd.Env = append(append([]string{}, s.env...), asProgram+"="+program)
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// exit waits for the end of a process and gives its exit code, -1 where a signal ended it.
func (p *process) exit(t testing.TB) int {
	t.Helper()
	err := p.cmd.Wait()
	var e *exec.ExitError
	if err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) kill() { _ = p.cmd.Process.Signal(syscall.SIGKILL) } // one that has ended already needs no killing

// once runs a program to its end and expects an exit code.
func (s *site) once(program string, want int) string {
	s.t.Helper()
	p := s.start(program, "--once")
	if got := p.exit(s.t); got != want {
		s.t.Fatalf("%s --once: exit code %d, want %d:\n%s", program, got, want, p.out)
	}
	return p.out.String()
}

func random(t testing.TB) string {
	b := make([]byte, 6)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}

func dump(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
