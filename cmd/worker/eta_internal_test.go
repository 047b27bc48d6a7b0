package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/pipeline/overview"
	"chatlake/schemas"
)

// archive is a platform under a quota whose conversations have so many pages, and threads that each of them shows.
type archive struct {
	platform string
	pacer    *api.Pacer
	pages    map[string]int // by container id, 1 where it is missing
	threads  map[string]map[int64][]thread
}

// thread is shown by a page.
type thread struct {
	id    string
	pages int
}

// Pages implements connectors.Source.
func (a *archive) Pages(ctx context.Context, c *schemas.Container, from connectors.Position) iter.Seq2[*connectors.Page, error] {
	return func(yield func(*connectors.Page, error) bool) {
		for n := from.Pages + 1; ; n++ {
			p := &connectors.Page{Items: 50, Calls: 1, Final: n == int64(max(1, a.pages[c.ID]))}
			p.Next = connectors.Position{Cursor: connectors.Cursor(fmt.Sprint(n)), Watermark: schemas.Millis(1_700_000_000_000 + n), Pages: n}
			p.Response = connectors.Response{
				Type: schemas.PageType(a.platform, c.Kind), Request: fmt.Sprintf("GET /%s?page=%d", c.ID, n), HTTPStatus: 200, Code: "0", Body: []byte("{}"),
			}
			for _, t := range a.threads[c.ID][n] {
				p.Found = append(p.Found, schemas.Container{Kind: schemas.KindThread, ID: t.id, Cause: schemas.CauseThread})
			}
			if err := a.pacer.Wait(ctx, p.Type); err != nil {
				yield(nil, err)
				return
			}
			select {
			case <-time.After(100 * time.Millisecond): // the answer's way
			case <-ctx.Done():
				yield(nil, context.Cause(ctx))
				return
			}
			p.Time = time.Now()
			if !yield(p, nil) || p.Final {
				return
			}
		}
	}
}

// add adds a conversation with threads on some of its pages.
func (a *archive) add(id string, pages int, threads func(page int) int, length func() int) {
	a.pages[id], a.threads[id] = pages, map[int64][]thread{}
	for n := 1; n <= pages; n++ {
		for k := range threads(n) {
			t := thread{fmt.Sprintf("omt_%s_%d_%d", id, n, k), length()}
			a.threads[id][int64(n)] = append(a.threads[id][int64(n)], t)
			a.pages[t.id] = t.pages
		}
	}
}

// Shapes of archives of some 1,000 containers or more, and how far the time left may be off at a tenth, half and nine tenths of what it
// takes, as a factor.
var archives = []struct {
	name, platform string
	fill           func(a *archive, r *rand.Rand)
	within         [3]float64
}{
	{"alike", schemas.Feishu, func(a *archive, r *rand.Rand) {
		for i := range 30 {
			a.add(fmt.Sprintf("oc_%d", i), 15+r.IntN(15), func(int) int { return poisson(r, 2) }, short(r))
		}
	}, [3]float64{1.8, 2.6, 1.7}},
	{"skewed", schemas.Feishu, func(a *archive, r *rand.Rand) {
		for i := range 300 {
			a.add(fmt.Sprintf("oc_%d", i), skewed(r, 4, 1.2), func(int) int { return poisson(r, 0.5) }, short(r))
		}
	}, [3]float64{2.7, 1.8, 2.6}},
	{"few large, many small", schemas.Feishu, func(a *archive, r *rand.Rand) {
		for i := range 10 {
			a.add(fmt.Sprintf("oc_large%d", i), 80+r.IntN(60), func(int) int { return poisson(r, 0.5) }, short(r))
		}
		for i := range 500 {
			a.add(fmt.Sprintf("oc_%d", i), 1+r.IntN(4), func(int) int { return poisson(r, 0.3) }, short(r))
		}
	}, [3]float64{3.5, 20, 4}},
	{"threads late", schemas.Feishu, func(a *archive, r *rand.Rand) {
		for i := range 100 {
			pages := skewed(r, 6, 1)
			a.add(fmt.Sprintf("oc_%d", i), pages, func(n int) int {
				if 2*n <= pages {
					return 0
				}
				return poisson(r, 2)
			}, short(r))
		}
	}, [3]float64{3.5, 2.2, 3.5}},
	{"1,000 chats", schemas.Feishu, func(a *archive, r *rand.Rand) {
		for i := range 1000 {
			a.add(fmt.Sprintf("oc_%d", i), skewed(r, 2, 1), func(int) int { return poisson(r, 0.2) }, short(r))
		}
	}, [3]float64{1.7, 1.6, 1.7}},
	{"conversations", schemas.Yunxin, func(a *archive, r *rand.Rand) {
		for i := range 1000 {
			a.add(fmt.Sprintf("team:%d", i), skewed(r, 3, 1), func(int) int { return 0 }, nil)
		}
	}, [3]float64{1.7, 1.8, 2.2}},
}

// short gives lengths of threads, in pages: nearly all have one.
func short(r *rand.Rand) func() int {
	return func() int { return 1 + poisson(r, 0.05) }
}

// skewed is a length by the log-normal law, of that median.
func skewed(r *rand.Rand, median, sigma float64) int {
	return int(math.Ceil(median * math.Exp(sigma*r.NormFloat64())))
}

func poisson(r *rand.Rand, mean float64) (n int) {
	for p := r.Float64(); p > math.Exp(-mean); p *= r.Float64() {
		n++
	}
	return n
}

// looked is what status says at a moment.
type looked struct {
	at         time.Duration
	left       *int64
	containers int
}

