//go:build ignore

// Select cuts the shipped part out of the whole chat corpus: of each channel-day the annotated tail, from 40 lines
// before its first reply link, the days with most links first, as many as fit the budget.
//
//	go run select.go -from irc.jsonl.gz -to irc-part.jsonl.gz -budget 1900000
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"sort"
)

// lead is how many lines are kept before the first reply link, so that the first answers have something to answer.
const lead = 40

// line keeps the fields that the simulator reads, in the order in which they are written.
type line struct {
	Channel   string `json:"channel"`
	File      string `json:"file"`
	N         int    `json:"n"`
	At        string `json:"at"`
	Who       string `json:"who"`
	Kind      string `json:"kind"`
	Text      string `json:"text"`
	RepliesTo []int  `json:"replies_to,omitempty"`
}

type window struct {
	place int // order in the source, which the part keeps
	links int
	lines []line
}

func main() {
	from := flag.String("from", "irc.jsonl.gz", "the whole corpus, gzipped JSON lines")
	to := flag.String("to", "irc-part.jsonl.gz", "where the part is written")
	budget := flag.Int("budget", 1_900_000, "most bytes of the compressed part")
	flag.Parse()
	windows, err := read(*from)
	if err != nil {
		log.Fatal(err)
	}
	sort.SliceStable(windows, func(i, j int) bool { return windows[i].links > windows[j].links })
	fits, overflows := 0, len(windows)+1
	var part []byte
	for fits+1 < overflows {
		middle := (fits + overflows) / 2
		body, err := pack(windows[:middle])
		if err != nil {
			log.Fatal(err)
		}
		if len(body) <= *budget {
			fits, part = middle, body
		} else {
			overflows = middle
		}
	}
	if err := os.WriteFile(*to, part, 0o644); err != nil {
		log.Fatal(err)
	}
	lines, links := 0, 0
	for _, w := range windows[:fits] {
		lines += len(w.lines)
		links += w.links
	}
	fmt.Printf("%d channel-days, %d lines, %d with a reply link, %d bytes\n", fits, lines, links, len(part))
}

// read groups the corpus by channel-day and cuts each to its annotated tail; days without a link are left out.
func read(path string) ([]window, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	var days [][]line
	decoder := json.NewDecoder(bufio.NewReaderSize(zipped, 1<<20))
	for {
		var l line
		if err := decoder.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if n := len(days); n == 0 || days[n-1][0].File != l.File {
			days = append(days, nil)
		}
		days[len(days)-1] = append(days[len(days)-1], l)
	}
	var windows []window
	for place, day := range days {
		first, links := -1, 0
		for i, l := range day {
			if len(l.RepliesTo) > 0 {
				links++
				if first < 0 {
					first = i
				}
			}
		}
		if first >= 0 {
			windows = append(windows, window{place: place, links: links, lines: day[max(0, first-lead):]})
		}
	}
	return windows, nil
}

// pack writes windows in the order of the source, with a gzip header that holds no time, so that it can be redone.
func pack(windows []window) ([]byte, error) {
	ordered := append([]window(nil), windows...)
	sort.Slice(ordered, func(i, j int) bool { return ordered[i].place < ordered[j].place })
	var body bytes.Buffer
	zipped, err := gzip.NewWriterLevel(&body, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	encoder := json.NewEncoder(zipped)
	encoder.SetEscapeHTML(false)
	for _, w := range ordered {
		for _, l := range w.lines {
			if err := encoder.Encode(l); err != nil {
				return nil, err
			}
		}
	}
	if err := zipped.Close(); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}
