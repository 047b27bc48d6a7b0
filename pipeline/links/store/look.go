package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Found is what a look at a state directory found, without a change to it.
type Found struct {
	Exists   bool
	Writable bool   // by this user; of one that does not exist: whether it could be made
	In       string // the directory itself, or the one above it where it would be made
	Mode     fs.FileMode
	Mine     bool  // it belongs to this user
	Owner    int   // user id; -1: not known here
	Free     int64 // bytes for this user; -1: not known here
	Holder   int   // process that has it open; 0: none, -1: not known here
}

// Look looks at a state directory. Nothing is written or locked.
func Look(dir string) (Found, error) {
	f := Found{In: dir, Owner: -1, Free: -1}
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(f.In) != f.In {
		f.In = filepath.Dir(f.In)
		info, err = os.Stat(f.In)
	}
	if err != nil {
		return f, err
	}
	if !info.IsDir() {
		return f, &fs.PathError{Op: "look at", Path: f.In, Err: errors.New("not a directory")}
	}
	f.Exists, f.Mode = f.In == dir, info.Mode()
	return f, f.look(info)
}
