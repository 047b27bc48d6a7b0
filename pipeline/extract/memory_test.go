package extract_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/extract"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// endedThreads writes n threads that were read to their end, as an extractor does.
func (r *rig) endedThreads(n int) {
	r.t.Helper()
	page := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for i := range n {
		id := fmt.Sprintf("omt_%032d", i)
		c := schemas.Container{
			Key: string(schemas.NewContainerKey(schemas.Feishu, tenant, schemas.KindThread, id)), Platform: schemas.Feishu, TenantID: tenant,
			Kind: schemas.KindThread, ID: id, ConversationID: "oc_a0553eda9014c201e6969b478895c230", Mode: "backfill", Epoch: 1, Cause: schemas.CauseThread, RequestedAt: 1,
		}
		r.add(c)
		w := schemas.Millis(1_700_000_000_000)
		cp := schemas.Checkpoint{ContainerKey: c.Key, Epoch: 1, State: schemas.StateComplete, Pages: 1, Items: 3, Calls: 1, LastPageID: &page, Watermark: &w, UpdatedAt: 1}
		v, err := schemas.CheckpointSchema.Append(nil, schemaIDs[topics.Checkpoints], &cp)
		if err != nil {
			r.t.Fatal(err)
		}
		r.log.Append(schemas.Record{Topic: topics.Checkpoints, Partition: 0, Key: c.Key, Value: v})
	}
}

// followed is a log that tells when the topic of containers is read from where its beginning was read to.
type followed struct {
	pipeline.Log
	from chan struct{}
}

func (f *followed) Reader(topic string, from int64) pipeline.Reader {
	if topic == topics.Containers && from > 0 {
		close(f.from)
	}
	return f.Log.Reader(topic, from)
}

// TestMemoryOfEndedContainers: what a partition of 100,000 containers that have all ended costs a process that owns it, and
// how long it takes to take it over (2 s are promised; a test does not hold a clock to that).
func TestMemoryOfEndedContainers(t *testing.T) {
	const n, most = 100_000, 400
	r := newRig(t, 1, memlog.Faults{})
	r.endedThreads(n)
	began := time.Now()
	e := extract.New(r.conf)
	if err := e.Partition(t.Context(), r.log.Own(topics.Containers, 0)); err != nil {
		t.Fatal(err)
	}
	loaded := time.Since(began)
	if sum := e.Summary(); sum.Complete != n || sum.Pages != n || sum.Items != 3*n || sum.Calls != n {
		t.Errorf("summary %+v", sum)
	}

	r.conf.Once = false
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error)
	own := &followed{r.log.Own(topics.Containers, 0), make(chan struct{})}
	e = extract.New(r.conf)
	go func() { done <- e.Partition(ctx, own) }()
	<-own.from // it has read the topics and follows them
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes for each ended container; %d loaded in %v", per, n, loaded)
	cancel(errStop)
	if err := <-done; !errors.Is(err, errStop) {
		t.Error(err)
	}
	if per > most {
		t.Errorf("%.0f bytes are kept for each container that has ended, want %d at most", per, most)
	}
}
