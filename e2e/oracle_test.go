package e2e_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"chatlake/schemas"
)

// read gives every committed record of a topic, in order within each partition.
func (s *site) read(topic string) []*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	ends, open := map[int32]int64{}, 0
	offsets := map[int32]kgo.Offset{}
	for p := range int32(s.parts) {
		start, stable, err := s.client.Offsets(ctx, topic, p)
		if err != nil {
			s.t.Fatal(err)
		}
		if stable > start {
			ends[p], offsets[p] = stable, kgo.NewOffset().AtStart()
			open++
		}
	}
	if open == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.brokers, ",")...), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(32<<20))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	var out []*kgo.Record
	for open > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			s.t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			end, unread := ends[r.Partition]
			if !unread {
				return
			}
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset >= end-1 { // the last committed record is the marker of a commit or an abort
				delete(ends, r.Partition)
				open--
			}
		})
	}
	slices.SortStableFunc(out, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return out
}

// foreign decodes Confluent-framed values with nothing of ours.
type foreign struct {
	t       testing.TB
	client  *sr.Client
	schemas map[int]avro.Schema
}

func (s *site) foreign() *foreign {
	c, err := sr.NewClient(sr.URLs(s.registry))
	if err != nil {
		s.t.Fatal(err)
	}
	return &foreign{s.t, c, map[int]avro.Schema{}}
}

