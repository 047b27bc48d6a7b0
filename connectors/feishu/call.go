// Package feishu reads the message history of one Feishu or Lark tenant through its IM API, and turns its pages into
// messages. It knows neither where pages go nor who asks for them.
package feishu

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
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// DefaultBaseURL is where Feishu's API lives; Lark's is https://open.larksuite.com.
const DefaultBaseURL = "https://open.feishu.cn"

// baseSetting names the setting of the API's address, for errors.
const baseSetting = "FEISHU_BASE_URL"

// attemptTimeout bounds one attempt, from the first byte sent to the last byte read. A page takes some 0.3 s, a merged
// forward about 1 s.
const attemptTimeout = 30 * time.Second

// Config is one app in one tenant.
type Config struct {
	AppID     string
	AppSecret string
	Tenant    string // names the tenant in keys, AppID if ""
	BaseURL   string // DefaultBaseURL if ""
	// ConnectorVersion is sent as User-Agent, such as chatlake/1.0.
	ConnectorVersion string
	// Client makes the requests, without following redirects or keeping cookies; nil: one that honours HTTPS_PROXY and trusts
	// RootCAs.
	Client *http.Client
	// RootCAs are the authorities that a client of our own trusts, see api.Trust; nil: the system's.
	RootCAs *x509.CertPool
	Logger  *slog.Logger // nil: none
}

// Validate reports a setting that cannot work. It names settings, never their values.
func (c Config) Validate() error {
	switch {
	case c.AppID == "":
		return errors.New("FEISHU_APP_ID is not set")
	case c.AppSecret == "":
		return errors.New("FEISHU_APP_SECRET is not set")
	case c.BaseURL == "":
		return nil
	}
	if !api.IsBase(c.BaseURL) {
		return errors.New(baseSetting + " is not an address like " + DefaultBaseURL)
	}
	return nil
}

// String names the app and not its secret, so that a Config may be printed.
func (c Config) String() string { return "feishu app " + c.AppID + " at " + c.BaseURL }

// GoString is String.
func (c Config) GoString() string { return c.String() }

// LogValue is String for slog.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// caller makes calls of one app.
type caller struct {
	host          api.Host
	appID, secret string
	pacer         *api.Pacer // of the token endpoint
	tokens        *tokens
	stubborn      stubborn
}

// NewCall gives calls with the app's tenant access token, which it fetches, keeps fresh and, when it is refused,
// replaces once. Each call is one attempt, or two where the token was refused, as Calls of its outcome tells; waiting
// and trying again are for api.Pace and api.Retry. Bodies come back as they were sent. Errors are
// *connectors.Error, classed by endpoint and code, or ctx's; they hold neither the secret nor a token.
func NewCall(cfg Config) connectors.Call { return newCaller(cfg).call }

// Authenticate asks for a token, a few times where the platform gives no answer. It returns nil when one came; else a
// *connectors.Error, ClassFatal where the credentials are refused, or ctx's.
func Authenticate(ctx context.Context, cfg Config) error {
	c := newCaller(cfg)
	call := api.Retry(func(ctx context.Context, _ connectors.Request) (*connectors.Response, error) {
		_, _, err := c.fetchToken(ctx)
		return &connectors.Response{}, err
	}, api.Policy{Logger: cfg.Logger})
	_, err := call(ctx, connectors.Request{API: tokenAPI, Method: http.MethodPost, Path: tokenPath})
	return err
}

func newCaller(cfg Config) *caller {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &caller{
		host: api.Host{
			Client: api.ClientOr(cfg.Client, cfg.RootCAs), Base: cmp.Or(cfg.BaseURL, DefaultBaseURL), Agent: cfg.ConnectorVersion,
			Setting: baseSetting, ListAPI: schemas.FeishuMessagesList, NextPage: "page_token",
		},
		appID: cfg.AppID, secret: cfg.AppSecret,
		pacer: api.NewPacer(map[string]connectors.Quota{tokenAPI: tokenQuota}),
	}
	c.tokens = &tokens{fetch: c.fetchToken, log: log.With("app", cfg.AppID)}
	return c
}

func (c *caller) call(ctx context.Context, r connectors.Request) (*connectors.Response, error) {
	token, err := c.tokens.get(ctx)
	if err != nil {
		return nil, err
	}
	resp, err := c.attempt(ctx, &r, token)
	if !tokenRefused(err) {
		if err == nil {
			c.tokens.took()
		}
		return c.withoutCards(ctx, r, token, resp, err)
	}
	c.tokens.drop(token)
	fresh, err := c.tokens.get(ctx)
	var e *connectors.Error
	if err != nil {
		if errors.As(err, &e) {
			counted := *e // e is shared by all who waited for the token
			counted.Calls++
			return nil, &counted
		}
		return nil, err
	}
	resp, err = c.attempt(ctx, &r, fresh)
	if err == nil {
		c.tokens.took()
		resp.Calls++
		return resp, nil
	}
	if !errors.As(err, &e) {
		return nil, err
	}
	e.Calls++
	switch {
	case e.Class != connectors.ClassToken:
	case fresh == token && c.tokens.taken():
		// It was taken before: refused by chance, or by a part of the platform that is not well.
		e.Class = connectors.ClassUnavailable
	case fresh == token:
		e.Class = connectors.ClassFatal
		e.Message += "; the platform gives the same token again, so the app, FEISHU_BASE_URL or the tenant is not the right one for this API"
	default:
		// The token was a new one: refused by chance, or not yet known everywhere.
		c.tokens.drop(fresh)
		e.Class = connectors.ClassUnavailable
	}
	return nil, e
}

