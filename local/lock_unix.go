//go:build unix

package local

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lock is an flock(2) on a file of the directory: the kernel gives it back when its owner ends, however it ends.
type lock struct{ file *os.File }

// lockDirectory makes the directory where it is missing and takes its lock.
func lockDirectory(dir string) (*lock, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: no data directory is set: name one with --data", ErrDirectory)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %s: %w: choose another with --data", ErrDirectory, dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w: choose another with --data", ErrDirectory, dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("directory %s is %w%s: end that one or choose another directory with --data", dir, ErrLocked, owner(f))
		}
		return nil, fmt.Errorf("%w: lock %s: %w", ErrDirectory, dir, err)
	}
	l := &lock{file: f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrDirectory, dir, err), l.release())
	}
	return l, nil
}

// sign leaves the process id for the message to the next one; the lock itself does not depend on it.
func (l *lock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func owner(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 32))
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil {
		return ""
	}
	return fmt.Sprintf(" (%d)", pid)
}

func (l *lock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release directory: %w", err)
	}
	return nil
}
