// Package decode is what the decoders of all platforms read bodies with: lenient JSON, drafts of messages that note every
// repair, text, and the layout of merged forwards. It knows no platform and calls nobody.
package decode

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/valyala/fastjson"
)

// Limits of a JSON text. They are far above what a platform sends and far below what a hostile text could make a
// parser allocate.
const (
	MaxDepth  = fastjson.MaxDepth // objects and arrays within each other
	MaxValues = 2 << 20           // values in one text
)

// Sizes of texts in bytes.
const (
	scanSize = 64 << 10 // from here on a text is looked through before it is parsed
	keptSize = 4 << 20  // up to here a Parser holds on to its memory for the next text
)

// Errors of JSON texts.
var (
	ErrDepth    = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	ErrValues   = fmt.Errorf("more than %d values", MaxValues)
	ErrBrackets = errors.New("brackets do not match")
	ErrString   = errors.New("a string has no end")
	ErrLiteral  = errors.New("a word is not true, false or null")
)

// Parser reads JSON texts (RFC 8259), one at a time, reusing its memory. It is lenient where that costs nothing: raw
// control characters and unknown escapes in strings stand as they are, and of two equal keys the first counts. It is
// not safe for concurrent use.
type Parser struct {
	p      fastjson.Parser
	big    bool
	marked []byte // see Draft.Parse
}

var parsers = sync.Pool{New: func() any { return new(Parser) }}

// Borrow gives a parser that nobody else uses until Return.
func Borrow() *Parser { return parsers.Get().(*Parser) }

// Return ends the use of a borrowed parser and of all that it read.
func (p *Parser) Return() { parsers.Put(p) }

// Parse reads a text. The value, and every string got from it, is valid until the next call.
func (p *Parser) Parse(b []byte) (JSON, error) { return p.ParseString(asString(b)) }

// ParseString is Parse for a string, which may stand in another Parser's memory.
func (p *Parser) ParseString(s string) (JSON, error) {
	if p.big {
		p.p = fastjson.Parser{}
	}
	p.big = len(s) > keptSize
	if len(s) >= scanSize {
		if err := scan(s); err != nil {
			return JSON{}, fmt.Errorf("not JSON that can be read: %w", err)
		}
	}
	v, err := p.p.Parse(s)
	if err != nil {
		// The library's error quotes the text, which may be a message: it is not passed on.
		if err := scan(s); err != nil {
			return JSON{}, fmt.Errorf("not JSON that can be read: %w", err)
		}
		return JSON{}, errNotJSON
	}
	return JSON{v}, nil
}

// asString gives b as a string without copying it. The library copies its input before it reads it, and strings that
// it gives are read-only.
func asString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

var errNotJSON = errors.New("not JSON")

// scan finds what would cost the library much in a long text: it takes some 80 bytes for each value, and it quotes the
// whole rest of the text in its error about a broken word, once for each level above.
func scan(s string) error {
	depth, values := 0, 0
	for i := 0; i < len(s); {
		n := 1
		switch s[i] {
		case '"':
			end := stringEnd(s[i+1:])
			if end < 0 {
				return ErrString
			}
			n = end + 2
		case '{', '[':
			values++
			if depth++; depth > MaxDepth {
				return ErrDepth
			}
		case '}', ']':
			if depth--; depth < 0 {
				return ErrBrackets
			}
		case ',':
			if values++; values > MaxValues {
				return ErrValues
			}
		case 't', 'f', 'n':
			if n = word(s[i:]); n == 0 {
				return ErrLiteral
			}
		}
		i += n
	}
	if depth != 0 {
		return ErrBrackets
	}
	return nil
}

// word gives the length of the literal that s starts with, 0 where it starts with none.
func word(s string) int {
	for _, w := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s, w) {
			return len(w)
		}
	}
	return 0
}

// stringEnd gives the place of the quote that ends a string, of which s is what follows the first quote; -1 where
// there is none.
func stringEnd(s string) int {
	for i := 0; ; i++ {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		k := i
		for k > 0 && s[k-1] == '\\' {
			k--
		}
		if (i-k)%2 == 0 {
			return i
		}
	}
}

// Kind is what a JSON value is.
type Kind uint8

// Kinds of values. Absent is what is not there at all.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

