package worker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"chatlake/connectors/api"
)

// beside runs functions beside a stage until stop is called, which waits for them.
func beside(ctx context.Context, all ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	for _, f := range all {
		done.Go(func() { f(ctx) })
	}
	return func() {
		cancel()
		done.Wait()
	}
}

// since gives how much counters have grown since it was asked last.
type since []int64

func (s *since) grown(now ...int64) []int64 {
	if len(*s) == 0 {
		*s = make(since, len(now))
	}
	out := make([]int64, len(now))
	for i, n := range now {
		out[i], (*s)[i] = n-(*s)[i], n
	}
	return out
}

// progress gives what an extractor's summary says: what moved since the last one, what is left, and the quota that it uses.
func (e *Extractor) progress() func(context.Context) (attrs []any, work bool) {
	s, last, at := e.Stage.Stats(), since{}, time.Now()
	return func(context.Context) ([]any, bool) {
		moved := last.grown(s.Pages.Load(), s.Items.Load(), s.Calls.Load(), s.Complete.Load(), s.Failed.Load())
		took := time.Since(at)
		at = time.Now()
		running, queued, waiting := s.Running.Load(), s.Queued.Load(), s.Waiting.Load()
		return []any{
			"pages", moved[0], "items", moved[1], "calls", moved[2], "items_per_second", rate(moved[1], took),
			"complete", moved[3], "failed", moved[4], "running", running, "queued", queued, "waiting", waiting,
			"quota", quotas(e.Pacer.Snapshot()),
		}, moved[0] > 0 || running+queued+waiting > 0
	}
}

// quotas tells how much of each API's quota this process used in the last minute.
func quotas(all []api.Budget) string {
	var parts []string
	for _, b := range all {
		most := b.Quota.PerMinute
		if perSecond := 60 * b.Quota.PerSecond; perSecond > 0 && (most == 0 || perSecond < most) {
			most = perSecond
		}
		if b.Recent > 0 && most > 0 {
			parts = append(parts, fmt.Sprintf("%s %d of %d", b.API, b.Recent, most))
		}
	}
	return strings.Join(parts, ", ")
}

// progress gives what a normalizer's summary says: what moved since the last one, and what is left for all processes of its
// group.
func (r *Normalizer) progress() func(context.Context) (attrs []any, work bool) {
	s, last, at := r.Stage.Stats(), since{}, time.Now()
	return func(ctx context.Context) ([]any, bool) {
		moved := last.grown(s.Pages.Load(), s.Messages.Load(), s.DeadLetters.Load(), s.Rebuilt.Load())
		took := time.Since(at)
		at = time.Now()
		attrs := []any{
			"pages", moved[0], "messages", moved[1], "dead_letters", moved[2], "rebuilt", moved[3], "pages_per_second", rate(moved[0], took),
		}
		left, err := r.left(ctx)
		if err == nil { // else it is not known, and the client logs what is wrong
			attrs = append(attrs, "left", left)
		}
		return attrs, moved[0]+moved[3] > 0
	}
}

// left counts the records of raw pages beyond the group's offsets, those that end transactions included.
func (r *Normalizer) left(ctx context.Context) (left int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	c, topic := r.Connection.Client, r.Connection.Topics.RawPages
	offsets, err := c.GroupOffsets(ctx, r.settings.Group, topic, r.Connection.Partitions)
	if err != nil {
		return 0, err
	}
	for p, at := range offsets {
		start, stable, err := c.Offsets(ctx, topic, int32(p))
		if err != nil {
			return 0, err
		}
		left += max(0, stable-max(start, at.Offset))
	}
	return left, nil
}
