package main_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

type outcome struct {
	Key   string
	Epoch int64
}

type added struct{ Added, Existing []outcome }

type listedContainers struct {
	Containers []struct {
		Key, Kind, State    string
		Epoch, Pages, Items int64
		WindowStart         *string `json:"window_start"`
		WindowEnd           *string `json:"window_end"`
		ErrorCode           *string `json:"error_code"`
	}
	States map[string]int
}

func addChat(id string, more ...string) []string {
	return append([]string{"containers", "add", "--platform", "feishu", "--kind", "chat", "--id", id}, more...)
}

func TestAddingAgainChangesNothing(t *testing.T) {
	env := topics(t, "again")
	key := "feishu/cli_test/chat/oc_1"
	first := decoded[added](t, env, addChat("oc_1")...)
	if want := (outcome{key, 1}); len(first.Added) != 1 || first.Added[0] != want || len(first.Existing) != 0 {
		t.Fatalf("first: %+v", first)
	}
	second := decoded[added](t, env, addChat("oc_1")...)
	if len(second.Added) != 0 || len(second.Existing) != 1 || second.Existing[0].Epoch != 1 {
		t.Fatalf("second: %+v", second)
	}
	if n := len(containerRecords(t, env)); n != 1 {
		t.Fatalf("%d records, want 1", n)
	}
	again := decoded[added](t, env, addChat("oc_1", "--again")...)
	if len(again.Added) != 1 || again.Added[0].Epoch != 2 {
		t.Fatalf("again: %+v", again)
	}
	records := containerRecords(t, env)
	if len(records) != 2 {
		t.Fatalf("%d records, want 2", len(records))
	}
	c := records[1]
	if c.Mode != "backfill" || c.Cause != "user" || c.TenantID != "cli_test" || c.ConversationID != "oc_1" || c.Epoch != 2 || c.Cancelled {
		t.Errorf("container %+v", c)
	}
}

func TestAgainFollowsTheCheckpointsEpoch(t *testing.T) {
	env := topics(t, "ahead")
	ok(t, env, addChat("oc_1")...)
	n := connect(t, env)
	cp := &schemas.Checkpoint{ContainerKey: "feishu/cli_test/chat/oc_1", Epoch: 7, State: schemas.StateComplete, Pages: 3, Items: 120}
	value, err := schemas.CheckpointSchema.Append(nil, n.IDs[n.Topics.Checkpoints], cp)
	if err != nil {
		t.Fatal(err)
	}
	p := schemas.Partition("feishu/cli_test/oc_1", n.Partitions)
	if err := n.Client.Produce(t.Context(), []schemas.Record{{Topic: n.Topics.Checkpoints, Partition: p, Key: cp.ContainerKey, Value: value}}); err != nil {
		t.Fatal(err)
	}
	l := decoded[listedContainers](t, env, "containers", "list")
	if c := l.Containers[0]; c.State != "COMPLETE" || c.Epoch != 7 || c.Pages != 3 || c.Items != 120 {
		t.Errorf("listed: %+v", c)
	}
	if r := decoded[added](t, env, addChat("oc_1", "--again")...); r.Added[0].Epoch != 8 {
		t.Errorf("again: %+v", r)
	}
	l = decoded[listedContainers](t, env, "containers", "list")
	if c := l.Containers[0]; c.State != "PENDING" || c.Epoch != 8 || c.Pages != 0 {
		t.Errorf("listed after --again: %+v", c)
	}
}

