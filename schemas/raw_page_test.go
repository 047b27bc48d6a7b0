package schemas_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"chatlake/schemas"
)

// TestRawPage holds the table of headers to what is written: all of them on a full page, those that are always there on one
// without anything.
func TestRawPage(t *testing.T) {
	var all, always []string
	for _, row := range rows(t, "raw-page.md", "headers") {
		name := code(row[0])[0]
		all = append(all, name)
		if strings.HasPrefix(row[2], "always") {
			always = append(always, name)
		}
	}
	full, bare := fullPage().Record("raw", 12), (&schemas.Page{}).Record("raw", 12)
	for what, c := range map[string]struct {
		record *schemas.Record
		page   []string
	}{"full": {&full, all}, "bare": {&bare, always}} {
		written := slices.Sorted(maps.Keys(headers(t, c.record)))
		if slices.Sort(c.page); !slices.Equal(written, c.page) {
			t.Errorf("a %s page has the headers\n%v, the document says\n%v", what, written, c.page)
		}
	}
}

// TestRawPageIsRead changes and removes each header of the table: a change shows in what is read, and what is missing is an
// error exactly for those that the document requires.
func TestRawPageIsRead(t *testing.T) {
	required := code(section(t, "raw-page.md", "required")[0])
	for _, row := range rows(t, "raw-page.md", "headers") {
		name := code(row[0])[0]
		r := fullPage().Record("raw", 12)
		before, err := schemas.ParsePage(&r)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(r.Headers, func(h schemas.Header) bool { return h.Key == name })
		r.Headers[i].Value = []byte("changed")
		if after, err := schemas.ParsePage(&r); err == nil && reflect.DeepEqual(before, after) {
			t.Errorf("%s is not read", name)
		}
		r.Headers = slices.Delete(r.Headers, i, i+1)
		if _, err := schemas.ParsePage(&r); (err != nil) != slices.Contains(required, name) {
			t.Errorf("without %s: %v; the document requires %v", name, err, required)
		}
	}
}