var kindNames = [...]string{
	Absent: "absent", Null: "null", Bool: "a boolean", Number: "a number", String: "a string", Array: "an array", Object: "an object",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind " + strconv.Itoa(int(k))
}

// JSON is one value of a text. The zero value is an absent one; asking the wrong kind of value gives absent ones, "",
// 0 or false, never a panic. It is valid until the next call of its Parser.
type JSON struct{ v *fastjson.Value }

// kinds of the library's types.
var kinds = [...]Kind{
	fastjson.TypeNull: Null, fastjson.TypeObject: Object, fastjson.TypeArray: Array, fastjson.TypeString: String,
	fastjson.TypeNumber: Number, fastjson.TypeTrue: Bool, fastjson.TypeFalse: Bool,
}

// Kind tells what the value is.
func (j JSON) Kind() Kind {
	if j.v == nil {
		return Absent
	}
	return kinds[j.v.Type()]
}

// Told reports whether the value is there and is not null.
func (j JSON) Told() bool { return j.Kind() > Null }

// Get gives a field of an object.
func (j JSON) Get(key string) JSON {
	if j.v == nil || j.v.Type() != fastjson.TypeObject { // of anything else, Object allocates an error
		return JSON{}
	}
	// The library's Get functions take a path and allocate for it in places; these do not.
	o, err := j.v.Object()
	if err != nil {
		return JSON{}
	}
	return JSON{o.Get(key)}
}

// Fields gives the fields of an object in the order of the text. Keys are valid as long as the value is.
func (j JSON) Fields() iter.Seq2[string, JSON] {
	return func(yield func(string, JSON) bool) {
		if j.Kind() != Object {
			return
		}
		o, _ := j.v.Object()
		more := true
		o.Visit(func(key []byte, v *fastjson.Value) {
			more = more && yield(asString(key), JSON{v})
		})
	}
}

// Len gives the number of elements of an array.
func (j JSON) Len() int { return len(j.elements()) }

// At gives an element of an array, absent where i is out of range.
func (j JSON) At(i int) JSON {
	if a := j.elements(); uint(i) < uint(len(a)) {
		return JSON{a[i]}
	}
	return JSON{}
}

// elements gives those of an array.
func (j JSON) elements() []*fastjson.Value {
	if j.v == nil || j.v.Type() != fastjson.TypeArray { // of anything else, Array allocates an error
		return nil
	}
	a, _ := j.v.Array()
	return a
}

// Str gives a string as it was sent: it may hold invalid UTF-8, see Valid.
func (j JSON) Str() (s string, ok bool) {
	if j.v == nil || j.v.Type() != fastjson.TypeString {
		return "", false
	}
	b, _ := j.v.StringBytes()
	return asString(b), true
}

// Int gives a whole number, exactly, from a number or a string of decimal digits. What has a fraction or an exponent,
// or does not fit, is none.
func (j JSON) Int() (n int64, ok bool) {
	if s, ok := j.Str(); ok {
		if n, ok = digits(s); ok {
			return n, true
		}
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	if j.Kind() != Number {
		return 0, false
	}
	n, err := j.v.Int64()
	return n, err == nil
}

// digits reads digits alone, of which there are not too many to fit, as nearly all numbers in strings are.
func digits(s string) (n int64, ok bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return n, true
}

// Bool gives a boolean.
func (j JSON) Bool() (b, ok bool) {
	if j.Kind() != Bool {
		return false, false
	}
	b, err := j.v.Bool()
	return b, err == nil
}

// AppendRaw appends the value as compact JSON; numbers keep their text.
func (j JSON) AppendRaw(dst []byte) []byte {
	if j.v == nil {
		return dst
	}
	return j.v.MarshalTo(dst)
}

// Word gives a string in memory of its own, or the text of a whole number; "" for all else.
func (j JSON) Word() string {
	if s, ok := j.Str(); ok {
		return strings.Clone(s)
	}
	if n, ok := j.Int(); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// Flag reads a boolean that may be absent, which is false, or be sent as a string or a number.
func (j JSON) Flag() (flag, ok bool) {
	if !j.Told() {
		return false, true
	}
	if b, ok := j.Bool(); ok {
		return b, true
	}
	switch j.Word() {
	case "true", "1":
		return true, true
	case "false", "0", "":
		return false, j.Kind() == String || j.Kind() == Number
	}
	return false, false
}