func TestAddingAFile(t *testing.T) {
	env := topics(t, "file")
	lines := strings.Join([]string{
		`{"platform":"feishu","kind":"chat","id":"oc_a","from":"2024-01-01","to":"2024-02-01T12:00:00+08:00"}`,
		``,
		`{"platform":"feishu","kind":"thread","id":"omt_b","conversation":"oc_a"}`,
		`{"platform":"feishu","kind":"chat","id":"oc_a"}`,
		`{"platform":"feishu","kind":"chat","id":"oc_c"}`,
	}, "\n")
	path := filepath.Join(t.TempDir(), "chats.jsonl")
	if err := os.WriteFile(path, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := decoded[added](t, env, "containers", "add", "--file", path); len(r.Added) != 3 || len(r.Existing) != 0 {
		t.Fatalf("added %+v", r)
	}
	r := chatlakeWith(t, strings.NewReader(lines), env, "containers", "add", "--file", "-")
	if r.code != 0 || !strings.Contains(r.stdout, "0 added, 3 already there") {
		t.Fatalf("from standard input: %+v", r)
	}
	records := containerRecords(t, env)
	if len(records) != 3 {
		t.Fatalf("%d records, want 3", len(records))
	}
	n := connect(t, env)
	for _, c := range records {
		if want := schemas.Partition(schemas.NewConversationKey("feishu", "cli_test", c.ConversationID), n.Partitions); c.partition != want {
			t.Errorf("%s lies in %d, not %d", c.Key, c.partition, want)
		}
	}
	l := decoded[listedContainers](t, env, "containers", "list", "--state", "pending")
	keys := []string{}
	for _, c := range l.Containers {
		keys = append(keys, c.Key)
	}
	if want := []string{"feishu/cli_test/chat/oc_a", "feishu/cli_test/chat/oc_c", "feishu/cli_test/thread/omt_b"}; !slices.Equal(keys, want) {
		t.Errorf("listed %v", keys)
	}
	if c := l.Containers[0]; *c.WindowStart != "2024-01-01T00:00:00.000Z" || *c.WindowEnd != "2024-02-01T04:00:00.000Z" {
		t.Errorf("window %s to %s", *c.WindowStart, *c.WindowEnd)
	}
	if l := decoded[listedContainers](t, env, "containers", "list", "--state", "FAILED"); len(l.Containers) != 0 {
		t.Errorf("failed: %+v", l)
	}
}

func TestABrokenLineAddsNothing(t *testing.T) {
	env := topics(t, "broken")
	good := `{"platform":"feishu","kind":"chat","id":"oc_1"}` + "\n\n"
	for name, tt := range map[string]struct{ line, why string }{
		"no JSON":       {`{"platform":`, "JSON"},
		"unknown field": {`{"platform":"feishu","kind":"chat","chat_id":"oc_2"}`, "chat_id"},
		"two in a line": {`{"platform":"feishu","kind":"chat","id":"oc_2"} {}`, "follows"},
		"no id":         {`{"platform":"feishu","kind":"chat"}`, "id is missing"},
		"bad date":      {`{"platform":"feishu","kind":"chat","id":"oc_2","from":"2024-13-01"}`, "2024-13-01"},
		"yunxin":        {`{"platform":"yunxin","kind":"conversation","id":"a|9|b"}`, "super team"},
		"messages":      {`{"platform":"yunxin","kind":"messages","id":"a|1|b"}`, "--refs"},
	} {
		t.Run(name, func(t *testing.T) {
			r := chatlakeWith(t, strings.NewReader(good+tt.line), env, "containers", "add", "--file", "-")
			oneLine(t, r, 2, "line 3", tt.why, "nothing was added")
		})
	}
	oneLine(t, chatlakeWith(t, strings.NewReader("\n"), env, "containers", "add", "--file", "-"), 2, "no container")
	if n := len(containerRecords(t, env)); n != 0 {
		t.Errorf("%d records were written", n)
	}
}

// TestIDsOfAnotherKindAreRefused: what cannot be an id of its kind is exit 2, unless it is to be taken as it is.
func TestIDsOfAnotherKindAreRefused(t *testing.T) {
	env := topics(t, "unusual")
	oneLine(t, chatlake(t, env, addChat("chat-17")...), 2, "chat-17", "does not begin with oc_", "--any-id")
	oneLine(t, chatlake(t, env, addChat("oc_…")...), 2, "oc_…", "placeholder")
	thread := []string{"containers", "add", "--platform", "feishu", "--kind", "thread", "--id", "om_1", "--conversation", "oc_1"}
	oneLine(t, chatlake(t, env, thread...), 2, "om_1", "omt_", "--any-id")
	lines := `{"platform":"feishu","kind":"chat","id":"oc_1"}` + "\n" + `{"platform":"feishu","kind":"chat","id":"omt_1"}`
	oneLine(t, chatlakeWith(t, strings.NewReader(lines), env, "containers", "add", "--file", "-"), 2, "line 2", "omt_1", "nothing was added")
	if n := len(containerRecords(t, env)); n != 0 {
		t.Errorf("%d records were written", n)
	}
	r := chatlake(t, env, addChat("chat-17", "--any-id")...)
	if r.code != 0 || !strings.Contains(r.stderr, "does not begin with oc_") {
		t.Errorf("%+v", r)
	}
	if out := ok(t, env, "containers", "list"); !strings.Contains(out, "feishu/cli_test/chat/chat-17") || !strings.Contains(out, "PENDING") {
		t.Errorf("list: %s", out)
	}
}

// TestBlanksAroundIDs is case c17: at the ends of ids they are cut with one warning, inside them refused.
func TestBlanksAroundIDs(t *testing.T) {
	env := topics(t, "blanks")
	r := chatlake(t, env, append(addChat("oc_demo\u200b"), "--output", "json")...)
	if r.code != 0 || !strings.Contains(r.stdout, `"feishu/cli_test/chat/oc_demo"`) || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "--id (U+200B)") {
		t.Errorf("%+v", r)
	}
	lines := `{"platform":"feishu","kind":"chat","id":"oc_1\u00a0"}` + "\n" + `{"platform":"yunxin","kind":"conversation","id":"\ufeffalice|1|bob"}` + "\n"
	r = chatlakeWith(t, strings.NewReader(lines), append(env, "YUNXIN_APP_KEY=key"), "containers", "add", "--file", "-", "--output", "json")
	if r.code != 0 || !strings.Contains(r.stdout, `"feishu/cli_test/chat/oc_1"`) || !strings.Contains(r.stdout, `"yunxin/key/conversation/p2p:alice:bob"`) ||
		strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "2 places, first standard input line 1: id (U+00A0)") {
		t.Errorf("%+v", r)
	}
	oneLine(t, chatlake(t, env, addChat("oc_de\u200bmo")...), 2, "id", "U+200B")
	oneLine(t, chatlake(t, append(env, "FEISHU_APP_ID=cli_de\u2060mo"), addChat("oc_1")...), 2, "FEISHU_APP_ID", "U+2060")
	for _, c := range containerRecords(t, env) {
		if strings.ContainsAny(c.Key+c.ID+c.ConversationID, "\u200b\u00a0\ufeff") {
			t.Errorf("written with what nobody sees: %q", c.Key)
		}
	}
}