func (f *foreign) decode(value []byte) map[string]any {
	f.t.Helper()
	var header sr.ConfluentHeader
	id, body, err := header.DecodeID(value)
	if err != nil {
		f.t.Fatal(err)
	}
	schema := f.schemas[id]
	if schema == nil {
		text, err := f.client.SchemaByID(f.t.Context(), id)
		if err != nil {
			f.t.Fatal(err)
		}
		if schema, err = avro.Parse(text.Schema); err != nil {
			f.t.Fatal(err)
		}
		f.schemas[id] = schema
	}
	var out map[string]any
	if err := avro.Unmarshal(schema, body, &out); err != nil {
		f.t.Fatal(err)
	}
	return out
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// found is what the topics hold.
type found struct {
	pages, messages, dead, checkpoints int
	versions                           map[string][]int64 // by record_id, in order
	last                               map[string]map[string]any
	letters                            []map[string]any // dead letters
}

// check holds what was written against what was served: each page once and byte for byte, the chain of each container
// whole, checkpoints that say what is there, each version of a record once, and every message that was shown.
func (s *site) check() found {
	s.t.Helper()
	f := found{versions: map[string][]int64{}, last: map[string]map[string]any{}}
	s.checkMessages(&f)
	chains := s.checkPages(&f)
	s.checkCheckpoints(&f, chains)
	decode := s.foreign()
	for _, r := range s.read(s.prefix + ".deadletters") {
		f.dead++
		d := decode.decode(r.Value)
		f.letters = append(f.letters, d)
		if want := schemas.Partition(schemas.ConversationKey(r.Key), s.parts); want != r.Partition {
			s.t.Errorf("dead letter %v lies in partition %d, not %d", d["id"], r.Partition, want)
		}
	}
	s.audit(&f)
	return f
}

// served are the digests of bodies that went out, by request as pages tell it.
func (s *site) served() map[string]map[string]bool {
	served := map[string]map[string]bool{}
	add := func(request, digest string) {
		if served[request] == nil {
			served[request] = map[string]bool{}
		}
		served[request][digest] = true
	}
	if s.feishu != nil {
		for _, x := range s.feishu.Exchanges() {
			add(x.Request, x.SHA256)
		}
	}
	if s.yunxin != nil {
		for _, x := range s.yunxin.Exchanges() {
			add(toldRequest(&x, s.yunxinURL), x.SHA256)
		}
	}
	return served
}

// chain is the list and batch pages of one container and epoch.
type chain struct {
	pages []*kgo.Record
	final bool
}

func (s *site) checkPages(f *found) map[string]*chain {
	s.t.Helper()
	served, seen := s.served(), map[string]bool{}
	chains := map[string]*chain{}
	for _, r := range s.read(s.prefix + ".raw.pages") {
		f.pages++
		id := header(r, "ce_id")
		if seen[id] {
			s.t.Errorf("page %s stands twice", id)
		}
		seen[id] = true
		s.checkHeaders(r)
		sum := sha256.Sum256(r.Value)
		if header(r, "ce_httpstatus") != "0" && !served[header(r, "ce_request")][hex.EncodeToString(sum[:])] {
			s.t.Errorf("page %s (%s) is not what was served", id, header(r, "ce_request"))
		}
		expansion := header(r, "ce_expansion")
		switch header(r, "ce_type") {
		case schemas.FeishuMessagesList, schemas.YunxinMessagesList, schemas.YunxinMessagesBatch:
			if expansion != "false" {
				s.t.Errorf("page %s is in a chain, and its ce_expansion is %q", id, expansion)
			}
		default:
			if want := strconv.FormatBool(header(r, "ce_page") != "0" && header(r, "ce_final") == "" && header(r, "ce_type") != schemas.FeishuChatsGet); expansion != want {
				s.t.Errorf("page %s of type %s: ce_expansion is %q", id, header(r, "ce_type"), expansion)
			}
			continue
		}
		key := header(r, "ce_source")[1:] + " " + header(r, "ce_epoch")
		if chains[key] == nil {
			chains[key] = &chain{}
		}
		chains[key].add(s.t, key, r)
	}
	for key, c := range chains {
		if !c.final {
			s.t.Errorf("container %s has no final page after %d: the last is %v", key, len(c.pages), c.pages[len(c.pages)-1].Headers)
		}
	}
	return chains
}

// add expects the next page of the chain.
func (c *chain) add(t testing.TB, key string, r *kgo.Record) {
	t.Helper()
	if c.final {
		t.Errorf("container %s goes on after its final page", key)
	}
	if got := header(r, "ce_page"); got != strconv.Itoa(len(c.pages)+1) {
		t.Errorf("container %s: page %s follows page %d", key, got, len(c.pages))
	}
	prev := ""
	if n := len(c.pages); n > 0 {
		prev = header(c.pages[n-1], "ce_id")
	}
	if got := header(r, "ce_prev"); got != prev {
		t.Errorf("container %s page %s: ce_prev is %q, want %q", key, header(r, "ce_page"), got, prev)
	}
	c.pages = append(c.pages, r)
	c.final = header(r, "ce_final") == "true"
}

func (s *site) checkHeaders(r *kgo.Record) {
	s.t.Helper()
	var b strings.Builder
	for _, k := range []string{"", "ce_epoch", "ce_page", "ce_request", "ce_subject"} {
		if k == "" {
			b.WriteString(strings.TrimPrefix(header(r, "ce_source"), "/"))
		}
		b.WriteString(header(r, k))
		b.WriteByte(0)
	}
	sum := sha256.Sum256([]byte(b.String()))
	if got := header(r, "ce_id"); got != hex.EncodeToString(sum[:]) {
		s.t.Errorf("ce_id %s is not the digest of its parts", got)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", header(r, "ce_time"))
	if err != nil || !at.Equal(r.Timestamp) {
		s.t.Errorf("ce_time %s, record timestamp %s: %v", header(r, "ce_time"), r.Timestamp, err)
	}
	if header(r, "ce_partitionkey") != string(r.Key) || header(r, "ce_specversion") != "1.0" {
		s.t.Errorf("page %s: wrong ce_partitionkey or ce_specversion", header(r, "ce_id"))
	}
	if want := schemas.Partition(schemas.ConversationKey(r.Key), s.parts); want != r.Partition {
		s.t.Errorf("page %s lies in partition %d, not %d", header(r, "ce_id"), r.Partition, want)
	}
	for _, secret := range s.secrets() {
		if strings.Contains(fmt.Sprint(r.Headers), secret) {
			s.t.Error("a header holds an app's secret")
		}
	}
	if header(r, "ce_type") == schemas.YunxinMergedFile && strings.Contains(header(r, "ce_request"), "?") {
		s.t.Errorf("page %s tells how its file's address is signed: %s", header(r, "ce_id"), header(r, "ce_request"))
	}
}

func (s *site) checkCheckpoints(f *found, chains map[string]*chain) {
	s.t.Helper()
	decode := s.foreign()
	last := map[string]map[string]any{}
	for _, r := range s.read(s.prefix + ".checkpoints") {
		f.checkpoints++
		cp := decode.decode(r.Value)
		if cp["container_key"] != string(r.Key) {
			s.t.Errorf("checkpoint of %v under key %s", cp["container_key"], r.Key)
		}
		last[string(r.Key)] = cp
	}
	for key, cp := range last {
		if cp["state"] != "COMPLETE" && cp["state"] != "FAILED" && cp["state"] != "CANCELLED" {
			s.t.Errorf("container %s never ended: %s", key, dump(cp))
		}
		c := chains[fmt.Sprintf("%s %v", key, cp["epoch"])]
		if c == nil {
			continue // Feishu's look-ups have no list pages
		}
		n := len(c.pages)
		if cp["pages"] != int64(n) || cp["last_page_id"] != header(c.pages[n-1], "ce_id") {
			s.t.Errorf("checkpoint of %s says %v pages up to %v; there are %d up to %s", key, cp["pages"], cp["last_page_id"], n, header(c.pages[n-1], "ce_id"))
		}
	}
}

func (s *site) checkMessages(f *found) {
	s.t.Helper()
	decode := s.foreign()
	for _, r := range s.read(s.prefix + ".messages") {
		f.messages++
		m := decode.decode(r.Value)
		id, version := m["record_id"].(string), m["version"].(int64)
		if id != string(r.Key) {
			s.t.Errorf("message %s under key %s", id, r.Key)
		}
		if v := f.versions[id]; len(v) > 0 && v[len(v)-1] >= version {
			s.t.Errorf("message %s: version %d after %d", id, version, v[len(v)-1])
		}
		if first := len(f.versions[id]) == 0; first != (m["change"] == "created") {
			s.t.Errorf("message %s version %d: change is %v", id, version, m["change"])
		}
		f.versions[id] = append(f.versions[id], version)
		f.last[id] = m
	}
	for _, id := range s.shown() {
		if f.versions[id] == nil {
			s.t.Errorf("message %s was shown and is lost", id)
		}
	}
}

// shown are the record ids of all messages that whole answers have shown.
func (s *site) shown() (ids []string) {
	if s.feishu != nil {
		tenant, _, _ := s.world.App()
		for _, id := range s.feishu.Shown() {
			ids = append(ids, "feishu/"+tenant+"/"+id)
		}
	}
	if s.yunxin != nil {
		tenant, _ := s.app.App()
		for _, id := range s.yunxin.Shown() {
			ids = append(ids, "yunxin/"+tenant+"/"+id)
		}
	}
	return ids
}

func (s *site) secrets() (all []string) {
	if s.world != nil {
		_, secret, _ := s.world.App()
		all = append(all, secret)
	}
	if s.app != nil {
		_, secret := s.app.App()
		all = append(all, secret)
	}
	return all
}

// text gives a field of a decoded record that may be null.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		b, _ := json.Marshal(v) // only for error texts
		return string(b)
	}
}
