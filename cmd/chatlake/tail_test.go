package main_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// hostile is text that would clear a terminal, colour it, name it, and turn the direction of what follows.
const hostile = "first\nsecond\r\nthird\x1b[2J\x1b]0;owned\a\u009b31m\u202ereversed\ttab\x7f"

// message is a valid message of a conversation.
func message(id, sender string, text *string) *schemas.Message {
	at := schemas.MillisOf(time.Date(2024, 1, 2, 10, 11, 0, 0, time.UTC))
	none := schemas.Link{Status: schemas.LinkNone}
	return &schemas.Message{
		RecordID: "feishu/cli_test/" + id, Version: 1, Change: schemas.ChangeCreated, Platform: "feishu", TenantID: "cli_test",
		ConversationID: "oc_1", ConversationKind: schemas.ConversationGroup, MessageID: id, MessageType: "text", ContentKind: schemas.ContentText,
		CreatedAt: at, OccurredAt: at, EventDate: at.Date(), State: schemas.MessageNormal,
		Sender: schemas.Sender{ID: "ou_" + sender, Name: &sender, Kind: "user"}, Text: text, Parent: none, Root: none,
		Forward: schemas.Forward{Role: schemas.ForwardNone, Expansion: schemas.ExpansionNotApplicable},
		Provenance: schemas.Provenance{
			PageID: "p", SourceAPI: schemas.FeishuMessagesList, RawTopic: "raw", ItemPointer: "/data/items/0",
			ConnectorVersion: "test", NormalizerVersion: "test",
		},
	}
}

func words(s string) *string { return &s }

// talk writes a small conversation.
func talk(t *testing.T, n *worker.Connection) {
	t.Helper()
	answer := message("om_2", "Bob", words("yes"))
	answer.Parent = schemas.Link{Status: schemas.LinkPending, MessageID: words("om_1")}
	answer.IsEdited = true
	gone := message("om_3", "Ann", nil)
	gone.State = schemas.MessageRecalled
	far := message("om_4", "Eve", words(hostile))
	far.Parent = schemas.Link{Status: schemas.LinkPending, MessageID: words("om_elsewhere")}
	note := message("om_5", "", words("Ann joined"))
	note.ContentKind, note.Sender = schemas.ContentSystem, schemas.Sender{}
	file := message("om_6", "Bob", nil)
	file.ContentKind = schemas.ContentFile
	file.Attachments = []schemas.Attachment{{Kind: "file", Name: words("plan.pdf")}}
	var records []schemas.Record
	for _, m := range []*schemas.Message{message("om_1", "Ann", words("shall we?")), answer, gone, far, note, file} {
		value, err := schemas.MessageSchema.Append(nil, n.IDs[n.Topics.Messages], m)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, schemas.Record{
			Topic: n.Topics.Messages, Partition: schemas.Partition("feishu/cli_test/oc_1", n.Partitions), Key: m.RecordID, Value: value,
		})
	}
	if err := n.Client.Produce(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func TestTailAsText(t *testing.T) {
	env := topics(t, "talk")
	talk(t, connect(t, env))
	out := ok(t, env, "tail", "--follow=false")
	want := []string{
		"2024-01-02 10:11 #oc_1  Ann: shall we?",
		"2024-01-02 10:11 #oc_1  Bob: yes  [reply to Ann] [edited]",
		"2024-01-02 10:11 #oc_1  Ann: [recalled]",
		"2024-01-02 10:11 #oc_1  Eve: first⏎second⏎third\ufffd[2J\ufffd]0;owned\ufffd\ufffd31m\ufffdreversed tab\ufffd  [reply to om_elsewhere]",
		"2024-01-02 10:11 #oc_1  * Ann joined",
		"2024-01-02 10:11 #oc_1  Bob: (file: plan.pdf)",
	}
	if out != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s", out)
	}
	if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Error("a control character went out")
	}
	if out := ok(t, env, "tail", "--from-beginning", "--count", "2"); out != strings.Join(want[:2], "\n")+"\n" {
		t.Errorf("two of them:\n%s", out)
	}
}

