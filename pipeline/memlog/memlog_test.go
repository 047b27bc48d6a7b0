package memlog_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

func record(topic, value string) schemas.Record {
	return schemas.Record{Topic: topic, Partition: 1, Value: []byte(value)}
}

func TestCommitIsAllOrNothing(t *testing.T) {
	for outcome, want := range map[memlog.Outcome]struct {
		records int
		next    int64 // of the driving topic, for the next owner
		end     int64 // of topic b
		fails   bool
	}{
		memlog.Done:    {1, 7, 2, false},
		memlog.Refused: {0, -1, 0, true},
		memlog.Aborted: {0, -1, 2, true},
		memlog.Kept:    {1, 7, 2, true},
	} {
		l := memlog.New(2, memlog.Faults{Commit: func(int) memlog.Outcome { return outcome }})
		p := l.Own("a", 1)
		err := p.Commit(t.Context(), []schemas.Record{record("b", "x"), record("c", "y")}, 7)
		if errors.Is(err, memlog.ErrFault) != want.fails {
			t.Errorf("outcome %d: %v", outcome, err)
		}
		if b, c := len(l.Records("b", 1)), len(l.Records("c", 1)); b != want.records || c != want.records {
			t.Errorf("outcome %d: %d and %d records, want %d of each", outcome, b, c, want.records)
		}
		if _, end, err := p.Offsets(t.Context(), "b"); err != nil || end != want.end {
			t.Errorf("outcome %d: end %d (%v), want %d", outcome, end, err, want.end)
		}
		if got := l.Own("a", 1).Committed(); got != want.next {
			t.Errorf("outcome %d: committed %d, want %d", outcome, got, want.next)
		}
		if err := p.Commit(t.Context(), nil, 9); err == nil {
			t.Errorf("outcome %d: an owner that was followed by another can still commit", outcome)
		}
	}
}

func TestReadStepsOverMarkersAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memlog.New(2, memlog.Faults{})
		p := l.Own("a", 1)
		r := p.Reader("b", 0)
		began := time.Now()
		if b, err := r.Read(t.Context(), time.Minute, 1); err != nil || len(b.Records) != 0 || b.Next != 0 || time.Since(began) != time.Minute {
			t.Fatalf("%+v %v after %v", b, err, time.Since(began))
		}
		for _, v := range []string{"x", "y"} {
			if err := p.Commit(t.Context(), []schemas.Record{record("b", v)}, -1); err != nil {
				t.Fatal(err)
			}
		}
		var offsets []int64
		err := pipeline.ReadTo(t.Context(), p, pipeline.Span{Topic: "b", To: 4}, func(r *schemas.Record) error {
			offsets = append(offsets, r.Offset)
			return nil
		})
		if err != nil || len(offsets) != 2 || offsets[0] != 0 || offsets[1] != 2 {
			t.Fatalf("offsets %v: %v", offsets, err)
		}
		go func() {
			time.Sleep(time.Second)
			l.Append(record("b", "z"))
		}()
		r = p.Reader("b", 4)
		if b, err := r.Read(t.Context(), time.Minute, 1); err != nil || len(b.Records) != 1 || b.Next != 5 {
			t.Fatalf("%+v %v", b, err)
		}
	})
}

func TestRulesOfOwnersAreHeld(t *testing.T) {
	l := memlog.New(2, memlog.Faults{Read: func(topic string) error {
		if topic == "broken" {
			return memlog.ErrFault
		}
		return nil
	}})
	p := l.Own("a", 1)
	if _, _, err := p.Offsets(t.Context(), "broken"); !errors.Is(err, memlog.ErrFault) {
		t.Errorf("read fault: %v", err)
	}
	if err := p.Commit(t.Context(), []schemas.Record{{Topic: "b", Partition: 0}}, -1); err == nil || len(l.Violations()) != 1 {
		t.Errorf("a record for another partition: %v, %v", err, l.Violations())
	}
	l.Append(record("b", "x"), record("b", "y"))
	l.Trim("b", 1, 1)
	var out *memlog.OutOfRange
	if _, err := p.Reader("b", 0).Read(t.Context(), 0, 1); !errors.As(err, &out) || out.Start != 1 || out.End != 2 {
		t.Errorf("removed offset: %v", err)
	}
	if _, err := p.Reader("b", 3).Read(t.Context(), 0, 1); !errors.As(err, &out) {
		t.Errorf("offset beyond the end: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(memlog.ErrFault)
	if _, err := p.Reader("b", 1).Read(ctx, time.Hour, 1); !errors.Is(err, memlog.ErrFault) {
		t.Errorf("read after the end of its context: %v", err)
	}
	if err := l.Own("a", 1).Commit(ctx, nil, 3); !errors.Is(err, memlog.ErrFault) || l.Attempts() != 1 {
		t.Errorf("commit after the end of its context: %v, %d attempts", err, l.Attempts())
	}
}
