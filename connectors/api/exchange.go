// Package api is what the sources of all platforms make their calls with: the HTTP exchange, the wrappers that retry, pace and
// watch a connectors.Call, and what a walk over pages needs. It knows no platform.
package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// MaxBody is the most of one response body that is read, in bytes; beyond it the call is given up as too_large.
const MaxBody = 24 << 20

// Reply is what came back on one attempt at an HTTP request.
type Reply struct {
	Status   int // 0: none came
	Header   http.Header
	Body     []byte    // what was read of it, at most MaxBody and one byte
	TooLarge bool      // more was coming than MaxBody, or than the page has room for (MaxPageBytes)
	At       time.Time // when it was complete, or had failed
	Err      error     // why it did not come, or not whole; without the address, which the request tells
}

// Exchange makes one HTTP request and reads the body to its end, to MaxBody, or to what the allowance of the request's
// context leaves. What an exchange that fails has read is given back to the allowance.
func Exchange(client *http.Client, req *http.Request) *Reply {
	resp, err := client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &Reply{Err: err, At: time.Now()}
	}
	defer resp.Body.Close()
	a := &Reply{Status: resp.StatusCode, Header: resp.Header}
	var b bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		b.Grow(int(min(n, 1<<20)) + bytes.MinRead)
	}
	_, a.Err = b.ReadFrom(allowed(req.Context(), io.LimitReader(resp.Body, MaxBody+1)))
	a.Body, a.At = b.Bytes(), time.Now()
	a.TooLarge = len(a.Body) > MaxBody
	if errors.Is(a.Err, ErrPageFull) {
		a.TooLarge, a.Err = true, nil
	}
	if cap(a.Body) > len(a.Body)+len(a.Body)/4+bytes.MinRead {
		a.Body = bytes.Clone(a.Body) // the buffer doubles: what it has to spare would be held with the page
	}
	if a.Err != nil || a.TooLarge {
		AllowanceOf(req.Context()).Give(len(a.Body))
	}
	return a
}

// readFunc is an io.Reader.
type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// allowed takes what it reads from the context's allowance.
func allowed(ctx context.Context, r io.Reader) io.Reader {
	allowance := AllowanceOf(ctx)
	return readFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if n == 0 {
			return 0, err
		}
		if full := allowance.Take(ctx, n); full != nil {
			return 0, full
		}
		return n, err
	})
}

// ErrTooLarge is the cause of a body that is longer than MaxBody.
var ErrTooLarge = fmt.Errorf("it is longer than %d bytes", MaxBody)

// Object reports whether the answer succeeded and its body begins as a JSON object does, which a gateway's page never does.
func (a *Reply) Object() bool {
	return a.Status >= 200 && a.Status < 300 && bytes.HasPrefix(bytes.TrimLeft(a.Body[:min(len(a.Body), 1<<10)], " \t\r\n"), []byte("{"))
}

// RetryAfter is how long the header of that name asks to wait (RFC 9110, section 10.2.3; a fraction of a second is
// understood too), 0 where it does not say.
func (a *Reply) RetryAfter() time.Duration {
	after := a.Header.Get("Retry-After")
	if d := Seconds(after); d > 0 {
		return d
	}
	if t, err := http.ParseTime(after); err == nil {
		return max(0, t.Sub(a.At))
	}
	return 0
}

// Seconds reads a number of seconds that may have a fraction, at most a day; 0 where it is none.
func Seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || f <= 0 {
		return 0
	}
	return time.Duration(min(f, 24*60*60) * float64(time.Second))
}