// connect reaches the topics that env names.
func connect(t *testing.T, env []string) *worker.Connection {
	t.Helper()
	c := worker.Cluster{Partitions: 3, LogLevel: "error", LogFormat: "text"}
	for _, kv := range env {
		switch name, v, _ := strings.Cut(kv, "="); name {
		case "KAFKA_BROKERS":
			c.Brokers = worker.List{v}
		case "SCHEMA_REGISTRY_URL":
			c.RegistryURL = v
		case "TOPIC_PREFIX":
			c.Prefix = v
		}
	}
	n, err := c.Connect(t.Context(), "", c.NewLogger(os.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Client.Close() })
	return n
}

type placed struct {
	schemas.Container
	partition int32
}

// containerRecords reads the topic of containers, partition by partition.
func containerRecords(t *testing.T, env []string) []placed {
	t.Helper()
	n := connect(t, env)
	d := schemas.NewDecoder(schemas.ContainerSchema, n.Registry.Text)
	var out []placed
	for p := range int32(n.Partitions) {
		each(t, n, n.Topics.Containers, p, func(r schemas.Record) {
			c := placed{partition: p}
			if err := d.Decode(context.Background(), r.Value, &c.Container); err != nil {
				t.Fatal(err)
			}
			if r.Key != c.Key {
				t.Errorf("record key %q of container %q", r.Key, c.Key)
			}
			out = append(out, c)
		})
	}
	return out
}

func each(t *testing.T, n *worker.Connection, topic string, p int32, fn func(schemas.Record)) {
	t.Helper()
	start, stable, err := n.Client.Offsets(t.Context(), topic, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Client.ReadAll(t.Context(), topic, p, start, stable, func(r schemas.Record) error { fn(r); return nil }); err != nil {
		t.Fatal(err)
	}
}
