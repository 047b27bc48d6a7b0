package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"chatlake/schemas"
)

// TestUpReadsAPlatform has chats read by up, with containers that were made while nothing read them.
func TestUpReadsAPlatform(t *testing.T) {
	world, _, feishu := platform(t)
	dir := filepath.Join(t.TempDir(), "data")
	bare, r, err := startUp(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.stop()
	if r.Extracts {
		t.Error("says that it extracts, without an app")
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("data directory: %v, %v", fi.Mode(), err)
	}
	var lines strings.Builder
	for _, c := range world.Chats() {
		lines.WriteString(`{"platform":"feishu","kind":"chat","id":"` + c.ID + `"}` + "\n")
	}
	if r := chatlakeWith(t, strings.NewReader(lines.String()), append(r.env(), feishu...), "containers", "add", "--file", "-"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if code := bare.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, bare.stderr.String())
	}

	up, r, err := startUp(feishu, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	want := map[string]bool{}
	for _, c := range world.Chats() {
		for _, m := range world.Messages(c.ID) {
			want[m.ID] = true
		}
	}
	follow, err := start(r.env(), t.TempDir(), "tail", "--from-beginning", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	defer follow.stop()
	if err := follow.await(func(out string) bool { return covers(out, want) }); err != nil {
		t.Fatal(err)
	}
	if code := up.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, up.stderr.String())
	}
}

// covers says whether messages as JSON lines hold all ids.
func covers(out string, want map[string]bool) bool {
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		var m struct {
			ID string `json:"message_id"`
		}
		if json.Unmarshal([]byte(line), &m) == nil && want[m.ID] {
			seen[m.ID] = true
		}
	}
	return len(seen) == len(want)
}

// TestUpReadsYunxinAlone has conversations read without any app of Feishu, and tells people when all is there.
func TestUpReadsYunxinAlone(t *testing.T) {
	world, env := yunxinPlatform(t)
	dir := filepath.Join(t.TempDir(), "data")
	bare, r, err := startUp(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.stop()
	want := map[string]bool{}
	for _, c := range world.Conversations() {
		ok(t, append(r.env(), env...), addConversation(c.APIID)...)
		for _, m := range append(world.Messages(c.ID, true), world.LookedUp(c.ID)...) {
			want[m.ID] = true
		}
	}
	ok(t, append(r.env(), "FEISHU_APP_ID=cli_off"), addChat("oc_off")...) // its platform is off: nobody waits for it
	if code := bare.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, bare.stderr.String())
	}
	up, err := start(append([]string{"HTTP_ADDR="}, env...), t.TempDir(), "up", "--data", dir, "--kafka-port", "0", "--registry-port", "0")
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	if err := up.await(func(out string) bool { return strings.Contains(out, "all that was asked for is read") }); err != nil {
		t.Fatal(err)
	}
	said := up.stdout.String()
	if !strings.Contains(said, " pages, ") || !strings.Contains(said, " complete\n") {
		t.Errorf("no progress in %s", said)
	}
	var at running
	for line := range strings.Lines(said) {
		if _, broker, found := strings.Cut(line, "KAFKA_BROKERS="); found {
			at.Brokers, at.RegistryURL, _ = strings.Cut(strings.TrimSpace(broker), " SCHEMA_REGISTRY_URL=")
		}
	}
	out := ok(t, at.env(), "tail", "--follow=false", "--format", "json")
	if !covers(out, want) {
		t.Errorf("not all of %d messages are there", len(want))
	}
	if code := up.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, up.stderr.String())
	}
}

func TestUpEndsWhereTheSecretIsRefused(t *testing.T) {
	world, _, feishu := platform(t)
	dir := filepath.Join(t.TempDir(), "data")
	bare, r, err := startUp(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer bare.stop()
	ok(t, append(r.env(), feishu...), addChat(world.Chats()[0].ID)...)
	if code := bare.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, bare.stderr.String())
	}
	wrong := append(feishu, "FEISHU_APP_SECRET=wrong", "LOG_LEVEL=error", "HTTP_ADDR=")
	got := chatlake(t, wrong, "up", "--data", dir, "--kafka-port", "0", "--registry-port", "0", "--partitions", "3")
	got.stdout = "" // it had begun
	oneLine(t, got, 1, "FEISHU_APP_SECRET")
	if strings.Contains(got.stderr, "wrong") {
		t.Error("the secret is shown")
	}
}