// TestTimeLeft reads archives under a quota and compares the time left that status tells on the way with the time that it then takes.
// The bounds are wider than what is seen: the order in which containers are read varies, and with it what is known at a moment.
func TestTimeLeft(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-24s %4s %10s %8s %18s %18s %18s\n", "archive", "seed", "containers", "took", "a tenth", "half", "nine tenths")
	shapes, seeds := archives, uint64(2)
	if testing.Short() {
		shapes, seeds = archives[:1], 1 // the others take the detector of races minutes, and go the same way
	}
	for _, s := range shapes {
		for seed := range seeds {
			synctest.Test(t, func(t *testing.T) {
				quotas := map[string]connectors.Quota{schemas.FeishuMessagesList: {PerMinute: 1000, PerSecond: 50}, schemas.YunxinMessagesList: {PerSecond: 16}}
				a := &archive{platform: s.platform, pacer: api.NewPacer(quotas), pages: map[string]int{}, threads: map[string]map[int64][]thread{}}
				s.fill(a, rand.New(rand.NewPCG(seed, 1)))
				looks, took := a.read(t)
				fmt.Fprintf(&table, "%-24s %4d %10d %8v", s.name, seed, looks[len(looks)-1].containers, took.Round(time.Second))
				for i, part := range []float64{0.1, 0.5, 0.9} {
					l := looks[int(part*float64(len(looks)))]
					came := (took - l.at).Seconds()
					if l.left == nil {
						t.Errorf("%s, seed %d: nothing is known after %v", s.name, seed, l.at)
						continue
					}
					off := float64(*l.left) / came
					fmt.Fprintf(&table, " %4d/%4.0fs %+5.0f%%", *l.left, came, 100*(off-1))
					if max(off, 1/off) > s.within[i] {
						t.Errorf("%s, seed %d: %d s after %v, then it took %.0f s", s.name, seed, *l.left, l.at, came)
					}
				}
				fmt.Fprintln(&table)
			})
		}
	}
	t.Log("\n" + table.String())
}

// read has an extractor read an archive to its end, and looks every second.
func (a *archive) read(t *testing.T) (looks []looked, took time.Duration) {
	const partitions = 12
	topics, log := schemas.NewTopics("im", ""), memlog.New(partitions, memlog.Faults{})
	ids := map[string]int{topics.Containers: 1, topics.Checkpoints: 2, topics.DeadLetters: 3}
	text := func(_ context.Context, id int) (string, error) {
		return map[int]string{1: schemas.ContainerSchema.Text, 2: schemas.CheckpointSchema.Text}[id], nil
	}
	kind := map[string]string{schemas.Feishu: schemas.KindChat, schemas.Yunxin: schemas.KindConversation}[a.platform]
	for id := range a.threads {
		c := schemas.Container{
			Key: string(schemas.NewContainerKey(a.platform, "t", kind, id)), Platform: a.platform, TenantID: "t", Kind: kind, ID: id, ConversationID: id,
			Mode: "backfill", Epoch: 1, Cause: schemas.CauseUser, RequestedAt: 1,
		}
		value, err := schemas.ContainerSchema.Append(nil, 1, &c)
		if err != nil {
			t.Fatal(err)
		}
		log.Append(schemas.Record{
			Topic: topics.Containers, Partition: schemas.Partition(schemas.NewConversationKey(a.platform, "t", id), partitions), Key: c.Key, Value: value,
		})
	}
	e := extract.New(extract.Config{
		Topics: topics, IDs: ids, Container: schemas.NewDecoder(schemas.ContainerSchema, text), Check: schemas.NewDecoder(schemas.CheckpointSchema, text),
		Platforms: map[string]extract.Platform{a.platform: {Source: a, TenantID: "t", AppID: "t"}},
		Workers:   64, Patience: time.Minute, Once: true, Version: "test", Logger: slog.New(slog.DiscardHandler),
	})
	began, tell := time.Now(), newTeller(a.pacer)
	var all sync.WaitGroup
	for p := range int32(partitions) {
		all.Go(func() {
			if err := e.Partition(t.Context(), log.Own(topics.Containers, p)); err != nil {
				t.Error(err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); took = time.Since(began); close(done) }()
	known := ledgerOf(t, log, topics, text)
	for tick := time.NewTicker(time.Second); ; {
		select {
		case <-tick.C:
		case <-done:
			tick.Stop()
			return looks, took
		}
		now, rows := time.Now(), known()
		p := overview.Platforms(rows, Activity([]json.RawMessage{tell.tell()}, now), now)[0]
		looks = append(looks, looked{now.Sub(began), p.ETASeconds, len(rows)})
	}
}

// ledgerOf gives what reads the rows of all containers, each time what has come since.
func ledgerOf(t *testing.T, log *memlog.Log, topics schemas.Topics, text func(context.Context, int) (string, error)) func() []overview.Row {
	container, check := schemas.NewDecoder(schemas.ContainerSchema, text), schemas.NewDecoder(schemas.CheckpointSchema, text)
	containers, checkpoints, read := schemas.Fold{}, map[schemas.ContainerKey]*schemas.Checkpoint{}, map[string]int{}
	return func() (rows []overview.Row) {
		all := log.All(topics.Containers)
		for i := range all[read["containers"]:] {
			c := new(schemas.Container)
			if err := container.Decode(t.Context(), all[read["containers"]+i].Value, c); err != nil {
				t.Fatal(err)
			}
			containers.Add(c)
		}
		for _, r := range log.All(topics.Checkpoints) {
			cp := new(schemas.Checkpoint)
			if err := check.Decode(t.Context(), r.Value, cp); err != nil {
				t.Fatal(err)
			}
			checkpoints[schemas.ContainerKey(cp.ContainerKey)] = cp
		}
		for key, c := range containers {
			rows = append(rows, overview.NewRow(c, checkpoints[key]))
		}
		return rows
	}
}
