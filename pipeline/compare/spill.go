package compare

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"slices"
)

// side is one of the two outputs.
type side uint8

const (
	sideOld side = iota
	sideNew
)

// version is one of a record: its number and its value in the topic.
type version struct {
	number int64
	value  []byte
}

// Usual bounds: how many files records are spread over, and how many bytes of one are held at once.
const (
	usualBuckets = 64
	usualMemory  = 64 << 20
	bufferBytes  = 32 << 10
)

// spill spreads records over files by their ids, so that all versions of a record lie in one, and a file, or a part of it,
// fits into memory. The files have no names: nothing is left of them, however the process ends.
type spill struct {
	dir    string
	files  []*bucket
	memory int64
	head   []byte
}

type bucket struct {
	file *os.File
	w    *bufio.Writer
	size int64
}

func newSpill(dir string, buckets int, memory int64) (*spill, error) {
	s := &spill{dir: dir, memory: memory}
	for range buckets {
		f, err := os.CreateTemp(dir, ".compare-")
		if err != nil {
			s.close()
			return nil, s.fail(err)
		}
		_ = os.Remove(f.Name()) // where that is refused while it is open, close does it
		s.files = append(s.files, &bucket{file: f, w: bufio.NewWriterSize(f, bufferBytes)})
	}
	return s, nil
}

func (s *spill) fail(err error) error {
	return fmt.Errorf("records to compare cannot be kept in %s (NORMALIZER_STATE_DIR): %w", s.dir, err)
}

func (s *spill) close() {
	for _, b := range s.files {
		_ = b.file.Close() // what it holds is of no use any more
		_ = os.Remove(b.file.Name())
	}
}

// spread is a number that decides where a record lies.
func spread(id []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(id) // a hash takes everything
	return h.Sum64()
}

// headBytes is the length of what precedes an id and a value: the side, the version, both lengths.
const headBytes = 1 + 8 + 4 + 4

func (s *spill) add(of side, id string, v *version) error {
	b := s.files[spread([]byte(id))%uint64(len(s.files))]
	s.head = append(s.head[:0], byte(of))
	s.head = binary.BigEndian.AppendUint64(s.head, uint64(v.number))
	s.head = binary.BigEndian.AppendUint32(s.head, uint32(len(id)))
	s.head = binary.BigEndian.AppendUint32(s.head, uint32(len(v.value)))
	s.head = append(s.head, id...)
	_, err := b.w.Write(s.head)
	if err == nil {
		_, err = b.w.Write(v.value)
	}
	if err != nil {
		return s.fail(err)
	}
	b.size += int64(len(s.head) + len(v.value))
	return nil
}

// each calls fn with the newest version of each record on both sides, nil where a side has none. A file that is larger than
// the memory allowed is read several times, a part of its records each time.
func (s *spill) each(ctx context.Context, fn func(id string, old, fresh *version) error) error {
	for _, b := range s.files {
		if err := b.w.Flush(); err != nil {
			return s.fail(err)
		}
		b.w = nil
		rounds := uint64(b.size/s.memory) + 1
		for round := range rounds {
			if err := s.round(ctx, b, rounds, round, fn); err != nil {
				return err
			}
		}
		_ = b.file.Truncate(0) // gives the disk back early
	}
	return nil
}

func (s *spill) round(ctx context.Context, b *bucket, rounds, round uint64, fn func(id string, old, fresh *version) error) error {
	if _, err := b.file.Seek(0, io.SeekStart); err != nil {
		return s.fail(err)
	}
	newest := map[string]*[2]*version{}
	r := bufio.NewReaderSize(b.file, bufferBytes)
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		of, id, v, err := read(r, func(id []byte) bool {
			return spread(id)/uint64(len(s.files))%rounds == round
		})
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s.fail(err)
		}
		if v == nil {
			continue
		}
		pair := newest[id]
		if pair == nil {
			pair = new([2]*version)
			newest[id] = pair
		}
		if pair[of] == nil || pair[of].number <= v.number {
			pair[of] = v
		}
	}
	for _, id := range slices.Sorted(maps.Keys(newest)) { // sorted, so that the same outputs give the same report
		if err := fn(id, newest[id][sideOld], newest[id][sideNew]); err != nil {
			return err
		}
	}
	return nil
}

// read reads one version; it is nil where its record is not wanted.
func read(r *bufio.Reader, wanted func(id []byte) bool) (of side, id string, v *version, err error) {
	var head [headBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", nil, err // io.EOF only between two
	}
	name := make([]byte, binary.BigEndian.Uint32(head[9:]))
	if _, err := io.ReadFull(r, name); err != nil {
		return 0, "", nil, io.ErrUnexpectedEOF
	}
	size := int(binary.BigEndian.Uint32(head[13:]))
	if !wanted(name) {
		_, err := r.Discard(size)
		return 0, "", nil, err
	}
	v = &version{int64(binary.BigEndian.Uint64(head[1:])), make([]byte, size)}
	if _, err := io.ReadFull(r, v.value); err != nil {
		return 0, "", nil, io.ErrUnexpectedEOF
	}
	return side(head[0]), string(name), v, nil
}
