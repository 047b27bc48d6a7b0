//go:build !unix

package local

import "fmt"

// Two brokers on one directory would destroy it, and without flock(2) nothing here could keep the second out.
type lock struct{}

func lockDirectory(dir string) (*lock, error) {
	return nil, fmt.Errorf("%w: %s cannot be locked on this operating system: use a Kafka cluster", ErrDirectory, dir)
}

func (*lock) release() error { return nil }
