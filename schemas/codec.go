package schemas

import (
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/hamba/avro/v2"
)

// Limits of what is read and written. They are far above what a record of ours holds and far below what a hostile value
// could make a reader allocate.
const (
	maxString = 16 << 20 // bytes in one string or bytes field
	maxItems  = 1 << 17  // items in one array

	// maxMessage bounds all texts of a message together: topics take records of 32 MiB.
	maxMessage = 30 << 20
)

// api is the one configuration of the Avro library: arrays without a byte count before each block, which every reader
// understands, and limits on what a value may claim.
var api = avro.Config{
	DisableBlockSizeHeader: true,
	MaxByteSliceSize:       maxString,
	MaxSliceAllocSize:      maxItems,
}.Freeze()

// Schema is one record type of chatlake.v1.
type Schema struct {
	Name string // container, checkpoint, message or deadletter
	Text string // the schema as it is registered
	wire reading
}

// reading is how bodies of one writer's schema are read: what they must look like, and what the library reads them by.
type reading struct {
	shape  *shape
	schema avro.Schema
	own    bool // it is our own schema, see readOwn
}

//go:embed container.avsc
var containerText string

//go:embed checkpoint.avsc
var checkpointText string

//go:embed message.avsc
var messageText string

//go:embed deadletter.avsc
var deadLetterText string

// The four record types.
var (
	ContainerSchema  = newSchema("container", containerText)
	CheckpointSchema = newSchema("checkpoint", checkpointText)
	MessageSchema    = newSchema("message", messageText)
	DeadLetterSchema = newSchema("deadletter", deadLetterText)
)

// Schemas lists the record types.
func Schemas() []*Schema {
	return []*Schema{ContainerSchema, CheckpointSchema, MessageSchema, DeadLetterSchema}
}

func newSchema(name, text string) *Schema {
	wire, err := parseReading(text)
	if err != nil {
		// The texts are compiled in; one that does not parse fails the first test of any package.
		panic(fmt.Sprintf("schema %s: %v", name, err))
	}
	return &Schema{Name: name, Text: text, wire: wire}
}

func parseReading(text string) (reading, error) {
	schema, err := parseWire(text)
	if err != nil {
		return reading{}, err
	}
	s, err := shapeOf(schema)
	return reading{shape: s, schema: schema}, err
}

