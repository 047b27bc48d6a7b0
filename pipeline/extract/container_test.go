package extract_test

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// endless is a source that breaks its word: its pages end without a final one.
type endless struct {
	silent bool
	book   *book
}

func (e endless) Pages(_ context.Context, c *schemas.Container, _ connectors.Position) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		if e.silent {
			return
		}
		p := e.book.page(c, 1)
		p.Final = false
		yield(p, nil)
	}
}

// bad writes a record that is no container of its partition.
func (r *rig) bad(key string, value []byte) schemas.Record {
	rec := schemas.Record{Topic: topics.Containers, Partition: 0, Key: key, Value: value}
	r.log.Append(rec)
	return rec
}

func framed(t testing.TB, c schemas.Container) []byte {
	t.Helper()
	v, err := schemas.ContainerSchema.Append(nil, schemaIDs[topics.Containers], &c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// notValid frames a container that Validate refuses: one that a foreign writer made.
func notValid(t testing.TB, c schemas.Container) []byte {
	t.Helper()
	// Epoch 1 is the byte 0x02 in Avro; a marker that occurs once tells where it stands.
	c.Mode = "backfill"
	v := framed(t, c)
	for i := range v {
		if string(v[i:min(i+8, len(v))]) == "backfill" {
			v[i+8] = 0
			return v
		}
	}
	t.Fatal("no mode in the value")
	return nil
}

// TestRecordsThatAreNoContainers become dead letters, once, and everything else goes on.
func TestRecordsThatAreNoContainers(t *testing.T) {
	for name, f := range map[string]struct {
		key   string
		value func(t *testing.T, r *rig) []byte
		class string
	}{
		"garbage":           {"feishu/cli_1/chat/x", func(*testing.T, *rig) []byte { return []byte("garbage") }, "unreadable"},
		"empty":             {"feishu/cli_1/chat/x", func(*testing.T, *rig) []byte { return nil }, "unreadable"},
		"no key":            {"", func(*testing.T, *rig) []byte { return []byte{0} }, "unreadable"},
		"key is no text":    {"feishu/\xff", func(*testing.T, *rig) []byte { return []byte{0, 0, 0} }, "unreadable"},
		"unknown schema":    {"feishu/cli_1/chat/x", func(*testing.T, *rig) []byte { return []byte{0, 0, 0, 0, 99, 1, 2, 3} }, "unreadable"},
		"cut short":         {"feishu/cli_1/chat/x", func(t *testing.T, r *rig) []byte { v := framed(t, r.chat(7)); return v[:len(v)-3] }, "unreadable"},
		"wrong partition":   {"feishu/cli_1/chat/x", func(t *testing.T, r *rig) []byte { return framed(t, r.chatIn(1, 7)) }, "misplaced"},
		"epoch 0":           {"feishu/cli_1/chat/x", func(t *testing.T, r *rig) []byte { return notValid(t, r.chat(7)) }, "invalid"},
		"another's topic":   {"feishu/cli_1/chat/x", func(*testing.T, *rig) []byte { return append([]byte{0, 0, 0, 0, 2}, "feishu"...) }, "unreadable"},
		"a frame, no body":  {"feishu/cli_1/chat/x", func(*testing.T, *rig) []byte { return []byte{0, 0, 0, 0, 1} }, "unreadable"},
		"trailing remnants": {"feishu/cli_1/chat/x", func(t *testing.T, r *rig) []byte { return append(framed(t, r.chat(7)), 0) }, "unreadable"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, late := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, 2, memlog.Faults{})
					first, last := r.chat(0), r.chat(1)
					r.add(first)
					put := func() {
						r.bad(f.key, f.value(t, r))
						r.add(last)
					}
					if late { // while the session runs
						r.book.before = func(context.Context, *schemas.Container, int64) {
							r.book.before = nil
							put()
						}
					} else {
						put()
					}
					for range 3 {
						r.toTheEnd()
					}
					s := r.check()
					r.whole(s, &first)
					r.whole(s, &last)
					if len(s.dead) != 1 {
						t.Fatalf("%d dead letters, want 1", len(s.dead))
					}
					d := s.dead[0]
					if d.ErrorClass != f.class || d.Stage != schemas.StageExtract || *d.SourceTopic != topics.Containers || *d.SourcePartition != 0 || *d.SourceOffset != 1 {
						t.Errorf("late %v: dead letter %+v", late, d)
					}
				})
			}
		})
	}
}

