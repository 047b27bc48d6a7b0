package extract_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestRandomFaults has two platforms fail in every way there is, for a while (unavailable, refused, an internal error that
// sticks, container after container refused with one code), pages and expansions that no topic takes, and commits that fail,
// so that sessions end at any step. In the end every message is there once, in order, or is one hole; chains are whole and each
// epoch ends once (r.check).
func TestRandomFaults(t *testing.T) {
	seeds := uint64(250)
	if testing.Short() {
		seeds = 60
	}
	seen := map[string]int{}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { randomFaults(t, seed, seen) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	for _, what := range []string{"unavailable", "fatal", "sticky", "source", "wide", "hole", "session", "refused"} {
		if seen[what] == 0 {
			t.Errorf("no seed has shown %q: %v", what, seen)
		}
	}
}

func randomFaults(t *testing.T, seed uint64, seen map[string]int) {
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 11))
	below := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return chance.IntN(n)
	}
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		seen[what]++
	}
	const limit = 1000
	r := newRig(t, 1, memlog.Faults{
		Limits:     map[string]int{topics.RawPages: limit},
		CommitTime: func() time.Duration { return time.Duration(below(5)) * time.Millisecond },
		Commit: func(int) memlog.Outcome {
			if below(20) == 0 {
				return memlog.Outcome(1 + below(3))
			}
			return memlog.Done
		},
	})
	r.conf.Workers, r.conf.Patience = 1+below(12), 24*time.Hour
	until := time.Now().Add(time.Duration(below(300)) * time.Second)
	shelves := map[string]*shelf{schemas.Feishu: r.shelve(), schemas.Yunxin: {sizes: map[string][]int{}}}
	r.conf.Platforms[schemas.Yunxin] = extract.Platform{Source: shelves[schemas.Yunxin], TenantID: "appkey"}
	// Ten refusals in a row are rare among other faults: every tenth seed begins with nothing else.
	onlyWide := seed%10 == 0
	for _, s := range shelves {
		wideUntil := time.Now().Add(time.Duration(below(200)) * time.Second)
		wides := below(3) == 0
		if onlyWide {
			wideUntil, wides = time.Now().Add(200*time.Second), true
		}
		s.refuse = func(*schemas.Container) bool {
			if wides && time.Now().Before(wideUntil) {
				note("wide")
				return true
			}
			return false
		}
		s.fail = func(c *schemas.Container) error {
			if time.Now().After(until) || onlyWide && time.Now().Before(wideUntil) {
				return nil
			}
			api := schemas.PageType(c.Platform, c.Kind)
			switch below(12) {
			case 0, 1, 2:
				note("unavailable")
				return &connectors.Error{Class: connectors.ClassUnavailable, API: api, Code: fmt.Sprint("http_50", below(3)), Calls: 1}
			case 3:
				note("fatal")
				return &connectors.Error{Class: connectors.ClassFatal, API: api, Code: "99991672", Calls: 1}
			case 4:
				note("sticky")
				return &connectors.Error{Class: connectors.ClassSticky, API: api, Code: "2200", Calls: 1}
			case 5:
				note("source")
				return errors.New("a fault of ours")
			}
			return nil
		}
		s.expansion = func(int) []byte {
			if below(10) > 0 {
				return nil
			}
			return make([]byte, below(2*limit))
		}
	}
	var all []schemas.Container
	n := 1 + below(25)
	if onlyWide {
		n = 20
	}
	for i := range n {
		c := r.chat(i)
		if i%4 == 3 {
			c = conversation(fmt.Sprintf("p2p:a:%d", i))
		}
		sizes := make([]int, 1+below(30))
		for j := range sizes {
			if sizes[j] = 20 + below(100); j < len(sizes)-1 && below(40) == 0 {
				sizes[j] = 2 * limit // the last one would fail its container
			}
		}
		shelves[c.Platform].sizes[c.ID] = sizes
		all = append(all, c)
		r.add(c)
	}
	refusals := r.untilAllIsRead(note)
	if refusals > 0 {
		note("refused")
	}
	s := r.check()
	for i := range all {
		r.readOnce(s, &all[i], shelves[all[i].Platform].sizes[all[i].ID], limit, note)
	}
}

// untilAllIsRead runs process after process, and tells how many of them ended because the platform refused the app.
func (r *rig) untilAllIsRead(note func(string)) (refusals int) {
	r.t.Helper()
	for range 2000 {
		err := r.session(r.t.Context())
		var e *connectors.Error
		switch {
		case err == nil:
			return refusals
		case errors.As(err, &e) && e.Code == "230027":
			refusals++
			time.Sleep(20 * time.Second)
		case errors.Is(err, memlog.ErrFault):
			note("session")
		default:
			r.t.Fatal(err)
		}
	}
	r.t.Fatal("two thousand sessions were not enough")
	return 0
}

// readOnce expects each message of a container once. Refusals in a row of less than ten have failed it in the end.
func (r *rig) readOnce(s *state, c *schemas.Container, sizes []int, limit int, note func(string)) {
	r.t.Helper()
	cp := s.checkpoints[schemas.ContainerKey(c.Key)]
	if cp.State == schemas.StateFailed && deref(cp.ErrorCode) == "230027" {
		return
	}
	var holes []int
	for i, n := range sizes {
		if n > limit {
			note("hole")
			holes = append(holes, i)
		}
	}
	r.shelfIs(s, c, sizes, holes, schemas.StateComplete)
}
