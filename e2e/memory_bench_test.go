package e2e_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"chatlake/cmd/worker"
	"chatlake/connectors"
	"chatlake/connectors/feishu"
	"chatlake/pipeline"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
	"chatlake/simulator"
)

// peak is the most memory that a process has had resident, in MB (VmHWM of proc_pid_status(5)).
func peak(b *testing.B, pid string) float64 {
	b.Helper()
	most := resident(pid)
	if most == 0 {
		b.Skip("the kernel does not tell VmHWM")
	}
	return most
}

// resident is the peak of a process, 0 where the kernel does not tell it or the process has ended.
func resident(pid string) float64 {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			if kb, err := strconv.ParseFloat(f[1], 64); err == nil {
				return kb / 1024
			}
		}
	}
	return 0
}

// BenchmarkNormalizerMemory normalizes CHATLAKE_MESSAGES messages (5,000,000 by default), every third of which answers
// another, and reports the peak of resident memory, with an index that holds them all. Its log makes pages as they are
// read. Run it alone, with -benchtime=1x: the peak is the process's.
func BenchmarkNormalizerMemory(b *testing.B) {
	messages := int64(5_000_000)
	if n, err := strconv.ParseInt(os.Getenv("CHATLAKE_MESSAGES"), 10, 64); err == nil {
		messages = n
	}
	worker.TuneMemory() // as the program does
	for range b.N {
		dir := b.TempDir()
		index, err := store.Open(dir, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		topics := schemas.NewTopics("im", "")
		n := normalize.New(normalize.Config{
			Topics: topics, IDs: map[string]int{topics.Messages: 1, topics.DeadLetters: 2, topics.Containers: 3}, Index: index, Lookups: true, Once: true,
			Decoders:       map[string]func() connectors.Decoder{schemas.Feishu: func() connectors.Decoder { return feishu.NewDecoder() }},
			CommitInterval: 200 * time.Millisecond, Version: "bench", Logger: slog.New(slog.DiscardHandler),
		})
		if err := n.Partition(b.Context(), &endless{topic: topics.RawPages, pages: messages / 50}); err != nil {
			b.Fatal(err)
		}
		if got := n.Stats().Messages.Load(); got != messages/50*50 {
			b.Fatalf("%d messages, want %d", got, messages)
		}
		if err := index.Close(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(onDisk(b, dir))/1e6, "MB-on-disk")
	}
	b.ReportMetric(peak(b, "self"), "MB-peak")
	b.ReportMetric(float64(messages)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func onDisk(b *testing.B, dir string) (n int64) {
	b.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}

// endless is a partition of raw pages that are made when they are read. What is committed is dropped.
type endless struct {
	topic string
	pages int64
}

func (l *endless) ID() int32        { return 0 }
func (l *endless) Total() int       { return 1 }
func (l *endless) Committed() int64 { return -1 }
func (l *endless) Beat()            {}

func (l *endless) Offsets(context.Context, string) (int64, int64, error) { return 0, l.pages, nil }

func (l *endless) End(context.Context, string) (int64, error) { return l.pages, nil }

func (l *endless) Reader(_ string, from int64) pipeline.Reader { return &endlessReader{l, from} }

func (l *endless) Commit(context.Context, []schemas.Record, int64) error { return nil }

type endlessReader struct {
	*endless
	next int64
}

func (r *endlessReader) Read(context.Context, time.Duration, int) (pipeline.Batch, error) {
	var b pipeline.Batch
	for ; len(b.Records) < 64 && r.next < r.pages; r.next++ {
		rec := endlessPage(r.topic, r.next)
		rec.Offset = r.next
		b.Records = append(b.Records, rec)
	}
	b.Next = r.next
	return b, nil
}

// endlessPage is page n of a topic in which the pages of 100 chats take turns.
func endlessPage(topic string, n int64) schemas.Record {
	chat := fmt.Sprintf("oc_%032x", n%100)
	p := schemas.Page{
		Container: schemas.NewContainerKey(schemas.Feishu, "cli_1", schemas.KindChat, chat), Type: schemas.FeishuMessagesList,
		Conversation: schemas.NewConversationKey(schemas.Feishu, "cli_1", chat), ContentType: "application/json",
		Time: time.UnixMilli(1_790_000_000_000 + n), Epoch: 1, Number: n/100 + 1, Request: fmt.Sprintf("GET /open-apis/im/v1/messages?page=%d", n),
		HTTPStatus: 200, Code: "0", AppID: "cli_1", ConnectorVersion: "chatlake/bench", Body: []byte(textPage(chat, n, true)),
	}
	return p.Record(topic, 1)
}

// textPage is a page of 50 texts, every third of which answers another.
func textPage(chat string, n int64, more bool) string {
	var body strings.Builder
	fmt.Fprintf(&body, `{"code":0,"msg":"success","data":{"has_more":%v,"page_token":"x","items":[`, more)
	at := 1_700_000_000_000 + n*50_000
	for i := range int64(50) {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"message_id":"om_%020x%012d","msg_type":"text","create_time":"%d","update_time":"%d","deleted":false,"updated":false,"chat_id":%q,`, n, i, at+i*1000, at+i*1000, chat)
		if i%3 == 2 {
			fmt.Fprintf(&body, `"parent_id":"om_%020x%012d","root_id":"om_%020x%012d",`, n, i-1, n, i-2)
		}
		fmt.Fprintf(&body, `"sender":{"id":"ou_%032x","id_type":"open_id","sender_type":"user","tenant_key":"t","sender_name":"Person %d"},"body":{"content":"{\"text\":\"message %d of page %d: nothing is lost and nothing is told twice, whatever crashes\"}"},"message_position":"%d"}`,
			(n+i)%977, (n+i)%977, i, n, n*50+i)
	}
	body.WriteString("]}}")
	return body.String()
}

// BenchmarkExtractorMemory lets the program read CHATLAKE_CONTAINERS chats (10,000 by default), each two pages long, and
// reports the peak of its resident memory.
func BenchmarkExtractorMemory(b *testing.B) {
	containers := 10_000
	if n, err := strconv.Atoi(os.Getenv("CHATLAKE_CONTAINERS")); err == nil {
		containers = n
	}
	for range b.N {
		s := newSite(b, options{world: simulator.Options{Seed: 9, Chats: 1}, partitions: 12})
		server := httptest.NewServer(http.HandlerFunc(plain))
		s.env = append(s.env, "FEISHU_BASE_URL="+server.URL)
		model, chats := s.chats()[0], make([]schemas.Container, containers)
		for i := range chats {
			c := model
			c.ID = fmt.Sprintf("oc_%032x", i)
			c.ConversationID, c.Key = c.ID, string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID))
			chats[i] = c
		}
		s.add(1, chats...)
		p := s.start("extractor")
		most := 0.0
		for !s.quiet() {
			most = max(most, peak(b, strconv.Itoa(p.cmd.Process.Pid)))
		}
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			b.Fatal(err)
		}
		if code := p.exit(b); code != 0 {
			b.Fatalf("exit code %d:\n%s", code, p.out)
		}
		server.Close()
		b.ReportMetric(float64(containers), "containers")
		b.ReportMetric(most, "MB-peak")
	}
}

// plain answers as Feishu does for any chat at all: two pages of text.
func plain(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/internal"):
		fmt.Fprint(w, `{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}`)
	case strings.Contains(r.URL.Path, "/chats/"):
		fmt.Fprint(w, `{"code":0,"msg":"success","data":{"chat_mode":"group","group_message_type":"chat","name":"chat"}}`)
	default:
		n := int64(1)
		if r.URL.Query().Get("page_token") == "" {
			n = 2
		}
		fmt.Fprint(w, textPage(r.URL.Query().Get("container_id"), n, n == 2))
	}
}

// quiet reports whether every container that is known has come to its end.
func (s *site) quiet() bool {
	s.t.Helper()
	decode, open := s.foreign(), map[string]bool{}
	for _, r := range s.read(s.prefix + ".containers") {
		open[string(r.Key)] = true
	}
	for _, r := range s.read(s.prefix + ".checkpoints") {
		if state := decode.decode(r.Value)["state"]; state == "COMPLETE" || state == "FAILED" {
			delete(open, string(r.Key))
		}
	}
	return len(open) == 0
}
