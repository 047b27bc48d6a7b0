package e2e_test

import (
	"testing"
	"time"

	"chatlake/simulator"
)

// TestTwoPlatformsKilledAtRandomMoments has Feishu and Yunxin on at once, under one prefix, and kills their workers again and
// again: every record of both is as it must be, once, and neither is in the other's way.
func TestTwoPlatformsKilledAtRandomMoments(t *testing.T) {
	t.Parallel()
	n, talks := kills(t, 3), 10
	if testing.Short() {
		n, talks = kills(t, 1), 5
	}
	latency := time.Duration(150+10*n) * time.Millisecond
	s := newSite(t, options{
		world: simulator.Options{Seed: 74, Chats: 4}, feishu: simulator.FeishuConfig{Record: true, Latency: latency},
		yunxin: &yunxinOptions{
			world:  simulator.YunxinOptions{Seed: 74, Conversations: talks + n/2, Mix: yunxinMix},
			config: simulator.YunxinConfig{Record: true, Latency: latency},
		},
		partitions: 4,
	})
	feishu, yunxin := s.model(), s.yunxinModel(false)
	s.env = append(s.env, "EXTRACTOR_WORKERS=2", "NORMALIZER_COMMIT_INTERVAL=50ms")
	s.add(1, append(s.chats(), s.talks()...)...)
	s.underKills(n)
	s.env = append(s.env, "EXTRACTOR_WORKERS=64", "NORMALIZER_STATE_DIR="+s.state+"/last")
	s.rounds()
	f := s.check()
	feishu.hold(&f)
	yunxin.hold(&f)
	t.Logf("%d kills: %d pages, %d versions of %d records, %d of Feishu, %d of Yunxin", n, f.pages, f.messages, len(f.last), len(feishu.rows), len(yunxin.rows))
	if len(f.last) != len(feishu.rows)+len(yunxin.rows) || f.dead != 0 {
		t.Errorf("%d records and %d dead letters, want %d and none", len(f.last), f.dead, len(feishu.rows)+len(yunxin.rows))
	}
}
