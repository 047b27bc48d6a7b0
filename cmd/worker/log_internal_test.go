package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/schemas"
)

// written makes a logger that writes text, and gives what it has written.
func written() (*slog.Logger, *bytes.Buffer) {
	var out bytes.Buffer
	return (&Cluster{LogLevel: "info", LogFormat: "text", LogLibraries: "off"}).NewLogger(&out), &out
}

// What libraries say is dropped unless it is asked for; the level holds for it all the same.
func TestLogLibrariesIsASwitchOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		libraries, format string
		want              int
	}{{"off", "text", 1}, {"on", "text", 2}, {"off", "json", 1}, {"on", "json", 2}} {
		var out bytes.Buffer
		l := (&Cluster{LogLevel: "info", LogFormat: c.format, LogLibraries: c.libraries}).NewLogger(&out)
		theirs := l.WithGroup("g").With("platform", "feishu").With("library", "pebble")
		l.Info("ours")
		theirs.Warn("theirs")
		theirs.Debug("below the level")
		if n := strings.Count(out.String(), "\n"); n != c.want || !strings.Contains(out.String(), "ours") {
			t.Errorf("%+v: %q", c, out.String())
		}
	}
}

// A summary comes once a minute while there is work, and not at all where there is none.
func TestASummaryAMinuteWhileThereIsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, out := written()
		ctx, cancel := context.WithCancel(t.Context())
		var idle atomic.Bool
		stop := beside(ctx, func(ctx context.Context) {
			summarize(ctx, summaryEvery, logger, func(context.Context) ([]any, bool) { return []any{"pages", 7}, !idle.Load() })
		})
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		if n := strings.Count(out.String(), "msg=progress pages=7"); n != 5 {
			t.Errorf("%d summaries in five minutes:\n%s", n, out)
		}
		idle.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != 5 {
			t.Errorf("%d lines after an hour without work, want 5", n)
		}
		cancel()
		stop()
	})
}

func TestSinceCountsWhatMoved(t *testing.T) {
	s := since{}
	for i, c := range [][3]int64{{5, 0, 5}, {7, 1, 2}, {7, 1, 0}} {
		if got := s.grown(c[0], c[1]); got[0] != c[2] {
			t.Errorf("%d: %v", i, got)
		}
	}
	if got := rate(125, time.Minute); got != 2.1 {
		t.Errorf("rate %v, want 2.1", got)
	}
	budgets := []api.Budget{
		{API: "a", Quota: connectors.Quota{PerMinute: 1000, PerSecond: 50}, Recent: 960},
		{API: "idle", Quota: connectors.Quota{PerMinute: 1000}}, {API: "b", Quota: connectors.Quota{PerSecond: 50}, Recent: 30},
	}
	if got, want := quotas(budgets), "a 960 of 1000, b 30 of 3000"; got != want {
		t.Errorf("quota %q, want %q", got, want)
	}
}

// An outage of the registry is one line, and its end one, however many records and partitions wait for it.
func TestAnOutageOfTheRegistryIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, out := written()
		down := false
		lookup := announced(func(_ context.Context, id int) (string, error) {
			switch {
			case down:
				return "", fmt.Errorf("%w: connection refused", schemas.ErrNoAnswer)
			case id == 9:
				return "", errors.New("status 404: schema 9 not found") // an answer
			}
			return "{}", nil
		}, logger)
		ask := func(id int) { _, _ = lookup(t.Context(), id) }
		ask(1)
		down = true
		for range 68 {
			ask(1)
			time.Sleep(time.Second)
		}
		stopped, cancel := context.WithCancel(t.Context())
		cancel()
		down = false
		if _, err := lookup(stopped, 1); err != nil {
			t.Fatal(err)
		}
		ask(9)
		ask(1)
		if got := out.String(); strings.Count(got, "\n") != 2 || strings.Count(got, "level=WARN msg=\"the schema registry does not answer:") != 1 ||
			strings.Count(got, `level=INFO msg="the schema registry answers again" after=1m8s`) != 1 {
			t.Errorf("logged\n%s", got)
		}
	})
}

// Yunxin has no call to test credentials, so a start asks about a conversation that nobody has: once, by the quota.
func TestYunxinsCredentialsAreTriedAtTheStart(t *testing.T) {
	for name, f := range map[string]struct {
		status int
		body   string
		says   string
		closed bool
	}{
		"taken":                {200, `{"code":102404,"data":{},"msg":"conversation not exist"}`, `level=INFO msg="the platform takes the app's credentials" platform=yunxin`, false},
		"refused":              {200, `{"code":403,"msg":"forbidden"}`, `level=ERROR msg="the platform refuses the app:`, true},
		"a gateway in trouble": {502, `<html>`, `level=WARN msg="the platform does not say whether it takes`, false},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.WriteHeader(f.status)
				_, _ = w.Write([]byte(f.body))
			}))
			defer s.Close()
			logger, out := written()
			pacer := api.NewPacer(map[string]connectors.Quota{schemas.YunxinMessagesList: {PerSecond: 50}})
			health := api.NewHealth(schemas.Yunxin, logger)
			app := &Yunxin{AppKey: "key", AppSecret: "not-to-be-shown", BaseURL: s.URL, APIVersion: "v2"}
			app.authenticate(t.Context(), pacer, health, logger)
			if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, f.says) || strings.Contains(got, "not-to-be-shown") {
				t.Errorf("logged\n%s", got)
			}
			if gate, closed := health.Closed(api.WholePlatform); closed != f.closed || closed && !gate.Refusal {
				t.Errorf("the platform's gate: %+v, closed %v", gate, closed)
			}
			if b := pacer.Snapshot()[0]; b.Calls != 1 || calls < 1 {
				t.Errorf("%d calls by the quota, %d came", b.Calls, calls)
			}
		})
	}
}
