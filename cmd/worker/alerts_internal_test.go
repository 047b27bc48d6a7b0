package worker

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/simulator"
)

const rulesFile = "../../deploy/monitoring/alerts.yml"

// step is what Prometheus sees from one time on: the samples of each worker, by job, nil where it does not answer.
type step struct {
	at      time.Time // of the scrapes
	workers map[string]series
}

// drill is a fault on a site that has read its history, and the alerts that it must raise within the hour after it: these and no others.
type drill struct {
	fault func(*drilled)
	fires []string
}

// drilled is a site in a drill.
type drilled struct {
	*site
	e            *Extractor
	r            *Normalizer
	stopE, stopR func()
	steps        []step
	gone         map[string]bool // jobs that do not answer
}

const (
	jobExtractor  = "chatlake-extractor"
	jobNormalizer = "chatlake-normalizer"
)

func newDrill(t *testing.T, interval time.Duration) *drilled {
	d := &drilled{site: newSite(t), gone: map[string]bool{}}
	d.e, d.stopE = d.extract()
	d.r, d.stopR = d.normalize(interval)
	d.working()
	return d
}

// working waits until both stages own all partitions.
func (d *drilled) working() {
	d.t.Helper()
	for _, scrape := range []func() series{d.extractor, d.normalizer} {
		waitFor(d.t, "a stage is ready", scrape, func(v series) bool {
			return v.sum("chatlake_ready") == 1 && v.sum("chatlake_partitions_owned") == sitePartitions
		})
	}
}

// extractor and normalizer scrape one worker.
func (d *drilled) extractor() series  { return scrape(d.t, &d.e.ready, d.e.seen) }
func (d *drilled) normalizer() series { return scrape(d.t, &d.r.ready, d.r.seen) }

// see adds what Prometheus sees now.
func (d *drilled) see() {
	s := step{at: time.Now(), workers: map[string]series{jobExtractor: nil, jobNormalizer: nil}}
	if !d.gone[jobExtractor] {
		s.workers[jobExtractor] = d.extractor()
	}
	if !d.gone[jobNormalizer] {
		s.workers[jobNormalizer] = d.normalizer()
	}
	d.steps = append(d.steps, s)
}

// read has chats read to their end with all that follows from them, and normalized.
func (d *drilled) read(ids ...string) {
	d.t.Helper()
	d.add(ids...)
	waitFor(d.t, "all is read and normalized", d.extractor, func(e series) bool {
		if !allRead(e) {
			return false
		}
		n := d.normalizer()
		done := n.sum("chatlake_normalized_pages_total") >= e.sum("chatlake_extracted_pages_total") && n.sum("chatlake_normalizer_lag_pages") == 0
		return done && float64(d.containers()) == e.sum("chatlake_containers") // else look-ups are on their way
	})
}

// unreachableFault is what a gateway says before a platform that is down.
var unreachableFault = simulator.Fault{Action: simulator.Answer, Status: http.StatusBadGateway}

// refusedFault lets the app read all but one chat.
func refusedFault(chat string) simulator.Fault {
	return simulator.Fault{API: simulator.APIMessages, Container: chat, Action: simulator.Answer, Status: http.StatusBadRequest, Code: 230002}
}