func tokenRefused(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e) && e.Class == connectors.ClassToken
}

func (c *caller) attempt(ctx context.Context, r *connectors.Request, token string) (*connectors.Response, error) {
	return c.send(ctx, r, credentials{token: token})
}

// credentials are what a request shows of us: a token, or a body that holds the secret and so is not the Request's.
type credentials struct {
	token string
	body  []byte
}

// send makes one attempt and reads its answer.
func (c *caller) send(ctx context.Context, r *connectors.Request, show credentials) (*connectors.Response, error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	body := show.body
	if body == nil {
		body = r.Body
	}
	req, wrong := c.host.NewRequest(attempt, r, body)
	if wrong != nil {
		return nil, wrong
	}
	if show.token != "" {
		req.Header.Set("Authorization", "Bearer "+show.token)
	}
	a := api.Exchange(c.host.Client, req)
	if ctx.Err() != nil && a.Err != nil {
		return nil, ctx.Err()
	}
	resp := &connectors.Response{
		Type: r.API, Request: r.Line(), Subject: r.Subject, HTTPStatus: a.Status, LogID: logID(a), Time: a.At, Body: a.Body, Calls: 1,
	}
	if e := c.judge(r, a, resp); e != nil {
		e.API, e.Calls = r.API, 1
		if a.Status != 0 {
			e.Response = resp
		}
		return nil, e
	}
	return resp, nil
}

// judge fills in the answer's code and gives the error that it means, nil where all is well.
func (c *caller) judge(r *connectors.Request, a *api.Reply, resp *connectors.Response) *connectors.Error {
	if a.Err != nil && !a.TooLarge {
		return c.broken(a)
	}
	envelope, refused, strange := c.host.Open(r, a, resp)
	defer envelope.Close()
	switch {
	case strange:
		return c.unreadable(a)
	case refused != nil:
		return refused
	}
	v := classify(r, a.Status, envelope.Code)
	if v.Class == 0 {
		return nil
	}
	e := &connectors.Error{Class: v.Class, Code: resp.Code, Message: v.Means}
	if envelope.Code == 0 {
		e.Code = api.StatusCode(a.Status)
		if e.Code == connectors.CodeRedirect {
			_, e.Message = a.Strange(baseSetting)
		}
	}
	if said := c.said(envelope.JSON); said != "" {
		e.Message += ": " + said
	}
	if v.Class == connectors.ClassThrottled || v.Class == connectors.ClassUnavailable {
		e.RetryAfter = reset(a)
	}
	return e
}

// broken is the error of an answer that did not come, or not whole. It keeps the words of the cause only: those may
// have to be redacted, and an attempt that ran out of its own time must not look like the caller's context.
func (c *caller) broken(a *api.Reply) *connectors.Error {
	e := &connectors.Error{Class: connectors.ClassUnavailable}
	if a.Status == http.StatusTooManyRequests {
		e.Class, e.RetryAfter = connectors.ClassThrottled, reset(a)
	}
	e.Code, e.Message = fault(a)
	e.Message = c.redact(e.Message)
	if e.Code != connectors.CodeCertificate && e.Code != connectors.CodeProxy { // their words are the message's
		e.Err = errors.New(c.redact(a.Err.Error()))
	}
	return e
}

// unreadable is the error of a body that is not the platform's envelope, such as a gateway's page in HTML.
func (c *caller) unreadable(a *api.Reply) *connectors.Error {
	e := &connectors.Error{Class: connectors.ClassUnavailable}
	e.Code, e.Message = a.Strange(baseSetting)
	e.Message = c.redact(e.Message)
	if v := api.OfStatus(a.Status, baseSetting); v.Class == connectors.ClassThrottled {
		e.Class, e.Message = v.Class, v.Means
	}
	e.RetryAfter = reset(a)
	return e
}

// said is the platform's own words about an error, in one short line: its msg, and what it says of missing permissions
// and wrong parameters.
func (c *caller) said(envelope decode.JSON) string {
	msg, _ := envelope.Get("msg").Str()
	words := []string{strconv.Quote(c.excerpt(msg, 300))}
	if msg == "" {
		words = words[:0]
	}
	extra := envelope.Get("error")
	for _, list := range [...]struct{ name, field, other string }{{"permission_violations", "subject", "scope"}, {"field_violations", "field", "field"}} {
		for i := range min(extra.Get(list.name).Len(), 8) {
			v := extra.Get(list.name).At(i)
			s, ok := v.Get(list.field).Str()
			if !ok {
				s, _ = v.Get(list.other).Str()
			}
			if s != "" {
				words = append(words, strconv.Quote(c.excerpt(s, 100)))
			}
		}
	}
	return strings.Join(words, " ")
}

// excerpt is the first n bytes of s, in memory of its own and without secrets.
func (c *caller) excerpt(s string, n int) string {
	s = c.redact(strings.Clone(s)) // before it is cut: half a secret is not found
	return s[:min(len(s), n)]
}

// redact takes the secret and tokens out of s, should the platform echo them.
func (c *caller) redact(s string) string {
	if len(c.secret) >= 4 {
		s = strings.ReplaceAll(s, c.secret, "[redacted]")
	}
	return c.tokens.redact(s)
}
