// Package chatlake_test holds the layout of the whole module: who may import whom, and where each library lives. It knows
// nothing of what the packages do.
package chatlake_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// homes are the third-party modules and packages that may be imported outside of tests, each with its one package tree,
// so that replacing one touches one tree.
var homes = map[string][]string{
	"github.com/hamba/avro/v2":               {"schemas"},
	"github.com/cespare/xxhash/v2":           {"schemas"},
	"github.com/twmb/franz-go/pkg/sr":        {"schemas"},
	"github.com/twmb/franz-go/pkg/sr/srfake": {"local"},
	"github.com/twmb/franz-go/pkg/kfake":     {"local"},
	"github.com/segmentio/kafka-go":          {"kafka"},
	"github.com/klauspost/compress":          {"kafka"},
	"github.com/pierrec/lz4/v4":              {"kafka"},
	"github.com/sourcegraph/conc":            {"pipeline/extract"},
	"github.com/cockroachdb/pebble/v2":       {"pipeline/links/store"},
	"github.com/valyala/fastjson":            {"connectors/decode"},
	"golang.org/x/time":                      {"connectors/api"},
	"golang.org/x/sync":                      {"connectors/api"},
	"github.com/kelseyhightower/envconfig":   {"cmd/worker"},
	"github.com/prometheus/client_golang":    {"metrics"},
	"github.com/spf13/cobra":                 {"cmd/chatlake"},
	"github.com/spf13/pflag":                 {"cmd/chatlake"}, // the flags that cobra's commands hold
	"github.com/vbauerster/mpb/v8":           {"cmd/chatlake"},
	"golang.org/x/term":                      {"cmd/chatlake"},
	"github.com/twmb/franz-go/pkg/kmsg":      {"kafka", "local"}, // requests that kafka-go lacks; what kfake's hooks are given
}

// layers are the packages from top to bottom; an entry that ends in a slash is every package right below it
// that has no entry of its own.
var layers = [][]string{
	{"cmd/"},
	{"simulator", "local", "kafka", "metrics", "pipeline", "pipeline/", "pipeline/links/", "connectors/"},
	{"connectors/api"},
	{"connectors/decode"},
	{"connectors"},
	{"schemas"},
	{"schemas/"}, // what is generated from the schemas needs nothing
}

// sideways are the imports within a layer that are wanted all the same.
var sideways = map[string][]string{
	"cmd/extractor":        {"cmd/worker"},
	"cmd/normalizer":       {"cmd/worker"},
	"cmd/chatlake":         {"cmd/worker"},
	"pipeline/extract":     {"pipeline"},
	"pipeline/normalize":   {"pipeline", "pipeline/links/graph", "pipeline/links/store"},
	"pipeline/links/store": {"pipeline/links/graph"},
	"pipeline/audit":       {"pipeline"},
	"pipeline/memlog":      {"pipeline"}, // a log in memory, for tests of the stages
}

var forbiddenDirs = []string{"internal", "pkg", "util", "common", "types", "models"}

const maxLines = 500

// source is one Go file that is no test.
type source struct {
	file    string // path from the module's root
	imports []string
	lines   int
}

// faults lists what of a file is not allowed.
func (s source) faults() []string {
	var out []string
	from := path.Dir(s.file)
	if s.lines > maxLines {
		out = append(out, fmt.Sprintf("%s has %d lines, more than %d: split it", s.file, s.lines, maxLines))
	}
	for _, to := range s.imports {
		if why := wrong(from, to); why != "" {
			out = append(out, fmt.Sprintf("%s imports %s: %s", s.file, to, why))
		}
	}
	return out
}

// wrong says why the package in a folder may not import to, or "".
func wrong(from, to string) string {
	if own, ok := strings.CutPrefix(to, "chatlake/"); ok {
		return wrongOwn(from, own)
	}
	if first, _, _ := strings.Cut(to, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	home, trees := "", []string(nil)
	for module, t := range homes {
		if within(to, module) && len(module) > len(home) {
			home, trees = module, t
		}
	}
	switch {
	case home == "":
		return "no package is its home: give it one in the map of this test, with a reason in the commit"
	case !slices.ContainsFunc(trees, func(tree string) bool { return within(from, tree) }):
		return "its home is " + strings.Join(trees, " and ")
	}
	return ""
}

func wrongOwn(from, to string) string {
	f, t := layer(from), layer(to)
	switch {
	case f < 0:
		return from + " stands in no layer of this test"
	case t < 0:
		return to + " stands in no layer of this test"
	case t < f:
		return "imports go down only"
	case t == f && !slices.Contains(sideways[from], to):
		return "packages of one layer do not see each other"
	case to == "connectors/conformance":
		return "only tests run the conformance suite"
	case from == "connectors/conformance" && !within(to, "connectors") && to != "schemas":
		return "the conformance suite knows the contract of connectors only"
	}
	return ""
}

// layer gives the index of a package's layer, or -1.
func layer(pkg string) int {
	if own := slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, pkg) }); own >= 0 {
		return own
	}
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, path.Dir(pkg)+"/") })
}

