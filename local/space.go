package local

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrNoSpace says that the file system of the data directory is full.
var ErrNoSpace = errors.New("no space left")

// ErrWrite says that the broker could not write for another reason.
var ErrWrite = errors.New("embedded broker cannot write")

// Room that is kept free, in bytes, beside what a request carries. kfake acknowledges the end of a transaction, a committed
// offset and a new topic that it could not write, so none may reach it on a full disk: they would be there until it ends.
// Records stop at the reserve, what ends a transaction only at the floor; an orderly end has the rest.
const (
	reserveSpace = 32 << 20
	floorSpace   = 8 << 20
	smallRequest = 64 << 10
)

// spaceEvery is how often the free space is looked at while nothing is written here: others fill the disk too.
const spaceEvery = time.Second

// space watches the file system of a directory. The first failure ends the installation.
type space struct {
	dir    string
	free   func(dir string) (int64, error)
	failed chan error // takes the first
	over   atomic.Bool
	stop   chan struct{}
	done   sync.WaitGroup
}

func newSpace(dir string, free func(string) (int64, error)) *space {
	return &space{dir: dir, free: free, failed: make(chan error, 1), stop: make(chan struct{})}
}

// check refuses a file system without room to begin with.
func (s *space) check() error {
	free, err := s.free(s.dir)
	if err != nil {
		return fmt.Errorf("%w: %s: %w: choose another with --data", ErrDirectory, s.dir, err)
	}
	if free < reserveSpace {
		return s.full(free)
	}
	return nil
}

func (s *space) full(free int64) error {
	return fmt.Errorf("%w on %s: %d MiB are free and %d are kept free, so that nothing that was acknowledged is lost: make room and start again, everything is kept",
		ErrNoSpace, s.dir, free>>20, reserveSpace>>20)
}

func (s *space) fail(err error) {
	if !s.over.Swap(true) {
		s.failed <- err
	}
}

// watch looks at the free space until close.
func (s *space) watch() {
	s.done.Go(func() {
		tick := time.NewTicker(spaceEvery)
		defer tick.Stop()
		for {
			select {
			case <-s.stop:
				return
			case <-tick.C:
				if err := s.check(); err != nil {
					s.fail(err)
				}
			}
		}
	})
}

func (s *space) close() {
	close(s.stop)
	s.done.Wait()
}

// rest gives a failure that nobody has taken: the last writes may fail too.
func (s *space) rest() error {
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}

// produceKey is the API key of requests that carry records.
const produceKey = 0

// readers are the API keys of requests that change nothing on disk (https://kafka.apache.org/protocol#protocol_api_keys):
// Fetch, ListOffsets, Metadata, OffsetFetch, FindCoordinator, Heartbeat, the descriptions and lists, and how a connection
// begins.
var readers = []int16{1, 2, 3, 9, 10, 12, 15, 16, 17, apiVersions, 23, 29, 32, 35, 36, 48, 50, 60, 61, 65, 66, 69, 71, 74, 75}

// admit reports whether a request of so many bytes may reach the broker.
func (s *space) admit(key int16, length int64) bool {
	if slices.Contains(readers, key) {
		return true
	}
	need := floorSpace + length
	if key == produceKey || length > smallRequest {
		if s.over.Load() {
			return false
		}
		need = reserveSpace + length
	}
	free, err := s.free(s.dir)
	if err != nil {
		s.fail(fmt.Errorf("%w: %s: %w", ErrDirectory, s.dir, err))
		return false
	}
	if free < need {
		s.fail(s.full(free))
		return false
	}
	return true
}

// heard takes what kfake logs as a warning or error. Its failed writes show nowhere else: a quota, say, is not seen in the
// free space.
func (s *space) heard(line string) {
	if strings.HasPrefix(line, "persist ") || strings.Contains(line, "failed to persist") {
		s.fail(fmt.Errorf("%w to %s: %s: see to it and start again, everything is kept", ErrWrite, s.dir, line))
	}
}
