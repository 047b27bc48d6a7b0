package main_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"chatlake/cmd/worker"
	"chatlake/schemas"
)

// failedAt is when the dead letters of these tests were found.
var failedAt = schemas.MillisOf(time.Date(2024, 3, 4, 5, 6, 7, 0, time.UTC))

func deadLetter(stage, class, item string) *schemas.DeadLetter {
	return &schemas.DeadLetter{
		ID: schemas.DeadLetterID(stage, "page", item, "", class), Stage: stage, ErrorClass: class, ErrorMessage: "item is broken\x1b[2J",
		ConversationKey: "feishu/cli_test/oc_1", ContainerKey: words("feishu/cli_test/chat/oc_1"), PageID: words("page"), ItemPointer: &item, FailedAt: failedAt,
	}
}

// page is a raw page of oc_1.
func page(n *worker.Connection, number int64, body string) schemas.Record {
	p := schemas.Page{
		Container: "feishu/cli_test/chat/oc_1", Conversation: "feishu/cli_test/oc_1", Type: schemas.FeishuMessagesList, ContentType: "application/json",
		Time: failedAt.Time(), Epoch: 1, Number: number, Request: "GET /x", HTTPStatus: 200, Code: "0", AppID: "cli_test", Body: []byte(body),
	}
	return p.Record(n.Topics.RawPages, n.Partitions)
}

