package e2e_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"chatlake/simulator"
)

// kills is how often the kill test kills; CHATLAKE_KILLS asks for more.
func kills(t *testing.T, otherwise int) int {
	t.Helper()
	if v := os.Getenv("CHATLAKE_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("CHATLAKE_KILLS: %v", err)
		}
		return n
	}
	return otherwise
}

// TestKilledAtRandomMomentsNothingIsLostOrDoubled runs two workers of each kind and kills one of them, any, again and
// again, each time starting another in its place. Each kill waits until both stages move, so that it hits them at work;
// slow answers of the platform keep the work going while it lasts.
func TestKilledAtRandomMomentsNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	n := kills(t, 5)
	if testing.Short() {
		n = kills(t, 2)
	}
	s := newSite(t, options{
		world:      simulator.Options{Seed: 4, Chats: min(12+n/2, 49)},
		feishu:     simulator.FeishuConfig{Record: true, Latency: time.Duration(150+10*n) * time.Millisecond},
		partitions: 4,
	})
	s.env = append(s.env, "EXTRACTOR_WORKERS=2", "NORMALIZER_COMMIT_INTERVAL=50ms")
	s.add(1, s.chats()...)

	pauses := s.underKills(n)
	s.env = append(s.env, "EXTRACTOR_WORKERS=64", "NORMALIZER_STATE_DIR="+s.state+"/last")
	s.rounds()
	f := s.check()
	truth := s.model()
	truth.hold(&f)
	report := s.feishu.Report()
	slices.Sort(pauses[1:])
	t.Logf("%d kills: %d pages, %d message versions of %d records, %d dead letters; served %d messages in %d calls; both stages moved again after %v (median), %v (longest)",
		n, f.pages, f.messages, len(f.versions), f.dead, report.InLists, report.Calls, pauses[1+(len(pauses)-1)/2].Round(time.Millisecond), pauses[len(pauses)-1].Round(time.Millisecond))
	if len(f.versions) != len(truth.rows) || f.dead != 0 {
		t.Errorf("%d records and %d dead letters, want %d and none", len(f.versions), f.dead, len(truth.rows))
	}
}

// underKills runs two workers of each kind, kills one of them n times, stops them all, and gives the times in which both
// stages moved, the first apart.
func (s *site) underKills(n int) (pauses []time.Duration) {
	t := s.t
	t.Helper()
	const seed = 20261122
	chance := rand.New(rand.NewPCG(seed, uint64(n)))
	programs := []string{"extractor", "extractor", "normalizer", "normalizer"}
	running := make([]*process, len(programs))
	launch := func(i int) {
		s.env = append(s.env, "NORMALIZER_STATE_DIR="+s.state+"/"+strconv.Itoa(i)) // the last one of a name counts
		running[i] = s.start(programs[i])
	}
	for i := range programs {
		launch(i)
	}
	for k := range n {
		pauses = append(pauses, s.untilBothMove(running))
		time.Sleep(time.Duration(chance.IntN(1200)) * time.Millisecond) // a random moment is what this test is about
		i := chance.IntN(len(programs))
		running[i].kill()
		if code := running[i].exit(t); code != -1 {
			t.Fatalf("kill %d: the %s had ended by itself with exit code %d:\n%s", k, programs[i], code, running[i].out)
		}
		launch(i)
	}
	pauses = append(pauses, s.untilBothMove(running))
	var end sync.WaitGroup
	for i := range running {
		end.Go(func() {
			if err := running[i].cmd.Process.Signal(os.Interrupt); err != nil {
				t.Errorf("%s: %v", programs[i], err)
			}
			if code := running[i].exit(t); code != 0 {
				t.Errorf("%s: exit code %d after SIGINT:\n%s", programs[i], code, running[i].out)
			}
		})
	}
	end.Wait()
	return pauses
}

// untilBothMove waits until pages and messages are being committed, and tells how long that took.
func (s *site) untilBothMove(running []*process) time.Duration {
	s.t.Helper()
	began := time.Now()
	pages, messages := s.end(s.prefix+".raw.pages"), s.end(s.prefix+".messages")
	for time.Since(began) < 4*time.Minute {
		if s.end(s.prefix+".raw.pages") > pages && s.end(s.prefix+".messages") > messages {
			return time.Since(began)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the broker
	}
	for _, p := range running {
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // what its goroutines do tells why
		p.exit(s.t)
		s.t.Logf("%s %v:\n%s", p.cmd.Path, p.cmd.Args, p.out)
	}
	s.t.Fatalf("pages at %d, messages at %d: one of them has not moved for four minutes", s.end(s.prefix+".raw.pages"), s.end(s.prefix+".messages"))
	return 0
}

// end adds up how far a topic has come.
func (s *site) end(topic string) int64 {
	var sum int64
	for p := range int32(s.parts) {
		_, stable, err := s.client.Offsets(s.t.Context(), topic, p)
		if err != nil {
			s.t.Fatal(err)
		}
		sum += stable
	}
	return sum
}
