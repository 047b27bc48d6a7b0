package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGeneratedFilesAreCurrent(t *testing.T) {
	files, err := generate(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join("..", name)) })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("schemas/%s does not follow from the schemas: run go generate ./schemas", name)
		}
	}
}

// What sinks cannot take, or the generator would get wrong, is refused by the field's name.
func TestTypesThatRecordsDoNotUse(t *testing.T) {
	for name, typ := range map[string]string{
		"int":                        `"int"`,
		"double":                     `"double"`,
		"union of two types":         `["null", "string", "long"]`,
		"null last":                  `["string", "null"]`,
		"optional record":            `["null", {"type": "record", "name": "R", "fields": [{"name": "f", "type": "string"}]}]`,
		"list of numbers":            `{"type": "array", "items": "long"}`,
		"enum":                       `{"type": "enum", "name": "E", "symbols": ["A"]}`,
		"map of numbers":             `{"type": "map", "values": "long"}`,
		"record within inner record": `{"type": "record", "name": "R", "fields": [{"name": "f", "type": {"type": "record", "name": "S", "fields": []}}]}`,
		"name of no record":          `"Unknown"`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]byte(`{"type": "record", "name": "Top", "fields": [{"name": "odd", "type": ` + typ + `}]}`))
			if err == nil || !strings.Contains(err.Error(), "odd") && !strings.Contains(err.Error(), "R.f") {
				t.Errorf("%v", err)
			}
		})
	}
}
