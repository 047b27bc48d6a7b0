package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"chatlake/cmd/worker"
)

// course is how far a replay has come. Offsets are exact, and say how much is left; some of them are no pages, but markers of
// transactions, so pages to come are reckoned from those that came.
type course struct {
	first, from, to int64 // offsets, over all partitions: of the topic's start, of this run's, of its end
	began           time.Time
	done            atomic.Bool
}

// point is a moment of it.
type point struct {
	offset          int64 // over all partitions, from first on
	pages, versions int64 // of this run
	at              time.Time
}

// pages gives the pages done, with those of earlier runs, and all.
func (c *course) pages(p point) (done, all int64) {
	moved := p.offset - c.from
	if moved <= 0 || p.pages <= 0 {
		return p.pages, max(c.to-c.from, p.pages)
	}
	rate := float64(p.pages) / float64(moved)
	done = p.pages + int64(rate*float64(c.from-c.first))
	return done, done + int64(rate*float64(max(c.to-p.offset, 0)))
}

// left is the time that the rest takes at the present speed; false where nothing is known.
func (c *course) left(p point) (time.Duration, bool) {
	moved, rest := p.offset-c.from, max(c.to-p.offset, 0)
	if rest == 0 || moved <= 0 {
		return 0, rest == 0
	}
	return time.Duration(float64(p.at.Sub(c.began)) / float64(moved) * float64(rest)).Round(time.Second), true
}

func (c *course) leftWords(p point) string {
	if left, known := c.left(p); known {
		return left.String() + " left"
	}
	return "time left not known yet"
}

// startProgress tells how far the replay is until it is ended.
func (r *replay) startProgress(ctx context.Context, stage *worker.Normalizer) (*progress, error) {
	c := &course{began: time.Now()}
	for p := range r.total() {
		start, stable, err := r.n.Client.Offsets(ctx, r.n.Topics.RawPages, p)
		if err != nil {
			return nil, err
		}
		c.first += start
		c.to += stable
	}
	var err error
	if c.from, err = r.offset(ctx); err != nil {
		return nil, err
	}
	stats := stage.Stage.Stats()
	now := func() point {
		p := point{offset: c.from + stats.Passed.Load(), pages: stats.Pages.Load(), versions: stats.Messages.Load(), at: time.Now()}
		if c.done.Load() {
			p.offset = max(p.offset, c.to) // what is left are markers
		}
		return p
	}
	view := r.view(c)
	ctx, stop := context.WithCancel(ctx)
	p := &progress{stop: stop}
	r.caughtUp = func() { c.done.Store(true) }
	p.done.Go(func() {
		tick := time.NewTicker(view.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				view.show(now())
			case <-ctx.Done():
				view.show(now())
				view.end()
				return
			}
		}
	})
	return p, nil
}

// offset is where the replay goes on when it begins, over all partitions.
func (r *replay) offset(ctx context.Context) (sum int64, err error) {
	for p := range r.total() {
		start, _, err := r.n.Client.Offsets(ctx, r.n.Topics.RawPages, p)
		if err != nil {
			return 0, err
		}
		at, err := r.n.Client.Committed(ctx, r.beside.Group, r.n.Topics.RawPages, p)
		if err != nil {
			return 0, err
		}
		sum += max(start, at)
	}
	return sum, nil
}

// replayView is a way to show a replay's progress.
type replayView struct {
	every time.Duration
	show  func(point)
	end   func()
}

func (r *replay) view(c *course) replayView {
	switch {
	case r.tool.json():
		return replayLines(r.tool.stderr, c) // standard output is for the one document
	case r.tool.out.terminal():
		return r.bar(c)
	}
	return replayLines(r.tool.out, c)
}

func replayLines(w io.Writer, c *course) replayView {
	return replayView{every: lineEvery, end: func() {}, show: func(p point) {
		done, all := c.pages(p)
		// A reader that is gone is noticed by the result.
		_, _ = fmt.Fprintf(w, "%3.0fs  %s of %s pages  %s message versions  %s\n", p.at.Sub(c.began).Seconds(), grouped(done), grouped(all),
			grouped(p.versions), c.leftWords(p))
	}}
}

func (r *replay) bar(c *course) replayView {
	var last atomic.Pointer[point] // mpb draws in a goroutine of its own
	last.Store(&point{at: c.began})
	all := mpb.New(mpb.WithOutput(r.tool.out.file), mpb.WithRefreshRate(barEvery), mpb.WithWidth(48))
	bar := all.AddBar(0, mpb.PrependDecorators(decor.Name("pages ")), mpb.AppendDecorators(decor.CountersNoUnit(" %d / %d"),
		decor.Any(func(s decor.Statistics) string {
			return fmt.Sprintf("  %s messages  %s", grouped(last.Load().versions), c.leftWords(*last.Load()))
		})))
	return replayView{
		every: barEvery,
		show: func(p point) {
			last.Store(&p)
			done, total := c.pages(p)
			bar.SetTotal(total, false)
			bar.SetCurrent(done)
		},
		end: func() {
			bar.SetTotal(-1, true)
			all.Wait()
		},
	}
}
