package audit

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

// TestSorter sorts fewer and more entries than fit into memory, and leaves nothing on the disk.
func TestSorter(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 64, 1000} {
		dir := t.TempDir()
		s := newSorter(dir, 5)
		s.most = 8
		r := rand.New(rand.NewPCG(1, uint64(n)))
		var want []entry
		for range n {
			e := entry{r.Uint64N(5), r.Uint64N(5) << 60, r.Uint64(), 4, r.Uint64()}
			want = append(want, e)
			if err := s.add(e); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(want, func(a, b entry) int { return compare(&a, &b) })
		var got []entry
		if err := s.each(func(e *entry) error { got = append(got, *e); return nil }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d entries are not sorted", n)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		if spilled := s.file != nil; spilled != (n > 8) {
			t.Errorf("%d entries: in a file %v", n, spilled)
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSorterSaysWhereItCannotWrite(t *testing.T) {
	s := newSorter("/nowhere/at/all", 5)
	s.most = 1
	if err := s.add(entry{}); err != nil {
		t.Fatal(err)
	}
	if err := s.add(entry{}); err == nil {
		t.Error("a directory that does not exist is written to")
	}
}
