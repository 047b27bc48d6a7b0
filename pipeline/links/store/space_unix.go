//go:build linux || darwin || freebsd

package store

import "syscall"

// Space tells how many bytes of a directory's file system are free for this process, and how large it is.
func Space(dir string) (free, size int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return product(s.Bavail, s.Bsize), product(s.Blocks, s.Bsize), nil
}
