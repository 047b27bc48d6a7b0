package audit

import (
	"context"
	"fmt"
	"slices"

	"chatlake/schemas"
)

// Chains are compared by container, epoch and number. Entries:
//
//	container, 0,         0,      offset of the checkpoint, last page, pages, epoch and whether that has ended
//	container, epoch + 1, number, raw offset, page, page before, flags
const (
	flagFinal uint64 = 1 << iota
	flagLink         // the page is part of the chain: no opening and no expansion
)

func checkpointEntry(offset int64, v *schemas.Checkpoint) entry {
	e := entry{digest(v.ContainerKey), 0, 0, uint64(offset), 0, uint64(v.Pages), uint64(v.Epoch) << 1}
	if v.LastPageID != nil {
		e[4] = digest(*v.LastPageID)
	}
	if v.Ended() {
		e[6] |= 1
	}
	return e
}

// chained has a page compared with the chain that it is part of.
func (p *part) chained(r *schemas.Record, page *schemas.Page) error {
	if want := schemas.PageID(page.Container, page.Epoch, page.Number, page.Request, page.Subject); want != page.ID {
		p.miss(miss{kind: KindBadID, from: inPages, at: r.Offset, detail: "its parts give " + want})
	}
	e := entry{digest(string(page.Container)), uint64(page.Epoch) + 1, uint64(page.Number), uint64(r.Offset), digest(page.ID)}
	if page.Prev != "" {
		e[5] = digest(page.Prev)
	}
	if page.Final {
		e[6] |= flagFinal
	}
	if page.Number > 0 && !page.Expansion() {
		e[6] |= flagLink
	}
	return p.chains.add(e)
}

// walk is where the comparison of chains is.
type walk struct {
	*part
	container uint64
	check     entry // checkpoint in force
	checked   bool  // there is one
	met       bool  // pages of its epoch were seen
	any       bool  // pages of the container were seen
	chain     chain
}

// chain is that of one epoch of a container.
type chain struct {
	epoch   uint64   // + 1; 0: none
	number  uint64   // of the last link
	links   int64    // numbers that have a page
	covered int64    // of these up to the number that the checkpoint counts
	expired int64    // numbers at its beginning whose pages retention took
	page    link     // the last
	ids     []uint64 // of the links with that number
	at      uint64   // number of pages
	pages   []uint64 // ids of all pages with a number
	prevs   map[uint64]bool
	named   int64 // number of the page that the checkpoint names, 0: not seen
	beyond  *link // first page of those before covered that the checkpoint does not cover
}

type link struct {
	offset int64
	final  bool
}

func (p *part) compareChains(context.Context) error {
	w := walk{part: p}
	err := p.chains.each(func(e *entry) error {
		if e[0] != w.container || !w.any && !w.checked {
			w.endContainer()
			w.container, w.checked, w.met, w.any, w.chain = e[0], false, false, false, chain{}
		}
		if e[1] == 0 {
			w.check, w.checked = *e, true // of several the last
			return nil
		}
		if e[1] != w.chain.epoch {
			w.endEpoch()
			w.chain = chain{epoch: e[1], prevs: map[uint64]bool{}}
			p.report.Epochs++
		}
		if !w.any {
			w.any = true
			p.report.Containers++
		}
		w.page(e)
		return nil
	})
	if err != nil {
		return err
	}
	w.endContainer()
	return nil
}

func (w *walk) inForce() bool { return w.checked && w.chain.epoch == w.check[6]>>1+1 }

// page takes the next page of an epoch.
func (w *walk) page(e *entry) {
	c, offset := &w.chain, int64(e[3])
	if e[2] != c.at {
		c.at, c.pages = e[2], c.pages[:0]
	}
	if slices.Contains(c.pages, e[4]) {
		w.miss(miss{kind: KindRepeat, from: inPages, at: offset, detail: "the page is there twice"})
		return
	}
	c.pages = append(c.pages, e[4])
	if e[6]&flagLink == 0 {
		return
	}
	if c.links > 0 && e[2] == c.number {
		w.miss(miss{kind: KindFork, from: inPages, at: offset, detail: "another page has the same number"})
		c.ids = append(c.ids, e[4])
		w.before(e)
		w.name(e)
		return
	}
	w.follow(e, offset)
	if c.number, c.links = e[2], c.links+1; w.inForce() && e[2] <= w.check[5] {
		c.covered++
	}
	c.ids = append(c.ids[:0], e[4])
	c.page = link{offset, e[6]&flagFinal != 0}
	w.name(e)
}

