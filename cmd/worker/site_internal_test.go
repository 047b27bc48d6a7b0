package worker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/local"
	"chatlake/metrics"
	"chatlake/schemas"
	"chatlake/simulator"
)

// site is an installation on the embedded broker, with a simulated Feishu and both stages in this process.
type site struct {
	t        *testing.T
	server   *local.Server
	registry *httptest.Server // before the embedded one, so that it can go away alone
	world    *simulator.World
	feishu   *simulator.Feishu
	cluster  Cluster
	settings ExtractorSettings
	began    time.Time
	stop     sync.Once
}

const sitePartitions = 2

func newSite(t *testing.T) *site {
	t.Helper()
	server, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Compatible: schemas.Compatible})
	if err != nil {
		t.Fatal(err)
	}
	world, err := simulator.NewWorld(simulator.Options{Chats: 3, ChatSize: 40})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, server: server, world: world, feishu: simulator.NewFeishu(world, simulator.FeishuConfig{}), began: time.Now()}
	t.Cleanup(s.stopServer)
	embedded, err := url.Parse(server.RegistryURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(embedded)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	s.registry = httptest.NewServer(proxy)
	platform := httptest.NewServer(s.feishu)
	t.Cleanup(func() { platform.CloseClientConnections(); platform.Close(); s.registry.Close() })
	s.cluster = Cluster{Brokers: server.Brokers(), RegistryURL: s.registry.URL, Prefix: "im", Partitions: sitePartitions}
	if _, err := s.cluster.Prepare(t.Context(), "", false, quietLogger); err != nil {
		t.Fatal(err)
	}
	id, secret, _ := world.App()
	s.settings = ExtractorSettings{
		Cluster: s.cluster, Group: "im-extractor", Workers: 16,
		Feishu: Feishu{AppID: id, AppSecret: Secret(secret), Tenant: id, BaseURL: platform.URL, PerMinute: 600_000, PerSecond: 10_000},
	}
	return s
}

var quietLogger = slog.New(slog.DiscardHandler)