// TestSimulateBothPlatforms serves them side by side, each with the faults that are its own.
func TestSimulateBothPlatforms(t *testing.T) {
	dir := t.TempDir()
	chats := filepath.Join(dir, "chats.jsonl")
	p, err := start(nil, dir, "simulate", "--platform", "both", "--listen", "127.0.0.1:0", "--yunxin-listen", "127.0.0.1:0", "--chats", "2",
		"--containers-out", chats, "--fault", "api=im.v1.chats.list,action=answer,status=503", "--fault", "action=revoke token",
		"--fault", "api=merged.file,action=html", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	var s struct {
		BaseURL string `json:"base_url"`
		Chats   []string
		Yunxin  struct {
			BaseURL       string `json:"base_url"`
			AppKey        string `json:"app_key"`
			Secret        string `json:"app_secret"`
			FileHosts     string `json:"file_hosts"`
			Messages      int
			Conversations []string
		}
	}
	if err := p.await(func(out string) bool { return json.Unmarshal([]byte(out), &s) == nil }); err != nil {
		t.Fatal(err)
	}
	y := s.Yunxin
	if len(s.Chats) != 2 || len(y.Conversations) != 2 || y.AppKey == "" || y.Secret == "" || y.FileHosts != y.BaseURL || y.Messages < 900 || y.BaseURL == s.BaseURL {
		t.Errorf("told %+v", s)
	}
	for url, want := range map[string]int{
		s.BaseURL + "/open-apis/im/v1/chats": http.StatusServiceUnavailable,
		y.BaseURL + "/merged/x":              http.StatusBadGateway,
	} {
		answer, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, answer.StatusCode, want)
		}
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
	r := decoded[added](t, yunxinTopics(t, "both"), "containers", "add", "--file", chats)
	if len(r.Added) != 4 {
		t.Errorf("added %+v", r)
	}
}

func TestSimulateServesAndTellsHow(t *testing.T) {
	dir := t.TempDir()
	chats := filepath.Join(dir, "chats.jsonl")
	p, err := start(nil, dir, "simulate", "--listen", "127.0.0.1:0", "--chats", "2", "--containers-out", chats,
		"--fault", "action=answer,status=503,api=im.v1.chats.list", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	var s struct {
		BaseURL string `json:"base_url"`
		AppID   string `json:"app_id"`
		Secret  string `json:"app_secret"`
		Chats   []string
	}
	if err := p.await(func(out string) bool { return json.Unmarshal([]byte(out), &s) == nil }); err != nil {
		t.Fatal(err)
	}
	if len(s.Chats) != 2 || s.AppID == "" || s.Secret == "" {
		t.Errorf("told %+v", s)
	}
	answer, err := http.Post(s.BaseURL+"/open-apis/auth/v3/tenant_access_token/internal", "application/json",
		strings.NewReader(`{"app_id":"`+s.AppID+`","app_secret":"`+s.Secret+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		Code  int
		Token string `json:"tenant_access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || token.Token == "" {
		t.Errorf("token: %+v, %v", token, err)
	}
	_ = answer.Body.Close()
	answer, err = http.Get(s.BaseURL + "/open-apis/im/v1/chats")
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the fault does not act: %d", answer.StatusCode)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
	env := topics(t, "simulated")
	r := decoded[added](t, env, "containers", "add", "--file", chats)
	for i, id := range s.Chats {
		if want := string(schemas.NewContainerKey("feishu", "cli_test", "chat", id)); r.Added[i].Key != want {
			t.Errorf("added %s, not %s", r.Added[i].Key, want)
		}
	}
}
