package extract

import (
	"sync/atomic"

	"chatlake/schemas"
)

// Stats are live counters since the start of the process. A commit that fails counts nothing.
type Stats struct {
	Pages, Items, Calls, Transactions, DeadLetters atomic.Int64
	Running, Waiting, Queued                       atomic.Int64 // containers, now
	Complete, Failed, Cancelled                    atomic.Int64 // containers that ended in this process
}

// gauge is that of containers that are somewhere, nil where none counts them.
func (s *Stats) gauge(w where) *atomic.Int64 {
	switch w {
	case queued, closing:
		return &s.Queued
	case running:
		return &s.Running
	case paused, gated, held:
		return &s.Waiting
	}
	return nil
}

func (s *Stats) ended(state string) {
	switch state {
	case schemas.StateComplete:
		s.Complete.Add(1)
	case schemas.StateFailed:
		s.Failed.Add(1)
	case schemas.StateCancelled:
		s.Cancelled.Add(1)
	}
}

// Summary counts the containers of partitions whose containers have all ended.
type Summary struct {
	Containers, Complete, Failed, Cancelled int
	Off                                     int   // containers of a platform or tenant that is not on: not read
	Pages, Items, Calls                     int64 // in the epochs in force
	Failures                                []Failure
}

// Failure names a container that failed.
type Failure struct{ Container, Code, Message string }

func (s *Summary) add(o Summary) {
	s.Containers += o.Containers
	s.Complete += o.Complete
	s.Failed += o.Failed
	s.Cancelled += o.Cancelled
	s.Off += o.Off
	s.Pages += o.Pages
	s.Items += o.Items
	s.Calls += o.Calls
	s.Failures = append(s.Failures, o.Failures...)
}