// parseWire parses a schema with every map<string> read as an array of Attribute, see Attributes.
func parseWire(text string) (avro.Schema, error) {
	if len(text) > maxSchemaText {
		return nil, fmt.Errorf("%w: its text has %d bytes, %d are read", ErrSchema, len(text), maxSchemaText)
	}
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	if deeper(tree, maxSchemaDepth) {
		return nil, fmt.Errorf("%w: it nests deeper than %d levels", ErrSchema, maxSchemaDepth)
	}
	named := false
	b, err := json.Marshal(ordered(tree, &named))
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	// A cache of its own: the library's global one lets schemas of one full name replace each other.
	s, err := avro.ParseWithCache(string(b), "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	return s, nil
}

// deeper reports whether a parsed schema has more than so many levels: the library's cost grows with their square.
func deeper(node any, levels int) bool {
	if levels < 0 {
		return true
	}
	switch n := node.(type) {
	case []any:
		for _, e := range n {
			if deeper(e, levels-1) {
				return true
			}
		}
	case map[string]any:
		for _, e := range n {
			if deeper(e, levels-1) {
				return true
			}
		}
	}
	return false
}

// ordered replaces each map<string> in a parsed schema by an array of Attribute; named says that Attribute stands
// defined already.
func ordered(node any, named *bool) any {
	switch n := node.(type) {
	case []any:
		for i := range n {
			n[i] = ordered(n[i], named)
		}
	case map[string]any:
		if n["type"] == "map" && n["values"] == "string" {
			return attributeArray(named)
		}
		if fields, ok := n["fields"].([]any); ok {
			for _, f := range fields {
				field, ok := f.(map[string]any)
				if !ok {
					continue
				}
				field["type"] = ordered(field["type"], named)
				if d, ok := field["default"].(map[string]any); ok && len(d) == 0 {
					field["default"] = []any{}
				}
			}
			return n
		}
		if items, ok := n["items"]; ok {
			n["items"] = ordered(items, named)
		}
	}
	return node
}

func attributeArray(named *bool) any {
	if *named {
		return map[string]any{"type": "array", "items": "chatlake.v1.Attribute"}
	}
	*named = true
	str := func(name string) any { return map[string]any{"name": name, "type": "string"} }
	return map[string]any{"type": "array", "items": map[string]any{
		"type": "record", "name": "Attribute", "namespace": "chatlake.v1", "fields": []any{str("key"), str("value")},
	}}
}

// Validator is a record that can tell whether it may be written.
type Validator interface{ Validate() error }

// frameSize is the length of what precedes an Avro body: a zero byte and the schema's id, four bytes big-endian
// (Confluent's wire format).
const frameSize = 5

var writers = sync.Pool{New: func() any { return avro.NewWriter(io.Discard, 4096, avro.WithWriterConfig(api)) }}

// Append validates v, a pointer to a struct of this type, and appends it in Confluent framing under the schema id that
// the registry gave. On error dst comes back as it was.
func (s *Schema) Append(dst []byte, id int, v Validator) ([]byte, error) {
	if err := v.Validate(); err != nil {
		return dst, fmt.Errorf("%s is not valid: %w", s.Name, err)
	}
	if m, ok := v.(*Message); ok && s == MessageSchema {
		b := body(binary.BigEndian.AppendUint32(append(dst, 0), uint32(id)))
		b.appendMessage(m)
		return b, nil
	}
	w := writers.Get().(*avro.Writer)
	w.Reset(io.Discard)
	w.Error = nil // Reset leaves an earlier error standing.
	w.WriteVal(s.wire.schema, v)
	if w.Error != nil {
		// A writer that failed is dropped: what it holds is not known.
		return dst, fmt.Errorf("encode %s: %w", s.Name, w.Error)
	}
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(id))
	dst = append(dst, w.Buffer()...)
	writers.Put(w)
	return dst, nil
}

// Errors of reading a framed value.
var (
	ErrFrame     = errors.New("not in Confluent framing")
	ErrTruncated = errors.New("avro body ends early")
	ErrTrailing  = errors.New("bytes after the avro body")
)

// Frame splits a value into the id of its writer's schema and its Avro body.
func Frame(value []byte) (id int, body []byte, err error) {
	if len(value) < frameSize || value[0] != 0 {
		return 0, nil, ErrFrame
	}
	return int(binary.BigEndian.Uint32(value[1:frameSize])), value[frameSize:], nil
}

// Decode reads an Avro body that was written with this very schema into v, a pointer to a zero struct. A body that ends
// early or goes on is refused.
func (s *Schema) Decode(body []byte, v any) error {
	if err := strictDecode(s.wire, body, v); err != nil {
		return fmt.Errorf("decode %s: %w", s.Name, err)
	}
	return nil
}

// strictDecode refuses what the library lets pass: a body cut short, one with bytes left over, and one that claims more
// than it holds. A panic of the library on hostile input becomes an error.
func strictDecode(by reading, body []byte, v any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("avro library: %v", p)
		}
	}()
	if err := by.shape.check(body); err != nil {
		return err
	}
	r := avro.NewReader(nil, 0, avro.WithReaderConfig(api))
	r.Reset(body)
	r.ReadVal(by.schema, v)
	if r.Error != nil {
		return r.Error
	}
	if r.Peek(); !errors.Is(r.Error, io.EOF) {
		return ErrTrailing
	}
	return nil
}

// Sum tells this schema from others: 16 hex digits.
func (s *Schema) Sum() string { return digest(s.Text)[:16] }