// TestDeadLettersOfContainersForEveryFault lets each commit fail in every way: each bad record is one dead letter all
// the same, and two bad records never share an id.
func TestDeadLettersOfContainersForEveryFault(t *testing.T) {
	for outcome := memlog.Refused; outcome <= memlog.Kept; outcome++ {
		for k := 1; k < 12; k++ {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, 1, memlog.Faults{Commit: func(n int) memlog.Outcome {
					if n == k {
						return outcome
					}
					return memlog.Done
				}})
				r.book.edit = threads
				chats := []schemas.Container{r.chat(0), r.chat(1), r.chat(2)}
				for i := range chats {
					r.book.pages[chats[i].ID] = 3
				}
				r.bad("k", []byte("1"))
				r.add(chats[0])
				r.bad("k", []byte("2"))
				r.book.before = func(_ context.Context, c *schemas.Container, n int64) {
					if c.Key == chats[0].Key && n == 2 && len(r.log.Records(topics.Containers, 0)) < 9 {
						r.bad("k", []byte("3"))
						r.add(chats[1])
						r.bad("k", []byte("4"))
						r.add(chats[2])
					}
				}
				r.toTheEnd()
				s := r.check()
				r.allEnded(s)
				bad, found := 0, map[string]int{}
				for _, rec := range r.log.Records(topics.Containers, 0) {
					if rec.Key == "k" {
						bad++
					}
				}
				for i := range s.dead {
					found[s.dead[i].ID]++
				}
				if len(s.dead) != bad || len(found) != bad {
					t.Errorf("outcome %d at commit %d: %d dead letters with %d ids for %d bad records", outcome, k, len(s.dead), len(found), bad)
				}
			})
		}
	}
}

// TestContainerThatCannotBeWritten is shown by a page: the page goes through, with a dead letter beside it.
func TestContainerThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.book.edit = func(of *schemas.Container, n int64, p *connectors.Page) {
			threads(of, n, p)
			if of.Kind == schemas.KindChat {
				p.Found = append([]schemas.Container{{Kind: "nonsense", ID: "x"}, {Kind: schemas.KindThread, ID: "bad \xff"}}, p.Found...)
			}
		}
		r.add(c)
		r.toTheEnd()
		s := r.check()
		r.whole(s, &c)
		th := thread(&c, 1)
		r.whole(s, &th)
		if len(s.dead) != 2 || s.dead[0].ErrorClass != "bad_container" || *s.dead[0].PageID != s.pages[run{schemas.ContainerKey(c.Key), 1}][0].ID || s.dead[0].ID == s.dead[1].ID {
			t.Errorf("dead letters %+v", s.dead)
		}
	})
}

// TestRegistryThatCannotBeReachedDoesNotLoseAContainer: that a schema cannot be fetched says nothing of the record.
func TestRegistryThatCannotBeReachedDoesNotLoseAContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		tries := 0
		r.conf.Container = schemas.NewDecoder(schemas.ContainerSchema, func(ctx context.Context, id int) (string, error) {
			if tries++; tries < 4 {
				return "", &url.Error{Op: "Get", URL: "http://localhost/schemas/ids/1", Err: &net.OpError{Op: "dial", Err: errors.New("connection refused")}}
			}
			return lookup(ctx, id)
		})
		all := []schemas.Container{r.chat(0), r.chat(1), r.chat(2)}
		r.add(all...)
		r.toTheEnd()
		s := r.check()
		for i := range all {
			r.whole(s, &all[i])
		}
		if len(s.dead) != 0 {
			t.Errorf("dead letters %+v", s.dead)
		}
	})
}

// TestCheckpointThatCannotBeRead ends the session: going on from an older one would read pages twice.
func TestCheckpointThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.add(r.chat(0))
		r.log.Append(schemas.Record{Topic: topics.Checkpoints, Key: "feishu/cli_1/chat/x", Value: []byte("garbage")})
		mustContain(t, r.session(t.Context()), topics.Checkpoints+"/0 offset 0", "feishu/cli_1/chat/x")
		if n := r.log.Attempts(); n != 0 {
			t.Errorf("%d commits", n)
		}
	})
}

