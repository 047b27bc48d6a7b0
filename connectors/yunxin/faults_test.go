package yunxin_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

// troubles are what may come instead of an answer: a status with a body, or a word.
var troubles = map[string]string{
	"code 500": `200 {"code":500,"data":{}}`, "500": "500 upstream connect error", "502 HTML": "502 <html>bad gateway</html>", "200 HTML": "200 <html>please log in</html>",
	"redirect": "302 <html>moved</html>", "reset": "reset", "cut": "cut", "hang": "hang",
}

// troubled is a platform of two conversations, each with a merged forward whose file has a host of its own, and a store of
// messages by id. Calls that fits names are answered by trouble.
type troubled struct {
	trouble string
	fits    func(call string) bool // "list 1", "batch 4711,4712", "file 1"
	until   time.Time              // zero: for ever
	store   store
}

func (p *troubled) RoundTrip(r *http.Request) (*http.Response, error) {
	call := "list 1"
	if strings.Contains(r.URL.Path, "carol") {
		call = "list 2"
	}
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		call = "batch " + string(body)
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	if r.URL.Host == "files.test" {
		call = "file " + r.URL.Path
	}
	answer := "200 "
	switch {
	case p.fits(call) && (p.until.IsZero() || time.Now().Before(p.until)):
		answer = p.trouble
	case r.URL.Host == "files.test":
		answer += lines()
	case r.Method == http.MethodPost:
		answer += p.store.answer(r)
	default:
		n := int(call[len(call)-1] - '0')
		answer += `{"code":200,"data":{"has_more":false,"items":[` + merge(n, "http://files.test/"+call[5:]) + "," + merge(n+2, "http://files.test/more"+call[5:]) + `]}}`
	}
	switch answer {
	case "reset":
		return nil, syscall.ECONNRESET
	case "hang":
		<-r.Context().Done()
		return nil, r.Context().Err()
	case "cut":
		w := httptest.NewRecorder().Result()
		w.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"code":200,"data":{`), cutReader{}))
		return w, nil
	}
	w := httptest.NewRecorder()
	status, body, _ := strings.Cut(answer, " ")
	var code int
	_, _ = fmt.Sscan(status, &code)
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	if code == 302 {
		w.Header().Set("Location", "ftp://user:pass@login.example/sso?ticket=secret")
	}
	w.WriteHeader(code)
	io.WriteString(w, body)
	return w.Result(), nil
}

type cutReader struct{}

func (cutReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// dial answers requests for files on a connection without a network.
func (p *troubled) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	go func() {
		defer far.Close()
		r, err := http.ReadRequest(bufio.NewReader(far))
		if err != nil {
			return // the client went away
		}
		r.URL.Host = r.Host
		gone, cancel := context.WithCancel(context.Background())
		go func() { // what is read of it ends with the client
			_, _ = io.Copy(io.Discard, far)
			cancel()
		}()
		resp, err := p.RoundTrip(r.WithContext(gone))
		if err != nil {
			return
		}
		defer resp.Body.Close()
		resp.Header.Set("Connection", "close")
		body, err := io.ReadAll(resp.Body)
		resp.ContentLength = int64(len(body))
		if err != nil {
			resp.ContentLength++
		}
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		_ = resp.Write(far)
	}()
	return near, nil
}

func (p *troubled) source() *yunxin.Source {
	cfg := yunxin.Config{
		AppKey: appKey, AppSecret: appSecret, BaseURL: "http://api.test", Client: &http.Client{Transport: p}, FileHosts: []string{"http://files.test"},
		Transport: &http.Transport{DialContext: p.dial, DisableKeepAlives: true},
	}
	return yunxin.NewSource(yunxin.SourceConfig{
		Call: api.Retry(yunxin.NewCall(cfg), api.Policy{}), Fetch: api.Retry(yunxin.NewFetch(cfg), api.Policy{}), AppKey: appKey,
	})
}

// settle reads a container as the pipeline does: again from the last position while the platform gives nothing, and others in
// between. It gives no pages where that has not come to an end after some time.
func settle(t *testing.T, source connectors.Source, most time.Duration, c *schemas.Container, others ...*schemas.Container) (all []*connectors.Page) {
	t.Helper()
	var at connectors.Position
	pause := 5 * time.Second
	for began := time.Now(); time.Since(began) < most; {
		pages, err := readAll(t, source, c, at)
		if all = append(all, pages...); len(pages) > 0 {
			at = pages[len(pages)-1].Next
		}
		if err == nil {
			return all
		}
		e := new(connectors.Error)
		if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Message == "" {
			t.Fatalf("%v, want it to wait", err)
		}
		noSecrets(t, err.Error())
		if strings.Contains(err.Error(), "pass") || strings.Contains(err.Error(), "ticket") {
			t.Fatalf("error %v shows where a redirect leads", err)
		}
		for _, other := range others {
			if _, err := readAll(t, source, other, connectors.Position{}); err != nil && !errors.As(err, &e) {
				t.Fatal(err)
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, 10*time.Minute)
	}
	return nil
}

// Whatever comes instead of an answer, at whatever call: while it lasts the container waits, and after an outage of seconds
// or of an hour everything is kept. What is for ever, and about one message or file only while others are answered, is given
// up: an internal error at once, all else that may be about it after a day.
func TestTroubleOfAnyCall(t *testing.T) {
	const ever = 0
	ids := numbers(3)
	history, other := conversation("alice|1|bob"), conversation("alice|1|carol")
	endpoints := map[string]struct {
		of   *schemas.Container
		one  string            // what names the calls that it is about for ever; others are named by the endpoint's name
		ends map[string]string // why it is given up; what is not here waits
	}{
		"list": {history, "list 1", nil},
		"batch": {list("alice|1|bob", ids...), ids[1], map[string]string{
			"code 500": "internal_error", "500": "http_500", "502 HTML": "http_502", "hang": "timeout", "reset": "reset", "cut": "unreadable", "200 HTML": "unreadable",
		}},
		"file": {history, "file /1", map[string]string{
			"500": "http_500", "502 HTML": "http_502", "hang": "timeout", "reset": "reset", "cut": "unreadable", "redirect": "host_not_allowed",
		}},
	}
	for name, endpoint := range endpoints {
		for word, trouble := range troubles {
			for _, lasts := range []time.Duration{3 * time.Second, time.Hour, ever} {
				if name == "file" && (word == "code 500" || word == "200 HTML" || word == "redirect" && lasts != ever) {
					continue // a file has no codes, may be any text, and is where a redirect says
				}
				t.Run(fmt.Sprint(name, " ", word, " ", lasts), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := &troubled{trouble: trouble, until: time.Now().Add(lasts)}
						p.fits = func(call string) bool { return strings.HasPrefix(call, name) }
						if lasts == ever {
							p.until = time.Time{}
							p.fits = func(call string) bool { return strings.HasPrefix(call, name) && strings.Contains(call, endpoint.one) }
						}
						began := time.Now()
						pages := settle(t, p.source(), 80*time.Hour, endpoint.of, other, list("alice|1|bob", numbers(9)[5:]...))
						took, want := time.Since(began), ""
						if lasts == ever {
							want = endpoint.ends[word]
						}
						switch waits := lasts == ever && want == ""; {
						case waits != (pages == nil):
							t.Fatalf("%d pages after %v, want it to wait: %t", len(pages), took, waits)
						case waits:
							return
						case lasts == ever && (took < 24*time.Hour) != (want == "internal_error" || want == "host_not_allowed"):
							t.Errorf("given up after %v", took)
						case lasts != ever && took > lasts+20*time.Minute:
							t.Errorf("read after %v", took)
						}
						var got []string
						for _, page := range pages {
							for _, r := range append(page.Expansions, page.Response) {
								if r.Error != "" {
									got = append(got, r.Error)
								}
							}
						}
						if strings.Join(got, " ") != want || pages[len(pages)-1].Failed != nil {
							t.Errorf("given up: %q, want %q; failed %+v", got, want, pages[len(pages)-1].Failed)
						}
						if name == "batch" {
							ends := map[string]string{}
							if want != "" {
								ends[ids[1]] = want
							}
							wantOutcome(t, endpoint.of, pages, ends)
						}
					})
				})
			}
		}
	}
}

// Messages that always fail, more of them than make an outage and nothing else asked for, are given up once a batch that does
// not fail tells.
func TestMessagesThatLookLikeAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := numbers(6)
		p := &troubled{trouble: troubles["code 500"], fits: func(call string) bool { return strings.HasPrefix(call, "batch") && strings.Contains(call, ids[0][:12]) }}
		cfg := yunxin.Config{AppKey: appKey, AppSecret: appSecret, BaseURL: "http://api.test", Client: &http.Client{Transport: p}}
		source := yunxin.NewSource(yunxin.SourceConfig{
			Call: api.Retry(api.Watch(yunxin.NewCall(cfg), api.NewHealth(schemas.Yunxin, nil)), api.Policy{}), AppKey: appKey,
		})
		c := list("alice|1|bob", ids...)
		began := time.Now()
		pages := settle(t, source, 2*time.Hour, c)
		ends := map[string]string{}
		for _, id := range ids {
			ends[id] = "internal_error"
		}
		if pages == nil || time.Since(began) > 20*time.Minute {
			t.Fatalf("%d pages after %v", len(pages), time.Since(began))
		}
		wantOutcome(t, c, pages, ends)
	})
}
