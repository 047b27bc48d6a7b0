//go:build !linux && !darwin && !freebsd

package store

import "errors"

// Space is not known here.
func Space(string) (free, size int64, err error) { return 0, 0, errors.ErrUnsupported }
