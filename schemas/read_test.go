package schemas_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/hamba/avro/v2"

	"chatlake/schemas"
)

// decoders are those of readers of the topics.
var decoders = map[*schemas.Schema]*schemas.Decoder{}

func init() {
	for _, s := range []*schemas.Schema{schemas.ContainerSchema, schemas.CheckpointSchema} {
		decoders[s] = schemas.NewDecoder(s, func(context.Context, int) (string, error) { return s.Text, nil })
	}
}

// byHand decodes a body as readers of the topic do, byLibrary through the library; both give what came of it.
func byHand(t testing.TB, s *schemas.Schema, body []byte, v any) error {
	t.Helper()
	return decoders[s].Decode(t.Context(), append([]byte{0, 0, 0, 0, 1}, body...), v)
}

// same holds the hand-written reader against the library.
func same[T any](t testing.TB, s *schemas.Schema, body []byte) {
	t.Helper()
	var hand, library T
	one, other := byHand(t, s, body, &hand), s.Decode(body, &library)
	if (one == nil) != (other == nil) {
		t.Fatalf("%x: by hand %v, by the library %v", body, one, other)
	}
	if one == nil && !reflect.DeepEqual(hand, library) {
		t.Fatalf("%x: by hand %+v, by the library %+v", body, hand, library)
	}
}

func bodies(t testing.TB) (containers, checkpoints [][]byte) {
	t.Helper()
	body := func(s *schemas.Schema, v schemas.Validator) []byte {
		framed, err := s.Append(nil, 1, v)
		if err != nil {
			t.Fatal(err)
		}
		return framed[5:]
	}
	many := fullContainer()
	many.Kind, many.Platform = schemas.KindMessages, schemas.Yunxin
	for i := range 300 {
		many.Refs = append(many.Refs, schemas.MessageRef{MessageID: fmt.Sprint(i), CreatedAt: ptr(schemas.Millis(i))})
	}
	for _, c := range []*schemas.Container{fullContainer(), minimalContainer(), many} {
		containers = append(containers, body(schemas.ContainerSchema, c))
	}
	return containers, [][]byte{body(schemas.CheckpointSchema, fullCheckpoint()), body(schemas.CheckpointSchema, &schemas.Checkpoint{
		ContainerKey: "a", Epoch: 1, State: schemas.StatePending,
	})}
}

// TestReadByHand holds what is read by hand against the library, on samples and on thousands of mutations of them.
func TestReadByHand(t *testing.T) {
	containers, checkpoints := bodies(t)
	chance := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		same[schemas.Container](t, schemas.ContainerSchema, mutated(chance, containers))
		same[schemas.Checkpoint](t, schemas.CheckpointSchema, mutated(chance, checkpoints))
	}
	for i := range containers {
		same[schemas.Container](t, schemas.ContainerSchema, containers[i])
	}
	for i := range checkpoints {
		same[schemas.Checkpoint](t, schemas.CheckpointSchema, checkpoints[i])
	}
}

func mutated(chance *rand.Rand, samples [][]byte) []byte {
	b := slices.Clone(samples[chance.IntN(len(samples))])
	for range 1 + chance.IntN(3) {
		at := chance.IntN(len(b))
		switch chance.IntN(4) {
		case 0:
			b[at] = byte(chance.IntN(256))
		case 1:
			b = b[:at+1]
		case 2:
			b = slices.Insert(b, at, byte(chance.IntN(256)))
		case 3:
			b[at] ^= 1 << chance.IntN(8)
		}
	}
	return b
}

// TestEarlierContainersAreReadByHand holds what is read by hand of containers without resume against the library.
func TestEarlierContainersAreReadByHand(t *testing.T) {
	older := released(t, "container")[0]
	hand := schemas.NewDecoder(schemas.ContainerSchema, fixed(older))
	library, err := avro.ParseWithCache(older, "", &avro.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	var containers [][]byte
	for _, c := range []*schemas.Container{fullContainer(), minimalContainer()} {
		b, err := avro.Marshal(library, c)
		if err != nil {
			t.Fatal(err)
		}
		containers = append(containers, b)
		want := *c
		want.Resume = false
		var got schemas.Container
		if err := hand.Decode(t.Context(), append([]byte{0, 0, 0, 0, 0}, b...), &got); err != nil || !reflect.DeepEqual(&got, settled(&want)) {
			t.Errorf("read %+v, %v; want %+v", got, err, want)
		}
	}
	chance := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		b := mutated(chance, containers)
		var one, other schemas.Container
		errHand := hand.Decode(t.Context(), append([]byte{0, 0, 0, 0, 0}, b...), &one)
		// A body without resume is one with resume false, but for its last byte.
		errOwn := schemas.ContainerSchema.Decode(append(slices.Clone(b), 0), &other)
		if (errHand == nil) != (errOwn == nil) || errHand == nil && !reflect.DeepEqual(one, other) {
			t.Fatalf("%x: without resume %+v, %v; with it %+v, %v", b, one, errHand, other, errOwn)
		}
	}
}

// TestEarlierReadersIgnoreResume reads what is written today as a worker of the first release does.
func TestEarlierReadersIgnoreResume(t *testing.T) {
	parse := func(text string) avro.Schema {
		s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	schema, err := avro.NewSchemaCompatibility().Resolve(parse(released(t, "container")[0]), parse(schemas.ContainerSchema.Text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*schemas.Container{fullContainer(), minimalContainer()} {
		var got map[string]any
		if err := avro.Unmarshal(schema, body(t, schemas.ContainerSchema, c), &got); err != nil {
			t.Fatal(err)
		}
		want := tree(reflect.ValueOf(c).Elem()).(map[string]any)
		delete(want, "resume")
		if !reflect.DeepEqual(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	}
}

func FuzzReadByHand(f *testing.F) {
	containers, checkpoints := bodies(f)
	for _, b := range append(containers, checkpoints...) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		same[schemas.Container](t, schemas.ContainerSchema, b)
		same[schemas.Checkpoint](t, schemas.CheckpointSchema, b)
	})
}
