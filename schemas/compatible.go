package schemas

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/hamba/avro/v2"
)

// Compatible reports why newer must not follow older on one subject, or nil where each can be read as the other.
//
// It is FULL compatibility as Confluent's registry means it, and stricter: a registry lets a changed default, logical
// type or namespace pass, each of which changes what readers get. Fields may only be added, at the top level, with a
// default (nested additions stall some sinks).
func Compatible(older, newer string) error {
	o, err := avro.ParseWithCache(older, "", &avro.SchemaCache{})
	if err != nil {
		return fmt.Errorf("older schema: %w", err)
	}
	n, err := avro.ParseWithCache(newer, "", &avro.SchemaCache{})
	if err != nil {
		return fmt.Errorf("newer schema: %w", err)
	}
	for _, dir := range [][2]avro.Schema{{o, n}, {n, o}} {
		if err := avro.NewSchemaCompatibility().Compatible(dir[0], dir[1]); err != nil {
			return fmt.Errorf("not fully compatible: %w", err)
		}
	}
	var was, is any
	if err := json.Unmarshal([]byte(older), &was); err != nil {
		return fmt.Errorf("older schema: %w", err)
	}
	if err := json.Unmarshal([]byte(newer), &is); err != nil {
		return fmt.Errorf("newer schema: %w", err)
	}
	return kept("", was, is, true)
}

// kept reports what of a schema's tree was changed that must stay; at top, fields may be added.
func kept(path string, was, is any, top bool) error {
	switch w := was.(type) {
	case map[string]any:
		i, ok := is.(map[string]any)
		if !ok {
			return fmt.Errorf("%s changed its type", path)
		}
		return keptObject(path, w, i, top)
	case []any:
		i, ok := is.([]any)
		if !ok || len(i) != len(w) {
			return fmt.Errorf("%s changed its branches", path)
		}
		for k := range w {
			if err := kept(path, w[k], i[k], false); err != nil {
				return err
			}
		}
		return nil
	default:
		if was != is {
			return fmt.Errorf("%s changed from %v to %v", path, was, is)
		}
		return nil
	}
}

func keptObject(path string, was, is map[string]any, top bool) error {
	if !reflect.DeepEqual(was["default"], is["default"]) {
		return fmt.Errorf("%s: default changed from %v to %v", path, was["default"], is["default"])
	}
	for _, k := range []string{"type", "name", "namespace", "logicalType", "items", "values", "default"} {
		w, had := was[k]
		i, has := is[k]
		if had != has {
			return fmt.Errorf("%s: %s was added or removed", path, k)
		}
		if had && k != "default" {
			if err := kept(path+"/"+k, w, i, false); err != nil {
				return err
			}
		}
	}
	fields, _ := was["fields"].([]any)
	newFields, _ := is["fields"].([]any)
	if len(newFields) != len(fields) && !top {
		return fmt.Errorf("%s: fields of a nested record were added or removed", path)
	}
	for _, f := range fields {
		name := f.(map[string]any)["name"]
		k := slices.IndexFunc(newFields, func(n any) bool { return n.(map[string]any)["name"] == name })
		if k < 0 {
			return fmt.Errorf("%s/%v was removed", path, name)
		}
		if err := kept(fmt.Sprintf("%s/%v", path, name), f, newFields[k], false); err != nil {
			return err
		}
	}
	return nil
}
