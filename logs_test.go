package chatlake_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// levels are the methods of a *slog.Logger that write a line, and where its attributes begin.
var levels = map[string]int{"Debug": 1, "Info": 1, "Warn": 1, "Error": 1, "Log": 3, "With": 0, "trouble": 2, "named": 1}

// attributes finds the names of the attributes of log lines in a file. Names are literals: what is handed on is a list of
// literal names and values somewhere, whose place carries names of its own.
func attributes(f *ast.File) (names map[string]token.Pos, lines int) {
	names = map[string]token.Pos{}
	literal := func(e ast.Expr) (string, bool) {
		l, ok := e.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return "", false
		}
		s, err := strconv.Unquote(l.Value)
		return s, err == nil
	}
	take := func(pairs []ast.Expr) {
		for i := 0; i < len(pairs); i += 2 {
			if s, ok := literal(pairs[i]); ok {
				names[s] = pairs[i].Pos()
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if inner, ok := n.Fun.(*ast.Ident); ok && inner.Name == "append" && len(n.Args) > 2 {
				take(n.Args[1:]) // of a list of attributes
				return true
			}
			method, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !isLogger(method.X) && method.Sel.Name != "named" && method.Sel.Name != "trouble" {
				return true
			}
			if from, ok := levels[method.Sel.Name]; ok && len(n.Args) >= from {
				lines++
				take(n.Args[from:])
			}
		case *ast.CompositeLit:
			if a, ok := n.Type.(*ast.ArrayType); ok && isAny(a.Elt) {
				take(n.Elts)
			}
		}
		return true
	})
	return names, lines
}

// isLogger reports whether an expression is a logger, by the names that loggers have in this project.
func isLogger(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return slices.Contains([]string{"log", "logger"}, e.Name)
	case *ast.SelectorExpr:
		return slices.Contains([]string{"log", "logger", "Logger", "library", "to"}, e.Sel.Name)
	case *ast.CallExpr: // log.With(…)
		method, ok := e.Fun.(*ast.SelectorExpr)
		return ok && method.Sel.Name == "With" && isLogger(method.X)
	}
	return false
}

func isAny(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "any"
}

// Every attribute of a log line is in the table of docs/logs.md, and the table has none that no line uses.
func TestLogAttributesAreThoseOfTheTable(t *testing.T) {
	page, err := os.ReadFile("docs/logs.md")
	if err != nil {
		t.Fatal(err)
	}
	said, table, _ := strings.Cut(string(page), "\n## Attributes\n")
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = true
	}
	quoted := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(said, -1) {
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			quoted[strings.TrimSuffix(m[1], "…")] = false
		}
	}
	used, lines := map[string]string{}, 0
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "simulator") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		if !importsSlog(f) && !strings.HasPrefix(path, "kafka") && !strings.HasPrefix(path, "pipeline") && !strings.HasPrefix(path, "cmd/worker") {
			return nil
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				for line := range quoted {
					quoted[line] = quoted[line] || strings.HasPrefix(strings.Trim(l.Value, "\"`"), line)
				}
			}
			return true
		})
		names, n := attributes(f)
		lines += n
		for name, at := range names {
			used[name] = set.Position(at).String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if lines < 50 {
		t.Fatalf("only %d log lines were found: the search is broken", lines)
	}
	for line, found := range quoted {
		if !found {
			t.Errorf("docs/logs.md: no line begins with %q", line)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !documented[name] {
			t.Errorf("%s: attribute %q is not in the table of docs/logs.md: use one that is there, or add it", used[name], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if used[name] == "" {
			t.Errorf("docs/logs.md: no line has the attribute %q", name)
		}
	}
}

func importsSlog(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"log/slog"` })
}
