// Package conformance is the suite that the Source and the Decoder of every platform must pass. It knows no platform:
// each brings a fake of its own API.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"chatlake/connectors"
	"chatlake/schemas"
)

// Platform is what the suite is run against.
type Platform struct {
	// Start gives a source over a fresh fake of the platform, which serves the same containers each time.
	Start func(t *testing.T) Running
	// NewDecoder gives a decoder that has decoded nothing yet.
	NewDecoder func() connectors.Decoder
	// Containers are those to read, to an end without failure. At least one has three pages or more.
	Containers []*schemas.Container
	// Failing are those that never come to an end by themselves: page tokens in a circle, the same page again and again,
	// tokens that are always refused. Each is to fail after its first page, and the fake answers a request always alike.
	Failing []*schemas.Container
	// Secrets must not be seen in what a source tells: the app's secret, its tokens, signatures.
	Secrets []string
}

// Running is a source and the fake that it reads from.
type Running struct {
	Source connectors.Source
	// Served gives the bodies that the fake has sent so far, but for those of credentials.
	Served func() [][]byte
	// Hang makes the fake answer nothing from now on, and Hanging tells how many calls it leaves unanswered at present.
	Hang    func()
	Hanging func() int
}

// Run checks that the platform's source and decoder do what package connectors asks of them.
func Run(t *testing.T, p Platform) {
	t.Run("pages", func(t *testing.T) { each(t, p, testPages) })
	t.Run("resume", func(t *testing.T) { each(t, p, testResume) })
	t.Run("next epoch", func(t *testing.T) { each(t, p, testNextEpoch) })
	t.Run("page by page", func(t *testing.T) { each(t, p, testPageByPage) })
	t.Run("failing", func(t *testing.T) { eachOf(t, p, p.Failing, testFailing) })
	t.Run("limit", func(t *testing.T) { each(t, p, testLimit) })
	t.Run("topic", func(t *testing.T) { each(t, p, testTopic) })
	t.Run("stop", func(t *testing.T) { each(t, p, testStop) })
	t.Run("cancel", func(t *testing.T) { each(t, p, testCancel) })
	t.Run("size", func(t *testing.T) { testSize(t, p) })
	t.Run("decode", func(t *testing.T) { testDecode(t, p) })
	t.Run("decode mutated", func(t *testing.T) { testMutated(t, p) })
}

func each(t *testing.T, p Platform, test func(*testing.T, Platform, *schemas.Container)) {
	eachOf(t, p, p.Containers, test)
}

func eachOf(t *testing.T, p Platform, containers []*schemas.Container, test func(*testing.T, Platform, *schemas.Container)) {
	for _, c := range containers {
		t.Run(strings.ReplaceAll(c.Kind+" "+c.ID, "/", "_"), func(t *testing.T) { test(t, p, c) })
	}
}

// pageLimit ends a reading that does not end by itself.
const pageLimit = 10_000

// read gives the pages of a container from a position to the end, and checks what holds for every reading: the last
// page, and no other, is Final, pages are counted on, the watermark never falls.
func read(t *testing.T, s connectors.Source, c *schemas.Container, from connectors.Position) []*connectors.Page {
	t.Helper()
	var pages []*connectors.Page
	at := from
	for page, err := range s.Pages(t.Context(), c, from) {
		if err != nil {
			t.Fatalf("page %d: %v", len(pages), err)
		}
		if n := len(pages); n > 0 && pages[n-1].Final {
			t.Fatalf("a page after the final one")
		}
		if page.Next.Pages != at.Pages+1 {
			t.Errorf("page %d: next is page %d, after %d", len(pages), page.Next.Pages, at.Pages)
		}
		if page.Next.Watermark < at.Watermark {
			t.Errorf("page %d: the watermark falls from %v to %v", len(pages), at.Watermark, page.Next.Watermark)
		}
		at = page.Next
		if pages = append(pages, page); len(pages) > pageLimit {
			t.Fatalf("no end after %d pages", pageLimit)
		}
	}
	if n := len(pages); n > 0 && !pages[n-1].Final {
		t.Errorf("the last of %d pages is not final", n)
	}
	return pages
}

// responses gives all that a page holds, in the order in which it is written.
func responses(page *connectors.Page) []connectors.Response {
	return append(append(slices.Clone(page.Opening), page.Expansions...), page.Response)
}

func testPages(t *testing.T, p Platform, c *schemas.Container) {
	run := p.Start(t)
	pages := read(t, run.Source, c, connectors.Position{})
	if len(pages) == 0 {
		t.Fatal("no pages")
	}
	served, calls := map[string]int{}, 0
	for _, b := range run.Served() {
		served[string(b)]++
	}
	for i, page := range pages {
		if page.Failed != nil {
			t.Errorf("page %d: failed with %+v", i, page.Failed)
		}
		if i > 0 && len(page.Opening) > 0 {
			t.Errorf("page %d: responses about the container after its first page", i)
		}
		total := 0
		for _, r := range responses(page) {
			checkResponse(t, p, i, &r)
			if served[string(r.Body)]--; served[string(r.Body)] < 0 {
				t.Errorf("page %d: a body that was not sent, or not as often: %.80q", i, r.Body)
			}
			total += r.Calls
		}
		if page.Calls < total {
			t.Errorf("page %d: %d calls, but its responses took %d", i, page.Calls, total)
		}
		calls += page.Calls
		checkFound(t, i, page.Found)
	}
	if n := len(run.Served()); calls != n {
		t.Errorf("pages tell of %d calls, the platform answered %d", calls, n)
	}
	if again := read(t, run.Source, c, connectors.Position{}); !samePages(t, pages, again) {
		t.Error("reading it again gives other pages")
	}
}

