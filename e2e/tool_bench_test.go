package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/schemas"
	"chatlake/simulator"
)

// Shape of the archive of BenchmarkTool.
const (
	perPage   = 20       // messages of a page
	perChat   = 5        // pages of a chat: with 10,000,000 messages, 100,000 chats
	batchSize = 16 << 20 // bytes of pages that are written at once
)

// archive writes an installation's topics: chats, their pages and checkpoints, without a platform.
type archive struct {
	*site
	topics  schemas.Topics
	ids     map[string]int
	texts   []json.RawMessage // contents, quoted
	records []schemas.Record
	size    int
}

// BenchmarkTool fills the topics with CHATLAKE_MESSAGES messages (300,000 by default), a hundred to a chat, normalizes them, and
// runs each command of the tool as a process: it reports the peak of resident memory, the CPU time and the time that each takes.
// It is for -benchtime=1x -timeout 3h; 10,000,000 messages take some 10 GB below TMPDIR.
func BenchmarkTool(b *testing.B) {
	messages := int64(300_000)
	if n, err := strconv.ParseInt(os.Getenv("CHATLAKE_MESSAGES"), 10, 64); err == nil {
		messages = n
	}
	program := filepath.Join(b.TempDir(), "chatlake")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/chatlake").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	for range b.N {
		s := newSite(b, options{world: simulator.Options{Seed: 9, Chats: 4}, partitions: 12})
		server := httptest.NewServer(http.HandlerFunc(plain))
		s.env = append(s.env, "FEISHU_BASE_URL="+server.URL)
		a := newArchive(b, s)
		began := time.Now()
		chats := int(messages / perPage / perChat)
		for i := range chats {
			a.chat(i, int64(i)*perPage*perChat)
		}
		a.flush()
		b.Logf("%d messages in %d pages of %d chats, written in %v", messages, chats*perChat, chats, time.Since(began).Round(time.Second))
		began = time.Now()
		s.once("normalizer", 0)
		b.Logf("normalized in %v", time.Since(began).Round(time.Second))
		for _, c := range commands {
			a.measure(program, c)
		}
		server.Close()
	}
}

// command is one whose use is measured, and the exit code that it ends with.
type command struct {
	args string
	code int
}

var commands = []command{
	{"status", 0},
	{"containers list", 0},
	{"containers list --output json", 0},
	{"containers list --roll-up --sort state --limit 20", 0},
	{"plan", 0},
	{"check", 4}, // the platform of the benchmark lists no chats
	{"deadletters list", 0},
	{"tail --since 2023-11-15 --grep nobodywrotethis --follow=false", 0},
	{"tail --tree --grep nobodywrotethis --follow=false", 0},
	{"audit", 0},
	{"replay --to PREFIX.messages2", 0},
	{"replay --to PREFIX.messages2 --compare", 0},
}

func newArchive(b *testing.B, s *site) *archive {
	b.Helper()
	a := &archive{site: s, topics: schemas.NewTopics(s.prefix, "")}
	registry, err := schemas.OpenRegistry(schemas.RegistryConfig{URL: s.registry})
	if err != nil {
		b.Fatal(err)
	}
	if a.ids, err = registry.IDs(b.Context(), a.topics.Schemas()); err != nil {
		b.Fatal(err)
	}
	for _, chat := range s.world.Chats() {
		for _, m := range s.world.Messages(chat.ID) {
			if m.Kind == "TEXT" && m.Text != "" {
				a.texts = append(a.texts, asJSON(b, string(asJSON(b, map[string]string{"text": m.Text}))))
			}
		}
	}
	return a
}

