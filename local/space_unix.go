//go:build linux || darwin || freebsd

package local

import "syscall"

// freeSpace tells how many bytes of a directory's file system are free for this process.
func freeSpace(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return product(s.Bavail, s.Bsize), nil
}

// product multiplies numbers whose types differ between operating systems.
func product[A, B ~int32 | ~int64 | ~uint32 | ~uint64](a A, b B) int64 { return int64(a) * int64(b) }
