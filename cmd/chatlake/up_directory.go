package main

import (
	"os"
	"slices"
	"strings"
)

// ours are the names that lie in a data directory: the broker's, the registry's and the normalizer's, and what a demo
// leaves there.
var ours = []string{"lock", "kafka", "registry", "state", "demo.log"}

// mostForeign is how many names are told of what lies in a directory.
const mostForeign = 3

// checkDirectory refuses a directory that holds what nobody here has put there: a home directory, say, that --data names by
// mistake. One that is not there will be made, and one that cannot be read is told of by who opens it.
func checkDirectory(dir string) error {
	entries, _ := os.ReadDir(dir) // what cannot be read has no entries here
	var foreign []string
	for _, e := range entries {
		if !slices.Contains(ours, e.Name()) {
			foreign = append(foreign, e.Name())
		}
	}
	if len(foreign) == 0 {
		return nil
	}
	more := ""
	if len(foreign) > mostForeign {
		foreign, more = foreign[:mostForeign], ", …"
	}
	return usagef("directory %s holds what is not chatlake's (%s%s): choose another with --data, a new one or one that 'up' or 'demo' has made",
		dir, strings.Join(foreign, ", "), more)
}
