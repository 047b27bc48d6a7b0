package main_test

import (
	"strings"
	"testing"

	"chatlake/schemas"
)

type cancelled struct {
	Cancelled []outcome
	Ended     []struct {
		outcome
		State string
	}
}

// checkpoint writes how far a chat's container has been read.
func checkpoint(t *testing.T, env []string, chat string, cp schemas.Checkpoint) {
	t.Helper()
	n := connect(t, env)
	cp.ContainerKey = "feishu/cli_test/chat/" + chat
	value, err := schemas.CheckpointSchema.Append(nil, n.IDs[n.Topics.Checkpoints], &cp)
	if err != nil {
		t.Fatal(err)
	}
	p := schemas.Partition(schemas.NewConversationKey("feishu", "cli_test", chat), n.Partitions)
	if err := n.Client.Produce(t.Context(), []schemas.Record{{Topic: n.Topics.Checkpoints, Partition: p, Key: cp.ContainerKey, Value: value}}); err != nil {
		t.Fatal(err)
	}
}

func cancel(more ...string) []string { return append([]string{"containers", "cancel"}, more...) }

func TestCancelEndsTheEpochInForce(t *testing.T) {
	env := topics(t, "cancel")
	for _, id := range []string{"oc_pending", "oc_running", "oc_ahead", "oc_done", "oc_other"} {
		ok(t, env, addChat(id)...)
	}
	checkpoint(t, env, "oc_running", schemas.Checkpoint{Epoch: 1, State: schemas.StateRunning, Pages: 2})
	checkpoint(t, env, "oc_ahead", schemas.Checkpoint{Epoch: 4, State: schemas.StateWaiting})
	checkpoint(t, env, "oc_done", schemas.Checkpoint{Epoch: 1, State: schemas.StateComplete})
	for id, epoch := range map[string]int64{"oc_pending": 1, "oc_running": 1, "oc_ahead": 4} {
		key := "feishu/cli_test/chat/" + id
		r := decoded[cancelled](t, env, cancel("--kind", "chat", "--id", id)...)
		if want := (outcome{key, epoch}); len(r.Cancelled) != 1 || r.Cancelled[0] != want || len(r.Ended) != 0 {
			t.Errorf("%s: %+v", id, r)
		}
		before := len(containerRecords(t, env))
		r = decoded[cancelled](t, env, cancel("--key", key)...)
		if len(r.Cancelled) != 0 || len(r.Ended) != 1 || r.Ended[0].State != "CANCELLED" || r.Ended[0].Epoch != epoch || len(containerRecords(t, env)) != before {
			t.Errorf("%s once more: %+v", id, r)
		}
		found := 0
		for _, c := range containerRecords(t, env) {
			if c.Cancelled && c.Key == key {
				found++
				if c.Epoch != epoch || c.Kind != "chat" || c.Cause != "user" || c.ConversationID != id {
					t.Errorf("record %+v", c)
				}
			}
		}
		if found != 1 {
			t.Errorf("%s: %d records are cancelled, want 1", id, found)
		}
	}
	if out := ok(t, env, cancel("--kind", "chat", "--id", "oc_done")...); !strings.Contains(out, "COMPLETE in epoch 1") || !strings.Contains(out, "0 cancelled, 1 had ended already") {
		t.Errorf("of one that has ended it says %q", out)
	}
	l := decoded[listedContainers](t, env, "containers", "list")
	if l.States["CANCELLED"] != 3 || l.States["COMPLETE"] != 1 || l.States["PENDING"] != 1 {
		t.Errorf("states %v", l.States)
	}
	if r := decoded[added](t, env, addChat("oc_ahead", "--again")...); len(r.Added) != 1 || r.Added[0].Epoch != 5 {
		t.Errorf("again after cancelling: %+v", r)
	}
	if l := decoded[listedContainers](t, env, "containers", "list", "--state", "cancelled"); len(l.Containers) != 2 {
		t.Errorf("a new epoch is still cancelled: %+v", l.Containers)
	}
}

func TestCancelAConversation(t *testing.T) {
	env := topics(t, "talk")
	lines := []string{
		`{"platform":"feishu","kind":"chat","id":"oc_a"}`, `{"platform":"feishu","kind":"chat","id":"oc_b"}`,
		`{"platform":"feishu","kind":"thread","id":"omt_a1","conversation":"oc_a"}`,
		`{"platform":"feishu","kind":"thread","id":"omt_a2","conversation":"oc_a"}`,
		`{"platform":"feishu","kind":"thread","id":"omt_b1","conversation":"oc_b"}`,
	}
	if r := chatlakeWith(t, strings.NewReader(strings.Join(lines, "\n")), env, "containers", "add", "--file", "-"); r.code != 0 {
		t.Fatalf("%+v", r)
	}
	if r := decoded[cancelled](t, env, cancel("--conversation", "oc_a", "--kind", "thread")...); len(r.Cancelled) != 2 {
		t.Errorf("its threads: %+v", r)
	}
	if r := decoded[cancelled](t, env, cancel("--conversation", "oc_a")...); len(r.Cancelled) != 1 || len(r.Ended) != 2 {
		t.Errorf("all of it: %+v", r)
	}
	if l := decoded[listedContainers](t, env, "containers", "list", "--state", "pending"); len(l.Containers) != 2 {
		t.Errorf("left: %+v", l.Containers)
	}
	out := ok(t, env, "containers", "list", "--kind", "thread")
	if strings.Contains(out, "/chat/") || !strings.Contains(out, "3 listed: 1 PENDING, 2 CANCELLED\n") {
		t.Errorf("threads are listed as %q", out)
	}
	oneLine(t, chatlake(t, env, cancel("--kind", "chat", "--id", "oc_c")...), 1, "no container", "--kind chat --id oc_c", "containers list")
	oneLine(t, chatlake(t, env, cancel("--platform", "yunxin", "--kind", "chat", "--id", "oc_a")...), 1, "no container")
}
