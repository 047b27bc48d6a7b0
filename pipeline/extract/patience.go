package extract

import (
	"fmt"
	"time"

	"chatlake/connectors"
)

// patience is how long a platform has answered nothing useful though it was asked.
type patience struct {
	since time.Time // when the present run of failures began, zero: there is none
	until time.Time // when it was to be asked again
}

// idle is how much later than it was to be asked a platform may be asked, for the time to count as waited for.
const idle = time.Minute

// useful says that a platform answered something useful.
func (e *Extractor) useful(p *platform) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.patience = patience{}
}

// useless says that a platform was asked for a page and gave nothing useful, and when it is to be asked again. With Once, it
// gives an error once that has gone on for longer than Patience. Time in which nobody asked does not count; a call may take
// minutes.
func (e *Extractor) useless(r *reading, until time.Time, why *connectors.Error) error {
	p := r.platform
	e.mu.Lock()
	defer e.mu.Unlock()
	now, run := e.Now(), &p.patience
	switch asked := r.began.Sub(run.until); {
	case run.since.IsZero():
		run.since = now
	case asked > idle:
		run.since = run.since.Add(asked)
	}
	if until.After(run.until) {
		run.until = until
	}
	if d := now.Sub(run.since); e.Once && d > e.Patience {
		return fmt.Errorf("%s has answered nothing useful for %s (EXTRACTOR_PATIENCE): %w", p.name, d.Round(time.Second), why)
	}
	return nil
}
