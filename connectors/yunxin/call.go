// Package yunxin reads the message history of one NetEase Yunxin app through its IM server API, and turns its pages into
// messages. It knows neither where pages go nor who asks for them.
package yunxin

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// Defaults of Config.
const (
	DefaultBaseURL    = "https://open.yunxinapi.com" // Singapore: https://open-sg.yunxinapi.com
	DefaultAPIVersion = "v2"
)

// What the API's address is set by, for errors; where an answer is none of the platform's, the version may be wrong, too.
const (
	baseSetting     = "YUNXIN_BASE_URL"
	addressSettings = "YUNXIN_BASE_URL and YUNXIN_API_VERSION"
)

// attemptTimeout bounds one attempt, from the first byte sent to the last byte read.
const attemptTimeout = 30 * time.Second

// Config is one app.
type Config struct {
	AppKey    string
	AppSecret string
	BaseURL   string // DefaultBaseURL if ""; may have a path
	// APIVersion is the segment of the path that names it, v2 or v2.1; DefaultAPIVersion if "".
	APIVersion string
	// FileHosts are the hosts that merged files may be fetched from; DefaultFileHosts if there are none. See NewFetch.
	FileHosts []string
	// ConnectorVersion is sent as User-Agent, such as chatlake/1.0.
	ConnectorVersion string
	// Client makes the API's requests, without following redirects or keeping cookies; nil: one that honours HTTPS_PROXY and
	// trusts RootCAs.
	Client *http.Client
	// Transport makes requests for merged files. It is copied, and its dialing replaced by one that refuses private
	// addresses. nil: one that honours HTTPS_PROXY and trusts RootCAs.
	Transport *http.Transport
	// RootCAs are the authorities that a client or transport of our own trusts, see api.Trust; nil: the system's.
	RootCAs *x509.CertPool
	Logger  *slog.Logger // nil: none
}

// Validate reports a setting that cannot work. It names settings, never their values.
func (c Config) Validate() error {
	switch {
	case c.AppKey == "":
		return errors.New("YUNXIN_APP_KEY is not set")
	case c.AppSecret == "":
		return errors.New("YUNXIN_APP_SECRET is not set")
	case c.APIVersion != "" && c.APIVersion != "v2" && c.APIVersion != "v2.1":
		return errors.New("YUNXIN_API_VERSION is neither v2 nor v2.1")
	}
	if _, err := newHosts(c.FileHosts); err != nil {
		return err
	}
	if c.BaseURL == "" {
		return nil
	}
	if !api.IsBase(c.BaseURL) {
		return errors.New(baseSetting + " is not an address like " + DefaultBaseURL)
	}
	return nil
}

// String names the app and not its secret, so that a Config may be printed.
func (c Config) String() string { return "yunxin app " + c.AppKey + " at " + c.BaseURL }

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// caller makes calls of one app.
type caller struct {
	host           api.Host
	appKey, secret string
	log            *slog.Logger
	taken          acceptance
}

// NewCall gives signed calls of the app's API. Each is one attempt; one more where the signature was refused in so many
// words, and one more to learn whether a refusal is about the request or about the signature, as Calls of its outcome
// tells. Waiting and trying again are for api.Pace and api.Retry: each attempt has a nonce, a time, a
// checksum and a trace id of its own. Bodies come back as they were sent. Errors are *connectors.Error, classed by endpoint
// and code, or ctx's; they hold neither the secret nor a signature.
func NewCall(cfg Config) connectors.Call {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &caller{
		host: api.Host{
			Client: api.ClientOr(cfg.Client, cfg.RootCAs), Base: cmp.Or(cfg.BaseURL, DefaultBaseURL), Agent: cfg.ConnectorVersion,
			Setting: baseSetting, Fine: codeFine, ListAPI: schemas.YunxinMessagesList, NextPage: "next_token",
		},
		appKey: cfg.AppKey, secret: cfg.AppSecret, log: log.With("app", cfg.AppKey),
		taken: acceptance{turn: make(chan struct{}, 1)},
	}
	return c.call
}

func (c *caller) call(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	t, err := c.attempt(ctx, &r)
	if err != nil {
		return nil, err
	}
	calls := 1
	if t.verdict.trust == signatureRefused {
		// Once more, with the time as it is now: a clock may just have been set.
		if t, err = c.attempt(ctx, &r); err != nil {
			return nil, err
		}
		calls++
	}
	if t.verdict.trust == signatureDoubted {
		more, err := c.settle(ctx, t)
		if err != nil {
			return nil, err
		}
		calls += more
	}
	t.resp.Calls = calls
	if t.err == nil {
		return t.resp, nil
	}
	t.err.Calls = calls
	return nil, t.err
}

// try is one attempt and what came of it.
type try struct {
	signed  time.Time
	verdict verdict
	resp    *connectors.Response
	err     *connectors.Error // nil where all is well
}

