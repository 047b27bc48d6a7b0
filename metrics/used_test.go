package metrics_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chatlake/metrics"
)

const (
	rules     = "../deploy/monitoring/alerts.yml"
	dashboard = "../deploy/monitoring/grafana/dashboards/chatlake.json"
)

// panel is one of the dashboard's: what of it is tested.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct{ Expr string }
}

func panels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var d struct{ Panels []panel }
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d.Panels
}

var (
	metricNames = regexp.MustCompile(`\b(chatlake|process|go)_[a-z_]+\b`)
	labelLists  = regexp.MustCompile(`\b(?:by|on) \(([a-z_, ]*)\)`)
)

// expressions gives what rules and dashboard ask Prometheus, by where it stands.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, rule := range strings.Split(string(text), "- alert: ")[1:] {
		name, rest, _ := strings.Cut(rule, "\n")
		expr, annotations, found := strings.Cut(rest, "labels:")
		if !found || !strings.Contains(annotations, "summary:") || !strings.Contains(annotations, "remedy:") || !strings.Contains(annotations, "severity:") {
			t.Errorf("%s lacks a severity, a summary or a remedy", name)
		}
		all["alert "+name] = expr
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			all["panel "+p.Title+": "+target.Expr] = target.Expr
		}
	}
	return all
}

// usual are metrics that Prometheus or its client bring.
var usual = map[string]bool{
	"process_start_time_seconds": true, "process_resident_memory_bytes": true, "process_cpu_seconds_total": true,
}

// TestRulesAndDashboardUseWhatIsThere: every metric that they name is in docs/metrics.md, and every metric there has a label
// that they sum by.
func TestRulesAndDashboardUseWhatIsThere(t *testing.T) {
	families := map[string]metrics.Family{}
	for _, f := range metrics.Families {
		families[f.Name] = f
	}
	used := map[string]bool{}
	for where, expr := range expressions(t) {
		labels := map[string]bool{"job": true, "instance": true, "le": true}
		for _, name := range metricNames.FindAllString(expr, -1) {
			f, found := families[name]
			if bare, is := strings.CutSuffix(name, "_bucket"); is {
				f, found = families[bare]
				found = found && f.Type == metrics.Histogram
			}
			if !found && !usual[name] {
				t.Errorf("%s: no metric %s", where, name)
			}
			used[f.Name] = true
			for _, l := range f.Labels {
				labels[l] = true
			}
		}
		for _, list := range labelLists.FindAllStringSubmatch(expr, -1) {
			for _, l := range strings.Split(list[1], ", ") {
				if !labels[l] {
					t.Errorf("%s: no label %s", where, l)
				}
			}
		}
	}
	if len(used) < 30 {
		t.Errorf("only %d metrics are used: the expressions were not found", len(used))
	}
}

// TestDashboard: panels lie side by side, and each has a number of its own and something to show.
func TestDashboard(t *testing.T) {
	ids, cells := map[int]string{}, map[[2]int]string{}
	for _, p := range panels(t) {
		if other, twice := ids[p.ID]; twice {
			t.Errorf("%q and %q have one id", p.Title, other)
		}
		ids[p.ID] = p.Title
		if p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d: no title, or nothing to show", p.ID)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, taken := cells[at]; taken || at[0] >= 24 {
					t.Fatalf("%q lies over %q, or beyond the edge", p.Title, other)
				}
				cells[at] = p.Title
			}
		}
	}
}

// TestDashboardParses has promtool read every expression of the dashboard; those of the rules are read where they are fired.
func TestDashboardParses(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if want := os.Getenv("CHATLAKE_TEST_PROMTOOL"); want != "" {
		tool, err = want, nil
	}
	if err != nil {
		t.Skip("promtool is not there (Debian's package prometheus)")
	}
	var b strings.Builder
	b.WriteString("groups:\n  - name: dashboard\n    rules:\n")
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			quoted, err := json.Marshal(target.Expr)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString("      - {record: 'a', labels: {of: '" + p.Title + "'}, expr: " + string(quoted) + "}\n")
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
