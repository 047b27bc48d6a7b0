package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"chatlake/simulator"
)

// TestPartitionsOfADeadWorkerMoveOn kills one of two extractors for good and waits until every partition moves again; it
// prints how long that took.
func TestPartitionsOfADeadWorkerMoveOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{
		world:      simulator.Options{Seed: 5, Chats: 16},
		feishu:     simulator.FeishuConfig{Record: true, Latency: 100 * time.Millisecond},
		partitions: 4,
	})
	s.env = append(s.env, "EXTRACTOR_WORKERS=2")
	s.add(1, s.chats()...)
	victim, survivor := s.start("extractor"), s.start("extractor")
	s.untilMembers(2) // a worker that dies while it joins is another matter
	at := s.ends()
	s.untilAllMove(at, victim, survivor)
	victim.kill()
	victim.exit(t)
	at = s.ends()
	took := s.untilAllMove(at, survivor)
	t.Logf("all partitions moved again %v after the death of a worker", took.Round(time.Millisecond))
	if err := survivor.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := survivor.exit(t); code != 0 {
		t.Errorf("the survivor ended with exit code %d:\n%s", code, survivor.out)
	}
	s.env = append(s.env, "EXTRACTOR_WORKERS=64")
	s.once("extractor", 0)
	s.once("normalizer", 0)
	if f := s.check(); f.dead != 0 {
		t.Errorf("%d dead letters", f.dead)
	}
}

// untilMembers waits until the group of extractors has so many members and has settled.
func (s *site) untilMembers(n int) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.brokers, ",")...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{s.prefix + "-extractor"}
	for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(50 * time.Millisecond) { // between two looks at the broker
		resp, err := req.RequestWith(s.t.Context(), client)
		if err == nil && len(resp.Groups) == 1 && resp.Groups[0].State == "Stable" && len(resp.Groups[0].Members) == n {
			return
		}
	}
	s.t.Fatalf("the group has not come to %d members for two minutes", n)
}

// ends tells how far the raw pages of each partition have come.
func (s *site) ends() []int64 {
	out := make([]int64, s.parts)
	for p := range out {
		_, stable, err := s.client.Offsets(s.t.Context(), s.prefix+".raw.pages", int32(p))
		if err != nil {
			s.t.Fatal(err)
		}
		out[p] = stable
	}
	return out
}

// untilAllMove waits until every partition has come further than it was.
func (s *site) untilAllMove(was []int64, running ...*process) time.Duration {
	s.t.Helper()
	began := time.Now()
	for time.Since(began) < 2*time.Minute {
		moved := true
		for p, end := range s.ends() {
			moved = moved && end > was[p]
		}
		if moved {
			return time.Since(began)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the broker
	}
	for _, p := range running {
		p.kill()
		p.exit(s.t)
		s.t.Log(p.out)
	}
	s.t.Fatalf("from %v to %v: a partition has not moved for two minutes", was, s.ends())
	return 0
}
