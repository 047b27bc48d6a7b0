package main_test

import (
	"strings"
	"testing"

	"chatlake/schemas"
)

type retried struct {
	Retried   int
	Added     []outcome
	Unchanged []struct {
		outcome
		State string
	}
}

func retry(more ...string) []string { return append([]string{"containers", "retry"}, more...) }

const retryKey = "feishu/cli_test/chat/"

// failures adds containers: two that failed with different codes, one that was cancelled, one complete, one not begun.
func failures(t *testing.T, env []string) {
	t.Helper()
	for _, id := range []string{"oc_out", "oc_gone", "oc_cancelled", "oc_done", "oc_new"} {
		ok(t, env, addChat(id, "--from", "2024-01-01")...)
	}
	out, gone := "230002", "232009"
	checkpoint(t, env, "oc_out", schemas.Checkpoint{Epoch: 1, State: schemas.StateFailed, ErrorCode: &out, Pages: 3})
	checkpoint(t, env, "oc_gone", schemas.Checkpoint{Epoch: 4, State: schemas.StateFailed, ErrorCode: &gone})
	checkpoint(t, env, "oc_done", schemas.Checkpoint{Epoch: 1, State: schemas.StateComplete})
	ok(t, env, cancel("--kind", "chat", "--id", "oc_cancelled")...)
}

// resumed gives the records of containers that resume, by key.
func resumed(t *testing.T, env []string) map[string]placed {
	t.Helper()
	all := map[string]placed{}
	for _, c := range containerRecords(t, env) {
		if c.Resume {
			all[c.Key] = c
		}
	}
	return all
}

func TestRetryResumesWhatFailed(t *testing.T) {
	env := topics(t, "retry")
	failures(t, env)
	r := decoded[retried](t, env, retry()...)
	if r.Retried != 2 || len(r.Added) != 2 || len(r.Unchanged) != 0 {
		t.Fatalf("%+v", r)
	}
	all := resumed(t, env)
	for id, epoch := range map[string]int64{"oc_out": 2, "oc_gone": 5} {
		c := all[retryKey+id]
		if c.Epoch != epoch || c.Cancelled || c.Cause != "user" || c.Mode != "backfill" || c.WindowStart == nil {
			t.Errorf("%s: record %+v", id, c)
		}
	}
	if len(all) != 2 {
		t.Errorf("%d records resume, want 2: %v", len(all), all)
	}
	l := decoded[listedContainers](t, env, "containers", "list")
	if l.States["PENDING"] != 3 || l.States["FAILED"] != 0 || l.States["CANCELLED"] != 1 || l.States["COMPLETE"] != 1 {
		t.Errorf("states %v", l.States)
	}
	if r := decoded[retried](t, env, retry()...); r.Retried != 0 || len(resumed(t, env)) != 2 {
		t.Errorf("once more: %+v", r)
	}
	if out := ok(t, env, retry()...); out != "0 retried\n" {
		t.Errorf("it says %q", out)
	}
}

