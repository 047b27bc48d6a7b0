package schemas_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"chatlake/schemas"
)

func FuzzDecodeMessage(f *testing.F) {
	for _, m := range []*schemas.Message{fullMessage(), minimalMessage(), typicalMessage()} {
		f.Add(body(f, schemas.MessageSchema, m))
	}
	f.Add([]byte{})
	f.Add([]byte(uptoRefs().long(1 << 40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m schemas.Message
		if err := schemas.MessageSchema.Decode(b, &m); err != nil {
			return
		}
		value, err := schemas.MessageSchema.Append(nil, 1, &m)
		if err != nil {
			return // readable, but not a message that we would write
		}
		var again schemas.Message
		if err := schemas.MessageSchema.Decode(value[5:], &again); err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("read as %+v, written and read again as %+v, %v", m, again, err)
		}
	})
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 1, 2})
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, value []byte) {
		id, b, err := schemas.Frame(value)
		if err != nil {
			if !errors.Is(err, schemas.ErrFrame) || len(value) >= 5 && value[0] == 0 {
				t.Errorf("%x: %v", value, err)
			}
			return
		}
		if want := []byte{0, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}; !bytes.Equal(append(want, b...), value) {
			t.Errorf("%x is id %d and %x", value, id, b)
		}
	})
}

func FuzzParsePage(f *testing.F) {
	r := fullPage().Record("im.raw.pages", 12)
	for _, h := range r.Headers {
		f.Add(r.Key, h.Key, h.Value)
	}
	f.Add("k", "ce_time", []byte("2023-13-99"))
	f.Add("\xff", "ce_id", []byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, key, name string, value []byte) {
		r := fullPage().Record("im.raw.pages", 12)
		r.Key = key
		r.Headers = append(r.Headers, schemas.Header{Key: name, Value: value})
		p, err := schemas.ParsePage(&r)
		if err != nil {
			if !errors.Is(err, schemas.ErrNotPage) {
				t.Errorf("%v is no ErrNotPage", err)
			}
		}
		// Whatever stood there, what was read can go into a dead letter.
		d := schemas.DeadLetter{
			ID: "id", Stage: schemas.StageNormalize, ErrorClass: "not_a_page", ConversationKey: "c" + string(p.Conversation),
			ContainerKey: (*string)(&p.Container), PageID: &p.ID, FailedAt: schemas.MillisOf(time.Unix(0, 0)),
		}
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
	})
}
