package extract_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestEveryFaultOfARetry lets every commit of a chat that fails, is retried, cancelled and retried once more fail in every
// way. Over its epochs each page is there once, in order, and each epoch ends once (r.check).
func TestEveryFaultOfARetry(t *testing.T) {
	scenario := func(t *testing.T, commit func(int) memlog.Outcome) *rig {
		r := newRig(t, 1, memlog.Faults{Commit: commit})
		c := r.chat(0)
		r.book.pages[c.ID] = 6
		fails := failsAt(3, 1)
		r.book.edit = func(c *schemas.Container, n int64, p *connectors.Page) {
			threads(c, n, p)
			fails(c, n, p)
		}
		var once sync.Once
		r.book.before = func(ctx context.Context, of *schemas.Container, n int64) {
			if of.Kind == schemas.KindChat && of.Epoch == 2 && n == 5 {
				once.Do(func() {
					r.add(cancelled(retried(c, 2)))
					<-ctx.Done()
				})
			}
		}
		r.add(c)
		for epoch := range int64(3) {
			if epoch > 0 {
				r.add(retried(c, epoch+1))
			}
			r.toTheEnd()
		}
		s := r.check()
		wantBodies(t, s.bodies(&c, pageName(&c, 3), 1, 2, 3), c,
			[2]int64{1, 1}, [2]int64{1, 2}, [2]int64{2, 3}, [2]int64{2, 4}, [2]int64{3, 5}, [2]int64{3, 6})
		for n := 1; n <= 6; n++ {
			th := thread(&c, n)
			r.whole(s, &th)
		}
		r.allEnded(s)
		return r
	}
	commits := 0
	synctest.Test(t, func(t *testing.T) { commits = scenario(t, nil).log.Attempts() })
	for name, outcome := range map[string]memlog.Outcome{"refused": memlog.Refused, "aborted": memlog.Aborted, "kept": memlog.Kept} {
		for k := 1; k <= commits; k++ {
			t.Run(fmt.Sprintf("%s at commit %d", name, k), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					scenario(t, func(n int) memlog.Outcome {
						if n == k {
							return outcome
						}
						return memlog.Done
					})
				})
			})
		}
	}
}

// TestRandomRetries has chats fail at random pages, and writers that retry, cancel and ask for all of them at random moments,
// while commits fail. In the end the newest epoch has read everything that none before it had, and nothing out of order.
func TestRandomRetries(t *testing.T) {
	runs := uint64(150)
	if testing.Short() {
		runs = 50
	}
	resumed := 0
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) { resumed += randomRetries(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if resumed == 0 {
		t.Error("no epoch has gone on where another came to")
	}
}

func randomRetries(t *testing.T, seed uint64) (resumed int) {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 5))
	below := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	r := newRig(t, 1, memlog.Faults{
		CommitTime: func() time.Duration { return time.Duration(below(4)) * time.Millisecond },
		Commit: func(int) memlog.Outcome {
			if below(15) == 0 {
				return memlog.Outcome(1 + below(3))
			}
			return memlog.Done
		},
	})
	c := r.chat(0)
	r.book.pages[c.ID] = 8
	last := int64(2 + below(5))
	fails := map[int64]int64{}
	for e := int64(1); e < last; e++ {
		fails[e] = int64(1 + below(10))
	}
	r.book.before = func(context.Context, *schemas.Container, int64) {
		time.Sleep(time.Duration(below(4)) * time.Millisecond)
	}
	r.book.edit = func(c *schemas.Container, n int64, p *connectors.Page) { failsAt(fails[c.Epoch], c.Epoch)(c, n, p) }
	r.add(c)
	scratch := int64(1)
	var writer sync.WaitGroup
	writer.Go(func() {
		for e := int64(2); e <= last; e++ {
			time.Sleep(time.Duration(below(40)) * time.Millisecond)
			if below(3) == 0 {
				old := retried(c, e-1)
				old.Cancelled, old.Resume = true, e-1 > scratch
				r.add(old)
			}
			next := retried(c, e)
			if below(6) == 0 {
				next.Resume, scratch = false, e
			}
			r.add(next)
		}
	})
	r.toTheEnd()
	writer.Wait()
	r.toTheEnd()
	s := r.check()
	at := int64(0) // page that was read last, of those that count for the last epoch
	for e := scratch; e <= last; e++ {
		pages := s.pages[run{schemas.ContainerKey(c.Key), e}]
		if at == 8 {
			at = 0 // behind one that is complete there is nothing to go on from
		}
		for i := range pages {
			var n int64
			if _, err := fmt.Sscanf(string(pages[i].Body), c.ID+fmt.Sprintf("/%d/%%d", e), &n); err != nil || n == fails[e] {
				continue // it has no body, or says why the epoch fails
			}
			if n != at+1 {
				t.Errorf("seed %d: epoch %d has page %d after page %d", seed, e, n, at)
			}
			if i == 0 && n > 1 {
				resumed++
			}
			at = n
		}
	}
	if cp := s.checkpoints[schemas.ContainerKey(c.Key)]; cp.State != schemas.StateComplete || cp.Epoch != last || at != 8 {
		t.Errorf("seed %d: read up to page %d, checkpoint %+v", seed, at, cp)
	}
	return resumed
}
