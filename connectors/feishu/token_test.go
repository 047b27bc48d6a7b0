package feishu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/feishu"
)

// platform is a token endpoint and an API that takes what it gave, on the clock of the test.
type platform struct {
	mu     sync.Mutex
	token  string
	ends   time.Time
	life   time.Duration // of a new token
	serial int
	asked  []time.Time   // when a token was asked for
	fail   string        // answer of the token endpoint instead of a token
	refuse bool          // refuse all tokens
	took   time.Duration // by the token endpoint
	lag    time.Duration // by the API, for each call made so far
	calls  int
}

func (p *platform) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == tokenURI {
		return p.give(r)
	}
	p.mu.Lock()
	p.calls++
	lag := time.Duration(p.calls) * p.lag
	p.mu.Unlock()
	time.Sleep(lag)
	p.mu.Lock()
	defer p.mu.Unlock()
	shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if p.refuse || shown != p.token || !time.Now().Before(p.ends) {
		return reply(400, `{"code":99991663,"msg":"Invalid access token for authorization."}`), nil
	}
	return reply(200, `{"code":0,"data":{}}`), nil
}

func (p *platform) give(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	took := p.took
	p.asked = append(p.asked, time.Now())
	p.mu.Unlock()
	select {
	case <-time.After(took):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != "" {
		return reply(400, p.fail), nil
	}
	now := time.Now()
	// The platform's rule: with half an hour or more left the same token comes again.
	if p.ends.Sub(now) < min(30*time.Minute, p.life/4) {
		p.serial++
		p.token, p.ends = fmt.Sprintf("t-token-%d", p.serial), now.Add(p.life)
	}
	return reply(200, fmt.Sprintf(`{"code":0,"msg":"ok","tenant_access_token":%q,"expire":%d}`, p.token, int(p.ends.Sub(now)/time.Second))), nil
}

func (p *platform) revoke() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ends, p.token = time.Time{}, ""
}

func (p *platform) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *platform) counts() (asked, calls int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked), p.calls
}

func (p *platform) call() connectors.Call {
	return feishu.NewCall(feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: &http.Client{Transport: p}})
}

// together makes n calls at once and gives their errors.
func together(t *testing.T, call connectors.Call, n int) []error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { _, errs[i] = call(t.Context(), listRequest) })
	}
	wait.Wait()
	return errs
}

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{life: 2 * time.Hour, took: time.Second}
		call := p.call()
		for _, err := range together(t, call, 50) {
			if err != nil {
				t.Errorf("call: %v", err)
			}
		}
		if asked, calls := p.counts(); asked != 1 || calls != 50 {
			t.Errorf("asked %d times for a token and made %d calls; want 1 and 50", asked, calls)
		}
	})
}

func TestTokenIsRefreshedBeforeItEnds(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Hour, 45 * time.Minute, 10 * time.Minute, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			p := &platform{life: life}
			call := p.call()
			start, n := time.Now(), 0
			for time.Since(start) < 5*life {
				resp, err := call(t.Context(), listRequest)
				if err != nil || resp.Calls != 1 {
					t.Fatalf("life %v, after %v: %+v, %v", life, time.Since(start), resp, err)
				}
				n++
				time.Sleep(life / 200)
			}
			if asked, _ := p.counts(); asked < 5 || asked > 24 {
				t.Errorf("life %v: asked %d times for a token in five lives", life, asked)
			}
			if n != 1000 {
				t.Errorf("made %d calls", n)
			}
		})
	}
}

func TestTokenWithoutALifeDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == tokenURI {
				asked++
				return reply(200, `{"code":0,"tenant_access_token":"t-token-1","expire":-5}`), nil
			}
			return reply(200, `{"code":0}`), nil
		})}
		call := feishu.NewCall(feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: client})
		for range 1000 {
			if _, err := call(t.Context(), listRequest); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		if asked > 11 {
			t.Errorf("asked %d times in ten seconds", asked)
		}
	})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{life: 2 * time.Hour, took: 100 * time.Millisecond}
		call := p.call()
		if _, err := call(t.Context(), listRequest); err != nil {
			t.Fatal(err)
		}
		p.revoke()
		// All 50 show the old token, and some are refused when the new one is there already.
		p.set(func() { p.lag = 10 * time.Millisecond })
		for _, err := range together(t, call, 50) {
			if err != nil {
				t.Errorf("call: %v", err)
			}
		}
		if asked, calls := p.counts(); asked != 2 || calls != 1+2*50 {
			t.Errorf("asked %d times for a token and made %d calls; want 2 and 101: a late refusal is of the old token", asked, calls)
		}
		p.revoke()
		if resp, err := call(t.Context(), listRequest); err != nil || resp.Calls != 2 {
			t.Errorf("%+v, %v: want success with 2 calls", resp, err)
		}
	})
}

func TestSameTokenRefusedAgainIsFatal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{life: 2 * time.Hour, refuse: true}
		_, err := p.call()(t.Context(), listRequest)
		var e *connectors.Error
		if !errors.As(err, &e) || e.Class != connectors.ClassFatal || e.Code != "99991663" || e.Calls != 2 || !strings.Contains(e.Message, "FEISHU_BASE_URL") {
			t.Fatalf("error %v", err)
		}
		noSecrets(t, err.Error())
		if asked, calls := p.counts(); asked != 2 || calls != 2 {
			t.Errorf("%d tokens, %d calls; want 2 and 2", asked, calls)
		}
	})
}

