package worker

import (
	"context"
	"sync"
	"time"

	"chatlake/metrics"
	"chatlake/pipeline/links/store"
	"chatlake/pipeline/normalize"
)

// sample tells what the normalizer has published, how far it is, and what its index takes.
func (r *Normalizer) sample(emit metrics.Emit) {
	s := r.Stage.Stats()
	emit("chatlake_normalized_pages_total", float64(s.Pages.Load()))
	emit("chatlake_normalized_bytes_total", float64(s.RawBytes.Load()))
	emit("chatlake_lookups_total", float64(s.Asked.Load()))
	emit("chatlake_rebuilt_pages_total", float64(s.Rebuilt.Load()))
	for platform, t := range r.Stage.Tallies() {
		each(emit, "chatlake_published_messages_total", normalize.Changes[:], t.Changes[:], platform)
		each(emit, "chatlake_links_total", normalize.Statuses[:], t.Parents[:], platform, "parent")
		each(emit, "chatlake_links_total", normalize.Statuses[:], t.Roots[:], platform, "root")
		each(emit, "chatlake_expansions_total", normalize.Expansions[:], t.Expansions[:], platform)
	}
	index := r.index.Stats()
	emit("chatlake_index_bytes", float64(index.Bytes))
	emit("chatlake_index_cache_hits_total", float64(index.Hits))
	emit("chatlake_index_cache_misses_total", float64(index.Misses))
	if free, size, err := r.space(r.state); err == nil {
		emit("chatlake_state_free_bytes", float64(free))
		emit("chatlake_state_size_bytes", float64(size))
	}
	r.lag.sample(emit, r.Stage.Progress(), time.Now())
}

// each emits counters by word, the last label. The first word is only there where it counts something.
func each(emit metrics.Emit, name string, words []string, counts []int64, labels ...string) {
	for i, n := range counts {
		if i > 0 || n > 0 {
			emit(name, float64(n), append(labels[:len(labels):len(labels)], words[i])...)
		}
	}
}

// space tells of a file system how much is free, and its size.
type space func(dir string) (free, size int64, err error)

var _ space = store.Space

// lag knows the ends of the partitions of the topic of raw pages, as they were when it last looked.
type lag struct {
	n  *Connection
	mu sync.Mutex
	at map[int32]end
}

// end is what was seen of a partition.
type end struct {
	start, stable int64
	position      int64     // where the oldest page that is not normalized was looked for
	oldest        time.Time // when its response was complete; zero: not known
}

// look asks for the ends of the partitions that are owned.
func (l *lag) look(ctx context.Context, all []normalize.Progress) {
	seen := make(map[int32]end, len(all))
	for _, p := range all {
		var e end
		var err error
		if e.start, e.stable, err = l.n.Client.Offsets(ctx, l.n.Topics.RawPages, p.Partition); err != nil {
			return // what was seen before is told on
		}
		if e.position = max(p.Position, e.start); e.position < e.stable && p.Oldest.IsZero() {
			e.oldest = l.head(ctx, p.Partition, e.position)
		}
		seen[p.Partition] = e
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = seen
}

// headBytes is enough to see one record.
const headBytes = 1 << 10

// head is the time of the first raw page from an offset on; zero where there is none, or it cannot be seen.
func (l *lag) head(ctx context.Context, partition int32, from int64) time.Time {
	b, err := l.n.Client.Reader(l.n.Topics.RawPages, partition, from).Read(ctx, 0, headBytes)
	if err != nil || len(b.Records) == 0 {
		return time.Time{}
	}
	return b.Records[0].Time
}

// sample tells the lag of the partitions that are owned and whose ends have been seen.
func (l *lag) sample(emit metrics.Emit, all []normalize.Progress, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range all {
		e, seen := l.at[p.Partition]
		if !seen {
			continue
		}
		pages, oldest := max(0, e.stable-max(p.Position, e.start)), p.Oldest
		switch {
		case !oldest.IsZero():
			pages = max(1, pages)
		case pages > 0 && e.position == max(p.Position, e.start):
			oldest = e.oldest
		}
		seconds := 0.0
		if !oldest.IsZero() {
			seconds = max(0, now.Sub(oldest).Seconds())
		}
		emit("chatlake_normalizer_lag_pages", float64(pages), number(p.Partition))
		emit("chatlake_normalizer_lag_seconds", seconds, number(p.Partition))
	}
}
