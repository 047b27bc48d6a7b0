package feishu

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/decode"
	"chatlake/schemas"
)

// tokenPath is the endpoint for apps of one tenant
// (https://open.feishu.cn/document/server-docs/authentication-management/access-token/tenant_access_token_internal).
const tokenPath = "/open-apis/auth/v3/tenant_access_token/internal"

// When a token is replaced. The platform gives a new one only when the old one has less than 30 minutes left, and both
// are taken until the old one ends.
const (
	tokenMargin = 20 * time.Minute
	tokenHurry  = time.Second      // never ask more often than this, however short the life
	tokenAgain  = 30 * time.Second // after a failure, while the old one still holds
)

// tokenQuota is the token endpoint's own budget: far above what single flight and early refreshing need, far below what
// would trouble the platform.
var tokenQuota = connectors.Quota{PerMinute: 120, PerSecond: 10}

// tokens holds the tenant access token. Callers that find none wait for the one that fetches it.
type tokens struct {
	fetch func(context.Context) (token string, life time.Duration, err error)
	log   *slog.Logger

	mu      sync.Mutex
	value   string
	known   []string  // the last ones, whether they hold or not
	refresh time.Time // when to replace it
	ends    time.Time
	flight  *flight
	worked  bool // the platform has taken one
}

// took notes that the platform took a token.
func (t *tokens) took() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worked = true
}

// taken reports whether the platform ever took one.
func (t *tokens) taken() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.worked
}

// flight is one fetch that is under way. Its result may be read once done is closed.
type flight struct {
	done  chan struct{}
	token string
	err   error
}

// get gives a token that has not been refused. Errors are *connectors.Error, or ctx's.
func (t *tokens) get(ctx context.Context) (string, error) {
	for {
		t.mu.Lock()
		now := time.Now()
		if t.value != "" && now.Before(t.refresh) {
			defer t.mu.Unlock()
			return t.value, nil
		}
		f := t.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			t.flight = f
			t.mu.Unlock()
			t.fly(ctx, f)
			return f.token, f.err
		}
		t.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		var e *connectors.Error
		if f.err == nil || errors.As(f.err, &e) {
			return f.token, f.err
		}
		// The one that fetched was cancelled, which says nothing of the platform: the next takes over.
	}
}

// fly fetches a token and settles f.
func (t *tokens) fly(ctx context.Context, f *flight) {
	defer func() {
		t.mu.Lock()
		t.flight = nil
		t.mu.Unlock()
		close(f.done)
	}()
	f.err = errors.New("token: not fetched") // what waiters see if fetch panics
	token, life, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if err != nil {
		if t.value != "" && now.Before(t.ends) && ctx.Err() == nil {
			t.log.Warn("token is not refreshed, the old one still holds", "platform", schemas.Feishu, "error", err, "wait", t.ends.Sub(now).Round(time.Second))
			t.refresh = now.Add(tokenAgain)
			f.token, f.err = t.value, nil
			return
		}
		f.err = err
		return
	}
	t.value, t.ends = token, now.Add(life)
	if !slices.Contains(t.known, token) {
		t.known = append(t.known[max(0, len(t.known)-3):], token)
	}
	t.refresh = now.Add(max(life-tokenMargin, life/2, tokenHurry))
	t.log.Debug("token is fetched", "platform", schemas.Feishu, "wait", life)
	f.token, f.err = token, nil
}

// redact takes every token that s may hold out of it.
func (t *tokens) redact(s string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, token := range t.known {
		s = strings.ReplaceAll(s, token, "[redacted]")
	}
	return s
}

// drop forgets the token that was refused, unless it has been replaced meanwhile.
func (t *tokens) drop(refused string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value == refused {
		t.value = ""
	}
}

// fetchToken asks the platform for a token. The answer is flat: code, msg, tenant_access_token, expire in seconds. An
// error carries no Response, as that might hold a token.
func (c *caller) fetchToken(ctx context.Context) (string, time.Duration, error) {
	body, err := json.Marshal(map[string]string{"app_id": c.appID, "app_secret": c.secret})
	if err != nil {
		return "", 0, &connectors.Error{Class: connectors.ClassFatal, API: tokenAPI, Message: "the request cannot be written", Err: err}
	}
	if err := c.pacer.Wait(ctx, tokenAPI); err != nil {
		return "", 0, err
	}
	r := connectors.Request{API: tokenAPI, Method: http.MethodPost, Path: tokenPath}
	resp, err := c.send(ctx, &r, credentials{body: body})
	if err != nil {
		var e *connectors.Error
		if !errors.As(err, &e) {
			return "", 0, err
		}
		bare := *e
		if bare.Response != nil && bare.Response.LogID != "" {
			bare.Message += " (log id " + bare.Response.LogID + ")"
		}
		bare.Response, bare.Calls = nil, 0
		return "", 0, &bare
	}
	return readToken(resp)
}

func readToken(resp *connectors.Response) (string, time.Duration, error) {
	p := decode.Borrow()
	defer p.Return()
	v, err := p.Parse(resp.Body)
	token, _ := v.Get("tenant_access_token").Str()
	if err != nil || token == "" {
		return "", 0, &connectors.Error{
			Class: connectors.ClassUnavailable, API: tokenAPI, Code: connectors.CodeUnreadable, Message: "the answer holds no token",
		}
	}
	seconds, _ := v.Get("expire").Int()
	// A life that is not told, or told wrongly, is taken as short.
	seconds = min(max(seconds, 1), int64(24*time.Hour/time.Second))
	return strings.Clone(token), time.Duration(seconds) * time.Second, nil
}
