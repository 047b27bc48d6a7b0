package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

type demoSummary struct {
	Data        string `json:"data"`
	Chats       int
	Complete    int `json:"containers_complete"`
	Failed      int `json:"containers_failed"`
	Containers  int
	RawPages    int `json:"raw_pages"`
	Messages    int
	Served      int
	Calls       int     `json:"api_calls"`
	Throttled   int     `json:"throttled_calls"`
	DeadLetters int     `json:"dead_letters"`
	PerSecond   float64 `json:"messages_per_second"`
	Lost        int
	Doubled     int
	Unexpected  int
	PagesTwice  int `json:"pages_doubled"`
	Altered     int `json:"pages_altered"`

	Children       int `json:"forwarded_messages"`
	ServedChildren int `json:"forwarded_served"`
	LookUps        int
	Links          map[string]int
	Platforms      map[string]demoSummary
}

// TestDemo runs the demo end to end, with settings in the environment that would lead it astray, and opens what it left.
func TestDemo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	astray := []string{
		"KAFKA_BROKERS=127.0.0.1:1", "SCHEMA_REGISTRY_URL=http://127.0.0.1:1", "TOPIC_PREFIX=other", "FEISHU_APP_ID=cli_real",
		"FEISHU_APP_SECRET=real", "FEISHU_BASE_URL=http://127.0.0.1:1", "NORMALIZER_OUTPUT=elsewhere", "YUNXIN_APP_KEY=real",
		"YUNXIN_APP_SECRET=real", "YUNXIN_BASE_URL=http://127.0.0.1:1", "YUNXIN_FILE_HOSTS=files.example", "NORMALIZER_LOOKUPS=false",
	}
	s := decoded[demoSummary](t, astray, "demo", "--chats", "3", "--quota-per-minute", "0", "--quota-per-second", "0", "--data", dir)
	if s.Lost+s.Doubled+s.Unexpected+s.PagesTwice+s.Altered != 0 {
		t.Errorf("promises not kept: %+v", s)
	}
	if s.Chats != 6 || s.Messages != s.Served || s.Served < 3000 || s.Failed != 0 || s.Complete != s.Containers || s.Containers < 6 {
		t.Errorf("not all was read: %+v", s)
	}
	if s.RawPages < s.Served/50 || s.Calls < s.RawPages || s.Throttled != 0 || s.DeadLetters != 0 || s.PerSecond <= 0 {
		t.Errorf("counts: %+v", s)
	}
	for name, p := range s.Platforms {
		if p.Chats != 3 || p.Messages != p.Served || p.Messages < 1000 || p.Children != p.ServedChildren || p.Children < 10 || p.LookUps < 5 ||
			p.Links["RESOLVED"] < 100 || p.Links["MISSING"] < 1 || p.Calls < p.RawPages/2 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if len(s.Platforms) != 2 || s.Platforms["feishu"].Messages+s.Platforms["yunxin"].Messages != s.Messages || s.Platforms["feishu"].Links["PENDING"] != 0 {
		t.Errorf("platforms: %+v", s.Platforms)
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 || s.Data != dir {
		t.Errorf("data in %s: %v, %v", s.Data, fi.Mode(), err)
	}

	up, r, err := startUp(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	ids := map[string]bool{}
	for line := range strings.Lines(ok(t, r.env(), "tail", "--follow=false", "--format", "json")) {
		var m struct {
			ID      string `json:"message_id"`
			Forward struct{ Role string }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Forward.Role, "CHILD") {
			ids[m.ID] = true
		}
	}
	if len(ids) != s.Messages {
		t.Errorf("%d messages in what the demo left, %d counted", len(ids), s.Messages)
	}
	if code := up.stop(); code != 0 {
		t.Errorf("up: exit %d: %s", code, up.stderr.String())
	}
}

func TestDemoForPeople(t *testing.T) {
	r := chatlake(t, nil, "demo", "--chats", "4", "--quota-per-minute", "0", "--quota-per-second", "0")
	if r.code != 0 {
		t.Fatal(r.stderr)
	}
	said := strings.Join(strings.Fields(r.stdout), " ")
	for _, want := range []string{
		"Kafka 127.0.0.1:", "pages", "Read back from im.messages. Feishu, #", "↳ to ", "A thread, #", "A merged forward, unfolded, #", " Yunxin, ",
		"[recalled]", "CC BY 4.0", "Feishu Yunxin containers", "lost 0 0", "doubled 0 0", "kept in ./chatlake-demo/", "chatlake up --data ./chatlake-demo/", "kcat -b",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s", want, r.stdout)
		}
	}
	for _, piece := range []string{"A thread, ", "A merged forward, "} {
		_, after, _ := strings.Cut(r.stdout, "\n"+piece)
		lines := strings.SplitN(after, "\n", 6)
		if len(lines) < 6 || !strings.HasPrefix(lines[2], "  ") || lines[2][2] == ' ' || !strings.HasPrefix(lines[3], "      ") || lines[3][6] == ' ' {
			t.Errorf("%sis not indented: %q", piece, lines)
		}
	}
	for line := range strings.Lines(r.stdout) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 118 && !strings.HasPrefix(line, "Chats: ") {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	if strings.Contains(r.stdout, "\x1b") {
		t.Error("terminal control where there is no terminal")
	}
}

// TestDemoOfOnePlatform runs each alone.
func TestDemoOfOnePlatform(t *testing.T) {
	for _, name := range []string{"feishu", "yunxin"} {
		s := decoded[demoSummary](t, nil, "demo", "--platform", name, "--chats", "2", "--messages", "500", "--quota-per-minute", "0")
		if s.Chats == 0 || s.Messages != s.Served || s.Lost+s.Doubled+s.Unexpected != 0 || len(s.Platforms) != 1 || s.Platforms[name].Messages != s.Messages {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestDemoStopsCleanly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	p, err := start(nil, t.TempDir(), "demo", "--chats", "1", "--quota-per-minute", "60", "--quota-per-second", "1", "--data", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if err := p.await(func(out string) bool { return strings.Contains(out, " pages ") }); err != nil {
		t.Fatal(err)
	}
	if code := p.stop(); code != 0 || !strings.Contains(p.stderr.String(), "stays in") {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
	up, _, err := startUp(nil, dir)
	if err != nil {
		t.Fatalf("what it left cannot be opened: %v", err)
	}
	if code := up.stop(); code != 0 {
		t.Errorf("up: exit %d: %s", code, up.stderr.String())
	}
}