func TestRetryPicks(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"a code":                    {[]string{"--code", "232009"}, []string{"oc_gone"}},
		"no such code":              {[]string{"--code", "1"}, nil},
		"a conversation":            {[]string{"--conversation", "oc_out"}, []string{"oc_out"}},
		"a conversation's key":      {[]string{"--conversation", "feishu/cli_test/oc_out"}, []string{"oc_out"}},
		"another platform":          {[]string{"--platform", "yunxin"}, nil},
		"what was cancelled":        {[]string{"--state", "cancelled"}, []string{"oc_cancelled"}},
		"by key, whichever it was":  {[]string{retryKey + "oc_cancelled", retryKey + "oc_out"}, []string{"oc_cancelled", "oc_out"}},
		"a key of what is complete": {[]string{retryKey + "oc_done", retryKey + "oc_new"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			env := topics(t, "picks-"+strings.NewReplacer(" ", "-", ",", "", "'", "").Replace(name))
			failures(t, env)
			r := decoded[retried](t, env, retry(tt.args...)...)
			all := resumed(t, env)
			if r.Retried != len(tt.want) || len(all) != len(tt.want) {
				t.Fatalf("%+v, records %v", r, all)
			}
			for _, id := range tt.want {
				if _, ok := all[retryKey+id]; !ok {
					t.Errorf("%s is not retried: %+v", id, r)
				}
			}
			if strings.Contains(name, "complete") && (len(r.Unchanged) != 2 || r.Unchanged[0].State != "COMPLETE" || r.Unchanged[1].State != "PENDING") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestRetryRefuses(t *testing.T) {
	env := topics(t, "refuses")
	failures(t, env)
	oneLine(t, chatlake(t, env, retry("feishu/cli_test/chat/oc_unknown", retryKey+"oc_out")...), 1, "oc_unknown", "containers list", "nothing was changed")
	oneLine(t, chatlake(t, env, retry(retryKey+"oc_out", "--code", "1")...), 2, "--code")
	oneLine(t, chatlake(t, env, retry("--state", "COMPLETE")...), 2, "FAILED", "CANCELLED")
	oneLine(t, chatlake(t, env, retry("--platform", "slack")...), 2, "slack")
	if all := resumed(t, env); len(all) != 0 {
		t.Errorf("records were written: %v", all)
	}
}

// A failure that is cancelled is dismissed: it is shown and counted as CANCELLED, and goes on by its key alone.
func TestCancelDismissesAFailure(t *testing.T) {
	env := topics(t, "dismiss")
	failures(t, env)
	r := decoded[cancelled](t, env, cancel("--key", retryKey+"oc_gone")...)
	if len(r.Cancelled) != 1 || r.Cancelled[0].Epoch != 4 {
		t.Fatalf("%+v", r)
	}
	l := decoded[listedContainers](t, env, "containers", "list", "--state", "CANCELLED")
	if l.States["CANCELLED"] != 2 || l.States["FAILED"] != 0 {
		t.Errorf("states %v", l.States)
	}
	if r := decoded[retried](t, env, retry()...); r.Retried != 1 || r.Added[0].Key != retryKey+"oc_out" {
		t.Errorf("retry of failures: %+v", r)
	}
	if r := decoded[retried](t, env, retry(retryKey+"oc_gone")...); r.Retried != 1 || r.Added[0].Epoch != 5 {
		t.Errorf("retry by key: %+v", r)
	}
}

func TestCompletion(t *testing.T) {
	env := topics(t, "completion")
	failures(t, env)
	for line, want := range map[string][]string{
		"containers retry --state ":                    {"FAILED", "CANCELLED"},
		"containers list --state F":                    {"FOLLOWING", "FAILED"},
		"containers list --sort a":                     {"activity"},
		"containers add --platform ":                   {"feishu", "yunxin"},
		"containers add --id ":                         nil,
		"deadletters list --stage e":                   {"extract", "encode"},
		"tail --kind MERGE":                            {"MERGE_FORWARD"},
		"tail --topic c":                               {"checkpoints", "containers"},
		"status --output ":                             {"table", "json"},
		"simulate --platform b":                        {"both"},
		"containers retry ":                            {retryKey + "oc_cancelled", retryKey + "oc_gone", retryKey + "oc_out"},
		"containers retry " + retryKey + "oc_o":        {retryKey + "oc_out"},
		"containers cancel --key " + retryKey + "oc_n": {retryKey + "oc_new"},
	} {
		out := ok(t, env, append([]string{"__complete"}, strings.Split(line, " ")...)...)
		got := strings.Split(strings.TrimSpace(out), "\n")
		if last := len(got) - 1; got[last] != ":4" { // no files
			t.Errorf("%s: %q", line, out)
		} else if got = got[:last]; strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	r := chatlake(t, append(env, "KAFKA_BROKERS=127.0.0.1:1"), "__complete", "containers", "retry", "")
	if r.code != 0 || strings.TrimSpace(r.stdout) != ":4" {
		t.Errorf("without a broker: %+v", r)
	}
}
