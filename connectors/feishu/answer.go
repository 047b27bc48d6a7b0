package feishu

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
)

// answer is what came back on one attempt.
type answer struct {
	status   int // 0: none came
	header   http.Header
	body     []byte // what was read of it
	tooLarge bool   // more was coming than connectors.MaxBody
	at       time.Time
	err      error // why it did not come, or not whole
}

// exchange makes one HTTP request and reads the body to its end.
func (c *caller) exchange(req *http.Request) *answer {
	resp, err := c.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the address, which the request tells
		}
		return &answer{err: err, at: time.Now()}
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, header: resp.Header}
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		b.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	_, a.err = b.ReadFrom(io.LimitReader(resp.Body, connectors.MaxBody+1))
	a.body, a.at = b.Bytes(), time.Now()
	a.tooLarge = len(a.body) > connectors.MaxBody
	return a
}

// logID is the platform's id of the request, which its support asks for.
func (a *answer) logID() string {
	if a.header == nil {
		return ""
	}
	id := a.header.Get("X-Tt-Logid")
	if id == "" {
		id = a.header.Get("X-Request-Id")
	}
	return strings.ToValidUTF8(id[:min(len(id), 256)], "?")
}

// reset is how long the platform asks to wait: x-ogw-ratelimit-reset, in seconds that may have a fraction
// (https://open.feishu.cn/document/server-docs/api-call-guide/frequency-control), else Retry-After; 0 where it does not say.
func (a *answer) reset() time.Duration {
	if a.header == nil {
		return 0
	}
	if d := seconds(a.header.Get("X-Ogw-Ratelimit-Reset")); d > 0 {
		return d
	}
	after := a.header.Get("Retry-After")
	if d := seconds(after); d > 0 {
		return d
	}
	if t, err := http.ParseTime(after); err == nil {
		return max(0, t.Sub(a.at))
	}
	return 0
}

func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || f <= 0 {
		return 0
	}
	return time.Duration(min(f, 24*60*60) * float64(time.Second))
}

// fault names what broke an exchange; begun says that the head of the answer had come.
func fault(err error, begun bool) (code, means string) {
	var timeout net.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded) || (errors.As(err, &timeout) && timeout.Timeout()):
		return codeTimeout, "no whole answer in time"
	case begun && errors.Is(err, io.ErrUnexpectedEOF):
		return codeUnreadable, "the body is cut short"
	case errors.As(err, &dial) && dial.Op == "dial":
		return codeUnreachable, "no connection; check FEISHU_BASE_URL, HTTPS_PROXY and the network"
	default:
		return codeReset, "the connection broke"
	}
}

// clientOf is a copy of given that follows no redirect and keeps no cookie, or a client of our own.
func clientOf(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	}
	if c.Transport == nil && given == nil {
		c.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           128,
			MaxIdleConnsPerHost:    128, // one host is all there is; the default of 2 would reconnect for nearly each call
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: 256 << 10,
		}
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.Jar = nil
	return &c
}