var drills = map[string]drill{
	"nothing": {fault: func(d *drilled) { d.read(d.chats()[1:]...) }},
	"an extractor that ended": {fault: func(d *drilled) {
		d.stopE()
		d.gone[jobExtractor] = true
	}, fires: []string{"ChatlakeStageDown", "ChatlakeWorkerDown"}},
	"a normalizer that ended": {fault: func(d *drilled) {
		d.stopR()
		d.gone[jobNormalizer] = true
	}, fires: []string{"ChatlakeStageDown", "ChatlakeWorkerDown"}},
	"the platform gives 502 for everything": {fault: func(d *drilled) {
		d.feishu.SetFaults(unreachableFault)
		d.add(d.chats()[1:]...)
		waitFor(d.t, "the platform is out", d.extractor, func(v series) bool { return v.sum("chatlake_platform_out") > 0 })
	}, fires: []string{"ChatlakePlatformOut", "ChatlakeStuck"}},
	"a revoked secret": {fault: func(d *drilled) {
		d.feishu.SetFaults(simulator.Fault{Action: simulator.RevokeToken},
			simulator.Fault{API: simulator.APIToken, Action: simulator.Answer, Status: http.StatusBadRequest, Code: 10014})
		d.add(d.chats()[1:]...)
		waitFor(d.t, "the app is refused", d.extractor, func(v series) bool { return v.sum("chatlake_platform_refused") > 0 })
	}, fires: []string{"ChatlakeCredentialsRefused", "ChatlakeStuck"}},
	"a chat that the app may not read": {fault: func(d *drilled) {
		d.feishu.SetFaults(refusedFault(d.chats()[1]))
		d.read(d.chats()[1:]...)
	}, fires: []string{"ChatlakeContainersFailed"}},
	"quota that somebody else eats": {fault: func(d *drilled) {
		d.feishu.SetFaults(simulator.Fault{API: simulator.APIMessages, Every: 3, Action: simulator.Throttle})
		d.read(d.chats()[1:]...)
	}, fires: []string{"ChatlakeThrottled"}},
	"a page that cannot be decoded": {fault: func(d *drilled) {
		d.feishu.SetFaults(simulator.Fault{API: simulator.APIMessages, Action: simulator.BreakItem, Broken: simulator.NoMessageID, Times: 1})
		d.read(d.chats()[1:]...)
	}, fires: []string{"ChatlakeDeadLetters"}},
	"a broker that is gone": {fault: func(d *drilled) {
		d.stopServer()
	}, fires: []string{"ChatlakeBrokerUnreachable", "ChatlakeRegistryUnreachable"}},
	"a state directory that is gone": {fault: func(d *drilled) {
		elsewhere := d.r.state + ".away"
		if err := os.Rename(d.r.state, elsewhere); err != nil {
			d.t.Fatal(err)
		}
		d.t.Cleanup(func() {
			if err := os.Rename(elsewhere, d.r.state); err != nil {
				d.t.Error(err)
			}
		})
	}, fires: []string{"ChatlakeNotReady"}},
	"a registry that is gone": {fault: func(d *drilled) {
		d.registry.Close()
	}, fires: []string{"ChatlakeRegistryUnreachable"}},
	"a disk that is nearly full": {fault: func(d *drilled) {
		d.r.space = func(string) (free, size int64, err error) { return 100 << 20, 10 << 30, nil }
	}, fires: []string{"ChatlakeStateDiskLow"}},
	"a worker that is killed again and again": {fault: func(d *drilled) {
		for range 4 {
			d.steps = append(d.steps, step{at: time.Now(), workers: map[string]series{jobExtractor: d.extractor(), jobNormalizer: d.killed()}})
		}
	}, fires: []string{"ChatlakeRestarting"}},
}

// TestAlerts makes each fault on a site of its own and holds what its workers then tell against the alert rules, by promtool.
// The faults are real, and so are the samples; only the clock is not: what was seen before the fault is taken to have been
// so for two hours, and what was seen after it to stay so for one. So no rule's wait has to be waited for, and nothing
// depends on how fast the machine is. Without promtool (Debian's package prometheus) it looks at what the workers tell alone.
func TestAlerts(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(drills)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, 50*time.Millisecond)
			d.read(d.chats()[0])
			d.see()
			drills[name].fault(d)
			d.see()
			evaluate(t, d.steps, drills[name].fires)
		})
	}
	t.Run("a normalizer that is held up", func(t *testing.T) {
		t.Parallel()
		d := newDrill(t, 24*time.Hour) // its transaction does not end
		d.see()
		d.add(d.chats()...)
		waitFor(t, "all containers at their end", d.extractor, allRead)
		waitFor(t, "pages wait", d.normalizer, func(v series) bool { return v.sum("chatlake_normalizer_lag_pages") > 0 })
		d.see()
		evaluate(t, d.steps, []string{"ChatlakeMessagesTooOld"})
	})
}

// TestEveryAlertHasItsDrill: a rule that no fault is known to fire is no rule.
func TestEveryAlertHasItsDrill(t *testing.T) {
	fired := []string{"ChatlakeMessagesTooOld"}
	for _, d := range drills {
		fired = append(fired, d.fires...)
	}
	slices.Sort(fired)
	if all := alerts(t); !slices.Equal(slices.Compact(fired), all) {
		t.Errorf("rules:  %v\ndrills: %v", all, slices.Compact(fired))
	}
}