// stopServer ends broker and registry, as a machine does that goes away.
func (s *site) stopServer() {
	s.stop.Do(func() {
		if err := s.server.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// extract runs an extractor until the test ends or stop is called.
func (s *site) extract() (e *Extractor, stop func()) {
	s.t.Helper()
	e, err := NewExtractor(s.t.Context(), s.settings, false, quietLogger)
	if err != nil {
		s.t.Fatal(err)
	}
	return e, s.run(e.Run, e.Close)
}

// normalize runs a normalizer in the same way.
func (s *site) normalize(interval time.Duration) (r *Normalizer, stop func()) {
	s.t.Helper()
	r, err := NewNormalizer(s.t.Context(), NormalizerSettings{
		Cluster: s.cluster, Output: "im.messages", Group: "im.messages-normalizer", StateDir: s.t.TempDir(), Interval: interval,
	}, false, quietLogger)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, s.run(r.Run, r.Close)
}

func (s *site) run(run func(context.Context) error, end func() error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
		if err := end(); err != nil {
			s.t.Error(err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

// asNormalizer has this test binary be the program.
const asNormalizer = "CHATLAKE_WORKER_TEST_NORMALIZER"

func TestMain(m *testing.M) {
	if os.Getenv(asNormalizer) != "" {
		os.Exit(NormalizerMain())
	}
	os.Exit(m.Run())
}

// killed runs a normalizer as a process of its own until it answers a scrape, kills it, and gives what it told. It has topics
// of its own, so that nobody waits until its group has noticed that it is dead.
func (s *site) killed() series {
	s.t.Helper()
	own := s.cluster
	own.Prefix = "killed"
	if _, err := own.Prepare(s.t.Context(), "", false, quietLogger); err != nil {
		s.t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{
		asNormalizer + "=1", "KAFKA_BROKERS=" + s.cluster.Brokers[0], "SCHEMA_REGISTRY_URL=" + s.cluster.RegistryURL,
		"NORMALIZER_STATE_DIR=" + s.t.TempDir(), "HTTP_ADDR=" + addr, "TOPIC_PREFIX=" + own.Prefix,
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // an error of Wait is what a kill leaves
		_ = cmd.Wait()
	}()
	var body io.Reader
	for deadline := time.Now().Add(patience); body == nil; {
		if !pause(s.t.Context(), 50*time.Millisecond) || time.Now().After(deadline) {
			s.t.Fatal("no answer of the normalizer")
		}
		resp, err := http.Get("http://" + addr + "/metrics")
		if err != nil {
			continue
		}
		text, err := io.ReadAll(resp.Body)
		if cerr := resp.Body.Close(); err != nil || cerr != nil {
			s.t.Fatal(err, cerr)
		}
		body = bytes.NewReader(text)
	}
	return parsed(s.t, body)
}

// add asks for chats of the world.
func (s *site) add(ids ...string) {
	s.t.Helper()
	if len(ids) == 0 {
		return
	}
	n, err := s.cluster.Connect(s.t.Context(), "", quietLogger)
	if err != nil {
		s.t.Fatal(err)
	}
	defer n.Client.Close()
	tenant, _, _ := s.world.App()
	var records []schemas.Record
	for _, id := range ids {
		key := string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, id))
		value, err := schemas.ContainerSchema.Append(nil, n.IDs[n.Topics.Containers], &schemas.Container{
			Key: key, Platform: schemas.Feishu, TenantID: tenant, Kind: schemas.KindChat, ID: id, ConversationID: id,
			Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: schemas.MillisOf(time.Now()),
		})
		if err != nil {
			s.t.Fatal(err)
		}
		records = append(records, schemas.Record{
			Topic: n.Topics.Containers, Key: key, Value: value, Time: time.Now(),
			Partition: schemas.Partition(schemas.NewConversationKey(schemas.Feishu, tenant, id), sitePartitions),
		})
	}
	if err := n.Client.Produce(s.t.Context(), records); err != nil {
		s.t.Fatal(err)
	}
}

// containers counts the keys in the topic of containers.
func (s *site) containers() int {
	keys := map[string]bool{}
	s.records(func(t *schemas.Topics) string { return t.Containers }, func(r schemas.Record) { keys[r.Key] = true })
	return len(keys)
}

// records reads a topic as it is now.
func (s *site) records(topic func(*schemas.Topics) string, fn func(schemas.Record)) {
	s.t.Helper()
	n, err := s.cluster.Connect(s.t.Context(), "", quietLogger)
	if err != nil {
		s.t.Fatal(err)
	}
	defer n.Client.Close()
	name := topic(&n.Topics)
	for p := range int32(sitePartitions) {
		_, end, err := n.Client.Offsets(s.t.Context(), name, p)
		if err == nil {
			err = n.Client.ReadAll(s.t.Context(), name, p, 0, end, func(r schemas.Record) error {
				fn(r)
				return nil
			})
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// chats are the ids of the world's chats.
func (s *site) chats() (ids []string) {
	for _, c := range s.world.Chats() {
		ids = append(ids, c.ID)
	}
	return ids
}

// series are the samples of one scrape, by name and labels as Prometheus writes them.
type series map[string]float64

// sum adds up the series of a name whose labels contain all words.
func (v series) sum(name string, words ...string) (sum float64) {
	for of, value := range v {
		family, labels, _ := strings.Cut(of, "{")
		matches := family == name
		for _, w := range words {
			matches = matches && strings.Contains(labels, w)
		}
		if matches {
			sum += value
		}
	}
	return sum
}

// scrape looks at broker, registry and lag as a worker does every ten seconds, and reads its metrics as Prometheus would.
func scrape(t *testing.T, ready *readiness, seen *observer) series {
	t.Helper()
	ready.probe(t.Context())
	ready.measure(t.Context())
	w := httptest.NewRecorder()
	metrics.Handler(Version, seen.set).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return parsed(t, w.Body)
}

// parsed reads the text format of Prometheus.
func parsed(t *testing.T, text io.Reader) series {
	t.Helper()
	all := series{}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		of, value, _ := cutLast(lines.Text(), " ")
		var err error
		if all[of], err = strconv.ParseFloat(value, 64); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// patience is how long a test waits for something that must come.
const patience = 2 * time.Minute

// waitFor scrapes until it shows what is waited for.
func waitFor(t *testing.T, what string, scrape func() series, shows func(series) bool) series {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		v := scrape()
		if shows(v) {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		if !pause(t.Context(), 50*time.Millisecond) {
			t.Fatal(what)
		}
	}
}

// allRead says that every container has come to its end, and every page is normalized.
func allRead(v series) bool {
	unread := v.sum("chatlake_containers", "PENDING") + v.sum("chatlake_containers", "RUNNING") + v.sum("chatlake_containers", "WAITING")
	return v.sum("chatlake_containers") > 0 && unread == 0
}
