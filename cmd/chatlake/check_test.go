package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/schemas"
)

// found is one check of a report.
type found struct{ Name, Subject, Status, Detail, Remedy string }

// check runs chatlake check and gives its document. Whatever is wrong, it says so there, writes nothing to standard error, and
// ends within 30 s.
func check(t *testing.T, env []string, args ...string) (checks []found, code int) {
	t.Helper()
	began := time.Now()
	r := chatlake(t, env, append([]string{"check", "--output", "json"}, args...)...)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	var doc struct{ Checks []found }
	if err := json.Unmarshal([]byte(r.stdout), &doc); err != nil || r.stderr != "" {
		t.Fatalf("%v: %q, %q", err, r.stdout, r.stderr)
	}
	names := []string{"settings", "clock", "broker", "rights", "topics", "registry", "schemas", "credentials", "scopes", "container", "state"}
	fails := false
	for _, c := range doc.Checks {
		fails = fails || c.Status == "fail"
		if !slices.Contains(names, c.Name) || !slices.Contains([]string{"ok", "warn", "fail", "skipped"}, c.Status) {
			t.Errorf("no such check: %+v", c)
		}
		if (c.Remedy == "") != (c.Status == "ok" || c.Status == "skipped") || c.Subject == "" || c.Detail == "" {
			t.Errorf("says too little or too much: %+v", c)
		}
	}
	if want := map[bool]int{false: 0, true: 4}[fails]; r.code != want {
		t.Errorf("exit %d, want %d", r.code, want)
	}
	return doc.Checks, r.code
}

// status gives the statuses of the checks of a name whose subject holds a word.
func status(checks []found, name, subject string) string {
	var all []string
	for _, c := range checks {
		if c.Name == name && strings.Contains(c.Subject, subject) && !slices.Contains(all, c.Status) {
			all = append(all, c.Status)
		}
	}
	return strings.Join(all, " ")
}

func expect(t *testing.T, checks []found, want map[[2]string]string) {
	t.Helper()
	for at, status1 := range want {
		if got := status(checks, at[0], at[1]); got != status1 {
			t.Errorf("%s %s: %q, want %q", at[0], at[1], got, status1)
		}
	}
	if t.Failed() {
		t.Logf("%+v", checks)
	}
}

func TestCheckOfASoundInstallation(t *testing.T) {
	w, _, feishu := platform(t)
	_, yunxin := yunxinPlatform(t)
	id, _, _ := w.App()
	env := slices.Concat(topics(t, "sound"), feishu, yunxin)
	ok(t, env, "containers", "discover", "--platform", "feishu")
	ends := ok(t, env, "containers", "list", "--output", "json")
	checks, code := check(t, env)
	if code != 0 {
		t.Errorf("exit %d", code)
	}
	expect(t, checks, map[[2]string]string{
		{"settings", ""}: "ok", {"clock", "feishu"}: "ok", {"clock", "yunxin"}: "ok", {"broker", ""}: "ok",
		{"rights", "topic sound."}: "ok", {"rights", "group sound-extractor"}: "ok", {"rights", "group sound.messages-normalizer"}: "ok",
		{"rights", "transactional-id sound-extractor-0"}: "ok", {"topics", "sound.raw.pages"}: "ok", {"registry", ""}: "ok",
		{"schemas", "sound.messages-value"}: "ok", {"credentials", "feishu"}: "ok", {"credentials", "yunxin"}: "ok",
		{"scopes", "feishu"}: "ok", {"scopes", "yunxin"}: "ok", {"container", "feishu/" + id + "/chat/"}: "ok", {"state", ""}: "ok",
	})
	if after := ok(t, env, "containers", "list", "--output", "json"); after != ends {
		t.Error("it wrote something")
	}
	if checks, _ = check(t, env, "--containers", "0"); status(checks, "container", "") != "" {
		t.Errorf("containers were asked about: %+v", checks)
	}
}

func TestCheckOfWhatCannotBeReached(t *testing.T) {
	t.Parallel()
	checks, _ := check(t, []string{
		"KAFKA_BROKERS=127.0.0.1:1", "SCHEMA_REGISTRY_URL=http://127.0.0.1:1", "FEISHU_APP_ID=cli_1", "FEISHU_APP_SECRET=s", "FEISHU_BASE_URL=http://127.0.0.1:1",
	})
	expect(t, checks, map[[2]string]string{
		{"settings", ""}: "ok", {"broker", "127.0.0.1:1"}: "fail", {"rights", ""}: "skipped", {"topics", ""}: "skipped",
		{"registry", ""}: "fail", {"schemas", ""}: "skipped", {"credentials", "feishu"}: "fail", {"credentials", "yunxin"}: "skipped",
		{"scopes", ""}: "skipped", {"container", ""}: "skipped", {"clock", ""}: "skipped", {"state", ""}: "ok",
	})
}