// alerts are the names of all rules, sorted.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// Time as promtool makes it: an interval between samples, and for how many of them each step lasts.
const (
	interval     = 15 * time.Second
	healthySteps = 480 // two hours
	betweenSteps = 4
	faultSteps   = 240 // an hour
)

// evaluate has promtool tell which alerts fire before the fault (none) and an hour after it.
func evaluate(t *testing.T, steps []step, fires []string) {
	t.Helper()
	tool, err := exec.LookPath("promtool")
	if want := os.Getenv("CHATLAKE_TEST_PROMTOOL"); want != "" {
		tool, err = want, nil
	}
	if err != nil {
		t.Log("promtool is not there (Debian's package prometheus): the rules were not evaluated")
		return
	}
	dir := t.TempDir()
	rules, err := filepath.Abs(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "test.yml")
	if err := os.WriteFile(file, []byte(promtoolTest(rules, steps, fires, alerts(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("want %v to fire and no others: %v\n%s", fires, err, out)
	}
}

// promtoolTest writes a test of rules (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules).
func promtoolTest(rules string, steps []step, fires, all []string) string {
	var b strings.Builder
	lengths := make([]int, len(steps))
	for i := range steps {
		lengths[i] = betweenSteps
	}
	lengths[0], lengths[len(steps)-1] = healthySteps, faultSteps
	fmt.Fprintf(&b, "rule_files: [%q]\nevaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n", rules)
	for _, job := range []string{jobExtractor, jobNormalizer} {
		for name, values := range jobSeries(job, steps, lengths) {
			fmt.Fprintf(&b, "      - {series: %q, values: %q}\n", name, values)
		}
	}
	b.WriteString("    promql_expr_test:\n")
	firing := func(at time.Duration, name string, n int) {
		fmt.Fprintf(&b, "      - expr: 'count(max_over_time(ALERTS{alertname=%q,alertstate=\"firing\"}[1h])) > bool 0 or vector(0)'\n        eval_time: %ds\n        exp_samples: [{labels: '{}', value: %d}]\n",
			name, int(at.Seconds()), n)
	}
	healthy := time.Duration(healthySteps-1) * interval
	end := healthy
	for _, n := range lengths[1:] {
		end += time.Duration(n) * interval
	}
	for _, name := range all {
		firing(healthy, name, 0)
		if slices.Contains(fires, name) {
			firing(end, name, 1)
		} else {
			firing(end, name, 0)
		}
	}
	return b.String()
}

// jobSeries gives the series of a worker in promtool's words, and Prometheus's own up.
func jobSeries(job string, steps []step, lengths []int) map[string]string {
	names := map[string]bool{}
	for _, s := range steps {
		for name := range s.workers[job] {
			names[name] = true
		}
	}
	all, up, elapsed := map[string]string{}, "", time.Duration(0)
	for i, s := range steps {
		for name := range names {
			value, is := s.workers[job][name]
			all[name] += words(name, value, is, s.at, elapsed, lengths[i])
		}
		answers := 0.0
		if s.workers[job] != nil {
			answers = 1
		}
		up += words("up", answers, true, s.at, elapsed, lengths[i])
		elapsed += time.Duration(lengths[i]) * interval
	}
	labelled := map[string]string{"up": up}
	maps.Copy(labelled, all)
	out := map[string]string{}
	for name, values := range labelled {
		family, labels, has := strings.Cut(name, "{")
		if has {
			labels = "," + labels
		} else {
			labels = "}"
		}
		out[fmt.Sprintf(`%s{job="%s",instance="%s:9480"%s`, family, job, job, labels)] = strings.TrimSpace(values)
	}
	return out
}

// words gives n samples of a value. Times are those of promtool's clock, which begins in 1970; and an age grows while nothing
// happens.
func words(name string, value float64, is bool, at time.Time, elapsed time.Duration, n int) string {
	family, _, _ := strings.Cut(name, "{")
	grows := 0.0
	switch {
	case !is:
		return fmt.Sprintf("stale _x%d ", n-1)
	case strings.HasSuffix(family, "_timestamp_seconds"):
		value += elapsed.Seconds() - float64(at.UnixNano())/1e9
	case strings.HasSuffix(family, "_lag_seconds") && value > 0:
		grows = interval.Seconds()
	}
	return fmt.Sprintf("%.3f+%.0fx%d ", value, grows, n-1)
}
