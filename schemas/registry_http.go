package schemas

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of what a registry may answer: the largest schema of ours has 30 KiB.
const (
	maxAnswer  = 2 * maxSchemaText // bytes of an answer that gives something
	maxRefusal = 64 << 10          // bytes that are read of one that refuses
	maxReason  = 512               // bytes of a refusal that an error repeats
	maxHops    = 5                 // redirects

	answerTime = 15 * time.Second // one call
)

// errLongAnswer says that an answer has more bytes than any of a registry.
var errLongAnswer = fmt.Errorf("the answer has more than %d bytes", maxAnswer)

// redirectError is a redirect that is not followed: it leads to another server, which is not to have the credentials.
type redirectError struct{ to *url.URL }

func (e *redirectError) Error() string {
	return fmt.Sprintf("it redirects to %s://%s, which does not get the credentials: set SCHEMA_REGISTRY_URL to where the registry is", e.to.Scheme, e.to.Host)
}

// newHTTPClient makes the client that all calls go through. Credentials stay with the server that they are meant for: the
// standard library would take them along to another port of the host, or from https to http.
func newHTTPClient(c RegistryConfig, transport http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout: answerTime, Transport: bounded{transport},
		CheckRedirect: func(next *http.Request, before []*http.Request) error {
			first := before[0].URL
			if c.Username != "" && (next.URL.Scheme != first.Scheme || next.URL.Host != first.Host) {
				return &redirectError{next.URL}
			}
			if len(before) > maxHops {
				return fmt.Errorf("more than %d redirects", maxHops)
			}
			return nil
		},
	}
}

// bounded reads no more of an answer than a registry has to say.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		resp.Body = &limited{resp.Body, maxRefusal, io.EOF}
		if at, ok := q.Context().Value(pauseKey{}).(*time.Duration); ok {
			*at = retryAfter(resp.Header.Get("Retry-After"), time.Now())
		}
		return resp, nil
	}
	resp.Body = &limited{resp.Body, maxAnswer, errLongAnswer}
	return resp, nil
}

// limited is a body that ends with an error of its own after so many bytes.
type limited struct {
	io.ReadCloser
	left int
	err  error
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, l.err
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// pauseKey is where a call's context holds the pause that the registry asked for.
type pauseKey struct{}

// retryAfter reads the header of that name, seconds or a date; 0 where it says nothing.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(value); err == nil && n > 0 && n < 1<<20 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// Pauses between tries where the registry asks for none.
const (
	firstPause = 250 * time.Millisecond
	mostPause  = 4 * time.Second
)

// patience is how long a call asks again, and who is to know that it does.
type patience struct {
	most    time.Duration
	waiting func(error) // called once; may be nil
}

// call calls the registry until it answers, or its time or the deadline of ctx is over. It gives up, with the last error,
// before a pause that would go beyond.
func (p patience) call(ctx context.Context, call func(context.Context) error) error {
	until := time.Now().Add(p.most)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		var asked time.Duration
		err := call(context.WithValue(ctx, pauseKey{}, &asked))
		if err == nil || ctx.Err() != nil || !passing(err) {
			return err
		}
		wait := max(pause, asked)
		if time.Now().Add(wait).After(until) {
			return err
		}
		if pause == firstPause && p.waiting != nil {
			p.waiting(err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-timer.C:
		}
	}
}

// brief cuts the text of an error that may hold what a server has sent, and keeps it one line.
type brief struct{ error }

func (b brief) Error() string {
	text := strings.ToValidUTF8(b.error.Error(), "�")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "") + "…"
	}
	return strings.Join(strings.Fields(text), " ")
}

func (b brief) Unwrap() error { return b.error }

// passing reports whether an error is one that may pass by itself: a registry that is busy or starting, or a broken
// connection.
func passing(err error) bool {
	if re := refusedBy(err); re != nil {
		return re.StatusCode >= 500 || re.StatusCode == http.StatusTooManyRequests || re.StatusCode == http.StatusRequestTimeout
	}
	var redirect *redirectError
	return !errors.Is(err, ErrNotRegistered) && !errors.Is(err, errLongAnswer) && !errors.As(err, &redirect) && !untrusted(err) && !unreadable(err)
}