// TestLongRunningTakesWhatComes adds, cancels and asks again while a worker runs; only its context ends it.
func TestLongRunningTakesWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Once = false
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		own := r.log.Own(topics.Containers, 0)
		go func() { done <- extract.New(r.conf).Partition(ctx, own) }()
		c := r.chat(0)
		for range 3 {
			r.add(c)
			synctest.Wait()
			s := r.check()
			r.whole(s, &c)
			c = again(c)
		}
		if own.Beats() == 0 {
			t.Error("the session gave no sign of life")
		}
		cancel(errStop)
		if err := <-done; !errors.Is(err, errStop) {
			t.Error(err)
		}
	})
}

// TestLargePageBeforeADeadLetter has a page that fills a transaction by itself go ahead of a dead letter whose record
// the position that goes along has passed already. The process ends right after: the dead letter must not be lost.
func TestLargePageBeforeADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{
			CommitTime: func() time.Duration { return 10 * time.Millisecond },
			Commit:     func(n int) memlog.Outcome { return map[int]memlog.Outcome{3: memlog.Refused}[n] },
		})
		small, large := r.chat(0), r.chat(1)
		r.book.before = func(_ context.Context, c *schemas.Container, _ int64) {
			if c.Key == large.Key {
				time.Sleep(time.Millisecond) // the small page's commit has begun
			}
		}
		r.book.edit = func(c *schemas.Container, _ int64, p *connectors.Page) {
			if c.Key == large.Key {
				p.Body = make([]byte, 17<<20)
				time.AfterFunc(time.Millisecond, func() { r.bad("k", []byte("garbage")) })
			}
		}
		r.add(small, large)
		r.book.pages[small.ID] = 3
		if n := r.toTheEnd(); n != 2 {
			t.Fatalf("%d sessions", n)
		}
		if s := r.check(); len(s.dead) != 1 {
			t.Errorf("%d dead letters, want 1", len(s.dead))
		}
	})
}

// TestFoundContainerIsWrittenOnce has every page of a chat show the same thread, and the thread itself, too.
func TestFoundContainerIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		th := thread(&c, 1)
		r.book.pages[c.ID], r.book.pages[th.ID] = 5, 2
		r.book.edit = func(_ *schemas.Container, _ int64, p *connectors.Page) {
			p.Found = []schemas.Container{{Kind: schemas.KindThread, ID: th.ID, Cause: schemas.CauseThread}}
		}
		for c.Epoch = 1; c.Epoch <= 3; c.Epoch++ {
			r.add(c)
			r.toTheEnd()
			s := r.check()
			th.Epoch = c.Epoch
			r.whole(s, &c)
			r.whole(s, &th)
			if n := s.count(th.Key, c.Epoch); n != 1 {
				t.Errorf("epoch %d: the thread stands %d times in the topic of containers", c.Epoch, n)
			}
			for i := range s.containers {
				if f := &s.containers[i]; f.Key == th.Key && (f.ConversationID != c.ID || f.Mode != c.Mode || f.Cause != schemas.CauseThread || f.TenantID != tenant) {
					t.Errorf("found container %+v", f)
				}
			}
		}
	})
}

// deaf is an ownership that reads nothing new of the topic of containers.
type deaf struct{ *memlog.Partition }

func (d deaf) Reader(topic string, from int64) pipeline.Reader {
	if topic == topics.Containers && from > 0 {
		return silence{}
	}
	return d.Partition.Reader(topic, from)
}

type silence struct{}

func (silence) Read(ctx context.Context, _ time.Duration, _ int) (pipeline.Batch, error) {
	<-ctx.Done()
	return pipeline.Batch{}, context.Cause(ctx)
}

// TestFoundContainerIsReadWithoutReadingItBack: what a session has written itself it knows.
func TestFoundContainerIsReadWithoutReadingItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		r.conf.Once = false
		r.book.edit = threads
		c := r.chat(0)
		r.book.pages[c.ID] = 2
		r.add(c)
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error, 1)
		go func() { done <- extract.New(r.conf).Partition(ctx, deaf{r.log.Own(topics.Containers, 0)}) }()
		synctest.Wait()
		s := r.check()
		r.whole(s, &c)
		for n := range 2 {
			th := thread(&c, n+1)
			r.whole(s, &th)
		}
		cancel(errStop)
		if err := <-done; !errors.Is(err, errStop) {
			t.Error(err)
		}
	})
}
