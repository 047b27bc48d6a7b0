package main_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"chatlake/simulator"
)

type discovered struct {
	added
	Chats, Dissolved int
	Complete         bool
}

// tenant serves a simulated Feishu with chats of all kinds and gives topics of the test's own.
func tenant(t *testing.T, prefix string, faults ...simulator.Fault) (chats []string, env []string) {
	t.Helper()
	w, err := simulator.NewWorld(simulator.Options{Seed: 3, ChatSize: 40, Chats: 7})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(simulator.NewFeishu(w, simulator.FeishuConfig{Faults: faults}))
	t.Cleanup(s.Close)
	id, secret, _ := w.App()
	for _, c := range w.Chats() {
		if c.Mode != simulator.ModeP2P {
			chats = append(chats, "feishu/"+id+"/chat/"+c.ID)
		}
	}
	slices.Sort(chats)
	if len(chats) == 0 || len(chats) == len(w.Chats()) {
		t.Fatalf("%d of %d chats are no p2p: the world is not what this test is about", len(chats), len(w.Chats()))
	}
	return chats, append(topics(t, prefix), "FEISHU_BASE_URL="+s.URL, "FEISHU_APP_ID="+id, "FEISHU_APP_SECRET="+secret)
}

func keys(outcomes []outcome) []string {
	out := []string{}
	for _, o := range outcomes {
		out = append(out, o.Key)
	}
	slices.Sort(out)
	return out
}

// discover is the command, with more flags.
func discover(more ...string) []string {
	return append([]string{"containers", "discover", "--platform", "feishu"}, more...)
}

func TestDiscoverAddsEveryChatOnce(t *testing.T) {
	chats, env := tenant(t, "discover")
	known := strings.TrimPrefix(chats[0][strings.LastIndex(chats[0], "/"):], "/")
	ok(t, env, addChat(known)...)
	first := decoded[discovered](t, env, discover("--from", "2024-01-01")...)
	if !slices.Equal(keys(first.Added), chats[1:]) || !slices.Equal(keys(first.Existing), chats[:1]) || first.Chats != len(chats) || !first.Complete {
		t.Fatalf("first: %+v", first)
	}
	for _, c := range containerRecords(t, env) {
		mine := c.ID == known
		if c.Kind != "chat" || c.ConversationID != c.ID || c.Epoch != 1 || (c.Cause == "user") != mine || (c.Cause == "discovered") == mine || (c.WindowStart == nil) != mine {
			t.Errorf("container %+v", c)
		}
	}
	second := decoded[discovered](t, env, discover()...)
	if len(second.Added) != 0 || !slices.Equal(keys(second.Existing), chats) {
		t.Errorf("second: %+v", second)
	}
	if n := len(containerRecords(t, env)); n != len(chats) {
		t.Errorf("%d records for %d chats", n, len(chats))
	}
	out := ok(t, env, discover("--again")...)
	for _, want := range []string{"0 added, ", " added again (epoch 2), 0 already there", "had a bound in time that the new epoch has not", "single person"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q does not say %q", out, want)
		}
	}
}

func TestDiscoverKeepsWhatCameBeforeAnError(t *testing.T) {
	body := `{"code":0,"msg":"success","data":{"items":[{"chat_id":"oc_a","name":"a","chat_status":"dissolved"}],"has_more":true,"page_token":"p"}}`
	_, env := tenant(t, "partial",
		simulator.Fault{API: simulator.APIChats, Times: 1, Action: simulator.Answer, Body: []byte(body)},
		simulator.Fault{API: simulator.APIChats, From: 2, Action: simulator.Answer, Code: 99991672})
	r := chatlake(t, env, discover()...)
	if r.code != 1 || !strings.Contains(r.stderr, "99991672") || !strings.Contains(r.stderr, "not whole") || !strings.Contains(r.stdout, "1 added") || !strings.Contains(r.stdout, "1 dissolved") {
		t.Errorf("%+v", r)
	}
	if l := decoded[listedContainers](t, env, "containers", "list"); len(l.Containers) != 1 || !strings.HasSuffix(l.Containers[0].Key, "/chat/oc_a") {
		t.Errorf("listed: %+v", l)
	}
}

func TestDiscoverThatIsRefusedAddsNothing(t *testing.T) {
	_, env := tenant(t, "refused")
	oneLine(t, chatlake(t, append(env, "FEISHU_APP_SECRET=another"), discover()...), 1, "10014", "FEISHU_APP_SECRET")
	oneLine(t, chatlake(t, append(env, "FEISHU_APP_SECRET="), discover()...), 2, "FEISHU_APP_SECRET")
	oneLine(t, chatlake(t, append(env, "FEISHU_APP_ID=", "FEISHU_APP_SECRET="), discover()...), 2, "FEISHU_APP_ID")
	oneLine(t, chatlake(t, env, discover("--from", "soon")...), 2, "from", "soon")
	oneLine(t, chatlake(t, env, "containers", "discover"), 2, "--platform")
	oneLine(t, chatlake(t, env, "containers", "discover", "--platform", "slack"), 2, "slack")
	oneLine(t, chatlake(t, nil, "containers", "discover", "--platform", "yunxin"), 2,
		"database", "callbacks", "data-sync", "containers add --platform yunxin --kind conversation", "--file -")
	if n := len(containerRecords(t, env)); n != 0 {
		t.Errorf("%d records were written", n)
	}
}

func TestAddSaysWhatBecomesOfTheWindow(t *testing.T) {
	env := topics(t, "window")
	type windowed struct {
		Added, Existing []struct {
			Key    string
			Window string
		}
	}
	ok(t, env, addChat("oc_1", "--from", "2024-01-01")...)
	for _, step := range []struct {
		flags          []string
		existing, want string
		says           string
	}{
		{nil, "", "", ""},
		{[]string{"--from", "2024-01-01"}, "", "", ""},
		{[]string{"--from", "2024-02-01"}, "kept", "", "keep the window"},
		{[]string{"--from", "2024-01-01", "--to", "2025-01-01"}, "kept", "", "keep the window"},
		{[]string{"--again", "--from", "2024-02-01"}, "", "", ""},
		{[]string{"--again"}, "", "dropped", "had a bound"},
	} {
		r := decoded[windowed](t, env, addChat("oc_1", step.flags...)...)
		if len(r.Existing) == 1 && r.Existing[0].Window != step.existing || len(r.Added) == 1 && r.Added[0].Window != step.want {
			t.Errorf("%v: %+v", step.flags, r)
		}
		if step.existing != "" {
			if out := ok(t, env, addChat("oc_1", step.flags...)...); !strings.Contains(out, step.says) || !strings.Contains(out, "--again") {
				t.Errorf("%v: %q", step.flags, out)
			}
		}
	}
	l := decoded[listedContainers](t, env, "containers", "list")
	if c := l.Containers[0]; c.Epoch != 3 || c.WindowStart != nil {
		t.Errorf("the last --again does not stand: %+v", c)
	}
}
