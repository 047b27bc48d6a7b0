package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/metrics"
)

// pipes is a listener without a network, so that time can be made up.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), ended: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.ended) })
	return nil
}

func (*pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// TestSilentConnectionsEnd: one that asks once and then says nothing, one that never ends its header, and one that never
// reads its answer.
func TestSilentConnectionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := newServer(metrics.Handler(Version), &readiness{}, slog.New(slog.DiscardHandler))
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		for name, c := range map[string]struct {
			sends string
			reads bool
			most  time.Duration
		}{
			"idle":      {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", true, 20 * time.Second},
			"no end":    {"GET /healthz HTTP/1.1\r\nHost: x\r\n", true, 20 * time.Second},
			"no reader": {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", false, time.Minute},
		} {
			conn := l.dial()
			began := time.Now()
			if _, err := io.WriteString(conn, c.sends); err != nil {
				t.Fatal(err)
			}
			if c.reads {
				if _, err := io.Copy(io.Discard, conn); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			} else {
				time.Sleep(c.most)
				synctest.Wait()
				if _, err := conn.Write([]byte("x")); err == nil {
					t.Errorf("%s: still open", name)
				}
			}
			if took := time.Since(began); took > c.most {
				t.Errorf("%s: kept for %s", name, took)
			}
			_ = conn.Close()
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
}

// TestLargeHeadersAreRefused: what is sent before the first line of a request's body is bounded.
func TestLargeHeadersAreRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config = newServer(metrics.Handler(Version), &readiness{}, slog.New(slog.DiscardHandler))
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20)) // cut by the server
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("1 MiB of header: %d", resp.StatusCode)
	}
}

// get asks a server's handler.
func get(s *http.Server, path string) (int, string) {
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

// TestReadiness follows a stage and one beside it through what may be missing: each shows within 30 s.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var broken, hanging bool
		var full error
		set := func(f func()) { mu.Lock(); defer mu.Unlock(); f() }
		other := &readiness{state: func() error { mu.Lock(); defer mu.Unlock(); return full }}
		r := &readiness{others: []*readiness{other}, ping: func(ctx context.Context) error {
			mu.Lock()
			b, h := broken, hanging
			mu.Unlock()
			if h {
				<-ctx.Done()
				return ctx.Err()
			}
			if b {
				return errors.New("connection refused")
			}
			return nil
		}}
		s := newServer(metrics.Handler(Version), r, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		var watch sync.WaitGroup
		watch.Go(func() { r.watch(ctx) })
		expect := func(step string, status int, words string) {
			t.Helper()
			time.Sleep(29 * time.Second)
			synctest.Wait()
			if code, body := get(s, "/readyz"); code != status || !strings.Contains(body, words) {
				t.Errorf("%s: %d %q", step, code, body)
			}
			if code, _ := get(s, "/healthz"); code != http.StatusOK {
				t.Errorf("%s: health is %d", step, code)
			}
		}
		expect("at first", 503, "consumer group")
		r.set(true)
		expect("one of two", 503, "consumer group")
		other.set(true)
		expect("both", 200, "ok")
		set(func() { broken = true })
		expect("broker refuses", 503, "connection refused")
		set(func() { broken = false })
		expect("broker is back", 200, "ok")
		set(func() { hanging = true })
		expect("broker hangs", 503, "broker does not answer")
		set(func() { hanging = false })
		expect("broker is back again", 200, "ok")
		set(func() { full = errors.New("no space left on device") })
		expect("state is full", 503, "no space left on device")
		set(func() { full = nil })
		expect("there is room", 200, "ok")
		other.set(false)
		expect("membership is lost", 503, "consumer group")
		other.set(true)
		expect("membership is back", 200, "ok")
		stop()
		watch.Wait()
	})
}

// TestHealth: a loop that has not turned for five minutes, of this stage or the one beside it, fails the health check.
func TestHealth(t *testing.T) {
	for _, side := range []string{"this", "other"} {
		stopped := time.Duration(0)
		stuck := func(limit time.Duration) (string, bool) { return "session of im.containers/3", stopped >= limit }
		r := &readiness{stuck: stuck}
		if side == "other" {
			r = &readiness{others: []*readiness{r}}
		}
		s := newServer(metrics.Handler(Version), r, slog.New(slog.DiscardHandler))
		for after, want := range map[time.Duration]int{0: 200, 4*time.Minute + 59*time.Second: 200, 5 * time.Minute: 503} {
			stopped = after
			if code, body := get(s, "/healthz"); code != want || want == 503 && !strings.Contains(body, "session of im.containers/3") {
				t.Errorf("%s, %s: %d %q", side, after, code, body)
			}
		}
	}
}

// TestWritable tries a directory that is there, one that is gone, and one that takes no file.
func TestWritable(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "group")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := writable(dir); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	for name, bad := range map[string]string{"gone": filepath.Join(root, "none"), "below a file": filepath.Join("/dev/null", "group")} {
		if err := writable(bad); err == nil || !strings.Contains(err.Error(), "NORMALIZER_STATE_DIR") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
