package main

import (
	"slices"
	"strings"

	"chatlake/schemas"
)

// Sizes of the pieces that are shown, in lines.
const (
	excerptLines = 10
	mostReplies  = 6
	mostWithin   = 9 // messages in a merged forward
)

// best gives the group that is worth most, nil where none is worth anything; of equals, the first by key.
func best(groups map[string][]*utterance, worth func([]*utterance) int) (piece []*utterance) {
	most := 0
	for _, key := range sortedKeys(groups) {
		if n := worth(groups[key]); n > most {
			piece, most = groups[key], n
		}
	}
	return piece
}

// excerpt finds the piece of a conversation that shows most: answers, what was edited or recalled, who came and went.
func (t *talk) excerpt(platform string, lines int) (piece []*utterance) {
	conversations := t.grouped(platform, func(u *utterance) string {
		if u.container != "" {
			return ""
		}
		return u.conversation
	}, byTime)
	most := -1
	for _, id := range sortedKeys(conversations) {
		all := conversations[id]
		for from := range max(1, len(all)-lines+1) {
			part := all[from:min(len(all), from+lines)]
			if n := t.worth(part); n > most {
				piece, most = part, n
			}
		}
	}
	return piece
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// worth is how much a piece of a conversation shows.
func (t *talk) worth(piece []*utterance) int {
	here := make(map[string]bool, len(piece))
	found := map[string]int{}
	for _, u := range piece {
		here[u.record] = true
		switch {
		case u.mark != "":
			found[u.mark]++
		case u.system:
			found["system"]++
		case strings.HasPrefix(u.text, "("):
			found["other"]++
		}
		if to := t.answered(u); to != nil && here[to.record] {
			found["answer"]++
		} else if u.answers.status != "" {
			found["far answer"]++
		}
	}
	n := 2*min(people(piece), 6) - 3*long(piece)
	for what, value := range map[string]int{markRecalled: 8, "[edited]": 8, "system": 5, "other": 3, "far answer": 2} {
		if found[what] > 0 {
			n += value
		}
	}
	return n + 4*min(found["answer"], 4) - 2*max(0, found["system"]-2)
}

// people counts who speaks.
func people(piece []*utterance) int {
	names := make(map[string]bool, len(piece))
	for _, u := range piece {
		names[u.name] = true
	}
	return len(names)
}

// long counts texts that do not fit a line.
func long(piece []*utterance) int {
	n := 0
	for _, u := range piece {
		if len(u.text) > shortText {
			n++
		}
	}
	return n
}

// shortText is a text that fits a line of any piece.
const shortText = 80

// aThread finds a thread with its root and some answers, by several people.
func (t *talk) aThread(platform string) []*utterance {
	return best(t.grouped(platform, func(u *utterance) string {
		if u.thread == "" {
			return ""
		}
		return u.conversation + " " + u.thread
	}, byThread), func(all []*utterance) int {
		root, replies := all[0], len(all)-1
		if !root.threadRoot || all[1%len(all)].threadRoot || replies < 2 || replies > mostReplies || strings.HasPrefix(root.text, "(") {
			return 0
		}
		return 2*min(replies, 5) + 3*min(people(all), 4) - 4*long(all)
	})
}

// aForward finds a merged forward, with others in it, that is there as a whole.
func (t *talk) aForward(platform string) []*utterance {
	return best(t.grouped(platform, func(u *utterance) string {
		if u.role == schemas.ForwardContainer {
			return u.record
		}
		return u.container
	}, byPath), func(all []*utterance) int {
		if outer := all[0]; outer.role != schemas.ForwardContainer || !outer.whole || len(all) < 3 || len(all) > mostWithin+1 {
			return 0
		}
		deepest, files := 0, 0
		for _, u := range all[1:] {
			deepest = max(deepest, u.depth)
			if strings.HasPrefix(u.text, "(") && u.role == schemas.ForwardChild {
				files++
			}
		}
		return max(1, 8*min(deepest, 3)+2*min(people(all), 4)+min(len(all), 7)-3*long(all)-3*files)
	})
}

// aRecall finds a message that was recalled, with those before and after it.
func (t *talk) aRecall(platform string) []*utterance {
	conversations := t.grouped(platform, func(u *utterance) string {
		if u.container != "" {
			return ""
		}
		return u.conversation
	}, byTime)
	for _, id := range sortedKeys(conversations) {
		all := conversations[id]
		for i, u := range all {
			if u.mark == markRecalled {
				return all[max(0, i-1):min(len(all), i+2)]
			}
		}
	}
	return nil
}

// markRecalled is how a recalled message is marked.
const markRecalled = "[recalled]"
