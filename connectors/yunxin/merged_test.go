package yunxin_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// fileHost serves merged files by path, and counts how often each is asked for.
type fileHost struct {
	*httptest.Server
	mu    sync.Mutex
	asked map[string]int
}

func newFileHost(t *testing.T, answer func(w http.ResponseWriter, r *http.Request)) *fileHost {
	h := &fileHost{asked: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked[r.URL.RequestURI()]++
		h.mu.Unlock()
		for _, name := range []string{"AppKey", "Nonce", "CurTime", "CheckSum", "X-custom-traceid", "Authorization", "Cookie"} {
			if r.Header.Get(name) != "" {
				t.Errorf("a file's host is told %s", name)
			}
		}
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *fileHost) calls() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, times := range h.asked {
		n += times
	}
	return n
}

// texts serves bodies by path; what it does not have is 404.
func texts(files map[string]string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		body, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			body = "<html>no such object</html>"
		}
		io.WriteString(w, body)
	}
}

// merge is a message that forwards a file.
func merge(id int, address string) string {
	return fmt.Sprintf(`{"message_server_id":%d,"create_time":%d,"message_type":100,"attachment":{"type":101,"data":{"url":%q,"md5":"","depth":1}}}`, id, day+id, address)
}

// lines is a file with a line for each address that it forwards again, and one that forwards nothing.
func lines(addresses ...string) string {
	all := []string{fmt.Sprintf(`{"version":0,"terminal":1,"message_count":%d}`, len(addresses)+1), `{"8":0,"9":"hi","10":"{\"type\":101}"}`}
	for _, a := range addresses {
		all = append(all, fmt.Sprintf(`{"8":100,"10":%q}`, fmt.Sprintf(`{"type":101,"data":{"url":%q}}`, a)))
	}
	return strings.Join(all, "\r\n")
}

// history answers with one page of the given items.
func history(items ...string) *fakeAPI {
	var f *fakeAPI
	f = newFake(func(w http.ResponseWriter, _ *http.Request) {
		f.send(w, `{"code":200,"data":{"has_more":false,"items":[`+strings.Join(items, ",")+`]}}`)
	})
	return f
}

// onePage reads a conversation of one page.
func onePage(t *testing.T, f *fakeAPI, hosts ...string) *connectors.Page {
	t.Helper()
	cfg := f.config()
	cfg.FileHosts = hosts
	pages, err := readAll(t, sourceOf(cfg), conversation("alice|1|bob"), connectors.Position{})
	if err != nil || len(pages) != 1 || pages[0].Failed != nil {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	return pages[0]
}

// told gives a page's expansions in short.
func told(p *connectors.Page, h *fileHost) []string {
	var short []string
	for _, e := range p.Expansions {
		short = append(short, strings.TrimSpace(fmt.Sprintf("%s %s %d %s %s", e.Subject, strings.TrimPrefix(e.Request, h.URL+"/"), e.HTTPStatus, e.Code, e.Error)))
	}
	return short
}

func TestMergedFilesAreFetched(t *testing.T) {
	files := map[string]string{"c.txt": lines()}
	h := newFileHost(t, texts(files))
	files["a.txt"] = lines(h.URL+"/n1.txt?token=1", h.URL+"/c.txt", h.URL+"/n1.txt?token=2")
	files["n1.txt"] = lines(h.URL+"/a.txt", h.URL+"/n2.txt") // the first leads back
	f := history(
		merge(1, h.URL+"/a.txt?Expires=1&x=%20y&Signature=signed-with"), `{"message_server_id":2,"message_type":0,"attachment":{"type":101,"data":{"url":"`+h.URL+`/no.txt"}}}`,
		merge(3, h.URL+"/c.txt"), merge(1, h.URL+"/a.txt?Expires=2&x=%20y&Signature=signed-with-another"), merge(4, h.URL+"/c.txt"), `null`, merge(5, h.URL+"/gone.txt"),
	)
	p := onePage(t, f, h.URL)
	sameLines(t, "expansions", told(p, h), []string{
		"1 a.txt?x=%20y 200 0", "3 c.txt 200 0", "4 c.txt 200 0", "5 gone.txt 404 404", // as the page has them
		"1 n1.txt 200 0", "1 c.txt 200 0", "1 a.txt 200 0", "1 n2.txt 404 404", // then what stands in these
	})
	for _, e := range p.Expansions {
		if e.Type != schemas.YunxinMergedFile || e.ContentType != "text/plain" || e.Calls != 1 || e.Time.IsZero() || e.LogID != "" {
			t.Errorf("expansion %+v", e)
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Request, h.URL+"/"), "?")
		if body := files[name]; body != "" && string(e.Body) != body || len(e.Body) == 0 {
			t.Errorf("%s: body %q", e.Request, e.Body)
		}
		noSecrets(t, e.Request)
	}
	if p.Calls != 1+8 || h.calls() != 8 || p.Items != 7 {
		t.Errorf("%d calls, %d of files, %d items", p.Calls, h.calls(), p.Items)
	}
}

