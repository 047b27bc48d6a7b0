package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// record is a record type of a schema.
type record struct {
	Name   string  `json:"name"`
	Doc    string  `json:"doc"`
	Fields []field `json:"fields"`
}

type field struct {
	Name string          `json:"name"`
	Doc  string          `json:"doc"`
	Type json.RawMessage `json:"type"`

	of kind
}

// kind is a field's type, taken apart.
type kind struct {
	name     string // string, long, millis, boolean, bytes, attributes, or a record's name
	optional bool
	list     bool
	record   bool
}

// parse reads a schema and gives its records, the inner ones after the one that holds them.
func parse(text []byte) ([]record, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	records, known := []record{r}, map[string]bool{}
	for i := 0; i < len(records); i++ {
		fields := records[i].Fields
		for j := range fields {
			inner, err := fields[j].take(known)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", records[i].Name, fields[j].Name, err)
			}
			if inner == nil {
				continue
			}
			if i > 0 {
				return nil, fmt.Errorf("%s.%s: a record within a record within a record stalls some sinks", records[i].Name, fields[j].Name)
			}
			known[inner.Name] = true
			records = append(records, *inner)
		}
	}
	return records, nil
}

// take finds out the field's kind; inner is the record that is defined there, if any.
func (f *field) take(known map[string]bool) (inner *record, err error) {
	raw := f.Type
	var union []json.RawMessage
	if json.Unmarshal(raw, &union) == nil {
		if len(union) != 2 || string(union[0]) != `"null"` {
			return nil, fmt.Errorf("%s is a union other than null and one type", raw)
		}
		f.of.optional, raw = true, union[1]
	}
	var complexType struct {
		Type    string          `json:"type"`
		Logical string          `json:"logicalType"`
		Items   json.RawMessage `json:"items"`
		Values  string          `json:"values"`
	}
	if json.Unmarshal(raw, &complexType) == nil && complexType.Type == "array" {
		f.of.list, raw = true, complexType.Items
		complexType.Type, complexType.Logical = "", ""
		_ = json.Unmarshal(raw, &complexType) // of a name this leaves nothing, and the name is looked at below
	}
	var name string
	switch {
	case json.Unmarshal(raw, &name) == nil:
		f.of.name, f.of.record = name, known[name]
	case complexType.Type == "long" && complexType.Logical == "timestamp-millis":
		f.of.name = "millis"
	case complexType.Type == "map" && complexType.Values == "string":
		f.of.name = "attributes"
	case complexType.Type == "record":
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, fmt.Errorf("parse record: %w", err)
		}
		f.of.name, f.of.record = inner.Name, true
	}
	if !f.of.record && f.of.goType() == "" || f.of.record && f.of.optional || f.of.list && !f.of.record && f.of.name != "string" {
		return nil, fmt.Errorf("%s is a type that records do not use", f.Type)
	}
	return inner, nil
}

// goType is the type of one item, "" where there is none.
func (k kind) goType() string {
	if k.record {
		return k.name
	}
	return map[string]string{
		"string": "string", "long": "int64", "millis": "Millis", "boolean": "bool", "bytes": "[]byte", "attributes": "Attributes",
	}[k.name]
}

// initialisms are written as Go writes them.
var initialisms = map[string]string{"id": "ID", "ids": "IDs", "api": "API", "url": "URL", "md5": "MD5", "json": "JSON"}

// goName is the Go name of a field.
func goName(snake string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(snake, "_") {
		if s, ok := initialisms[part]; ok {
			b.WriteString(s)
			continue
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
