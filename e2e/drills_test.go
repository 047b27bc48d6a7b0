package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"chatlake/local"
	"chatlake/schemas"
	"chatlake/simulator"
)

// drill is one section of docs/drills.md, tried on a site.
type drill struct {
	t    *testing.T
	rows map[string][]string // by where: the texts that it must say
	run  func(args ...string) (out string, code int)
}

// drillTime is far above what anything here takes: reaching it is a failure, not a measurement.
const drillTime = 3 * time.Minute

// rowOf is a row of a table; quoted is what one says word for word.
var (
	rowOf  = regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]+) \|`)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// drilled reads a drill's section. When the test ends, everything that the section says must have been looked for.
func drilled(t *testing.T, title string) *drill {
	t.Helper()
	if testing.Short() {
		t.Skip("drills wait for what programs say once a minute: not in a short run")
	}
	t.Parallel() // they wait more than they work
	page, err := os.ReadFile("../docs/drills.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## "+title+"\n")
	if !found {
		t.Fatalf("docs/drills.md has no section %q", title)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	d := &drill{t: t, rows: map[string][]string{}}
	for _, row := range rowOf.FindAllStringSubmatch(section, -1) {
		for _, q := range quoted.FindAllStringSubmatch(row[2], -1) {
			d.rows[row[1]] = append(d.rows[row[1]], q[1])
		}
	}
	for _, elsewhere := range []string{"metrics", "alert"} { // their own tests
		if len(d.rows[elsewhere]) == 0 {
			t.Errorf("docs/drills.md: %s: no row %q", title, elsewhere)
		}
		delete(d.rows, elsewhere)
	}
	t.Cleanup(func() {
		for where := range d.rows {
			t.Errorf("docs/drills.md: %s: nothing looked at %q", title, where)
		}
	})
	return d
}

// pattern matches a quoted text: … stands for anything within a line.
func pattern(quote string) *regexp.Regexp {
	parts := strings.Split(quote, "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(strings.TrimSpace(parts[i]))
	}
	return regexp.MustCompile(strings.Join(parts, `.*`))
}

// says looks for what the page quotes of a place.
func (d *drill) says(where, out string) {
	d.t.Helper()
	quotes := d.rows[where]
	if len(quotes) == 0 {
		d.t.Errorf("docs/drills.md quotes nothing of %q", where)
	}
	delete(d.rows, where)
	for _, q := range quotes {
		if !pattern(q).MatchString(out) {
			d.t.Errorf("%s does not say %q:\n%s", where, q, out)
		}
	}
}

// check runs chatlake check and expects an exit code.
func (d *drill) check(want int, args ...string) {
	d.t.Helper()
	out, code := d.run(append([]string{"check"}, args...)...)
	if code != want {
		d.t.Errorf("check: exit %d, want %d", code, want)
	}
	d.says("check", out)
}

func (d *drill) status(want int) {
	d.t.Helper()
	out, code := d.run("status")
	if code != want {
		d.t.Errorf("status: exit %d, want %d:\n%s", code, want, out)
	}
	d.says("status", out)
}

// on gives the drill a site to run the operator's tool on.
func (d *drill) on(s *site) {
	d.t.Helper()
	binary := filepath.Join(d.t.TempDir(), "chatlake")
	if out, err := exec.CommandContext(d.t.Context(), "go", "build", "-o", binary, "chatlake/cmd/chatlake").CombinedOutput(); err != nil {
		d.t.Fatalf("build: %v\n%s", err, out)
	}
	d.run = func(args ...string) (string, int) {
		d.t.Helper()
		ctx, cancel := context.WithTimeout(d.t.Context(), drillTime)
		defer cancel()
		c := exec.CommandContext(ctx, binary, args...)
		c.Env = s.env
		out, err := c.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
			d.t.Fatalf("chatlake %v: %v\n%s", args, err, out)
		}
		return columns.ReplaceAllString(string(out), " "), c.ProcessState.ExitCode()
	}
}

// columns are the blanks between the columns of a table.
var columns = regexp.MustCompile(` {2,}`)

// watched is a program whose output can be waited for.
type watched struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	out  bytes.Buffer
	more chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.more)
	w.more = make(chan struct{})
	return w.out.Write(p)
}

// watch starts a worker.
func (s *site) watch(t *testing.T, program string, args ...string) *watched {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, cmd: exec.Command(exe, args...), done: make(chan struct{}), more: make(chan struct{})}
	w.cmd.Env = append(slices.Clone(s.env), asProgram+"="+program)
	w.cmd.Stdout, w.cmd.Stderr = w, w
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.done)
		_ = w.cmd.Wait() // the exit code is read from the state
	}()
	t.Cleanup(func() { _ = w.cmd.Process.Kill(); <-w.done })
	return w
}

func (w *watched) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

// await waits until the output matches a quoted text n times.
func (w *watched) await(n int, quote string) {
	w.t.Helper()
	p, late := pattern(quote), time.After(drillTime)
	for {
		w.mu.Lock()
		out, more := w.out.String(), w.more
		w.mu.Unlock()
		if len(p.FindAllStringIndex(out, -1)) >= n {
			return
		}
		select {
		case <-more:
		case <-w.done:
			if len(p.FindAllStringIndex(w.said(), -1)) < n {
				w.t.Fatalf("%v ended with %d and has not said %q:\n%s", w.cmd.Args, w.cmd.ProcessState.ExitCode(), quote, w.said())
			}
		case <-late:
			w.t.Fatalf("not said: %q:\n%s", quote, out)
		}
	}
}

// exit waits for the program's end and expects a code.
func (w *watched) exit(want int) {
	w.t.Helper()
	select {
	case <-w.done:
	case <-time.After(drillTime):
		w.t.Fatalf("it has not ended:\n%s", w.said())
	}
	if code := w.cmd.ProcessState.ExitCode(); code != want {
		w.t.Errorf("exit code %d, want %d:\n%s", code, want, w.said())
	}
}

func (w *watched) stop() {
	w.t.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // one that has ended already has its exit code
	w.exit(0)
}

// servers are broker and registry of a site, which can be stopped and started again at the same addresses.
type servers struct {
	t      *testing.T
	config local.Config
	server *local.Server
}

func serve(t *testing.T) *servers {
	t.Helper()
	port := func() int {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, p, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	s := &servers{t: t, config: local.Config{Dir: t.TempDir(), KafkaPort: port(), RegistryPort: port(), Compatible: schemas.Compatible}}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *servers) start() {
	s.t.Helper()
	var err error
	if s.server, err = local.Start(s.t.Context(), s.config); err != nil {
		s.t.Fatal(err)
	}
}

func (s *servers) stop() {
	s.t.Helper()
	if err := s.server.Close(); err != nil {
		s.t.Error(err)
	}
}

// front stands before a simulated platform and may answer in its place.
type front struct {
	next    http.Handler
	instead atomic.Pointer[http.HandlerFunc]
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := f.instead.Load(); h != nil {
		(*h)(w, r)
		return
	}
	f.next.ServeHTTP(w, r)
}

// fronted puts a front before the site's platform.
func (s *site) fronted() *front {
	f := &front{next: s.feishu}
	s.env = append(s.env, "FEISHU_BASE_URL="+s.listen(f))
	return f
}

// small is a world that is read within a second.
var small = simulator.Options{Seed: 5, Chats: 2, Messages: 200}

func TestDrillABrokerIsDown(t *testing.T) {
	d, broker, registry := drilled(t, "A broker is down"), serve(t), serve(t)
	s := newSite(t, options{world: small, partitions: 2, beside: &site{
		brokers: strings.Join(broker.server.Brokers(), ","), registry: registry.server.RegistryURL(),
	}})
	d.on(s)
	x, n := s.watch(t, "extractor"), s.watch(t, "normalizer")
	both := []*watched{x, n}
	for _, w := range both {
		w.await(1, `msg="partitions assigned"`)
	}
	broker.stop()
	for _, w := range both {
		w.await(1, "no Kafka broker answers")
	}
	d.check(4)
	d.status(1)
	broker.start()
	for _, w := range both {
		w.await(1, "Kafka answers again")
	}
	s.add(1, s.chats()...)
	x.await(len(s.chats()), "container ended") // it goes on
	for _, w := range both {
		w.stop()
		if said := w.said(); strings.Count(said, "no Kafka broker answers") != 1 || strings.Count(said, "Kafka answers again") != 1 || strings.Contains(said, "level=ERROR") {
			t.Errorf("one outage was logged as\n%s", said)
		}
	}
	d.says("extractor's log", x.said())
	d.says("normalizer's log", n.said())
	d.says("end", x.said())
}

func TestDrillASecretIsRevoked(t *testing.T) {
	d := drilled(t, "A secret is revoked")
	s := newSite(t, options{world: small, partitions: 2})
	d.on(s)
	f := s.fronted()
	x := s.watch(t, "extractor")
	x.await(1, "the platform takes the app's credentials")
	refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.Contains(r.URL.Path, "tenant_access_token") {
			fmt.Fprint(w, `{"code":10014,"msg":"app secret invalid"}`)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"code":99991663,"msg":"Invalid access token for authorization."}`)
	})
	f.instead.Store(&refuse)
	s.add(1, s.chats()...)
	x.await(1, "the platform refuses the app")
	d.status(0)
	d.check(4)
	late := s.watch(t, "extractor")
	late.exit(1)
	d.says("start of an extractor", late.said())
	f.instead.Store(nil)
	x.await(1, "the platform no longer refuses the app")
	x.await(len(s.chats()), "container ended")
	x.stop()
	d.says("extractor's log", x.said())
	d.says("end", x.said())
}