// Clients hide the attachment in several ways.
func TestMergedFilesAreFoundInAnyWrapping(t *testing.T) {
	h := newFileHost(t, texts(map[string]string{"a": lines()}))
	inner := `{"type":101,"data":{"url":"` + h.URL + `/a"}}`
	quoted := func(s string) string { return fmt.Sprintf("%q", s) }
	for i, attachment := range []string{
		inner, quoted(inner), `{"raw":` + quoted(inner) + `}`, `{"payload":` + inner + `}`, `{"attach":` + quoted(`{"content":`+quoted(inner)+`}`) + `}`,
		`{"type":101,"url":"` + h.URL + `/a"}`, `{"type":"101","data":` + quoted(`{"url":"`+h.URL+`/a"}`) + `}`,
		`{"raw":"not JSON","data":` + inner + `}`, `{"url":"` + h.URL + `/a","sessionId":"alice|1|bob"}`,
		`{"messages":[{"messageType":100,"attach":` + inner + `},{"messageType":0,"attach":` + inner + `}]}`,
	} {
		p := onePage(t, history(`{"message_server_id":7,"message_type":100,"attachment":`+attachment+`}`), h.URL)
		if len(p.Expansions) != 1 || p.Expansions[0].Code != "0" || p.Expansions[0].Subject != "7" {
			t.Errorf("%d: %s: %+v", i, attachment, p.Expansions)
		}
	}
	for _, attachment := range []string{
		`{"type":102,"data":{"url":"` + h.URL + `/a"}}`, `{}`, `null`, `"x"`, `7`, `[` + inner + `]`, `{"type":101}`, `{"type":101,"data":{"url":""}}`,
		strings.Repeat(`{"raw":`, 40) + inner + strings.Repeat(`}`, 40), `{"url":"` + h.URL + `/a"}`,
	} {
		if p := onePage(t, history(`{"message_server_id":7,"message_type":100,"attachment":`+attachment+`}`), h.URL); len(p.Expansions) != 0 {
			t.Errorf("%s: %+v", attachment, p.Expansions)
		}
	}
}

func TestMergedFilesOfABatch(t *testing.T) {
	h := newFileHost(t, texts(map[string]string{"a": lines()}))
	var f *fakeAPI
	f = newFake(func(w http.ResponseWriter, _ *http.Request) {
		f.send(w, `{"code":200,"data":{"success_list":[`+merge(1, h.URL+"/a")+`]}}`)
	})
	cfg := f.config()
	cfg.FileHosts = []string{h.URL}
	pages, err := readAll(t, sourceOf(cfg), list("alice|1|bob", "1"), connectors.Position{})
	if err != nil || len(pages) != 1 || len(pages[0].Expansions) != 1 || pages[0].Calls != 2 {
		t.Errorf("%+v, %v", pages, err)
	}
}

func TestMergedFilesEndAtTheTenthLevel(t *testing.T) {
	var h *fileHost
	h = newFileHost(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, lines(h.URL+r.URL.Path+"x")) })
	p := onePage(t, history(merge(1, h.URL+"/x")), h.URL)
	if len(p.Expansions) != 10 || h.calls() != 10 || len(p.Expansions[9].Request) != len(h.URL+"/xxxxxxxxxx") {
		t.Errorf("%d expansions", len(p.Expansions))
	}
}

