package extract_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestWritersOfContainers has a user, one who asks again, one who cancels and a normalizer with look-ups write containers
// at the same time as the extractor writes the threads that it finds, in random orders, while sessions end by faults. Of
// each container nothing may be lost, and each epoch that was begun must end once.
func TestWritersOfContainers(t *testing.T) {
	ends := map[string]int{}
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, seed)
			c.run()
			c.judge(ends)
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("how epochs ended: %v", ends)
	for _, end := range []string{"COMPLETE", "FAILED", "CANCELLED", "cancelled midway", "superseded", "complete after cancelled", "complete after failed", "look-up", "thread written again"} {
		if ends[end] == 0 {
			t.Errorf("no epoch of any seed ended as %q: the writers do not meet", end)
		}
	}
}

// crowd is a rig and those who write to its topic of containers.
type crowd struct {
	*rig
	chats []schemas.Container

	mu     sync.Mutex // the writers' chance
	chance *rand.Rand
}

func newCrowd(t testing.TB, seed uint64) *crowd {
	c := &crowd{chance: rand.New(rand.NewPCG(seed, 7))}
	c.rig = newRig(t, 1, memlog.Faults{
		CommitTime: func() time.Duration { return c.some(5 * time.Millisecond) },
		Commit: func(int) memlog.Outcome {
			if c.below(25) > 0 {
				return memlog.Done
			}
			return memlog.Outcome(1 + c.below(3))
		},
	})
	for i := range 3 {
		chat := c.chat(i)
		c.chats = append(c.chats, chat)
		c.book.pages[chat.ID] = 1 + c.below(4)
	}
	c.conf.Workers = 1 + c.below(8)
	c.book.before = func(ctx context.Context, _ *schemas.Container, _ int64) { rest(ctx, c.some(20*time.Millisecond)) }
	c.book.edit = c.page
	return c
}

func (c *crowd) below(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.chance.IntN(n)
}

func (c *crowd) some(d time.Duration) time.Duration { return time.Duration(c.below(int(d))) }

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// page gives chats threads, look-ups the message's page, and has the first chat fail in its first epoch.
func (c *crowd) page(of *schemas.Container, n int64, p *connectors.Page) {
	threads(of, n, p)
	if of.Kind == schemas.KindMessage {
		p.Subject = of.ID
	}
	if c.fails(schemas.ContainerKey(of.Key), of.Epoch) {
		p.Final, p.Failed = true, &connectors.Failure{Code: "230002", Message: "the bot is not in the chat"}
	}
}

func (c *crowd) fails(key schemas.ContainerKey, epoch int64) bool {
	return string(key) == c.chats[0].Key && epoch == 1
}

// ledger is what an operator's tool reads before it writes.
func (c *crowd) ledger() (fold schemas.Fold, inForce map[string]int64, ended map[string]bool) {
	fold, inForce, ended = schemas.Fold{}, map[string]int64{}, map[string]bool{}
	for _, rec := range c.log.Records(topics.Containers, 0) {
		v := decoded[schemas.Container](c.t, schemas.ContainerSchema, &rec)
		fold.Add(&v)
		inForce[v.Key] = max(inForce[v.Key], v.Epoch)
	}
	for _, rec := range c.log.Records(topics.Checkpoints, 0) {
		cp := decoded[schemas.Checkpoint](c.t, schemas.CheckpointSchema, &rec)
		inForce[cp.ContainerKey] = max(inForce[cp.ContainerKey], cp.Epoch)
		ended[cp.ContainerKey] = cp.Ended() && cp.Epoch == inForce[cp.ContainerKey]
	}
	return fold, inForce, ended
}

// any picks a container that is there, nil where none is.
func (c *crowd) any(fold schemas.Fold) *schemas.Container {
	keys := slices.Sorted(maps.Keys(fold))
	if len(keys) == 0 {
		return nil
	}
	v := *fold[keys[c.below(len(keys))]]
	return &v
}

func lookUp(of schemas.Container, n int) schemas.Container {
	of.Kind, of.ID, of.Cause = schemas.KindMessage, fmt.Sprintf("om_missing_%d", n), schemas.CauseLookup
	of.Key = string(schemas.MessageContainerKey(of.Platform, of.TenantID, of.ConversationID, of.ID))
	return of
}

// writers are those who write, each with how often it does.
func (c *crowd) writers() map[int][]func() {
	user := func() { c.add(c.chats[c.below(len(c.chats))]) }
	normalizer := func() { c.add(lookUp(c.chats[c.below(len(c.chats))], c.below(3))) }
	again := func() {
		fold, inForce, _ := c.ledger()
		if v := c.any(fold); v != nil {
			v.Epoch, v.Cause, v.Cancelled = inForce[v.Key]+1, schemas.CauseUser, false
			c.add(*v)
		}
	}
	cancel := func() {
		fold, inForce, ended := c.ledger()
		if v := c.any(fold); v != nil && !ended[v.Key] {
			v.Epoch, v.Cancelled = inForce[v.Key], true
			c.add(*v)
		}
	}
	return map[int][]func(){6: {user, normalizer, again}, 4: {cancel}}
}

