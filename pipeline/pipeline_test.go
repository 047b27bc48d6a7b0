package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"chatlake/pipeline"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestReadTo reads spans of a topic that has gaps, in batches of every size.
func TestReadTo(t *testing.T) {
	for batch := range 4 {
		l := memlog.New(1, memlog.Faults{MaxRecords: batch})
		own := l.Own("driver", 0)
		for i := range 5 { // offsets 0, 2, 4, 6, 8, each with a marker behind it
			if err := own.Commit(t.Context(), []schemas.Record{{Topic: "a", Value: []byte{byte(i)}}}, -1); err != nil {
				t.Fatal(err)
			}
		}
		for s, want := range map[pipeline.Span]string{
			{Topic: "a", From: 0, To: 10}: "[0 2 4 6 8]",
			{Topic: "a", From: 0, To: 9}:  "[0 2 4 6 8]",
			{Topic: "a", From: 1, To: 6}:  "[2 4]",
			{Topic: "a", From: 2, To: 7}:  "[2 4 6]",
			{Topic: "a", From: 9, To: 10}: "[]",
			{Topic: "a", From: 4, To: 4}:  "[]",
			{Topic: "a", From: 4, To: 2}:  "[]",
			{Topic: "none"}:               "[]",
		} {
			var got []int64
			err := pipeline.ReadTo(t.Context(), own, s, func(r *schemas.Record) error {
				got = append(got, r.Offset)
				return nil
			})
			if err != nil || fmt.Sprint(got) != want {
				t.Errorf("%d records a batch, %+v: %v (%v), want %s", batch, s, got, err, want)
			}
		}
	}
}

func TestReadToGivesErrorsBack(t *testing.T) {
	l := memlog.New(1, memlog.Faults{Read: func(topic string) error { return map[string]error{"broken": memlog.ErrFault}[topic] }})
	l.Append(schemas.Record{Topic: "a"}, schemas.Record{Topic: "a"})
	own := l.Own("driver", 0)
	never := func(r *schemas.Record) error {
		t.Errorf("offset %d of %s was read", r.Offset, r.Topic)
		return nil
	}
	if err := pipeline.ReadTo(t.Context(), own, pipeline.Span{Topic: "broken", To: 1}, never); !errors.Is(err, memlog.ErrFault) {
		t.Errorf("read error: %v", err)
	}
	var out *memlog.OutOfRange
	if err := pipeline.ReadTo(t.Context(), own, pipeline.Span{Topic: "a", From: 7, To: 9}, never); !errors.As(err, &out) {
		t.Errorf("beyond the end: %v", err)
	}
	mine, calls := errors.New("mine"), 0
	err := pipeline.ReadTo(t.Context(), own, pipeline.Span{Topic: "a", To: 2}, func(*schemas.Record) error { calls++; return mine })
	if !errors.Is(err, mine) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestDeadLetterCanAlwaysBeWritten fills a fault with what no schema takes.
func TestDeadLetterCanAlwaysBeWritten(t *testing.T) {
	at := time.UnixMilli(1_750_000_000_000)
	bad := "\xff\xfe"
	for _, f := range []pipeline.Fault{
		{Stage: schemas.StageDecode},
		{
			Stage: schemas.StageExtract, Class: bad, Message: bad, Conversation: schemas.ConversationKey(bad), Container: schemas.ContainerKey(bad),
			PageID: bad, ItemPointer: bad, RecordID: bad,
		},
	} {
		d, again := pipeline.DeadLetter(f, at), pipeline.DeadLetter(f, at.AddDate(1, 0, 0))
		if err := d.Validate(); err != nil || d.ID != again.ID {
			t.Errorf("%+v: %v, ids %s and %s", d, err, d.ID, again.ID)
		}
	}
}

// TestDeadLetter names what it is about, and nothing that is not known.
func TestDeadLetter(t *testing.T) {
	at := time.UnixMilli(1_750_000_000_000)
	d := pipeline.DeadLetter(pipeline.Fault{
		Stage: schemas.StageDecode, Class: "bad", Message: "m", Retryable: true, Conversation: "feishu/t/oc", PageID: "p", ItemPointer: "/1",
		RecordID: "feishu/t/om", Source: &schemas.Record{Topic: "im.raw.pages", Partition: 3, Offset: 9},
	}, at)
	if d.ID != schemas.DeadLetterID(schemas.StageDecode, "p", "/1", "feishu/t/om", "bad") || !d.Retryable || d.ConversationKey != "feishu/t/oc" ||
		d.ContainerKey != nil || *d.PageID != "p" || *d.SourceTopic != "im.raw.pages" || *d.SourcePartition != 3 || *d.SourceOffset != 9 || d.FailedAt != schemas.MillisOf(at) {
		t.Errorf("%+v", d)
	}
}

// skipping is a log whose every read steps over a range.
type skipping struct {
	pipeline.Log
	pipeline.Damaged
}

func (s skipping) Reader(topic string, from int64) pipeline.Reader {
	return skippingReader{s.Log.Reader(topic, from), s.Damaged}
}

type skippingReader struct {
	pipeline.Reader
	pipeline.Damaged
}

func (r skippingReader) Read(ctx context.Context, wait time.Duration, maxBytes int) (pipeline.Batch, error) {
	b, err := r.Reader.Read(ctx, wait, maxBytes)
	b.Skipped = append(b.Skipped, r.Damaged)
	return b, err
}

// TestReadToStopsAtWhatCannotBeRead: who reads a topic whole must not take a part for all of it.
func TestReadToStopsAtWhatCannotBeRead(t *testing.T) {
	l := memlog.New(1, memlog.Faults{})
	l.Append(schemas.Record{Topic: "a"}, schemas.Record{Topic: "a"}, schemas.Record{Topic: "a"})
	for to, damaged := range map[int64]bool{1: false, 2: true, 3: true} {
		log := skipping{l.Own("driver", 0), pipeline.Damaged{First: 1, Last: 1, Why: "CRC"}}
		err := pipeline.ReadTo(t.Context(), log, pipeline.Span{Topic: "a", To: to}, func(*schemas.Record) error { return nil })
		var bad *pipeline.Unreadable
		if errors.As(err, &bad) != damaged || damaged && (bad.Topic != "a" || bad.First != 1 || bad.Last != 1) || !damaged && err != nil {
			t.Errorf("up to %d: %v", to, err)
		}
	}
}
