package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"chatlake/simulator"
)

// BenchmarkQuota lets one extractor, and three of which one is killed halfway, read a tenant whose platform counts calls in
// Feishu's two windows, and reports how much of the quota of message lists was used while there was work, and how many
// calls were throttled. It takes a quarter of an hour each of waiting; run it with -benchtime=1x -timeout 1h.
func BenchmarkQuota(b *testing.B) {
	const perMinute, perSecond = 300, 50
	for _, workers := range []int{1, 3} {
		for _, sliding := range []bool{false, true} {
			b.Run(fmt.Sprintf("extractors=%d/sliding=%v", workers, sliding), func(b *testing.B) {
				for range b.N {
					s := newSite(b, options{
						world:      simulator.Options{Seed: 11},
						feishu:     simulator.FeishuConfig{Record: true, Limits: simulator.Limits{PerMinute: perMinute, PerSecond: perSecond, Sliding: sliding}},
						partitions: 12,
					})
					s.env = append(s.env, fmt.Sprintf("FEISHU_RATE_PER_MINUTE=%d", perMinute), fmt.Sprintf("FEISHU_RATE_PER_SECOND=%d", perSecond))
					s.add(1, s.chats()...)
					programs := make([]*process, workers)
					for i := range programs {
						programs[i] = s.start("extractor", "--once")
					}
					if workers > 1 {
						time.Sleep(6 * time.Minute)
						programs[0].kill()
						programs[0].exit(b)
						programs = programs[1:]
					}
					for _, p := range programs {
						if code := p.exit(b); code != 0 {
							b.Fatalf("exit code %d:\n%s", code, p.out)
						}
					}
					s.reportQuota(b, perMinute)
				}
			})
		}
	}
}

// reportQuota counts whole minutes from the first call of message lists; the last two are left out, in which work runs
// out in one partition after the other.
func (s *site) reportQuota(b *testing.B, perMinute int) {
	b.Helper()
	var at []time.Time
	throttled := 0
	for _, x := range s.feishu.Exchanges() {
		switch {
		case x.API != simulator.APIMessages:
		case x.Code == 99991400:
			throttled++
		default:
			at = append(at, x.At)
		}
	}
	minutes := int(at[len(at)-1].Sub(at[0])/time.Minute) - 2
	used := 0
	for _, t := range at {
		if t.Before(at[0].Add(time.Duration(minutes) * time.Minute)) {
			used++
		}
	}
	b.ReportMetric(100*float64(used)/float64(minutes*perMinute), "%-used")
	b.ReportMetric(100*float64(throttled)/float64(len(at)+throttled), "%-throttled")
	b.ReportMetric(float64(minutes), "minutes")
}
