package main

import (
	"bytes"
	"fmt"
	"go/format"
	"strings"
)

const header = "// Code generated from the .avsc files by go generate; DO NOT EDIT.\n\npackage schemas\n"

// generate gives the files by name; read gives a schema's text.
func generate(read func(name string) ([]byte, error)) (map[string][]byte, error) {
	var structs, checks, encoder bytes.Buffer
	for _, name := range []string{"container", "checkpoint", "deadletter", "message"} {
		text, err := read(name + ".avsc")
		if err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		records, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s.avsc: %w", name, err)
		}
		for _, r := range records {
			r.writeStruct(&structs)
			r.writeCheck(&checks)
			if name == "message" {
				r.writeEncoder(&encoder)
			}
		}
	}
	files := map[string][]byte{}
	for name, b := range map[string]*bytes.Buffer{"records_gen.go": &structs, "texts_gen.go": &checks, "append_gen.go": &encoder} {
		text, err := format.Source(append([]byte(header), b.Bytes()...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = text
	}
	return files, nil
}

func (r *record) writeStruct(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n// %s: %s\ntype %s struct {\n", r.Name, lowerFirst(r.Doc), r.Name)
	for _, f := range r.Fields {
		prefix, tag := "", f.Name
		switch {
		case f.of.list:
			prefix = "[]"
		case f.of.optional:
			prefix = "*"
		}
		if f.of.name == "bytes" {
			tag += ",omitempty" // a body is shown by itself, not within JSON
		}
		fmt.Fprintf(b, "\t// %s\n\t%s %s%s `avro:%q json:%q`\n", f.Doc, goName(f.Name), prefix, f.of.goType(), f.Name, tag)
	}
	b.WriteString("}\n")
}

// writeCheck writes the check that all texts of a record are UTF-8 and within bounds.
func (r *record) writeCheck(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nfunc (c *check) texts%s(v *%s) {\n", r.Name, r.Name)
	for _, f := range r.Fields {
		v := "v." + goName(f.Name)
		switch {
		case f.of.list:
			fmt.Fprintf(b, "c.items(%q, len(%s))\nfor i := range %s {\n", f.Name, v, v)
			if f.of.record {
				fmt.Fprintf(b, "c.within = %q\nc.texts%s(&%s[i])\n}\nc.within = \"\"\n", f.Name+"/", f.of.name, v)
			} else {
				fmt.Fprintf(b, "c.text(%q, %s[i])\n}\n", f.Name, v)
			}
		case f.of.record:
			fmt.Fprintf(b, "c.within = %q\nc.texts%s(&%s)\nc.within = \"\"\n", f.Name+"/", f.of.name, v)
		case f.of.name == "attributes": // a field of that name in every record
			fmt.Fprintf(b, "c.attributes(%s)\n", v)
		case f.of.name == "string" && f.of.optional:
			fmt.Fprintf(b, "c.optional(%q, %s)\n", f.Name, v)
		case f.of.name == "string":
			fmt.Fprintf(b, "c.text(%q, %s)\n", f.Name, v)
		}
	}
	b.WriteString("}\n")
}

func (r *record) writeEncoder(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nfunc (b *body) append%s(v *%s) {\n", r.Name, r.Name)
	for _, f := range r.Fields {
		v := "v." + goName(f.Name)
		switch {
		case f.of.list && f.of.record:
			fmt.Fprintf(b, "b.items(len(%s), func(i int) { b.append%s(&%s[i]) })\n", v, f.of.name, v)
		case f.of.list:
			fmt.Fprintf(b, "b.items(len(%s), func(i int) { b.%s(%s[i]) })\n", v, f.of.name, v)
		case f.of.record:
			fmt.Fprintf(b, "b.append%s(&%s)\n", f.of.name, v)
		case f.of.optional:
			fmt.Fprintf(b, "b.opt%s%s(%s)\n", strings.ToUpper(f.of.name[:1]), f.of.name[1:], v)
		default:
			fmt.Fprintf(b, "b.%s(%s)\n", f.of.name, v)
		}
	}
	b.WriteString("}\n")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