func checkResponse(t *testing.T, p Platform, i int, r *connectors.Response) {
	t.Helper()
	if r.Type == "" || r.Request == "" || r.HTTPStatus == 0 || r.Code == "" || r.Error != "" || r.Calls < 1 || r.Time.IsZero() {
		t.Errorf("page %d: response lacks something: type %q, request %q, status %d, code %q, error %q, %d calls, time %v",
			i, r.Type, r.Request, r.HTTPStatus, r.Code, r.Error, r.Calls, r.Time)
	}
	for _, secret := range p.Secrets {
		for _, told := range []string{r.Request, r.LogID, r.Subject, r.Error} {
			if strings.Contains(told, secret) {
				t.Errorf("page %d: %q shows a secret", i, told)
			}
		}
	}
}

func checkFound(t *testing.T, i int, found []schemas.Container) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range found {
		if c.Kind == "" || c.ID == "" || c.Cause == "" || seen[c.Kind+c.ID] {
			t.Errorf("page %d: found %+v, incomplete or twice", i, c)
		}
		seen[c.Kind+c.ID] = true
	}
}

// shape is what must be the same whenever a page is read: all but the time, the platform's request ids and the memory.
func shape(page *connectors.Page) string {
	var b strings.Builder
	for _, r := range responses(page) {
		fmt.Fprintf(&b, "%s %s %d %s %q %s\n%s\n", r.Type, r.Request, r.HTTPStatus, r.Code, r.Error, r.Subject, r.Body)
	}
	fmt.Fprintf(&b, "%+v %d %+v %t %v", page.Found, page.Items, forgotten(page.Next), page.Final, page.Failed)
	return b.String()
}

func samePages(t *testing.T, want, got []*connectors.Page) bool {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d pages, want %d", len(got), len(want))
		return false
	}
	for i := range want {
		if a, b := shape(want[i]), shape(got[i]); a != b {
			t.Errorf("page %d:\n%.2000s\nwant\n%.2000s", i, b, a)
			return false
		}
	}
	return true
}

// testStop leaves the sequence after its first page.
func testStop(t *testing.T, p Platform, c *schemas.Container) {
	run := p.Start(t)
	calls := 0
	for page, err := range run.Source.Pages(t.Context(), c, connectors.Position{}) {
		if err != nil {
			t.Fatal(err)
		}
		calls = page.Calls
		break
	}
	leaveNothing(t)
	if n := len(run.Served()); n != calls {
		t.Errorf("the platform answered %d calls, the one page that was taken tells of %d", n, calls)
	}
}

// testCancel cancels a reading while the platform gives no answer, and one that has not begun.
func testCancel(t *testing.T, p Platform, c *schemas.Container) {
	run := p.Start(t)
	run.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- drain(run.Source.Pages(ctx, c, connectors.Position{})) }()
	until(t, "a call that hangs", func() bool { return run.Hanging() > 0 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled reading ends with %v", err)
	}
	leaveNothing(t)

	fresh := p.Start(t)
	if err := drain(fresh.Source.Pages(ctx, c, connectors.Position{})); !errors.Is(err, context.Canceled) {
		t.Errorf("a reading that was cancelled before ends with %v", err)
	}
	if n := len(fresh.Served()); n != 0 {
		t.Errorf("%d calls were made for a reading that was cancelled before", n)
	}
}

// drain reads a sequence to its end and gives its error.
func drain(pages iter.Seq2[*connectors.Page, error]) error {
	for _, err := range pages {
		if err != nil {
			return err
		}
	}
	return nil
}

// leaveNothing waits until no goroutine of a connector is left.
func leaveNothing(t *testing.T) {
	t.Helper()
	until(t, "goroutines of the connector to end", func() bool { return len(ours()) == 0 })
}

// ours gives the stacks of goroutines that run code of a connector other than tests and this suite.
func ours() []string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	module := reflect.TypeFor[connectors.Page]().PkgPath()
	return slices.DeleteFunc(strings.Split(string(buf), "\n\n"), func(stack string) bool {
		return !strings.Contains(stack, module+"/") && !strings.Contains(stack, module+".") ||
			strings.Contains(stack, "testing.tRunner") || strings.Contains(stack, "_test.")
	})
}

// until waits for what other goroutines bring about.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !met() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited a minute for %s: %s", what, strings.Join(ours(), "\n\n"))
		}
	}
}

// testSize refuses a fake that is too small to show anything.
func testSize(t *testing.T, p Platform) {
	most, items := 0, 0
	for _, c := range p.Containers {
		pages := read(t, p.Start(t).Source, c, connectors.Position{})
		most = max(most, len(pages))
		for _, page := range pages {
			items += page.Items
		}
	}
	if len(p.Failing) == 0 {
		t.Error("no container fails: nothing is shown of what a source remembers")
	}
	if most < 3 || items < 10 {
		t.Errorf("the longest container has %d pages and all have %d messages: too little to show anything", most, items)
	}
}
