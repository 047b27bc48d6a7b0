package extract_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// TestContainerThatNobodyCanRead has a container's record damaged: it is a dead letter that names its offset, once, and the
// containers before and after it are read.
func TestContainerThatNobodyCanRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := ""
		r := newRig(t, 1, memlog.Faults{Unreadable: func(rec *schemas.Record) bool { return rec.Topic == topics.Containers && rec.Key == broken }})
		first, bad, last := r.chat(0), r.chat(1), r.chat(2)
		broken = bad.Key
		r.add(first, bad, last)
		r.toTheEnd()
		r.toTheEnd()
		if n := len(r.log.Records(topics.RawPages, 0)); n != 2 {
			t.Errorf("%d pages, want those of two containers", n)
		}
		dead := r.log.Records(topics.DeadLetters, 0)
		if len(dead) != 1 {
			t.Fatalf("%d dead letters, want one", len(dead))
		}
		d := decoded[schemas.DeadLetter](t, schemas.DeadLetterSchema, &dead[0])
		if d.ErrorClass != "unreadable" || d.SourceOffset == nil || *d.SourceOffset != 1 || !strings.Contains(d.ErrorMessage, "offsets 1 to 1") {
			t.Errorf("%+v", d)
		}
	})
}

// TestCheckpointThatNobodyCanRead ends a session: reading on from an older checkpoint would repeat pages.
func TestCheckpointThatNobodyCanRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		damaged := false
		r := newRig(t, 1, memlog.Faults{Unreadable: func(rec *schemas.Record) bool { return damaged && rec.Topic == topics.Checkpoints }})
		r.add(r.chat(0))
		r.toTheEnd()
		before := len(r.log.Records(topics.RawPages, 0))
		damaged = true
		if err := r.session(t.Context()); err == nil || !strings.Contains(err.Error(), "checkpoints are damaged") {
			t.Errorf("%v", err)
		}
		if n := len(r.log.Records(topics.RawPages, 0)); n != before {
			t.Errorf("%d pages, want %d", n, before)
		}
	})
}

// TestCheckpointThatCannotBeDecoded ends a session only where no newer one of its container can be read.
func TestCheckpointThatCannotBeDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		c := r.chat(0)
		r.add(c)
		r.toTheEnd()
		pages := len(r.log.Records(topics.RawPages, 0))
		good := r.log.Records(topics.Checkpoints, 0)
		newest := good[len(good)-1]
		r.log.Append(schemas.Record{Topic: topics.Checkpoints, Partition: 0, Key: c.Key, Value: []byte{9}})
		if err := r.session(t.Context()); err == nil || !strings.Contains(err.Error(), c.Key) {
			t.Errorf("the newest cannot be decoded: %v", err)
		}
		r.log.Append(schemas.Record{Topic: topics.Checkpoints, Partition: 0, Key: c.Key, Value: newest.Value})
		r.toTheEnd()
		if n := len(r.log.Records(topics.RawPages, 0)); n != pages {
			t.Errorf("%d pages, want %d", n, pages)
		}
	})
}
