package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"chatlake/schemas"
)

// How often progress is told: bars on a terminal, lines elsewhere.
const (
	barEvery  = 150 * time.Millisecond
	lineEvery = 3 * time.Second
)

// progress tells how far the demo is until it is ended.
type progress struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

func (p *progress) end() {
	p.stop()
	p.done.Wait()
}

func (d *demo) startProgress(ctx context.Context, s *stages) *progress {
	ctx, stop := context.WithCancel(ctx)
	p := &progress{stop: stop}
	view := d.view(s.pulse)
	p.done.Go(func() {
		tick := time.NewTicker(view.every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				view.show(s.pulse())
			case <-ctx.Done():
				view.show(s.pulse())
				view.end()
				return
			}
		}
	})
	return p
}

// view is a way to show progress.
type view struct {
	every time.Duration
	show  func(pulse)
	end   func()
}

func (d *demo) view(now func() pulse) view {
	began := time.Now()
	quota := func() string { return d.quotaUse(now(), time.Since(began)) }
	switch {
	case d.tool.json():
		return lines(d.tool.stderr, quota, began) // standard output is for the one document
	case d.tool.out.terminal():
		return d.bars(quota)
	}
	return lines(d.tool.out, quota, began)
}

func lines(w io.Writer, quota func() string, began time.Time) view {
	return view{every: lineEvery, end: func() {}, show: func(p pulse) {
		// A reader that is gone is noticed by the summary.
		_, _ = fmt.Fprintf(w, "%3.0fs  %s pages  %s message versions  %d being read, %d to come  %s\n",
			time.Since(began).Seconds(), grouped(p.pages), grouped(p.versions), p.running, p.queued, quota())
	}}
}

// bars shows pages and messages against those expected, and the use of the quota. A message whose link gets better comes
// once more, so there may be more of them in the end.
func (d *demo) bars(quota func() string) view {
	var pagesExpected, messagesExpected int64
	for _, p := range d.platforms {
		pagesExpected += int64(p.expected.pages)
		messagesExpected += int64(len(p.expected.messages) + len(p.expected.children))
	}
	all := mpb.New(mpb.WithOutput(d.tool.out.file), mpb.WithRefreshRate(barEvery), mpb.WithWidth(48))
	add := func(name string, total int64, tail ...decor.Decorator) *mpb.Bar {
		tail = append([]decor.Decorator{decor.CountersNoUnit(" %d / %d")}, tail...)
		// A bar that is made with a total is over when it is reached; these are over when the demo says so.
		b := all.AddBar(0, mpb.PrependDecorators(decor.Name(name, decor.WC{W: 10, C: decor.DindentRight})), mpb.AppendDecorators(tail...))
		b.SetTotal(total, false)
		return b
	}
	pages := add("pages", pagesExpected, decor.Any(func(decor.Statistics) string { return "  " + quota() }))
	versions := add("messages", messagesExpected, decor.AverageSpeed(0, "  %.0f/s"))
	return view{
		every: barEvery,
		show: func(p pulse) {
			pages.SetTotal(max(pagesExpected, p.pages), false)
			pages.SetCurrent(p.pages)
			versions.SetTotal(max(messagesExpected, p.versions), false)
			versions.SetCurrent(p.versions)
		},
		end: func() {
			pages.SetTotal(-1, true)
			versions.SetTotal(-1, true)
			all.Wait()
		},
	}
}

// quotaUse says how much of Feishu's quota of message lists was used since the start, or how many lists were asked for where
// there is none.
func (d *demo) quotaUse(p pulse, since time.Duration) string {
	api := schemas.FeishuMessagesList
	if d.platforms[0].name != schemas.Feishu {
		api = schemas.YunxinMessagesList
	}
	calls := p.lists[api]
	if d.options.perMinute == 0 || api != schemas.FeishuMessagesList {
		return fmt.Sprintf("%s lists", grouped(calls))
	}
	return fmt.Sprintf("%.0f %% of %s calls/min", share(int(calls), d.options.perMinute, since), grouped(int64(d.options.perMinute)))
}

// share is calls made of those allowed in a time, in per cent, at most 100: the first calls come in a burst.
func share(calls, perMinute int, within time.Duration) float64 {
	if perMinute == 0 || within <= 0 {
		return 0
	}
	return min(100, 100*float64(calls)/(float64(perMinute)*within.Minutes()))
}

// grouped is a number with a comma at each thousand.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
