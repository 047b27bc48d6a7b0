package audit

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// words is how many words an entry has at most.
const words = 7

// entry is what is compared: digests, offsets and numbers, ordered word by word. An offset never needs the upper byte of
// its word, which holds the kind of the entry.
type entry [words]uint64

func compare(a, b *entry) int {
	for i := range a {
		if a[i] != b[i] {
			if a[i] < b[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// Sizes of what a sorter holds in memory: entries before they are written out, bytes of each run that is merged.
const (
	maxEntries = 1 << 17
	runBuffer  = 16 << 10
)

// sorter sorts entries of a number of words, however many: in memory as long as they fit, else in a file that has no name,
// so that nothing of it is left behind, whatever ends the process.
type sorter struct {
	dir   string
	width int // words of an entry that are used
	most  int // entries in memory
	buf   []entry
	file  *os.File
	size  int64 // bytes written to it
	runs  []int64
}

func newSorter(dir string, width int) *sorter {
	return &sorter{dir: dir, width: width, most: maxEntries}
}

func (s *sorter) add(e entry) error {
	if len(s.buf) >= s.most {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.buf = append(s.buf, e)
	return nil
}

func (s *sorter) sort() {
	slices.SortFunc(s.buf, func(a, b entry) int { return compare(&a, &b) })
}

// spill writes what is in memory to the file, as a run.
func (s *sorter) spill() error {
	s.sort()
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "chatlake-audit-")
		if err != nil {
			return fmt.Errorf("audit: %w: set TMPDIR to a directory that can be written", err)
		}
		s.file = f
		if err := os.Remove(f.Name()); err != nil { // it lives on until it is closed
			return fmt.Errorf("audit: %w", err)
		}
	}
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.file, s.size), 256<<10)
	b := make([]byte, 8*s.width)
	for i := range s.buf {
		for n := range s.width {
			binary.BigEndian.PutUint64(b[8*n:], s.buf[i][n])
		}
		if _, err := w.Write(b); err != nil {
			return s.full(err)
		}
	}
	if err := w.Flush(); err != nil {
		return s.full(err)
	}
	s.runs = append(s.runs, s.size)
	s.size += int64(len(s.buf)) * int64(len(b))
	s.buf = s.buf[:0]
	return nil
}

func (s *sorter) full(err error) error {
	return fmt.Errorf("audit: temporary file in %s: %w: free space there, or set TMPDIR to a larger directory", s.dir, err)
}

// each gives all entries in order. It is called once, when all were added.
func (s *sorter) each(fn func(*entry) error) error {
	if len(s.runs) == 0 {
		s.sort()
		for i := range s.buf {
			if err := fn(&s.buf[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.buf) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.buf = nil
	var m merge
	for i, from := range s.runs {
		to := s.size
		if i+1 < len(s.runs) {
			to = s.runs[i+1]
		}
		r := &run{from: bufio.NewReaderSize(io.NewSectionReader(s.file, from, to-from), runBuffer), raw: make([]byte, 8*s.width)}
		if err := r.next(); err != nil {
			return err
		}
		m = append(m, r)
	}
	heap.Init(&m)
	for len(m) > 0 {
		if err := fn(&m[0].head); err != nil {
			return err
		}
		switch err := m[0].next(); {
		case errors.Is(err, io.EOF):
			heap.Pop(&m)
		case err != nil:
			return fmt.Errorf("audit: temporary file: %w", err)
		default:
			heap.Fix(&m, 0)
		}
	}
	return nil
}

func (s *sorter) close() error {
	s.buf = nil
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// run is a sorted part of the file.
type run struct {
	from *bufio.Reader
	raw  []byte
	head entry
}

// next gives io.EOF at the end.
func (r *run) next() error {
	if _, err := io.ReadFull(r.from, r.raw); err != nil {
		return err
	}
	for n := range len(r.raw) / 8 {
		r.head[n] = binary.BigEndian.Uint64(r.raw[8*n:])
	}
	return nil
}

// merge is a heap of runs by their heads.
type merge []*run

func (m merge) Len() int           { return len(m) }
func (m merge) Less(i, j int) bool { return compare(&m[i].head, &m[j].head) < 0 }
func (m merge) Swap(i, j int)      { m[i], m[j] = m[j], m[i] }
func (m *merge) Push(x any)        { *m = append(*m, x.(*run)) }
func (m *merge) Pop() any {
	last := len(*m) - 1
	r := (*m)[last]
	*m = (*m)[:last]
	return r
}