// follow compares a page with the one before it.
func (w *walk) follow(e *entry, offset int64) {
	c := &w.chain
	gap := e[2] != c.number+1
	switch {
	case gap && c.links == 0 && w.bounds.pages.from > 0:
		c.expired = int64(e[2]) - 1
		w.report.Expired += c.expired
	case gap:
		w.miss(miss{kind: KindGap, from: inPages, at: offset, page: int64(c.number) + 1, detail: missing(c.number+1, e[2]-1)})
	case e[5] != 0 && c.prevs[e[5]]:
		w.miss(miss{kind: KindFork, from: inPages, at: offset, detail: "another page follows the same one"})
	case c.links == 0 && e[5] != 0:
		w.miss(miss{kind: KindGap, from: inPages, at: offset, page: int64(e[2]) - 1, detail: "the first page names one before it"})
	case c.links > 0 && !slices.Contains(c.ids, e[5]):
		w.miss(miss{kind: KindGap, from: inPages, at: offset, page: int64(e[2]) - 1, detail: "the page that it names as the one before it is not there"})
	}
	if c.links > 0 && offset < c.page.offset {
		w.miss(miss{kind: KindOrder, from: inPages, at: offset, detail: "the page lies before the one that it follows"})
	}
	w.before(e)
}

// before notes which page a page follows.
func (w *walk) before(e *entry) {
	if e[5] != 0 {
		w.chain.prevs[e[5]] = true
	}
}

// name notes what a page means to the checkpoint.
func (w *walk) name(e *entry) {
	c := &w.chain
	if w.inForce() {
		w.met = true
		if e[4] == w.check[4] {
			c.named = int64(e[2])
		}
		if e[2] <= w.check[5] {
			return
		}
	} else if w.checked && e[1] <= w.check[6]>>1 {
		return
	}
	if c.beyond == nil && int64(e[3]) < w.bounds.covered {
		c.beyond = &link{offset: int64(e[3])}
	}
}

func missing(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("page %d is missing", from)
	}
	return fmt.Sprintf("pages %d to %d are missing", from, to)
}

// endEpoch looks at what a chain has come to.
func (w *walk) endEpoch() {
	c := &w.chain
	if c.epoch == 0 {
		return
	}
	if c.beyond != nil && !w.bounds.checks.hidden {
		detail := "no checkpoint covers the page"
		if !w.checked {
			detail = "the container has no checkpoint"
		}
		w.miss(miss{kind: KindCheckpoint, from: inPages, at: c.beyond.offset, detail: detail})
	}
	if c.links == 0 || !w.checked {
		return
	}
	older := c.epoch < w.check[6]>>1+1
	if (older || w.inForce() && w.check[6]&1 != 0) && !c.page.final && !w.bounds.pages.hidden {
		detail := "its epoch has ended, but no page says so"
		if older {
			detail = "a later epoch has begun, but no page ends this one"
		}
		w.miss(miss{kind: KindNoFinal, from: inPages, at: c.page.offset, detail: detail})
	}
	if w.inForce() {
		w.agree()
	}
}

// agree compares the checkpoint in force with its chain.
func (w *walk) agree() {
	c, pages := &w.chain, int64(w.check[5])
	there := c.covered + c.expired
	detail := ""
	switch {
	case w.check[4] == 0 && pages == 0:
	case w.bounds.pages.hidden:
	case c.named == 0:
		detail = "the last page that it names is not there"
	case c.named != pages:
		detail = fmt.Sprintf("it counts %d pages, but the last that it names is page %d", pages, c.named)
	case there != pages:
		detail = fmt.Sprintf("it counts %d pages, but %d are there", pages, there)
	}
	if detail != "" {
		w.miss(miss{kind: KindCheckpoint, from: inChecks, at: int64(w.check[3]), detail: detail})
	}
}

// endContainer looks at a checkpoint whose epoch has no page.
func (w *walk) endContainer() {
	w.endEpoch()
	if !w.checked || w.met || w.check[4] == 0 && w.check[5] == 0 {
		return
	}
	switch {
	case w.bounds.pages.hidden:
	case w.bounds.pages.from > 0:
		w.report.Expired += int64(w.check[5])
	default:
		w.miss(miss{kind: KindCheckpoint, from: inChecks, at: int64(w.check[3]), detail: "the last page that it names is not there: its epoch has none"})
	}
}