func TestNewTokenRefusedIsNoVerdict(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"code":99991663}`)
	})
	_, err := f.call()(t.Context(), listRequest)
	var e *connectors.Error
	if !errors.As(err, &e) || e.Class != connectors.ClassUnavailable || e.Calls != 2 || f.tokenCalls() != 2 {
		t.Errorf("error %v after %d tokens, want unavailable after 2", err, f.tokenCalls())
	}
}

func TestTokenEndpointFailures(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		class  connectors.Class
		code   string
		words  string
	}{
		{"secret refused", 400, `{"code":10014,"msg":"app secret invalid"}`, connectors.ClassFatal, "10014", "FEISHU_APP_ID or FEISHU_APP_SECRET is refused"},
		{"app id refused", 200, `{"code":10003,"msg":"invalid param"}`, connectors.ClassFatal, "10003", "FEISHU_APP_ID or FEISHU_APP_SECRET is refused"},
		{"app disabled", 400, `{"code":99991662}`, connectors.ClassFatal, "99991662", "disabled"},
		{"address", 400, `{"code":99991401}`, connectors.ClassFatal, "99991401", "allow-list"},
		{"internal error", 400, `{"code":2200}`, connectors.ClassUnavailable, "2200", ""},
		{"throttled", 429, `{"code":99991400}`, connectors.ClassThrottled, "99991400", ""},
		{"HTML", 502, `<html>`, connectors.ClassUnavailable, "http_502", ""},
		{"no token", 200, `{"code":0,"expire":7200}`, connectors.ClassUnavailable, "unreadable", ""},
		{"unknown code", 400, `{"code":4711,"msg":"` + appSecret + `"}`, connectors.ClassUnavailable, "4711", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, func(http.ResponseWriter, *http.Request) { t.Error("a call was made without a token") })
			f.token = func(int) (int, string) { return tt.status, tt.body }
			log, said := logged()
			cfg := f.config()
			cfg.Logger = log
			_, err := feishu.NewCall(cfg)(t.Context(), listRequest)
			var e *connectors.Error
			if !errors.As(err, &e) || e.Class != tt.class || e.Code != tt.code || !strings.Contains(e.Message, tt.words) || e.API == listRequest.API {
				t.Fatalf("error %v", err)
			}
			if e.Response != nil || e.Calls != 0 {
				t.Errorf("the token endpoint's answer is passed on: %+v, %d calls", e.Response, e.Calls)
			}
			noSecrets(t, err.Error()+said())
		})
	}
}

func TestTokenThatCannotBeRefreshedIsUsedToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{life: 2 * time.Hour}
		call := p.call()
		if _, err := call(t.Context(), listRequest); err != nil {
			t.Fatal(err)
		}
		p.set(func() { p.fail = `{"code":2200}` })
		for minute := range 118 {
			if minute == 110 { // a refusal too: the token in force says otherwise
				p.set(func() { p.fail = `{"code":10014}` })
			}
			time.Sleep(time.Minute)
			if _, err := call(t.Context(), listRequest); err != nil {
				t.Fatal(err)
			}
		}
		asked, _ := p.counts()
		if asked < 10 || asked > 20 {
			t.Errorf("asked %d times for a token, want about once a minute for the last 18", asked)
		}
		p.set(func() { p.fail = `{"code":2200}` })
		time.Sleep(3 * time.Minute)
		var e *connectors.Error
		if _, err := call(t.Context(), listRequest); !errors.As(err, &e) || e.Class != connectors.ClassUnavailable {
			t.Errorf("after the token's end: %v", err)
		}
		p.set(func() { p.fail = `{"code":10014}` })
		if _, err := call(t.Context(), listRequest); !errors.As(err, &e) || e.Class != connectors.ClassFatal {
			t.Errorf("after the secret was changed: %v", err)
		}
	})
}

func TestCancelledFetchDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &platform{life: 2 * time.Hour, took: 10 * time.Second}
		call := p.call()
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := call(ctx, listRequest)
			first <- err
		}()
		synctest.Wait() // the first one fetches
		others := make(chan []error, 1)
		go func() { others <- together(t, call, 5) }()
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, ctx.Err()) || ctx.Err() == nil {
			t.Errorf("cancelled call: %v", err)
		}
		for _, err := range <-others {
			if err != nil {
				t.Errorf("a call that waited for the cancelled one's token: %v", err)
			}
		}
		if asked, _ := p.counts(); asked != 2 {
			t.Errorf("asked %d times for a token, want 2", asked)
		}
	})
}

// A token that was taken, refused for some seconds while the platform gives the same one again, is no wrong app.
func TestTokenThatWorkedAndIsRefused(t *testing.T) {
	refused := false
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		if refused {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"code":99991663,"msg":"Invalid access token"}`)
			return
		}
		io.WriteString(w, `{"code":0,"data":{}}`)
	})
	f.token = func(int) (int, string) { return 200, `{"code":0,"tenant_access_token":"t-token-same","expire":7000}` }
	call := f.call()
	for i, class := range []connectors.Class{0, connectors.ClassUnavailable, 0} {
		refused = class != 0
		_, err := call(t.Context(), listRequest)
		var e *connectors.Error
		if class == 0 && err != nil || class != 0 && (!errors.As(err, &e) || e.Class != class || e.Code != "99991663" || e.Calls != 2) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

func TestAuthenticate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		token func(n int) (int, string)
		class connectors.Class // 0: a token comes
		tries int
	}{
		{"a token", func(int) (int, string) { return 200, `{"code":0,"tenant_access_token":"t-token-1","expire":7000}` }, 0, 1},
		{"a token at last", func(n int) (int, string) {
			if n < 4 {
				return 502, `<html>`
			}
			return 200, `{"code":0,"tenant_access_token":"t-token-1","expire":7000}`
		}, 0, 4},
		{"refused", func(int) (int, string) { return 400, `{"code":10014,"msg":"app secret invalid"}` }, connectors.ClassFatal, 1},
		{"out", func(int) (int, string) { return 502, `<html>` }, connectors.ClassUnavailable, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				cfg := feishu.Config{AppID: appID, AppSecret: appSecret, BaseURL: "http://feishu.test", Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
					n++
					status, body := tt.token(n)
					return reply(status, body), nil
				})}}
				err := feishu.Authenticate(t.Context(), cfg)
				var e *connectors.Error
				if tt.class == 0 && err != nil || tt.class != 0 && (!errors.As(err, &e) || e.Class != tt.class) || n != tt.tries {
					t.Errorf("%v after %d tries", err, n)
				}
				if err != nil {
					noSecrets(t, err.Error())
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := feishu.Authenticate(ctx, feishu.Config{AppID: appID, AppSecret: appSecret}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
