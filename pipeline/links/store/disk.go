package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Pebble cannot live with a write that fails: it panics with locks held, tries a flush again without end, or lets every
// commit wait, opening too. So the process ends at the first one, with a line that says why; what is on disk is a whole
// past of the index, and the next start goes on from it.

// disk sees every write of Pebble.
type disk struct {
	vfs.FS
	dir string
	log *slog.Logger

	ending sync.Once
}

// check ends the process where a write has failed.
func (d *disk) check(err error) error {
	if err != nil {
		d.end(err)
	}
	return nil
}

// room ends the process where there is no space for something that may also fail for other, harmless reasons.
func (d *disk) room(err error) error {
	if noSpace(err) {
		return d.check(err)
	}
	return err
}

// end must not return: whoever comes here holds locks that the rest of Pebble waits for.
func (d *disk) end(err error) {
	d.ending.Do(func() {
		d.log.Error(unwritable(d.dir, err).Error())
		os.Exit(1)
	})
}

// noSpace reports whether an error says that a disk, or a quota, is full.
func noSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func unwritable(dir string, err error) error {
	if noSpace(err) {
		return fmt.Errorf("no space left for the state directory %s (NORMALIZER_STATE_DIR): make room and start again, nothing is lost: %w", dir, err)
	}
	return fmt.Errorf("state directory %s (NORMALIZER_STATE_DIR) cannot be written: %w", dir, err)
}

// file is one that is written.
type file struct {
	vfs.File
	disk *disk
}

func (d *disk) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return f, d.room(err)
	}
	return &file{f, d}, nil
}

func (d *disk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := d.FS.Create(name, c)
	return d.file(f, d.check(err))
}

func (d *disk) ReuseForWrite(before, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.file(d.FS.ReuseForWrite(before, name, c))
}

func (d *disk) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.file(d.FS.OpenReadWrite(name, c, opts...))
}

func (d *disk) OpenDir(name string) (vfs.File, error)    { return d.file(d.FS.OpenDir(name)) }
func (d *disk) Link(before, name string) error           { return d.room(d.FS.Link(before, name)) }
func (d *disk) Rename(before, name string) error         { return d.room(d.FS.Rename(before, name)) }
func (d *disk) MkdirAll(dir string, m os.FileMode) error { return d.room(d.FS.MkdirAll(dir, m)) }
func (d *disk) Unwrap() vfs.FS                           { return d.FS }

func (f *file) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.disk.check(err)
}

func (f *file) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b, at)
	return n, f.disk.check(err)
}

func (f *file) Sync() error     { return f.disk.check(f.File.Sync()) }
func (f *file) SyncData() error { return f.disk.check(f.File.SyncData()) }

func (f *file) SyncTo(n int64) (bool, error) {
	full, err := f.File.SyncTo(n)
	return full, f.disk.check(err)
}

// damaged is a layout that nobody has: the next start drops the index.
const damaged = "damaged"

// condemn has the next start drop an index that cannot be read, and says so.
func condemn(dir string, err error) error {
	return errors.Join(fmt.Errorf("state directory %s is damaged: it is dropped at the next start, and built again from the topics: %w", dir, err),
		os.WriteFile(filepath.Join(dir, mark), []byte(damaged), 0o600))
}

// broken reports whether an error says that what is on disk is not what was written.
func broken(err error) bool { return pebble.IsCorruptionError(err) || errors.Is(err, errBroken) }

// events lets corruption be an error of who reads, and not the end of the process.
func (d *disk) events() *pebble.EventListener {
	return &pebble.EventListener{BackgroundError: d.background, DataCorruption: func(pebble.DataCorruptionInfo) {}}
}

// background gets what fails beside our own calls.
func (d *disk) background(err error) {
	if broken(err) {
		d.ending.Do(func() {
			d.log.Error(condemn(d.dir, err).Error())
			os.Exit(1)
		})
	}
	d.log.Error("the state directory fails", "dir", d.dir, "error", err.Error()) // as a value it would bring its stack
}
