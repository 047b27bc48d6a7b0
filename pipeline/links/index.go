// Package links ties messages to each other and keeps what that takes: what was published of each record, what its
// readings said, who links to whom, and what the platform answered about messages that no page shows. It is a cache on
// disk of what the raw topic says; it does not know how it is read.
//
// The order of writes: the transaction that publishes messages and commits the raw offset comes first, the cache
// follows, with the offset up to which it holds. So a crash leaves the cache behind the topic, never ahead; what is
// missing is read again without publishing. A cache that is ahead, or of another topic, is dropped and built anew.
package links

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"chatlake/schemas"
)

// layout is the version of keys and values; another one on disk is dropped and built anew. Messages are kept as they were
// encoded, so their schema is a part of it.
var layout = "4 " + schemas.MessageSchema.Sum()

// Index is the cache of one process, over all its partitions.
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
	return fmt.Errorf("state directory %s cannot be opened: each process needs its own NORMALIZER_STATE_DIR; "+
		"one that nobody uses may be deleted, it is built anew from the topics: %w", dir, err)
}

func open(dir string, lock *pebble.Lock, logger *slog.Logger) (*Index, error) {
	if err := matches(dir); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(blockCache)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache: cache, MemTableSize: memTable, FormatMajorVersion: pebble.FormatNewest, FS: vfs.Default,
		Logger: quiet{logger}, MaxOpenFiles: 500, Lock: lock,
	}
	opts.TargetFileSizes[0] = 8 << 20 // values come in the order of their keys: few files, and compactions only move them
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // most look-ups are of records never seen
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, unusable(dir, err)
	}
	return &Index{db: db, lock: lock, dir: dir, stop: make(chan struct{})}, nil
}

// matches drops what an older layout left.
func matches(dir string) error {
	mark := filepath.Join(dir, "LAYOUT")
	b, err := os.ReadFile(mark)
	if err == nil && string(b) == layout {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR): %w", dir, err)
	}
	if err == nil { // another layout: only what Pebble wrote is removed, never a directory that was named by mistake
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("state directory %s: %w", dir, err)
		}
		for _, e := range entries {
			if !e.IsDir() && e.Name() != "LOCK" && e.Name() != filepath.Base(mark) { // the mark stands until all else is gone
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					return fmt.Errorf("state directory %s: %w", dir, err)
				}
			}
		}
	}
	if err := os.WriteFile(mark, []byte(layout), 0o600); err != nil {
		return fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR): %w", dir, err)
	}
	return nil
}

// sync makes what was written durable every few seconds: until then a kill loses it from the cache, which costs reading
// some pages again, nothing else.
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

func (p *Partition) fail(what string, err error) error {
	return fmt.Errorf("state directory %s: %s: %w", p.ix.dir, what, err)
}

// quiet sends what Pebble says to the log of the program, at debug level.
type quiet struct{ log *slog.Logger }

func (q quiet) Infof(format string, args ...any) {
	q.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}
func (q quiet) Errorf(format string, args ...any) {
	q.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is for faults after which Pebble cannot go on, such as a full disk; it must not return.
func (q quiet) Fatalf(format string, args ...any) {
	q.log.Error("state directory cannot be written: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