// run lets the writers write while sessions follow each other, and then reads to the end.
func (c *crowd) run() {
	ctx, cancel := context.WithCancelCause(c.t.Context())
	defer cancel(nil)
	var writing sync.WaitGroup
	for times, writers := range c.writers() {
		for _, write := range writers {
			writing.Go(func() {
				for range times {
					time.Sleep(c.some(60 * time.Millisecond))
					write()
				}
			})
		}
	}
	go func() { writing.Wait(); cancel(errStop) }()
	c.conf.Once = false
	for ctx.Err() == nil {
		if err := c.session(ctx); !errors.Is(err, memlog.ErrFault) && !errors.Is(err, errStop) {
			c.t.Fatal(err)
		}
	}
	writing.Wait()
	for _, chat := range c.chats {
		c.add(chat) // harmless, whoever was first
	}
	c.conf.Once = true
	c.toTheEnd()
}

// judge holds what the topics say against what was written.
func (c *crowd) judge(ends map[string]int) {
	c.t.Helper()
	s := c.check()
	c.allEnded(s)
	cancelled := map[run]bool{}
	for i := range s.containers {
		v := &s.containers[i]
		at := run{schemas.ContainerKey(v.Key), v.Epoch}
		cancelled[at] = cancelled[at] || v.Cancelled
	}
	for at, pages := range s.pages {
		c.end(at, pages, cancelled, ends)
	}
	for _, rec := range c.log.Records(topics.Checkpoints, 0) {
		cp := decoded[schemas.Checkpoint](c.t, schemas.CheckpointSchema, &rec)
		if at := (run{schemas.ContainerKey(cp.ContainerKey), cp.Epoch}); len(s.pages[at]) == 0 {
			c.t.Errorf("%v was begun and has no page", at)
		}
	}
	for key, cp := range s.checkpoints {
		c.state(s, run{key, cp.Epoch}, cp.State, cancelled)
		ends[cp.State]++
		if cp.State == schemas.StateComplete && cancelled[run{key, cp.Epoch - 1}] {
			ends["complete after cancelled"]++
		}
		if cp.State == schemas.StateComplete && c.fails(key, cp.Epoch-1) {
			ends["complete after failed"]++
		}
	}
	c.threadsOf(s, ends)
}

// end expects one final page, the last, and that it says why.
func (c *crowd) end(at run, pages []schemas.Page, cancelled map[run]bool, ends map[string]int) {
	last := pages[len(pages)-1]
	switch {
	case !last.Final:
		c.t.Errorf("%v has no final page after %d", at, len(pages))
	case last.Error == "cancelled" && !cancelled[at]:
		c.t.Errorf("%v ends as cancelled, which nobody asked for", at)
	case last.Error == "superseded":
		ends["superseded"]++
	case last.Error == "cancelled" && len(pages) > 1:
		ends["cancelled midway"]++
	case last.Error == "" && last.Type == schemas.FeishuMessagesGet:
		ends["look-up"]++
	}
}

// state expects the state of an epoch in force to be what its writers and its platform made of it.
func (c *crowd) state(s *state, at run, state string, cancelled map[run]bool) {
	pages := s.pages[at]
	last := pages[len(pages)-1]
	want := schemas.StateComplete
	switch {
	case last.Error == "cancelled":
		want = schemas.StateCancelled
	case c.fails(at.key, at.epoch):
		want = schemas.StateFailed
	}
	if state != want || last.Error == "superseded" {
		c.t.Errorf("%v is %s (cancelled %v), want %s; its last page says %q", at, state, cancelled[at], want, last.Error)
	}
	for i := range pages {
		if want := fmt.Sprintf("%d/%d", at.epoch, i+1); last.Error == "" && string(pages[i].Body[len(pages[i].Body)-len(want):]) != want {
			c.t.Errorf("%v page %d holds %q", at, i+1, pages[i].Body)
		}
	}
}

// threadsOf expects each thread that a page of a chat has shown in that epoch or a later one, written once for it.
func (c *crowd) threadsOf(s *state, ends map[string]int) {
	highest, written := map[string]int64{}, map[run]int{}
	for i := range s.containers {
		v := &s.containers[i]
		highest[v.Key] = max(highest[v.Key], v.Epoch)
		if v.Kind == schemas.KindThread && v.Cause == schemas.CauseThread && !v.Cancelled {
			if written[run{schemas.ContainerKey(v.Key), v.Epoch}]++; v.Epoch > 1 {
				ends["thread written again"]++
			}
		}
	}
	for at, n := range written {
		if n > 1 {
			c.t.Errorf("the extractor has written %v %d times", at, n)
		}
	}
	for i := range c.chats {
		for at, pages := range s.pages {
			if string(at.key) != c.chats[i].Key {
				continue
			}
			for n := range pages {
				if th := thread(&c.chats[i], n+1); pages[n].Error == "" && highest[th.Key] < at.epoch {
					c.t.Errorf("%v page %d shows thread %s, which stands at epoch %d", at, n+1, th.Key, highest[th.Key])
				}
			}
		}
	}
}
