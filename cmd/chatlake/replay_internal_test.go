package main

import (
	"testing"
	"time"
)

// TestCourseOfAReplay: pages of earlier runs and those to come are reckoned from those that came, as some offsets are markers.
func TestCourseOfAReplay(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	c := course{first: 100, from: 300, to: 1100, began: began}
	for _, tt := range []struct {
		p         point
		done, all int64
		words     string
	}{
		{point{offset: 300, at: began}, 0, 800, "time left not known yet"},
		{point{offset: 500, pages: 100, at: began.Add(10 * time.Second)}, 200, 500, "30s left"},
		{point{offset: 1100, pages: 400, at: began.Add(40 * time.Second)}, 500, 500, "0s left"},
		{point{offset: 1200, pages: 450, at: began.Add(44 * time.Second)}, 550, 550, "0s left"},
	} {
		done, all := c.pages(tt.p)
		if words := c.leftWords(tt.p); done != tt.done || all != tt.all || words != tt.words {
			t.Errorf("at offset %d: %d of %d, %s; want %d of %d, %s", tt.p.offset, done, all, words, tt.done, tt.all, tt.words)
		}
	}
}
