// Package store keeps a graph of links on disk, and beside it what was published of each record and how far all that holds.
// It is a cache of what the topics say; it does not know the rules of links, nor how topics are read.
//
// The order of writes: the transaction that publishes messages and commits the raw offset comes first, the index follows,
// with the offset up to which it holds. So a crash leaves the index behind the topic, never ahead; what is missing is read
// again without publishing. An index that is ahead, or of another topic, is dropped and rebuilt.
package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"chatlake/schemas"
)

// layout is the version of keys and values; another one on disk is dropped and rebuilt. Messages are kept as they were
// encoded, so their schema is a part of it.
var layout = "4 " + schemas.MessageSchema.Sum()

// Index is the index of one process, over all its partitions.
type Index struct {
	db    *pebble.DB
	lock  *pebble.Lock
	dir   string
	stop  chan struct{}
	done  sync.WaitGroup
	close sync.Once
}

// Memory that one index may hold in caches and tables, in bytes.
const (
	blockCache = 64 << 20
	memTable   = 16 << 20
)

// Open opens the index in a directory, made with mode 0700 where it is missing. One process at a time may hold it.
func Open(dir string, logger *slog.Logger) (*Index, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR): %w", dir, err)
	}
	// Nothing is touched before the directory is ours: what an older layout left may still be in use by an older process.
	lock, err := pebble.LockDirectory(dir, vfs.Default)
	if err != nil {
		return nil, unusable(dir, err)
	}
	ix, err := open(dir, lock, logger)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	ix.done.Go(ix.sync)
	return ix, nil
}

func unusable(dir string, err error) error {
	if noSpace(err) {
		return unwritable(dir, err)
	}
	return fmt.Errorf("state directory %s cannot be opened: each process needs its own NORMALIZER_STATE_DIR; "+
		"one that nobody uses may be deleted, it is rebuilt from the topics: %w", dir, err)
}

// open opens the index; one that turns out to be damaged is dropped, and made again.
func open(dir string, lock *pebble.Lock, logger *slog.Logger) (*Index, error) {
	made, err := matches(dir)
	if err != nil {
		return nil, err
	}
	fs := &disk{FS: vfs.Default, dir: dir, log: logger}
	ix, err := fs.open(lock, made)
	if err == nil || !refused(err) {
		return ix, err
	}
	logger.Warn("the state is damaged: it is dropped, and built again from the topics", "dir", dir, "error", err.Error())
	if err := os.WriteFile(filepath.Join(dir, mark), []byte(damaged), 0o600); err != nil {
		return nil, unwritable(dir, err)
	}
	if made, err = matches(dir); err != nil {
		return nil, err
	}
	return fs.open(lock, made)
}

// refused reports whether it is the files that cannot be opened, and not the system that does not let us.
func refused(err error) bool {
	var system syscall.Errno
	return broken(err) || !errors.As(err, &system) || system == syscall.ENOENT
}

// open opens the files, or makes them where there are none: without its manifest's marker a damaged index looks like none,
// and would be half of what it was.
func (d *disk) open(lock *pebble.Lock, made bool) (*Index, error) {
	cache := pebble.NewCache(blockCache)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache: cache, MemTableSize: memTable, FormatMajorVersion: pebble.FormatNewest, FS: d,
		Logger: quiet{d}, EventListener: d.events(), ErrorIfNotExists: !made, MaxOpenFiles: 500, Lock: lock,
	}
	opts.TargetFileSizes[0] = 8 << 20 // values come in the order of their keys: few files, and compactions only move them
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most look-ups are of records never seen
	}
	db, err := pebble.Open(d.dir, opts)
	if err != nil {
		return nil, unusable(d.dir, err)
	}
	return &Index{db: db, lock: lock, dir: d.dir, stop: make(chan struct{})}, nil
}

// mark is the file that holds the layout.
const mark = "LAYOUT"

// matches drops what another layout left, and reports whether there is nothing now.
func matches(dir string) (empty bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, mark))
	if err == nil && string(b) == layout {
		return false, nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR): %w", dir, err)
	}
	if err == nil { // another layout: only what Pebble wrote is removed, never a directory that was named by mistake
		entries, err := os.ReadDir(dir)
		if err != nil {
			return false, fmt.Errorf("state directory %s: %w", dir, err)
		}
		for _, e := range entries {
			if !e.IsDir() && e.Name() != "LOCK" && e.Name() != mark { // the mark goes last
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					return false, fmt.Errorf("state directory %s: %w", dir, err)
				}
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, mark), []byte(layout), 0o600); err != nil {
		return false, unwritable(dir, err)
	}
	return true, nil
}

// sync makes what was written durable every few seconds: until then a kill loses it, which costs reading some pages
// again, nothing else.
func (ix *Index) sync() {
	t := time.NewTicker(3 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-ix.stop:
			return
		case <-t.C:
			_ = ix.db.LogData(nil, pebble.Sync) // a disk that fails is reported by the next write
		}
	}
}

// Close makes everything durable and releases the directory.
func (ix *Index) Close() error {
	var err error
	ix.close.Do(func() {
		close(ix.stop)
		ix.done.Wait()
		if err = errors.Join(ix.db.LogData(nil, pebble.Sync), ix.db.Close(), ix.lock.Close()); err != nil {
			err = fmt.Errorf("close state directory %s: %w", ix.dir, err)
		}
	})
	return err
}

// quiet sends what Pebble says to the log of the program, as a library's. What fails for good comes by another way: see disk.
type quiet struct{ disk *disk }

func (q quiet) Infof(format string, args ...any) {
	q.disk.log.With("library", "pebble").Debug(fmt.Sprintf(format, args...))
}
func (q quiet) Errorf(format string, args ...any) {
	q.disk.log.With("library", "pebble").Error(fmt.Sprintf(format, args...))
}

// Fatalf is for faults after which Pebble cannot go on; it must not return.
func (q quiet) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if cause, ok := a.(error); ok {
			err = fmt.Errorf("%w (%s)", cause, format)
		}
	}
	q.disk.end(err)
}
