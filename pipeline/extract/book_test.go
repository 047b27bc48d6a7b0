package extract_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

const tenant = "cli_1"

var topics = schemas.NewTopics("im", "")

// schemaIDs are the ids under which a registry would know the schemas.
var schemaIDs = map[string]int{topics.Containers: 1, topics.Checkpoints: 2, topics.Messages: 3, topics.DeadLetters: 4}

func lookup(_ context.Context, id int) (string, error) {
	for topic, n := range schemaIDs {
		if n == id {
			return topics.Schemas()[topic].Text, nil
		}
	}
	return "", fmt.Errorf("no schema has the id %d", id)
}

// book is a platform whose containers have a fixed number of pages each.
type book struct {
	t     testing.TB
	pages map[string]int // by container id; 1 where it is not told
	// edit, where set, changes page n before it is given out. fail, where set, gives an error instead of page n; tries
	// counts how often that page was asked for. before, where set, is waited for.
	edit   func(c *schemas.Container, n int64, p *connectors.Page)
	fail   func(c *schemas.Container, n int64, tries int) error
	before func(ctx context.Context, c *schemas.Container, n int64)

	mu      sync.Mutex
	asked   map[string]int // by page
	at      map[string]int // containers that are being read, by key
	reading int
	most    int // containers that were being read at once
}

// position is where reading goes on after page n. It tells the container and epoch that it belongs to. In an epoch that
// resumes, pages are named by their place in the book, and counted from where the epoch before came to.
func position(c *schemas.Container, n int64) connectors.Position {
	if n == 0 {
		return connectors.Position{}
	}
	return connectors.Position{Cursor: connectors.Cursor(pageName(c, n)), Watermark: schemas.Millis(1_700_000_000_000 + n), Pages: n}
}

func pageName(c *schemas.Container, n int64) string { return fmt.Sprintf("%s/%d/%d", c.ID, c.Epoch, n) }

func (b *book) last(c *schemas.Container) int64 { return int64(max(b.pages[c.ID], 1)) }

// skipped is how many pages of the book an epoch leaves out that begins or goes on at a position. The cursor of another
// epoch is right only where none of this one's pages was read.
func (b *book) skipped(c *schemas.Container, from connectors.Position) int64 {
	epoch, n := c.Epoch, from.Pages
	if from.Cursor != "" {
		if _, err := fmt.Sscanf(strings.TrimPrefix(string(from.Cursor), c.ID), "/%d/%d", &epoch, &n); err != nil {
			b.t.Errorf("%s is read from %q: %v", c.Key, from.Cursor, err)
		}
	}
	of := *c
	of.Epoch = epoch
	want := position(&of, n)
	if want.Pages = from.Pages; from != want || epoch > c.Epoch || epoch < c.Epoch && from.Pages > 0 {
		b.t.Errorf("%s epoch %d is read from %+v, want %+v", c.Key, c.Epoch, from, want)
	}
	return n - from.Pages
}

func (b *book) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	skipped := b.skipped(c, from)
	return func(yield func(*connectors.Page, error) bool) {
		leave := b.enter(c)
		defer leave()
		for n := skipped + from.Pages + 1; ; n++ {
			if b.before != nil {
				b.before(ctx, c, n)
			}
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			if err := b.failure(c, n); err != nil {
				yield(nil, err)
				return
			}
			p := b.page(c, n)
			p.Next.Pages -= skipped
			if !yield(p, nil) || p.Final {
				return
			}
		}
	}
}

func (b *book) failure(c *schemas.Container, n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asked == nil {
		b.asked = map[string]int{}
	}
	b.asked[pageName(c, n)]++
	if b.fail == nil {
		return nil
	}
	return b.fail(c, n, b.asked[pageName(c, n)])
}

// enter notes that a container is being read; what it returns notes that it no longer is.
func (b *book) enter(c *schemas.Container) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[string]int{}
	}
	if b.at[c.Key]++; b.at[c.Key] > 1 {
		b.t.Errorf("%s is read twice at once", c.Key)
	}
	b.reading++
	b.most = max(b.most, b.reading)
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.at[c.Key]--
		b.reading--
	}
}

func (b *book) page(c *schemas.Container, n int64) *connectors.Page {
	p := &connectors.Page{
		Response: connectors.Response{
			Type: schemas.PageType(c.Platform, c.Kind), Request: fmt.Sprintf("GET /%s?page=%d", c.ID, n), HTTPStatus: 200, Code: "0",
			Time: time.Now(), Body: []byte(pageName(c, n)),
		},
		Items: 3, Calls: 2, Next: position(c, n), Final: n == b.last(c),
	}
	if b.edit != nil {
		b.edit(c, n, p)
	}
	return p
}

