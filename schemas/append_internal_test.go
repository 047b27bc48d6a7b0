package schemas

import (
	"bytes"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/hamba/avro/v2"
)

// fill sets every field to something random: pointers to nil now and then, lists to lengths around a block's.
func fill(v reflect.Value, chance *rand.Rand) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), chance)
		}
	case reflect.Pointer:
		if chance.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), chance)
		}
	case reflect.Slice:
		n := []int{0, 0, 1, 2, 3, 99, 100, 101, 250}[chance.IntN(9)]
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), chance)
		}
	case reflect.String:
		v.SetString(string(bytes.Repeat([]byte("é€x"), chance.IntN(40))))
	case reflect.Bool:
		v.SetBool(chance.IntN(2) == 0)
	case reflect.Int64:
		v.SetInt(int64(chance.Uint64()) >> chance.IntN(64))
	default:
		panic("a kind of field that the encoder does not know: " + v.Kind().String())
	}
}

func TestEncoderGivesTheLibrarysBytes(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range 60 {
		var m Message
		if i > 0 {
			fill(reflect.ValueOf(&m).Elem(), chance)
		}
		w := avro.NewWriter(io.Discard, 4096, avro.WithWriterConfig(api))
		w.WriteVal(MessageSchema.wire.schema, &m)
		if w.Error != nil {
			t.Fatal(w.Error)
		}
		var b body
		b.appendMessage(&m)
		if !bytes.Equal(b, w.Buffer()) {
			t.Fatalf("message %d: %d bytes, the library gives %d", i, len(b), len(w.Buffer()))
		}
	}
}
