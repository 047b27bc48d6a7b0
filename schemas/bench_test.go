package schemas_test

import (
	"testing"

	"chatlake/schemas"
)

func BenchmarkMessageEncode(b *testing.B) {
	m := typicalMessage()
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = schemas.MessageSchema.Append(buf[:0], 7, m); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkMessageDecode(b *testing.B) {
	avro := body(b, schemas.MessageSchema, typicalMessage())
	b.SetBytes(int64(len(avro)))
	b.ReportAllocs()
	for b.Loop() {
		var m schemas.Message
		if err := schemas.MessageSchema.Decode(avro, &m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMessageEncodeDecode(b *testing.B) {
	m := typicalMessage()
	var buf []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = schemas.MessageSchema.Append(buf[:0], 7, m); err != nil {
			b.Fatal(err)
		}
		var got schemas.Message
		if err := schemas.MessageSchema.Decode(buf[5:], &got); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkFingerprint(b *testing.B) {
	m := typicalMessage()
	b.ReportAllocs()
	for b.Loop() {
		m.Fingerprint()
	}
}