// rig is a log, a platform, and the settings of an extractor between them.
type rig struct {
	t    testing.TB
	log  *memlog.Log
	book *book
	conf extract.Config
}

func newRig(t testing.TB, partitions int, f memlog.Faults) *rig {
	r := &rig{t: t, log: memlog.New(partitions, f), book: &book{t: t, pages: map[string]int{}}}
	r.conf = extract.Config{
		Topics: topics, IDs: schemaIDs,
		Container: schemas.NewDecoder(schemas.ContainerSchema, lookup), Check: schemas.NewDecoder(schemas.CheckpointSchema, lookup),
		Platforms: map[string]extract.Platform{schemas.Feishu: {Source: r.book, TenantID: tenant, AppID: "app_1"}},
		Workers:   64, Patience: 15 * time.Minute, Once: true, Version: "chatlake/test", Logger: slog.New(slog.DiscardHandler),
	}
	return r
}

// chat is a container of a chat whose conversation lies in partition 0, however many there are; n tells them apart.
func (r *rig) chat(n int) schemas.Container { return r.chatIn(0, n) }

func (r *rig) chatIn(partition int32, n int) schemas.Container {
	total := r.log.Own("unused", 0).Total()
	for k := 0; ; k++ {
		id := fmt.Sprintf("oc_%d_%d", n, k)
		if schemas.Partition(schemas.NewConversationKey(schemas.Feishu, tenant, id), total) == partition {
			return chat(id)
		}
	}
}

func chat(id string) schemas.Container {
	return schemas.Container{
		Key: string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, id)), Platform: schemas.Feishu, TenantID: tenant,
		Kind: schemas.KindChat, ID: id, ConversationID: id, Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: 1,
	}
}

// conversation is a container of Yunxin's, by its canonical id.
func conversation(id string) schemas.Container {
	return schemas.Container{
		Key: string(schemas.NewContainerKey(schemas.Yunxin, "appkey", schemas.KindConversation, id)), Platform: schemas.Yunxin, TenantID: "appkey",
		Kind: schemas.KindConversation, ID: id, ConversationID: id, Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: 1,
	}
}

// add writes containers as the operator's tool does.
func (r *rig) add(cs ...schemas.Container) {
	r.t.Helper()
	for i := range cs {
		value, err := schemas.ContainerSchema.Append(nil, schemaIDs[topics.Containers], &cs[i])
		if err != nil {
			r.t.Fatal(err)
		}
		conversation := schemas.NewConversationKey(cs[i].Platform, cs[i].TenantID, cs[i].ConversationID)
		r.log.Append(schemas.Record{
			Topic: topics.Containers, Partition: schemas.Partition(conversation, r.log.Own("unused", 0).Total()), Key: cs[i].Key, Value: value,
		})
	}
}

// session runs a new process for one ownership of partition 0.
func (r *rig) session(ctx context.Context) error {
	return extract.New(r.conf).Partition(ctx, r.log.Own(topics.Containers, 0))
}

// longest is more than any container may take, in the time of a test: one that never ends is a failure, not a test that hangs.
const longest = 365 * 24 * time.Hour

func (r *rig) bounded() error {
	ctx, cancel := context.WithTimeoutCause(r.t.Context(), longest, fmt.Errorf("no end after %v", longest))
	defer cancel()
	return r.session(ctx)
}

// toTheEnd runs process after process, as many as it takes, and tells how many that were.
func (r *rig) toTheEnd() int {
	r.t.Helper()
	for n := 1; n < 1000; n++ {
		err := r.bounded()
		if err == nil {
			return n
		}
		if !errors.Is(err, memlog.ErrFault) {
			r.t.Fatalf("session %d: %v", n, err)
		}
	}
	r.t.Fatal("a thousand sessions were not enough")
	return 0
}

func mustContain(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}

// everyPartition runs a new process that owns all partitions, and gives how each session ended.
func (r *rig) everyPartition() []error {
	e := extract.New(r.conf)
	errs := make([]error, r.log.Own("unused", 0).Total())
	var all sync.WaitGroup
	for p := range errs {
		all.Go(func() { errs[p] = e.Partition(r.t.Context(), r.log.Own(topics.Containers, int32(p))) })
	}
	all.Wait()
	return errs
}