// A file of many thousand others is bounded in calls and in bytes; what is not asked for says so.
func TestMergedFilesAreBounded(t *testing.T) {
	var h *fileHost
	large := strings.Repeat("x", 20<<20)
	h = newFileHost(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/many":
			addresses := make([]string, 12_000)
			for i := range addresses {
				addresses[i] = fmt.Sprintf("%s/n%d", h.URL, i)
			}
			io.WriteString(w, lines(addresses...))
		case strings.HasPrefix(r.URL.Path, "/large"):
			io.WriteString(w, large)
		}
	})
	reasons := func(p *connectors.Page) map[string]int {
		n := map[string]int{}
		for _, e := range p.Expansions {
			n[e.Error]++
			if e.Error != "" && (len(e.Body) != 0 || e.Calls == 0 && (e.HTTPStatus != 0 || e.Code != "")) {
				t.Errorf("expansion %+v", e)
			}
		}
		return n
	}
	p := onePage(t, history(merge(1, h.URL+"/many"), merge(2, h.URL+"/x")), h.URL)
	if n := reasons(p); h.calls() > 520 || n["too_many"]+n[""] != 10_000 || p.Calls != 1+h.calls() {
		t.Errorf("%d files were fetched, %v, %d calls", h.calls(), n, p.Calls)
	}

	var items []string
	for i := range 12 {
		items = append(items, merge(i+1, fmt.Sprintf("%s/large%d", h.URL, i)))
	}
	p = onePage(t, history(items...), h.URL)
	if n := reasons(p); n[""] != 3 || n["too_large"] != 9 || p.Calls != 1+4 || p.Bytes() > api.MaxPageBytes {
		t.Errorf("files of 20 MiB: %v after %d calls, %d bytes", n, p.Calls, p.Bytes())
	}
}

// What a host does about a file decides what its page says; the conversation is read on.
func TestMergedFilesThatCannotBeHad(t *testing.T) {
	elsewhere := newFileHost(t, texts(nil))
	n := map[string]int{}
	var mu sync.Mutex
	h := newFileHost(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		n[r.URL.Path]++
		times := n[r.URL.Path]
		mu.Unlock()
		to := func(address string) { http.Redirect(w, r, address, http.StatusFound) }
		switch r.URL.Path {
		case "/denied":
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error>expired</Error>")
		case "/soon":
			if times < 4 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			io.WriteString(w, "at last")
		case "/large":
			for range 25 {
				io.WriteString(w, strings.Repeat("x", 1<<20))
			}
		case "/off":
			to(elsewhere.URL + "/stolen")
		case "/scheme":
			to("ftp://files.example/x")
		case "/on":
			to("/fine?token=signed-with")
		case "/round":
			to("/round")
		case "/fine":
			io.WriteString(w, "fine")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		}
	})
	tests := []struct {
		name, code, word, body string
		status, calls          int
	}{
		{"denied", "403", "", "<Error>expired</Error>", 403, 1},
		{"soon", "0", "", "at last", 200, 4},
		{"large", "0", "too_large", "", 200, 1},
		{"off", "", "host_not_allowed", "", 0, 1},
		{"scheme", "", "host_not_allowed", "", 0, 1},
		{"on", "0", "", "fine", 200, 2},
		{"round", "", "redirect", "", 0, 6},
		{"none", "204", "", "", 204, 1},
	}
	var items []string
	for i, tt := range tests {
		items = append(items, merge(i+1, h.URL+"/"+tt.name))
	}
	p := onePage(t, history(items...), h.URL)
	if len(p.Expansions) != len(tests) {
		t.Fatalf("%d expansions", len(p.Expansions))
	}
	for i, tt := range tests {
		e := p.Expansions[i]
		if e.Code != tt.code || e.Error != tt.word || string(e.Body) != tt.body || e.HTTPStatus != tt.status || e.Calls != tt.calls || e.Request != h.URL+"/"+tt.name {
			t.Errorf("%s: status %d, code %q, error %q, %d calls, %s, body %.40q", tt.name, e.HTTPStatus, e.Code, e.Error, e.Calls, e.Request, e.Body)
		}
	}
	if elsewhere.calls() != 0 {
		t.Error("a redirect off the list was followed")
	}
}
