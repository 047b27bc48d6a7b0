package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/connectors/feishu"
	"chatlake/connectors/yunxin"
	"chatlake/pipeline"
	"chatlake/pipeline/audit"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/memlog"
	"chatlake/pipeline/normalize"
	"chatlake/schemas"
	"chatlake/simulator"
)

const partitions = 2

var (
	topics = schemas.NewTopics("im", "")
	ids    = map[string]int{topics.Containers: 1, topics.Checkpoints: 2, topics.Messages: 3, topics.DeadLetters: 4}
	silent = slog.New(slog.DiscardHandler)
)

func texts(_ context.Context, id int) (string, error) {
	for topic, n := range ids {
		if n == id {
			return topics.Schemas()[topic].Text, nil
		}
	}
	return "", fmt.Errorf("no schema has the id %d", id)
}

// encoded gives a value as the topics hold it.
func encoded(t testing.TB, topic string, v schemas.Validator) []byte {
	t.Helper()
	b, err := topics.Schemas()[topic].Append(nil, ids[topic], v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// site is an installation in memory, with both simulated platforms.
type site struct {
	t         testing.TB
	log       *memlog.Log
	world     *simulator.World
	app       *simulator.YunxinWorld
	feishu    *simulator.Feishu
	platforms map[string]extract.Platform
	dir       string
}

func newSite(t testing.TB, o simulator.Options, y simulator.YunxinOptions, f memlog.Faults) *site {
	t.Helper()
	world, err := simulator.NewWorld(o)
	if err != nil {
		t.Fatal(err)
	}
	app, err := simulator.NewYunxinWorld(y)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, log: memlog.New(partitions, f), world: world, app: app, dir: t.TempDir()}
	s.feishu = simulator.NewFeishu(world, simulator.FeishuConfig{})
	one, two := httptest.NewServer(s.feishu), httptest.NewServer(simulator.NewYunxin(app, simulator.YunxinConfig{}))
	t.Cleanup(one.Close)
	t.Cleanup(two.Close)
	id, secret, _ := world.App()
	key, word := app.App()
	talk := yunxin.Config{AppKey: key, AppSecret: word, BaseURL: two.URL, FileHosts: []string{two.URL}}
	s.platforms = map[string]extract.Platform{
		schemas.Feishu: {TenantID: id, AppID: id, Source: feishu.NewSource(api.Retry(feishu.NewCall(feishu.Config{
			AppID: id, AppSecret: secret, BaseURL: one.URL,
		}), api.Policy{}), id)},
		schemas.Yunxin: {TenantID: key, AppID: key, Source: yunxin.NewSource(yunxin.SourceConfig{
			Call: api.Retry(yunxin.NewCall(talk), api.Policy{}), Fetch: api.Retry(yunxin.NewFetch(talk), api.Policy{}), AppKey: key,
		})},
	}
	return s
}

func (s *site) add(c *schemas.Container) {
	s.t.Helper()
	c.Mode, c.Cause, c.RequestedAt = "backfill", schemas.CauseUser, 1
	s.log.Append(schemas.Record{
		Topic: topics.Containers, Key: c.Key, Value: encoded(s.t, topics.Containers, c),
		Partition: schemas.Partition(schemas.NewConversationKey(c.Platform, c.TenantID, c.ConversationID), partitions),
	})
}

func (s *site) chat(i int, epoch int64) *schemas.Container {
	tenant, id := s.platforms[schemas.Feishu].TenantID, s.world.Chats()[i].ID
	return &schemas.Container{
		Key:      string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindChat, id)),
		Platform: schemas.Feishu, TenantID: tenant, Kind: schemas.KindChat, ID: id, ConversationID: id, Epoch: epoch,
	}
}

func (s *site) conversation(i int) *schemas.Container {
	tenant, c := s.platforms[schemas.Yunxin].TenantID, s.app.Conversations()[i]
	return &schemas.Container{
		Key:      string(schemas.NewContainerKey(schemas.Yunxin, tenant, schemas.KindConversation, c.ID)),
		Platform: schemas.Yunxin, TenantID: tenant, Kind: schemas.KindConversation, ID: c.APIID, ConversationID: c.ID, Epoch: 1,
	}
}

// extract runs an extractor of every partition to its end, or until the log fails.
func (s *site) extract() error {
	e := extract.New(extract.Config{
		Topics: topics, IDs: ids, Container: schemas.NewDecoder(schemas.ContainerSchema, texts), Check: schemas.NewDecoder(schemas.CheckpointSchema, texts),
		Platforms: s.platforms, Workers: 4, Patience: time.Minute, Once: true, Version: "chatlake/test", Logger: silent,
	})
	var errs []error
	for p := range int32(partitions) {
		errs = append(errs, e.Partition(s.t.Context(), s.log.Own(topics.Containers, p)))
	}
	return errors.Join(errs...)
}