func TestDrillAChatIsRefused(t *testing.T) {
	d := drilled(t, "A chat is refused")
	s := newSite(t, options{world: small, partitions: 2})
	d.on(s)
	foreign := s.chats()[0]
	foreign.ID, foreign.ConversationID = "oc_ofsomebodyelse", "oc_ofsomebodyelse"
	foreign.Key = string(schemas.NewContainerKey(foreign.Platform, foreign.TenantID, foreign.Kind, foreign.ID))
	x := s.watch(t, "extractor")
	s.add(1, append(s.chats(), foreign)...)
	x.await(1, "container failed")
	x.await(len(s.chats()), "container ended")
	d.status(0)
	d.check(0, "--containers", "1")
	x.stop()
	d.says("extractor's log", x.said())
	if n := strings.Count(x.said(), "level=ERROR"); n != 1 {
		t.Errorf("one refused chat is %d errors:\n%s", n, x.said())
	}
}

func TestDrillTheQuotaIsUsedUpBySomebodyElse(t *testing.T) {
	d := drilled(t, "The quota is used up by somebody else")
	s := newSite(t, options{
		world: simulator.Options{Seed: 5, Chats: 2, Messages: 6000}, partitions: 2,
		feishu: simulator.FeishuConfig{Limits: simulator.Limits{PerMinute: 20}},
	})
	d.on(s)
	s.env = append(s.env, "FEISHU_RATE_PER_MINUTE=600", "FEISHU_RATE_PER_SECOND=50") // what we were promised; others leave 20
	x := s.watch(t, "extractor")
	s.add(1, s.chats()...)
	x.await(1, "msg=progress … quota=")
	d.check(0, "--containers", "0")
	d.status(0)
	x.stop()
	if said := x.said(); strings.Contains(said, "level=WARN") || strings.Contains(said, "level=ERROR") {
		t.Errorf("a slow platform is no fault:\n%s", said)
	}
	d.says("extractor's log", x.said())
}

