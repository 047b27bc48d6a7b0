package yunxin_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"chatlake/connectors"
)

// TestHistoryInTheNextEpoch goes on in a new epoch from every page of random chats, and once more from every page of that: with
// the pages that were read before, all messages are shown, those that were sent meanwhile too.
func TestHistoryInTheNextEpoch(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 9))
	for range 40 {
		ties := map[int]int{}
		for range random.IntN(6) {
			ties[random.IntN(40)] = 1 + random.IntN(14)
		}
		c := &chat{messages: spread(40+random.IntN(60), ties), limit: 3 + random.IntN(6)}
		c.newest, c.noBegin, c.noEnd, c.mixed = random.IntN(2) > 0, random.IntN(2) > 0, random.IntN(2) > 0, random.IntN(2) > 0
		if random.IntN(2) > 0 {
			c.token = byTime
		}
		open := conversation("alice|1|bob")
		open.WindowEnd = nil
		all, err := readAll(t, c.fake().source(), open, connectors.Position{})
		if err != nil {
			t.Fatal(err)
		}
		late := *c
		late.messages = append(late.messages[:len(late.messages):len(late.messages)], posted{id: 4_291_065_454_184_142_469, ms: day + 600_000})
		for i := range all {
			at := connectors.Position{Cursor: all[i].Next.Cursor, Watermark: all[i].Next.Watermark}
			if i == len(all)-1 {
				break // its cursor says that nothing is left
			}
			second, err := readAll(t, late.fake().source(), open, at)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(second[0].Request, "page_token") {
				t.Errorf("the epoch begins with a page token: %s", second[0].Request)
			}
			wantAll(t, &late, all[:i+1], second)
			cut := random.IntN(len(second))
			if cut == len(second)-1 {
				continue
			}
			third, err := readAll(t, late.fake().source(), open, connectors.Position{Cursor: second[cut].Next.Cursor, Watermark: second[cut].Next.Watermark})
			if err != nil {
				t.Fatal(err)
			}
			wantAll(t, &late, append(all[:i+1:i+1], second[:cut+1]...), third)
			if t.Failed() {
				c.messages = nil
				t.Fatalf("%+v after page %d of %d and page %d of %d", *c, i, len(all), cut, len(second))
			}
		}
	}
}

// wantAll checks that pages of several epochs show all that a chat holds, or that the last says why not.
func wantAll(t *testing.T, c *chat, before, last []*connectors.Page) {
	t.Helper()
	if last[len(last)-1].Failed != nil {
		return // ties that a token loses
	}
	ids := shown(t, append(before[:len(before):len(before)], last...))
	for _, m := range c.messages {
		if ids[fmt.Sprint(m.id)] == 0 {
			t.Errorf("message %d of %+d ms is never shown", m.id, m.ms-day)
		}
	}
}

// TestHistoryInTheNextEpochGoesOn counts calls: what an earlier epoch has read is not read again.
func TestHistoryInTheNextEpochGoesOn(t *testing.T) {
	for _, newest := range []bool{false, true} {
		c := &chat{messages: spread(2000, nil), newest: newest}
		all, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{})
		if err != nil {
			t.Fatal(err)
		}
		at := all[len(all)-4].Next
		rest, err := readAll(t, c.fake().source(), conversation("alice|1|bob"), connectors.Position{Cursor: at.Cursor, Watermark: at.Watermark})
		if err != nil || len(rest) > 4 {
			t.Errorf("newest first %t: %d pages were left of %d, %d were read: %v", newest, 3, len(all), len(rest), err)
		}
		wantAll(t, c, all[:len(all)-3], rest)
	}
}

// TestMessagesInTheNextEpoch: refs that an earlier epoch has accounted for are not asked for again, nor said to be bad again.
func TestMessagesInTheNextEpoch(t *testing.T) {
	ids := append(numbers(250), "not a number")
	c := list("alice|1|bob", ids...)
	s := &store{}
	all, err := readAll(t, s.fake().source(), c, connectors.Position{})
	if err != nil || len(all) != 3 || len(all[0].Missing) != 1 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	rest, err := readAll(t, s.fake().source(), c, connectors.Position{Cursor: all[0].Next.Cursor, Watermark: all[0].Next.Watermark})
	if err != nil || len(rest) != 2 || rest[0].Items != 100 || rest[1].Items != 50 || len(rest[0].Missing) != 0 || rest[0].Next.Pages != 1 {
		t.Errorf("%d pages, %v", len(rest), err)
	}
}

// TestHistoryInTheNextEpochEndsAtThePresent: an end that is open is the present of the epoch that is read, whichever way the
// platform pages; one that the container sets stays.
func TestHistoryInTheNextEpochEndsAtThePresent(t *testing.T) {
	c := &chat{messages: spread(20, map[int]int{})}
	last := c.messages[19]
	for name, cursor := range map[string]string{
		"oldest first":      fmt.Sprintf(`{"b":true,"o":[{"f":%d,"t":%d}],"w":1}`, day+4, day+10),
		"newest first":      fmt.Sprintf(`{"b":true,"o":[{"f":%d,"t":%d}],"w":2}`, day, day+1),
		"a tie is in doubt": fmt.Sprintf(`{"b":true,"w":1,"c":true,"e":%d,"i":["%d"]}`, day+4, c.messages[4].id),
	} {
		for _, bound := range []bool{false, true} {
			of := conversation("alice|1|bob")
			of.WindowEnd = nil
			if bound {
				of.WindowEnd = millis(day + 11)
			}
			pages, err := readAll(t, c.fake().source(), of, connectors.Position{Cursor: connectors.Cursor(cursor), Watermark: day + 4})
			if err != nil || pages[len(pages)-1].Failed != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if ids := shown(t, pages); (ids[fmt.Sprint(last.id)] > 0) == bound {
				t.Errorf("%s, bound %t: the last message is shown %d times", name, bound, ids[fmt.Sprint(last.id)])
			}
		}
	}
}