// within reports whether a path is tree or below it.
func within(p, tree string) bool { return p == tree || strings.HasPrefix(p, tree+"/") }

// sources reads every Go file that is no test, and every folder.
func sources(t *testing.T) (files []source, dirs []string) {
	t.Helper()
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "testdata" || len(name) > 1 && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
			dirs = append(dirs, file)
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{file: file, lines: bytes.Count(text, []byte("\n"))}
		for _, spec := range parsed.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: import %s: %w", file, spec.Path.Value, err)
			}
			s.imports = append(s.imports, to)
		}
		files = append(files, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, dirs
}

func TestFence(t *testing.T) {
	files, dirs := sources(t)
	for _, s := range files {
		for _, fault := range s.faults() {
			t.Error(fault)
		}
	}
	for _, dir := range dirs {
		if slices.Contains(forbiddenDirs, path.Base(dir)) {
			t.Errorf("folder %s: name a package by what it provides", dir)
		}
	}
	if len(files) < 20 || !slices.ContainsFunc(files, func(s source) bool { return s.file == "schemas/codec.go" }) {
		t.Errorf("only %d files were read: the test does not run at the module's root", len(files))
	}
}

// TestFenceHolds tries the fence itself.
func TestFenceHolds(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"cmd/chatlake", "chatlake/local", ""},
		{"cmd/extractor", "chatlake/cmd/worker", ""},
		{"cmd/worker", "chatlake/cmd/chatlake", "one layer"},
		{"cmd/worker", "chatlake/connectors/conformance", "only tests"},
		{"kafka", "chatlake/schemas", ""},
		{"kafka", "net/http", ""},
		{"kafka", "chatlake/pipeline", "one layer"},
		{"kafka", "chatlake/cmd/worker", "down only"},
		{"pipeline/extract", "chatlake/connectors", ""},
		{"pipeline/extract", "chatlake/pipeline", ""},
		{"pipeline/extract", "chatlake/pipeline/links/graph", "one layer"},
		{"pipeline/extract", "chatlake/connectors/feishu", "one layer"},
		{"pipeline/normalize", "chatlake/pipeline/links/store", ""},
		{"pipeline", "chatlake/pipeline/extract", "one layer"},
		{"connectors/yunxin", "chatlake/connectors", ""},
		{"connectors/yunxin", "chatlake/connectors/feishu", "one layer"},
		{"connectors/conformance", "chatlake/connectors", ""},
		{"connectors/conformance", "chatlake/simulator", "one layer"},
		{"connectors", "chatlake/connectors/feishu", "down only"},
		{"schemas", "chatlake/connectors", "down only"},
		{"simulator", "chatlake/helpers", "no layer"},
		{"tools", "chatlake/schemas", "no layer"},
		{"schemas", "github.com/hamba/avro/v2", ""},
		{"connectors", "github.com/hamba/avro/v2", "home is schemas"},
		{"schemas", "github.com/twmb/franz-go/pkg/sr/srfake", "home is local"},
		{"local", "github.com/twmb/franz-go/pkg/sr", "home is schemas"},
		{"connectors/feishu", "chatlake/connectors/api", ""},
		{"connectors/api", "chatlake/connectors/decode", ""},
		{"connectors/decode", "chatlake/connectors/api", "down only"},
		{"connectors", "chatlake/connectors/decode", "down only"},
		{"connectors/api", "chatlake/connectors/feishu", "down only"},
		{"connectors/decode", "github.com/valyala/fastjson", ""},
		{"connectors/feishu", "github.com/valyala/fastjson", "home is connectors/decode"},
		{"kafka", "github.com/klauspost/compress/zstd", ""},
		{"kafka", "github.com/klauspost/compressx", "give it one"},
		{"kafka", "github.com/unheard/of", "give it one"},
	} {
		if got := wrong(c.from, c.to); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s imports %s: %q, want %q", c.from, c.to, got, c.want)
		}
	}
	long := source{file: "kafka/long.go", lines: maxLines + 1}
	if got := long.faults(); len(got) != 1 || !strings.Contains(got[0], "split it") {
		t.Errorf("a long file: %v", got)
	}
}
