package main_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"chatlake/kafka"
	"chatlake/schemas"
)

type seen struct {
	At        string
	Platforms []struct {
		Platform            string
		Containers          map[string]int
		Pages, Items, Calls int64
		NewestMessageAt     *string        `json:"newest_message_at"`
		CallsLastMinute     map[string]int `json:"calls_last_minute"`
		ETASeconds          *int64         `json:"eta_seconds"`
		Stretch             map[string]float64
		Overdue             *int
	}
	Normalizer struct {
		Output     string
		LagPages   int64 `json:"lag_pages"`
		LagSeconds int64 `json:"lag_seconds"`
		Partitions []struct {
			Partition int32
			End, Lag  int64
			Committed *int64
		}
	}
	DeadLetters int `json:"dead_letters"`
}

// written writes records to a test's topics; each becomes a batch of its own.
func written(t *testing.T, env []string, records ...schemas.Record) {
	t.Helper()
	for _, r := range records {
		if err := connect(t, env).Client.Produce(t.Context(), []schemas.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStatusAddsUp: sums over what is in force, distinct dead letters, pages that nobody has normalized.
func TestStatusAddsUp(t *testing.T) {
	env := topics(t, "status")
	empty := decoded[seen](t, env, "status")
	if len(empty.Platforms) != 0 || empty.DeadLetters != 0 || empty.Normalizer.LagPages != 0 || len(empty.Normalizer.Partitions) != 3 || empty.Normalizer.Output != "status.messages" {
		t.Fatalf("of nothing: %+v", empty)
	}
	for _, id := range []string{"oc_a", "oc_b", "oc_c"} {
		ok(t, env, addChat(id)...)
	}
	mark := schemas.Millis(1_700_000_000_000)
	checkpoint(t, env, "oc_a", schemas.Checkpoint{Epoch: 1, State: schemas.StateRunning, Pages: 2, Items: 90, Calls: 5, Watermark: &mark})
	checkpoint(t, env, "oc_b", schemas.Checkpoint{Epoch: 1, State: schemas.StateComplete, Pages: 3, Items: 120, Calls: 6})
	checkpoint(t, env, "oc_c", schemas.Checkpoint{Epoch: 7, State: schemas.StateFailed, Pages: 1, Calls: 1})
	ok(t, env, addChat("oc_b", "--again")...)
	n := connect(t, env)
	for _, id := range []string{"x", "x", "y"} {
		dead := schemas.DeadLetter{ID: id, Stage: schemas.StageDecode, ErrorClass: "bad", ConversationKey: "feishu/cli_test/oc_a", FailedAt: mark}
		value, err := schemas.DeadLetterSchema.Append(nil, n.IDs[n.Topics.DeadLetters], &dead)
		if err != nil {
			t.Fatal(err)
		}
		written(t, env, schemas.Record{Topic: n.Topics.DeadLetters, Key: dead.ConversationKey, Value: value})
	}
	old := time.Now().Add(-time.Hour)
	for i := range 4 {
		written(t, env, schemas.Record{Topic: n.Topics.RawPages, Partition: 1, Key: "k", Value: []byte("{}"), Time: old.Add(time.Duration(i) * time.Minute)})
	}
	got := decoded[seen](t, env, "status")
	p := got.Platforms[0]
	if p.Pages != 3 || p.Items != 90 || p.Calls != 6 || *p.NewestMessageAt != "2023-11-14T22:13:20.000Z" || p.CallsLastMinute != nil || p.ETASeconds != nil || *p.Overdue != 0 {
		t.Errorf("%+v", p)
	}
	for state, want := range map[string]int{"PENDING": 1, "RUNNING": 1, "WAITING": 0, "COMPLETE": 0, "FOLLOWING": 0, "FAILED": 1, "CANCELLED": 0} {
		if n, ok := p.Containers[state]; !ok || n != want {
			t.Errorf("%d %s (listed: %v)", n, state, ok)
		}
	}
	if got.DeadLetters != 2 {
		t.Errorf("%d dead letters", got.DeadLetters)
	}
	l := got.Normalizer
	if l.LagPages != 4 || l.LagSeconds < 3600 || l.LagSeconds > 3700 || l.Partitions[1].Lag != 4 || l.Partitions[1].Committed != nil {
		t.Errorf("%+v", l)
	}
	commits(t, env, "status.messages-normalizer", 2)
	l = decoded[seen](t, env, "status").Normalizer
	if l.LagPages != 2 || l.LagSeconds < 3400 || l.LagSeconds > 3600 || *l.Partitions[1].Committed != 2 {
		t.Errorf("after two were normalized: %+v", l)
	}
	text := ok(t, env, "status", "--tz", "Asia/Shanghai")
	for _, want := range []string{"feishu, tenant cli_test", "1 PENDING, 1 RUNNING, 1 FAILED", "2 pages behind", "dead letters: 2", "2023-11-15 06:13:20"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
}

// commits has a group commit an offset of partition 1 of the raw topic, in a transaction whose marker then lies in the topic that
// it writes.
func commits(t *testing.T, env []string, group string, offset int64) {
	t.Helper()
	n := connect(t, env)
	err := n.Client.Own(t.Context(), kafka.Ownership{Group: group, Topic: n.Topics.RawPages, Once: true, Writes: []string{n.Topics.Messages}},
		func(ctx context.Context, p *kafka.Partition) error {
			if p.ID() != 1 {
				return nil
			}
			return p.Commit(ctx, nil, offset)
		})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStatusOfARealRun: an extractor's calls are known, and markers alone are no lag.
func TestStatusOfARealRun(t *testing.T) {
	w, _, settings := platform(t)
	dir := filepath.Join(t.TempDir(), "data")
	up, r, err := startUp(settings, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer up.stop()
	env := append(r.env(), settings...)
	for _, c := range w.Chats() {
		ok(t, env, addChat(c.ID)...)
	}
	var got seen
	for end := time.Now().Add(deadline); ; {
		got = decoded[seen](t, env, "status")
		if len(got.Platforms) == 1 && got.Platforms[0].ETASeconds != nil && *got.Platforms[0].ETASeconds == 0 && got.Normalizer.LagPages == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not done: %+v", got)
		}
	}
	p := got.Platforms[0]
	if p.Containers["COMPLETE"] == 0 || p.Pages == 0 || p.CallsLastMinute["feishu.im.v1.messages.list"] == 0 {
		t.Errorf("%+v", p)
	}
	for _, l := range got.Normalizer.Partitions {
		if l.Lag != 0 {
			t.Errorf("%+v", l)
		}
	}
}

// TestWatchPrintsLines: one document a line, until a signal, also over a restart of the broker.
func TestWatchPrintsLines(t *testing.T) {
	env := topics(t, "watch")
	ok(t, env, addChat("oc_a")...)
	p, err := start(env, t.TempDir(), "status", "--watch", "--interval", "100ms", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.await(func(out string) bool { return strings.Count(out, "\n") >= 2 }); err != nil {
		t.Error(err)
	}
	ok(t, env, addChat("oc_b")...)
	if err := p.await(func(out string) bool { return strings.Contains(out, `"PENDING":2`) }); err != nil {
		t.Error(err)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
	lines := bufio.NewScanner(bytes.NewBufferString(p.stdout.String()))
	for lines.Scan() {
		var s seen
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Errorf("%v in %q", err, lines.Text())
		}
	}
	p, err = start(env, t.TempDir(), "status", "--watch", "--interval", "100ms")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.await(func(out string) bool { return strings.Count(out, "2 PENDING") >= 2 && !strings.Contains(out, "\x1b") }); err != nil {
		t.Error(err)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}

// TestWatchSurvivesTheBroker: what it tells goes on when the broker is back.
func TestWatchSurvivesTheBroker(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	up, r, err := startUp(nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	env := append(r.env(), "FEISHU_APP_ID=cli_test")
	ok(t, env, addChat("oc_a")...)
	p, err := start(env, t.TempDir(), "status", "--watch", "--interval", "100ms", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if err := p.await(func(out string) bool { return strings.Contains(out, `"PENDING":1`) }); err != nil {
		t.Fatal(err)
	}
	up.stop()
	_, port, _ := strings.Cut(r.Brokers, ":")
	again, _, err := startUp(nil, dir, "--kafka-port", port)
	if err != nil {
		t.Fatal(err)
	}
	defer again.stop()
	before := len(p.stdout.String())
	if err := p.await(func(out string) bool { return strings.Count(out[before:], "\n") >= 3 }); err != nil {
		t.Error(err)
	}
}

// TestListsFitAndCount: filters, orders, limits, conversations, and tables of 120 columns.
func TestListsFitAndCount(t *testing.T) {
	env := topics(t, "lists")
	long := "oc_" + strings.Repeat("f", 120)
	for _, id := range []string{"oc_a", "oc_b", long} {
		ok(t, env, addChat(id)...)
	}
	ok(t, env, "containers", "add", "--platform", "feishu", "--kind", "thread", "--id", "omt_t", "--conversation", "oc_b")
	code, message := "230002", strings.Repeat("a long story ", 20)
	checkpoint(t, env, "oc_b", schemas.Checkpoint{Epoch: 1, State: schemas.StateFailed, Pages: 1_000_000, Items: 50_000_000, ErrorCode: &code, ErrorMessage: &message, UpdatedAt: 5})
	checkpoint(t, env, long, schemas.Checkpoint{Epoch: 1, State: schemas.StateComplete, Pages: 7, Items: 9, UpdatedAt: 9})
	list := func(args ...string) (string, map[string]int) {
		var keys []string
		l := decoded[listedContainers](t, env, append([]string{"containers", "list"}, args...)...)
		for _, c := range l.Containers {
			keys = append(keys, c.Key[len("feishu/cli_test/"):])
		}
		return strings.ReplaceAll(strings.Join(keys, " "), long, "long"), l.States
	}
	for want, args := range map[string][]string{
		"chat/oc_a chat/oc_b chat/long thread/omt_t": {},
		"chat/long chat/oc_b chat/oc_a thread/omt_t": {"--sort", "activity"},
		"chat/oc_b chat/long chat/oc_a thread/omt_t": {"--sort", "pages"},
		"chat/oc_a thread/omt_t chat/long chat/oc_b": {"--sort", "state"},
		"chat/oc_b thread/omt_t":                     {"--conversation", "oc_b"},
		"chat/oc_a":                                  {"--conversation", "feishu/cli_test/oc_a"},
		"chat/oc_b":                                  {"--state", "failed", "--platform", "feishu", "--kind", "chat"},
	} {
		if got, _ := list(args...); got != want {
			t.Errorf("%v: %s, want %s", args, got, want)
		}
	}
	if got, counts := list("--limit", "1"); got != "chat/oc_a" || counts["PENDING"] != 2 || counts["FAILED"] != 1 || counts["COMPLETE"] != 1 || len(counts) != 7 {
		t.Errorf("%s %v", got, counts)
	}
	rolled := decoded[struct {
		Containers []struct {
			ID         string `json:"conversation_id"`
			Key        string `json:"conversation_key"`
			Containers map[string]int
			Errors     map[string]int
		}
		States map[string]int
	}](t, env, "containers", "list", "--roll-up", "--sort", "state", "--limit", "2")
	if c := rolled.Containers; len(c) != 2 || c[0].Key != "feishu/cli_test/oc_b" || c[0].Containers["FAILED"] != 1 || c[0].Containers["PENDING"] != 1 || c[0].Errors[code] != 1 || rolled.States["PENDING"] != 2 {
		t.Errorf("%+v", rolled)
	}
	for _, args := range [][]string{{}, {"--state", "COMPLETE"}, {"--roll-up"}} {
		out := ok(t, env, append([]string{"containers", "list"}, args...)...)
		out, rest, _ := strings.Cut(out, "\n\n")
		if told := strings.Count(rest, "230002: a long story"); len(args) == 0 && told != 1 {
			t.Errorf("the error is written out %d times", told)
		}
		for line := range strings.SplitSeq(out, "\n") {
			if n := utf8.RuneCountInString(line); n > 120 {
				t.Errorf("%v: a line of %d characters: %s", args, n, line)
			}
		}
	}
	for _, args := range [][]string{{"--sort", "colour"}, {"--limit", "-1"}, {"--tz", "Mars/Base"}} {
		oneLine(t, chatlake(t, env, append([]string{"containers", "list"}, args...)...), 2, args[0], args[1])
	}
}

// TestPlanAsksThePlatform: an estimate against what reading takes, and nothing made up without credentials.
func TestPlanAsksThePlatform(t *testing.T) {
	env := topics(t, "plan")
	w, _, settings := platform(t)
	type plans struct {
		Platforms []struct {
			Platform     string
			Containers   int
			Calls        *int64
			Hours        *float64
			RawBytes     *int64 `json:"raw_bytes"`
			MessageBytes *int64 `json:"message_bytes"`
			SampleCalls  int    `json:"sample_calls"`
		}
	}
	if p := decoded[plans](t, append(env, settings...), "plan"); len(p.Platforms) != 1 || *p.Platforms[0].Calls != 0 || *p.Platforms[0].Hours != 0 {
		t.Errorf("of nothing: %+v", p)
	}
	for _, c := range w.Chats() {
		ok(t, append(env, settings...), addChat(c.ID)...)
	}
	p := decoded[plans](t, append(env, settings...), "plan", "--sample", "6").Platforms[0]
	if p.Containers != len(w.Chats()) || *p.Calls < 2 || *p.Hours <= 0 || *p.RawBytes <= 0 || *p.MessageBytes <= 0 || p.SampleCalls > 6 {
		t.Errorf("%s", fmt.Sprint(p))
	}
	id := "FEISHU_TENANT=" + strings.TrimPrefix(settings[1], "FEISHU_APP_ID=")
	if p := decoded[plans](t, append(env[:len(env)-1:len(env)-1], id), "plan").Platforms[0]; p.Containers != len(w.Chats()) || p.Calls != nil || p.Hours != nil {
		t.Errorf("without credentials: %+v", p)
	}
	oneLine(t, chatlake(t, env, "plan", "--sample", "0"), 2, "--sample")
}
