package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"chatlake/cmd/worker"
	"chatlake/pipeline/tree"
	"chatlake/schemas"
)

// chat writes messages into the topic of messages.
func chat(t *testing.T, n *worker.Connection, all ...*schemas.Message) {
	t.Helper()
	var records []schemas.Record
	for _, m := range all {
		value, err := schemas.MessageSchema.Append(nil, n.IDs[n.Topics.Messages], m)
		if err != nil {
			t.Fatal(err)
		}
		key := schemas.NewConversationKey(m.Platform, m.TenantID, m.ConversationID)
		records = append(records, schemas.Record{Topic: n.Topics.Messages, Partition: schemas.Partition(key, n.Partitions), Key: m.RecordID, Value: value})
	}
	if err := n.Client.Produce(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

// later gives a message some minutes after the first.
func later(m *schemas.Message, minutes int) *schemas.Message {
	m.OccurredAt += schemas.Millis(minutes * 60_000)
	m.EventDate = m.OccurredAt.Date()
	return m
}

func answers(m *schemas.Message, to string) *schemas.Message {
	m.Parent = schemas.Link{Status: schemas.LinkPending, MessageID: &to}
	return m
}

// conversation is one of everything that a tree shows.
func conversation() []*schemas.Message {
	thread, count, path := "omt_1", int64(1), "00001"
	edited := message("om_1", "Ann", words("shall we, then?"))
	edited.Version, edited.Change, edited.IsEdited = 2, schemas.ChangeEdited, true
	root := later(message("om_root", "Eve", words("a topic")), 3)
	root.ThreadID, root.IsThreadRoot = &thread, true
	reply := later(answers(message("om_t", "Bob", words(hostile)), "om_root"), 9)
	reply.ThreadID = &thread
	relinked := later(answers(message("om_2", "Bob", words("yes")), "om_1"), 2)
	relinked.Version, relinked.Change = 2, schemas.ChangeRelinked
	gone := later(message("om_3", "Ann", nil), 4)
	gone.State = schemas.MessageDeleted
	bundle := later(message("om_f", "Ann", nil), 5)
	bundle.ContentKind = schemas.ContentMergeForward
	bundle.Forward = schemas.Forward{Role: schemas.ForwardContainer, Expansion: schemas.ExpansionPartial, ExpansionReason: words("depth"), ChildCount: &count}
	within := later(message("om_9", "Zoe", words("an old invoice")), 5)
	within.RecordID = bundle.RecordID + "/om_9"
	within.Forward = schemas.Forward{
		Role: schemas.ForwardChild, Expansion: schemas.ExpansionNotApplicable, ContainerRecordID: &bundle.RecordID, ParentRecordID: &bundle.RecordID, Path: &path, Depth: 1,
	}
	other := message("om_1", "Ann", words("Invoice elsewhere"))
	other.RecordID, other.Platform, other.TenantID, other.ConversationID = "yunxin/key/1", "yunxin", "key", "p2p:alice:bob"
	return []*schemas.Message{message("om_1", "Ann", words("shall we?")), relinked, edited, root, reply, gone, bundle, within, later(answers(message("om_5", "Bob", words("no")), "om_lost"), 6), other}
}

func TestTailChooses(t *testing.T) {
	env := topics(t, "choose")
	chat(t, connect(t, env), conversation()...)
	for _, tt := range []struct {
		args []string
		n    int
	}{
		{nil, 10},
		{[]string{"--conversation", "oc_1"}, 9},
		{[]string{"--conversation", "feishu/cli_test/oc_1"}, 9},
		{[]string{"--conversation", "feishu/other/oc_1"}, 0},
		{[]string{"--conversation", "Bob|1|alice"}, 1},
		{[]string{"--thread", "omt_1"}, 2},
		{[]string{"--sender", "ou_Bob"}, 3},
		{[]string{"--sender", "Bob"}, 0},
		{[]string{"--kind", "merge_forward"}, 1},
		{[]string{"--grep", "invoice"}, 1},
		{[]string{"--grep", "(?i)invoice"}, 2},
		{[]string{"--grep", "^shall"}, 2},
		{[]string{"--since", "2024-01-02T10:15:00Z"}, 5},
		{[]string{"--since", "2024-01-02T10:15:00Z", "--sender", "ou_Bob", "--grep", "no"}, 1},
	} {
		out := ok(t, env, append([]string{"tail", "--follow=false"}, tt.args...)...)
		if got := strings.Count(out, "\n"); got != tt.n {
			t.Errorf("%v: %d lines\n%s", tt.args, got, out)
		}
	}
	// --since begins at the beginning by itself.
	out := ok(t, env, "tail", "--since", "2024-01-02", "--count", "2", "--tz", "Asia/Shanghai", "--conversation", "oc_1")
	if out != "2024-01-02 18:11 #oc_1  Ann: shall we?\n2024-01-02 18:13 #oc_1  Bob: yes  [reply to Ann] [relinked]\n" {
		t.Errorf("in another zone:\n%s", out)
	}
	out = ok(t, env, "tail", "--follow=false", "--kind", "MERGE_FORWARD")
	if !strings.HasSuffix(out, "Ann: (merge forward) [forward of 1, PARTIAL: depth]\n") {
		t.Errorf("a forward: %s", out)
	}
}

func TestTailAsTree(t *testing.T) {
	env := topics(t, "tree")
	n := connect(t, env)
	chat(t, n, conversation()...)
	out := ok(t, env, "tail", "--tree", "--follow=false")
	want := `#oc_1  feishu/cli_test/oc_1
2024-01-02 10:11  Ann: shall we, then? [edited]
  ~ before: shall we?
  ↳ 2024-01-02 10:13  Bob: yes [relinked]
2024-01-02 10:14  Eve: a topic [thread]
  ┆ 2024-01-02 10:20  Bob: first⏎second⏎third�[2J�]0;owned��31m�reversed tab�
2024-01-02 10:15  Ann: [deleted]
2024-01-02 10:16  Ann: (merge forward) [forward of 1, PARTIAL: depth]
  » 2024-01-02 10:16  Zoe: an old invoice
2024-01-02 10:17  Bob: no  [reply to om_lost]
#p2p:alice:bob  yunxin/key/p2p:alice:bob
2024-01-02 10:11  Ann: Invoice elsewhere
`
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Error("a control character went out")
	}
	depths := ""
	for line := range strings.Lines(ok(t, env, "tail", "--tree", "--follow=false", "--output", "json", "--conversation", "oc_1", "--tz", "Asia/Shanghai")) {
		var d struct {
			Depth    int    `json:"tree_depth"`
			Occurred string `json:"occurred_at"`
			Content  any    `json:"content_json"`
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil || !strings.HasSuffix(d.Occurred, "Z") {
			t.Fatalf("%v: %s", err, line)
		}
		if strings.ContainsAny(line, "\u202e\u009b\x1b") {
			t.Errorf("steers the terminal: %q", line)
		}
		depths += string(rune('0' + d.Depth))
	}
	if depths != "001010010" {
		t.Errorf("depths %s", depths)
	}
	p, err := start(env, t.TempDir(), "tail", "--tree", "--conversation", "oc_1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	if err := p.await(func(out string) bool { return strings.Count(out, "\n") == 10 }); err != nil {
		t.Fatal(err)
	}
	chat(t, n, answers(message("om_new", "Eve", words("late")), "om_2"))
	if err := p.await(func(out string) bool {
		return strings.HasSuffix(out, "\n2024-01-02 10:11 #oc_1  Eve: late  [reply to Bob]\n")
	}); err != nil {
		t.Fatal(err)
	}
	if code := p.stop(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}

// TestTreesAreBounded: what is more than is held at a time is printed as another tree, and nothing of it is lost.
func TestTreesAreBounded(t *testing.T) {
	env := topics(t, "bigtree")
	n := connect(t, env)
	const total = tree.MaxVersions + 2000
	for from := 0; from < total; from += 4000 {
		var some []*schemas.Message
		for i := from; i < min(from+4000, total); i++ {
			m := later(message(fmt.Sprintf("om_%d", i), "Ann", words("yes")), i)
			if i > 0 {
				m = answers(m, fmt.Sprintf("om_%d", i-1))
			}
			some = append(some, m)
		}
		chat(t, n, some...)
	}
	r := chatlake(t, env, "tail", "--tree", "--follow=false")
	// Two headings, and a first message of the second tree that says what it answers.
	if lines := strings.Count(r.stdout, "\n"); r.code != 0 || lines != total+2 || strings.Count(r.stdout, "[reply to ") != 1 {
		t.Errorf("exit %d, %d lines, %d answers to an earlier tree", r.code, lines, strings.Count(r.stdout, "[reply to "))
	}
	if !strings.Contains(r.stderr, "another tree") || strings.Count(r.stderr, "\n") != 1 {
		t.Errorf("said %q", r.stderr)
	}
	for line := range strings.Lines(r.stdout) {
		if len(line) > 100 {
			t.Fatalf("a line of %d bytes: %s", len(line), line)
		}
	}
}