func TestCheckOfSettings(t *testing.T) {
	t.Parallel()
	checks, _ := check(t, []string{
		"TOPIC_PARTITIONS=many", "FEISHU_APPID=x", "EXTRACTOR_WORKERS=0", "FEISHU_APP_ID=cli_1", "NORMALIZER_COMMIT_INTERVAL=soon", "KAFKA_BROKERS=127.0.0.1:1",
		"YUNXIN_APP_KEY=key", "YUNXIN_APP_SECRET=hush\u200b", "YUNXIN_BASE_URL=http://127.0.0.1:1",
	})
	expect(t, checks, map[[2]string]string{
		{"settings", "TOPIC_PARTITIONS"}: "fail", {"settings", "FEISHU_APPID"}: "fail", {"settings", "EXTRACTOR_WORKERS"}: "fail",
		{"settings", "FEISHU_APP_SECRET"}: "fail", {"settings", "NORMALIZER_COMMIT_INTERVAL"}: "fail", {"settings", "YUNXIN_APP_SECRET"}: "warn",
		{"settings", "environment"}: "", {"broker", ""}: "fail", {"state", ""}: "skipped", {"credentials", "feishu"}: "skipped", {"credentials", "yunxin"}: "fail",
	})
	for _, c := range checks {
		if strings.Contains(c.Detail+c.Remedy, "hush") {
			t.Errorf("shows a secret: %+v", c)
		}
	}
	oneLine(t, chatlake(t, nil, "check", "--containers", "-1"), 2, "--containers")
	oneLine(t, chatlake(t, nil, "check", "--levitate"), 2, "--levitate")
}

// TestCheckWithoutTopics: what 'topics create' would make is missing.
func TestCheckWithoutTopics(t *testing.T) {
	checks, _ := check(t, append(installation(t), "TOPIC_PREFIX=nothing"))
	expect(t, checks, map[[2]string]string{
		{"broker", ""}: "ok", {"topics", ""}: "fail", {"rights", "topic"}: "skipped", {"rights", "group"}: "ok", {"registry", ""}: "ok", {"schemas", ""}: "fail",
		{"container", ""}: "skipped",
	})
	for _, c := range checks {
		if (c.Name == "topics" || c.Name == "schemas") && !strings.Contains(c.Remedy, "topics create") {
			t.Errorf("no remedy: %+v", c)
		}
	}
}

// TestCheckOfCompatibility: what another writer made of a subject's level shows, and 'topics create' mends it.
func TestCheckOfCompatibility(t *testing.T) {
	env := append(topics(t, "levels"), "FEISHU_APP_ID=")
	registry := ""
	for _, kv := range env {
		if url, found := strings.CutPrefix(kv, "SCHEMA_REGISTRY_URL="); found {
			registry = url
		}
	}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPut, registry+"/config/levels.messages-value", strings.NewReader(`{"compatibility":"NONE"}`))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d", answer.StatusCode)
	}
	checks, code := check(t, env)
	if code != 0 {
		t.Errorf("exit %d: the programs go on with any level", code)
	}
	expect(t, checks, map[[2]string]string{{"schemas", "levels.messages-value"}: "warn", {"schemas", "levels.containers-value"}: "ok"})
	for _, c := range checks {
		if c.Subject == "levels.messages-value" && (!strings.Contains(c.Detail, "NONE, not FULL_TRANSITIVE") || !strings.Contains(c.Remedy, "topics create")) {
			t.Errorf("says too little: %+v", c)
		}
	}
	ok(t, env, "topics", "create")
	checks, _ = check(t, env)
	expect(t, checks, map[[2]string]string{{"schemas", "levels.messages-value"}: "ok"})
}

// TestCheckOfRefusals: wrong secrets, and chats that are not ours.
func TestCheckOfRefusals(t *testing.T) {
	_, _, feishu := platform(t)
	_, yunxin := yunxinPlatform(t)
	env := slices.Concat(topics(t, "refusals"), feishu, yunxin, []string{"FEISHU_TENANT=cli_test"})
	for _, chat := range []string{"oc_known", "oc_other", "oc_unseen"} {
		ok(t, env, "containers", "add", "--platform", "feishu", "--kind", "chat", "--id", chat)
	}
	code := ""
	for _, c := range first(check(t, env)) {
		if c.Name == "container" && strings.HasSuffix(c.Subject, "oc_known") {
			_, code, _ = strings.Cut(c.Detail, "code ")
			code, _, _ = strings.Cut(code, ":")
		}
	}
	if code == "" {
		t.Fatal("a chat that nobody knows is not refused")
	}
	checkpoint(t, env, "oc_known", schemas.Checkpoint{State: schemas.StateFailed, ErrorCode: &code, Epoch: 1, UpdatedAt: 2000})
	other := "999"
	checkpoint(t, env, "oc_other", schemas.Checkpoint{State: schemas.StateFailed, ErrorCode: &other, Epoch: 1, UpdatedAt: 1000})
	checks, _ := check(t, env, "--containers", "2")
	expect(t, checks, map[[2]string]string{
		{"container", "/oc_known"}: "warn", {"container", "/oc_other"}: "fail", {"container", "/oc_unseen"}: "",
	})
	checks, _ = check(t, slices.Concat(env, []string{"FEISHU_APP_SECRET=wrong", "YUNXIN_APP_SECRET=wrong"}))
	expect(t, checks, map[[2]string]string{
		{"credentials", "feishu"}: "fail", {"credentials", "yunxin"}: "fail", {"scopes", ""}: "skipped", {"container", ""}: "skipped", {"clock", ""}: "ok",
	})
}

func first[A, B any](a A, _ B) A { return a }

// TestCheckOfTheStateDirectory: nothing is written to look at it.
func TestCheckOfTheStateDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"KAFKA_BROKERS=127.0.0.1:1", "SCHEMA_REGISTRY_URL=http://127.0.0.1:1", "NORMALIZER_STATE_DIR=" + dir}
	checks, _ := check(t, env)
	expect(t, checks, map[[2]string]string{{"state", "im.messages-normalizer"}: "ok"})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	checks, _ = check(t, append(env[:2:2], "NORMALIZER_STATE_DIR="+file))
	expect(t, checks, map[[2]string]string{{"state", ""}: "fail"})
}
