package schemas

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/sr"
)

// ErrNoAnswer says that the registry did not say whether it holds a schema: asking again may help. What has no ErrNoAnswer
// is the fault of the record that names the schema.
var ErrNoAnswer = errors.New("the registry does not answer at present")

// Lookup gives the text of the schema that has an id in the registry.
type Lookup func(ctx context.Context, id int) (string, error)

// Decoder reads framed values of one record type, whichever version of its schema they were written with. It may be
// used by several goroutines.
type Decoder struct {
	schema *Schema
	lookup Lookup

	mu      sync.RWMutex
	writers map[int]writer // by id
}

// writer is how bodies of one writer's schema are read into our struct, or why they never can be.
type writer struct {
	reading
	refused error
}

// maxWriters bounds what is remembered of schema ids: records may name as many as they like.
const maxWriters = 1024

// NewDecoder returns a decoder of s that asks lookup once for each schema id that it meets.
func NewDecoder(s *Schema, lookup Lookup) *Decoder {
	return &Decoder{schema: s, lookup: lookup, writers: map[int]writer{}}
}

// Decode reads a framed value into v, a pointer to a zero struct of the decoder's type.
func (d *Decoder) Decode(ctx context.Context, value []byte, v any) error {
	id, body, err := Frame(value)
	if err != nil {
		return fmt.Errorf("decode %s: %w", d.schema.Name, err)
	}
	w, err := d.writer(ctx, id)
	if err == nil {
		err = w.refused
	}
	if err != nil {
		return fmt.Errorf("decode %s: schema id %d: %w", d.schema.Name, id, err)
	}
	if w.own > 0 {
		if known, err := readOwn(body, w.own, v); known {
			if err != nil {
				err = fmt.Errorf("decode %s: %w", d.schema.Name, err)
			}
			return err
		}
	}
	if err := strictDecode(w.reading, body, v); err != nil {
		return fmt.Errorf("decode %s: %w", d.schema.Name, err)
	}
	return nil
}

// writer fails only where the registry did not give the schema; a schema that cannot be used is remembered as refused.
func (d *Decoder) writer(ctx context.Context, id int) (writer, error) {
	d.mu.RLock()
	w, ok := d.writers[id]
	d.mu.RUnlock()
	if ok {
		return w, nil
	}
	text, err := d.lookup(ctx, id)
	if err != nil {
		var re *sr.ResponseError
		if errors.As(err, &re) && re.StatusCode != http.StatusNotFound && re.StatusCode != http.StatusUnprocessableEntity && !errors.Is(err, ErrNoAnswer) {
			err = fmt.Errorf("%w: %w", ErrNoAnswer, err)
		}
		return writer{}, err
	}
	w.reading, w.refused = resolve(d.schema.wire.schema, text)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.writers) >= maxWriters {
		clear(d.writers)
	}
	d.writers[id] = w
	return w, nil
}

// resolve gives how bodies written with the schema in text are read as reader wants them.
func resolve(reader avro.Schema, text string) (reading, error) {
	writer, err := parseReading(text)
	if err != nil {
		return writer, err
	}
	writer.own = leading(reader, writer.schema)
	if writer.schema.Fingerprint() == reader.Fingerprint() {
		return writer, nil
	}
	writer.schema, err = avro.NewSchemaCompatibility().Resolve(reader, writer.schema)
	if err != nil {
		return writer, fmt.Errorf("cannot be read as %s: %w", reader.(avro.NamedSchema).FullName(), err)
	}
	return writer, nil
}

// leading gives how many fields a writer's schema has where they are the first ones of the reader's, as in a release before
// the last fields came, else 0.
func leading(reader, writer avro.Schema) int {
	r, known := reader.(*avro.RecordSchema)
	w, ok := writer.(*avro.RecordSchema)
	if !known || !ok || r.FullName() != w.FullName() || len(w.Fields()) > len(r.Fields()) {
		return 0
	}
	if n := len(w.Fields()); n < len(r.Fields()) && (r.Name() != "Container" || n < containerFields) {
		return 0
	}
	for i, f := range w.Fields() {
		if own := r.Fields()[i]; f.Name() != own.Name() || f.Type().Fingerprint() != own.Type().Fingerprint() {
			return 0
		}
	}
	return len(w.Fields())
}
