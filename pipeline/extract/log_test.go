package extract_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chatlake/connectors"
	"chatlake/pipeline/memlog"
	"chatlake/schemas"
)

// logged has a rig write its log, from level Info on, and gives its lines without the time.
func (r *rig) logged() (lines func() []string) {
	var out bytes.Buffer
	r.conf.Logger = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	return func() []string { return slices.Collect(strings.SplitSeq(strings.TrimSpace(out.String()), "\n")) }
}

// A chat's end is one line and so is any container's failure; how many threads and look-ups ended well is told by counters.
func TestEndsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		lines := r.logged()
		good, stopped, refused := r.chat(0), r.chat(1), r.chat(2)
		thread := func(id string) schemas.Container {
			c := good
			c.Kind, c.ID = schemas.KindThread, id
			c.Key = string(schemas.NewContainerKey(c.Platform, c.TenantID, c.Kind, c.ID))
			return c
		}
		read, broken := thread("omt_1"), thread("omt_2")
		r.book.pages[good.ID] = 4
		r.book.edit = func(c *schemas.Container, n int64, p *connectors.Page) {
			if c.Key == refused.Key || c.Key == broken.Key {
				p.Final, p.Failed = true, &connectors.Failure{Code: "230002", Message: "the bot is out of the group"}
			}
		}
		r.add(good, stopped, cancelled(stopped), refused, read, broken)
		for range 2 { // what a process before has ended is no news
			if err := r.session(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{
			`level=INFO msg="container ended" container=` + good.Key + ` epoch=1 pages=4 items=12 calls=8 state=COMPLETE`,
			`level=INFO msg="container ended" container=` + stopped.Key + ` epoch=1 pages=1 items=0 calls=0 state=CANCELLED`,
			`level=ERROR msg="container failed" container=` + refused.Key + ` epoch=1 pages=1 items=3 calls=2 code=230002 error="the bot is out of the group"`,
			`level=ERROR msg="container failed" container=` + broken.Key + ` epoch=1 pages=1 items=3 calls=2 code=230002 error="the bot is out of the group"`,
		}
		slices.Sort(want)
		if got := slices.Sorted(slices.Values(lines())); !slices.Equal(got, want) {
			t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// A lone container that gets nothing is no outage of its platform, so it has a line of its own, and one when it goes on,
// however often it is tried in vain.
func TestALoneContainerThatWaitsIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, 1, memlog.Faults{})
		lines := r.logged()
		c := r.chat(0)
		r.book.pages[c.ID] = 2
		end := time.Now().Add(time.Hour)
		tries := 0
		r.book.fail = func(_ *schemas.Container, n int64, _ int) error {
			if n == 2 && time.Now().Before(end) {
				tries++
				return unavailable(connectors.CodeTimeout)
			}
			return nil
		}
		r.conf.Patience = 2 * time.Hour
		r.add(c)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		if err := r.session(ctx); err != nil {
			t.Fatal(err)
		}
		if tries < 10 {
			t.Fatalf("it was tried %d times: that shows nothing", tries)
		}
		var got []string
		for _, l := range lines() {
			got = append(got, strings.Join(strings.Fields(l)[:3], " "))
		}
		want := []string{`level=WARN msg="container waits:`, `level=INFO msg="container goes`, `level=INFO msg="container ended"`}
		if !slices.Equal(got, want) {
			t.Errorf("logged\n%s", strings.Join(lines(), "\n"))
		}
	})
}
