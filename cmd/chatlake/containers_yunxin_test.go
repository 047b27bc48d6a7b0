package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"chatlake/schemas"
)

// yunxinTopics gives topics of a test's own, with an app of each platform.
func yunxinTopics(t *testing.T, prefix string) []string {
	t.Helper()
	return append(topics(t, prefix), "YUNXIN_APP_KEY=key")
}

func addConversation(id string, more ...string) []string {
	return append([]string{"containers", "add", "--platform", "yunxin", "--kind", "conversation", "--id", id}, more...)
}

func addMessages(id, refs string, more ...string) []string {
	return append([]string{"containers", "add", "--platform", "yunxin", "--kind", "messages", "--id", id, "--refs", refs}, more...)
}

// TestSpellingsOfOneConversation: keys are canonical, ids are as the API wants them.
func TestSpellingsOfOneConversation(t *testing.T) {
	env := yunxinTopics(t, "spellings")
	const key = "yunxin/key/conversation/p2p:alice:bob"
	if r := decoded[added](t, env, addConversation("Bob|1|alice")...); len(r.Added) != 1 || r.Added[0] != (outcome{key, 1}) {
		t.Fatalf("first: %+v", r)
	}
	if r := decoded[added](t, env, addConversation("alice|1|bob", "--conversation", "bob|1|alice")...); len(r.Added) != 0 || len(r.Existing) != 1 {
		t.Errorf("the other side: %+v", r)
	}
	lines := `{"platform":"yunxin","kind":"conversation","id":"alice|2|4711","from":"2024-01-01"}
{"platform":"feishu","kind":"chat","id":"oc_a"}
{"platform":"yunxin","kind":"conversation","id":"alice|3|9007199254740993"}
{"platform":"yunxin","kind":"conversation","id":"carol|2|4711"}
`
	r := chatlakeWith(t, strings.NewReader(lines), env, "containers", "add", "--file", "-")
	if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "3 added") {
		t.Fatalf("from standard input: %+v", r)
	}
	ids := map[string]string{}
	n := connect(t, env)
	for _, c := range containerRecords(t, env) {
		ids[c.Key] = c.ID
		want := schemas.Partition(schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID), n.Partitions)
		if c.partition != want || c.Mode != "backfill" || c.Cause != "user" {
			t.Errorf("container %+v", c)
		}
	}
	for k, id := range map[string]string{
		key: "Bob|1|alice", "yunxin/key/conversation/team:4711": "alice|2|4711",
		"yunxin/key/conversation/super:9007199254740993": "alice|3|9007199254740993", "feishu/cli_test/chat/oc_a": "oc_a",
	} {
		if ids[k] != id {
			t.Errorf("id of %s is %q, not %q", k, ids[k], id)
		}
	}
	if r := decoded[added](t, env, addConversation("bob|1|alice", "--again")...); len(r.Added) != 1 || r.Added[0] != (outcome{key, 2}) {
		t.Errorf("again: %+v", r)
	}
	if r := decoded[cancelled](t, env, cancel("--kind", "conversation", "--id", "alice|1|BOB")...); len(r.Cancelled) != 1 || r.Cancelled[0] != (outcome{key, 2}) {
		t.Errorf("cancelled by another spelling: %+v", r)
	}
	if r := decoded[cancelled](t, env, cancel("--conversation", "dora|2|4711")...); len(r.Cancelled) != 1 {
		t.Errorf("cancelled by a spelling of its conversation: %+v", r)
	}
	oneLine(t, chatlake(t, env, cancel("--conversation", "alice|3|4711")...), 1, "no container")
	if l := decoded[listedContainers](t, env, "containers", "list", "--platform", "yunxin", "--kind", "conversation", "--state", "pending"); len(l.Containers) != 1 {
		t.Errorf("left: %+v", l)
	}
}

