// Package simulator serves the HTTP APIs of IM platforms, faithful in shape, quota, paging and faults, over a corpus of
// real chats, and tells what it served so that others can compare. It knows nothing of the programs that read it.
package simulator
