package worker_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/connectors/feishu"
)

// TestInspectNamesEveryFault: one fault does not hide another, whatever program's it is.
func TestInspectNamesEveryFault(t *testing.T) {
	for name, value := range map[string]string{
		"TOPIC_PARTITIONS": "many", "LOG_LEVEL": "loud", "EXTRACTOR_WORKERS": "0", "EXTRACTOR_PATIENCE": "soon",
		"NORMALIZER_COMMIT_INTERVAL": "1h", "FEISHU_APP_ID": "cli_1", "YUNXIN_APP_SECRET": " s ", "YUNXIN_APPKEY": "k", "TOPIC_PREFIX": "chat",
	} {
		t.Setenv(name, value)
	}
	i := worker.Inspect()
	var names []string
	for _, f := range i.Faults {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	want := []string{
		"EXTRACTOR_PATIENCE", "EXTRACTOR_WORKERS", "FEISHU_APP_SECRET", "LOG_LEVEL", "NORMALIZER_COMMIT_INTERVAL", "TOPIC_PARTITIONS", "YUNXIN_APPKEY",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	if i.Tool.Prefix != "chat" || i.Extractor.Group != "chat-extractor" || i.Normalizer.Group != "chat.messages-normalizer" {
		t.Errorf("what can be used is lost: %q, %q, %q", i.Tool.Prefix, i.Extractor.Group, i.Normalizer.Group)
	}
	if !slices.ContainsFunc(i.Notes, func(n string) bool { return strings.HasPrefix(n, "YUNXIN_APP_SECRET: ") }) {
		t.Errorf("notes: %v", i.Notes)
	}
	if got := i.Broken("KAFKA_", "EXTRACTOR_"); !strings.HasPrefix(got, "EXTRACTOR_") {
		t.Errorf("broken: %q", got)
	}
	if got := i.Broken("KAFKA_"); got != "" {
		t.Errorf("broken: %q", got)
	}
}

// TestInspectWithoutAPlatform: an operator's machine needs none.
func TestInspectWithoutAPlatform(t *testing.T) {
	if i := worker.Inspect(); len(i.Faults) > 0 || i.Extractor.Group != "im-extractor" {
		t.Errorf("got %v, group %q", i.Faults, i.Extractor.Group)
	}
}

// TestProbeTellsTheTime: from the Date of whatever answer came.
func TestProbeTellsTheTime(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		_, _ = io.WriteString(w, `{"code":10014,"msg":"app secret invalid"}`)
	}))
	defer s.Close()
	f := worker.Feishu{AppID: "cli_1", AppSecret: "s", BaseURL: s.URL, PerMinute: 1000, PerSecond: 50}
	config, probe := f.Probe(nil)
	if _, known := probe.Clock.Ahead(); known {
		t.Error("the time is known before anybody was asked")
	}
	if err := feishu.Authenticate(t.Context(), config); err == nil {
		t.Error("the secret is taken")
	}
	if ahead, known := probe.Clock.Ahead(); !known || ahead < 59*time.Minute || ahead > 61*time.Minute {
		t.Errorf("ahead by %v, %v", ahead, known)
	}
}