func (s *site) normalize() error {
	index, err := store.Open(s.dir, silent)
	if err != nil {
		return err
	}
	n := normalize.New(normalize.Config{
		Topics: topics, IDs: ids, Index: index, Lookups: true, Once: true, Version: "chatlake/test", Logger: silent,
		Decoders: map[string]func() connectors.Decoder{
			schemas.Feishu: func() connectors.Decoder { return feishu.NewDecoder() },
			schemas.Yunxin: func() connectors.Decoder { return yunxin.NewDecoder() },
		},
	})
	for p := range int32(partitions) {
		err = errors.Join(err, n.Partition(s.t.Context(), s.log.Own(topics.RawPages, p)))
	}
	return errors.Join(err, index.Close())
}

// rounds runs both stages until nothing more is asked for, through all faults of the log.
func (s *site) rounds() {
	s.t.Helper()
	for range 60 {
		before := len(s.log.All(topics.Containers))
		err := errors.Join(s.extract(), s.normalize())
		if err != nil && !errors.Is(err, memlog.ErrFault) {
			s.t.Fatal(err)
		}
		if err == nil && len(s.log.All(topics.Containers)) == before {
			return
		}
	}
	s.t.Fatal("it never comes to an end")
}

// copied is a copy of a log that can be tampered with.
type copied struct {
	records    map[string][]schemas.Record
	start, end map[string]int64 // by topic and partition
	committed  [partitions]int64
	hidden     string // a topic whose last record an open transaction hides
}

func at(topic string, p int32) string { return fmt.Sprint(topic, "/", p) }

func (s *site) copy() *copied {
	c := &copied{records: map[string][]schemas.Record{}, start: map[string]int64{}, end: map[string]int64{}}
	for p := range int32(partitions) {
		c.committed[p] = s.log.Committed(topics.RawPages, p)
		for _, topic := range []string{topics.Checkpoints, topics.RawPages, topics.Messages, topics.DeadLetters} {
			_, end, err := s.log.Own("copy", p).Offsets(s.t.Context(), topic)
			if err != nil {
				s.t.Fatal(err)
			}
			c.records[at(topic, p)], c.end[at(topic, p)] = slices.Clone(s.log.Records(topic, p)), end
		}
	}
	return c
}

func (c *copied) clone() *copied {
	d := &copied{records: map[string][]schemas.Record{}, start: map[string]int64{}, end: map[string]int64{}, committed: c.committed}
	for k, v := range c.records {
		d.records[k], d.end[k], d.start[k] = slices.Clone(v), c.end[k], c.start[k]
	}
	return d
}

// looked is one partition of a copy.
type looked struct {
	*copied
	p int32
}

func (l looked) Offsets(_ context.Context, topic string) (start, stable int64, err error) {
	end := l.end[at(topic, l.p)]
	if topic == l.hidden && end > 0 {
		end = l.records[at(topic, l.p)][len(l.records[at(topic, l.p)])-1].Offset
	}
	return l.start[at(topic, l.p)], end, nil
}

func (l looked) End(_ context.Context, topic string) (int64, error) {
	return l.end[at(topic, l.p)], nil
}

func (l looked) Committed(context.Context) (int64, error) { return l.committed[l.p], nil }

func (l looked) Reader(topic string, from int64) pipeline.Reader {
	return &copiedReader{l.records[at(topic, l.p)], l.end[at(topic, l.p)], from}
}

type copiedReader struct {
	records   []schemas.Record
	end, next int64
}

// Read brings three records at a time, so that groups are cut by batches.
func (r *copiedReader) Read(context.Context, time.Duration, int) (pipeline.Batch, error) {
	b := pipeline.Batch{Next: r.end}
	for _, rec := range r.records {
		if rec.Offset >= r.next {
			if b.Records = append(b.Records, rec); len(b.Records) == 3 {
				b.Next = rec.Offset + 1
				break
			}
		}
	}
	r.next = b.Next
	return b, nil
}

func run(t testing.TB, log func(int32) audit.Log, change func(*audit.Config)) *audit.Report {
	t.Helper()
	c := audit.Config{
		Topics: topics, Partitions: partitions, Log: log, Texts: texts, Dir: t.TempDir(), Patience: time.Millisecond, Logger: silent,
		Platforms: map[string]audit.Platform{
			schemas.Feishu: {Decoder: func() connectors.Decoder { return feishu.NewDecoder() }, Shown: feishu.Shown},
			schemas.Yunxin: {Decoder: func() connectors.Decoder { return yunxin.NewDecoder() }, Shown: yunxin.Shown},
		},
	}
	if change != nil {
		change(&c)
	}
	r, err := audit.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (c *copied) audit(t testing.TB) *audit.Report {
	t.Helper()
	return run(t, func(p int32) audit.Log { return looked{c, p} }, nil)
}
