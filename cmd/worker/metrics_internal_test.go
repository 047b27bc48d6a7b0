package worker

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/connectors/api"
	"chatlake/metrics"
	"chatlake/schemas"
)

var labelNames = regexp.MustCompile(`(\w+)="`)

// TestWorkersTellAllFamilies: what two workers tell is what docs/metrics.md lists, with its labels: no less, and no more.
func TestWorkersTellAllFamilies(t *testing.T) {
	t.Parallel()
	d := newDrill(t, 50*time.Millisecond)
	told := map[string]bool{}
	see := func(v series) {
		for name := range v {
			family, labels, _ := strings.Cut(name, "{")
			if !strings.HasPrefix(family, "chatlake_") {
				continue
			}
			var words []string
			for _, m := range labelNames.FindAllStringSubmatch(labels, -1) {
				if m[1] != "le" {
					words = append(words, m[1])
				}
			}
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				if bare, is := strings.CutSuffix(family, part); is && bare != "chatlake_links" {
					family = bare
				}
			}
			slices.Sort(words)
			told[family+" "+strings.Join(words, ",")] = true
		}
	}
	see(waitFor(t, "a container is due", func() series {
		d.feishu.SetFaults(unreachableFault)
		d.add(d.chats()[0])
		return d.extractor()
	}, func(v series) bool { return v.sum("chatlake_oldest_due_timestamp_seconds") > 0 }))
	d.feishu.SetFaults()
	d.read(d.chats()...)
	see(d.extractor())
	see(d.normalizer())
	want := map[string]bool{}
	for _, f := range metrics.Families {
		want[f.Name+" "+strings.Join(slices.Sorted(slices.Values(f.Labels)), ",")] = true
	}
	for name := range want {
		if !told[name] {
			t.Errorf("not told: %s", name)
		}
	}
	for name := range told {
		if !want[name] {
			t.Errorf("told and not listed: %s", name)
		}
	}
}

// TestCountsAreOfTheTopics: what workers count as published is what the topics hold.
func TestCountsAreOfTheTopics(t *testing.T) {
	t.Parallel()
	d := newDrill(t, 50*time.Millisecond)
	d.read(d.chats()...)
	e, n := d.extractor(), d.normalizer()
	want := map[string]float64{}
	d.records(func(t *schemas.Topics) string { return t.RawPages }, func(r schemas.Record) {
		want["chatlake_extracted_pages_total"]++
		want["chatlake_normalized_pages_total"]++
		want["chatlake_extracted_bytes_total"] += float64(len(r.Value))
	})
	d.records(func(t *schemas.Topics) string { return t.DeadLetters }, func(schemas.Record) { want["chatlake_dead_letters_total"]++ })
	d.records(func(t *schemas.Topics) string { return t.Messages }, func(r schemas.Record) {
		var m schemas.Message
		_, body, err := schemas.Frame(r.Value)
		if err == nil {
			err = schemas.MessageSchema.Decode(body, &m)
		}
		if err != nil {
			t.Fatal(err)
		}
		want["chatlake_published_messages_total "+m.Change]++
		if m.Parent.Status != schemas.LinkNone {
			want["chatlake_links_total parent "+m.Parent.Status]++
		}
		if m.Root.Status != schemas.LinkNone {
			want["chatlake_links_total root "+m.Root.Status]++
		}
		if m.Forward.Role == schemas.ForwardContainer {
			want["chatlake_expansions_total "+m.Forward.Expansion]++
		}
	})
	for name, count := range want {
		words := strings.Fields(name)
		labels := make([]string, len(words)-1)
		for i, w := range words[1:] {
			labels[i] = `="` + w + `"`
		}
		if got := e.sum(words[0], labels...) + n.sum(words[0], labels...); got != count {
			t.Errorf("%s: %v, and the topics hold %v", name, got, count)
		}
	}
	if len(want) < 9 {
		t.Errorf("the site shows too little: %v", want)
	}
}

// TestRestartForgetsNothing: a chat that failed is FAILED to the next extractor, too, and what is read is COMPLETE to it.
func TestRestartForgetsNothing(t *testing.T) {
	t.Parallel()
	d := newDrill(t, 50*time.Millisecond)
	d.feishu.SetFaults(refusedFault(d.chats()[0]))
	d.read(d.chats()...)
	before := d.extractor()
	if before.sum("chatlake_containers", "FAILED") != 1 || before.sum("chatlake_containers", "COMPLETE") == 0 {
		t.Fatalf("%v", containersOf(before))
	}
	d.stopE()
	d.e, d.stopE = d.extract()
	d.working()
	after := waitFor(t, "the state is read", d.extractor, func(v series) bool { return v.sum("chatlake_containers") == before.sum("chatlake_containers") })
	if !maps.Equal(containersOf(before), containersOf(after)) {
		t.Errorf("before %v, after %v", containersOf(before), containersOf(after))
	}
	newest := func(v series) float64 { return v.sum("chatlake_newest_message_timestamp_seconds") }
	if newest(before) == 0 || newest(before) != newest(after) {
		t.Errorf("newest message: before %f, after %f", newest(before), newest(after))
	}
}