func TestDrillAPageIsPoison(t *testing.T) {
	d := drilled(t, "A page is poison")
	s := newSite(t, options{world: small, partitions: 2, feishu: simulator.FeishuConfig{Faults: []simulator.Fault{
		{API: simulator.APIMessages, Action: simulator.BreakItem, Item: 3, Broken: simulator.NullItem, Times: 1},
	}}})
	d.on(s)
	x, n := s.watch(t, "extractor"), s.watch(t, "normalizer")
	s.add(1, s.chats()...)
	x.await(len(s.chats()), "container ended")
	n.await(1, `msg="dead letter"`)
	x.stop()
	n.stop()
	s.once("normalizer", 0)
	d.status(0)
	d.check(0)
	d.says("normalizer's log", n.said())
}

func TestDrillAWorkerIsKilled(t *testing.T) {
	d := drilled(t, "A worker is killed")
	s := newSite(t, options{world: small, partitions: 2})
	d.on(s)
	first := s.watch(t, "extractor")
	first.await(1, `msg="partitions assigned" … owned="[0 1]"`)
	second := s.watch(t, "extractor")
	second.await(1, `msg="partitions assigned" … total=2`)
	first.await(1, `msg="partitions assigned" … owned=[`) // one each
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second.await(1, `msg="partitions assigned" … owned="[0 1]"`)
	s.add(1, s.chats()...)
	second.await(len(s.chats()), "container ended")
	s.once("normalizer", 0)
	d.status(0)
	d.check(0)
	second.stop()
	d.says("log of the one that lives", second.said())
}

func TestDrillADiskIsFull(t *testing.T) {
	d := drilled(t, "A disk is full")
	s := newSite(t, options{world: small, partitions: 2})
	d.on(s)
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", dir).CombinedOutput(); err != nil {
		d.rows = nil
		t.Skipf("a disk of our own cannot be mounted here (%v: %s), and another one is not ours to fill", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	s.env = append(s.env, "NORMALIZER_STATE_DIR="+filepath.Join(dir, "state"))
	n := s.watch(t, "normalizer")
	n.await(1, `msg="partitions assigned"`)
	fill(t, filepath.Join(dir, "ballast"))
	s.add(1, s.chats()...)
	s.once("extractor", 0)
	n.exit(1)
	d.check(4)
	d.status(0)
	d.says("normalizer's log", n.said())
	if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
		t.Fatal(err)
	}
	s.once("normalizer", 0) // after room was made it goes on
}

// fill writes a file until there is no space left.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