func TestTailAsJSON(t *testing.T) {
	env := topics(t, "json")
	talk(t, connect(t, env))
	out := ok(t, env, "tail", "--follow=false", "--format", "json")
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines", len(lines))
	}
	if strings.ContainsFunc(out, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Error("a control character went out")
	}
	var m schemas.Message
	if err := json.Unmarshal([]byte(lines[3]), &struct {
		Text    **string        `json:"text"`
		Parent  *schemas.Link   `json:"parent"`
		Created *schemas.Millis `json:"created_at"`
	}{&m.Text, &m.Parent, &m.CreatedAt}); err != nil {
		t.Fatal(err)
	}
	if *m.Text != hostile || *m.Parent.MessageID != "om_elsewhere" || m.CreatedAt.String() != "2024-01-02T10:11:00.000Z" {
		t.Errorf("line 4 says %+v", m)
	}
}

func TestTailOfRawPages(t *testing.T) {
	env := topics(t, "rawtail")
	n := connect(t, env)
	var records []schemas.Record
	bodies := [][]byte{[]byte(`{"code":0}`), {0xff, 0xfe, '\n'}}
	for i, body := range bodies {
		p := schemas.Page{
			Container: "feishu/cli_test/chat/oc_1", Conversation: "feishu/cli_test/oc_1", Type: schemas.FeishuMessagesList,
			ContentType: "application/json", Time: time.Unix(1700000000, 0), Epoch: 1, Number: int64(i + 1), Final: i == 1,
			Request: "GET /x", HTTPStatus: 200, Code: "0", AppID: "cli_test", Body: body,
		}
		records = append(records, p.Record(n.Topics.RawPages, n.Partitions))
	}
	if err := n.Client.Produce(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(ok(t, env, "tail", "--topic", "raw", "--follow=false"), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "feishu.im.v1.messages.list page 1 epoch 1: GET /x, HTTP 200 code 0, 10 bytes") ||
		!strings.HasSuffix(lines[1], "3 bytes [final]") {
		t.Errorf("text: %q", lines)
	}
	lines = strings.Split(ok(t, env, "tail", "--topic", "raw", "--follow=false", "--format", "json"), "\n")
	for i, body := range bodies {
		var d struct {
			Headers map[string]string
			Size    int
			Body    *string
			Base64  string `json:"body_base64"`
		}
		if err := json.Unmarshal([]byte(lines[i]), &d); err != nil {
			t.Fatal(err)
		}
		got := []byte{}
		if d.Body != nil {
			got = []byte(*d.Body)
		} else if b, err := base64.StdEncoding.DecodeString(d.Base64); err == nil {
			got = b
		}
		if string(got) != string(body) || d.Size != len(body) || d.Headers["ce_page"] != string(rune('1'+i)) {
			t.Errorf("page %d: %+v", i+1, d)
		}
	}
}

func TestTailNamesWhatItCannotDecode(t *testing.T) {
	env := topics(t, "poison")
	n := connect(t, env)
	at := schemas.Partition("feishu/cli_test/oc_1", n.Partitions)
	if err := n.Client.Produce(t.Context(), []schemas.Record{{Topic: n.Topics.Messages, Partition: at, Key: "poison\x1b[31m", Value: []byte("not avro")}}); err != nil {
		t.Fatal(err)
	}
	talk(t, n)
	r := chatlake(t, env, "tail", "--follow=false")
	if r.code != 1 || strings.Count(r.stdout, "\n") != 6 {
		t.Errorf("exit %d: %s", r.code, r.stdout)
	}
	if !strings.Contains(r.stderr, "poison.messages/") || !strings.Contains(r.stderr, "offset 0") || strings.Contains(r.stderr, "\x1b") {
		t.Errorf("said %q", r.stderr)
	}
}

func TestTailFollowsUntilASignal(t *testing.T) {
	env := topics(t, "follow")
	n := connect(t, env)
	p, err := start(env, t.TempDir(), "tail", "--from-beginning")
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	talk(t, n)
	if err := p.await(func(out string) bool { return strings.Count(out, "\n") == 6 }); err != nil {
		t.Fatal(err)
	}
	talk(t, n)
	if err := p.await(func(out string) bool { return strings.Count(out, "\n") == 12 }); err != nil {
		t.Fatal(err)
	}
	if code := p.stop(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}

func TestTailEndsQuietlyWhenItsReaderGoes(t *testing.T) {
	env := topics(t, "pipe")
	n := connect(t, env)
	talk(t, n)
	p := &process{cmd: exec.Command(binary, "tail", "--from-beginning"), stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = environ(env), p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, "shall we?") {
		t.Errorf("first line %q: %v", line, err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code is read from the state
	}()
	talk(t, n) // the next write finds the pipe closed
	if code := p.wait(); code != 0 || p.stderr.String() != "" {
		t.Errorf("exit %d: %s", code, p.stderr.String())
	}
}
