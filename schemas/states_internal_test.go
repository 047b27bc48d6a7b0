package schemas

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestStateDiagram: the diagram has every state of a checkpoint and no other word.
func TestStateDiagram(t *testing.T) {
	text, err := os.ReadFile("../docs/containers.md")
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\S+) --> (\S+):`).FindAllStringSubmatch(string(text), -1) {
		drawn[m[1]], drawn[m[2]] = true, true
	}
	delete(drawn, "[*]")
	if got, want := slices.Sorted(maps.Keys(drawn)), slices.Sorted(slices.Values(checkpointStates)); !slices.Equal(got, want) {
		t.Errorf("the diagram has the states %v, not %v", got, want)
	}
}
