package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	main "chatlake/cmd/chatlake"
	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/schemas"
)

// replayed is what replay says as JSON.
type replayed struct {
	Records                               int64
	Same, Changed, Missing, Added, Moving *int64
	Fields                                map[string]int64
	Samples                               []struct {
		RecordID string `json:"record_id"`
		Field    *string
		Old, New any
	}
	Unreadable, Pages, Versions int64
	Output                      string
}

// counts are the numbers of a comparison, in the order of the contract.
func (r *replayed) counts() string {
	if r.Same == nil || r.Changed == nil || r.Missing == nil || r.Added == nil || r.Moving == nil || r.Fields == nil || r.Samples == nil {
		return fmt.Sprintf("a key is missing in %+v", r)
	}
	return fmt.Sprintf("records %d, same %d, changed %d, missing %d, added %d, moving %d", r.Records, *r.Same, *r.Changed, *r.Missing, *r.Added, *r.Moving)
}

// chatter writes raw pages of three chats, in which each message answers the one before it and two senders take turns.
func chatter(t *testing.T, n *worker.Connection, from, to, perPage int) {
	t.Helper()
	var records []schemas.Record
	for i := from; i < to; i++ {
		chat := fmt.Sprint("oc_", i%3)
		var items []map[string]any
		for j := range perPage {
			no := i/3*perPage + j
			item := map[string]any{
				"message_id": fmt.Sprintf("om_%s_%d", chat, no), "msg_type": "text", "chat_id": chat,
				"create_time": fmt.Sprint(1_700_000_000_000 + no*1000), "update_time": fmt.Sprint(1_700_000_000_000 + no*1000),
				"sender": map[string]any{"id": sender(no), "id_type": "open_id", "sender_type": "user", "sender_name": "Name of " + sender(no)},
				"body":   map[string]any{"content": fmt.Sprintf(`{"text":"message %d of %s"}`, no, sender(no))},
			}
			if no > 0 {
				item["parent_id"] = fmt.Sprintf("om_%s_%d", chat, no-1)
			}
			items = append(items, item)
		}
		body, err := json.Marshal(map[string]any{"code": 0, "data": map[string]any{"has_more": true, "items": items}})
		if err != nil {
			t.Fatal(err)
		}
		p := schemas.Page{
			Container: schemas.ContainerKey("feishu/cli_test/chat/" + chat), Conversation: schemas.ConversationKey("feishu/cli_test/" + chat),
			Type: schemas.FeishuMessagesList, ContentType: "application/json", Time: time.UnixMilli(1_750_000_000_000 + int64(i)), Epoch: 1,
			Number: int64(i/3 + 1), Request: "GET /x", HTTPStatus: 200, Code: "0", AppID: "cli_test", ConnectorVersion: "test", Body: body,
		}
		records = append(records, p.Record(n.Topics.RawPages, n.Partitions))
	}
	if err := n.Client.Produce(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func sender(no int) string { return []string{"ou_ann_0123456789", "ou_bob_0123456789"}[no%2] }

// normalizeOnce lets the output in force catch up.
func normalizeOnce(t *testing.T, env []string) {
	t.Helper()
	for _, kv := range env {
		name, v, _ := strings.Cut(kv, "=")
		t.Setenv(name, v)
	}
	t.Setenv("NORMALIZER_STATE_DIR", t.TempDir())
	var s worker.NormalizerSettings
	if err := worker.Load(&s); err != nil {
		t.Fatal(err)
	}
	r, err := worker.NewNormalizer(t.Context(), s, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// talked is an installation's topics with normalized pages of three chats, and the settings for a replay.
func talked(t *testing.T, prefix string, pages, perPage int) (env []string, n *worker.Connection) {
	t.Helper()
	env = topics(t, prefix)
	n = connect(t, env)
	chatter(t, n, 0, pages, perPage)
	normalizeOnce(t, env)
	return append(env, "NORMALIZER_STATE_DIR="+t.TempDir()), n
}

// replayAs runs replay with --output json.
func replayAs(t *testing.T, env []string, code int, args ...string) (out replayed, said string) {
	t.Helper()
	r := chatlake(t, env, append([]string{"replay", "--output", "json"}, args...)...)
	if r.code != code {
		t.Fatalf("replay %v: exit %d, want %d: %s", args, r.code, code, r.stderr)
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("%v in %s", err, r.stdout)
	}
	return out, r.stderr
}

// allOf gives everything that a topic holds.
func allOf(t *testing.T, n *worker.Connection, topic string) (all []schemas.Record) {
	t.Helper()
	for p := range n.Partitions {
		start, end, err := n.Client.Offsets(t.Context(), topic, int32(p))
		if err == nil {
			err = n.Client.ReadAll(t.Context(), topic, int32(p), start, end, func(r schemas.Record) error {
				r.Value = bytes.Clone(r.Value)
				all = append(all, r)
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestReplayOfTheSameRules gives the same, makes its own topics, and is only compared when it is finished.
func TestReplayOfTheSameRules(t *testing.T) {
	env, n := talked(t, "again", 30, 4)
	got, said := replayAs(t, env, 0, "--to", "again.messages2", "--compare")
	if want := "records 120, same 120, changed 0, missing 0, added 0, moving 0"; got.counts() != want || got.Pages != 30 || got.Output != "again.messages2" {
		t.Errorf("%s, %d pages; want %s", got.counts(), got.Pages, want)
	}
	if !strings.Contains(said, "30 of 30 pages") || !strings.Contains(said, "0s left") {
		t.Errorf("no progress in %q", said)
	}
	before := len(allOf(t, n, "again.messages2"))
	if got, _ := replayAs(t, env, 0, "--to", "again.messages2", "--compare"); got.Pages != 0 || *got.Same != 120 {
		t.Errorf("a finished one: %+v", got)
	}
	if after := len(allOf(t, n, "again.messages2")); before < 120 || after != before {
		t.Errorf("%d records, then %d", before, after)
	}
	counted, _ := replayAs(t, env, 0, "--to", "again.messages2")
	if counted.Records != 120 || counted.Same != nil || counted.Fields != nil || counted.Samples != nil {
		t.Errorf("not compared: %+v", counted)
	}
	table := ok(t, env, "replay", "--to", "again.messages2", "--compare")
	if want := "again.messages2 was finished: nothing is left to normalize\nagain.messages2 holds 120 records\n" +
		"compared with again.messages: 120 the same, 0 changed, 0 missing, 0 added\n"; table != want {
		t.Errorf("said %q", table)
	}
}

// louder is another decoder: it reads one text otherwise, loses a message and finds one.
type louder struct{ connectors.Decoder }

func (d louder) Decode(pages []schemas.Page, out *connectors.Decoded) {
	d.Decoder.Decode(pages, out)
	kept := out.Readings[:0]
	for _, r := range out.Readings {
		m := &r.Message
		switch m.MessageID {
		case "om_oc_0_3":
			text := strings.ToUpper(*m.Text)
			m.Text = &text
			m.Sender.Kind = "person"
		case "om_oc_1_5":
			m.RecordID, m.MessageID = m.RecordID+"b", "om_oc_1_5b"
		}
		kept = append(kept, r)
	}
	out.Readings = kept
}

// TestReplayByOtherRules names each field that differs.
func TestReplayByOtherRules(t *testing.T) {
	env, _ := talked(t, "louder", 30, 4)
	for _, kv := range env {
		name, v, _ := strings.Cut(kv, "=")
		t.Setenv(name, v)
	}
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	decoders := map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { return louder{feishu.NewDecoder()} }}
	code := main.RunDecodingBy(t.Context(), decoders, out, os.Stderr, "replay", "--to", "louder.messages2", "--compare", "--output", "json")
	said, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	var got replayed
	if err := json.Unmarshal(said, &got); err != nil || code != 4 {
		t.Fatalf("exit %d, %v: %s", code, err, said)
	}
	// All that answer the lost message, and all below them, are linked otherwise.
	below := int64(40 - 6)
	if want := fmt.Sprintf("records 120, same %d, changed %d, missing 1, added 1, moving 0", 119-1-below, 1+below); got.counts() != want {
		t.Errorf("%s, want %s", got.counts(), want)
	}
	if got.Fields["text"] != 1 || got.Fields["sender.kind"] != 1 || got.Fields["parent.status"] != 1 || got.Fields["root.status"] != below || got.Fields["state"] != 0 {
		t.Errorf("fields %v", got.Fields)
	}
	found := map[string]bool{}
	for _, s := range got.Samples {
		if s.Field == nil {
			found[s.RecordID] = s.Old == nil != (s.New == nil)
		} else if *s.Field == "text" {
			found["text"] = s.RecordID == "feishu/cli_test/om_oc_0_3" && s.New == strings.ToUpper(s.Old.(string))
		}
	}
	if len(got.Samples) != 20 || !found["text"] || !found["feishu/cli_test/om_oc_1_5"] || !found["feishu/cli_test/om_oc_1_5b"] {
		t.Errorf("%d samples: %+v", len(got.Samples), got.Samples)
	}
}

// TestReplayKilled: killed in the middle it goes on, and publishes nothing twice.
func TestReplayKilled(t *testing.T) {
	const pages = 6000
	env, n := talked(t, "killed", pages, 3)
	p, err := start(env, t.TempDir(), "replay", "--to", "killed.messages2")
	if err != nil {
		t.Fatal(err)
	}
	committed := func() (sum int64) {
		for part := range n.Partitions {
			at, err := n.Client.Committed(t.Context(), "killed.messages2-normalizer", n.Topics.RawPages, int32(part))
			if err != nil {
				t.Fatal(err)
			}
			sum += max(at, 0)
		}
		return sum
	}
	for committed() == 0 {
		select {
		case <-p.done:
			t.Fatalf("it ended before anything was committed: %s", p.stderr.String())
		case <-time.After(time.Millisecond):
		}
	}
	_ = p.cmd.Process.Kill() // whether it was in time is seen by the offset
	<-p.done
	if at := committed(); at >= pages {
		t.Fatalf("it was killed too late, at offset %d of %d", at, pages)
	}
	got, _ := replayAs(t, env, 0, "--to", "killed.messages2", "--compare")
	if want := fmt.Sprintf("records %d, same %d, changed 0, missing 0, added 0, moving 0", pages*3, pages*3); got.counts() != want || got.Pages >= pages {
		t.Errorf("%s, %d pages; want %s", got.counts(), got.Pages, want)
	}
	decoder := schemas.NewDecoder(schemas.MessageSchema, n.Registry.Text)
	last := map[string]int64{}
	for _, r := range allOf(t, n, "killed.messages2") {
		var m schemas.Message
		if err := decoder.Decode(t.Context(), r.Value, &m); err != nil {
			t.Fatal(err)
		}
		if m.Version <= last[m.RecordID] {
			t.Errorf("%s has version %d after %d", m.RecordID, m.Version, last[m.RecordID])
		}
		last[m.RecordID] = m.Version
	}
}

// TestReplayWithout: a conversation and a sender leave no byte in the new output; another choice is refused, also when the
// state is lost.
func TestReplayWithout(t *testing.T) {
	env, n := talked(t, "without", 30, 4)
	gone := []string{"--without-conversation", "oc_2", "--without-sender", "ou_bob_0123456789"}
	got, _ := replayAs(t, env, 4, append([]string{"--to", "without.messages2", "--compare"}, gone...)...)
	// Of each of two chats, every other message goes, and all others but the first lose their parent.
	if want := "records 40, same 2, changed 38, missing 80, added 0, moving 0"; got.counts() != want {
		t.Errorf("%s, want %s", got.counts(), want)
	}
	if got.Fields["parent.status"] != 38 || got.Fields["parent.reason"] != 38 || got.Fields["root.status"] != 38 || got.Fields["text"] != 0 {
		t.Errorf("fields %v", got.Fields)
	}
	for _, topic := range []string{"without.messages2", "without.messages2.deadletters"} {
		for _, r := range allOf(t, n, topic) {
			for _, w := range []string{"oc_2", "ou_bob", "of ou_bob"} {
				if strings.Contains(r.Key, w) || bytes.Contains(r.Value, []byte(w)) {
					t.Errorf("%s offset %d names %s: %q", topic, r.Offset, w, r.Value)
				}
			}
		}
	}
	oneLine(t, chatlake(t, env, "replay", "--to", "without.messages2"), 2, "without.messages2", "--without-sender")
	env = append(env, "NORMALIZER_STATE_DIR="+t.TempDir())
	oneLine(t, chatlake(t, env, "replay", "--to", "without.messages2", "--without-sender", "ou_ann_0123456789"), 2, "without.messages2")
	if again, _ := replayAs(t, env, 0, append([]string{"--to", "without.messages2"}, gone...)...); again.Records != 40 || again.Pages != 0 {
		t.Errorf("the same again: %+v", again)
	}
	if _, said := replayAs(t, env, 0, "--to", "without.messages3", "--without-sender", "ou_nobody"); !strings.Contains(said, "are the ids right?") {
		t.Errorf("an id that nobody has: %q", said)
	}
}

// TestReplayBesideAnOutputThatMoves: what only one of both has normalized is left out of the comparison, and said.
func TestReplayBesideAnOutputThatMoves(t *testing.T) {
	env, n := talked(t, "moves", 30, 4)
	chatter(t, n, 30, 31, 4) // one more page of oc_0, which the output in force does not know
	got, said := replayAs(t, env, 0, "--to", "moves.messages2", "--compare")
	if got.Moving == nil || *got.Moving < 84 || *got.Same != 80 || got.Records != 80 || got.Pages != 31 {
		t.Errorf("%s, %d pages", got.counts(), got.Pages)
	}
	if !strings.Contains(said, "1 conversations are not compared") {
		t.Errorf("said %q", said)
	}
	normalizeOnce(t, env[:len(env)-1])
	if got, _ := replayAs(t, env, 0, "--to", "moves.messages2", "--compare"); *got.Same != 124 || *got.Moving != 0 {
		t.Errorf("both have caught up: %s", got.counts())
	}
	other := append(env, "NORMALIZER_GROUP=nobody")
	oneLine(t, chatlake(t, other, "replay", "--to", "moves.messages2", "--compare"), 1, "nobody", "NORMALIZER_GROUP")
}

func TestReplayRefusesWrongTopics(t *testing.T) {
	env := topics(t, "wrong")
	for name, args := range map[string][]string{
		"no topic":      {"replay"},
		"in force":      {"replay", "--to", "wrong.messages"},
		"raw pages":     {"replay", "--to", "wrong.raw.pages"},
		"no name":       {"replay", "--to", "wrong messages"},
		"empty sender":  {"replay", "--to", "wrong.messages2", "--without-sender", ""},
		"in force else": {"replay", "--to", "wrong.elsewhere"},
	} {
		env := append(env, "NORMALIZER_OUTPUT=wrong.elsewhere")
		t.Run(name, func(t *testing.T) { oneLine(t, chatlake(t, env, args...), 2, "--") })
	}
}
