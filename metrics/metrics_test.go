package metrics_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"chatlake/metrics"
)

var update = flag.Bool("update", false, "write docs/metrics.md again")

const page = "../docs/metrics.md"

// TestDocument holds docs/metrics.md to the list of all metrics.
func TestDocument(t *testing.T) {
	want := metrics.Document()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): go test ./metrics -update", page, err)
	}
}

// TestFamilies holds names, units and words to Prometheus's conventions.
func TestFamilies(t *testing.T) {
	s := metrics.NewSet()
	seen := map[string]bool{}
	for _, f := range metrics.Families {
		if seen[f.Name] || !strings.HasPrefix(f.Name, "chatlake_") || !strings.HasSuffix(f.Meaning, ".") {
			t.Errorf("%s: a name that is not ours, or stands twice, or a meaning that is no sentence", f.Name)
		}
		seen[f.Name] = true
		if f.Type == metrics.Histogram {
			s.Time(f.Name, 1).Observe(1, f.Labels...)
		}
	}
	s.Sampled(func(emit metrics.Emit) {
		for _, f := range metrics.Families {
			if f.Type != metrics.Histogram && f.Name != "chatlake_build_info" {
				emit(f.Name, 1, f.Labels...)
			}
		}
	})
	code, text := scrape(s)
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, text)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "chatlake_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func scrape(s *metrics.Set) (code int, text string) {
	w := httptest.NewRecorder()
	metrics.Handler("1.2.3", s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Code, w.Body.String()
}

// TestUnknownNames: what is not in the list, or has other labels, cannot be told, and a scrape says so.
func TestUnknownNames(t *testing.T) {
	for name, labels := range map[string][]string{"chatlake_of_nothing": nil, "chatlake_ready": {"extractor", "more"}, "chatlake_call_duration_seconds": {"a", "b"}} {
		s := metrics.NewSet()
		s.Sampled(func(emit metrics.Emit) { emit(name, 1, labels...) })
		if code, text := scrape(s); code != http.StatusInternalServerError || !strings.Contains(text, name) {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
}

// TestWordsAreBounded: a platform, or a foreign record, may send any number of codes.
func TestWordsAreBounded(t *testing.T) {
	s := metrics.NewSet()
	c := s.Count("chatlake_calls_total")
	for i := range 1000 {
		c.Add(1, "feishu", "an.api", "refused", fmt.Sprint(i))
		c.Add(1, "feishu", "an.api", "refused", "0")
	}
	_, text := scrape(s)
	codes := regexp.MustCompile(`(?m)^chatlake_calls_total\{.*code="(\w+)".*\} (\d+)$`).FindAllStringSubmatch(text, -1)
	if len(codes) != 65 {
		t.Errorf("%d series", len(codes))
	}
	for code, want := range map[string]string{"0": "1001", "63": "1", "other": "936"} {
		i := slices.IndexFunc(codes, func(m []string) bool { return m[1] == code })
		if i < 0 || codes[i][2] != want {
			t.Errorf("code %s: %v, want %s", code, codes, want)
		}
	}
}

// TestOneProcessTwoStages: what both tell stands side by side.
func TestOneProcessTwoStages(t *testing.T) {
	a, b := metrics.NewSet(), metrics.NewSet()
	for stage, s := range map[string]*metrics.Set{"extractor": a, "normalizer": b} {
		s.Sampled(func(emit metrics.Emit) { emit("chatlake_ready", 1, stage) })
		s.Time("chatlake_transaction_duration_seconds", 1).Observe(.5, stage)
	}
	w := httptest.NewRecorder()
	metrics.Handler("1.2.3", a, b).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		`chatlake_ready{stage="extractor"} 1`, `chatlake_ready{stage="normalizer"} 1`, `version="1.2.3"`,
		`chatlake_transaction_duration_seconds_count{stage="extractor"} 1`, `chatlake_transaction_duration_seconds_count{stage="normalizer"} 1`,
	} {
		if !strings.Contains(w.Body.String(), line) {
			t.Errorf("%s is missing in %s", line, w.Body)
		}
	}
}
