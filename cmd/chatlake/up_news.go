package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// newsEvery is how often up tells how far it is, while there is something to tell.
const newsEvery = 5 * time.Second

// news tells people how far an installation is, and when all that was asked for has been read.
type news struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (n *news) end() {
	n.stop()
	n.done.Wait()
}

// startNews tells nothing where output is for programs.
func (t *tool) startNews(ctx context.Context, s *stages) *news {
	ctx, stop := context.WithCancel(ctx)
	n := &news{stop: stop}
	if t.json() {
		return n
	}
	n.done.Go(func() {
		tick := time.NewTicker(newsEvery)
		defer tick.Stop()
		var last, settled tally
		for {
			select {
			case <-ctx.Done():
				return
			case at := <-tick.C:
				now := s.tally()
				switch {
				case now != last:
					t.tell(at, now.words())
				case now != settled && s.idle():
					if quiet, err := s.quiet(ctx); err == nil && quiet { // what is wrong shows in the stages themselves
						t.tell(at, "all that was asked for is read: 'chatlake containers list' shows how it ended")
						settled = now
					}
				}
				last = now
			}
		}
	})
	return n
}

// tell writes one line of news. A reader that is gone is noticed elsewhere.
func (t *tool) tell(at time.Time, words string) {
	_, _ = fmt.Fprintf(t.out, "%s  %s\n", at.Format(time.TimeOnly), words)
}

// tally is how far the stages are, since the process began.
type tally struct {
	pages, versions, dead             int64
	complete, failed, running, queued int64
	waiting                           int64
}

func (s *stages) tally() tally {
	e, n := s.extractor.Stage.Stats(), s.normalizer.Stage.Stats()
	return tally{
		pages: e.Pages.Load(), versions: n.Messages.Load(), dead: e.DeadLetters.Load() + n.DeadLetters.Load(),
		complete: e.Complete.Load(), failed: e.Failed.Load(), running: e.Running.Load(), queued: e.Queued.Load(), waiting: e.Waiting.Load(),
	}
}

// words leaves out what is rare and has not happened.
func (n tally) words() string {
	words := fmt.Sprintf("%s pages, %s message versions; containers: %s being read, %s to come, %s complete",
		grouped(n.pages), grouped(n.versions), grouped(n.running), grouped(n.queued), grouped(n.complete))
	for _, rare := range []struct {
		n    int64
		what string
	}{{n.waiting, "waiting for their platform"}, {n.failed, "failed"}} {
		if rare.n > 0 {
			words += fmt.Sprintf(", %s %s", grouped(rare.n), rare.what)
		}
	}
	if n.dead > 0 {
		words += fmt.Sprintf("; dead letters: %s", grouped(n.dead))
	}
	return words
}