// attempt signs a request, sends it once and reads its answer. It returns an error where ctx is done.
func (c *caller) attempt(ctx context.Context, r *connectors.Request) (*try, error) {
	limited, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	t := &try{signed: time.Now(), resp: &connectors.Response{Type: r.API, Request: r.Line(), Subject: r.Subject}}
	req, wrong := c.host.NewRequest(limited, r, r.Body)
	if wrong != nil {
		t.err = wrong
		return t, nil
	}
	checksum := c.sign(req.Header, t.signed)
	a := api.Exchange(c.host.Client, req)
	if ctx.Err() != nil && a.Err != nil {
		return nil, ctx.Err()
	}
	t.resp.HTTPStatus, t.resp.LogID, t.resp.Time, t.resp.Body = a.Status, logID(a.Header), a.At, a.Body
	if t.err = c.judge(r, a, t, checksum); t.err != nil {
		t.err.API = r.API
		if a.Status != 0 {
			t.err.Response = t.resp
		}
	}
	if t.verdict.trust == signatureTaken {
		c.taken.note(r, t)
	}
	return t, nil
}

// judge fills in the answer's code and verdict and gives the error that it means, nil where all is well.
func (c *caller) judge(r *connectors.Request, a *api.Reply, t *try, checksum string) *connectors.Error {
	if a.Err != nil && !a.TooLarge {
		return c.broken(a, checksum)
	}
	envelope, refused, strange := c.host.Open(r, a, t.resp)
	defer envelope.Close()
	switch {
	case strange:
		return unreadable(a)
	case refused != nil:
		return refused
	}
	code := envelope.Code
	msg, _ := envelope.Get("msg").Str()
	if msg == "" {
		msg, _ = envelope.Get("desc").Str()
	}
	t.verdict = classify(r, a.Status, code, msg)
	if t.verdict.class == 0 {
		return nil
	}
	e := &connectors.Error{Class: t.verdict.class, Code: t.resp.Code, Message: t.verdict.means}
	if code == codeFine {
		e.Code = api.StatusCode(a.Status)
		if e.Code == connectors.CodeRedirect {
			_, e.Message = a.Strange(addressSettings)
		}
	}
	if t.verdict.trust == signatureRefused || t.verdict.trust == signatureDoubted {
		e.Message += skew(a)
	}
	if msg != "" {
		e.Message += ": " + strconv.Quote(c.excerpt(msg, checksum))
	}
	e.RetryAfter = reset(e.Class, a)
	return e
}

// broken is the error of an answer that did not come, or not whole. It keeps the words of the cause only: those may have to be
// redacted, and an attempt that ran out of its own time must not look like the caller's context.
func (c *caller) broken(a *api.Reply, checksum string) *connectors.Error {
	e := &connectors.Error{Class: connectors.ClassUnavailable}
	if a.Status == http.StatusTooManyRequests {
		e.Class = connectors.ClassThrottled
	}
	e.RetryAfter = reset(e.Class, a)
	e.Code, e.Message = a.Fault()
	e.Message = c.redact(e.Message, checksum)
	switch e.Code {
	case connectors.CodeCertificate, connectors.CodeProxy: // their words are the message's
		return e
	case connectors.CodeUnreachable:
		e.Message += "; check YUNXIN_BASE_URL, HTTPS_PROXY and the network"
	}
	e.Err = errors.New(c.excerpt(a.Err.Error(), checksum))
	return e
}

// unreadable is the error of a body that is not the platform's envelope, such as a gateway's page in HTML.
func unreadable(a *api.Reply) *connectors.Error {
	e := &connectors.Error{Class: connectors.ClassUnavailable}
	e.Code, e.Message = a.Strange(addressSettings)
	if v := classifyStatus(a.Status); v.class == connectors.ClassThrottled {
		e.Class, e.Message = v.class, v.means
	}
	e.RetryAfter = reset(e.Class, a)
	return e
}

// reset is how long to wait. A throttled API is blocked for a while whose length is documented for sending only, where it
// is a minute; only a gateway tells it.
func reset(class connectors.Class, a *api.Reply) time.Duration {
	switch class {
	case connectors.ClassThrottled:
		if a.Status == http.StatusTooManyRequests && a.RetryAfter() > 0 {
			return a.RetryAfter()
		}
		return max(blocked, a.RetryAfter())
	case connectors.ClassUnavailable:
		return a.RetryAfter()
	}
	return 0
}

// blocked is how long an API is left alone after it said 416.
const blocked = time.Minute

// excerpt is the start of s, in memory of its own and without secrets, should the platform echo them.
func (c *caller) excerpt(s, checksum string) string {
	s = c.redact(s, checksum) // before it is cut: half a secret is not found
	return strings.Clone(s[:min(len(s), 300)])
}

func (c *caller) redact(s, checksum string) string {
	s = strings.ReplaceAll(s, checksum, "[redacted]")
	if len(c.secret) >= 4 {
		s = strings.ReplaceAll(s, c.secret, "[redacted]")
	}
	return s
}

// logID is the platform's id of the request, which its support asks for.
func logID(h http.Header) string {
	for _, name := range [...]string{"X-Custom-Traceid", "X-Trace-Id", "X-Request-Id"} {
		if id := h.Get(name); id != "" {
			return strings.ToValidUTF8(id[:min(len(id), 256)], "?")
		}
	}
	return ""
}
