package api_test

import (
	"fmt"
	"testing"

	"chatlake/connectors/api"
)

// A guard is a value: what one page takes in, a page read again from the position before does not see.
func TestGuardOfAnOlderPosition(t *testing.T) {
	guards := []api.Guard{{}}
	for i := range 100 {
		g, seen := guards[i].Token(fmt.Sprint("t", i))
		if seen {
			t.Fatalf("token %d was not seen before", i)
		}
		guards = append(guards, g)
	}
	for i, g := range guards {
		for j := range 100 {
			// A token of another branch is taken in and must not show anywhere else.
			if _, seen := g.Token(fmt.Sprint("t", j)); seen != (j < i) {
				t.Errorf("after %d tokens, token %d: seen %t", i, j, seen)
			}
			g.Token(fmt.Sprint("other ", j))
		}
	}
	if _, seen := guards[50].WithoutTokens().Token("t0"); seen {
		t.Error("a forgotten token was seen")
	}
	if _, seen := guards[50].Token("t0"); !seen {
		t.Error("forgetting changed the guard itself")
	}
}

func TestGuardCountsPagesWithoutNews(t *testing.T) {
	var g api.Guard
	for i, tt := range []struct {
		ids   []string
		stale int
	}{
		{[]string{"a", "b"}, 0}, {[]string{"b", "a", ""}, 1}, {[]string{"a"}, 2}, {nil, 3}, {[]string{""}, 4}, {[]string{"a"}, 0}, {[]string{"a", "c"}, 0},
	} {
		before := g
		var stale int
		if g, stale = before.Page(tt.ids); stale != tt.stale {
			t.Errorf("page %d: %d without news, want %d", i, stale, tt.stale)
		}
		if _, again := before.Page(tt.ids); again != stale {
			t.Errorf("page %d, read again: %d without news, want %d", i, again, stale)
		}
	}
}