func asJSON(b *testing.B, v any) []byte {
	b.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// chat writes chat i, whose first message has a number: every hundredth was not begun, every other hundredth is half read, and every
// thousandth shows an item that cannot be read.
func (a *archive) chat(i int, first int64) {
	a.t.Helper()
	tenant, _, _ := a.world.App()
	id := fmt.Sprintf("oc_%032x", i)
	c := schemas.Container{
		Key: string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, id)), Platform: schemas.Feishu, TenantID: tenant,
		Kind: schemas.KindChat, ID: id, ConversationID: id, Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: schemas.MillisOf(time.Now()),
	}
	conversation := schemas.NewConversationKey(schemas.Feishu, tenant, id)
	a.put(a.topics.Containers, c.Key, conversation, schemas.ContainerSchema, &c)
	pages := perChat
	switch i % 100 {
	case 13:
		return
	case 57:
		pages = perChat / 2
	}
	cp := schemas.Checkpoint{ContainerKey: c.Key, Epoch: 1, State: schemas.StateRunning, UpdatedAt: schemas.MillisOf(time.Now())}
	prev := ""
	for n := range pages {
		last := n == perChat-1
		p := schemas.Page{
			Container: schemas.ContainerKey(c.Key), Conversation: conversation, Type: schemas.FeishuMessagesList, ContentType: "application/json",
			Time: time.UnixMilli(1_790_000_000_000 + first), Epoch: 1, Number: int64(n + 1), Prev: prev, Final: last,
			Request: fmt.Sprintf("GET /open-apis/im/v1/messages?container_id=%s&page=%d", id, n), HTTPStatus: 200, Code: "0", AppID: tenant,
			ConnectorVersion: "chatlake/bench", Body: a.body(id, first+int64(n*perPage), !last, i%1000 == 500 && n == 1),
		}
		r := p.Record(a.topics.RawPages, a.parts)
		prev = p.ID
		a.add(r)
		watermark := schemas.Millis(1_700_000_000_000 + (first+int64((n+1)*perPage)-1)*1000)
		cp.Pages, cp.Items, cp.Calls, cp.LastPageID, cp.Watermark = cp.Pages+1, cp.Items+perPage, cp.Calls+1, &prev, &watermark
		if last {
			cp.State = schemas.StateComplete
		}
	}
	a.put(a.topics.Checkpoints, c.Key, conversation, schemas.CheckpointSchema, &cp)
}

// body is a page of texts, every third of which answers another.
func (a *archive) body(chat string, first int64, more, broken bool) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, `{"code":0,"msg":"success","data":{"has_more":%v,"page_token":"x","items":[`, more)
	for i := range int64(perPage) {
		n := first + i
		at := 1_700_000_000_000 + n*1000
		if i > 0 {
			w.WriteByte(',')
		}
		if broken && i == 7 {
			w.WriteString(`{"msg_type":"text"}`)
			continue
		}
		fmt.Fprintf(&w, `{"message_id":"om_%032x","msg_type":"text","create_time":"%d","update_time":"%d","deleted":false,"updated":false,"chat_id":%q,`, n, at, at, chat)
		if i%3 == 2 && !broken {
			fmt.Fprintf(&w, `"parent_id":"om_%032x","root_id":"om_%032x",`, n-1, n-2)
		}
		fmt.Fprintf(&w, `"sender":{"id":"ou_%032x","id_type":"open_id","sender_type":"user","tenant_key":"t","sender_name":"Person %d"},"body":{"content":%s},"message_position":"%d"}`,
			n%977, n%977, a.texts[n%int64(len(a.texts))], n%(perPage*perChat)+1)
	}
	w.WriteString("]}}")
	return w.Bytes()
}

// put adds a record with an Avro value.
func (a *archive) put(topic, key string, c schemas.ConversationKey, s *schemas.Schema, v schemas.Validator) {
	a.t.Helper()
	value, err := s.Append(nil, a.ids[topic], v)
	if err != nil {
		a.t.Fatal(err)
	}
	a.add(schemas.Record{Topic: topic, Partition: schemas.Partition(c, a.parts), Key: key, Value: value, Time: time.Now()})
}

func (a *archive) add(r schemas.Record) {
	a.t.Helper()
	a.records = append(a.records, r)
	if a.size += len(r.Value); a.size >= batchSize {
		a.flush()
	}
}

func (a *archive) flush() {
	a.t.Helper()
	if err := a.client.Produce(a.t.Context(), a.records); err != nil {
		a.t.Fatal(err)
	}
	a.records, a.size = a.records[:0], 0
}

// measure runs a command as a process.
func (a *archive) measure(program string, c command) {
	a.t.Helper()
	b := a.t.(*testing.B)
	cmd := exec.Command(program, strings.Fields(strings.ReplaceAll(c.args, "PREFIX", a.prefix))...)
	var out, errs bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = a.env, &out, &errs
	began := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	most, tick := 0.0, time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			most = max(most, resident(strconv.Itoa(cmd.Process.Pid)))
			continue
		case err := <-done:
			var e *exec.ExitError
			if err != nil && !errors.As(err, &e) {
				b.Fatal(err)
			}
		}
		break
	}
	state := cmd.ProcessState
	b.Logf("%-60s exit %d  %5.0f MB  %6.1f s of CPU  %6.1f s  %d bytes of output", c.args, state.ExitCode(), most,
		(state.UserTime() + state.SystemTime()).Seconds(), time.Since(began).Seconds(), out.Len())
	if state.ExitCode() != c.code {
		b.Errorf("%s: exit %d, want %d: %s\n%.4000s", c.args, state.ExitCode(), c.code, &errs, &out)
	}
}
