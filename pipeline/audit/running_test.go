package audit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/audit"
	"chatlake/pipeline/memlog"
	"chatlake/simulator"
)

// watched is one partition of a log that others write.
type watched struct {
	*memlog.Partition
	log *memlog.Log
	p   int32
}

func (w watched) Committed(context.Context) (int64, error) {
	return w.log.Committed(topics.RawPages, w.p), nil
}

func (w watched) Reader(topic string, from int64) pipeline.Reader {
	return w.Partition.Reader(topic, from)
}

// TestNothingIsFoundWhileBothStagesRun audits again and again what is being written, and broken off, and written again.
func TestNothingIsFoundWhileBothStagesRun(t *testing.T) {
	s := newSite(t,
		simulator.Options{Seed: 6, Chats: 4, ChatSize: 150, Mix: simulator.Mix{Forwards: 30, Missing: 40}},
		simulator.YunxinOptions{Seed: 6, Conversations: 3, ConversationSize: 120, Burst: 3, Mix: simulator.YunxinMix{Forwards: 40}},
		memlog.Faults{
			Commit: func(n int) memlog.Outcome {
				return map[int]memlog.Outcome{3: memlog.Aborted, 5: memlog.Kept, 8: memlog.Refused}[n%9]
			},
			CommitTime: func() time.Duration { return time.Millisecond },
		})
	for i := range s.world.Chats() {
		s.add(s.chat(i, 1))
	}
	for i := range s.app.Conversations() {
		s.add(s.conversation(i))
	}
	done := make(chan struct{})
	var wait sync.WaitGroup
	for _, stage := range []func() error{s.extract, s.normalize} {
		wait.Go(func() {
			for n := 0; n < 200; n++ {
				if err := stage(); err == nil {
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond):
					}
				} else if !errors.Is(err, memlog.ErrFault) {
					t.Error(err)
					return
				}
			}
		})
	}
	look := func() *audit.Report {
		return run(t, func(p int32) audit.Log { return watched{s.log.Own("audit", p), s.log, p} }, func(c *audit.Config) { c.Patience = time.Minute })
	}
	audits, partial, last := 0, 0, int64(0)
	for began := time.Now(); time.Since(began) < time.Minute; audits++ {
		r := look()
		if !r.OK {
			t.Errorf("audit %d found %v%s", audits, r.Counts, listed(r))
			break
		}
		if r.Pending > 0 || r.Pages > last {
			partial++
		}
		if r.Pending == 0 && r.Pages == last && r.Pages > 60 {
			break
		}
		last = r.Pages
	}
	close(done)
	wait.Wait()
	if partial < 5 {
		t.Errorf("only %d of %d audits saw it at work", partial, audits)
	}
	t.Logf("%d audits, %d of them while pages came", audits, partial)
}
