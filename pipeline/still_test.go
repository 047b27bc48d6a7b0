package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestReadToDoesNotStandStill: an end that was said and never comes is an error after a minute, not an endless wait; a topic
// that is slow is none.
func TestReadToDoesNotStandStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memlog.New(1, memlog.Faults{})
		own := l.Own("driver", 0)
		l.Append(schemas.Record{Topic: "a"}, schemas.Record{Topic: "a"})
		go func() {
			for range 3 {
				time.Sleep(50 * time.Second)
				l.Append(schemas.Record{Topic: "a"})
			}
		}()
		began, n := time.Now(), 0
		err := pipeline.ReadTo(t.Context(), own, pipeline.Span{Topic: "a", To: 9}, func(*schemas.Record) error { n++; return nil })
		if err == nil || !strings.Contains(err.Error(), "a/0 was said to reach offset 9") || !strings.Contains(err.Error(), "after offset 5") || n != 5 {
			t.Errorf("%v after %d records", err, n)
		}
		if took := time.Since(began); took < 209*time.Second || took > 215*time.Second {
			t.Errorf("it took %v: three pauses of 50 s, then a minute", took)
		}
		if own.Beats() < 200 {
			t.Errorf("%d signs of life", own.Beats())
		}
	})
}

// TestReadBatchesTellsWhatCannotBeRead, and nothing beyond the span.
func TestReadBatchesTellsWhatCannotBeRead(t *testing.T) {
	for size := range 4 {
		l := memlog.New(1, memlog.Faults{MaxRecords: size, Unreadable: func(r *schemas.Record) bool { return r.Offset%3 == 1 }})
		for range 9 {
			l.Append(schemas.Record{Topic: "a"})
		}
		var got []string
		err := pipeline.ReadBatches(t.Context(), l.Own("driver", 0), pipeline.Span{Topic: "a", From: 1, To: 7}, func(b *pipeline.Batch) error {
			for _, r := range b.Records {
				got = append(got, fmt.Sprint(r.Offset))
			}
			for _, k := range b.Skipped {
				got = append(got, fmt.Sprintf("no %d-%d", k.First, k.Last))
			}
			return nil
		})
		has := map[string]bool{}
		for _, s := range got {
			has[s] = true
		}
		if err != nil || len(got) != 6 || !has["no 1-1"] || !has["2"] || !has["3"] || !has["no 4-4"] || !has["5"] || !has["6"] {
			t.Errorf("%d a batch: %q, %v", size, got, err)
		}
	}
}

// TestSettledWaitsForWhatIsHidden by transactions that were open when it was called, and for no later one.
func TestSettledWaitsForWhatIsHidden(t *testing.T) {
	for _, commit := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			l := memlog.New(1, memlog.Faults{})
			own := l.Own("driver", 0)
			l.Append(schemas.Record{Topic: "a"})
			end := l.Begin(schemas.Record{Topic: "a"})
			l.Append(schemas.Record{Topic: "a"})
			if _, stable, err := own.Offsets(t.Context(), "a"); err != nil || stable != 1 {
				t.Fatalf("stable %d (%v), want 1", stable, err)
			}
			go func() {
				time.Sleep(40 * time.Second)
				l.Begin(schemas.Record{Topic: "a"}) // never ends
				end(commit)
			}()
			began := time.Now()
			start, to, err := pipeline.Settled(t.Context(), own, "a", slog.New(slog.DiscardHandler))
			if took := time.Since(began); err != nil || start != 0 || to != 3 || took < 40*time.Second || took > 41*time.Second {
				t.Errorf("%d to %d (%v) after %v", start, to, err, took)
			}
			n := 0
			if err := pipeline.ReadTo(t.Context(), own, pipeline.Span{Topic: "a", To: to}, func(*schemas.Record) error { n++; return nil }); err != nil {
				t.Error(err)
			}
			if want := map[bool]int{true: 3, false: 2}[commit]; n != want {
				t.Errorf("%d records, want %d", n, want)
			}
		})
	}
}

// TestSettledIsBounded: what nothing ends, or what is not there any more, is an error with words.
func TestSettledIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memlog.New(1, memlog.Faults{})
		l.Begin(schemas.Record{Topic: "a"})
		began := time.Now()
		_, _, err := pipeline.Settled(t.Context(), l.Own("driver", 0), "a", slog.New(slog.DiscardHandler))
		if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "a/0 should reach offset 1") || took < 20*time.Minute || took > 21*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, _, err := pipeline.Settled(ctx, l.Own("driver", 0), "a", slog.New(slog.DiscardHandler)); err == nil || time.Since(began) > 23*time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}
