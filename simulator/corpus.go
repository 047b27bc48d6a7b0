package simulator

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"sort"
	"sync"
	"time"
)

// corpusPart is the part of the chat corpus that ships with the project; corpus/README.md tells source and licence.
//
//go:embed corpus/irc-part.jsonl.gz
var corpusPart []byte

// Kinds of corpus line.
const (
	lineSystem = "system"
	lineAction = "action"
)

// line is one line of the corpus.
type line struct {
	Channel   string `json:"channel"`
	File      string `json:"file"`
	N         int    `json:"n"`
	At        string `json:"at"`
	Who       string `json:"who"`
	Kind      string `json:"kind"`
	Text      string `json:"text"`
	RepliesTo []int  `json:"replies_to"`

	minute int64 // At in ms
	target int   // index of the line answered in the joined chat, -1: none
}

// dayRow is how the channels other than ubuntu write a line: "rust 2018-05-31 [01:05:27] <nick> text".
var dayRow = regexp.MustCompile(`^\S+ \d{4}-\d{2}-\d{2} \[[0-9:]+\] <([^>]+)>\s*(.*)$`)

// readDays reads a corpus, gzipped JSON lines, into its channel-days in the order of the file.
func readDays(r io.Reader) ([][]line, error) {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("unzip corpus: %w", err)
	}
	var days [][]line
	decoder := json.NewDecoder(bufio.NewReaderSize(zipped, 1<<18))
	for row := 1; ; row++ {
		l := line{target: -1}
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			return days, nil
		} else if err != nil {
			return nil, fmt.Errorf("corpus row %d: %w", row, err)
		}
		at, err := time.Parse(time.RFC3339, l.At)
		if err != nil {
			return nil, fmt.Errorf("corpus row %d: %w", row, err)
		}
		l.minute = at.UnixMilli()
		if m := dayRow.FindStringSubmatch(l.Text); m != nil && l.Kind == lineSystem {
			l.Kind, l.Who, l.Text = "message", m[1], m[2]
		}
		if n := len(days); n == 0 || days[n-1][0].File != l.File {
			days = append(days, nil)
		}
		days[len(days)-1] = append(days[len(days)-1], l)
	}
}

// shippedDays is read once in a process: tests make many worlds of it. Nobody changes what it returns.
var shippedDays = sync.OnceValues(func() ([][]line, error) { return readDays(bytes.NewReader(corpusPart)) })

// openCorpus reads the corpus at path, or the shipped part where path is "".
func openCorpus(path string) ([][]line, error) {
	if path == "" {
		return shippedDays()
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open corpus: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	days, err := readDays(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return days, nil
}

// sortDays orders channel-days by channel and time.
func sortDays(days [][]line) [][]line {
	days = slices.Clone(days)
	sort.SliceStable(days, func(i, j int) bool {
		a, b := days[i][0], days[j][0]
		if a.Channel != b.Channel {
			return a.Channel > b.Channel
		}
		return a.minute < b.minute
	})
	return days
}

// joinDays makes chats of at least size lines out of consecutive days of one channel, in the order of sortDays; what is
// left of a channel joins its last chat. Line numbers of replies become indexes within the chat.
func joinDays(days [][]line, size int) [][]line {
	var chats [][]line
	for i, day := range days {
		fresh := i == 0 || days[i-1][0].Channel != day[0].Channel
		if n := len(chats); fresh || len(chats[n-1]) >= size {
			chats = append(chats, nil)
		}
		last := &chats[len(chats)-1]
		*last = append(*last, numbered(day, len(*last))...)
	}
	return mergeShort(chats, size)
}

// mergeShort joins a chat that stayed under half the size with the one before it, where that is of the same channel.
func mergeShort(chats [][]line, size int) [][]line {
	var merged [][]line
	for _, chat := range chats {
		n := len(merged)
		if n == 0 || len(chat) >= size/2 || merged[n-1][0].Channel != chat[0].Channel {
			merged = append(merged, chat)
			continue
		}
		shift := len(merged[n-1])
		for i := range chat {
			if chat[i].target >= 0 {
				chat[i].target += shift
			}
		}
		merged[n-1] = append(merged[n-1], chat...)
	}
	return merged
}

// numbered turns the nearest line that each line answers into an index, given that the day begins at from.
func numbered(day []line, from int) []line {
	day = slices.Clone(day)
	places := make(map[int]int, len(day))
	for i, l := range day {
		places[l.N] = from + i
	}
	for i := range day {
		day[i].target = -1
		if len(day[i].RepliesTo) == 0 {
			continue
		}
		if place, ok := places[day[i].RepliesTo[0]]; ok && place < from+i {
			day[i].target = place
		}
	}
	return day
}

// countDays tells of how many channel-days chats are made.
func countDays(chats [][]line) int {
	days := 0
	for _, chat := range chats {
		for i, l := range chat {
			if i == 0 || chat[i-1].File != l.File {
				days++
			}
		}
	}
	return days
}

// spread gives the lines of a minute times over it, in order; now and then two share a millisecond, and so do burst
// lines in the middle.
func spread(lines []line, c chance, burst int) []int64 {
	times := make([]int64, len(lines))
	minute := int64(0)
	for i := 0; i < len(lines); {
		minute = max(minute, lines[i].minute)
		end := i + 1
		for end < len(lines) && lines[end].minute <= minute {
			end++
		}
		slot := 60_000 / (end - i)
		for k := i; k < end; k++ {
			times[k] = minute + int64((k-i)*slot+c.with("ms", k).below(slot))
			if k > i && c.with("same", k).below(40) == 0 {
				times[k] = times[k-1]
			}
		}
		i = end
	}
	if n := min(burst, len(times)); n > 0 {
		from := (len(times) - n) / 2
		for k := from; k < from+n; k++ {
			times[k] = times[from]
		}
	}
	return times
}