func containersOf(v series) map[string]float64 {
	of := map[string]float64{}
	for name, n := range v {
		if strings.HasPrefix(name, "chatlake_containers{") {
			of[name] = n
		}
	}
	return of
}

// TestPartitionsMove: two workers of a stage share the partitions, and their sums are right; of one that has moved nothing
// remains where it was.
func TestPartitionsMove(t *testing.T) {
	t.Parallel()
	d := newDrill(t, 50*time.Millisecond)
	d.read(d.chats()...)
	all := d.extractor().sum("chatlake_containers")
	e, stopE := d.extract()
	r, stopR := d.normalize(50 * time.Millisecond)
	extractor := func() series { return scrape(t, &e.ready, e.seen) }
	normalizer := func() series { return scrape(t, &r.ready, r.seen) }
	for _, stage := range []struct {
		name          string
		first, second func() series
		families      []string
	}{
		{"extractor", d.extractor, extractor, []string{"chatlake_last_commit_timestamp_seconds"}},
		{"normalizer", d.normalizer, normalizer, []string{"chatlake_last_commit_timestamp_seconds", "chatlake_normalizer_lag_pages", "chatlake_normalizer_lag_seconds"}},
	} {
		for _, v := range []func() series{stage.first, stage.second} {
			waitFor(t, stage.name+": each owns one partition and tells of it", v, func(v series) bool {
				owns := v.sum("chatlake_partitions_owned") == 1
				for _, family := range stage.families {
					owns = owns && len(partitionsOf(v, family)) == 1
				}
				return owns
			})
		}
		for _, family := range stage.families {
			one, other := partitionsOf(stage.first(), family), partitionsOf(stage.second(), family)
			if len(one) != 1 || len(other) != 1 || one[0] == other[0] {
				t.Errorf("%s: partitions %v and %v", family, one, other)
			}
		}
	}
	waitFor(t, "the sum of both is the sum of one", d.extractor, func(v series) bool {
		return v.sum("chatlake_containers")+extractor().sum("chatlake_containers") == all
	})
	stopE()
	stopR()
	waitFor(t, "all is back", d.extractor, func(v series) bool { return v.sum("chatlake_containers") == all })
	waitFor(t, "all is back", d.normalizer, func(v series) bool { return len(partitionsOf(v, "chatlake_normalizer_lag_pages")) == sitePartitions })
}

func partitionsOf(v series, family string) (all []string) {
	for name := range v {
		if rest, is := strings.CutPrefix(name, family+"{"); is {
			_, partition, _ := strings.Cut(rest, `partition="`)
			all = append(all, partition)
		}
	}
	return all
}

// TestMeter counts tries by what they ended with, and no call that was broken off from here.
func TestMeter(t *testing.T) {
	const list = schemas.FeishuMessagesList
	set := metrics.NewSet()
	m := newMeter(set, map[string]connectors.Quota{list: {}})
	ctx, cancel := context.WithCancel(t.Context())
	answers := []error{
		&connectors.Error{Class: connectors.ClassThrottled, Code: "99991400", Calls: 1}, nil,
		&connectors.Error{Class: connectors.ClassContainer, Code: "230002", Calls: 1}, errors.New("of its own"),
	}
	sent := 0
	call := m.each(func(context.Context, connectors.Request) (*connectors.Response, error) {
		sent++
		if err := answers[sent-1]; err != nil {
			return nil, err
		}
		return &connectors.Response{Code: "0", Calls: 1}, nil
	})
	whole := m.whole(api.Retry(call, api.Policy{Unit: time.Nanosecond}))
	for range 3 {
		_, _ = whole(t.Context(), connectors.Request{API: list, Path: "/"}) // the errors are those above
	}
	cancel()
	gone := m.each(func(ctx context.Context, _ connectors.Request) (*connectors.Response, error) { return nil, ctx.Err() })
	_, _ = gone(ctx, connectors.Request{API: list})
	v := scrape(t, &readiness{}, &observer{set: set})
	of := `{api="` + list + `",`
	want := map[string]float64{
		"chatlake_calls_total" + of + `code="0",outcome="ok",platform="feishu"}`:                     1,
		"chatlake_calls_total" + of + `code="99991400",outcome="throttled",platform="feishu"}`:       1,
		"chatlake_calls_total" + of + `code="230002",outcome="container_refused",platform="feishu"}`: 1,
		"chatlake_calls_total" + of + `code="",outcome="failed",platform="feishu"}`:                  1,
		"chatlake_call_retries_total" + of + `platform="feishu"}`:                                    1,
		"chatlake_throttled_calls_total" + of + `platform="feishu"}`:                                 1,
		"chatlake_call_duration_seconds_count" + of + `platform="feishu"}`:                           4,
	}
	for name, n := range want {
		if v[name] != n {
			t.Errorf("%s is %v, want %v", name, v[name], n)
		}
	}
	if n := v.sum("chatlake_calls_total"); n != 4 {
		t.Errorf("%v calls, want 4", n)
	}
}
