// Package links keeps what the normalizer must remember of the messages of its partitions: what was published of each
// record, by which reading, and what is known of its conversation. It is a cache on disk of what the raw topic says; it
// does not know how it is read.
//
// The order of writes: the transaction that publishes messages and commits the raw offset comes first, the cache
// follows, with the offset up to which it holds. So a crash leaves the cache behind the topic, never ahead; what is
// missing is read again without publishing. A cache that is ahead, or of another topic, is dropped and built anew.
package links

import (
	"encoding/binary"
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
)

// layout is the version of keys and values; another one on disk is dropped and built anew.
const layout = "1"

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

// Keys: partition (4 bytes, big-endian), one byte for what it is, then the id.
const (
	keyApplied      = 'a'
	keyRecord       = 'r'
	keyConversation = 'c'
)

// Applied is how far a partition's cache has come: the offset after the last raw record that it holds, and the id of the
// page in the last one that had any, so that another topic of the same name is recognised.
type Applied struct {
	Offset     int64
	PageOffset int64 // offset of the page named, -1: none yet
	PageID     string
}

// Partition is the cache of one partition, used by one goroutine at a time.
type Partition struct {
	ix     *Index
	prefix [4]byte
	key    []byte
	batch  *pebble.Batch
	fresh  map[string]Entry  // records of the batch in hand
	kinds  map[string]string // conversation kinds, all that were asked for
}

// Partition gives the cache of one partition.
func (ix *Index) Partition(id int32) *Partition {
	p := &Partition{ix: ix, fresh: map[string]Entry{}, kinds: map[string]string{}}
	binary.BigEndian.PutUint32(p.prefix[:], uint32(id))
	p.batch = ix.db.NewBatch()
	return p
}

func (p *Partition) at(what byte, id string) []byte {
	p.key = append(append(append(p.key[:0], p.prefix[:]...), what), id...)
	return p.key
}

// Applied tells how far the cache has come; false where there is none.
func (p *Partition) Applied() (Applied, bool, error) {
	v, closer, err := p.ix.db.Get(p.at(keyApplied, ""))
	if errors.Is(err, pebble.ErrNotFound) {
		return Applied{}, false, nil
	}
	if err != nil {
		return Applied{}, false, p.fail("read", err)
	}
	defer closer.Close()
	if len(v) < 16 {
		return Applied{}, false, nil
	}
	return Applied{
		Offset: int64(binary.BigEndian.Uint64(v)), PageOffset: int64(binary.BigEndian.Uint64(v[8:])), PageID: string(v[16:]),
	}, true, nil
}

// Reset drops everything that the partition's cache holds.
func (p *Partition) Reset() error {
	p.Discard()
	end := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(p.prefix[:])+1)
	if err := p.ix.db.DeleteRange(p.prefix[:], end, pebble.Sync); err != nil {
		return p.fail("drop", err)
	}
	return nil
}

// Record gives what is known of a record, with what the batch in hand says of it.
func (p *Partition) Record(id string) (Entry, bool, error) {
	if e, ok := p.fresh[id]; ok {
		return e, true, nil
	}
	v, closer, err := p.ix.db.Get(p.at(keyRecord, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, p.fail("read", err)
	}
	defer closer.Close()
	e, err := parseEntry(v)
	if err != nil {
		return Entry{}, false, p.fail("read record "+id, err)
	}
	return e, true, nil
}

// SetRecord notes what is known of a record.
func (p *Partition) SetRecord(id string, e Entry) { p.fresh[id] = e }

// Kind gives the conversation kind that was told last, "" where none was.
func (p *Partition) Kind(conversation string) (string, error) {
	if k, ok := p.kinds[conversation]; ok {
		return k, nil
	}
	v, closer, err := p.ix.db.Get(p.at(keyConversation, conversation))
	if errors.Is(err, pebble.ErrNotFound) {
		p.kinds[conversation] = ""
		return "", nil
	}
	if err != nil {
		return "", p.fail("read", err)
	}
	defer closer.Close()
	k := string(v)
	p.kinds[conversation] = k
	return k, nil
}

// SetKind notes a conversation's kind.
func (p *Partition) SetKind(conversation, kind string) error {
	p.kinds[conversation] = kind
	if err := p.batch.Set(p.at(keyConversation, conversation), []byte(kind), nil); err != nil {
		return p.fail("write", err)
	}
	return nil
}

// Apply writes the batch in hand, with how far the cache has come now.
func (p *Partition) Apply(a Applied) error {
	var value []byte
	for id, e := range p.fresh {
		value = e.append(value[:0])
		if err := p.batch.Set(p.at(keyRecord, id), value, nil); err != nil {
			return p.fail("write", err)
		}
	}
	value = binary.BigEndian.AppendUint64(value[:0], uint64(a.Offset))
	value = binary.BigEndian.AppendUint64(value, uint64(a.PageOffset))
	value = append(value, a.PageID...)
	err := errors.Join(p.batch.Set(p.at(keyApplied, ""), value, nil), p.batch.Commit(pebble.NoSync))
	p.Discard()
	if err != nil {
		return p.fail("write", err)
	}
	return nil
}

// Discard drops the batch in hand.
func (p *Partition) Discard() {
	_ = p.batch.Close() // closing a batch that was committed or not gives back its memory and cannot fail
	p.batch = p.ix.db.NewBatch()
	clear(p.fresh)
	clear(p.kinds)
}

// Close drops the batch in hand for good.
func (p *Partition) Close() { _ = p.batch.Close() }

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
