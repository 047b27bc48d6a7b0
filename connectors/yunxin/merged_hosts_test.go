package yunxin_test

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"chatlake/connectors"
	"chatlake/connectors/yunxin"
	"chatlake/schemas"
)

func fetchOf(address string) connectors.Request {
	return connectors.Request{API: schemas.YunxinMergedFile, Method: "GET", Path: address, Subject: "1"}
}

// via gives a config whose requests for files go through a proxy that leads every name to one server, as the proxy of an
// installation would: so that public names can be tried without a network.
func via(t *testing.T, answer http.HandlerFunc) yunxin.Config {
	t.Helper()
	files := httptest.NewUnstartedServer(answer)
	files.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail by intent
	files.StartTLS()
	t.Cleanup(files.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			t.Errorf("the proxy is asked to %s %s", r.Method, r.URL)
			return
		}
		to, err := net.Dial("tcp", files.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer to.Close()
		from, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer from.Close()
		io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			defer to.Close()
			_, _ = io.Copy(to, from) // until one side closes
		}()
		_, _ = io.Copy(from, to)
	}))
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := files.Client().Transport.(*http.Transport).Clone()
	transport.DialContext, transport.Proxy = nil, http.ProxyURL(u)
	t.Cleanup(transport.CloseIdleConnections)
	return yunxin.Config{Transport: transport}
}

func TestFileHosts(t *testing.T) {
	var asked string
	cfg := via(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host
		io.WriteString(w, "fine")
	})
	cfg.FileHosts = []string{"example.com", "*.Example.com", "https://origin.example.com:8443"}
	for address, ok := range map[string]bool{
		"https://example.com/a":                 true,
		"https://EXAMPLE.com./a":                true,
		"https://a.example.com/a?b=c#d":         true,
		"https://a.b.example.com/a":             false, // allowed, but the test's certificate is not for it
		"https://example.com:444/a":             true,
		"https://origin.example.com:8443/a":     true,
		"http://example.com/a":                  false,
		"http://origin.example.com:8443/a":      false,
		"ftp://example.com/a":                   false,
		"https://example.com.evil.test/a":       false,
		"https://evilexample.com/a":             false,
		"https://evil.test/a?x=.example.com":    false,
		"https://evil.test/.example.com":        false,
		"https://example.com@evil.test/a":       false,
		"https://user:secret@example.com/a":     false,
		"https://evil.test\\@example.com/a":     false,
		"//example.com/a":                       false,
		"example.com/a":                         false,
		"https:///a":                            false,
		"https:example.com/a":                   false,
		"":                                      false,
		"file:///etc/passwd":                    false,
		"https://example.com:port/a":            false,
		"https://exa mple.com/a":                false,
		"https://example.com/\x00":              false,
		"https://ex%61mple.com/a":               false,
		"https://example.com/" + longPath:       false,
		"https://127.0.0.1/a":                   false,
		"https://[::ffff:127.0.0.1]/a":          false,
		"javascript:alert('https://example.com": false,
	} {
		asked = ""
		_, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(address))
		if (err == nil) != ok || (asked != "") != ok {
			t.Errorf("%s: asked %q, %v", address, asked, err)
		}
		var e *connectors.Error
		if errors.As(err, &e) && !strings.Contains(address, "a.b.example") {
			resp := e.Response
			if e.Class != connectors.ClassItem || e.Code != "host_not_allowed" || resp.Error != "host_not_allowed" || resp.HTTPStatus != 0 || resp.Calls != 0 {
				t.Errorf("%s: %v, %+v", address, err, resp)
			}
			if len(resp.Request) > 4<<10 || strings.Contains(resp.Request, "secret") {
				t.Errorf("%s: told as %s", address, resp.Request)
			}
		}
	}
}

var longPath = strings.Repeat("x", 5000)

func TestDefaultFileHosts(t *testing.T) {
	n := 0
	cfg := via(t, func(http.ResponseWriter, *http.Request) { n++ })
	cfg.Transport.TLSClientConfig.InsecureSkipVerify = true
	for address, ok := range map[string]bool{
		"https://nim-nosdn.netease.im/MTAx/a.txt": true, "https://nim.nosdn.127.net/a": true, "https://nos.netease.com/a": true,
		"https://nim-s3dn.chatnos.com/a": true, "https://other.nosdn.127.net/a": false, "https://netease.im.test/a": false, "https://example.com/a": false,
	} {
		before := n
		if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(address)); (err == nil) != ok || (n > before) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A name on the list that leads to a machine of ours is refused when the connection is made.
func TestPrivateAddressesAreNotAsked(t *testing.T) {
	n := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { n++ }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg := yunxin.Config{FileHosts: []string{"localhost", "127.0.0.1", "10.0.0.1"}, Transport: server.Client().Transport.(*http.Transport)}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		_, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf("https://"+host+":"+port+"/a"))
		var e *connectors.Error
		if !errors.As(err, &e) || e.Class != connectors.ClassItem || e.Code != "host_not_allowed" || !strings.Contains(e.Message, "public") {
			t.Errorf("%s: %v", host, err)
		}
	}
	// Behind a proxy nothing is dialed here, so an address is refused by its looks.
	proxied := via(t, func(http.ResponseWriter, *http.Request) { n++ })
	proxied.FileHosts = cfg.FileHosts
	if _, err := yunxin.NewFetch(proxied)(t.Context(), fetchOf("https://10.0.0.1/a")); err == nil || !strings.Contains(err.Error(), "public") {
		t.Errorf("10.0.0.1 through a proxy: %v", err)
	}
	if n != 0 {
		t.Errorf("%d requests came through", n)
	}
	// A whole origin on the list lifts that, for that origin.
	cfg.FileHosts = []string{server.URL}
	if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf(server.URL+"/a")); err != nil || n != 1 {
		t.Errorf("an origin that is listed: %v", err)
	}
	if _, err := yunxin.NewFetch(cfg)(t.Context(), fetchOf("https://localhost:"+port+"/a")); err == nil || n != 1 {
		t.Errorf("another name of it: %v", err)
	}
}

func TestFileRequestTellsNoSignature(t *testing.T) {
	for address, want := range map[string]string{
		"https://h/a?NOSAccessKeyId=k&Expires=1&Signature=s":             "https://h/a",
		"https://h/a?b=1&X-Amz-Signature=s&c=&X-Amz-Date=1":              "https://h/a?b=1&c=",
		"https://h/a?createTime=17&token=s#frag":                         "https://h/a?createTime=17",
		"https://h/a?%53ignature=s":                                      "https://h/a",
		"https://h/a?SIGN=s&q-sign-algorithm=sha1&q-ak=k":                "https://h/a",
		"https://user:secret@h/a":                                        "https://h/a",
		"https://h?b":                                                    "https://h?b",
		"no address?secret":                                              "no address",
		"https://h/\xff":                                                 "https://h/\uFFFD",
		"https://h/a?x=1?token=s":                                        "https://h/a?x=1?token=s",
		"https://h/" + strings.Repeat("y", 9000):                         "https://h/" + strings.Repeat("y", 4096-len("https://h/")),
		"https://h/a%2Fb%7C?name=%E4%BD%A0&auth_key=1-0-0-s&Key-Pair-Id": "https://h/a%2Fb%7C?name=%E4%BD%A0",
	} {
		_, err := yunxin.NewFetch(yunxin.Config{FileHosts: []string{"none.test"}})(t.Context(), fetchOf(address))
		var e *connectors.Error
		if !errors.As(err, &e) || e.Response.Request != want {
			t.Errorf("%s: %v", address, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", address, err)
		}
	}
}
