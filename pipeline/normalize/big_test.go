package normalize_test

import (
	"fmt"
	"slices"
	"testing"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestBigPages: what a page tells of its messages may be one long chain, ring or star. A page that takes longer than a
// session may go without a sign of life would be begun again and again; each of these took minutes where the work grew
// with the square of the messages.
func TestBigPages(t *testing.T) {
	const n = 10_000
	id := func(i int) string { return fmt.Sprintf("om_%06d", i) }
	all := func(f func(i int) item) body {
		items := make([]item, n)
		for i := range items {
			items[i] = f(i)
		}
		return page(items...)
	}
	up := func(i int) item { return item{ID: id(i), Rev: 1, Parent: id(i - 1)} }
	down := all(func(i int) item { return item{ID: id(n - i), Rev: 1, ParentClient: id(n - i - 1), Client: id(n - i)} })
	for name, pages := range map[string][]any{
		"chain":          {all(up), page(item{ID: id(-1), Rev: 1})},
		"chain, upwards": {down, page(item{ID: id(0), Client: id(0), Rev: 1})},
		"ring":           {all(func(i int) item { return item{ID: id(i), Rev: 1, Parent: id((i + 1) % n)} })},
		"into a ring":    {all(func(i int) item { return item{ID: id(i), Rev: 1, Parent: id(max(i-1, 1-i))} })},
		"star":           {all(func(i int) item { return item{ID: id(i), Rev: 1, Parent: "x", Root: "x"} }), page(item{ID: "x", Rev: 1})},
		"thread is left": {
			all(func(i int) item { return item{ID: id(i), Rev: 1, Root: "x", ThreadByRoot: true} }),
			all(func(i int) item {
				it := item{ID: id(i), Rev: 2, Root: "y", ThreadByRoot: true}
				if i == n-1 {
					it.Root = "x"
				}
				return it
			}), page(item{ID: "x", Rev: 1}, item{ID: "y", Rev: 1}),
		},
		"one client id": {all(func(i int) item { return item{ID: id(i), Rev: 1, Client: "c", At: int64(n - i), ParentClient: "c"} })},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, memlog.Faults{})
			r.add(pages...)
			r.toTheEnd()
			last := map[string]schemas.Message{}
			for _, m := range r.messages() {
				last[m.MessageID] = m
			}
			pending := 0
			for _, m := range last {
				if slices.Contains([]string{m.Parent.Status, m.Root.Status}, schemas.LinkPending) {
					pending++
				}
			}
			if len(last) < n || pending > 0 {
				t.Errorf("%d messages, of which %d are not settled", len(last), pending)
			}
		})
	}
}

// TestTimeAhead: brokers refuse records whose time is far ahead of their clock (Apache Kafka 4: an hour), and what one
// broker has stored is as good for the next: a message is no younger than the record that brought it.
func TestTimeAhead(t *testing.T) {
	r := newRig(t, memlog.Faults{})
	rec := r.raw(sheet{body: page(item{ID: "a", Rev: 1, Parent: "b"}), final: true, at: fixed.AddDate(100, 0, 0)})
	rec.Time = fixed
	r.add(rec)
	r.toTheEnd()
	for _, topic := range []string{topics.Messages, topics.Containers} {
		records := r.log.Records(topic, 0)
		if len(records) != 1 || !records[0].Time.Equal(fixed) {
			t.Errorf("%s: %d records, %+v", topic, len(records), records)
		}
	}
	if m := r.messages(); len(m) != 1 || !m[0].Provenance.ExtractedAt.Time().Equal(fixed.AddDate(100, 0, 0)) {
		t.Errorf("messages %+v", m)
	}
}