// TestMessagesAreCutIntoContainers has ids beyond 2^53 exact, told as numbers and as strings.
func TestMessagesAreCutIntoContainers(t *testing.T) {
	env := yunxinTopics(t, "refs")
	const total = 2503
	var lines strings.Builder
	want := map[string]schemas.Millis{}
	for i := range total {
		id, at := fmt.Sprint(9223372036854775807-int64(i)), schemas.Millis(1700000000000+int64(i))
		want[id] = at
		format := map[bool]string{true: `{"message_id":"%s","created_at":%d}`, false: `{"message_id":%s,"created_at":"%d"}`}[i%2 == 0]
		fmt.Fprintf(&lines, format+"\n\n", id, at)
		if i == 7 {
			fmt.Fprintf(&lines, format+"\n", id, at) // twice counts once
		}
	}
	path := filepath.Join(t.TempDir(), "refs.jsonl")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r := decoded[added](t, env, addMessages("Alice|2|4711", path)...)
	if len(r.Added) != 3 {
		t.Fatalf("added %d containers", len(r.Added))
	}
	var sizes []int
	for _, c := range containerRecords(t, env) {
		var ids []string
		for _, ref := range c.Refs {
			if at, ok := want[ref.MessageID]; !ok || ref.CreatedAt == nil || *ref.CreatedAt != at {
				t.Fatalf("ref %s of %v, want %v", ref.MessageID, ref.CreatedAt, at)
			}
			delete(want, ref.MessageID)
			ids = append(ids, ref.MessageID)
		}
		sizes = append(sizes, len(ids))
		if c.Key != string(schemas.MessagesContainerKey("yunxin", "key", "team:4711", ids)) || c.Kind != "messages" || c.ID != "Alice|2|4711" || c.ConversationID != "team:4711" {
			t.Errorf("container %s of %s, %s, %s", c.Key, c.Kind, c.ID, c.ConversationID)
		}
	}
	if slices.Sort(sizes); !slices.Equal(sizes, []int{503, 1000, 1000}) || len(want) != 0 {
		t.Errorf("containers of %v messages, %d messages are in none", sizes, len(want))
	}
	other := chatlakeWith(t, strings.NewReader(lines.String()), env, addMessages("bob|2|4711", "-")...)
	if other.code != 0 || !strings.Contains(other.stdout, "0 added, 3 already there") {
		t.Errorf("the same from standard input, in another's name: %+v", other)
	}
	l := decoded[struct {
		Containers []struct {
			Kind string
			Refs int
		}
	}](t, env, "containers", "list", "--kind", "messages")
	refs := 0
	for _, c := range l.Containers {
		refs += c.Refs
	}
	if refs != total {
		t.Errorf("%d messages are listed, of %d", refs, total)
	}
	if r := decoded[cancelled](t, env, cancel("--kind", "messages", "--id", "alice|2|4711")...); len(r.Cancelled) != 3 {
		t.Errorf("cancelled: %+v", r)
	}
}

func TestBrokenRefsAddNothing(t *testing.T) {
	env := yunxinTopics(t, "badrefs")
	good := `{"message_id":"1","created_at":1700000000000}` + "\n\n"
	for name, tt := range map[string]struct{ line, why string }{
		"no JSON":            {`{"message_id":`, "JSON"},
		"two in a line":      {`{"message_id":2,"created_at":1700000000000} 3`, "follows"},
		"unknown field":      {`{"id":2,"created_at":1700000000000}`, "id"},
		"no id":              {`{"created_at":1700000000000}`, "message_id is missing"},
		"no time":            {`{"message_id":2}`, "created_at"},
		"a word":             {`{"message_id":"om_1","created_at":1700000000000}`, "message_id"},
		"a fraction":         {`{"message_id":1.5,"created_at":1700000000000}`, "1.5"},
		"a double's text":    {`{"message_id":9.007199254740993e15,"created_at":1700000000000}`, "64 bits"},
		"beyond 64 bits":     {`{"message_id":9223372036854775808,"created_at":1700000000000}`, "9223372036854775808"},
		"below zero":         {`{"message_id":-2,"created_at":1700000000000}`, "-2"},
		"leading zero":       {`{"message_id":"02","created_at":1700000000000}`, "02"},
		"seconds":            {`{"message_id":2,"created_at":1700000000}`, "milliseconds"},
		"a date":             {`{"message_id":2,"created_at":"2024-01-01"}`, "milliseconds"},
		"far future":         {`{"message_id":2,"created_at":9223372036854775807}`, "milliseconds"},
		"two times":          {`{"message_id":"1","created_at":1700000000001}`, "1700000000000"},
		"an array of lines":  {`[]`, "JSON"},
		"a list for an id":   {`{"message_id":["2"],"created_at":1700000000000}`, "neither"},
		"null for the whole": {`null`, "message_id is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := chatlakeWith(t, strings.NewReader(good+tt.line), env, addMessages("a|1|b", "-")...)
			oneLine(t, r, 2, "line 3", tt.why, "nothing was added")
		})
	}
	oneLine(t, chatlakeWith(t, strings.NewReader("\n"), env, addMessages("a|1|b", "-")...), 2, "no message")
	if n := len(containerRecords(t, env)); n != 0 {
		t.Errorf("%d records were written", n)
	}
}