func produce(t *testing.T, n *worker.Connection, letters ...*schemas.DeadLetter) {
	t.Helper()
	var records []schemas.Record
	for _, d := range letters {
		value, err := schemas.DeadLetterSchema.Append(nil, n.IDs[n.Topics.DeadLetters], d)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, schemas.Record{
			Topic: n.Topics.DeadLetters, Partition: schemas.Partition(schemas.ConversationKey(d.ConversationKey), n.Partitions), Key: d.ConversationKey, Value: value,
		})
	}
	if err := n.Client.Produce(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

type letterList struct {
	DeadLetters []map[string]any `json:"dead_letters"`
}

func TestDeadLettersAreListedOnce(t *testing.T) {
	env := topics(t, "deadlist")
	if r := decoded[letterList](t, env, "deadletters", "list"); r.DeadLetters == nil || len(r.DeadLetters) != 0 {
		t.Errorf("of none: %+v", r)
	}
	n := connect(t, env)
	body := []byte("secret text")
	first, again, other := deadLetter("decode", "bad_item", "/data/items/0"), deadLetter("decode", "bad_item", "/data/items/0"), deadLetter("extract", strings.Repeat("very_long_", 5), "/x")
	first.Body = &body
	again.FailedAt += 60_000
	other.ConversationKey, other.ErrorMessage = "yunxin/key/p2p:a:b", strings.Repeat("long ", 100)
	other.RecordID = words("yunxin/key/" + strings.Repeat("9", 60))
	produce(t, n, first, other, again)
	if err := n.Client.Produce(t.Context(), []schemas.Record{{Topic: n.Topics.DeadLetters, Key: "poison", Value: []byte("no avro")}}); err != nil {
		t.Fatal(err)
	}
	run := chatlake(t, env, "deadletters", "list", "--output", "json")
	var all letterList
	if err := json.Unmarshal([]byte(run.stdout), &all); err != nil || run.code != 0 || !strings.Contains(run.stderr, "deadlist.deadletters/0 offset") {
		t.Fatalf("exit %d, %v: %s", run.code, err, run.stderr)
	}
	if len(all.DeadLetters) != 2 || all.DeadLetters[1]["failed_at"] != again.FailedAt.String() {
		t.Errorf("%+v", all)
	}
	for _, d := range all.DeadLetters {
		if _, has := d["body"]; has || d["id"] == "" || d["body_truncated"] != false || len(d) != 15 {
			t.Errorf("row of %d fields: %v", len(d), d)
		}
	}
	for _, tt := range []struct {
		args string
		n    int
	}{
		{"--stage decode", 1}, {"--class bad_item", 1}, {"--platform yunxin", 1}, {"--platform yunxin --stage decode", 0},
		{"--since 2024-03-04T05:06:08Z", 1}, {"--since 2024-03-04", 2}, {"--since 1h", 0}, {"--since 36500d", 2},
	} {
		if r := decoded[letterList](t, env, append([]string{"deadletters", "list"}, strings.Fields(tt.args)...)...); len(r.DeadLetters) != tt.n {
			t.Errorf("%s: %d", tt.args, len(r.DeadLetters))
		}
	}
	out := chatlake(t, env, "deadletters", "list", "--tz", "Asia/Shanghai").stdout
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 4 || !strings.Contains(lines[2], "2024-03-04 13:07") || !strings.HasPrefix(lines[2], again.ID[:12]+" ") || strings.Contains(out, "\x1b") {
		t.Errorf("table:\n%s", out)
	}
	for _, line := range lines {
		if w := utf8.RuneCountInString(line); w > 120 {
			t.Errorf("%d columns: %s", w, line)
		}
	}
	if strings.Contains(out+run.stdout, "secret text") {
		t.Error("a body was listed")
	}
}

type shown struct {
	DeadLetter map[string]any `json:"dead_letter"`
	Raw        *struct {
		Topic     string            `json:"topic"`
		Partition int32             `json:"partition"`
		Offset    int64             `json:"offset"`
		Headers   map[string]string `json:"headers"`
	} `json:"raw"`
	Body   *string `json:"body"`
	Base64 []byte  `json:"body_base64"`
	From   *string `json:"body_from"`
}

func TestDeadLettersShowWhatTheyFailedOn(t *testing.T) {
	env := topics(t, "deadshow")
	n := connect(t, env)
	item := `{"id":9007199254740993,"text":"a\u001b[2J` + "\u202e\u009b" + `","list":[],"in":{"x":[1,2]}}`
	raw := page(n, 1, `{"code":0,"data":{"items":[`+item+`]}}`)
	if err := n.Client.Produce(t.Context(), []schemas.Record{page(n, 2, "first"), raw}); err != nil {
		t.Fatal(err)
	}
	partition, offset, gone := int64(raw.Partition), int64(1), int64(99)
	own, within, lost, found, none := deadLetter("extract", "own", "/0"), deadLetter("decode", "within", "/data/items/0"), deadLetter("decode", "lost", "/1"), deadLetter("extract", "found", "/found/0"), deadLetter("extract", "none", "/2")
	binary := []byte{0xff, 0x00}
	own.Body, own.BodyTruncated = &binary, true
	within.SourceTopic, within.SourcePartition, within.SourceOffset = &n.Topics.RawPages, &partition, &offset
	lost.SourceTopic, lost.SourcePartition, lost.SourceOffset = &n.Topics.RawPages, &partition, &gone
	found.PageID = words(string(raw.Headers[2].Value))
	none.PageID = nil
	produce(t, n, own, within, lost, found, none)
	show := func(d *schemas.DeadLetter) shown { return decoded[shown](t, env, "deadletters", "show", d.ID) }

	if s := show(within); s.Body == nil || *s.Body != item || *s.From != "item" || s.Raw == nil || s.Raw.Offset != 1 || s.Raw.Topic != n.Topics.RawPages || s.Raw.Partition != raw.Partition || s.Raw.Headers["ce_page"] != "1" {
		t.Errorf("an item: %+v", s)
	}
	if s := show(own); s.Body != nil || string(s.Base64) != string(binary) || *s.From != "dead_letter" || s.DeadLetter["body"] != nil || s.DeadLetter["error_class"] != "own" {
		t.Errorf("its own: %+v", s)
	}
	if s := show(found); s.Body == nil || *s.Body != string(raw.Value) || *s.From != "record" || s.Raw == nil {
		t.Errorf("by its page: %+v", s)
	}
	if s := show(lost); s.Body != nil || s.From != nil || s.Raw == nil || s.Raw.Offset != 99 || s.Raw.Headers != nil {
		t.Errorf("gone: %+v", s)
	}
	if s := show(none); s.Body != nil || s.Raw != nil {
		t.Errorf("of none: %+v", s)
	}

	out := ok(t, env, "deadletters", "show", within.ID[:12])
	for _, want := range []string{"stage         decode", "offset 1", "  ce_page: 1", "\n  \"id\": 9007199254740993,\n", "\"list\": [],", "\n      2\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x1b\u202e\u009b") {
		t.Errorf("steers the terminal: %q", out)
	}
	if out := ok(t, env, "deadletters", "show", own.ID); !strings.Contains(out, "ff 00") || !strings.Contains(out, "cut when it was kept") {
		t.Errorf("of bytes:\n%s", out)
	}
	oneLine(t, chatlake(t, env, "deadletters", "show", "ffffffffffff"), 1, "ffffffffffff", "deadletters list")
}

// TestWhatPeopleAreShownOfABodyIsBounded: whatever its shape.
func TestWhatPeopleAreShownOfABodyIsBounded(t *testing.T) {
	env := topics(t, "deadlong")
	n := connect(t, env)
	for i, body := range []string{
		"[" + strings.Repeat("1,", 300_000) + "1]", `{"x":"` + strings.Repeat("y", 600_000) + `"}`, strings.Repeat("[", 500_000), strings.Repeat("line\n", 100_000),
	} {
		d := deadLetter("extract", "long", fmt.Sprint(i))
		b := []byte(body)
		d.Body = &b
		produce(t, n, d)
		out := ok(t, env, "deadletters", "show", d.ID)
		if len(out) > 100_000 || strings.Count(out, "\n") > 230 {
			t.Errorf("body %d: %d bytes, %d lines", i, len(out), strings.Count(out, "\n"))
		}
		if s := decoded[shown](t, env, "deadletters", "show", d.ID); *s.Body != body {
			t.Errorf("body %d is not whole", i)
		}
	}
}

type redriven struct {
	Redriven int
	Remedies []struct {
		Stage      string
		ErrorClass string `json:"error_class"`
		N          int
		Remedy     string
	}
	Added []struct {
		Key   string
		Epoch int64
	}
}

// TestRedriveAsksThePlatformAgain: what the platform did not give is asked for again, once.
func TestRedriveAsksThePlatformAgain(t *testing.T) {
	env := topics(t, "redrive")
	n := connect(t, env)
	ok(t, env, addChat("oc_1")...)
	whole, message, decode := deadLetter("extract", "bad_container", "/found/0"), deadLetter("extract", "gone", "/1"), deadLetter("decode", "bad_item", "/2")
	whole.FailedAt = schemas.MillisOf(time.Now().Add(time.Hour)) // a clock that is ahead
	message.RecordID = words("feishu/cli_test/om_1")
	message.ContainerKey, message.FailedAt = nil, whole.FailedAt
	produce(t, n, whole, message, decode)

	r := decoded[redriven](t, env, "deadletters", "redrive", "--stage", "decode")
	if r.Redriven != 0 || len(r.Added) != 0 || len(r.Remedies) != 1 || r.Remedies[0].N != 1 || !strings.Contains(r.Remedies[0].Remedy, "chatlake replay --to redrive.messages.replay") {
		t.Errorf("of stage decode: %+v", r)
	}
	if got := len(containerRecords(t, env)); got != 1 {
		t.Errorf("%d containers were written", got-1)
	}
	r = decoded[redriven](t, env, "deadletters", "redrive", message.ID, message.ID[:10])
	if r.Redriven != 1 || len(r.Remedies) != 0 || len(r.Added) != 1 || r.Added[0].Key != "feishu/cli_test/message/oc_1!om_1" || r.Added[0].Epoch != 1 {
		t.Errorf("one: %+v", r)
	}
	r = decoded[redriven](t, env, "deadletters", "redrive")
	if r.Redriven != 1 || len(r.Remedies) != 2 || len(r.Added) != 1 || r.Added[0].Key != "feishu/cli_test/chat/oc_1" || r.Added[0].Epoch != 2 {
		t.Errorf("all: %+v", r)
	}
	out := ok(t, env, "deadletters", "redrive")
	if !strings.Contains(out, "0 redriven, 3 need something else") || len(containerRecords(t, env)) != 3 {
		t.Errorf("asked twice:\n%s", out)
	}
	if r = decoded[redriven](t, env, "deadletters", "redrive", "--again"); r.Redriven != 2 || len(r.Added) != 2 {
		t.Errorf("--again: %+v", r)
	}
	oneLine(t, chatlake(t, env, "deadletters", "redrive", "ffffffffffff"), 1, "ffffffffffff")
}

// TestWhatIsHiddenIsSaid: an open transaction hides what lies behind it from every reader of committed records.
func TestWhatIsHiddenIsSaid(t *testing.T) {
	env := topics(t, "deadhidden")
	n := connect(t, env)
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokerOf(env)), kgo.TransactionalID("deadhidden"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	d := deadLetter("decode", "bad_item", "/data/items/0")
	at := schemas.Partition(schemas.ConversationKey(d.ConversationKey), n.Partitions)
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: n.Topics.DeadLetters, Partition: at, Value: []byte("open")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, n, d)
	r := chatlake(t, env, "deadletters", "list", "--output", "json")
	if r.code != 0 || !strings.Contains(r.stderr, fmt.Sprintf("deadhidden.deadletters/%d: an open transaction hides what lies from offset 0 to 2", at)) {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
	if err := cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	if l := decoded[letterList](t, env, "deadletters", "list"); len(l.DeadLetters) != 1 {
		t.Errorf("when it has ended: %+v", l)
	}
}
