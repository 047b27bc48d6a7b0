package yunxin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// tree is a JSON value whose parts can be changed. A string that holds JSON has that as its only part.
type tree struct {
	kind  byte     // { [ " or v for other scalars
	keys  []string // of an object, quoted
	parts []*tree
	text  string // of a string or scalar
}

func parseTree(t testing.TB, text string) *tree {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	n, err := readTree(d)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return n
}

func readTree(d *json.Decoder) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		n := &tree{kind: byte(token)}
		for d.More() {
			if n.kind == '{' {
				key, err := d.Token()
				if err != nil {
					return nil, err
				}
				n.keys = append(n.keys, quote(key.(string)))
			}
			part, err := readTree(d)
			if err != nil {
				return nil, err
			}
			n.parts = append(n.parts, part)
		}
		_, err = d.Token()
		return n, err
	case string:
		n := &tree{kind: '"', text: token}
		if json.Valid([]byte(token)) && strings.ContainsAny(token[:1], `{["`) {
			inner := json.NewDecoder(strings.NewReader(token))
			inner.UseNumber()
			part, err := readTree(inner)
			if err != nil {
				return nil, err
			}
			n.parts = []*tree{part}
		}
		return n, nil
	case nil:
		return &tree{kind: 'v', text: "null"}, nil
	default:
		return &tree{kind: 'v', text: fmt.Sprint(token)}, nil
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func (n *tree) String() string {
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *tree) write(b *strings.Builder) {
	switch n.kind {
	case '{', '[':
		b.WriteByte(n.kind)
		for i, part := range n.parts {
			if i > 0 {
				b.WriteByte(',')
			}
			if n.kind == '{' {
				b.WriteString(n.keys[i] + ":")
			}
			part.write(b)
		}
		b.WriteByte(n.kind + 2) // both closing brackets are two further on
	case '"':
		if len(n.parts) == 1 {
			b.WriteString(quote(n.parts[0].String()))
		} else {
			b.WriteString(quote(n.text))
		}
	default:
		b.WriteString(n.text)
	}
}

// spot is a part of a tree that can be changed.
type spot struct {
	parent *tree
	i      int
	path   string
}

func (n *tree) spots(path string, all []spot) []spot {
	for i, part := range n.parts {
		at := path
		if n.kind == '{' {
			at += "/" + strings.Trim(n.keys[i], `"`)
		}
		all = append(all, spot{n, i, at})
		all = part.spots(at, all)
	}
	return all
}

func scalar(text string) *tree { return &tree{kind: 'v', text: text} }

func within(n *tree, depth int) *tree {
	for range depth {
		n = &tree{kind: '[', parts: []*tree{n}}
	}
	return n
}

func encoded(n *tree, times int) *tree {
	for range times {
		n = &tree{kind: '"', parts: []*tree{n}}
	}
	return n
}

// mutation changes one part. wrong says that the part is still there, and is nothing that a reader can take for it.
type mutation struct {
	name  string
	wrong bool
	apply func(s spot)
}

func put(name string, wrong bool, make func(old *tree) *tree) mutation {
	return mutation{name, wrong, func(s spot) { s.parent.parts[s.i] = make(s.parent.parts[s.i]) }}
}

func allMutations() []mutation {
	list := []mutation{
		{"remove", false, func(s spot) {
			s.parent.parts = append(append([]*tree(nil), s.parent.parts[:s.i]...), s.parent.parts[s.i+1:]...)
			if s.parent.kind == '{' {
				s.parent.keys = append(append([]string(nil), s.parent.keys[:s.i]...), s.parent.keys[s.i+1:]...)
			}
		}},
		{"rename", false, func(s spot) {
			if s.parent.kind == '{' {
				s.parent.keys[s.i] = `"zz` + s.parent.keys[s.i][1:]
			}
		}},
		{"repeat with null first", false, func(s spot) {
			if s.parent.kind == '{' {
				s.parent.keys, s.parent.parts = append(s.parent.keys, s.parent.keys[s.i]), append(s.parent.parts, s.parent.parts[s.i])
				s.parent.parts[s.i] = scalar("null")
			}
		}},
		put("list of it", false, func(old *tree) *tree { return within(old, 1) }),
		put("list of two", false, func(old *tree) *tree { return &tree{kind: '[', parts: []*tree{old, old}} }),
		put("in data", false, func(old *tree) *tree { return &tree{kind: '{', keys: []string{`"data"`}, parts: []*tree{old}} }),
		put("encoded", false, func(old *tree) *tree { return encoded(old, 1) }),
		put("encoded four times", false, func(old *tree) *tree { return encoded(old, 4) }),
		put("deep", false, func(old *tree) *tree { return within(old, 200) }),
		put("half", false, func(*tree) *tree { return scalar(`"a\ud83d"`) }),
		put("nul", false, func(*tree) *tree { return scalar(`"a\u0000\u202e"`) }),
	}
	for _, text := range []string{"null", `""`, `" "`, "[]", "{}", "true", "7", "-1.5", "1e400"} {
		list = append(list, put(text, false, func(*tree) *tree { return scalar(text) }))
	}
	for _, text := range []string{`[{"zz":1}]`, `{"zz":[1]}`} {
		list = append(list, put(text, true, func(*tree) *tree { return scalar(text) }))
	}
	return list
}
