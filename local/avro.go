package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// canonical reads a schema's text, refuses what is no Avro schema (https://avro.apache.org/docs/1.12.0/specification/),
// and gives the form by which two texts are the same schema: without white space and with object keys in order.
func canonical(text string) (string, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("not JSON: more than one value")
	}
	if _, err := (names{}).check(tree, "", "schema"); err != nil {
		return "", err
	}
	out, err := json.Marshal(tree)
	if err != nil {
		return "", fmt.Errorf("not JSON: %w", err)
	}
	return string(out), nil
}

var primitives = map[string]bool{
	"null": true, "boolean": true, "int": true, "long": true, "float": true, "double": true, "bytes": true, "string": true,
}

var avroName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// names are the full names defined so far.
type names map[string]bool

// check refuses a broken schema. It returns what tells a branch of a union from the others: a full name or a type.
func (n names) check(tree any, namespace, at string) (string, error) {
	switch s := tree.(type) {
	case string:
		return n.reference(s, namespace, at)
	case []any:
		return "union", n.union(s, namespace, at)
	case map[string]any:
		return n.object(s, namespace, at)
	}
	return "", fmt.Errorf("%s: neither a name nor an array nor an object", at)
}

func (n names) reference(name, namespace, at string) (string, error) {
	if primitives[name] {
		return name, nil
	}
	for _, full := range []string{fullName(name, namespace), name} {
		if n[full] {
			return full, nil
		}
	}
	return "", fmt.Errorf("%s: %q is neither a primitive type nor defined before", at, name)
}

func (n names) union(branches []any, namespace, at string) error {
	seen := map[string]bool{}
	for i, b := range branches {
		kind, err := n.check(b, namespace, fmt.Sprintf("%s[%d]", at, i))
		if err != nil {
			return err
		}
		if kind == "union" || seen[kind] {
			return fmt.Errorf("%s[%d]: a union holds no union and no type twice (%s)", at, i, kind)
		}
		seen[kind] = true
	}
	return nil
}

func (n names) object(s map[string]any, namespace, at string) (string, error) {
	kind, ok := s["type"].(string)
	if !ok {
		if s["type"] == nil {
			return "", fmt.Errorf("%s: no type", at)
		}
		return n.check(s["type"], namespace, at)
	}
	switch kind {
	case "array":
		_, err := n.check(s["items"], namespace, at+".items")
		return kind, err
	case "map":
		_, err := n.check(s["values"], namespace, at+".values")
		return kind, err
	case "record", "error", "enum", "fixed":
		return n.named(s, kind, namespace, at)
	}
	return n.reference(kind, namespace, at)
}

func (n names) named(s map[string]any, kind, namespace, at string) (string, error) {
	if own, ok := s["namespace"].(string); ok {
		namespace = own
	}
	name, _ := s["name"].(string)
	full := fullName(name, namespace)
	for part := range strings.SplitSeq(full, ".") {
		if !avroName.MatchString(part) {
			return "", fmt.Errorf("%s: %q is not a name", at, full)
		}
	}
	if n[full] || primitives[full] {
		return "", fmt.Errorf("%s: %s is defined twice", at, full)
	}
	n[full] = true
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		namespace = full[:i]
	}
	switch kind {
	case "fixed":
		if size, ok := s["size"].(json.Number); !ok || !regexp.MustCompile(`^[0-9]+$`).MatchString(size.String()) {
			return "", fmt.Errorf("%s: fixed %s has no size", at, full)
		}
		return full, nil
	case "enum":
		return full, distinctNames(s["symbols"], full+".symbols", func(e any) any { return e })
	}
	return full, n.fields(s["fields"], namespace, full)
}

func (n names) fields(list any, namespace, at string) error {
	err := distinctNames(list, at+".fields", func(e any) any {
		field, _ := e.(map[string]any)
		return field["name"]
	})
	if err != nil {
		return err
	}
	for _, e := range list.([]any) {
		field := e.(map[string]any)
		if _, err := n.check(field["type"], namespace, fmt.Sprintf("%s.%s", at, field["name"])); err != nil {
			return err
		}
	}
	return nil
}

// distinctNames refuses what is not an array of things with names, each once.
func distinctNames(list any, at string, nameOf func(any) any) error {
	elements, ok := list.([]any)
	if !ok {
		return fmt.Errorf("%s: not an array", at)
	}
	seen := map[string]bool{}
	for i, e := range elements {
		name, _ := nameOf(e).(string)
		if !avroName.MatchString(name) || seen[name] {
			return fmt.Errorf("%s[%d]: %q is not a name or stands twice", at, i, name)
		}
		seen[name] = true
	}
	return nil
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}
