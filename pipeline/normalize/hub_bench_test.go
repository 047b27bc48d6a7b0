package normalize_test

import (
	"fmt"
	"runtime"
	"testing"

	"chatlake/pipeline/memlog"
)

// BenchmarkHub: 100,000 replies to one message whose own page comes last, as that of a look-up or of an older window does.
// One page is one step: its transaction holds a version of each reply.
func BenchmarkHub(b *testing.B) {
	const replies = 100_000
	for range b.N {
		b.StopTimer()
		r := newRig(b, memlog.Faults{})
		for i := 0; i < replies; i += 50 {
			var items []item
			for k := range 50 {
				items = append(items, item{ID: fmt.Sprintf("om_%030d", i+k), Rev: 1, Parent: "hub", Text: "some text of a usual length, as people write it in chats"})
			}
			r.add(sheet{body: page(items...)})
		}
		r.toTheEnd()
		r.add(sheet{body: page(item{ID: "hub", Rev: 1})})
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.StartTimer()
		r.toTheEnd()
		b.StopTimer()
		runtime.ReadMemStats(&after)
		h := r.log.History()
		last, size := h[len(h)-1], 0
		for i := range last.Records {
			size += len(last.Records[i].Value)
		}
		if len(last.Records) != replies+1 {
			b.Fatalf("%d records in the transaction of the page, want %d", len(last.Records), replies+1)
		}
		b.ReportMetric(float64(size)/(1<<20), "MiB/transaction")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(1<<20), "MiB-allocated")
	}
}
