//go:build linux || darwin || freebsd

package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Modes of access(2).
const (
	mayWrite = 2
	mayEnter = 1
)

func (f *Found) look(info fs.FileInfo) error {
	f.Writable = syscall.Access(f.In, mayWrite|mayEnter) == nil
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Owner = int(s.Uid)
		f.Mine = f.Owner == os.Geteuid()
	}
	var s syscall.Statfs_t
	if syscall.Statfs(f.In, &s) == nil {
		f.Free = product(s.Bavail, s.Bsize)
	}
	if !f.Exists {
		return nil
	}
	var err error
	f.Holder, err = holder(filepath.Join(f.In, "LOCK"))
	return err
}

// product multiplies numbers whose types differ between operating systems.
func product[A, B ~int32 | ~int64 | ~uint32 | ~uint64](a A, b B) int64 { return int64(a) * int64(b) }

// holder asks who has a lock like Pebble's (fcntl(2), of the whole file), without taking it.
func holder(lock string) (pid int, err error) {
	file, err := os.Open(lock)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return -1, nil // whose it is cannot be seen
	}
	defer func() { _ = file.Close() }() // nothing was written
	l := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &l); err != nil {
		return -1, err
	}
	if l.Type == syscall.F_UNLCK {
		return 0, nil
	}
	if l.Pid <= 0 { // of another container's
		return -1, nil
	}
	return int(l.Pid), nil
}
